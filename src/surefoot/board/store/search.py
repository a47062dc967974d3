"""Full-text search over everything that the index holds (``search_index.py``).

Rows whose title holds every word come first, then those that hold them anywhere; among these the
shorter title, so that the very name is the first of all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from heapq import merge

from .database import Database
from .rows import Hit
from .search_index import KINDS, letters
from .text import arxiv_id

__all__ = ["KINDS", "findable", "search", "words_of"]

_WORD = re.compile(r"[^\W_]+", re.UNICODE)
_LIMIT_WORDS = 12
_MANY = 20_000
"""Rows that are weighed, at most: of more, those that hold the words in their titles go first."""

_EACH = (
    "SELECT id, slug, title, substr(excerpt, 1, 200) AS excerpt, '' AS names, size FROM "
    "(SELECT id AS best, {size} AS size FROM searched_{kind} WHERE {which} AND {alive} "
    "ORDER BY size, best LIMIT ?) JOIN searched_{kind} ON id = best ORDER BY size, id"
)
_MODELS = (
    "SELECT min(id) AS id, slug, title, excerpt, group_concat(DISTINCT dataset) AS names, "
    "{size} AS size FROM searched_model WHERE {alive} AND (title, excerpt) IN "
    "(SELECT title, excerpt FROM searched_model WHERE {which} AND {alive}) "
    "GROUP BY title, excerpt ORDER BY size, id LIMIT ?"
)
"""One hit per model and backbone."""


def words_of(text: str) -> list[str]:
    """The words of a text, without case and accents; an arXiv number for its address."""
    plain = unicodedata.normalize("NFKD", arxiv_id(text) or text)
    bare = "".join(c for c in plain if unicodedata.category(c)[0] != "M")
    return _WORD.findall(unicodedata.normalize("NFC", bare).lower())


def search(db: Database, query: str, *, kinds: Sequence[str] = KINDS, limit: int = 20) -> list[Hit]:
    """Rows that hold every word of the query, the last one as a beginning; best first.

    The query is words, never FTS5 syntax: signs in it are blanks. A single letter is no beginning.

    Args:
        db: The open file.
        query: Any text; one without words finds nothing.
        kinds: Which kinds to look through.
        limit: Hits of each kind, at most.
    """
    words = words_of(query)[:_LIMIT_WORDS]
    if not words:
        return []
    match = " ".join(f'"{w}"' for w in words) + ("*" if len(words[-1]) > 1 else "")
    hits: dict[tuple[str, int], Hit] = {}
    for kind in (k for k in KINDS if k in kinds):
        room = limit
        for score, column in enumerate(("title", "{title more body}")):
            which = "id IN (SELECT rowid / 8 FROM search_fts WHERE search_fts MATCH ? LIMIT ?)"
            asked = f"kind : {kind} AND {column} : ({match})"
            for one in _hits(db, kind, which, (asked, _MANY), limit=limit, score=score):
                if room and (kind, one.id) not in hits:
                    hits[kind, one.id] = one
                    room -= 1
            if not room:
                break
    return sorted(hits.values(), key=_order)


def findable(db: Database, *, toy: bool, papers: str) -> Iterator[Hit]:
    """Everything that can be found, in the order of equally good hits, one at a time.

    Args:
        db: The open file.
        toy: Whether what is known from toy data only goes along.
        papers: SQL of a condition on a paper's ``id``.
    """
    parts = (_hits(db, k, papers if k == "paper" else "TRUE", toy=toy) for k in KINDS)
    yield from merge(*parts, key=_order)


def _order(hit: Hit) -> tuple[int, int, int, int]:
    return hit.score, hit.size, KINDS.index(hit.kind), hit.id


def _hits(
    db: Database, kind: str, which: str, values: Sequence[object] = (), *, limit: int = -1,
    score: int = 0, toy: bool = True,
) -> Iterator[Hit]:  # fmt: skip
    """Rows of a kind under a condition, those of shorter titles first."""
    alive = "deleted IS NULL" if toy else "deleted IS NULL AND NOT toy"
    sql = _MODELS if kind == "model" else _EACH
    sql = sql.format(kind=kind, which=which, alive=alive, size=letters("title"))
    rows = db.connection.execute(sql, (*values, limit))
    for r in rows:
        told = _where(r["excerpt"], r["names"]) if r["names"] else r["excerpt"]
        yield Hit(kind, r["id"], r["slug"], r["title"], told, score, r["size"])


def _where(backbone: str, names: str) -> str:
    """A model's backbone, and on which data sets it has rows."""
    some = names.split(",")
    more = f" and {len(some) - 3} more" if len(some) > 3 else ""
    return " · ".join(w for w in (backbone, f"on {', '.join(some[:3])}{more}") if w)
