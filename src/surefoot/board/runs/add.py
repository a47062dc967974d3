"""Our own runs onto the board: one entry per method, selection rule and split; curves beside them.

A run's dataset is its task's name; a split (``test``, the name of a shift) is a board. Values are
written in points of a hundred with two decimals. Several seeds of one method are one entry: the
mean, with an interval over seeds and images. A trial (limits on the data) and splits made by a
program are marked toy; unfinished runs are refused; the validation split is no result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ...records import Score
from ..errors import BoardError
from ..seed.fill import fill
from ..seed.numbers import board_of
from ..seed.read import RESULTS, ProtocolPlan, protocol_plans
from ..store.entries import cited
from ..store.results import Board, Entry, Protocol
from ..store.store import Store
from ..store.text import fold
from .curves import curves_of
from .files import read_rows
from .scores import START, Placing, RunEntry, how_scored, metric_name, run_entries

__all__ = ["Added", "Started", "add_results", "score_files", "start"]


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
        for one in run_entries(store, rows, placing):
            board, metric = _place(store, one, placing)
            boards[board.slug] = None
            result = replace(one.entry.results[0], metric=metric)
            entry = replace(one.entry, board_id=board.id, results=(result,))
            if placing.reproduces and one.row.score.method != START:
                entry = _reproduced(store, entry, placing.reproduces, notes)
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


def _place(store: Store, one: RunEntry, placing: Placing) -> tuple[Board, str]:
    """The board of a score and its metric as the board spells it."""
    score = one.row.score
    metric = metric_name(score.metric)
    wanted = (placing.protocols or {}).get(score.split)
    if wanted is not None:
        plan = _plan(wanted, score)
        return board_of(store, plan), plan.metric
    dataset = store.datasets.ensure(one.dataset)
    if not store.protocols.has(one.protocol):
        facts = one.row.split
        what = (
            f"{metric} of surefoot's {score.evaluator} evaluation on the split {score.split!r} of "
            f"{dataset.name}, version {score.version}"
            + (f": {facts['n']} images" if facts.get("n") else "")
            + (f", manifest {facts['manifest']}" if facts.get("manifest") else "")
            + "."
        )
        trial = f"trial on {facts.get('n', 'some')} images" if one.row.trial else ""
        title = ", ".join(w for w in (dataset.name, score.split, how_scored(score), trial) if w)
        store.protocols.declare(Protocol(one.protocol, title, what))
    task = store.tasks.ensure(placing.task)
    return store.boards.ensure(task.id, dataset.id, score.split, one.protocol), metric


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
        for e in store.entries.of(board_id=entry.board_id, kinds=["published"])
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
    return replace(entry, kind="reproduced", results=(same,), **cited(found))


# what a new board gets


@dataclass(frozen=True)
class Started:
    """What a board got.

    Attributes:
        seed: What -> how many were added of papers, methods, published numbers, ...
        results: File -> rows of boards that came from it, new ones only.
        left_out: File -> why it holds no scores.
    """

    seed: dict[str, int]
    results: dict[str, int]
    left_out: dict[str, str]


def score_files() -> list[Path]:
    """The files of scores that the package carries: copies of those of the project's results."""
    return _files(RESULTS)


def start(store: Store, folders: Sequence[str | Path] = ()) -> Started:
    """Fill a board, or bring one up to date: what is there is left alone.

    Args:
        store: The board.
        folders: Further folders with score files, packed studies, or run and study folders.

    Returns:
        What was added.
    """
    seed = fill(store)
    results, left_out = {}, {}
    places = score_files() + [one for folder in folders for one in _files(Path(folder))]
    for place in places:
        try:
            results[place.name] = add_results(store, place).entries
        except BoardError as error:
            left_out[place.name] = error.wrong
    return Started(seed, results, left_out)


def _files(folder: Path) -> list[Path]:
    """Files and run folders that may hold scores, by name."""
    return sorted(
        one
        for one in folder.iterdir()
        if one.suffix in (".json", ".jsonl")
        or (one / "run.json").is_file()
        or (one / "study.json").is_file()
    )
