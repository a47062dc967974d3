"""Entries of boards, their results, and curves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..errors import BoardError
from .boards import Boards
from .rows import Board, Brief, Curve, Entry, Kind, Result, write_source
from .tables import Table
from .text import digest, fold, now
from .values import parse_value

__all__ = ["Curves", "Entries", "PaperResult", "Results", "make_result", "write_source"]


class Results(Table[Result]):
    """Single numbers; :class:`Entries` adds them."""

    name = "result"
    row = Result
    label = "metric"

    def of_entries(self, entry_ids: Sequence[int]) -> dict[int, tuple[Result, ...]]:
        """Entry id -> its living results, in the order in which they were given."""
        found: dict[int, list[Result]] = {i: [] for i in entry_ids}
        for one in self.select(
            "WHERE entry_id IN (SELECT value FROM json_each(?)) AND deleted IS NULL ORDER BY id",
            json.dumps(list(entry_ids)),
        ):
            found[one.entry_id].append(one)
        return {i: tuple(v) for i, v in found.items()}

    def of_row(self, row_key: str, metric: str) -> int | None:
        """The id of the result in this metric of the row with this key."""
        row = self.db.one(
            "SELECT result.id FROM result JOIN entry ON entry.id = entry_id "
            "WHERE row_key = ? AND metric = ?",
            row_key,
            metric,
        )
        return None if row is None else int(row["id"])

    def reproductions(self, result_id: int) -> list[Result]:
        """Results that repeat a published one."""
        return self.select(
            "JOIN entry ON entry.id = entry_id WHERE reproduces_id = ? AND result.deleted IS NULL "
            "AND entry.deleted IS NULL ORDER BY result.id",
            result_id,
        )


def make_result(metric: str, raw: Any, **known: Any) -> Result:
    """A result from a raw value as a source gives it: a string, or other JSON.

    Args:
        metric: As the source spells it.
        raw: Kept as it is.
        known: Further fields of :class:`~.rows.Result`; they win over what was parsed.
    """
    text = raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False)
    numeric = isinstance(raw, str) or (isinstance(raw, (int, float)) and not isinstance(raw, bool))
    parsed = parse_value(text) if numeric else parse_value("")
    values = {
        "value": parsed.value,
        "decimals": parsed.decimals,
        "percent": parsed.percent,
        "bound": parsed.bound,
        "plus_minus": parsed.plus_minus,
        **known,
    }
    return Result(metric, text, "string" if isinstance(raw, str) else "json", **values)


@dataclass(frozen=True)
class PaperResult:
    """One line of the table on a paper's page: Task | Dataset | Metric | Value | Model."""

    task: str
    dataset: str
    metric: str
    value: str
    model: str
    board: Board
    entry: Entry
    result: Result


_BRIEF = """
SELECT e.id, r.id, kind, model_name, backbone, setting, method_id, paper_id, paper_title,
  extra_data, toy,
  CASE WHEN kind IN ('published', 'submitted') THEN coalesce(paper_date, '')
    ELSE coalesce(nullif(json_extract(source, '$.date'), ''), substr(created, 1, 10)) END,
  code_links,
  CASE WHEN instr(source, '"run"') THEN coalesce(json_extract(source, '$.run'), '') ELSE '' END,
  CASE WHEN instr(source, '"recipe"') THEN coalesce(json_extract(source, '$.recipe'), '')
    ELSE '' END,
  raw, value, bound, selection, alpha, stderr, low, high
FROM entry AS e JOIN result AS r ON r.entry_id = e.id AND r.metric IN ({names})
WHERE board_id = ? AND e.deleted IS NULL AND r.deleted IS NULL ORDER BY e.id, r.id
"""
"""Columns in the order of :class:`~.rows.Brief`; JSON is read only where there is something."""


