"""From rows of the store to what the API answers with."""

from __future__ import annotations

import math

from ..pages.page_context import PageContext
from ..store.ranking import Standing
from ..store.rows import Board, Dataset, Entry, Method, Paper, Result, Task, write_source
from .shapes import BoardOut, DatasetOut, MethodOut, PaperOut, ResultOut, RowOut, TaskOut

__all__ = [
    "board_out",
    "dataset_out",
    "method_out",
    "paper_out",
    "result_out",
    "row_out",
    "task_out",
]


def task_out(context: PageContext, row: Task, counts: dict[int, tuple[int, int]]) -> TaskOut:
    """A task, with its counts of boards and papers."""
    boards, papers = counts.get(row.id, (0, 0))
    return TaskOut(
        slug=row.slug,
        name=row.name,
        description=row.description,
        parents=[p.slug for p in context.store.tasks.parents(row.id)],
        boards=boards,
        papers=papers,
        licence=row.licence,
    )


def board_out(context: PageContext, row: Board) -> BoardOut:
    """A board."""
    name = context.names()[row.id]
    return BoardOut(
        slug=row.slug,
        task=name.task,
        dataset=name.dataset,
        split=row.split,
        protocol=row.protocol,
        metrics=list(row.metrics),
        rows=context.sizes().get(row.id, 0),
        notable=row.notable,
        licence=row.licence,
    )


def row_out(slug: str, e: Entry, place: Standing | None = None) -> RowOut:
    """A row, by itself without a place."""
    return RowOut(
        id=e.id,
        board=slug,
        kind=e.kind,
        rank=place.rank if place else None,
        unranked=place.reason if place else "",
        tied_with_best=place.ties_best if place else None,
        model=e.model_name,
        backbone=e.backbone,
        setting=e.setting,
        extra_data=e.extra_data,
        toy=e.toy,
        paper_title=e.paper_title,
        paper_url=e.paper_url,
        paper_date=e.paper_date,
        results=[result_out(r) for r in e.results],
        source=write_source(e.source),
        licence=e.licence,
        row_key=e.row_key,
        deleted=e.deleted,
    )


def _finite(value: float | None) -> float | None:
    """JSON has no infinity."""
    return value if value is not None and math.isfinite(value) else None


def result_out(r: Result) -> ResultOut:
    """One number."""
    return ResultOut(
        metric=r.metric,
        raw=r.raw,
        value=_finite(r.value),
        n=r.n,
        low=_finite(r.low),
        high=_finite(r.high),
        interval=r.interval,
        stderr=_finite(r.stderr),
        alpha=_finite(r.alpha),
        selection=r.selection,
    )


def dataset_out(context: PageContext, row: Dataset) -> DatasetOut:
    """A data set."""
    return DatasetOut(
        slug=row.slug,
        name=row.name,
        full_name=row.full_name,
        description=row.description,
        homepage=row.homepage,
        licence_name=row.licence_name,
        modalities=[str(m) for m in row.modalities],
        splits=[dict(s) for s in row.splits],
        boards=[b.slug for b in context.store.boards.of_dataset(row.id)],
        toy=row.toy,
        licence=row.licence,
    )


def method_out(row: Method) -> MethodOut:
    """A method."""
    return MethodOut(
        slug=row.slug,
        name=row.name,
        full_name=row.full_name,
        description=row.description,
        introduced=row.introduced,
        surefoot=row.registry_name,
        licence=row.licence,
    )


def paper_out(context: PageContext, row: Paper) -> PaperOut:
    """A paper."""
    return PaperOut(
        slug=row.slug,
        title=row.title,
        authors=[str(a) for a in row.authors],
        date=row.date,
        venue=row.venue,
        arxiv_id=row.arxiv_id,
        abstract=row.abstract,
        url_abs=row.url_abs,
        url_pdf=row.url_pdf,
        tasks=[t.slug for t in context.store.tasks.of_paper(row.id)],
        code=[c.url for c in context.store.code.of_paper(row.id)],
        licence=row.licence,
    )
