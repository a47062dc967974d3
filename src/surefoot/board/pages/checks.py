"""A published and a reproduced number side by side, for a board's table."""

from __future__ import annotations

from typing import Any

from ..store.rows import Entry, Result
from .page_context import PageContext
from .words import signed, tidy

__all__ = ["check_of"]


def check_of(
    context: PageContext, entry: Entry, result: Result, reproduced: bool
) -> dict[str, Any] | None:
    """The other side of a published and a reproduced number, with the verdict.

    Args:
        context: Of the page.
        entry: Of the row.
        result: Its number.
        reproduced: Whether a run repeats it.

    Returns:
        None where there is no other side.
    """
    again = entry.kind == "reproduced" and result.reproduces_id is not None
    if not again and not reproduced:
        return None
    for other, verdict in reversed(context.store.agreements(entry)):
        for one in other.results:
            if one.id == result.reproduces_id if again else one.reproduces_id == result.id:
                first, second = (one, result) if again else (result, one)
                apart = verdict.difference
                return {
                    "published": tidy(first.raw, 40),
                    "reproduced": tidy(second.raw, 40),
                    "verdict": verdict.verdict,
                    "difference": "" if apart is None else signed(apart, 2),
                    "reason": verdict.reason,
                    "href": context.links("rows", other.id),
                }
    return None