class Entries(Table[Entry]):
    """Rows of boards, each with its results."""

    name = "entry"
    row = Entry
    label = "model_name"

    def add(self, row: Entry, *, why: str = "") -> Entry:
        """Add an entry with its results, and their metrics to the board's columns.

        Raises:
            BoardError: A row with this key is there already (:meth:`has` tells).
        """
        key = row.row_key or digest(row.board_id, row.kind, row.model_name, asdict(row.source),
                                    row.backbone, row.setting)  # fmt: skip
        if self.has(key):
            raise BoardError(f"the row of {row.model_name!r} with key {key[:12]} is there already")
        results = Results(self.db)
        with self.db.transaction():
            stored = super().add(replace(row, row_key=key, created=row.created or now()), why=why)
            kept = tuple(self._add_result(results, stored.id, r) for r in row.results)
            Boards(self.db).add_metrics(row.board_id, [r.metric for r in row.results])
        return replace(stored, results=kept)

    def _add_result(self, results: Results, entry_id: int, one: Result) -> Result:
        # An entry's own line of history stands for the results that it came with.
        values = results.write(results.values(replace(one, entry_id=entry_id)))
        number = self.db.put("result", values)
        return replace(one, entry_id=entry_id, id=number)

    def has(self, row_key: str) -> bool:
        """Whether a row with this key is there, deleted or not: a tombstone is not overrun."""
        return self.db.one("SELECT 1 FROM entry WHERE row_key = ?", row_key) is not None

    def of_board(self, board_id: int, kinds: Sequence[Kind] | None = None) -> list[Entry]:
        """Living entries of a board with their results, in the order in which they came."""
        return self._full("board_id = ?", board_id, kinds)

    def of_paper(self, paper_id: int, kinds: Sequence[Kind] | None = None) -> list[Entry]:
        """Living entries that cite a paper, with their results."""
        return self._full("paper_id = ?", paper_id, kinds)

    def of_method(self, method_id: int, kinds: Sequence[Kind] | None = None) -> list[Entry]:
        """Living entries of a method, with their results."""
        return self._full("method_id = ?", method_id, kinds)

    def full(self, entry_id: int) -> Entry:
        """One entry with its results, deleted or not."""
        rest = "WHERE entry_id = ? AND deleted IS NULL ORDER BY id"
        results = Results(self.db).select(rest, entry_id)
        return replace(self.by_id(entry_id), results=tuple(results))

    def _full(self, condition: str, value: int, kinds: Sequence[Kind] | None) -> list[Entry]:
        table = Results(self.db)
        results: dict[int, list[Result]] = {}
        for r in self.db.all(
            "SELECT result.* FROM result JOIN entry ON entry.id = entry_id "
            f"WHERE {condition} AND entry.deleted IS NULL AND result.deleted IS NULL "
            "ORDER BY result.id",
            value,
        ):
            results.setdefault(r["entry_id"], []).append(table.read(r))
        rows = self.db.all(
            f"SELECT * FROM entry WHERE {condition} AND deleted IS NULL ORDER BY id", value
        )
        return [
            self.read(r, results=tuple(results.get(r["id"], ())))
            for r in rows
            if kinds is None or r["kind"] in kinds
        ]

    def several(self, entry_ids: Sequence[int]) -> dict[int, Entry]:
        """Entries with their results by id, deleted or not."""
        results = Results(self.db).of_entries(entry_ids)
        rows = self.db.all(
            "SELECT * FROM entry WHERE id IN (SELECT value FROM json_each(?))",
            json.dumps(list(entry_ids)),
        )
        return {r["id"]: self.read(r, results=results[r["id"]]) for r in rows}

    def briefs(self, board: Board, metric: str) -> list[Brief]:
        """The short form of a board's living entries that have a value of this metric."""
        names = [m for m in board.metrics if fold(m) == fold(metric)]
        cursor = self.db.connection.cursor()
        cursor.row_factory = lambda _, values: Brief._make(values)
        found: list[Brief] = cursor.execute(
            _BRIEF.format(names=", ".join("?" * len(names))), (*names, board.id)
        ).fetchall()
        return found

    def paper_table(self, paper_id: int, *, headline: bool = False) -> list[PaperResult]:
        """A paper's results table; with ``headline`` only the lines of its short form."""
        found = []
        boards: dict[int, tuple[Board, str, str]] = {}
        for entry in self.of_paper(paper_id):
            if entry.board_id not in boards:
                boards[entry.board_id] = self._names(entry.board_id)
            board, task, dataset = boards[entry.board_id]
            found += [
                PaperResult(task, dataset, r.metric, r.raw, entry.model_name, board, entry, r)
                for r in entry.results
                if r.headline or not headline
            ]
        return found

    def _names(self, board_id: int) -> tuple[Board, str, str]:
        board = Boards(self.db).by_id(board_id)
        named = self.db.one(
            "SELECT task.name AS task, dataset.name AS dataset FROM task, dataset "
            "WHERE task.id = ? AND dataset.id = ?",
            board.task_id,
            board.dataset_id,
        )
        assert named is not None
        return board, named["task"], named["dataset"]


class Curves(Table[Curve]):
    """Sweeps over alpha."""

    name = "curve"
    row = Curve
    label = "title"

    def add(self, row: Curve, *, why: str = "") -> Curve:
        """Add a curve."""
        return super().add(replace(row, created=row.created or now()), why=why)

    def has(self, curve_key: str) -> bool:
        """Whether a curve with this key is there, deleted or not."""
        return self.db.one("SELECT 1 FROM curve WHERE curve_key = ?", curve_key) is not None

    def of_method(self, method_id: int) -> list[Curve]:
        """Curves of a method."""
        return self.select("WHERE method_id = ? AND deleted IS NULL ORDER BY id", method_id)

    def of_paper(self, paper_id: int) -> list[Curve]:
        """Curves that a paper publishes."""
        return self.select("WHERE paper_id = ? AND deleted IS NULL ORDER BY id", paper_id)
