"""Rows of one table as dataclasses: add, get, list, change, mark deleted, look at the history."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, fields, replace
from types import NoneType
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_type_hints

from ..errors import NotOnBoard
from .database import Database
from .results import CurvePoint, Source, read_source, write_source
from .rows import Revision
from .text import fold, now, slugify

__all__ = ["NamedTable", "Revisions", "Table"]

T = TypeVar("T")
_Convert = Callable[[Any], Any]


class Table(Generic[T]):
    """One kind of row.

    How a column is stored follows from the type of its field (:func:`_columns`); a table sets only
    ``name`` of the SQL table, ``row`` (its dataclass), ``label`` (the column that names a row to
    people), ``key`` (the column that a row is known by across imports) and ``order`` (SQL).

    Args:
        db: The open file.
    """

    name: ClassVar[str]
    row: ClassVar[type[Any]]
    label: ClassVar[str] = "name"
    key: ClassVar[str] = "slug"
    order: ClassVar[str] = "id"
    stored: ClassVar[dict[str, tuple[_Convert, _Convert]]]

    def __init_subclass__(cls) -> None:
        if "row" in vars(cls):
            cls.stored = _columns(cls.row)

    def __init__(self, db: Database) -> None:
        self.db = db

    # from and to SQL

    def read(self, row: sqlite3.Row, **more: Any) -> T:
        """A row as the dataclass; ``more`` are values of fields that are no columns."""
        stored = self.stored
        values = {k: stored[k][0](v) if k in stored else v for k, v in dict(row).items()}
        one: T = self.row(**values, **more)
        return one

    def write(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values of fields as their columns hold them."""
        return {k: self.stored[k][1](v) if k in self.stored else v for k, v in values.items()}

    def values(self, row: T) -> dict[str, Any]:
        """Values of a row's columns, but for its id."""
        columns = self.db.columns(self.name) - {"id"}
        return {f.name: getattr(row, f.name) for f in fields(self.row) if f.name in columns}

    def select(self, rest: str, *values: Any) -> list[T]:
        """Rows of a query, given as SQL from behind the table's name on: ``WHERE ... ORDER BY``."""
        rows = self.db.all(f"SELECT {self.name}.* FROM {self.name} {rest}", *values)
        return [self.read(r) for r in rows]

    # the public side

    def add(self, row: T, *, why: str = "") -> T:
        """Add a row; ``id``, ``slug`` and ``fold`` are filled in. ``why`` goes into the history.

        Returns:
            The row as stored.
        """
        values = self.values(row)
        label = str(values.get(self.label) or "")
        if "fold" in values:
            values["fold"] = fold(label)
        if "slug" in values and not values["slug"]:
            values["slug"] = self.db.free_slug(self.name, label, self._distinct(row))
        row_id = self.db.insert(self.name, self.write(values), note=why)
        known = {k: values[k] for k in ("slug", "fold") if k in values}
        stored: T = replace(row, id=row_id, **known)  # type: ignore[type-var]
        return stored

    def _distinct(self, row: T) -> str:
        """What tells two rows of one name apart in their addresses."""
        return ""

    def by_id(self, row_id: int) -> T:
        """The row with this id, deleted or not.

        Raises:
            NotOnBoard: There is none.
        """
        found = self.find(id=row_id) if -(2**63) <= row_id < 2**63 else None
        if found is None:
            raise NotOnBoard(f"there is no {self.name} number {row_id} on this board")
        return found

    def find(self, **columns: Any) -> T | None:
        """The first row with these values in its columns, deleted or not; None without one."""
        rest = f"WHERE {self._equal(columns)} ORDER BY {self.name}.id LIMIT 1"
        return next(iter(self.select(rest, *columns.values())), None)

    def of(self, **columns: Any) -> list[T]:
        """Living rows with these values in their columns, in the table's order."""
        rest = f"WHERE {self._equal(columns)} AND deleted IS NULL ORDER BY {self.order}"
        return self.select(rest, *columns.values())

    def has(self, key: str) -> bool:
        """Whether a row with this key is there, deleted or not: a tombstone is not overrun."""
        return self.db.one(f"SELECT 1 FROM {self.name} WHERE {self.key} = ?", key) is not None

    def _equal(self, columns: Mapping[str, Any]) -> str:
        self.db._check_columns(self.name, list(columns))
        return " AND ".join(f"{self.name}.{c} IS ?" for c in columns)

    def get(self, slug: str) -> T:
        """The row with this slug, or, for people's sake, this name; deleted or not.

        Raises:
            NotOnBoard: There is none; slugs that begin alike are named.
        """
        slug = slug.encode("utf-8", "replace").decode("utf-8")  # an address may hold anything
        found = self.find(slug=slug)
        if found is None and "fold" in self.db.columns(self.name):
            found = self.find(fold=fold(slug))
        if found is None:
            near = self.db.all(
                f"SELECT slug FROM {self.name} WHERE slug >= ? AND deleted IS NULL "
                "ORDER BY slug LIMIT 3",
                slugify(slug)[:4],
            )
            raise NotOnBoard(
                f"there is no {self.name} {slug!r} on this board",
                expected=f"its slug; near it are {', '.join(r['slug'] for r in near)}"
                if near
                else "",
                fix="search for it: `Store.search`",
            )
        return found

    def all(self, *, limit: int | None = None, offset: int = 0, deleted: bool = False) -> list[T]:
        """Rows in the order in which they came; tombstones only where asked for."""
        which = "" if deleted else "WHERE deleted IS NULL"
        most = -1 if limit is None else limit
        return self.select(f"{which} ORDER BY id LIMIT ? OFFSET ?", most, offset)

    def each(self) -> Iterator[T]:
        """Every living row, one at a time, in bounded memory."""
        last = 0
        while True:
            rows: list[Any] = self.select(
                "WHERE id > ? AND deleted IS NULL ORDER BY id LIMIT 1000", last
            )
            if not rows:
                return
            last = rows[-1].id
            yield from rows

    def count(self) -> int:
        """How many are alive."""
        return self.db.count(f"SELECT count(*) FROM {self.name} WHERE deleted IS NULL")

    def update(self, row_id: int, *, why: str = "", **changes: Any) -> bool:
        """Change columns; history keeps what they were, and why. False where nothing differed."""
        if self.label in changes and "fold" in self.db.columns(self.name):
            changes["fold"] = fold(str(changes[self.label]))
        return self.db.update(self.name, row_id, self.write(changes), note=why)

    def delete(self, row_id: int, *, why: str) -> bool:
        """Put up a tombstone: the row is hidden, stays in the file, and can be restored."""
        return self.db.update(self.name, row_id, {"deleted": now()}, note=why, action="delete")

    def restore(self, row_id: int, *, why: str) -> bool:
        """Take the tombstone away."""
        return self.db.update(self.name, row_id, {"deleted": None}, note=why, action="restore")

    def history(self, row_id: int) -> list[Revision]:
        """Every change of a row, oldest first."""
        return Revisions(self.db).lines(self.name, row_id)


