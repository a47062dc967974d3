"""Scores along a path, by any evaluator: the curve of WiSE-FT."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ..data.dataset import Shift, Task
from ..errors import AlphaError, DataError
from ..evals.evaluate import Answer, check_evaluator
from ..evals.score import score
from ..features import encoder_fingerprint
from ..predictions import Predictions
from ..records import Curve, Origin, Score
from ..weights import check_alpha, fingerprint
from .adaptive import narrowed
from .path import Path
from .walk import Progress, Walk

__all__ = ["Along", "alpha_grid", "output_ensemble", "sweep"]

Along = Literal["head", "knn", "linear"]
"""Evaluators along a path: the path's heads, neighbours, or a probe fitted anew at every alpha."""

Keep = Callable[[float, Predictions], None]

SMALL = 16 * 2**20
"""Logits of all splits above which the start's answers are not kept for other sweeps."""


def alpha_grid(n: int | Sequence[float] = 11) -> tuple[float, ...]:
    """Evenly spaced alphas, n of them, from 0 to 1; a list is returned as it is.

    The paper's grid is n = 21 (arXiv 2109.01903, section 3).

    Raises:
        AlphaError: n is below 2.
    """
    if not isinstance(n, int):
        return tuple(n)
    if n < 2:
        raise AlphaError(f"a grid of {n} alphas has no two ends", expected="2 or more")
    return tuple(i / (n - 1) for i in range(n))


def sweep(
    path: Path,
    task: Task | Mapping[str, Shift],
    *,
    evaluator: Along = "head",
    adaptive: bool = False,
    alphas: int | Sequence[float] | None = None,
    method: str = "wise-ft",
    seed: int | None = None,
    recipe: str = "",
    fixed: float = 0.5,
    device: torch.device | str | None = None,
    on_predictions: Keep | None = None,
    progress: Progress | None = None,
    memo: MutableMapping[str, Any] | None = None,
    **options: Any,
) -> Curve:
    """Evaluate a path (WiSE-FT's curve, arXiv 2109.01903, figure 1).

    "head": images are decoded once: a chunk within the memory budget is kept while the weights of
    every alpha are mixed in place and run over it. Where the encoder is the same at both ends (a
    linear probe), features are extracted once and only heads are mixed. Numbers equal those of
    ``path.at(alpha)`` evaluated alone. Several processes look at a share of the images each.
    "linear": the same with a probe that is fitted at every alpha. "knn": bank and queries are
    embedded anew at every alpha (Caron et al., arXiv 2104.14294, section 4.1); a bank that was
    embedded once would compare two encoders with each other.

    Args:
        path: From start to end.
        task: Its validation, test and shifts are scored; or any shifts by name ("head" only).
        evaluator: How logits are made.
        adaptive: Score ID validation only where a rule could choose alpha and the other splits
            only at the ends and at what was chosen (:func:`~.adaptive.narrowed`).
        alphas: How many, or which; sorted, without repeats.
        method: Goes into the scores: "wise-ft(ft)".
        seed: Likewise.
        recipe: Likewise.
        fixed: The alpha of the rule "fixed", for ``adaptive``.
        device: Where to compute; the end's device when left out.
        on_predictions: Called with every (alpha, predictions), alphas ascending: split by split,
            or all splits at each alpha for "knn".
        progress: Called with (done, in all): forward passes of one image by this process, or
            alphas for "knn".
        memo: Where sweeps from one start leave what it said, which saves its forward passes.
        **options: ``batch_size``, ``workers``; of "head" and "linear" ``decode_budget``
            (bytes of decoded images held at a time) and ``refit`` (gives the head at an alpha
            from the model there); of "knn" ``k``, ``ks``, ``protocol``.

    Returns:
        One score per split and alpha; ``correct`` for the splits scored by top1.

    Raises:
        AlphaError: An alpha is outside [0, 1] without leave, or there is none.
        UnknownName: No such evaluator.
        ClassMismatch: A split has other classes than the head.
        ModelError: The models have no head.
        DataError: An evaluator other than "head" without a task.

    Example:
        >>> sf.sweep(sf.Path.between(model, tuned, task), task, alphas=3)
        Curve(wise-ft: 3 alphas, val, test, recoloured)
    """
    check_evaluator(evaluator, ("head", "knn", "linear"))
    given = alpha_grid(11 if alphas is None else alphas)
    grid = tuple(sorted({check_alpha(a, extrapolate=path.extrapolate) for a in given}))
    if not grid:
        raise AlphaError("there is no alpha to evaluate", expected="one or more")
    whole = task if isinstance(task, Task) else None
    shifts = task.scored() if isinstance(task, Task) else dict(task)
    asked = _Asked(path, whole, evaluator, device, memo, progress, options)
    origin = Origin(method, evaluator, seed=seed, recipe=recipe)
    if adaptive:
        return narrowed(partial(_curve, asked, origin), shifts, grid, fixed, on_predictions)
    return _curve(asked, origin, shifts, grid, on_predictions)


