"""Rows of one table as dataclasses: add, get, list, change, mark deleted, look at the history."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, fields, replace
from operator import itemgetter
from types import NoneType
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_type_hints

from ..errors import NotOnBoard
from .database import Database
from .rows import CurvePoint, Revision, Source, read_source, write_source
from .text import fold, now, slugify

__all__ = ["Table", "revisions"]

T = TypeVar("T")
_Convert = Callable[[Any], Any]
_Reader = tuple[list[str], Callable[[sqlite3.Row], tuple[Any, ...]], list[tuple[str, _Convert]]]


class Table(Generic[T]):
    """One kind of row.

    How a column is stored follows from the type of its field (:func:`_columns`); a table sets only
    ``name`` of the SQL table, ``row`` (its dataclass) and ``label`` (the column that names a row to
    people).

    Args:
        db: The open file.
    """

    name: ClassVar[str]
    row: ClassVar[type[Any]]
    label: ClassVar[str] = "name"
    stored: ClassVar[dict[str, tuple[_Convert, _Convert]]]

    def __init_subclass__(cls) -> None:
        cls.stored = _columns(cls.row)

    def __init__(self, db: Database) -> None:
        self.db = db
        self._readers: dict[tuple[str, ...], _Reader] = {}

    # from and to SQL

    def read(self, row: sqlite3.Row, **more: Any) -> T:
        """A row as the dataclass; ``more`` are values of fields that are no columns."""
        columns = tuple(row.keys())
        names, pick, convert = self._readers.get(columns) or self._reader(columns)
        values = dict(zip(names, pick(row), strict=True))
        for name, function in convert:
            values[name] = function(values[name])
        one: T = self.row(**values, **more)
        return one

    def _reader(self, columns: tuple[str, ...]) -> _Reader:
        """Which columns are fields, where they stand, and which are converted.

        Worked out once per query: 10,000 rows may be read while somebody waits.
        """
        names = [f.name for f in fields(self.row) if f.name in columns]
        made: _Reader = (
            names,
            itemgetter(*(columns.index(n) for n in names)),
            [(n, read) for n, (read, _) in self.stored.items() if n in names],
        )
        self._readers[columns] = made
        return made

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
        fits = -(2**63) <= row_id < 2**63
        row = self.db.one(f"SELECT * FROM {self.name} WHERE id = ?", row_id) if fits else None
        if row is None:
            raise NotOnBoard(f"there is no {self.name} number {row_id} on this board")
        return self.read(row)

    def find(self, column: str, value: Any) -> T | None:
        """The first row with this value in a column, deleted or not; None without one."""
        self.db._check_columns(self.name, [column])
        return next(iter(self.select(f"WHERE {column} IS ? ORDER BY id LIMIT 1", value)), None)

    def get(self, slug: str) -> T:
        """The row with this slug, or, for people's sake, this name; deleted or not.

        Raises:
            NotOnBoard: There is none; slugs that begin alike are named.
        """
        slug = slug.encode("utf-8", "replace").decode("utf-8")  # an address may hold anything
        found = self.find("slug", slug)
        if found is None and "fold" in self.db.columns(self.name):
            found = self.find("fold", fold(slug))
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
        return revisions(self.db, self.name, row_id)

    def aliases(self, row_id: int) -> list[str]:
        """Other spellings under which the sources name it."""
        sql = "SELECT name FROM alias WHERE entity = ? AND entity_id = ? ORDER BY name"
        return [r["name"] for r in self.db.all(sql, self.name, row_id)]

    def add_alias(self, row_id: int, name: str) -> None:
        """Keep another spelling."""
        values = {"entity": self.name, "entity_id": row_id, "name": name}
        with self.db.transaction():
            self.db.put("alias", values, verb="INSERT OR IGNORE")


def revisions(
    db: Database, entity: str | None = None, row_id: int | None = None, limit: int = 1000
) -> list[Revision]:
    """History: of one row oldest first, or the newest ``limit`` lines of everything."""
    if entity is not None:
        rows = db.all(
            "SELECT * FROM revision WHERE entity = ? AND entity_id IS coalesce(?, entity_id) "
            "ORDER BY id LIMIT ?",
            entity,
            row_id,
            limit,
        )
    else:
        rows = db.all("SELECT * FROM revision ORDER BY id DESC LIMIT ?", limit)
    return [
        Revision(**{**dict(r), **{k: json.loads(r[k]) if r[k] else None for k in ("old", "new")}})
        for r in rows
    ]


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


def _json(text: str) -> Any:
    """JSON with its lists, at the top, as tuples: dataclasses hold no lists."""
    if text == "[]":
        return ()
    data = json.loads(text)
    return tuple(data) if isinstance(data, list) else data
