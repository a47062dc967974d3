"""The static site: every page as a file, linked relatively, readable from a disk."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BoardError
from ..store.store import Store
from ..store.submit import template
from .atomic_dir import replaced
from .board_view import has_checks
from .compare_view import partners
from .links import Links, file_of
from .others import search_index, search_page, submit_page
from .page_context import PageContext
from .plan import Plan, plan_site
from .queries import papers_with_results
from .ranked import Cache
from .render import ASSETS, asset, environment, render
from .search_files import script_json, search_files
from .table import PAGE, make_rows
from .views import LISTS, board_html, compare_html, entity_html, list_html, row_html, rows_file

__all__ = ["Site", "export_site"]

MARK = "surefoot-board.json"
"""Lies in every exported site and lists its files, so that an export replaces only its own."""


@dataclass(frozen=True)
class Site:
    """What was written.

    Attributes:
        folder: Where.
        pages: HTML files.
        files: All files.
    """

    folder: Path
    pages: int
    files: int


def export_site(
    store: Store,
    folder: str | Path,
    *,
    toy: bool = False,
    planned: Callable[[Plan], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Site:
    """Write the board as a static site; open its ``index.html``.

    Papers that nothing on the board refers to (of an imported archive) have no page of their own
    and link to their address. Files of an earlier export that are not written again are removed;
    no other file is touched. Everything is written beside the folder first and takes its place at
    the end: an export that is interrupted leaves the old site whole.

    One page is in memory at a time; what is kept beside it does not grow with the archive's papers
    but the ids of those that have results.

    Args:
        store: What is shown.
        folder: New, empty, or an earlier export.
        toy: Whether toy data are shown.
        planned: Told how large the site will be, before anything is written.
        progress: Told after every file how many pages there are, and of how many, about; at the
            end the two are equal.

    Raises:
        BoardError: The folder holds other files, or its disk has no room.
    """
    target = Path(folder)
    before = _before(target)
    papers = papers_with_results(store)
    plan = plan_site(store, len(papers), toy=toy)
    _room(target, plan)
    if planned is not None:
        planned(plan)
    context = PageContext(store, Links(False, papers=papers), Cache(), toy)
    pages = files = 0
    folders: set[Path] = set()
    with (
        replaced(target, {*before, MARK}) as fresh,
        open(fresh / MARK, "w", encoding="utf-8", newline="\n") as mark,
    ):
        mark.write('{\n"files": [')
        for name, text in _files(context, papers):
            path = fresh / name
            if path.parent not in folders:
                path.parent.mkdir(parents=True, exist_ok=True)
                folders.add(path.parent)
            path.write_text(text, encoding="utf-8", newline="\n")
            mark.write(f"{',' if files else ''}\n{json.dumps(name)}")
            files += 1
            pages += name.endswith(".html")
            if progress is not None:
                progress(pages, max(pages + 1, plan.total))
        mark.write("\n]\n}\n")
    if progress is not None:
        progress(pages, pages)
    return Site(target, pages, files + 1)


def _room(target: Path, plan: Plan) -> None:
    """Whether the disk has room.

    Raises:
        BoardError: It has not.
    """
    there = next(p for p in (target.absolute(), *target.absolute().parents) if p.exists())
    free = shutil.disk_usage(there).free / 1e6
    if free < plan.megabytes:
        raise BoardError(
            f"{there} has {free:,.0f} MB left, and the site takes about {plan.megabytes:,.0f} MB",
            expected=f"room for {plan.text()}",
            fix="name a folder on another disk, or export the data alone (--data-only)",
        )


def _before(target: Path) -> set[str]:
    """Files of an earlier export.

    Raises:
        BoardError: The folder holds other files and no export.
    """
    mark = target / MARK
    if target.exists() and not target.is_dir():
        raise BoardError(f"{target} is a file", expected="a folder")
    if not mark.is_file():
        if target.is_dir() and any(target.glob("*.html")):
            raise BoardError(
                f"{target} holds pages that this board did not write",
                expected="a new or empty folder, or an earlier export",
            )
        return set()
    try:
        names = json.loads(mark.read_text(encoding="utf-8"))["files"]
    except (ValueError, KeyError, TypeError) as error:
        raise BoardError(f"{mark} cannot be read ({error})", fix="remove the folder") from error
    inside = target.resolve()
    return {
        n for n in names if isinstance(n, str) and (target / n).resolve().is_relative_to(inside)
    }


def _files(context: PageContext, papers: set[int]) -> Iterator[tuple[str, str]]:
    """(name, text) of every file."""
    for name in ASSETS:
        yield f"assets/{name}", asset(name)
    yield from search_files(context.store.db.connection, search_index(context))
    yield "submission-template.json", template()
    for name in LISTS:
        page, pages = 1, 1
        while page <= pages:
            html, pages = list_html(context, name, page)
            yield file_of(*([name] if name else []), page=page), html
            page += 1
    yield file_of("search"), render(context, "search", search_page(context), title="Search")
    yield file_of("submit"), render(context, "submit", submit_page(context), section="submit",
                                    title="Submit")  # fmt: skip
    yield from _entities(context.at(1), papers)
    yield from _boards(context.at(1))


def _entities(context: PageContext, papers: set[int]) -> Iterator[tuple[str, str]]:
    store = context.store
    rows: dict[str, Iterable[Any]] = {
        "tasks": store.tasks.each(),
        "datasets": (d for d in store.datasets.each() if context.toy or not d.toy),
        "methods": store.methods.each(),
        "papers": map(store.papers.by_id, sorted(papers)),
    }
    for kind, some in rows.items():
        for row in some:
            yield file_of(kind, row.slug), entity_html(context, kind, row.slug)


def _boards(context: PageContext) -> Iterator[tuple[str, str]]:
    """Boards with the rows of large ones beside them, scatters, and every row's page."""
    pairs: set[tuple[int, int]] = set()
    for board in context.boards():
        page, pages = 1, 1
        while page <= pages:
            html, pages = board_html(context, board.slug, page=page)
            yield file_of("boards", board.slug, page=page), html
            page += 1
        if pages > 1:
            yield rows_file(board.slug), _rows(context, board.slug)
        pairs |= {p["pair"] for p in partners(context, board)}
        for one in context.rows(board).rows:
            yield file_of("rows", one.row.id), row_html(context, one.row.id)
        yield from _taken_off(context, board.id)
    for across, up in sorted(pairs):
        yield file_of("compare", f"{across}-{up}"), compare_html(context, across, up)