class NamedTable(Table[T]):
    """Rows that are known by their names, in whatever case."""

    def named(self, name: str, **apart: Any) -> T | None:
        """The first row of this name, of those with these values in further columns."""
        return self.find(fold=fold(name), **apart)

    def ensure(self, name: str, *, licence: str = "", **apart: Any) -> T:
        """As :meth:`named`, added, under a licence, where it is missing."""
        found: Any = self.named(name, **apart)
        if found is None:
            return self.add(self.row(name, licence=licence, **apart))
        if found.name != name:
            self.add_alias(found.id, name)
        kept: T = found
        return kept

    def aliases(self, row_id: int) -> list[str]:
        """Other spellings under which the sources name it."""
        sql = "SELECT name FROM alias WHERE entity = ? AND entity_id = ? ORDER BY name"
        return [r["name"] for r in self.db.all(sql, self.name, row_id)]

    def add_alias(self, row_id: int, name: str) -> None:
        """Keep another spelling."""
        self.db.link("alias", entity=self.name, entity_id=row_id, name=name)


def _columns(row: type[Any]) -> dict[str, tuple[_Convert, _Convert]]:
    """Field -> how its column is read and written, of those that SQL holds otherwise.

    True and false are 1 and 0; everything but texts and numbers is JSON.
    """
    found: dict[str, tuple[_Convert, _Convert]] = {}
    for name, kind in get_type_hints(row).items():
        kinds = set(get_args(kind) or [kind]) - {NoneType}
        if kinds == {bool}:
            found[name] = (_flag, lambda value: None if value is None else int(value))
        elif kind is Source:
            found[name] = (lambda text: read_source(json.loads(text)), _written)
        elif kind == tuple[CurvePoint, ...]:
            found[name] = (
                lambda text: tuple(CurvePoint(**p) for p in json.loads(text)),
                _written,
            )
        elif not all(isinstance(k, str) or k in (str, int, float) for k in kinds):
            found[name] = (_json, _written)
    return found


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: Any) -> Any:
    return write_source(value) if isinstance(value, Source) else asdict(value)


def _flag(value: int | None) -> bool | None:
    return None if value is None else bool(value)


def _json(text: str | None) -> Any:
    """JSON with its lists, at the top, as tuples: dataclasses hold no lists."""
    if text is None or text == "[]":
        return None if text is None else ()
    data = json.loads(text)
    return tuple(data) if isinstance(data, list) else data


class Revisions(Table[Revision]):
    """History."""

    name = "revision"
    row = Revision

    def lines(
        self, entity: str | None = None, row_id: int | None = None, limit: int = 1000
    ) -> list[Revision]:
        """Of one row oldest first, or the newest ``limit`` lines of everything."""
        if entity is None:
            return self.select("ORDER BY id DESC LIMIT ?", limit)
        one = "WHERE entity = ? AND entity_id IS coalesce(?, entity_id) ORDER BY id LIMIT ?"
        return self.select(one, entity, row_id, limit)
