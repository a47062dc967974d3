"""Every page by its address: what the site and the server call.

A page is asked for by its parts, ``("boards", slug)``, and comes back as HTML.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ..errors import NotOnBoard
from ..store.text import fold
from . import entities
from .board_view import board_page, row_page
from .compare_view import compare_page
from .links import file_of
from .lists import front_page, sota_page, task_page, tasks_page
from .others import about_page
from .page_context import PageContext
from .render import render
from .table import Query

__all__ = [
    "ENTITIES",
    "LISTS",
    "board_html",
    "compare_html",
    "entity_html",
    "list_html",
    "row_html",
]

LISTS: dict[str, tuple[str, Callable[[PageContext, int], dict[str, Any]]]] = {
    "": ("", lambda context, _: front_page(context)),
    "tasks": ("Tasks", lambda context, _: tasks_page(context)),
    "sota": ("State of the art", sota_page),
    "datasets": ("Data sets", entities.datasets_list),
    "methods": ("Methods", entities.methods_list),
    "papers": ("Papers", entities.papers_list),
    "about": ("About", lambda context, _: about_page(context)),
}
"""Pages that stand by themselves: name -> (title, view)."""


def list_html(context: PageContext, name: str, page: int = 1) -> tuple[str, int]:
    """A page that stands by itself, and how many pages it has.

    Raises:
        NotOnBoard: No such page.
    """
    if name not in LISTS:
        raise NotOnBoard(f"there is no page {name!r}", expected=", ".join(filter(None, LISTS)))
    title, view = LISTS[name]
    data = view(context, page)
    html = render(context, name or "front", data, section=name, title=title)
    return html, int(data.get("pages", 1))


ENTITIES: dict[str, tuple[str, Callable[[PageContext, Any], dict[str, Any]]]] = {
    "tasks": ("task", task_page),
    "datasets": ("dataset", entities.dataset_page),
    "methods": ("method", entities.method_page),
    "papers": ("paper", entities.paper_page),
}
"""Pages that many rows have: name -> (template, view)."""


def entity_html(context: PageContext, kind: str, slug: str) -> str:
    """The page of a task, a data set, a method or a paper.

    Raises:
        NotOnBoard: No such row, or it was taken off the board (a paper keeps its page).
    """
    if kind not in ENTITIES:
        raise NotOnBoard(f"there is no kind of page {kind!r}")
    template, view = ENTITIES[kind]
    row = getattr(context.store, kind).get(slug)
    if kind != "papers":
        _alive(row.deleted, slug)
    title = row.title if kind == "papers" else row.name
    return render(context, template, view(context, row), section=kind, title=title)


def _alive(deleted: str | None, slug: str) -> None:
    if deleted:
        raise NotOnBoard(f"{slug!r} was taken off the board on {deleted[:10]}")


def board_html(
    context: PageContext,
    slug: str,
    *,
    metric: str | None = None,
    query: Query | None = None,
    page: int = 1,
) -> tuple[str, int]:
    """A board's page, and how many pages its table has.

    Raises:
        NotOnBoard: No such board.
    """
    board = context.store.boards.get(slug)
    _alive(board.deleted, slug)
    if board.id not in context.names():
        raise NotOnBoard(f"there is no board {slug!r}")
    names = {fold(m): m for m in board.metrics}
    data = board_page(context, board, metric=names.get(fold(metric or "")), query=query, page=page)
    asked = {k: int(v) if isinstance(v, bool) else v for k, v in asdict(data["query"]).items()}
    asked = {"metric": data["metric"]["name"], **{k: v or "" for k, v in asked.items()}}
    html = render(
        context,
        "board",
        {**data, "rows_file": context.links.file(rows_file(slug)), "pager_query": asked},
        section="sota",
        title=data["board"]["full"],
        robots=page == 1 and not data["query"].filters,
    )
    return html, data["rows"].pages


def rows_file(slug: str) -> str:
    """The file with all rows of a large board (static)."""
    return file_of("boards", slug).removesuffix(".html") + ".rows.js"


def row_html(context: PageContext, entry_id: int) -> str:
    """The page of one row, deleted or not.

    Raises:
        NotOnBoard: No such row.
    """
    entry = context.store.entries.full(entry_id)
    if entry.board_id not in context.names():
        raise NotOnBoard(f"the board of row {entry_id} was taken off")
    data = row_page(context, entry)
    title = data["title"]
    return render(context, "row", data, section="sota", title=title, robots=not entry.deleted)


def compare_html(context: PageContext, across: int, up: int) -> str:
    """One board against another, by their ids.

    Raises:
        NotOnBoard: No such board.
    """
    boards = [context.store.boards.by_id(i) for i in (across, up)]
    for board in boards:
        _alive(board.deleted, board.slug)
        if board.id not in context.names():
            raise NotOnBoard(f"there is no board number {board.id}")
    data = compare_page(context, *boards)
    return render(context, "compare", data, section="sota", title=data["title"])
