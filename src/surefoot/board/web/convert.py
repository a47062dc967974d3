"""From rows of the store to what the API answers with."""

from __future__ import annotations

from ..pages.page_context import PageContext
from ..store.ranking import Standing
from ..store.rows import Board, Dataset, Entry, Method, Paper, Task, write_source
from .shapes import BoardOut, DatasetOut, MethodOut, PaperOut, ResultOut, RowOut, TaskOut

__all__ = ["board_out", "dataset_out", "method_out", "paper_out", "row_out", "task_out"]


def task_out(context: PageContext, row: Task) -> TaskOut:
    """A task, with its counts of boards and papers."""
    boards, papers = context.task_counts().get(row.id, (0, 0))
    parents = [p.slug for p in context.store.tasks.parents(row.id)]
    return TaskOut.of(row, parents=parents, boards=boards, papers=papers)


def board_out(context: PageContext, row: Board) -> BoardOut:
    """A board."""
    name, size = context.names()[row.id], context.sizes().get(row.id, 0)
    return BoardOut.of(row, task=name.task, dataset=name.dataset, rows=size)


def row_out(slug: str, e: Entry, place: Standing | None = None) -> RowOut:
    """A row, by itself without a place."""
    return RowOut.of(
        e,
        board=slug,
        rank=place.rank if place else None,
        unranked=place.reason if place else "",
        tied_with_best=place.ties_best if place else None,
        model=e.model_name,
        results=[ResultOut.of(r) for r in e.results],
        source=write_source(e.source),
    )


def dataset_out(context: PageContext, row: Dataset) -> DatasetOut:
    """A data set."""
    boards = [b.slug for b in context.store.boards.of_dataset(row.id)]
    return DatasetOut.of(row, boards=boards)


def method_out(context: PageContext, row: Method) -> MethodOut:
    """A method."""
    return MethodOut.of(row, surefoot=row.registry_name)


def paper_out(context: PageContext, row: Paper) -> PaperOut:
    """A paper."""
    tasks = [t.slug for t in context.store.tasks.of_paper(row.id)]
    code = [c.url for c in context.store.code.of_paper(row.id)]
    return PaperOut.of(row, tasks=tasks, code=code)