def _taken_off(context: PageContext, board_id: int) -> Iterator[tuple[str, str]]:
    """Rows that were taken off keep their page."""
    rows = context.store.db.all(
        "SELECT id, toy FROM entry WHERE board_id = ? AND deleted IS NOT NULL", board_id
    )
    for r in rows:
        if context.toy or not r["toy"]:
            yield file_of("rows", r["id"]), row_html(context, r["id"])


def _rows(context: PageContext, slug: str) -> str:
    """All rows of a board as a script, from the template that makes them in the page."""
    board = context.store.boards.get(slug)
    found = context.rows(board)
    others = tuple(m for m in board.metrics if m != found.metric.name)[:4]
    made = make_rows(context, board.id, found.rows, size=max(PAGE, len(found.rows)), others=others)
    row = environment().get_template("rows.html.j2").module.row  # type: ignore[attr-defined]
    checks = has_checks(context, found)
    # Browsers sort and filter by the first parts and make elements only of the rows that are shown.
    rows = [
        [list(i["sort"].values()), i["entry"].kind, i["entry"].extra_data,
         str(i["entry"].method_id or 0),
         1 if i["code"] else 0, i["words"], str(row(i, checks))]
        for i in made.items
    ]  # fmt: skip
    names = list(made.items[0]["sort"]) if made.items else []
    return f"surefootRows({script_json([names, rows])});\n"
