"""Claim 7: adapters of a self-supervised encoder, tuned on language, judged by kNN."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..data.builtin import pictograms
from ..models.load import load
from ..recipes.align import AlignSpec, align
from ..train import Schedule
from .plan import Plan

__all__ = ["run_language", "specification"]

ENCODER = "tiny-dino"
"""It has seen neither text nor labels; tiny-clip has."""


def specification(plan: Plan) -> AlignSpec:
    """Both adapters and both controls, all with one schedule; captions are the icons' names."""
    facts: Any = plan.language
    schedule = Schedule(epochs=facts["epochs"], batch_size=128, lr=1e-3, weight_decay=1e-4)
    return AlignSpec(
        text="tiny-clip",
        adapters=("film", "token-replay"),
        controls=("shuffled", "random"),
        schedule=schedule,
        alphas=tuple(facts["alphas"]),
        seeds=plan.seeds,
        trial=plan.size == "small",
    )


def run_language(plan: Plan, out: Path, say: Callable[[str], None]) -> None:
    """Both adapters and their controls with every seed, as a study folder ``out``."""
    task = pictograms()
    if plan.size == "small":
        task = task.subset(train=620, evaluation=128, seed=0)
    align(
        load(ENCODER),
        task.train,
        task,
        specification(plan),
        out=out,
        resume=out.exists(),
        batch_size=64,
        command="claims",
        say=say,
    )
