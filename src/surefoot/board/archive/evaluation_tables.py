"""Export: ``evaluation-tables.json`` as the archive had it, with its provenance beside it.

``evaluation-tables.json`` has exactly the eight row fields of the archive, so that tools made for
it go on working. Everything else that the board knows of a row stands in
``evaluation-tables.provenance.json`` under the row's id (:func:`~.format.row_id`, made of
the row's content): kind, source, licence, protocol, intervals. Importing the pair gives the same
rows again.

Toy data stay out unless asked for.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from operator import itemgetter
from typing import Any

from ..store.results import Board, Entry, Kind, Result, write_source
from ..store.rows import Task
from ..store.store import Store
from .format import (
    ENTRY,
    KNOWN,
    LICENCE,
    LINKS,
    NOTICE,
    OWN_LICENCE,
    TEXTS,
    USED,
    from_archive,
    row_id,
)

__all__ = ["DiskMap", "EvaluationTables", "json_items", "provenance", "raw_value"]

_PLAIN = asdict(Result("", ""))


# evaluation-tables.json


class EvaluationTables:
    """Builds the tree of tasks.

    A board other than the archive's own (split and protocol unspecified) gets its split and
    protocol behind its data set's name where a plainer name is taken: tables of different protocols
    are never put together.

    Args:
        store: What is exported.
        rows: Gets what else is known of each row, by the row's id.
        kinds: Kinds of result.
        toy: Whether toy data go along.
        archive: Whether what an archive import brought goes along (rows and words under its
            licence).

    Attributes:
        boards: Which board each table is.
        count: Rows.
        licences: Of anything in it: rows, descriptions, links.
    """

    def __init__(
        self, store: Store, rows: DiskMap, kinds: Sequence[Kind], toy: bool, archive: bool
    ) -> None:
        self.store, self.kinds, self.toy, self.archive = store, kinds, toy, archive
        self.rows, self.count = rows, 0
        self.boards: list[dict[str, Any]] = []
        self._methods = {m.id: m.name for m in store.methods.all()}
        self.datasets = {d.id: d for d in store.datasets.all()}
        self._seen: set[int] = set()
        self.licences: set[str] = set()

    def tasks(self) -> Iterator[dict[str, Any]]:
        """Every task that hangs under no other, with what is under it, one at a time."""
        for task in self.store.tasks.roots():
            yield self.task(task.id)

    def task(self, task_id: int, above: tuple[int, ...] = ()) -> dict[str, Any]:
        """One task with what is under it; its tables stand where it is met first."""
        task = self.store.tasks.by_id(task_id)
        first = task_id not in self._seen
        self._seen.add(task_id)
        children = self.store.tasks.children(task_id) if task_id not in above else []
        return {
            "task": task.name,
            **self._about(task),
            "subtasks": [self.task(c.id, (*above, task_id)) for c in children],
            "datasets": self._datasets(task_id, task.name) if first else [],
        }

    def _about(self, task: Task) -> dict[str, Any]:
        """What is said of a task; of the archive's own words nothing where it stays out."""
        said = task if self._kept(task.licence) else Task(task.name)
        return {
            "description": said.description,
            "categories": list(said.categories),
            "synonyms": list(said.synonyms),
            "source_link": said.source_link,
        }

    def _kept(self, licence: str) -> bool:
        """Whether something under this licence goes along; those that do are remembered."""
        theirs = from_archive(licence)
        if theirs and self.archive:
            self.licences.add(LICENCE)
        return self.archive or not theirs

    def _datasets(self, task_id: int, task: str) -> list[dict[str, Any]]:
        boards = [b for b in self.store.boards.of(task_id=task_id) if self._shown(b)]
        boards.sort(key=lambda b: (b.split != "unspecified" or b.protocol != "unspecified", b.id))
        nodes: dict[tuple[str, ...], dict[str, Any]] = {}
        roots: list[dict[str, Any]] = []
        for board in boards:
            path = self._free(self.store.datasets.path(board.dataset_id), board, nodes)
            node = self._node(path, nodes, roots)
            self._fill(node, path, board, task)
        return roots

    def _shown(self, board: Board) -> bool:
        dataset = self.datasets.get(board.dataset_id)
        return dataset is not None and (self.toy or not dataset.toy)

    def _free(
        self, path: tuple[str, ...], board: Board, nodes: Mapping[tuple[str, ...], Any]
    ) -> tuple[str, ...]:
        if path in nodes and "sota" in nodes[path]:
            return (*path[:-1], f"{path[-1]} ({board.split}; {board.protocol})")
        return path

    def _node(
        self, path: tuple[str, ...], nodes: dict[tuple[str, ...], dict[str, Any]],
        roots: list[dict[str, Any]],
    ) -> dict[str, Any]:  # fmt: skip
        """The node of a path, with the nodes above it."""
        if path not in nodes:
            key = "dataset" if len(path) == 1 else "subdataset"
            nodes[path] = {key: path[-1], "subdatasets": []}
            siblings = roots
            if len(path) > 1:
                siblings = self._node(path[:-1], nodes, roots)["subdatasets"]
            siblings.append(nodes[path])
        return nodes[path]

    def _fill(self, node: dict[str, Any], path: tuple[str, ...], board: Board, task: str) -> None:
        entries = [
            e
            for e in self.store.entries.of(board_id=board.id, kinds=self.kinds)
            if (self.toy or not e.toy) and self._kept(e.licence)
        ]
        rows = [_row(e) for e in entries]
        data = self.datasets[board.dataset_id]
        known = data.description if self._kept(data.licence) else ""
        said = board if self._kept(board.licence) else Board(board.task_id, board.dataset_id)
        node["description"] = said.description or known
        node["dataset_links"] = list(said.dataset_links)
        node["dataset_citations"] = list(said.dataset_citations)
        node["sota"] = {"metrics": list(board.metrics), "rows": rows}
        dataset = list(self.store.datasets.path(board.dataset_id))
        self.boards.append({"task": task, "label": list(path), "dataset": dataset,
                            "split": board.split, "protocol": board.protocol})  # fmt: skip
        for entry, row in zip(entries, rows, strict=True):
            self.rows.add(row_id(task, path, row), self._provenance(entry))
            self.count += 1

    def _provenance(self, entry: Entry) -> dict[str, Any]:
        results = {r.metric: self._known(r) for r in entry.results}
        return {
            **{f: getattr(entry, f) for f in ENTRY},
            "method": self._methods.get(entry.method_id or 0, ""),
            "source": write_source(entry.source),
            "results": {metric: known for metric, known in results.items() if known},
        }

    def _known(self, result: Result) -> dict[str, Any]:
        known = {f: getattr(result, f) for f in KNOWN if getattr(result, f) != _PLAIN[f]}
        if result.reproduces_id is not None:
            theirs = self.store.results.by_id(result.reproduces_id)
            key = self.store.entries.by_id(theirs.entry_id).row_key
            known["reproduces"] = [key, theirs.metric]
        return known


