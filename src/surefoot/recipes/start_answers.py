"""What the start of a path said, for the other paths of a study that begin there.

Every method and seed of a study begins at the same pretrained model, whose answers are the same
numbers each time; the memo of the context keeps those of small tasks.
"""

from __future__ import annotations

import hashlib
import json

from ..context import RunContext
from ..data.dataset import Task
from ..features import encoder_fingerprint
from ..paths import Path
from ..predictions import Predictions
from ..weights import fingerprint

__all__ = ["StartAnswers"]

SMALL = 16 * 2**20
"""Logits of all splits, above which nothing is kept."""


class StartAnswers:
    """Reads and fills the memo for one path.

    Args:
        path: Its start, whole, is what the answers are filed under.
        task: So are its scored splits and its metric.
        batch_size: So is this, since it can change a last digit.
        context: Its memo keeps them; its device counts too.
    """

    def __init__(self, path: Path, task: Task, batch_size: int, context: RunContext) -> None:
        self.names = list(task.scored())
        self._said: dict[str, Predictions] | None = None
        images = sum(len(s.split) for s in task.scored().values())
        # With another head policy it is not the start's own head that answers at alpha 0.
        if path.head == "interpolate" and images * len(task.class_names) <= SMALL:
            key = _key(path, task, batch_size, context)
            self._said = context.memo.setdefault(f"start:{key}", {})

    def keep(self, alpha: float, predictions: Predictions) -> None:
        """Remember an answer, where it is the start's."""
        if self._said is not None and alpha == 0:
            self._said[predictions.split] = predictions

    def known(self) -> dict[str, Predictions] | None:
        """Split name -> answer; None until every split's is known."""
        if self._said is None or not all(name in self._said for name in self.names):
            return None
        return dict(self._said)


def _key(path: Path, task: Task, batch_size: int, context: RunContext) -> str:
    """Names all that the answers depend on."""
    shifts = {
        name: [*s.split.manifest().facts, s.metric, repr(s.classes), repr(s.groups)]
        for name, s in task.scored().items()
    }
    facts = [
        encoder_fingerprint(path.start),
        fingerprint(path.start),
        path.start.spec.transform.to_json(),
        shifts,
        batch_size,
        context.device,
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
