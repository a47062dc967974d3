"""Do two models span a path? Every problem at once, before anything is mixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from ..errors import WeightsError
from ..models.model import Model
from ..weights.audit import audit, identical, listed
from ..weights.ops import tied

__all__ = ["misfits", "refuse"]


def misfits(
    start: Model,
    end: Model,
    a: Mapping[str, Tensor],
    b: Mapping[str, Tensor],
    *,
    heads: bool,
) -> list[str]:
    """Everything that keeps two models from being mixed; [] if they fit.

    Args:
        start: The pretrained model.
        end: The tuned one.
        a: The tensors of the start that take part.
        b: Those of the end.
        heads: The heads take part.
    """
    found = _facts_that_differ(start, end)
    found += _heads_that_differ(start, end) if heads else []
    found += _layers_that_differ(start, end) + _ties_that_differ(a, b)
    return found + [p.replace("the first set", "the start").replace("the second set", "the end")
                    for p in audit(a, b)]  # fmt: skip


def refuse(start: Model, end: Model, problems: Sequence[str]) -> None:
    """Raise if there is a problem.

    Raises:
        WeightsError: Names every problem.
    """
    if problems:
        raise WeightsError(
            f"no path leads from {start.spec.name} to {end.spec.name}:" + listed(list(problems)),
            expected="two models of one architecture, with finite weights",
            fix="take an end that was tuned from this start; for heads that do not match, "
            "fit a zero-shot head to the start first, or keep the end's with head='end'",
        )


def _ties_that_differ(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> list[str]:
    """Names that are one tensor in one end and two different ones in the other."""
    found = set()
    for one, other in ((a, b), (b, a)):
        first: dict[tuple[object, ...], str] = {}
        for name in one.keys() & other.keys():
            twin = first.setdefault(tied(one[name]), name)
            if twin != name and not identical(other[twin], other[name]):
                found.add(tuple(sorted((twin, name))))
    return [f"{x!r} and {y!r} are one tensor in one end and differ in the other"
            for x, y in sorted(found)]  # fmt: skip


_OFF = {"Dropout", "DropPath", "Identity", "StochasticDepth"}
"""Layers that do nothing in evaluation; training may put one in the place of another."""


def _layers_that_differ(start: Model, end: Model) -> list[str]:
    """Layers without children of two kinds: GELU and QuickGELU have equal (no) weights."""
    ours = dict(start.encoder.named_modules())
    found = []
    for name, layer in end.encoder.named_modules():
        twin = ours.get(name, layer)
        kinds = [type(m).__name__ for m in (twin, layer)]
        leaf = not any(True for m in (twin, layer) for _ in m.children())
        if leaf and kinds[0] != kinds[1] and not _OFF & set(kinds):
            found.append(f"'encoder.{name}' is {kinds[0]} in the start and {kinds[1]} in the end")
    return found


def _facts_that_differ(start: Model, end: Model) -> list[str]:
    """Facts outside of the weights that make mixed weights meaningless."""
    found = []
    seen = [m.spec.transform.changed(train_scale=(0.0, 1.0), train_flip=False)
            for m in (start, end)]  # fmt: skip
    if seen[0] != seen[1]:
        found.append(f"they see images differently: {seen[0]} and {seen[1]}")
    if start.feature_dim != end.feature_dim:
        found.append(f"features have {start.feature_dim} and {end.feature_dim} numbers")
    return found


def _heads_that_differ(start: Model, end: Model) -> list[str]:
    if start.head is None and end.head is None:
        return []
    if start.head is None or end.head is None:
        which = "start" if start.head is None else "end"
        return [f"'head.weight': the {which} has no head, the other end has one"]
    found = []
    if start.head.normalize != end.head.normalize:
        found.append("'head': one end's head normalises the features, the other's does not")
    ours, theirs = start.head.class_names, end.head.class_names
    if len(ours) == len(theirs) and ours != theirs:
        at = next(i for i, (x, y) in enumerate(zip(ours, theirs, strict=True)) if x != y)
        found.append(f"'head': row {at} is the class {ours[at]!r} in the start and {theirs[at]!r} "
                     "in the end")  # fmt: skip
    return found
