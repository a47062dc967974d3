"""Search, submit, about, history."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from ..store.rows import Hit, Revision
from ..store.search import findable
from ..store.submit import SubmissionForm, template
from .page_context import PageContext
from .queries import SITE_PAPERS
from .search_files import Line
from .words import day, metric_facts, plural, tidy

__all__ = ["about_page", "hit_line", "search_index", "search_page", "submit_page"]

_GROUPS = (
    ("What was scored", ("task", "dataset", "split", "protocol", "metric", "value")),
    ("The model", ("model_name", "backbone", "method", "setting", "extra_data")),
    ("Where it is told", ("paper_title", "paper_url", "paper_date", "code_url")),
    ("How sure it is", ("n", "low", "high")),
    ("To run it again", ("recipe", "run_method", "run_split", "run_selection", "note")),
)
_ACTIONS = {"create": "added", "update": "changed", "delete": "took off", "restore": "restored",
            "import": "imported", "migrate": "brought up to date"}  # fmt: skip
_ENTITIES = {"entry": ("row",), "dataset": ("data set",), "code_link": ("code link",)}
_WORDS = {"task": "Task", "dataset": "Data set", "method": "Method", "paper": "Paper",
          "model": "Model", "board": "Board"}  # fmt: skip


def hit_line(context: PageContext, hit: Hit) -> dict[str, Any]:
    """A search result with its address."""
    links, text = context.links, hit.excerpt
    if hit.kind == "paper":
        href = links.paper(hit.id, hit.slug)
    else:
        href = links("rows", hit.id) if hit.kind == "model" else links(f"{hit.kind}s", hit.slug)
    if hit.kind == "board":
        text = ", ".join(w for w in (text, context.names()[hit.id].apart) if w)
    return {"kind": _WORDS[hit.kind], "title": tidy(hit.title, 200), "text": tidy(text, 200),
            "href": href}  # fmt: skip


def search_page(context: PageContext, query: str = "") -> dict[str, Any]:
    """Hits of a query (live); the static page looks through its index by script."""
    words = tidy(query, 300)
    hits = context.store.search(words, limit=15) if words and context.live else []
    groups: dict[str, list[dict[str, Any]]] = {}
    for hit in hits:
        line = hit_line(context, hit)
        groups.setdefault(line["kind"], []).append(line)
    return {"query": words, "groups": groups, "count": len(hits)}


def search_index(context: PageContext) -> Iterator[tuple[Hit, Line]]:
    """Everything that the static search finds, as :func:`~.search_files.search_files` takes it."""
    boards = {b.id for b in context.boards()}
    for hit in findable(context.store.db, toy=context.toy, papers=SITE_PAPERS):
        if hit.kind != "board" or hit.id in boards:
            line = hit_line(context, hit)
            if line["href"]:
                yield hit, (line["kind"], line["title"], line["text"], line["href"])


def submit_page(
    context: PageContext, *, values: Mapping[str, str] | None = None,
    problems: Mapping[str, str] | None = None, token: str = "", sent: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The form, or the template and the command.

    Args:
        context: Of the page.
        values: What was typed.
        problems: Field -> what is wrong.
        token: Against forged requests.
        sent: Number of the submission that was just taken.
    """
    wrong, fields = dict(problems or {}), SubmissionForm.model_fields
    store = context.store
    lists = {
        "task": [t.name for t in store.tasks.all(limit=300)],
        "dataset": [d.name for d in store.datasets.all(limit=300)],
        "method": [m.name for m in store.methods.all(limit=300)],
        "metric": [m.name for m in context.metrics()[:100]],
        "protocol": [r[0] for r in store.db.all("SELECT name FROM protocol LIMIT 300")],
    }
    return {
        "groups": _GROUPS,
        "fields": fields,
        "given": dict(values or {}),
        "lists": lists,
        "template": template(),
        "token": token,
        "problems": wrong,
        "sent": sent,
        "queue": store.submissions.queue(None)[:-51:-1],
    }


def about_page(context: PageContext) -> dict[str, Any]:
    """Licence, attribution, the metric registry, the rules of verification, history."""
    store = context.store
    return {
        "metrics": [metric_facts(m) for m in context.metrics()],
        "imports": store.imports.all(deleted=True),
        "latest": _latest(store.history(limit=2000)),
    }


def _latest(lines: Iterable[Revision], most: int = 20) -> list[dict[str, str]]:
    """The newest changes; all that one person did of one kind on one day is one line."""
    groups: dict[tuple[str, ...], list[Revision]] = {}
    for r in lines:
        groups.setdefault((r.at[:10], r.who, r.action, r.entity, r.note), []).append(r)
    found = []
    for (at, who, action, entity, note), some in islice(groups.items(), most):
        names = list(dict.fromkeys(filter(None, (_named(r.new or r.old) for r in some))))
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        what = plural(len(some), *_ENTITIES.get(entity, (entity,)))
        found.append({"at": day(at), "who": tidy(who, 60), "what": what, "name": shown,
                      "action": _ACTIONS.get(action, action), "note": tidy(note, 120)})  # fmt: skip
    return found


def _named(row: Mapping[str, Any] | None) -> str:
    """What a line of history is about; "" where its columns hold no name."""
    keys = ("model_name", "title", "name", "url", "slug", "metric", "file")
    return next((tidy(row[k], 80) for k in keys if row.get(k)), "") if row else ""
