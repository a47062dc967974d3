"""The board's schema, step by step. ``PRAGMA user_version`` says which steps a file has had.

A step is SQL that runs in one transaction: a file is at the old version or at the new one, never
between. A change is a new step at the end; what a released step made is taken over by the later
ones as it is (the first one made search tables, of which none is left).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from importlib import resources
from pathlib import Path

from ..errors import BoardError
from . import search_index

__all__ = ["APPLICATION_ID", "VERSION", "migrate", "steps"]

APPLICATION_ID = 0x53464F54
"""In the header of every board file ("SFOT"), so that no other database is taken for one."""

_KEPT = (
    "alias", "board", "code_link", "curve", "dataset", "dataset_task", "entry", "import", "method",
    "metric", "paper", "paper_method", "paper_task", "protocol", "quarantine", "result",
    "revision", "submission", "task", "task_parent",
)  # fmt: skip
"""Tables from which nothing is ever deleted."""


def _append_only() -> str:
    """Refuse DELETE everywhere, and any change of what history says."""
    refuse = "BEGIN SELECT RAISE(ABORT, 'the board keeps everything: {0}'); END;\n"
    deletes = "".join(
        f"CREATE TRIGGER {t}_kept BEFORE DELETE ON {t} "
        + refuse.format("mark the row deleted instead")
        for t in _KEPT
    )
    return (
        deletes
        + "CREATE TRIGGER revision_fixed BEFORE UPDATE ON revision "
        + refuse.format("history cannot be rewritten")
    )


def steps() -> list[str]:
    """The SQL of every step: ``steps()[0]`` makes version 1."""
    first = resources.files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
    return [first + _append_only(), _SHARED_MODELS, _WHOLE_ARCHIVE, search_index.schema(), _READER]


_SHARED_MODELS = "CREATE INDEX entry_model ON entry (model_name, backbone);"
"""Which boards hold the same models is asked of every board."""

_WHOLE_ARCHIVE = """
DROP INDEX paper_date;
CREATE INDEX paper_alive ON paper (date DESC, id) WHERE deleted IS NULL;
CREATE INDEX entry_alive ON entry (board_id, toy) WHERE deleted IS NULL;
CREATE INDEX entry_submitted ON entry (board_id) WHERE kind = 'submitted' AND deleted IS NULL;
"""
"""Of half a million papers the newest are asked for on most pages; boards are counted on all."""

_READER = "ALTER TABLE import ADD COLUMN reader INTEGER NOT NULL DEFAULT 1;"
"""What an earlier surefoot left aside, a later one may take in: a file is read again then."""

VERSION = 5
"""What this surefoot writes."""


def migrate(
    connection: sqlite3.Connection,
    *,
    where: str = "",
    plan: Sequence[str] | None = None,
    write: bool = True,
) -> int:
    """Bring a database to the newest version.

    A file that holds something is copied beside itself first (``NAME.v<old>.bak``).

    Args:
        connection: Of the database, without an open transaction.
        where: Its path; "" for one in memory.
        plan: Steps other than :func:`steps`, for tests.
        write: Otherwise it has to be of the newest version.

    Returns:
        The version it had.

    Raises:
        BoardError: The file is no board, is newer than this surefoot, or older and not written.
    """
    todo = steps() if plan is None else list(plan)
    had = int(connection.execute("PRAGMA user_version").fetchone()[0])
    _check(connection, had, len(todo), where, write)
    if had and had < len(todo) and where:
        _backup(connection, Path(f"{where}.v{had}.bak"))
    for number, sql in enumerate(todo[had:], had + 1):
        history = (
            "INSERT INTO revision (at, who, action, entity, entity_id, note) VALUES "
            f"(strftime('%Y-%m-%dT%H:%M:%SZ', 'now'), 'surefoot', 'migrate', 'schema', {number}, "
            f"'schema {number}');"
        )
        try:
            connection.executescript(
                f"BEGIN IMMEDIATE;\n{sql}\n{history}\nPRAGMA user_version = {number};\n"
                f"PRAGMA application_id = {APPLICATION_ID};\nCOMMIT;"
            )
        except sqlite3.Error:
            if connection.in_transaction:
                connection.rollback()
            now = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if now < number:  # else another process took this step while we waited for the lock
                raise
    return had


def _check(connection: sqlite3.Connection, had: int, newest: int, where: str, write: bool) -> None:
    # In this order: a process that writes both at once may come between the two.
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    name = where or "the database"
    if application != APPLICATION_ID and tables:
        raise BoardError(
            f"{name} is an SQLite file of another program",
            expected="a file that `surefoot board init` made",
            fix="name another file",
        )
    if had > newest or (had < newest and not write):
        raise BoardError(
            f"{name} has schema {had}",
            expected=f"schema {newest}, which is what this surefoot knows",
            fix="update surefoot" if had > newest else "`surefoot board init` brings it up to date",
        )


def _backup(connection: sqlite3.Connection, target: Path) -> None:
    with closing(sqlite3.connect(target)) as copy:
        connection.backup(copy)
