"""Every page by its address: what both faces call.

A page is asked for by its parts, ``("boards", slug)``, and comes back as HTML.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import NotOnBoard
from ..text import fold
from .board_view import board_page
from .compare_view import compare_page
from .face import Face
from .headings import heading
from .links import file_of
from .lists import front_page, sota_page, task_page, tasks_page
from .others import about_page
from .paper_view import paper_page
from .render import render
from .row_view import row_page
from .table import Query
from .things import dataset_page, datasets_list, method_page, methods_list, papers_list

__all__ = [
    "LISTS",
    "board_html",
    "compare_html",
    "list_html",
    "row_html",
    "thing_html",
]

LISTS: dict[str, tuple[str, Callable[[Face, int], dict[str, Any]]]] = {
    "": ("", lambda face, _: front_page(face)),
    "tasks": ("Tasks", lambda face, _: tasks_page(face)),
    "sota": ("State of the art", sota_page),
    "datasets": ("Data sets", datasets_list),
    "methods": ("Methods", methods_list),
    "papers": ("Papers", papers_list),
    "about": ("About", lambda face, _: about_page(face)),
}
"""Pages that stand by themselves: name -> (title, view)."""


def list_html(face: Face, name: str, page: int = 1) -> tuple[str, int]:
    """A page that stands by itself, and how many pages it has.

    Raises:
        NotOnBoard: No such page.
    """
    if name not in LISTS:
        raise NotOnBoard(f"there is no page {name!r}", expected=", ".join(filter(None, LISTS)))
    title, view = LISTS[name]
    data = view(face, page)
    html = render(face, name or "front", data, section=name, title=title)
    return html, int(data.get("pages", 1))


def thing_html(face: Face, kind: str, slug: str) -> str:
    """The page of a task, a data set, a method or a paper.

    Raises:
        NotOnBoard: No such thing, or it was taken off the board (a paper keeps its page).
    """
    store = face.store
    if kind == "tasks":
        task = store.tasks.get(slug)
        _alive(task.deleted, slug)
        return render(face, "task", task_page(face, task), section=kind, title=task.name)
    if kind == "datasets":
        data = store.datasets.get(slug)
        _alive(data.deleted, slug)
        return render(face, "dataset", dataset_page(face, data), section=kind, title=data.name)
    if kind == "methods":
        method = store.methods.get(slug)
        _alive(method.deleted, slug)
        return render(face, "method", method_page(face, method), section=kind, title=method.name)
    if kind == "papers":
        paper = store.papers.get(slug)
        return render(face, "paper", paper_page(face, paper), section=kind, title=paper.title)
    raise NotOnBoard(f"there is no kind of page {kind!r}")


def _alive(deleted: str | None, slug: str) -> None:
    if deleted:
        raise NotOnBoard(f"{slug!r} was taken off the board on {deleted[:10]}")


def board_html(
    face: Face, slug: str, *, metric: str | None = None, query: Query | None = None, page: int = 1
) -> tuple[str, int]:
    """A board's page, and how many pages its table has.

    Raises:
        NotOnBoard: No such board.
    """
    board = face.store.boards.get(slug)
    _alive(board.deleted, slug)
    if board.id not in face.names():
        raise NotOnBoard(f"there is no board {slug!r}")
    names = {fold(m): m for m in board.metrics}
    data = board_page(face, board, metric=names.get(fold(metric or "")), query=query, page=page)
    q = data["query"]
    asked = {"metric": data["metric"]["name"], "sort": q.sort, "down": "1" if q.down else "",
             "q": q.text, "kind": q.kind, "extra": q.extra, "method": q.method or "",
             "code": "1" if q.code else ""}  # fmt: skip
    html = render(
        face,
        "board",
        {**data, "rows_file": face.links.file(rows_file(slug)), "pager_query": asked},
        section="sota",
        title=data["board"]["full"],
        robots=page == 1 and not q.filters,
    )
    return html, data["rows"].pages


def rows_file(slug: str) -> str:
    """The file with all rows of a large board (static)."""
    return file_of("boards", slug).removesuffix(".html") + ".rows.js"


def row_html(face: Face, entry_id: int) -> str:
    """The page of one row, deleted or not.

    Raises:
        NotOnBoard: No such row.
    """
    entry = face.store.entries.full(entry_id)
    if entry.board_id not in face.names():
        raise NotOnBoard(f"the board of row {entry_id} was taken off")
    data = row_page(face, entry)
    title = data["title"]
    return render(face, "row", data, section="sota", title=title, robots=not entry.deleted)


def compare_html(face: Face, across: int, up: int) -> str:
    """One board against another, by their ids.

    Raises:
        NotOnBoard: No such board.
    """
    boards = [face.store.boards.by_id(i) for i in (across, up)]
    for board in boards:
        _alive(board.deleted, heading(face, board)["title"] if not board.deleted else board.slug)
        if board.id not in face.names():
            raise NotOnBoard(f"there is no board number {board.id}")
    data = compare_page(face, *boards)
    return render(face, "compare", data, section="sota", title=data["title"])