def provenance(tables: EvaluationTables, rows: DiskMap) -> Iterator[str]:
    """The provenance file in pieces, after every task was built.

    Args:
        tables: What was built.
        rows: Row id -> what else is known of each row with that content.
    """
    notices = {LICENCE: NOTICE} if LICENCE in tables.licences else {}
    texts = LICENCE if notices else OWN_LICENCE
    head = {"schema": 1, "notices": notices, "licence_of_texts": texts, "boards": tables.boards}
    yield json.dumps(head, ensure_ascii=False, indent=1).removesuffix("\n}") + ',\n "rows": '
    yield from json_items(rows.groups(), "{}", 1)
    yield "\n}\n"


def _row(entry: Entry) -> dict[str, Any]:
    """Exactly the eight fields."""
    links = {f: getattr(entry, f) for f in LINKS}
    return {
        "model_name": entry.model_name,
        **{f: getattr(entry, f) for f in TEXTS},
        **{f: None if some is None else list(some) for f, some in links.items()},
        "metrics": {r.metric: raw_value(r) for r in entry.results},
        "uses_additional_data": USED[entry.extra_data],
    }


def raw_value(result: Result) -> Any:
    """The value as its source gave it."""
    return result.raw if result.raw_type == "string" else json.loads(result.raw)


class DiskMap:
    """JSON values in groups, in the order in which keys and values came."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("")  # a file of its own that nobody sees and that goes with it
        self._db.execute("CREATE TABLE name (place INTEGER PRIMARY KEY, key TEXT UNIQUE)")
        self._db.execute("CREATE TABLE value (place INTEGER, json TEXT)")

    def add(self, key: str, value: Any) -> None:
        """Put a value into its group."""
        self._db.execute("INSERT OR IGNORE INTO name (key) VALUES (?)", (key,))
        self._db.execute(
            "INSERT INTO value SELECT place, ? FROM name WHERE key = ?",
            (json.dumps(value, ensure_ascii=False), key),
        )

    def groups(self) -> Iterator[tuple[str, list[Any]]]:
        """Each key with its values."""
        rows = self._db.execute(
            "SELECT key, json FROM value JOIN name USING (place) ORDER BY place, value.rowid"
        )
        for key, some in groupby(rows, itemgetter(0)):
            yield key, [json.loads(r[1]) for r in some]

    def close(self) -> None:
        """Take it off the disk."""
        self._db.close()


def json_items(items: Iterable[tuple[str | None, Any]], ends: str, depth: int = 0) -> Iterator[str]:
    """A list or an object in pieces, as ``json.dumps(..., indent=1)`` writes it.

    Args:
        items: (key, value); keys are None in a list.
        ends: "[]" or "{}".
        depth: At which the list or object stands.
    """
    line, first = "\n" + " " * (depth + 1), True
    for key, value in items:
        text = json.dumps(value, ensure_ascii=False, indent=1).replace("\n", line)
        named = "" if key is None else f"{json.dumps(key, ensure_ascii=False)}: "
        yield f"{ends[0] if first else ','}{line}{named}{text}"
        first = False
    yield ends if first else f"\n{' ' * depth}{ends[1]}"
