"""The static search: what its script looks through.

Up to :data:`WHOLE` entries lie in one file, which the script reads whole. Of a whole archive that
would be 25 MB and a frozen phone. There every word leads, by its first two letters, to a file that
says which entries hold it, and the entries lie in small blocks: a query loads some 100 kB. The
words are sorted on disk, so that memory does not grow with the board.
"""

from __future__ import annotations

import json
import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain, groupby, islice
from operator import itemgetter

__all__ = ["BLOCK", "WHOLE", "search_files", "words_of"]

WHOLE = 5000
"""Entries that one file holds, at most."""

BLOCK = 64
"""Entries of one block."""

Line = tuple[str, str, str, str]
_WORD = re.compile(r"[^\W_]+", re.UNICODE)


def words_of(text: str) -> list[str]:
    """Words as the script sees them: NFKD, without marks, small."""
    plain = unicodedata.normalize("NFKD", text)
    if not plain.isascii():
        plain = "".join(c for c in plain if not unicodedata.category(c).startswith("M"))
    return _WORD.findall(plain.lower())


def search_files(lines: Iterable[Line]) -> Iterator[tuple[str, str]]:
    """(name, text) of the files of the search.

    Args:
        lines: (kind, title, more words, address) of everything that can be found.
    """
    rest = iter(lines)
    first = list(islice(rest, WHOLE + 1))
    if len(first) <= WHOLE:
        yield "assets/search-index.js", f"window.surefootIndex={script_json(first)};\n"
        return
    with closing(sqlite3.connect("")) as db:  # a file of its own that nobody sees
        yield from _parts(db, chain(first, rest))


def _parts(db: sqlite3.Connection, lines: Iterable[Line]) -> Iterator[tuple[str, str]]:
    """Blocks of entries, short titles first, since a hit in a short title tells more; words."""
    db.execute("CREATE TABLE entry (kind, title, more, href)")
    db.executemany("INSERT INTO entry VALUES (?, ?, ?, ?)", lines)
    db.execute("CREATE TABLE word (word, at)")
    sorted_lines = db.execute("SELECT * FROM entry ORDER BY length(title), rowid")
    count = 0
    for number in range(10**9):
        block = sorted_lines.fetchmany(BLOCK)
        if not block:
            break
        for one in block:
            title = set(words_of(one[1]))
            more = set(words_of(one[2])) - title
            at = 2 * count  # an odd place: not in the title
            db.executemany("INSERT INTO word VALUES (?, ?)", [(w, at) for w in title])
            db.executemany("INSERT INTO word VALUES (?, ?)", [(w, at + 1) for w in more])
            count += 1
        yield f"search/e{number}.js", f"surefootEntries({number},{script_json(block)});\n"
    prefixes = []
    rows = db.execute("SELECT word, at FROM word ORDER BY word, at")
    for prefix, some in groupby(rows, lambda r: r[0][:2]):
        places = {word: _steps(r[1] for r in at) for word, at in groupby(some, itemgetter(0))}
        prefixes.append(prefix)
        name = prefix.encode().hex()
        yield f"search/w{name}.js", f"surefootWords({script_json(prefix)},{script_json(places)});\n"
    about = {"block": BLOCK, "count": count, "prefixes": prefixes}
    yield "assets/search-index.js", f"window.surefootParts={script_json(about)};\n"


def _steps(places: Iterable[int]) -> list[int]:
    """Each number as its distance from the one before: shorter to write."""
    found, last = [], 0
    for at in places:
        found.append(at - last)
        last = at
    return found


def script_json(data: object) -> str:
    """JSON that is safe inside a script element as well."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.replace("</", "<\\/").replace("<!--", "<\\!--")
