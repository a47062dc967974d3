"""What boards and metrics are called at the head of pages, tables and lists."""

from __future__ import annotations

from typing import Any

from ..store.metrics import Metric
from ..store.rows import Board
from .page_context import PageContext
from .words import arrow, tidy

__all__ = ["heading", "metric_facts"]

_UNSAID = "unspecified"


def heading(context: PageContext, board: Board) -> dict[str, Any]:
    """What a board is called, with links."""
    name = context.names()[board.id]
    split = "" if board.split == _UNSAID else tidy(board.split, 60)
    # "test" is what everybody expects; anything else belongs to the name.
    variant = ", ".join(w for w in ("" if split == "test" else split, tidy(name.apart, 60)) if w)
    title = f"{tidy(name.task)} on {tidy(name.dataset)}"
    return {
        "id": board.id,
        "slug": board.slug,
        "href": context.links("boards", board.slug),
        "task": tidy(name.task),
        "task_href": context.links("tasks", name.task_slug),
        "dataset": tidy(name.dataset),
        "dataset_href": context.links("datasets", name.dataset_slug),
        "split": split,
        "split_id": board.split,
        "protocol_id": board.protocol,
        "apart": tidy(name.apart, 60),
        "variant": variant,
        "protocol": "" if board.protocol == _UNSAID else tidy(board.protocol, 80),
        "title": title,
        "full": f"{title}, {variant}" if variant else title,
    }


def metric_facts(metric: Metric) -> dict[str, Any]:
    """A metric for a column's head."""
    sign, words = arrow(metric)
    return {
        "name": tidy(metric.name, 80),
        "arrow": sign,
        "direction": words,
        "unit": metric.unit,
        "known_from": metric.known_from,
        "note": metric.note,
        "ranked": metric.ranked,
    }
