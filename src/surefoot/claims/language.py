"""Claim 7: adapters of a self-supervised encoder, tuned on language, judged by kNN."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ..data.builtin import pictograms
from ..data.dataset import Task
from ..models.load import load
from ..recipes.align import AlignSpec, align, alignment
from ..runs import Run
from ..train import Schedule
from .plan import Plan
from .workers import Workers

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


def run_language(plan: Plan, out: Path, say: Callable[[str], None], *, jobs: int = 1) -> None:
    """Both adapters and their controls with every seed, as a study folder ``out``."""
    spec = specification(plan)
    left = [name for name in spec.members() if not Run(out / name).done]
    with Workers(min(jobs, max(1, len(left))), partial(_Bench, plan, out)) as workers:
        for name, seconds in workers.do(left):
            say(f"{name}: {seconds:.0f} s")
    task = _task(plan)
    align(
        load(ENCODER), task.train, task, spec,
        out=out, resume=out.exists(), batch_size=64, command="claims",
    )  # fmt: skip


def _task(plan: Plan) -> Task:
    task = pictograms()
    return task.subset(train=620, evaluation=128, seed=0) if plan.size == "small" else task


class _Bench:
    """What one process needs; call it with the name of a run."""

    def __init__(self, plan: Plan, out: Path) -> None:
        task = _task(plan)
        self.experiment = alignment(
            load(ENCODER), task.train, task, specification(plan),
            out=out, batch_size=64, command="claims",
        )  # fmt: skip

    def __call__(self, name: str) -> float:
        """Fit and look; seconds."""
        began = time.perf_counter()
        self.experiment.run(name)
        return time.perf_counter() - began
