"""What rows of a report answered, image by image, as the tests of pairs take it. No torch here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..metrics import Metric, get_metric, pseudo_values
from ..metrics.base import Columns
from ..predictions import Predictions
from ..runs import Run
from ..stats import About
from .view import Entry

__all__ = ["Answers", "Pairable", "answers_of", "pairable"]

Floats = NDArray[np.float64]
Labels = NDArray[Any]


@dataclass(frozen=True)
class Answers:
    """One row of a report on one split, seed by seed.

    Attributes:
        split: Its name.
        metric: The split's own.
        columns: Per seed, what the metric is made of.
        rows: Per seed (lines,): right or wrong, or pseudo-values of the metric, turned so that
            more is better; () where it is no smooth function of images (a worst group).
        images: Per seed, who the images are and what their labels are, whatever their order.
        units: Per seed, labels (images,) of what hangs together; None: every image is on its own.
    """

    split: str
    metric: str
    columns: tuple[Columns, ...]
    rows: tuple[Floats, ...]
    images: tuple[bytes, ...]
    units: tuple[Labels | None, ...]


def answers_of(entry: Entry, split: str) -> Answers | None:
    """Of one row on one split; None where predictions of any seed were not kept."""
    kept = [_found(run, split, alpha) for run, alpha in entry.sources.get(split, ())]
    parts = [_in_order(p) for p in kept if p is not None]
    if not parts or len(parts) != len(kept):
        return None
    metric = get_metric(parts[0][0].metric)
    columns = tuple(metric.of(p) for p, _ in parts)
    return Answers(split, metric.name, columns, _rows(metric, columns),
                   tuple(who for _, who in parts), tuple(p.units() for p, _ in parts))  # fmt: skip


@dataclass(frozen=True)
class Pairable:
    """Rows that can be tested in pairs.

    Attributes:
        rights: Row -> split -> (seeds, lines), as :func:`surefoot.stats.rank` takes it.
        units: Split -> labels (lines,), or None.
        about: "models" where every seed has images of its own, which seeds cannot be crossed with.
    """

    rights: Mapping[str, Mapping[str, Floats]]
    units: Mapping[str, Labels | None]
    about: About | None = None


def pairable(read: Mapping[str, Answers]) -> Pairable:
    """The rows that are of the same images as most; others are left out.

    Seeds are matched in their order; where some row has fewer, only so many of each count. A
    single model stands beside several seeds.
    """
    read = {k: a for k, a in read.items() if a.rows}
    if not read:
        return Pairable({}, {})
    shared = Counter(a.images[0] for a in read.values()).most_common(1)[0][0]
    read = {k: a for k, a in read.items() if a.images[0] == shared}
    first = max(read.values(), key=lambda a: len(a.rows))
    if len(set(first.images)) == 1:
        read = {k: a for k, a in read.items() if set(a.images) == {shared}}
        least = min((len(a.rows) for a in read.values() if len(a.rows) > 1), default=1)
        rights = {k: {a.split: np.stack(a.rows[:least])} for k, a in read.items()}
        return Pairable(rights, {first.split: _of_lines(first, 0)})
    read = {k: a for k, a in read.items() if a.images == first.images}
    names = [f"{first.split} of seed {i}" for i in range(len(first.images))]
    each = {k: dict(zip(names, (row[None] for row in a.rows), strict=True))
            for k, a in read.items()}  # fmt: skip
    return Pairable(each, {n: _of_lines(first, i) for i, n in enumerate(names)}, "models")


def _of_lines(a: Answers, seed: int) -> Labels | None:
    """Units of lines: an anchor's is that of its image."""
    units, columns = a.units[seed], a.columns[seed]
    return units[columns["row"]] if units is not None and "row" in columns else units


def _found(run: Run, split: str, alpha: float | None) -> Predictions | None:
    """Predictions at an alpha; the ends are also kept under their other names."""
    names: tuple[float | None, ...] = {None: (None, 1.0), 1.0: (1.0, None)}.get(alpha, (alpha,))
    if alpha is None and run.facts.get("method") == "zero-shot":
        names = (None, 0.0)
    kept = (run.predictions(split, a, run.facts.get("evaluator", "head")) for a in names)
    return next((p for p in kept if p is not None), None)


def _in_order(p: Predictions) -> tuple[Predictions, bytes]:
    """The same in an order that depends on the images alone, and what says which they are."""
    order, who = _order(p)
    p = replace(p, logits=p.logits[order], labels=p.labels[order],
                ids=tuple(p.ids[i] for i in order),
                metadata={k: v[order] for k, v in p.metadata.items()})  # fmt: skip
    return p, who + p.labels.tobytes() + p.metric.encode()


def _rows(metric: Metric, columns: Sequence[Columns]) -> tuple[Floats, ...]:
    """Lines of every seed; () where the metric has none."""
    turn = -1 if metric.direction == "min" else 1
    try:
        return tuple(turn * pseudo_values(metric, c) for c in columns)
    except DataError:
        return ()


def _order(p: Predictions) -> tuple[NDArray[np.int64], bytes]:
    """Rows by content, copies as they stand; by name where content was not kept."""
    if p.identities is None:
        return np.arange(len(p.ids)), "\n".join(p.ids).encode()
    order = p.identities.view((np.void, 32))[:, 0].argsort(kind="stable")
    return order, p.identities[order].tobytes()
