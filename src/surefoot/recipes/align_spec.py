"""What an alignment study does, as plain data."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..errors import DataError
from ..evals.knn import Protocol
from ..evals.votes import KS
from ..methods.base import as_dict
from ..methods.film import ADAPTERS
from ..methods.language import LanguageSupervision
from ..methods.parse import method_from
from ..train import Schedule
from .job import Look, whole_grid

__all__ = ["AlignSpec"]


FULL_TUNING_LR = 1e-4
"""For every weight or whole blocks, where the schedule is the adapters' own."""


@dataclass(frozen=True)
class AlignSpec:
    """Which encoders are made, and how they are looked at.

    Attributes:
        text: Text encoder; see ``surefoot.models.text_encoders``.
        adapters: "film", "film-all", "token-replay", "last-blocks", "none"; in order.
        controls: "shuffled", "random": each adapter is trained once more for each.
        schedule: How long and how fast.
        options: Further fields of ``LanguageSupervision`` as (name, value): ("two_pass", True).
            Those of Token Replay go to it alone.
        pairs: How many image-text pairs, stratified and seeded; None: all.
        pairs_seed: Of that draw.
        alphas: How many positions on the path, or which; both ends and ``fixed`` are added.
        fixed: The alpha of the rule "fixed".
        seeds: Of the fits.
        k: Neighbours of the scores.
        ks: Further numbers of neighbours, kept beside.
        protocol: Of kNN: "dino", "model" or "auto".
        trial: Data were cut: the runs are called trials, not finished.
    """

    text: str = "tiny-clip"
    adapters: tuple[str, ...] = ("film", "token-replay")
    controls: tuple[str, ...] = ("shuffled", "random")
    schedule: Schedule = ADAPTERS
    options: tuple[tuple[str, Any], ...] = ()
    pairs: int | None = None
    pairs_seed: int = 0
    alphas: int | tuple[float, ...] = 11
    fixed: float = 0.5
    seeds: tuple[int, ...] = (0,)
    k: int = 20
    ks: tuple[int, ...] = KS
    protocol: Protocol = "auto"
    trial: bool = False

    def __post_init__(self) -> None:
        if not self.adapters or not self.seeds:
            raise DataError("there is nothing to align", expected="an adapter and a seed at least")
        for name, given in (("adapter", self.adapters), ("control", self.controls)):
            if len(set(given)) < len(given):
                raise DataError(f"an {name} is given twice: {', '.join(given)}")
        self.methods()

    def methods(self) -> tuple[LanguageSupervision, ...]:
        """Every method, adapter by adapter, each followed by its controls.

        Raises:
            RecipeError: An adapter, a control or an option that does not exist.
        """
        return tuple(
            self._method(adapter, control)
            for adapter in self.adapters
            for control in ("none", *self.controls)
        )

    def keyed(self) -> dict[str, LanguageSupervision]:
        """Name in score rows and folders -> method: "language-film", "language-film-shuffled"."""
        made: dict[str, LanguageSupervision] = {}
        for method in self.methods():
            tail = "" if method.control == "none" else f"-{method.control}"
            made[f"language-{method.adapter}{tail}"] = method
        return made

    def _method(self, adapter: str, control: str) -> LanguageSupervision:
        replay = ("m", "share", "two_pass", "replay_loss")
        options = {n: v for n, v in self.options if adapter == "token-replay" or n not in replay}
        built = method_from(
            {"name": "language", "text": self.text, "adapter": adapter, "control": control}
            | options,
            where=f"language supervision of {adapter}",
        )
        assert isinstance(built, LanguageSupervision)
        whole = adapter in ("none", "last-blocks") and self.schedule == ADAPTERS
        schedule = replace(ADAPTERS, lr=FULL_TUNING_LR) if whole else self.schedule
        return replace(built, schedule=schedule)

    def grid(self) -> tuple[float, ...]:
        """The alphas, with both ends and the fixed one always among them."""
        return whole_grid(self.alphas, self.fixed)

    def members(self) -> dict[str, tuple[str, LanguageSupervision, int]]:
        """Folder name -> key, method, seed, in the order in which they are run."""
        return {
            key if len(self.seeds) == 1 else f"{key}-s{seed}": (key, method, seed)
            for seed in self.seeds
            for key, method in self.keyed().items()
        }

    def look(self, batch_size: int | None) -> Look:
        """How every encoder is looked at: by its neighbours, along the whole path."""
        neighbours = {"k": self.k, "ks": self.ks, "protocol": self.protocol}
        return Look(self.grid(), fixed=self.fixed, evaluators=("knn",), neighbours=neighbours,
                    batch_size=batch_size)  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Plain data, with every method written out."""
        return {**asdict(self), "methods": [as_dict(m) for m in self.methods()]}

    def hash(self, **facts: Any) -> str:
        """16 hexadecimal digits over this and ``facts`` (hashes of model, pairs and task)."""
        text = json.dumps({**self.to_dict(), **facts}, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
