"""The search of the static site: the board's index as files that its script reads.

Every word of the index leads, by its first two letters, to a file that says which entries hold it,
and the entries lie in small blocks, so that a query loads some 100 kB of a whole archive. A site of
at most :data:`WHOLE` entries has all of it in one file. Script and server look in the same way, at
the same words (``store/search.py``); ``tests/board/pages/test_search_files.py`` compares them.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import chain, count, groupby, pairwise
from operator import itemgetter
from typing import Any

from ..store.rows import Hit
from ..store.search_index import KINDS

__all__ = ["BLOCK", "WHOLE", "Line", "script_json", "search_files"]

WHOLE = 1000
"""Entries that one file holds, at most."""

BLOCK = 64
"""Entries of one block."""

Line = tuple[str, str, str, str]
"""Kind, title, more words and address of an entry, as a reader sees them."""

_MODEL = KINDS.index("model")


def search_files(
    db: sqlite3.Connection, lines: Iterable[tuple[Hit, Line]]
) -> Iterator[tuple[str, str]]:
    """(name, text) of the files of the search.

    Args:
        db: An open board; it gets temporary tables while the files are made.
        lines: Everything that can be found on the site, in the order of equally good hits.
    """
    db.execute("CREATE TEMP TABLE spot (doc INTEGER PRIMARY KEY, place INTEGER)")
    db.execute("CREATE TEMP TABLE line (code, kind, title, more, href)")
    db.execute("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, search_fts, instance)")
    try:
        for place, (hit, line) in enumerate(lines):
            code = KINDS.index(hit.kind)
            db.execute("INSERT INTO spot VALUES (?, ?)", (8 * hit.id + code, place))
            db.execute("INSERT INTO line VALUES (?, ?, ?, ?, ?)", (str(code), *line))
        # A model is found by what any of its rows says.
        db.execute(
            f"INSERT OR IGNORE INTO spot SELECT 8 * other.id + {_MODEL}, place FROM spot "
            "JOIN entry ON entry.id = doc / 8 JOIN entry AS other "
            "ON (other.model_name, other.backbone) = (entry.model_name, entry.backbone) "
            f"WHERE doc % 8 = {_MODEL} AND other.deleted IS NULL"
        )
        yield from _files(db)
    finally:
        for table in ("vocabulary", "line", "spot"):
            db.execute(f"DROP TABLE temp.{table}")


def _files(db: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    kinds = "".join(r[0] for r in db.execute("SELECT code FROM line ORDER BY rowid"))
    about: dict[str, Any] = {"block": BLOCK, "kinds": kinds, "prefixes": [], "parts": {}}
    for key, data in chain(_blocks(db), _words(db)):
        if key[0] == "w":
            about["prefixes"].append(key[1:])
        if len(kinds) <= WHOLE:
            about["parts"][key] = data
        else:
            name = key if key[0] == "e" else f"w{key[1:].encode().hex()}"
            yield f"search/{name}.js", f"surefootPart({script_json(key)},{script_json(data)});\n"
    yield "assets/search-index.js", f"window.surefootIndex={script_json(about)};\n"


def _blocks(db: sqlite3.Connection) -> Iterator[tuple[str, list[Line]]]:
    rows = db.execute("SELECT kind, title, more, href FROM line ORDER BY rowid")
    for number in count():
        block = rows.fetchmany(BLOCK)
        if not block:
            return
        yield f"e{number}", [tuple(r) for r in block]


def _words(db: sqlite3.Connection) -> Iterator[tuple[str, dict[str, list[int]]]]:
    """Two letters -> each word that begins so -> its entries, ascending; short to write.

    An entry is twice its place, and one more where the word is not in its title; each number is
    told as its distance from the one before.
    """
    rows = db.execute(
        "SELECT term, place, col <> 'title' FROM vocabulary CROSS JOIN spot USING (doc) "
        "WHERE col <> 'kind' ORDER BY term"
    )
    for prefix, some in groupby(rows, lambda r: r[0][:2]):
        words: dict[str, list[int]] = {}
        for word, found in groupby(some, itemgetter(0)):
            places: dict[int, int] = {}
            for _, place, elsewhere in found:
                places[place] = min(elsewhere, places.get(place, 1))
            at = sorted(2 * place + elsewhere for place, elsewhere in places.items())
            words[word] = [b - a for a, b in pairwise([0, *at])]
        yield f"w{prefix}", words


def script_json(data: object) -> str:
    """JSON that is safe inside a script element as well."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("</", "<\\/").replace("<!--", "<\\!--")
