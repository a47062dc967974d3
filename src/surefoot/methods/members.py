"""What the merging methods share: several fits of one method, and a Model from merged weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

from torch import Tensor

from ..context import RunContext
from ..data.dataset import Task
from ..errors import ModelError
from ..models.model import Model
from ..paths import Path
from ..train import Schedule
from ..weights import Weights, mean
from .base import Method

__all__ = ["check_members", "fit_members", "merge_with_start", "merged", "scaled_lr"]


def check_members(seeds: int, lr_factors: Sequence[float], *, least: int = 1) -> None:
    """Raise unless there are enough members and every factor is usable.

    Raises:
        ModelError: Too few members, or a factor that is not a finite number above 0.
    """
    if seeds < 1 or not all(math.isfinite(f) and f > 0 for f in lr_factors):
        raise ModelError(
            f"seeds is {seeds} and lr_factors are {list(lr_factors)}",
            expected="seeds of at least 1, factors above 0",
        )
    if seeds * len(lr_factors) < least:
        raise ModelError(
            f"{seeds} seeds times {len(lr_factors)} learning rates are too few members",
            expected=f"at least {least}",
            fix="raise seeds, or give more lr_factors",
        )


def scaled_lr(method: Any, factor: float) -> Any:
    """A copy of a method in which the learning rate of every Schedule is multiplied."""
    if isinstance(method, Schedule):
        return replace(method, lr=method.lr * factor)
    if factor == 1 or not is_dataclass(method) or isinstance(method, type):
        return method
    changed = {f.name: scaled_lr(getattr(method, f.name), factor) for f in fields(method)}
    return replace(method, **changed)


def fit_members(
    inner: Method,
    start: Model,
    task: Task,
    *,
    seeds: int,
    lr_factors: Sequence[float],
    seed: int,
    run: RunContext,
) -> list[Model]:
    """Fit the inner method once per seed and learning rate.

    The seeds are ``seed * seeds``, ``seed * seeds + 1``, ...: studies over seeds 0, 1, 2 share no
    member.
    """
    members: list[Model] = []
    for factor in lr_factors:
        method = scaled_lr(inner, factor)
        for own in range(seed * seeds, (seed + 1) * seeds):
            stage = run.staged(f"member-{len(members)}")
            stage.say(note=f"member {len(members)}: seed {own}, learning rate x {factor:g}")
            # They wait where the start is, so that an accelerator holds one at a time.
            members.append(method.fit(start, task, seed=own, run=stage).to(start.device))
    return members


def merged(like: Model, weights: Mapping[str, Tensor], note: str) -> Model:
    """A copy of a model with other weights of the same names, and a note in its spec."""
    model = like.clone()
    Weights(weights).load_into(model)
    model.spec = replace(model.spec, notes=(*model.spec.notes, note))
    return model.eval()


def merge_with_start(
    merge: Callable[[Mapping[str, Tensor], Sequence[Mapping[str, Tensor]]], dict[str, Tensor]],
    start: Model,
    members: Sequence[Model],
    task: Task,
    note: str,
) -> Model:
    """A merge of (theta_0, tuned models) as a Model.

    Where the start has no head for the task's classes, the members' heads are averaged.
    """
    paths = [Path.between(start, member, task) for member in members]
    pairs = [path.ends() for path in paths]
    begin, tuned = pairs[0][0], [member.state_dict() for _, member in pairs]
    heads: dict[str, Tensor] = {}
    if paths[0].head == "end":
        head_names = [k for k in tuned[0] if k.startswith("head.")]
        heads = mean([{k: t[k] for k in head_names} for t in tuned])
    names = [k for k in tuned[0] if k not in heads]
    first = begin.state_dict()
    rest = merge({k: first[k] for k in names}, [{k: t[k] for k in names} for t in tuned])
    return merged(pairs[0][1], {**rest, **heads}, note)
