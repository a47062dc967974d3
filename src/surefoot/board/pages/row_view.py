"""One row: everything that is known of it, where it comes from, its history."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..store.rows import Board, Entry, Result, Revision, Source
from .headings import heading, metric_facts
from .links import web
from .page_context import PageContext
from .words import KIND_WORDS, alpha_words, count, day, interval, number, tidy

__all__ = ["row_page"]

_SOURCE_WORDS = {
    "citation": "Paper", "table": "Table", "row": "Row", "quality": "Read from", "file": "File",
    "sha256": "SHA-256", "json_path": "Place in the file", "run": "Run", "recipe": "Recipe hash",
    "note": "Note",
}  # fmt: skip
_QUALITY = {
    "primary": "the paper itself",
    "secondary": "a later paper that quotes it",
}


def row_page(context: PageContext, entry: Entry) -> dict[str, Any]:
    """A row's page as plain data."""
    store = context.store
    board = store.boards.by_id(entry.board_id)
    cited, paper = context.paper(entry.paper_id), None
    if cited is not None:
        paper = {"title": tidy(cited.title), "href": context.links.read(cited)}
    elif entry.paper_title:
        paper = {"title": tidy(entry.paper_title, 300), "href": web(entry.paper_url)}
    method = store.methods.by_id(entry.method_id) if entry.method_id is not None else None
    head = heading(context, board)
    return {
        "title": f"{tidy(entry.model_name, 160)} on {head['dataset']}",
        "board": head,
        "kind": entry.kind,
        "kind_words": KIND_WORDS[entry.kind],
        "deleted": day(entry.deleted),
        "toy": entry.toy,
        "facts": _facts(context, entry),
        "paper": paper,
        "method": method,
        "code": _links(entry.code_links),
        "models": _links(entry.model_links),
        "results": [_result(context, board, entry, r) for r in entry.results],
        "checks": store.agreements(entry),
        "source": _source(entry.source),
        "also": [tidy(a, 200) for a in entry.source.also],
        "licence": entry.licence,
        "history": [(r, _changes(r)) for r in _history(context, entry)],
        "key": entry.row_key,
    }  # fmt: skip


def _facts(context: PageContext, entry: Entry) -> list[tuple[str, str]]:
    facts = [
        ("Backbone", tidy(entry.backbone, 300)),
        ("Setting", tidy(entry.setting, 300)),
        ("Extra training data", entry.extra_data),
        ("Paper of", day(entry.paper_date)),
        ("On this board since", day(entry.created)),
    ]
    return [(k, v) for k, v in facts if v]


def _links(data: Any) -> list[dict[str, str]]:
    rows = data if isinstance(data, (list, tuple)) else ()
    found = [(web(c.get("url")), c.get("title")) for c in rows if isinstance(c, Mapping)]
    return [{"url": u, "title": tidy(t or u, 120)} for u, t in found if u]


def _result(context: PageContext, board: Board, entry: Entry, result: Result) -> dict[str, Any]:
    parts = [
        ("interval", f"95 % interval {interval(result)} ({result.interval})"
         if result.low is not None else interval(result)),
        ("n", f"{count(result.n)} images" if result.n else ""),
        ("stderr", f"standard error {number(result.stderr)}" if result.stderr is not None else ""),
        ("seeds", _seeds(result.seeds)),
        ("alpha", alpha_words(result)),
        ("manifest", f"data set {result.manifest} by its manifest"
         if result.manifest != "unknown" else ""),
    ]  # fmt: skip
    return {
        "metric": metric_facts(context.store.metrics.get(result.metric)),
        "raw": tidy(result.raw, 200),
        "told": [words for _, words in parts if words],
        "place": "" if entry.deleted else context.places(board, result.metric).words(entry.id),
        "unread": result.value is None,
    }


def _seeds(seeds: int | None) -> str:
    if not seeds:
        return ""
    return "one seed" if seeds == 1 else f"mean of {seeds} seeds"


def _source(source: Source) -> list[tuple[str, str]]:
    found = []
    for name, words in _SOURCE_WORDS.items():
        value = getattr(source, name)
        if value:
            told = _QUALITY.get(value, value) if name == "quality" else value
            found.append((words, tidy(told, 500)))
    return found


def _history(context: PageContext, entry: Entry) -> list[Revision]:
    lines = context.store.history("entry", entry.id)
    for result in entry.results:
        lines += context.store.history("result", result.id)
    return sorted(lines, key=lambda r: r.id)


def _changes(one: Revision) -> list[tuple[str, str, str]]:
    """Column, what it was, what it became."""
    if one.action not in ("update", "delete", "restore"):
        return []
    old, new = one.old or {}, one.new or {}
    return [(k, _short(old.get(k)), _short(new.get(k))) for k in sorted(new)]


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    return tidy(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), 200)
