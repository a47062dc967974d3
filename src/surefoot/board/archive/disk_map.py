"""Values by key, kept on disk: an export of any size takes the memory of one board."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Any

__all__ = ["DiskMap", "json_items"]


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
