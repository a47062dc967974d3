"""Merge methods by name, built from plain options."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from ..errors import UnknownName, WeightsError
from ..registry import nearest
from .rules import (
    FisherRule,
    Lerp,
    LinesRule,
    Mean,
    ModelStockRule,
    Rule,
    TaskArithmetic,
    Ties,
)

__all__ = ["MERGE_METHODS", "make_rule"]

MERGE_METHODS: dict[str, type[Rule]] = {
    rule.name: rule
    for rule in (Lerp, Mean, TaskArithmetic, Ties, ModelStockRule, LinesRule, FisherRule)
}
"""Name -> rule."""


def make_rule(method: str, **options: Any) -> Rule:
    """A rule from its name and plain options; lists become tuples.

    Raises:
        UnknownName: There is no such method; the nearest are named.
        WeightsError: An option that the method does not have.
    """
    if method not in MERGE_METHODS:
        near = nearest(method, list(MERGE_METHODS))
        error = UnknownName("merge method", method, list(MERGE_METHODS), near)
        error.fix = "`surefoot merge --help` describes them"
        raise error
    kind = MERGE_METHODS[method]
    known = [f.name for f in fields(kind)]
    strange = sorted(set(options) - set(known))
    if strange:
        raise WeightsError(
            f"{method} has no option {', '.join(strange)}",
            expected=f"of {', '.join(known)}",
        )
    plain: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
    return kind(**plain)
