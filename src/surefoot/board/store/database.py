"""The connection: transactions, inserts and changes that leave a line of history.

Every SQL text here and in the tables is a constant of the program; column names are checked
against the schema, and values are always bound parameters.

One :class:`Database` belongs to one thread. A server opens one per request: opening costs about a
millisecond. The journal is SQLite's default, so that a board at rest is exactly one file.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import BoardError, NotOnBoard
from .migrations import migrate
from .text import now, slugify

__all__ = ["Database"]


class Database:
    """One open board file.

    Args:
        path: The file, or ":memory:".
        who: Stands in the history beside every change.
        read_only: Open without the right to write.
        create: Make the file where it is missing.

    Raises:
        BoardError: No such file, no board, or a board of a newer schema.
    """

    def __init__(
        self, path: str | Path, *, who: str = "", read_only: bool = False, create: bool = False
    ) -> None:
        self.path, self.who, self.read_only = str(path), who, read_only
        self.import_id: int | None = None
        self._depth = 0
        memory = self.path == ":memory:"
        if not memory and not create and not Path(path).is_file():
            raise BoardError(
                f"there is no board at {path}",
                expected="a file that `surefoot board init` made",
                fix="make one with `surefoot board init`, or name another with --board",
            )
        self.connection = self._connect(memory)
        self._columns: dict[str, frozenset[str]] = {}
        self._inserts: dict[tuple[str, ...], str] = {}

    def _connect(self, memory: bool) -> sqlite3.Connection:
        where = self.path if memory else Path(self.path).resolve().as_uri()
        if not memory:
            where += "?mode=ro" if self.read_only else "?mode=rwc"
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(where, uri=True, isolation_level=None, timeout=30.0)
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA temp_store = MEMORY")
            migrate(connection, where="" if memory else self.path, write=not self.read_only)
        except (sqlite3.Error, BoardError) as error:
            if connection is not None:
                connection.close()
            if isinstance(error, BoardError):
                raise
            raise BoardError(
                f"{self.path} cannot be opened as a board ({error})",
                expected="an SQLite file that `surefoot board init` made, with FTS5",
            ) from error
        return connection

    def close(self) -> None:
        """Give the file back."""
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; may be nested, the outermost commits."""
        if self.read_only:
            raise BoardError(
                f"{self.path} is open for reading only", fix="open it without read-only mode"
            )
        if self._depth == 0:
            self.connection.execute("BEGIN IMMEDIATE")
        self._depth += 1
        try:
            yield
        except BaseException:
            self._depth -= 1
            if self._depth == 0 and self.connection.in_transaction:
                self.connection.rollback()
            raise
        self._depth -= 1
        if self._depth == 0:
            self.connection.commit()

    @contextmanager
    def bulk(self, import_id: int) -> Iterator[None]:
        """Rows that are inserted belong to this import, which stands for them in the history."""
        self.import_id = import_id
        self.connection.execute("PRAGMA cache_size = -65536")  # 64 MB
        try:
            yield
        finally:
            self.import_id = None
            self.connection.execute("PRAGMA cache_size = -2000")

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Inside a transaction: what was written since is undone where an error comes through."""
        self.connection.execute("SAVEPOINT one")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK TO one")
            self.connection.execute("RELEASE one")
            raise
        self.connection.execute("RELEASE one")

    def one(self, sql: str, *values: Any) -> sqlite3.Row | None:
        """The first row, or None."""
        row: sqlite3.Row | None = self.connection.execute(sql, values).fetchone()
        return row

    def all(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """Every row."""
        return self.connection.execute(sql, values).fetchall()

    def count(self, sql: str, *values: Any) -> int:
        """The number that a query gives."""
        row = self.one(sql, *values)
        return int(row[0]) if row is not None and row[0] is not None else 0

    def counts(
        self, column: str, first: str, second: str, *values: Any
    ) -> dict[int, tuple[int, int]]:
        """A column's value -> rows of two tables that have it, each SQL from ``FROM`` on."""
        rows = self.all(
            f"SELECT {column}, sum(a), sum(b) FROM (SELECT {column}, 1 AS a, 0 AS b FROM {first} "
            f"UNION ALL SELECT {column}, 0, 1 FROM {second}) GROUP BY {column}",
            *values,
        )
        return {r[0]: (int(r[1]), int(r[2])) for r in rows}

    def columns(self, table: str) -> frozenset[str]:
        """Names of a table's columns."""
        if table not in self._columns:
            rows = self.all("SELECT name FROM pragma_table_info(?)", table)
            self._columns[table] = frozenset(r["name"] for r in rows)
        return self._columns[table]

    def _check_columns(self, table: str, names: Sequence[str]) -> None:
        wrong = sorted(set(names) - self.columns(table))
        if wrong or not self.columns(table):
            raise BoardError(
                f"{table} has no column {', '.join(wrong) or '(nor is it a table)'}",
                expected=f"one of {', '.join(sorted(self.columns(table)))}",
            )

    def insert(self, table: str, values: Mapping[str, Any], *, note: str = "") -> int:
        """Add a row and a line of history (a bulk import's rows carry its id instead).

        Returns:
            The id of the row.
        """
        if self.import_id is not None and "import_id" in self.columns(table):
            values = {**values, "import_id": self.import_id}
        if self._depth and self.import_id is not None:
            return self.put(table, values)
        with self.transaction():
            row_id = self.put(table, values)
            if self.import_id is None:
                self.record("create", table, row_id, None, values, note)
        return row_id

    def put(self, table: str, values: Mapping[str, Any], *, verb: str = "INSERT") -> int:
        """Add a row without a line of history, inside a transaction; its id."""
        key = (table, verb, *values)
        if key not in self._inserts:
            self._check_columns(table, list(values))
            marks = ", ".join("?" * len(values))
            self._inserts[key] = f"{verb} INTO {table} ({', '.join(values)}) VALUES ({marks})"
        done = self.connection.execute(self._inserts[key], tuple(values.values()))
        return int(done.lastrowid or 0)

    def link(self, table: str, **values: int | str) -> None:
        """Add a pair to a link table; nothing happens where it is there."""
        with self.transaction():
            self.put(table, values, verb="INSERT OR IGNORE")

    def update(
        self, table: str, row_id: int, changes: Mapping[str, Any], *, note: str = "",
        action: str = "update",
    ) -> bool:  # fmt: skip
        """Change columns of a row; history keeps what they were.

        Returns:
            Whether anything differed.
        """
        self._check_columns(table, list(changes))
        row = self.one(f"SELECT * FROM {table} WHERE id = ?", row_id)
        if row is None:
            raise NotOnBoard(f"{table} has no row {row_id}")
        new = {k: v for k, v in changes.items() if row[k] != v}
        if not new:
            return False
        old = {k: row[k] for k in new}
        with self.transaction():
            self.connection.execute(
                f"UPDATE {table} SET {', '.join(f'{k} = ?' for k in new)} WHERE id = ?",
                (*new.values(), row_id),
            )
            self.record(action, table, row_id, old, new, note)
        return True

    def record(
        self, action: str, entity: str, row_id: int, old: Mapping[str, Any] | None,
        new: Mapping[str, Any] | None, note: str = "",
    ) -> None:  # fmt: skip
        """Write a line of history."""
        self.connection.execute(
            "INSERT INTO revision (at, who, action, entity, entity_id, old, new, note) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (now(), self.who, action, entity, row_id, _json(old), _json(new), note),
        )

    def free_slug(self, table: str, name: str, distinct: str = "") -> str:
        """A slug that no row of the table has: of the name, else with something told apart.

        Args:
            table: With a column ``slug``.
            name: What it is made of.
            distinct: Put behind a slug that is taken, before numbers are tried.
        """
        base = slugify(name)
        tries = [base, f"{base}-{slugify(distinct, 24)}"] if distinct else [base]
        number = 1
        while True:
            slug = tries.pop(0) if tries else f"{base}-{number}"
            if self.one(f"SELECT 1 FROM {table} WHERE slug = ?", slug) is None:
                return slug
            number += 1


def _json(data: Mapping[str, Any] | None) -> str | None:
    return None if data is None else json.dumps(dict(data), ensure_ascii=False, sort_keys=True)
