"""Front page, all boards, the tree of tasks, a task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from ...drawing.svg import Node
from ...report.charts import Dot, Trail, plane_chart
from ..store.metrics import Metric
from ..store.ranking import Standing, in_time
from ..store.results import Board
from ..store.rows import Dataset, Task
from .charts import spark
from .page_context import PageContext, cut
from .queries import newest_site_papers, without_toy
from .words import metric_facts, tidy

__all__ = ["BOARDS", "front_page", "sota_page", "task_page", "tasks_page"]

BOARDS = 100
"""Boards of one page of the list of all boards."""

_NOTABLE = 6
_DEEPEST = 12


def front_page(context: PageContext) -> dict[str, Any]:
    """Notable benchmarks, all SotA, newest papers."""
    store = context.store
    shown = context.boards()
    marked = context.shown(store.boards.of(notable=True))
    notable = list({b.id: b for b in (*marked, *_fullest(context, shown))}.values())
    return {
        "totals": _totals(context, len(shown)),
        "notable": [_card(context, b) for b in notable[:_NOTABLE]],
        "sota": _by_task(context, shown[:BOARDS]),
        "boards": len(shown),
        "more": len(shown) > BOARDS,
        "papers": newest_site_papers(store, 6),
        "curated": bool(marked),
        "picture": _picture(context),
    }


def _picture(context: PageContext) -> dict[str, Any] | None:
    """The first published sweep over alpha, as a path in the plane of two of its data sets."""
    store = context.store
    for curve in store.curves.select(
        "WHERE deleted IS NULL AND kind = 'published' AND toy = 0 ORDER BY id LIMIT 5"
    ):
        series: dict[str, dict[float, float]] = {}
        for p in curve.points:
            if store.metrics.get(p.metric).unit == "%" and 0 < p.value < 100:
                series.setdefault(p.dataset, {})[p.alpha] = p.value / 100
        names = sorted(series, key=lambda n: ("shifts" in n, n == "ImageNet"), reverse=True)
        if len(names) < 2 or curve.method_id is None:
            continue
        up, across = names[0], next((n for n in names[1:] if n == "ImageNet"), names[1])
        alphas = tuple(sorted(series[up].keys() & series[across].keys()))
        if len(alphas) < 5:
            continue
        title, method = tidy(curve.title, 100), store.methods.by_id(curve.method_id)
        x, y = (tuple(series[n][a] for a in alphas) for n in (across, up))
        return {
            "chart": _path_chart(title, (tidy(across, 40), tidy(up, 40)), Trail("", alphas, x, y)),
            "title": title,
            "kind": curve.kind,
            "href": context.links("methods", method.slug),
            "method": tidy(method.name, 60),
        }
    return None


def _path_chart(title: str, axes: tuple[str, str], path: Trail) -> Node:
    """A path between two models with its ends, as the report draws it."""
    ends = [
        Dot(name, (path.x[i],) * 3, (path.y[i],) * 3, hue=hue)
        for name, i, hue in (("pretrained", 0, 0), ("fine-tuned", -1, 2))
    ]
    told = "; ".join(
        f"{100 * x:g} and {100 * y:g} at α = {a:g}"
        for a, x, y in zip(path.alphas, path.x, path.y, strict=True)
    )
    desc = f"{axes[0]} and {axes[1]}: {told}."
    return plane_chart("hero", title, desc, ends, [replace(path, label="path", hue=2)], axes=axes,
                       width=440, height=330)  # fmt: skip


def _fullest(context: PageContext, boards: list[Board]) -> list[Board]:
    sizes = context.sizes()
    return sorted(boards, key=lambda b: (-sizes.get(b.id, 0), b.id))


def _totals(context: PageContext, boards: int) -> list[tuple[str, int, str]]:
    totals = context.totals()
    results, datasets = totals["results"], totals["datasets"]
    if not context.toy:
        results, datasets = without_toy(context.store)
    return [
        ("results", results, context.links("sota")),
        ("boards", boards, context.links("sota")),
        ("papers", totals["papers"], context.links("papers")),
        ("methods", totals["methods"], context.links("methods")),
        ("data sets", datasets, context.links("datasets")),
    ]


def _card(context: PageContext, board: Board) -> dict[str, Any]:
    """A notable benchmark: its best, and all results on a line."""
    rows = context.rows(board)
    values = [r.row.value for r in rows.rows if r.rank is not None and r.row.value is not None]
    drawn = spark(values) if len(values) > 1 else None
    steps = sum(best for _, best in in_time(rows.rows, rows.metric))
    return {**board_line(context, board), "spark": drawn, "steps": steps}


def board_line(context: PageContext, board: Board) -> dict[str, Any]:
    """A board in a list: its name, its best row."""

    def make() -> tuple[int, Metric, Standing | None]:
        rows = context.rows(board)
        return len(rows.rows), rows.metric, rows.best

    rows, metric, best = context.cache.get(("line", board.id, context.toy), make, lambda _: 1)
    return {
        "board": context.heading(board),
        "rows": rows,
        "metric": metric_facts(metric),
        "best": best,
        "href": best and context.links("rows", best.row.id),
    }


def _by_task(context: PageContext, boards: Iterable[Board]) -> list[dict[str, Any]]:
    groups: dict[int, list[Board]] = {}
    for board in boards:
        groups.setdefault(board.task_id, []).append(board)
    found = []
    for task_id, some in groups.items():
        task = context.store.tasks.by_id(task_id)
        lines = [board_line(context, b) for b in _fullest(context, some)]
        found.append({
            "task": tidy(task.name), "href": context.links("tasks", task.slug), "lines": lines,
        })  # fmt: skip
    return found


def sota_page(context: PageContext, page: int = 1) -> dict[str, Any]:
    """Every board with its best result."""
    shown = _fullest(context, context.boards())
    part, told = cut(len(shown), page, BOARDS)
    return {"sota": _by_task(context, shown[part]), "boards": len(shown), **told}


# tasks


def tasks_page(context: PageContext) -> dict[str, Any]:
    """The tree of tasks with counts of boards and papers."""
    store = context.store
    alive = {t.id: t for t in store.tasks.all()}
    below: dict[int, list[int]] = {}
    for r in store.db.all("SELECT parent_id, child_id FROM task_parent"):
        if r[0] in alive and r[1] in alive:
            below.setdefault(r[0], []).append(r[1])
    boards = Counter(b.task_id for b in context.boards())
    papers = {i: n for i, (_, n) in context.task_counts().items()}
    hung = {c for some in below.values() for c in some}

    def node(task: Task, above: tuple[int, ...]) -> dict[str, Any]:
        under = sorted((alive[i] for i in below.get(task.id, ())), key=lambda t: t.name.lower())
        deep = len(above) < _DEEPEST
        kids = [node(t, (*above, task.id)) for t in under if t.id not in above] if deep else []
        return {
            "name": tidy(task.name, 120),
            "href": context.links("tasks", task.slug),
            "text": task.description,
            "boards": boards[task.id],
            "papers": papers.get(task.id, 0),
            "below": sum(k["boards"] + k["below"] for k in kids),
            "kids": kids,
        }

    roots = sorted((t for i, t in alive.items() if i not in hung), key=lambda t: t.name.lower())
    return {"roots": [node(t, ()) for t in roots], "count": len(alive)}


def task_page(context: PageContext, task: Task) -> dict[str, Any]:
    """A task: its boards with their best, what hangs under it, papers."""
    store = context.store
    data = [d for d in store.datasets.of_task(task.id) if context.toy or not d.toy]
    whose, boards = _boards_for(context, task, data)
    return {
        "task": task,
        "parents": store.tasks.parents(task.id),
        "kids": store.tasks.children(task.id),
        "whose": whose,
        "lines": [board_line(context, b) for b in boards[: 5 * BOARDS]],
        "datasets": data,
        "papers": store.papers.of_task(task.id, limit=30),
    }


def _boards_for(
    context: PageContext, task: Task, data: Sequence[Dataset]
) -> tuple[str, list[Board]]:
    """A task's own boards; without any, those of the tasks below it, or of its data sets."""
    store = context.store
    own = context.shown(store.boards.of(task_id=task.id))
    if own:
        return "Benchmarks", own
    met, todo = {task.id}, [task]
    while todo:
        kids = [k for k in store.tasks.children(todo.pop().id) if k.id not in met]
        met |= {k.id for k in kids}
        todo += kids
    below = [b for i in sorted(met) for b in context.shown(store.boards.of(task_id=i))]
    if below:
        return "Benchmarks of the tasks below it", _fullest(context, below)
    some = [b for d in data for b in context.shown(store.boards.of(dataset_id=d.id))]
    return "Benchmarks on its data sets", _fullest(context, some)
