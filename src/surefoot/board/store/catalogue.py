"""Tasks, data sets, methods, protocols: what results hang on."""

from __future__ import annotations

from dataclasses import replace

from .rows import Dataset, Method, Protocol, Task
from .tables import Table
from .text import fold

__all__ = ["Datasets", "Methods", "Protocols", "Tasks"]


class Tasks(Table[Task]):
    """Tasks and how they hang together."""

    name = "task"
    row = Task

    def named(self, name: str) -> Task | None:
        """The task of this name, in whatever case."""
        return self.find("fold", fold(name))

    def ensure(self, name: str) -> Task:
        """As :meth:`named`, added where it is missing."""
        found = self.named(name)
        if found is None:
            return self.add(Task(name))
        if found.name != name:
            self.add_alias(found.id, name)
        return found

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
        return self.select(
            "WHERE deleted IS NULL AND id NOT IN (SELECT child_id FROM task_parent) "
            "ORDER BY name COLLATE NOCASE"
        )

    def children(self, task_id: int) -> list[Task]:
        """Tasks right under one, by name."""
        return self._linked("task.id = child_id WHERE parent_id = ?", task_id)

    def parents(self, task_id: int) -> list[Task]:
        """Tasks right above one."""
        return self._linked("task.id = parent_id WHERE child_id = ?", task_id)

    def _linked(self, on: str, task_id: int) -> list[Task]:
        return self.select(
            f"JOIN task_parent ON {on} AND deleted IS NULL ORDER BY name COLLATE NOCASE", task_id
        )

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
        boards = self.db.all(
            "SELECT task_id, count(*) AS n FROM board WHERE deleted IS NULL GROUP BY task_id"
        )
        papers = self.db.all("SELECT task_id, count(*) AS n FROM paper_task GROUP BY task_id")
        found = {r["task_id"]: (int(r["n"]), 0) for r in boards}
        for r in papers:
            found[r["task_id"]] = (found.get(r["task_id"], (0, 0))[0], int(r["n"]))
        return found


class Datasets(Table[Dataset]):
    """Data sets and their parts."""

    name = "dataset"
    row = Dataset

    def named(self, name: str, parent_id: int | None = None) -> Dataset | None:
        """The data set of this name, in whatever case, under this parent (None: of its own)."""
        found = self.select("WHERE fold = ? AND parent_id IS ?", fold(name), parent_id)
        return found[0] if found else None

    def ensure(self, name: str, parent_id: int | None = None) -> Dataset:
        """As :meth:`named`, added where it is missing."""
        found = self.named(name, parent_id)
        if found is None:
            return self.add(Dataset(name, parent_id=parent_id))
        if found.name != name:
            self.add_alias(found.id, name)
        return found

    def parts(self, dataset_id: int) -> list[Dataset]:
        """Parts of a data set."""
        return self.select("WHERE parent_id = ? AND deleted IS NULL ORDER BY id", dataset_id)

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

    def of_paper(self, paper_id: int) -> list[Dataset]:
        """Data sets that a paper introduced."""
        return self.select("WHERE paper_id = ? AND deleted IS NULL ORDER BY id", paper_id)

    def _distinct(self, row: Dataset) -> str:
        return "" if row.parent_id is None else self.by_id(row.parent_id).name


class Methods(Table[Method]):
    """Methods."""

    name = "method"
    row = Method

    def named(self, name: str) -> Method | None:
        """The first method of this name, in whatever case."""
        return self.find("fold", fold(name))

    def ensure(self, name: str, full_name: str = "") -> Method:
        """As :meth:`named`, added where it is missing."""
        return self.named(name) or self.add(Method(name, full_name=full_name))

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

    def describe(self, name: str) -> Protocol:
        """The protocol of this name, or an empty one that says so."""
        found = self.find("name", name)
        if found is not None:
            return found
        missing = "how these numbers were measured is not known" if name == "unspecified" else ""
        return Protocol(name, name, missing or "no description was given")

    def declare(self, protocol: Protocol) -> Protocol:
        """Add a protocol, or bring its description up to date."""
        found = self.find("name", protocol.name)
        if found is None:
            return self.add(protocol)
        self.update(found.id, title=protocol.title, description=protocol.description)
        return replace(protocol, id=found.id)
