"""What the claims study does, written down before it runs.

A plan is plain data: data sets, methods, the grid of learning rates, seeds, rules. It is saved as
``plan.json`` before the first training and a study goes on only with the same plan, so that
nothing can be tuned until a claim holds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

__all__ = ["LANGUAGE", "PARTS", "Entrant", "Plan", "SetPlan", "full_plan", "small_plan"]

LANGUAGE = "pictograms-language"
"""The part of the study that tunes a self-supervised encoder on captions."""

PARTS = ("pictograms", "cifar10", LANGUAGE, "theory", "cost")
"""What a study consists of, in the order in which it runs."""

Size = Literal["small", "full"]


@dataclass(frozen=True)
class Entrant:
    """One method in the study.

    Attributes:
        key: Its name in the study.
        method: As a recipe writes it, without the learning rate.
        tuned: Its learning rate is chosen from the plan's grid (a linear probe chooses C itself).
    """

    key: str
    method: Mapping[str, Any]
    tuned: bool = True


@dataclass(frozen=True)
class SetPlan:
    """One data set with one pretrained model.

    Attributes:
        name: "pictograms", "cifar10".
        model: What ``surefoot.load`` or the caller gives.
        entrants: The methods.
        from_probe: Paths start from the linear probe (for encoders without a zero-shot head).
        far: Shifts that count as large in claim 4, decided by design, not by results.
        limits: Images per split: "train", "val", "test", "shift"; None: all.
        alphas: Points of its paths; None: the plan's.
    """

    name: str
    model: str
    entrants: tuple[Entrant, ...]
    from_probe: bool
    far: tuple[str, ...]
    limits: Mapping[str, int | None]
    alphas: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Plan:
    """The whole study.

    Attributes:
        size: "small" shows that everything works and gives no verdicts; "full" gives them.
        sets: Data sets.
        alphas: Points of every path.
        grid: Learning rates, the same for every method: the same budget.
        seeds: The first one also decides the learning rate, on ID validation.
        language: Of claim 7: seeds, epochs, pairs, or None to leave it out.
        level: Of intervals and tests, two-sided.
        margin: "Not worse" means not worse by more than this fraction.
    """

    size: Size
    sets: tuple[SetPlan, ...]
    alphas: tuple[float, ...]
    grid: tuple[float, ...]
    seeds: tuple[int, ...]
    language: Mapping[str, Any] | None
    cost: Mapping[str, int]
    level: float = 0.95
    margin: float = 0.01
    notes: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as plan.json holds it."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain

    def part(self, name: str) -> dict[str, Any]:
        """What of the plan concerns one part of the study, and so its answers.

        Args:
            name: A data set's, or one of ``PARTS``.
        """
        plain = self.to_dict()
        common = {k: plain[k] for k in ("size", "seeds", "level", "margin")}
        if name == LANGUAGE:
            return {**common, "language": plain["language"]}
        for own in plain["sets"]:
            if own["name"] == name:
                alphas = own["alphas"] or plain["alphas"]
                return {**common, "grid": plain["grid"], "set": {**own, "alphas": alphas}}
        return {**common, name: plain.get(name)}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Plan:
        """A plan out of plain data, as plan.json holds it."""

        def frozen(value: Any) -> Any:
            return tuple(frozen(v) for v in value) if isinstance(value, list) else value

        sets = [
            SetPlan(
                **{k: frozen(v) for k, v in row.items() if k != "entrants"},
                entrants=tuple(Entrant(**entrant) for entrant in row["entrants"]),
            )
            for row in plain["sets"]
        ]
        # "language" and "cost" stay as they are: plain data.
        rest = {k: v for k, v in plain.items() if k not in ("sets", "language", "cost")}
        return cls(
            sets=tuple(sets),
            language=plain["language"],
            cost=plain["cost"],
            **{k: frozen(v) for k, v in rest.items()},
        )

    def hash(self) -> str:
        """Sixteen hex digits over the plain data."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _schedule(epochs: int, batch: int = 64) -> dict[str, Any]:
    return {"epochs": epochs, "batch_size": batch, "optimizer": "adamw", "weight_decay": 0.1}


def _entrants(epochs: int, *, language: bool) -> tuple[Entrant, ...]:
    """LP, FT from every head there is, LP-FT, and FLYP where there is a text tower."""
    plain = _schedule(epochs)
    found = [
        Entrant("lp", {"name": "lp"}, tuned=False),
        Entrant("ft-random", {"name": "ft", "head": "random", "schedule": plain}),
        Entrant("lp-ft", {"name": "lp-ft", "tune": {"schedule": plain}}),
    ]
    if language:
        found.insert(1, Entrant("ft", {"name": "ft", "head": "zero_shot", "schedule": plain}))
        found.append(Entrant("flyp", {"name": "flyp", "schedule": plain}))
    return tuple(found)


_PICTOGRAM_FAR = ("emoji", "sketch")
"""Drawn in other means than icons: painted faces and objects, and lines by untrained hands."""
_CIFAR_FAR = ("pictograms colour", "pictograms sketch")
"""Drawings instead of photographs."""


def full_plan() -> Plan:
    """The study whose results are kept: five seeds, three learning rates, whole test sets."""
    return Plan(
        size="full",
        sets=(
            SetPlan(
                "pictograms",
                "tiny-clip",
                _entrants(15, language=True),
                from_probe=False,
                far=_PICTOGRAM_FAR,
                limits={"train": None, "val": None, "test": None, "shift": None},
            ),
            SetPlan(
                "cifar10",
                "timm:tf_efficientnet_lite0",
                _entrants(5, language=False),
                from_probe=True,
                far=_CIFAR_FAR,
                limits={"train": 2000, "val": 1000, "test": 1500, "shift": 750},
                alphas=(0.0, 0.25, 0.5, 0.75, 1.0),
            ),
        ),
        alphas=tuple(i / 10 for i in range(11)),
        grid=(1e-4, 3e-4, 1e-3),
        seeds=(0, 1, 2, 3, 4),
        language={"epochs": 20, "alphas": [0.0, 0.25, 0.5, 0.75, 1.0]},
        cost={"train": 620, "epochs": 1, "repeats": 9, "rounds": 1},
        notes=(
            "second plan: the first (pictograms: 6 epochs, five alphas; language: 10 epochs) was "
            "carried out with earlier, weaker tiny models, and fine-tuning from a random head was "
            "far from done after 6 epochs. This one was written before the present weights "
            "existed. The part cifar10, which does not depend on them, is the first plan's. Costs "
            "were to be measured in three rounds; one was done, for want of time.",
        ),
    )


def small_plan() -> Plan:
    """Two seeds, one learning rate, few images: everything runs, nothing is decided."""
    return Plan(
        size="small",
        sets=(
            SetPlan(
                "pictograms",
                "tiny-clip",
                _entrants(1, language=True),
                from_probe=False,
                far=_PICTOGRAM_FAR,
                limits={"train": 620, "val": 128, "test": 128, "shift": 128},
            ),
            SetPlan(
                "cifar10",
                "timm:tf_efficientnet_lite0",
                _entrants(1, language=False),
                from_probe=True,
                far=_CIFAR_FAR,
                limits={"train": 160, "val": 80, "test": 80, "shift": 40},
            ),
        ),
        alphas=(0.0, 0.5, 1.0),
        grid=(3e-4,),
        seeds=(0, 1),
        language={"epochs": 1, "alphas": [0.0, 0.5, 1.0]},
        cost={"train": 160, "epochs": 1, "repeats": 2, "rounds": 1},
        notes=("small: shows that everything works; no verdicts are given",),
    )