def _curve(
    asked: _Asked,
    origin: Origin,
    shifts: Mapping[str, Shift],
    grid: tuple[float, ...],
    keep: Keep | None,
) -> Curve:
    """Scores of these splits at these alphas."""
    scores: dict[str, list[Score]] = {name: [] for name in shifts}
    right: dict[str, list[NDArray[np.bool_]]] = {}
    for alpha, (said, extra) in asked.along(shifts, grid):
        row = score(said, origin=replace(origin, alpha=alpha, extra=extra))
        scores[said.split].append(row)
        if said.metric == "top1":
            right.setdefault(said.split, []).append(said.correct())
        if keep is not None:
            keep(alpha, said)
    table = {name: tuple(rows) for name, rows in scores.items()}
    correct = {name: np.stack(rows) for name, rows in right.items()}
    return Curve(origin.method, grid, table, correct, origin.seed)


@dataclass(frozen=True, eq=False)
class _Asked:
    """What is asked at every alpha, and how."""

    path: Path
    task: Task | None
    evaluator: Along
    device: torch.device | str | None
    memo: MutableMapping[str, Any] | None
    progress: Progress | None
    options: Mapping[str, Any]

    def along(
        self, shifts: Mapping[str, Shift], grid: tuple[float, ...]
    ) -> Iterator[tuple[float, Answer]]:
        """(alpha, what is said there); the start is not asked again where a memo knows."""
        key = self._key(shifts) if grid[0] == 0 else None
        known = {} if key is None or self.memo is None else self.memo.get(key, {})
        rest = grid[1:] if known else grid
        walk = Walk(self.path, self.task, shifts, rest, known, self.progress, self.device)
        ask = {"head": walk.heads, "linear": walk.probes, "knn": walk.neighbours}[self.evaluator]
        new: dict[str, Answer] = {}
        for alpha, answer in ask(**self.options):
            if alpha == 0:
                new[answer[0].split] = answer
            yield alpha, answer
        if key is not None and self.memo is not None:
            self.memo[key] = new

    def _key(self, shifts: Mapping[str, Shift]) -> str | None:
        """Names all that the start's answers depend on; None where they are not kept.

        With another head policy it is not the start's own head that answers at alpha 0.
        """
        kept = self.evaluator == "knn" or (
            self.evaluator == "head" and self.path.head == "interpolate"
        )
        size = sum(len(s.split) * len(s.split.class_names) for s in shifts.values())
        if self.memo is None or not kept or size > SMALL or "refit" in self.options:
            return None
        start, bank = self.path.start, ("", "")
        if self.evaluator == "knn" and self.task is not None:
            start, bank = self.path.origin.with_head(None), self.task.train.manifest().facts
        splits = {
            name: [*s.split.manifest().facts, s.metric, repr(s.classes), repr(s.groups)]
            for name, s in shifts.items()
        }
        options = {k: v for k, v in self.options.items() if k not in ("workers", "decode_budget")}
        facts = [
            encoder_fingerprint(start), fingerprint(start), start.spec.transform.to_json(),
            splits, bank, self.evaluator, str(self.device), options,
        ]  # fmt: skip
        text = json.dumps(facts, sort_keys=True, default=str)
        return f"start:{hashlib.sha256(text.encode()).hexdigest()}"


def output_ensemble(start: Predictions, end: Predictions, alpha: float) -> Predictions:
    """(1 - alpha) start + alpha end in logits: what WiSE-FT is compared with (section 5).

    It costs two forward passes per image where mixed weights cost one.

    Args:
        start: Predictions of the pretrained model, logits (n, classes).
        end: Of the tuned one, on the same images.
        alpha: From 0 to 1.

    Raises:
        AlphaError: alpha is outside [0, 1].
        DataError: The predictions are of other images or classes.
    """
    alpha = check_alpha(alpha)
    if not start.same_images(end) or start.class_names != end.class_names:
        what = "classes" if start.same_images(end) else "images"
        raise DataError(
            f"predictions on {start.split!r} and {end.split!r} are of different {what}",
            expected="two models' predictions on one split, in one order",
        )
    if alpha in (0.0, 1.0):
        return start if alpha == 0 else end
    mixed = (1 - alpha) * start.logits.astype(np.float64) + alpha * end.logits.astype(np.float64)
    return replace(end, logits=mixed.astype(np.float32))
