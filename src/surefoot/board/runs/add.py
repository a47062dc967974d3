"""Our own runs onto the board: one entry per method, selection rule and split; curves beside them.

A run's dataset is its task's name; a split (``test``, the name of a shift) is a board. Values are
written in points of a hundred with two decimals. Several seeds of one method are one entry: the
mean, with the interval over seeds. A trial (limits on the data) and splits made by a program are
marked toy; unfinished runs are refused; the validation split is no result.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from ...records import Score
from ..errors import BoardError
from ..seed.numbers import board_of
from ..seed.read import ProtocolPlan, protocol_plans
from ..store.rows import Board, Entry, Protocol
from ..store.store import Store
from ..store.text import fold
from .curves import curves_of
from .entries import RunEntry, read_entries, unplaced
from .files import RunRow, read_rows
from .scores import (
    Placing,
    dataset_name,
    group_rows,
    how_scored,
    metric_name,
    protocol_name,
    split_facts,
)

__all__ = ["Added", "Placing", "RunEntry", "add_results", "read_entries"]


@dataclass(frozen=True)
class Added:
    """What was added.

    Attributes:
        entries: New rows of boards.
        reproduced: How many of them repeat a paper's number.
        unchanged: Rows that were there already.
        curves: New sweeps over alpha.
        boards: Slugs of the boards that the rows stand on, new or not.
        notes: What a person should know, one sentence each.
    """

    entries: int = 0
    reproduced: int = 0
    unchanged: int = 0
    curves: int = 0
    boards: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def add_results(store: Store, path: str | Path, placing: Placing | None = None) -> Added:
    """Add a run folder, a study folder, or a file of score rows (.jsonl, or a .json list).

    Args:
        store: Where to.
        path: Of the folder or file (see :mod:`~.files`).
        placing: Where the results go; by default onto boards named after the run's task.

    Raises:
        BoardError: Nothing there is a finished result.
        RunError: The folder is no run.
    """
    placing = placing or Placing()
    rows = read_rows(Path(path))
    if not rows:
        raise BoardError(f"{path} holds no scores", expected="a finished run, or a file of scores")
    notes: list[str] = []
    boards: dict[str, None] = {}
    counts = {"entries": 0, "reproduced": 0, "unchanged": 0, "curves": 0}
    with store.transaction():
        for group in group_rows(rows):
            board, metric = _place(store, group[0], placing)
            boards[board.slug] = None
            entry = _entry(store, group, placing, (board, metric), notes)
            if store.entries.has(entry.row_key):
                counts["unchanged"] += 1
                continue
            store.entries.add(entry, why=f"added from {Path(path).name}")
            counts["entries"] += 1
            counts["reproduced"] += entry.kind == "reproduced"
        for curve in curves_of(store, rows, placing):
            if not store.curves.has(curve.curve_key):
                store.curves.add(curve, why=f"added from {Path(path).name}")
                counts["curves"] += 1
    return Added(**counts, boards=tuple(boards), notes=tuple(dict.fromkeys(notes)))


def _entry(
    store: Store, group: list[RunRow], placing: Placing, place: tuple[Board, str], notes: list[str]
) -> Entry:
    board, metric = place
    entry = unplaced(store, group, placing)
    result = replace(entry.results[0], metric=metric)
    entry = replace(entry, board_id=board.id, results=(result,))
    if placing.reproduces:
        return _reproduced(store, entry, placing.reproduces, notes)
    return entry


def _place(store: Store, row: RunRow, placing: Placing) -> tuple[Board, str]:
    """The board of a score and its metric as the board spells it."""
    score = row.score
    metric = metric_name(score.metric)
    wanted = (placing.protocols or {}).get(score.split)
    if wanted is not None:
        plan = _plan(wanted, score)
        return board_of(store, plan), plan.metric
    dataset = store.datasets.ensure(dataset_name(row, placing))
    name = protocol_name(row, dataset.name)
    if store.protocols.find("name", name) is None:
        facts = split_facts(row)
        what = (
            f"{metric} of surefoot's {score.evaluator} evaluation on the split {score.split!r} of "
            f"{dataset.name}, version {score.version}"
            + (f": {facts['n']} images" if facts.get("n") else "")
            + (f", manifest {facts['manifest']}" if facts.get("manifest") else "")
            + "."
        )
        title = ", ".join(w for w in (dataset.name, score.split, how_scored(score)) if w)
        store.protocols.declare(Protocol(name, title, what))
    task = store.tasks.ensure(placing.task)
    return store.boards.ensure(task.id, dataset.id, score.split, name), metric


def _plan(name: str, score: Score) -> ProtocolPlan:
    plans = [p for p in protocol_plans() if p.name == name]
    fitting = [p for p in plans if fold(p.metric) == fold(metric_name(score.metric))]
    if not plans or (not fitting and score.metric != "top1"):
        known = sorted({p.name for p in protocol_plans()})
        raise BoardError(
            f"the protocol {name!r} does not take {metric_name(score.metric)} of {score.split!r}",
            expected=f"one of {', '.join(known)}",
        )
    return (fitting or plans)[0]


def _reproduced(store: Store, entry: Entry, paper: str, notes: list[str]) -> Entry:
    """The entry as a reproduction of the one published number that fits it, if there is one."""
    found = store.papers.match(arxiv=paper) or store.papers.get(paper)
    mine = entry.results[0]
    fitting = [
        r
        for e in store.entries.of_board(entry.board_id, ["published"])
        for r in e.results
        if e.paper_id == found.id
        and e.method_id == entry.method_id
        and fold(e.backbone) == fold(entry.backbone)
        and fold(r.metric) == fold(mine.metric)
        and (r.selection or "end") == (mine.selection or "end")
        and (mine.selection != "fixed" or r.alpha == mine.alpha)
    ]
    if len(fitting) != 1:
        notes.append(
            f"{entry.model_name}, {entry.backbone}, {mine.selection}: {len(fitting) or 'no'} "
            f"published number{'s' if len(fitting) != 1 else ''} of {found.title!r} fit; kept as "
            "measured"
        )
        return entry
    # A published end point says no rule; ours says "end". They mean the same.
    same = replace(mine, reproduces_id=fitting[0].id, selection=fitting[0].selection)
    return replace(entry, kind="reproduced", paper_id=found.id, paper_title=found.title,
                   paper_url=found.url_abs or None, paper_date=found.date or None,
                   results=(same,))  # fmt: skip
