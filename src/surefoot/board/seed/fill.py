"""Fills a board with the seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from ..archive.format import OWN_LICENCE as LICENCE
from ..store.results import Protocol
from ..store.rows import CodeLink, Dataset, Method, Paper
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
        told = {**_columns(Paper, row), "date": str(row.get("date", "")), "licence": LICENCE}
        if number:
            told |= {f"url_{kind}": f"https://arxiv.org/{kind}/{number}" for kind in ("abs", "pdf")}
        extra = {"abstract_is": "a summary written for this board"}
        paper = store.papers.add(
            Paper(**told, arxiv_id=number, abstract=row["summary"], extra=extra)
        )
    tasks = [store.tasks.ensure(name).id for name in row.get("tasks", [])]
    store.papers.tag(paper.id, tasks=tasks)
    for link in row.get("code", []):
        if store.code.find(paper_id=paper.id, url=link["url"]) is None:
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
    paper_id = paper.id if paper else None
    store.methods.add(Method(**_columns(Method, row), paper_id=paper_id, licence=LICENCE))


def _dataset(store: Store, row: dict[str, Any]) -> None:
    dataset = store.datasets.named(row["name"])
    if dataset is None:
        paper = store.papers.match(arxiv=row.get("paper"), title=row.get("paper_title"))
        introduced, paper_id = (paper.date[:4], paper.id) if paper else ("", None)
        told = {**_columns(Dataset, row), "introduced": introduced, "licence": LICENCE}
        dataset = store.datasets.add(Dataset(**told, paper_id=paper_id))
    for name in row["tasks"]:
        store.datasets.tag(dataset.id, store.tasks.ensure(name).id)


def _columns(kind: type[Any], row: dict[str, Any]) -> dict[str, Any]:
    """What a row of the seed says by the names of the columns."""
    known = {f.name: row[f.name] for f in fields(kind) if f.name in row}
    return {k: tuple(v) if isinstance(v, list) else v for k, v in known.items()}
