"""Fills a board with the seed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..archive.format import OWN_LICENCE as LICENCE
from ..store.rows import CodeLink, Dataset, Method, Paper, Protocol
from ..store.store import Store
from .numbers import fill_curves, fill_numbers
from .read import protocol_plans, seed_rows

__all__ = ["fill"]


def fill(store: Store) -> dict[str, int]:
    """Add whatever of the seed a board lacks; what is there is left alone.

    Returns:
        What -> how many were added.
    """
    before = store.totals()
    with store.transaction():
        _tasks(store, seed_rows("tasks"), None)
        for row in seed_rows("papers"):
            _paper(store, row)
        for row in seed_rows("methods"):
            _method(store, row)
        for row in seed_rows("papers"):
            _methods_of_paper(store, row)
        for row in seed_rows("datasets"):
            _dataset(store, row)
        for plan in protocol_plans():
            if plan.title:
                store.protocols.declare(Protocol(plan.name, plan.title, plan.description))
        fill_numbers(store)
        fill_curves(store)
    after = store.totals()
    return {k: after[k] - before[k] for k in after if after[k] > before[k]}


def _tasks(store: Store, rows: Sequence[dict[str, Any]], parent: int | None) -> None:
    for row in rows:
        task = store.tasks.ensure(row["name"])
        if not task.description:
            store.tasks.update(task.id, description=row["description"], licence=LICENCE)
        if parent is not None:
            store.tasks.link(parent, task.id)
        _tasks(store, row.get("children", []), task.id)


def find_paper(store: Store, row: dict[str, Any]) -> Paper | None:
    """The paper of a seed row, if the board has it."""
    number = row.get("arxiv")
    return store.papers.match(arxiv=number, title=None if number else row["title"])


def _paper(store: Store, row: dict[str, Any]) -> None:
    paper = find_paper(store, row)
    if paper is None:
        number = row.get("arxiv")
        paper = store.papers.add(
            Paper(
                row["title"],
                authors=tuple(row.get("authors", ())),
                date=str(row.get("date", "")),
                venue=row.get("venue", ""),
                arxiv_id=number,
                abstract=row["summary"],
                url_abs=f"https://arxiv.org/abs/{number}" if number else "",
                url_pdf=f"https://arxiv.org/pdf/{number}" if number else "",
                extra={"abstract_is": "a summary written for this board"},
                licence=LICENCE,
            )
        )
    tasks = [store.tasks.ensure(name).id for name in row.get("tasks", [])]
    store.papers.tag(paper.id, tasks=tasks)
    for link in row.get("code", []):
        if not store.code.has(paper.id, link["url"]):
            store.code.add(
                CodeLink(link["url"], paper.id, link.get("official"), link.get("framework", ""))
            )


def _methods_of_paper(store: Store, row: dict[str, Any]) -> None:
    paper = find_paper(store, row)
    if paper is not None:
        ids = [store.methods.ensure(name).id for name in row.get("methods", [])]
        store.papers.tag(paper.id, methods=ids)


def _method(store: Store, row: dict[str, Any]) -> None:
    if store.methods.named(row["name"]) is not None:
        return
    paper = store.papers.match(arxiv=row.get("paper"))
    store.methods.add(
        Method(
            row["name"],
            full_name=row.get("full_name", ""),
            description=row["description"],
            introduced=row.get("introduced"),
            paper_id=paper.id if paper else None,
            registry_name=row.get("registry", ""),
            reading=row.get("reading", False),
            licence=LICENCE,
        )
    )


def _dataset(store: Store, row: dict[str, Any]) -> None:
    dataset = store.datasets.named(row["name"])
    if dataset is None:
        paper = store.papers.match(arxiv=row.get("paper"), title=row.get("paper_title"))
        dataset = store.datasets.add(
            Dataset(
                row["name"],
                full_name=row.get("full_name", ""),
                description=row["description"],
                homepage=row.get("homepage", ""),
                licence_name=row.get("licence", ""),
                licence_url=row.get("licence_url", ""),
                introduced=paper.date[:4] if paper else "",
                modalities=tuple(row.get("modalities", ())),
                splits=tuple(row.get("splits", ())),
                paper_id=paper.id if paper else None,
                licence=LICENCE,
            )
        )
    for name in row["tasks"]:
        store.datasets.tag(dataset.id, store.tasks.ensure(name).id)
