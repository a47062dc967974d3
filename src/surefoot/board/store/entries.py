"""Entries of boards, their results, and curves."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..errors import BoardError
from .catalogue import Boards
from .results import KINDS, Board, Brief, Curve, Entry, Kind, Result
from .rows import Paper
from .tables import Table
from .text import digest, fold, now
from .values import parse_value

__all__ = ["Curves", "Entries", "PaperResult", "Results", "cited", "make_result"]


class Results(Table[Result]):
    """Single numbers; :class:`Entries` adds them."""

    name = "result"
    row = Result
    label = "metric"

    def of_row(self, row_key: str, metric: str) -> int | None:
        """The id of the result in this metric of the row with this key."""
        row = self.db.one(
            "SELECT result.id FROM result JOIN entry ON entry.id = entry_id "
            "WHERE row_key = ? AND metric = ?",
            row_key,
            metric,
        )
        return None if row is None else int(row["id"])

    def in_archive_order(self, board_id: int, metric: str) -> list[float]:
        """Values of a board's rows that came from the archive, in the archive's order."""
        rows = self.db.all(
            "SELECT value FROM result JOIN entry ON entry.id = entry_id WHERE board_id = ? "
            "AND metric = ? AND value IS NOT NULL AND json_extract(source, '$.kind') = 'archive' "
            "ORDER BY entry.id",
            board_id,
            metric,
        )
        return [float(r["value"]) for r in rows]

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
        known: Further fields of :class:`~.results.Result`; they win over what was parsed.
    """
    text = raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False)
    numeric = isinstance(raw, str) or (isinstance(raw, (int, float)) and not isinstance(raw, bool))
    parsed = parse_value(text) if numeric else parse_value("")
    values = {name: getattr(parsed, name) for name in _PARSED} | known
    return Result(metric, text, "string" if isinstance(raw, str) else "json", **values)


_PARSED = ("value", "decimals", "percent", "bound", "plus_minus")


def cited(paper: Paper | None) -> dict[str, Any]:
    """Columns of a row that cites a paper; {} without one."""
    if paper is None:
        return {}
    told = {"paper_url": paper.url_abs or None, "paper_date": paper.date or None}
    return {"paper_id": paper.id, "paper_title": paper.title, **told}


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
  raw, value, bound, selection, alpha, stderr, low, high,
  CASE WHEN instr(source, '"printed_by"') THEN json_extract(source, '$.printed_by') ELSE '' END
FROM entry AS e JOIN result AS r ON r.entry_id = e.id AND r.metric IN ({names})
WHERE board_id = ? AND e.deleted IS NULL AND r.deleted IS NULL ORDER BY e.id, r.id
"""
"""Columns in the order of :class:`~.results.Brief`; JSON is read only where there is something."""


class Entries(Table[Entry]):
    """Rows of boards, each with its results."""

    name = "entry"
    row = Entry
    label = "model_name"
    key = "row_key"

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

    def of(self, *, kinds: Sequence[Kind] = KINDS, **columns: Any) -> list[Entry]:
        """Living entries with these values in their columns, with their results."""
        found = self._whole(super().of(**columns))
        return [e for e in found if e.kind in kinds]

    def full(self, entry_id: int) -> Entry:
        """One entry with its results, deleted or not."""
        results = Results(self.db).of(entry_id=entry_id)
        return replace(self.by_id(entry_id), results=tuple(results))

    def several(self, entry_ids: Sequence[int]) -> dict[int, Entry]:
        """Entries with their results by id, deleted or not."""
        rest = "WHERE id IN (SELECT value FROM json_each(?))"
        return {e.id: e for e in self._whole(self.select(rest, json.dumps(list(entry_ids))))}

    def _whole(self, entries: Sequence[Entry]) -> list[Entry]:
        """Entries with their living results, in the order in which these were given."""
        found: dict[int, list[Result]] = {e.id: [] for e in entries}
        for one in Results(self.db).select(
            "WHERE entry_id IN (SELECT value FROM json_each(?)) AND deleted IS NULL ORDER BY id",
            json.dumps(list(found)),
        ):
            found[one.entry_id].append(one)
        return [replace(e, results=tuple(found[e.id])) for e in entries]

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
        table = Boards(self.db)
        entries = self.of(paper_id=paper_id)
        boards = {i: table.by_id(i) for i in {e.board_id for e in entries}}
        names = {i: table.names(board) for i, board in boards.items()}
        return [
            PaperResult(*names[e.board_id], r.metric, r.raw, e.shown, boards[e.board_id], e, r)
            for e in entries
            for r in e.results
            if r.headline or not headline
        ]


class Curves(Table[Curve]):
    """Sweeps over alpha."""

    name = "curve"
    row = Curve
    label = "title"
    key = "curve_key"

    def add(self, row: Curve, *, why: str = "") -> Curve:
        """Add a curve."""
        return super().add(replace(row, created=row.created or now()), why=why)
