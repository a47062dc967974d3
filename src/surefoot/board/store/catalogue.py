"""Tasks, data sets, methods, protocols, boards: what results hang on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..errors import BoardError
from .results import Board, Protocol
from .rows import Dataset, Method, Task
from .tables import NamedTable, Table
from .text import slugify

__all__ = ["Boards", "Datasets", "Methods", "Protocols", "Tasks"]


class Tasks(NamedTable[Task]):
    """Tasks and how they hang together."""

    name = "task"
    row = Task

    def link(self, parent_id: int, child_id: int) -> bool:
        """Hang a task under another; False where that would close a circle."""
        if parent_id == child_id or parent_id in self._below(child_id):
            return False
        self.db.link("task_parent", parent_id=parent_id, child_id=child_id)
        return True

    def _below(self, task_id: int) -> set[int]:
        rows = self.db.all(
            "WITH RECURSIVE below (id) AS (SELECT child_id FROM task_parent WHERE parent_id = ? "
            "UNION SELECT child_id FROM task_parent JOIN below ON parent_id = below.id) "
            "SELECT id FROM below",
            task_id,
        )
        return {r["id"] for r in rows}

    def roots(self) -> list[Task]:
        """Tasks that hang under none, by name."""
        return self._ordered("WHERE id NOT IN (SELECT child_id FROM task_parent)")

    def children(self, task_id: int) -> list[Task]:
        """Tasks right under one, by name."""
        return self._ordered("JOIN task_parent ON id = child_id WHERE parent_id = ?", task_id)

    def parents(self, task_id: int) -> list[Task]:
        """Tasks right above one."""
        return self._ordered("JOIN task_parent ON id = parent_id WHERE child_id = ?", task_id)

    def _ordered(self, which: str, *values: int) -> list[Task]:
        return self.select(f"{which} AND deleted IS NULL ORDER BY name COLLATE NOCASE", *values)

    def of_paper(self, paper_id: int) -> list[Task]:
        """Task tags of a paper, in the order in which they were added."""
        return self._tagging("paper", paper_id)

    def of_dataset(self, dataset_id: int) -> list[Task]:
        """Tasks that a data set is tagged with."""
        return self._tagging("dataset", dataset_id)

    def _tagging(self, kind: str, row_id: int) -> list[Task]:
        return self.select(
            f"JOIN {kind}_task ON task.id = task_id WHERE {kind}_id = ? AND deleted IS NULL "
            "ORDER BY task.id",
            row_id,
        )

    def counts(self) -> dict[int, tuple[int, int]]:
        """Task id -> (boards, papers), of its own and not of what hangs under it."""
        return self.db.counts("task_id", "board WHERE deleted IS NULL", "paper_task")


class Datasets(NamedTable[Dataset]):
    """Data sets and their parts."""

    name = "dataset"
    row = Dataset

    def named(self, name: str, **apart: Any) -> Dataset | None:
        """The data set of this name, in whatever case, under a ``parent_id`` (None: of its own)."""
        return super().named(name, **{"parent_id": None, **apart})

    def path(self, dataset_id: int) -> tuple[str, ...]:
        """Names from the outermost data set down to this one."""
        names: list[str] = []
        at: int | None = dataset_id
        while at is not None:
            one = self.by_id(at)
            names.append(one.name)
            at = one.parent_id
        return tuple(reversed(names))

    def tag(self, dataset_id: int, task_id: int) -> None:
        """Say that a data set serves a task."""
        self.db.link("dataset_task", dataset_id=dataset_id, task_id=task_id)

    def of_task(self, task_id: int, *, limit: int = 100) -> list[Dataset]:
        """Data sets that serve a task, those with most boards first."""
        return self.select(
            "JOIN dataset_task ON dataset.id = dataset_id WHERE task_id = ? AND deleted IS NULL "
            "ORDER BY (SELECT count(*) FROM board WHERE board.dataset_id = dataset.id) DESC, "
            "dataset.id LIMIT ?",
            task_id,
            limit,
        )

    def _distinct(self, row: Dataset) -> str:
        return "" if row.parent_id is None else self.by_id(row.parent_id).name


class Methods(NamedTable[Method]):
    """Methods."""

    name = "method"
    row = Method

    def of_paper(self, paper_id: int) -> list[Method]:
        """Methods that a paper introduces or uses."""
        return self.select(
            "WHERE deleted IS NULL AND (paper_id = ?1 OR id IN "
            "(SELECT method_id FROM paper_method WHERE paper_id = ?1)) ORDER BY id",
            paper_id,
        )


class Protocols(Table[Protocol]):
    """Protocols by name. A name that was never described is still a name."""

    name = "protocol"
    row = Protocol
    key = "name"

    def describe(self, name: str) -> Protocol:
        """The protocol of this name, or an empty one that says so."""
        found = self.find(name=name)
        if found is not None:
            return found
        missing = "how these numbers were measured is not known" if name == "unspecified" else ""
        return Protocol(name, name, missing or "no description was given")

    def declare(self, protocol: Protocol) -> Protocol:
        """Add a protocol, or bring its description up to date."""
        found = self.find(name=protocol.name)
        if found is None:
            return self.add(protocol)
        self.update(found.id, title=protocol.title, description=protocol.description)
        return replace(protocol, id=found.id)


class Boards(Table[Board]):
    """Boards: task x data set x split x protocol; the fullest first."""

    name = "board"
    row = Board
    label = "split"
    order = (
        "(SELECT count(*) FROM entry WHERE board_id = board.id AND entry.deleted IS NULL) DESC, id"
    )

    def ensure(
        self, task_id: int, dataset_id: int, split: str = "unspecified",
        protocol: str = "unspecified",
    ) -> Board:  # fmt: skip
        """The board of these four, added where it is missing."""
        one = Board(task_id, dataset_id, split, protocol)
        found = self.find(task_id=task_id, dataset_id=dataset_id, split=split, protocol=protocol)
        return found or self.add(one)

    def add(self, row: Board, *, why: str = "") -> Board:
        """Add a board; its address is made of the names of its task and its data set."""
        if not row.slug:
            task, dataset = self.names(row)
            row = replace(row, slug=self._free(f"{task} on {dataset}", row.split, row.protocol))
        return super().add(row, why=why)

    def names(self, board: Board) -> tuple[str, str]:
        """Names of a board's task and data set.

        Raises:
            BoardError: There are no such.
        """
        named = self.db.one(
            "SELECT task.name, dataset.name FROM task, dataset WHERE task.id = ? "
            "AND dataset.id = ?",
            board.task_id,
            board.dataset_id,
        )
        if named is None:
            raise BoardError("a board needs a task and a data set that exist")
        return named[0], named[1]

    def _free(self, name: str, split: str, protocol: str) -> str:
        """The shortest address that is free: the name, with the split, with the protocol too."""
        told = [w for w in (split, protocol) if w != "unspecified"]
        longer = [" ".join([name, *told[:i]]) for i in range(len(told) + 1)]
        free = (slugify(one) for one in longer if not self.has(slugify(one)))
        return next(free, "") or self.db.free_slug("board", longer[-1])

    def add_metrics(self, board_id: int, metrics: Iterable[str]) -> None:
        """Put metrics behind those that a board has."""
        have = self.by_id(board_id).metrics
        new = [m for m in dict.fromkeys(metrics) if m not in have]
        if new:
            self.update(board_id, metrics=[*have, *new])

    def sizes(self) -> dict[int, int]:
        """Board id -> number of living entries."""
        rows = self.db.all(
            "SELECT board_id, count(*) AS n FROM entry WHERE deleted IS NULL GROUP BY board_id"
        )
        return {r["board_id"]: int(r["n"]) for r in rows}
