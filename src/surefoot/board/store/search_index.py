"""The search index: one full-text table over everything that can be found.

A view per kind says what is found of it: a title, further names (``more``) and longer text
(``body``). Triggers keep the table in step with the views. It holds no text itself; its tokens are
words without case and accents, and names also without the signs in them, so that ``wiseft`` finds
``WiSE-FT``. The server asks it by SQL, the static site by a script that reads the same tokens from
files (``pages/search_files.py``).
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["KINDS", "letters", "schema"]

KINDS = ("task", "dataset", "method", "paper", "model", "board")
"""What can be found. A row's number in the index is 8 times its id plus the place of its kind."""

_SIGNS = " -_.,/+@:"

_VIEWS: Mapping[str, str] = {
    "task": "id, slug, name AS title, synonyms AS more, description AS body, "
    "description AS excerpt, 0 AS toy, deleted FROM task",
    "dataset": "id, slug, name AS title, full_name AS more, description AS body, "
    "description AS excerpt, toy, deleted FROM dataset",
    "method": "id, slug, name AS title, full_name AS more, description AS body, "
    "full_name AS excerpt, 0 AS toy, deleted FROM method",
    "paper": "id, slug, title, authors || ' ' || coalesce(arxiv_id, '') AS more, abstract AS body, "
    "abstract AS excerpt, 0 AS toy, deleted FROM paper",
    "model": "entry.id, board.slug, model_name AS title, backbone || ' ' || setting AS more, "
    "'' AS body, backbone AS excerpt, entry.toy OR dataset.toy AS toy, "
    "coalesce(entry.deleted, board.deleted) AS deleted, dataset.name AS dataset FROM entry "
    "JOIN board ON board.id = board_id JOIN dataset ON dataset.id = dataset_id",
    "board": "board.id, board.slug, task.name || ' on ' || dataset.name AS title, "
    "split || ' ' || protocol AS more, board.metrics AS body, split AS excerpt, toy, "
    "coalesce(board.deleted, task.deleted, dataset.deleted) AS deleted FROM board "
    "JOIN task ON task.id = task_id JOIN dataset ON dataset.id = dataset_id",
}
"""What is found of each kind, and what a hit shows. Of a model every row stands there."""

_CHANGES = {
    "task": "name, synonyms, description",
    "dataset": "name, full_name, description",
    "method": "name, full_name, description",
    "paper": "title, authors, arxiv_id, abstract",
    "model": "model_name, backbone, setting",
    "board": "split, metrics, protocol",
}
"""Columns with texts in the index."""


def schema() -> str:
    """SQL that puts the index in place of the tables of schema 1, and fills it."""
    old = "".join(
        f"DROP TRIGGER IF EXISTS {t}_fts_insert; DROP TRIGGER IF EXISTS {t}_fts_update; "
        f"DROP TABLE IF EXISTS {t}_fts;\n"
        for t in ("task", "paper", "dataset", "method", "entry")
    )
    views = "".join(f"CREATE VIEW searched_{k} AS SELECT {v};\n" for k, v in _VIEWS.items())
    triggers = "".join(_triggers(kind, columns) for kind, columns in _CHANGES.items())
    triggers += "".join(
        _around(table, "board", "name", f"id IN (SELECT id FROM board WHERE {table}_id = old.id)")
        for table in ("task", "dataset")
    )
    return (
        f"{old}{views}"
        "CREATE VIRTUAL TABLE search_fts USING fts5 (kind, title, more, body, content='', "
        "tokenize='unicode61 remove_diacritics 2');\n"
        f"{triggers}{''.join(_add(kind, 'TRUE') for kind in KINDS)}"
    )


def _triggers(kind: str, columns: str) -> str:
    """Keep a kind's part of the index in step with its table."""
    table = "entry" if kind == "model" else kind
    return (
        f"CREATE TRIGGER search_{kind}_insert AFTER INSERT ON {table} "
        f"BEGIN {_add(kind, 'id = new.id')} END;\n"
    ) + _around(table, kind, columns, "id = old.id")


def _around(table: str, kind: str, columns: str, which: str) -> str:
    """Take rows out of the index before a change, and put them in again after it."""
    name = f"search_{table}_{kind}"
    return (
        f"CREATE TRIGGER {name}_before BEFORE UPDATE OF {columns} ON {table} "
        f"BEGIN {_add(kind, which, delete=True)} END;\n"
        f"CREATE TRIGGER {name}_after AFTER UPDATE OF {columns} ON {table} "
        f"BEGIN {_add(kind, which)} END;\n"
    )


def _add(kind: str, which: str, *, delete: bool = False) -> str:
    """Put rows into the index; or take them out, which needs what was put in (FTS5, 4.4.2)."""
    first, value = ("search_fts, ", "'delete', ") if delete else ("", "")
    return (
        f"INSERT INTO search_fts ({first}rowid, kind, title, more, body) SELECT {value}"
        f"8 * id + {KINDS.index(kind)}, '{kind}', title || ' ' || {_joined('title')}, "
        f"more || ' ' || {_joined('more')}, body FROM searched_{kind} WHERE {which};\n"
    )


def _joined(text: str) -> str:
    """SQL of a text's words without the signs inside them."""
    return _without(text, _SIGNS[1:])


def letters(text: str) -> str:
    """SQL of how long a text is without blanks and signs."""
    return f"length({_without(text, _SIGNS)})"


def _without(text: str, signs: str) -> str:
    for sign in signs:
        text = f"replace({text}, '{sign}', '')"
    return text
