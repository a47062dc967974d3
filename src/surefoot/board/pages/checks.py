"""A published and a reproduced number side by side, for a board's table."""

from __future__ import annotations

from typing import Any

from ..store.ranking import Agreement
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
    store = context.store
    if entry.kind == "reproduced" and result.reproduces_id is not None:
        theirs = store.results.by_id(result.reproduces_id)
        first = store.entries.full(theirs.entry_id)
        unknown = Agreement("not comparable", reason="")
        verdict = next((v for e, v in store.agreements(first) if e.id == entry.id), unknown)
        return _check(context, first.id, theirs.raw, result.raw, verdict)
    if reproduced:
        found = [(e, v) for e, v in store.agreements(entry) if _repeats(e, result)]
        if found:
            mine, verdict = found[-1]
            raw = next(r.raw for r in mine.results if r.reproduces_id == result.id)
            return _check(context, mine.id, result.raw, raw, verdict)
    return None


def _repeats(entry: Entry, result: Result) -> bool:
    return any(r.reproduces_id == result.id for r in entry.results)


def _check(
    context: PageContext, other: int, published: str, reproduced: str, verdict: Agreement
) -> dict[str, Any]:
    return {
        "published": tidy(published, 40),
        "reproduced": tidy(reproduced, 40),
        "verdict": verdict.verdict,
        "difference": "" if verdict.difference is None else signed(verdict.difference, 2),
        "reason": verdict.reason,
        "href": context.links("rows", other),
    }
