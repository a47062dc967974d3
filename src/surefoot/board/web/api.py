"""The JSON API; its description is at ``/api/openapi.json``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request

from ..pages.page_context import PageContext
from ..pages.table import Query as TableQuery
from ..pages.table import select
from ..store.ranking import Standing
from ..store.results import Board, Entry, write_source
from ..store.rows import Dataset, Method, Paper, Task
from ..store.submit import SubmissionForm, submit
from . import shapes
from .state import state, writable

__all__ = ["router"]

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"model": shapes.Problem, "description": words}
    for code, words in (
        (400, "Not to be read at all"),
        (404, "Not on this board"),
        (413, "Too large"),
        (414, "Address too long"),
        (421, "Another server's name"),
        (422, "Not as it should be; `problems` names every field"),
        (405, "Not by this HTTP method"),
        (429, "Too many requests; `Retry-After` says how long to wait"),
        (500, "Our mistake"),
        (503, "The board's file cannot be read"),
    )
}
_WRITES: dict[int | str, dict[str, Any]] = {
    **_PROBLEMS,
    403: {"model": shapes.Problem, "description": "Read-only, or sent from another site"},
    409: {"model": shapes.Problem, "description": "Sent before"},
}
router = APIRouter(prefix="/api", responses=_PROBLEMS)

Offset = Annotated[int, Query(ge=0, le=10_000_000)]
Limit = Annotated[int, Query(ge=1, le=500)]
Words = Annotated[str, Query(max_length=300)]


def _of_task(context: PageContext, row: Task) -> dict[str, Any]:
    boards, papers = context.task_counts().get(row.id, (0, 0))
    parents = [p.slug for p in context.store.tasks.parents(row.id)]
    return {"parents": parents, "boards": boards, "papers": papers}


def _of_dataset(context: PageContext, row: Dataset) -> dict[str, Any]:
    return {"boards": [b.slug for b in context.store.boards.of(dataset_id=row.id)]}


def _of_method(context: PageContext, row: Method) -> dict[str, Any]:
    return {"surefoot": row.registry_name}


def _of_paper(context: PageContext, row: Paper) -> dict[str, Any]:
    tasks = [t.slug for t in context.store.tasks.of_paper(row.id)]
    return {"tasks": tasks, "code": [c.url for c in context.store.code.of(paper_id=row.id)]}


def _board(context: PageContext, row: Board) -> shapes.BoardOut:
    """A board."""
    name, size = context.names()[row.id], context.sizes().get(row.id, 0)
    return shapes.BoardOut.of(row, task=name.task, dataset=name.dataset, rows=size)


def _row(slug: str, e: Entry, place: Standing | None = None) -> shapes.RowOut:
    """A row, by itself without a place."""
    return shapes.RowOut.of(
        e,
        board=slug,
        rank=place.rank if place else None,
        unranked=place.reason if place else "",
        tied_with_best=place.ties_best if place else None,
        model=e.model_name,
        results=[shapes.ResultOut.of(r) for r in e.results],
        source=write_source(e.source),
    )


def _alive(row: Any) -> Any:
    if row.deleted:
        raise HTTPException(404, f"it was taken off the board on {row.deleted[:10]}")
    return row


def _collection(
    name: str, tag: str, shape: Any, more: Callable[[PageContext, Any], dict[str, Any]]
) -> None:
    """Routes to a part of a list, and to one of it by its slug."""
    newest = name == "papers"

    def some(request: Request, offset: Offset = 0, limit: Limit = 100) -> Any:
        with state(request).context() as context:
            table: Any = getattr(context.store, name)
            rows = (table.newest if newest else table.all)(limit=limit, offset=offset)
            items = [shape.of(r, **more(context, r)) for r in rows]
            return shapes.PartOut(total=table.count(), offset=offset, items=items)

    def one(request: Request, slug: str) -> Any:
        with state(request).context() as context:
            row = _alive(getattr(context.store, name).get(slug))
            return shape.of(row, **more(context, row))

    order = "newest first" if newest else "in the order in which they came"
    listed: Any = shapes.PartOut
    router.add_api_route(
        f"/{name}", some, name=name, response_model=listed[shape], tags=[tag],
        description=f"{tag.capitalize()}, {order}.",
    )  # fmt: skip
    router.add_api_route(
        f"/{name}/{{slug}}", one, name=name[:-1], response_model=shape, tags=[tag],
        description=f"One {tag[:-1]}.",
    )  # fmt: skip


_collection("tasks", "tasks", shapes.TaskOut, _of_task)
_collection("datasets", "data sets", shapes.DatasetOut, _of_dataset)
_collection("methods", "methods", shapes.MethodOut, _of_method)
_collection("papers", "papers", shapes.PaperOut, _of_paper)


@router.get("/boards", tags=["boards"])
def boards(
    request: Request, offset: Offset = 0, limit: Limit = 100
) -> shapes.PartOut[shapes.BoardOut]:
    """Boards, in the order in which they came."""
    with state(request).context() as context:
        table = context.store.boards
        rows = [b for b in table.all(limit=limit, offset=offset) if b.id in context.names()]
        items = [_board(context, b) for b in rows]
        return shapes.PartOut(total=table.count(), offset=offset, items=items)


@router.get("/boards/{slug}", tags=["boards"])
def board(
    request: Request, slug: str, metric: Words = "", q: Words = "", kind: Words = "",
    extra_data: Words = "", offset: Offset = 0, limit: Limit = 100,
) -> shapes.BoardRowsOut:  # fmt: skip
    """A board with its rows in order of a metric (the first by default)."""
    with state(request).context() as context:
        row = _alive(context.store.boards.get(slug))
        if metric and metric not in row.metrics:
            raise HTTPException(404, f"the board has no metric {metric!r}")
        found = context.rows(row, metric or None)
        query = TableQuery(q=q, kind=kind, extra=extra_data)
        kept = select(found.rows, query, lambda _: True)
        part = kept[offset : offset + limit]
        whole = context.store.entries.several([r.row.id for r in part])
        return shapes.BoardRowsOut(
            board=_board(context, row),
            metric=found.metric.name,
            direction=found.metric.direction,
            direction_known_from=found.metric.known_from,
            total=len(kept),
            offset=offset,
            rows=[_row(row.slug, whole[r.row.id], r) for r in part],
        )


@router.get("/rows/{row}", tags=["rows"])
def row(request: Request, row: int) -> shapes.RowOut:
    """One row, with its rank on its board; one that was taken off says when (``deleted``)."""
    with state(request).context() as context:
        entry = context.store.entries.full(row)
        board = context.store.boards.by_id(entry.board_id)
        ranked = next((r for r in context.rows(board).rows if r.row.id == entry.id), None)
        return _row(board.slug, entry, ranked)


@router.get("/rows/{row}/history", tags=["rows"])
def history(request: Request, row: int) -> list[shapes.RevisionOut]:
    """Every change of a row, oldest first; empty for one that an import brought."""
    with state(request).context() as context:
        entry = context.store.entries.by_id(row)
        lines = context.store.history("entry", entry.id)
        return [shapes.RevisionOut.of(r) for r in lines]


@router.get("/papers/{slug}/results", tags=["papers"])
def paper_results(request: Request, slug: str) -> list[shapes.RowOut]:
    """Rows that cite a paper; ranks stand on their boards."""
    with state(request).context() as context:
        found = _alive(context.store.papers.get(slug))
        slugs = {b.id: b.slug for b in context.store.boards.all()}
        rows = context.store.entries.of(paper_id=found.id)
        return [_row(slugs[e.board_id], e) for e in rows if e.board_id in slugs]


@router.get("/search", tags=["search"])
def search(
    request: Request, q: Annotated[str, Query(max_length=300, description="Words")],
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> list[shapes.HitOut]:  # fmt: skip
    """What holds every word, the last as a beginning; best first."""
    with state(request).context() as context:
        hits = context.store.search(q, limit=limit)
        return [shapes.HitOut.of(h) for h in hits]


@router.get("/submissions/{number}", tags=["submissions"])
def submission(request: Request, number: int) -> shapes.SubmissionOut:
    """What became of a submission."""
    with state(request).context() as context:
        found = _alive(context.store.submissions.by_id(number))
        return shapes.SubmissionOut.of(found, row=found.entry_id)


@router.post("/submissions", status_code=201, tags=["submissions"], responses=_WRITES)
def send(request: Request, form: SubmissionForm) -> shapes.SubmissionOut:
    """Put a result into the queue; it is shown as submitted until somebody runs it again."""
    at = writable(request)
    with at.writing() as store:
        done = submit(store, form.model_dump(), who="web", check_recipe=at.check_recipe)
    return shapes.SubmissionOut.of(done, row=done.entry_id)
