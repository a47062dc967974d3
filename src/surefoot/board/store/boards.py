"""Boards: task x data set x split x protocol."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..errors import BoardError
from .rows import Board
from .tables import Table
from .text import slugify

__all__ = ["Boards"]


class Boards(Table[Board]):
    """Boards: task x data set x split x protocol."""

    name = "board"
    row = Board
    label = "split"

    def ensure(
        self, task_id: int, dataset_id: int, split: str = "unspecified",
        protocol: str = "unspecified",
    ) -> Board:  # fmt: skip
        """The board of these four, added where it is missing."""
        one = (task_id, dataset_id, split, protocol)
        found = self.select("WHERE (task_id, dataset_id, split, protocol) = (?, ?, ?, ?)", *one)
        return found[0] if found else self.add(Board(*one))

    def add(self, row: Board, *, why: str = "") -> Board:
        """Add a board; its address is made of the names of its task and its data set."""
        if not row.slug:
            named = self.db.one(
                "SELECT task.name AS task, dataset.name AS dataset FROM task, dataset "
                "WHERE task.id = ? AND dataset.id = ?",
                row.task_id,
                row.dataset_id,
            )
            if named is None:
                raise BoardError("a board needs a task and a data set that exist")
            name = f"{named['task']} on {named['dataset']}"
            row = replace(row, slug=self._free(name, row.split, row.protocol))
        return super().add(row, why=why)

    def _free(self, name: str, split: str, protocol: str) -> str:
        """The shortest address that is free: the name, with the split, with the protocol too."""
        told = [w for w in (split, protocol) if w != "unspecified"]
        longer = [" ".join([name, *told[:i]]) for i in range(len(told) + 1)]
        for one in longer:
            if self.find("slug", slugify(one)) is None:
                return slugify(one)
        return self.db.free_slug("board", longer[-1])

    def add_metrics(self, board_id: int, metrics: Iterable[str]) -> None:
        """Put metrics behind those that a board has."""
        have = self.by_id(board_id).metrics
        new = [m for m in dict.fromkeys(metrics) if m not in have]
        if new:
            self.update(board_id, metrics=[*have, *new])

    def of_task(self, task_id: int) -> list[Board]:
        """Boards of a task, the fullest first."""
        return self._where("task_id = ?", task_id)

    def of_dataset(self, dataset_id: int) -> list[Board]:
        """Boards of a data set, the fullest first."""
        return self._where("dataset_id = ?", dataset_id)

    def notable(self) -> list[Board]:
        """Boards marked as notable, the fullest first."""
        return self._where("notable = ?", 1)

    def _where(self, condition: str, value: Any) -> list[Board]:
        return self.select(
            f"WHERE {condition} AND deleted IS NULL ORDER BY (SELECT count(*) FROM entry "
            "WHERE board_id = board.id AND entry.deleted IS NULL) DESC, id",
            value,
        )

    def sizes(self) -> dict[int, int]:
        """Board id -> number of living entries."""
        rows = self.db.all(
            "SELECT board_id, count(*) AS n FROM entry WHERE deleted IS NULL GROUP BY board_id"
        )
        return {r["board_id"]: int(r["n"]) for r in rows}
