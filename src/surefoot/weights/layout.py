"""Do two sets of weights fit together, by names, shapes and formats alone? Without torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .dtypes import COMPUTED_KINDS, KINDS, TensorLayout
from .mixable import no_weights

__all__ = ["INTEGERS_DIFFER", "kind_name", "listed", "misfits", "unusable"]

_COPIED = frozenset({"BOOL", "U8", "I8", "I16", "I32", "I64", "U16", "U32", "U64"})

INTEGERS_DIFFER = "holds integers that differ, of which there is no average"


def kind_name(kind: str) -> str:
    """Torch's name of a format."""
    return KINDS[kind].name if kind in KINDS else kind


def unusable(kind: str) -> str | None:
    """Why numbers of a format cannot be mixed; None where they can (or are copied)."""
    if kind in COMPUTED_KINDS or kind in _COPIED:
        return None
    name = kind_name(kind)
    if name.startswith("complex"):
        return f"is complex ({name})"
    return f"is quantised ({name}); its scales lie elsewhere"


def misfits(
    a: Mapping[str, TensorLayout],
    b: Mapping[str, TensorLayout],
    values: Callable[[str, bool], list[str]] = lambda name, fits: [],
) -> list[str]:
    """Everything that keeps two sets from being mixed, one sentence each, by the names' order.

    Args:
        a: The first set.
        b: The second.
        values: (name, do its outlines fit) -> what is wrong with its numbers besides.
    """
    problems = list(dict.fromkeys((*no_weights(a), *no_weights(b))))
    for name in sorted(set(a) | set(b)):
        if name not in b:
            problems.append(f"{name!r} {a[name].shape} is in the first set only")
        elif name not in a:
            problems.append(f"{name!r} {b[name].shape} is in the second set only")
        else:
            apart = _differences(a[name], b[name])
            stored = _storage(a[name], b[name])
            more = [] if stored else values(name, not apart)
            problems += [f"{name!r} {what}" for what in (*apart, *stored, *more)]
    return problems


def _differences(x: TensorLayout, y: TensorLayout) -> list[str]:
    found = []
    if x.shape != y.shape:
        found.append(f"has the shape {x.shape} in the first set and {y.shape} in the second set")
    if x.kind != y.kind:
        found.append(f"is {kind_name(x.kind)} in the first set and {kind_name(y.kind)} in the "
                     "second set")  # fmt: skip
    return found


def _storage(x: TensorLayout, y: TensorLayout) -> list[str]:
    found = []
    for one, side in ((x, "the first set"), (y, "the second set")):
        why = unusable(one.kind)
        if one.layout == "meta":
            why = "has no data (it is on the meta device)"
        elif one.layout != "strided":
            why = f"is sparse ({one.layout})"
        if why is not None:
            found.append(f"{why} in {side}")
    return found


def listed(problems: list[str], shown: int = 20) -> str:
    """Problems as indented lines; those beyond ``shown`` are counted."""
    lines = "".join(f"\n    - {p}" for p in problems[:shown])
    more = len(problems) - shown
    return lines + (f"\n    ... and {more} more" if more > 0 else "")
