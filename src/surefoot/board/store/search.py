"""Full-text search over papers, tasks, data sets, methods and models."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from .database import Database
from .rows import Hit

__all__ = ["KINDS", "search"]

KINDS = ("task", "dataset", "method", "paper", "model")
_WORD = re.compile(r"\w+", re.UNICODE)
_LIMIT_WORDS = 12
_MANY = 20_000
"""Rows that are weighed, at most: of more, those that hold the words in their titles go first."""

_SQL = {
    "task": ("task", "name", "name", "10.0, 5.0, 1.0"),
    "dataset": ("dataset", "name", "description", "10.0, 6.0, 1.0"),
    "method": ("method", "name", "full_name", "10.0, 8.0, 1.0"),
    "paper": ("paper", "title", "abstract", "10.0, 3.0, 1.0"),
}


def search(db: Database, query: str, *, kinds: Sequence[str] = KINDS, limit: int = 20) -> list[Hit]:
    """Rows that hold every word of the query, the last one as a beginning; best first.

    The query is words, never FTS5 syntax: signs in it are blanks.

    Args:
        db: The open file.
        query: Any text; one without words finds nothing.
        kinds: Which kinds to look through.
        limit: Hits of each kind, at most.
    """
    words = _WORD.findall(unicodedata.normalize("NFC", query).replace("_", " "))[:_LIMIT_WORDS]
    if not words:
        return []
    match = " ".join(f'"{w}"' for w in words) + "*"
    hits: list[Hit] = []
    for kind in (k for k in KINDS if k in kinds):
        hits += _models(db, match, limit) if kind == "model" else _of(db, kind, match, limit)
    return sorted(hits, key=lambda h: h.score)


def _of(db: Database, kind: str, match: str, limit: int) -> list[Hit]:
    table, title, excerpt, weights = _SQL[kind]
    matches = [match]
    if db.count(
        f"SELECT count(*) FROM (SELECT 1 FROM {table}_fts WHERE {table}_fts MATCH ? LIMIT ?)",
        match,
        _MANY + 1,
    ) > _MANY:  # fmt: skip
        matches = [f"{title} : ({match})", match]
    hits: dict[int, Hit] = {}
    for one in matches:
        rows = db.all(
            f"SELECT t.id, t.slug, t.{title} AS title, substr(t.{excerpt}, 1, 200) AS excerpt, "
            f"score FROM (SELECT rowid AS found, bm25({table}_fts, {weights}) AS score "
            f"FROM {table}_fts WHERE {table}_fts MATCH ? LIMIT ?) JOIN {table} AS t "
            "ON t.id = found WHERE t.deleted IS NULL ORDER BY score LIMIT ?",
            one,
            _MANY,
            limit,
        )
        for r in rows:
            hit = Hit(kind, r["id"], r["slug"], r["title"], r["excerpt"], r["score"])
            hits.setdefault(r["id"], hit)
        if len(hits) >= limit:
            break
    return list(hits.values())[:limit]


def _models(db: Database, match: str, limit: int) -> list[Hit]:
    """One hit per model and backbone, with the data sets of its boards."""
    rows = db.all(
        "SELECT min(e.id) AS id, b.slug, e.model_name, e.backbone, min(entry_fts.rank) AS score, "
        "group_concat(DISTINCT d.name) AS names "
        "FROM entry_fts JOIN entry AS e ON e.id = entry_fts.rowid "
        "JOIN board AS b ON b.id = e.board_id JOIN dataset AS d ON d.id = b.dataset_id "
        "WHERE entry_fts MATCH ? AND e.deleted IS NULL "
        "AND b.deleted IS NULL GROUP BY e.model_name, e.backbone "
        "ORDER BY score, id LIMIT ?",
        match,
        limit,
    )
    return [
        Hit("model", r["id"], r["slug"], r["model_name"], _where(r["backbone"], r["names"]),
            r["score"])
        for r in rows
    ]  # fmt: skip


def _where(backbone: str, names: str) -> str:
    """A model's backbone, and on which data sets it has rows."""
    some = names.split(",")
    more = f" and {len(some) - 3} more" if len(some) > 3 else ""
    return " · ".join(w for w in (backbone, f"on {', '.join(some[:3])}{more}") if w)
