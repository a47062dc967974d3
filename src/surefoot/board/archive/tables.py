"""``evaluation-tables``: a tree of tasks with data sets, each with a table of rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..store.entries import make_result
from ..store.results import Board, Entry, Result, Source, read_source
from ..store.rows import Dataset
from ..store.text import canonical
from .fields import Json, Rejected, as_flag, as_list, as_record, as_storable, as_text
from .format import ENTRY, KNOWN, LINKS, TEXTS, USED, joined, read_sidecar, row_id
from .records import Handler

__all__ = ["TableHandler"]

_DEEPEST = 40


class TableHandler(Handler):
    """Takes tasks with their tables in; rows are counted, rather than tasks.

    A provenance file beside the file that is read is read too.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.sidecar = read_sidecar(self.file)

    def take(self, item: Any, path: str) -> None:
        """One task with its data sets, rows and subtasks."""
        self.task(item, path, None)

    def task(self, record: Any, path: str, parent: int | None, depth: int = 0) -> None:
        """A task and everything below it.

        Raises:
            Rejected: The task itself cannot be read; what is wrong further down is set aside there.
        """
        record = as_record(record, "the task")
        name = as_text(record, "task", required=True)
        if depth > _DEEPEST:
            raise Rejected(f"tasks are nested deeper than {_DEEPEST}")
        datasets, subtasks = as_list(record, "datasets"), as_list(record, "subtasks")
        task = self.store.tasks.ensure(name)
        self._fill(
            "task",
            task.id,
            description=as_text(record, "description"),
            categories=canonical(as_list(record, "categories")),
            synonyms=canonical(as_list(record, "synonyms")),
            source_link=canonical(record.get("source_link")),
        )
        if parent is not None:
            self.store.tasks.link(parent, task.id)
        for i, one in enumerate(datasets):
            self._guard(self._dataset, one, f"{path}.datasets[{i}]", (task.id, name), (), depth)
        for i, one in enumerate(subtasks):
            self._guard(self.task, one, f"{path}.subtasks[{i}]", task.id, depth + 1)

    def _guard(self, read: Any, record: Any, path: str, *args: Any) -> None:
        """Read a part; one that cannot be read is set aside, and the rest is kept."""
        try:
            read(record, path, *args)
        except Rejected as why:
            self.store.imports.quarantine(self.record.id, path, str(why), record)

    def _fill(self, table: str, row_id: int, **values: Any) -> None:
        """Fill what is empty; what somebody said already stays."""
        row = self.store.db.one(f"SELECT * FROM {table} WHERE id = ?", row_id)
        assert row is not None
        empty = ("", "[]", "null", None)
        new = {k: v for k, v in values.items() if row[k] in empty and v not in empty}
        if new or row["import_id"] is not None:
            new["licence"] = joined(row["licence"], self.sidecar.texts or self.licence)
        if new:
            self.store.db.update(table, row_id, new, note=f"import {self.record.id}")

    def _dataset(
        self, record: Any, path: str, task: tuple[int, str], above: tuple[str, ...], depth: int
    ) -> None:  # fmt: skip
        record = as_record(record, "the data set")
        # Children are written "subdataset"; some dumps use one spelling throughout.
        name = as_text(record, "dataset") or as_text(record, "subdataset", required=True)
        if depth > _DEEPEST:
            raise Rejected(f"data sets are nested deeper than {_DEEPEST}")
        sota = record.get("sota")
        sota = {} if sota is None else as_record(sota, "sota")
        rows, metrics = as_list(sota, "rows"), as_list(sota, "metrics")
        if not all(isinstance(m, str) for m in metrics):
            raise Rejected("sota.metrics holds something other than names")
        parts = as_list(record, "subdatasets")
        here = (*above, name)
        board = self._board(record, task, here)
        self.store.boards.add_metrics(board.id, metrics)
        for i, row in enumerate(rows):
            at = f"{path}.sota.rows[{i}]"
            self._guard(self._row, row, at, board.id, task[1], here)
        for i, part in enumerate(parts):
            at = f"{path}.subdatasets[{i}]"
            self._guard(self._dataset, part, at, task, here, depth + 1)

    def _board(self, record: Any, task: tuple[int, str], label: tuple[str, ...]) -> Board:
        """The board of a table, with its data set and those above it."""
        place = self.sidecar.place(task[1], label)
        dataset: Dataset | None = None
        for name in place.dataset:
            dataset = self.store.datasets.ensure(name, parent_id=dataset.id if dataset else None)
        assert dataset is not None
        description = as_text(record, "description")
        self._fill("dataset", dataset.id, description=description)
        board = self.store.boards.ensure(task[0], dataset.id, place.split, place.protocol)
        self._fill(
            "board",
            board.id,
            description=description,
            dataset_links=canonical(as_list(record, "dataset_links")),
            dataset_citations=canonical(as_list(record, "dataset_citations")),
        )
        return board

    def _row(self, row: Any, path: str, board_id: int, task: str, label: tuple[str, ...]) -> None:
        row = as_storable(as_record(row, "the row"))
        name = as_text(row, "model_name")
        metrics = row.get("metrics")
        metrics = as_record({} if metrics is None else metrics, "metrics")
        for metric, value in metrics.items():
            if isinstance(value, (list, dict)):
                raise Rejected(f"the value of {metric!r} is no single value")
        key = row_id(task, label, {**row, "model_name": name, "metrics": metrics})
        said = self.sidecar.next(key)
        used = as_flag(row, "uses_additional_data")
        known: dict[str, Any] = {f: said[f] for f in ENTRY if f in said}
        entry = Entry(
            board_id,
            model_name=name,
            source=self._source(said, path, (task, *label)),
            method_id=self._method(said.get("method", "")),
            extra_data=next(k for k, v in USED.items() if v is used),
            results=tuple(self._result(m, v, said) for m, v in metrics.items()),
            **{f: _or_null(as_text, row, f) for f in TEXTS},
            **{f: _or_null(as_list, row, f) for f in LINKS},
            **{"kind": "published", "row_key": key, "licence": self.licence, **known},
        )
        self._keep(entry)

    def _keep(self, entry: Entry) -> None:
        if self.store.entries.has(entry.row_key):
            self.counts["unchanged"] += 1
            return
        found = self.store.papers.match(
            arxiv=entry.paper_url, archive_url=entry.paper_url, title=entry.paper_title
        )
        self.store.entries.add(replace(entry, paper_id=found.id if found else None))
        self.counts["added"] += 1

    def _source(self, said: Mapping[str, Any], path: str, names: tuple[str, ...]) -> Source:
        if said:
            return read_source(dict(said["source"]))
        return Source(
            "archive",
            file=self.record.file,
            sha256=self.record.sha256,
            json_path=path,
            row=" > ".join(names),
        )

    def _method(self, name: str) -> int | None:
        return self.store.methods.ensure(name).id if name else None

    def _result(self, metric: str, raw: Any, said: Mapping[str, Any]) -> Result:
        if not said:
            # A row of the archive is what its paper's page showed: it belongs in the short table.
            return make_result(metric, raw, headline=True)
        result = said["results"].get(metric, {})
        known = {k: v for k, v in result.items() if k in KNOWN}
        if "reproduces" in result:
            known["reproduces_id"] = self.store.results.of_row(*result["reproduces"])
        return make_result(metric, raw, **known)


def _or_null(read: Callable[[Json, str], Any], row: Json, name: str) -> Any:
    return None if row.get(name) is None else read(row, name)
