"""One row: everything that is known of it, where it comes from, its history."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..store.ranking import Agreement, Standing
from ..store.rows import Board, Entry, Result, Revision, Source
from .headings import heading, metric_facts
from .links import web
from .page_context import PageContext
from .words import KIND_WORDS, alpha_words, count, day, interval, number, signed, tidy

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
    paper = None
    if entry.paper_id is not None:
        cited = store.papers.by_id(entry.paper_id)
        paper = {"title": tidy(cited.title), "href": context.links.paper(cited.id, cited.slug)
                 or web(cited.url_abs)}  # fmt: skip
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
        "method": None if method is None else {
            "name": tidy(method.name), "href": context.links("methods", method.slug)},
        "code": _links(entry.code_links),
        "models": _links(entry.model_links),
        "results": [_result(context, r, _place(context, board, entry, r)) for r in entry.results],
        "checks": _checks(context, entry),
        "source": _source(entry.source),
        "also": [tidy(a, 200) for a in entry.source.also],
        "licence": entry.licence,
        "history": [_line(r) for r in _history(context, entry)],
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


def _place(context: PageContext, board: Board, entry: Entry, result: Result) -> str:
    """Where a number stands on its board, in words."""

    def make() -> dict[int, str]:
        return _places(context.rows(board, result.metric).rows)

    key = ("places", board.id, result.metric, context.toy)
    found: dict[int, str] = context.cache.get(key, make, lambda p: 1 + len(p) // 8)
    return "" if entry.deleted else found.get(entry.id, "")


def _places(rows: Sequence[Standing]) -> dict[int, str]:
    """Entry id -> its place; of all rows at once, since every row of a board has a page."""
    times = Counter(r.rank for r in rows if r.rank is not None)
    of = count(times.total())
    found = {}
    for r in rows:
        if r.rank is None:
            found[r.entry.id] = f"Not ranked: {r.reason}." if r.reason else ""
            continue
        shared = ", shared" if times[r.rank] > 1 else ""
        tied = ", cannot be told from the best" if r.ties_best and r.rank != 1 else ""
        found[r.entry.id] = f"Rank {r.rank} of {of}{shared}{tied}."
    return found


def _result(context: PageContext, result: Result, place: str) -> dict[str, Any]:
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
        "place": place,
        "unread": result.value is None,
    }


def _seeds(seeds: int | None) -> str:
    if not seeds:
        return ""
    return "one seed" if seeds == 1 else f"mean of {seeds} seeds"


def _checks(context: PageContext, entry: Entry) -> list[dict[str, Any]]:
    store = context.store
    if entry.kind == "reproduced":
        ids = [r.reproduces_id for r in entry.results if r.reproduces_id is not None]
        firsts = {store.results.by_id(i).entry_id for i in ids}
        pairs = [
            (first, verdict)
            for first in map(store.entries.full, sorted(firsts))
            for other, verdict in store.agreements(first)
            if other.id == entry.id
        ]
    else:
        pairs = store.agreements(entry)
    return [_check(context, other, verdict) for other, verdict in pairs]


def _check(context: PageContext, other: Entry, verdict: Agreement) -> dict[str, Any]:
    return {
        "model": tidy(other.model_name, 120),
        "kind": other.kind,
        "href": context.links("rows", other.id),
        "verdict": verdict.verdict,
        "difference": "" if verdict.difference is None else signed(verdict.difference, 2),
        "reason": tidy(verdict.reason, 300),
        "numbers": ", ".join(tidy(r.raw, 40) for r in other.results),
    }


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


def _line(one: Revision) -> dict[str, Any]:
    changes = []
    if one.action in ("update", "delete", "restore"):
        old, new = one.old or {}, one.new or {}
        changes = [(k, _short(old.get(k)), _short(new.get(k))) for k in sorted(new)]
    return {
        "at": tidy(one.at.replace("T", " ").replace("Z", " UTC")),
        "who": tidy(one.who, 80) or "unknown",
        "action": one.action,
        "entity": one.entity,
        "note": tidy(one.note, 300),
        "changes": changes,
    }


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    return tidy(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), 200)
