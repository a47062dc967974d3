"""The interval of a metric, and of the difference of two models in it; where there is none, why.

Which form belongs to which metric, and how often each covers the truth in simulation:
docs/statistics.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..stats import About, Interval, compare, interval_of_mean, lowest
from .base import Columns, Metric
from .calibration import ece_difference, ece_interval
from .influence import classes_thin, pseudo_values

__all__ = ["difference_interval", "interval", "units_of_lines"]

_SMOOTH = ("per_class", "macro_f1")


def interval(
    metric: Metric,
    seeds: Sequence[Columns],
    units: ArrayLike | None = None,
    *,
    seeds_drawn: bool = False,
    level: float = 0.95,
) -> Interval:
    """The interval of a metric on one split.

    Args:
        metric: Any of the table; one that is no mean, and that surefoot does not know, has none.
        seeds: Columns of every seed, as ``metric.of`` gives them; the value is their mean.
        units: Labels (images,) of what hangs together.
        seeds_drawn: Other seeds are part of the question; one seed then gives no interval.
        level: Coverage aimed at.
    """
    kind, labels = metric.name.partition(":")[0], units_of_lines(seeds[0], units)
    if kind == "worst_group":
        return _worst(seeds, labels, seeds_drawn, level)
    if kind == "ece":
        return ece_interval(seeds, labels, level) if not seeds_drawn else _no_seeds(kind)
    if kind in _SMOOTH and (why := classes_thin(seeds[0])):
        return Interval.none(why)
    if kind not in _SMOOTH and not metric.mean_of_images:
        return Interval.none(f"no interval of {kind} is known to cover")
    rows = np.stack([pseudo_values(metric, c) for c in seeds])
    found = interval_of_mean({"": rows}, {"": labels}, seeds_drawn=seeds_drawn, level=level)
    return found.within(*metric.bounds)


def difference_interval(
    metric: Metric,
    a: Sequence[Columns],
    b: Sequence[Columns],
    units: ArrayLike | None = None,
    *,
    seeds_drawn: bool = False,
    level: float = 0.95,
) -> Interval:
    """The interval of a's value minus b's on the same images; as :func:`interval` otherwise."""
    kind, labels = metric.name.partition(":")[0], units_of_lines(a[0], units)
    if kind == "worst_group":
        return _worst_difference(a, b, labels, seeds_drawn, level)
    if kind == "ece":
        return ece_difference(a, b, labels, level) if not seeds_drawn else _no_seeds(kind)
    if kind in _SMOOTH and (why := classes_thin(a[0])):
        return Interval.none(why)
    if kind not in _SMOOTH and not metric.mean_of_images:
        return Interval.none(f"no interval of a difference in {kind} is known to cover")
    left, right = (np.stack([pseudo_values(metric, c) for c in side]) for side in (a, b))
    about: About = "methods" if seeds_drawn else "models"
    return compare({"": left}, {"": right}, {"": labels}, about=about, level=level).interval


def _no_seeds(kind: str) -> Interval:
    return Interval.none(f"{kind} over other seeds has no interval that is known to cover")


def units_of_lines(columns: Columns, units: ArrayLike | None) -> NDArray[Any] | None:
    """The unit of every line (m,) from those of images (n,): an anchor's is that of its image."""
    labels = None if units is None else np.asarray(units)
    return labels[columns["row"]] if labels is not None and "row" in columns else labels


def _groups(columns: Columns) -> list[NDArray[np.int64]]:
    """Images of every group that counts."""
    group, counts = columns["group"], np.asarray(columns["counts"], dtype=np.bool_)
    return [np.flatnonzero((group == g) & counts) for g in np.unique(group[counts])]


def _worst(
    seeds: Sequence[Columns], labels: NDArray[Any] | None, drawn: bool, level: float
) -> Interval:
    """From the groups' own intervals, Bonferroni at the upper end.

    Several seeds are averaged within each group, so that it is the group that methods serve worst.
    """
    parts = _groups(seeds[0])
    strict = 1 - (1 - level) / len(parts)
    rows = np.stack([c["value"] for c in seeds])
    found = []
    for at in parts:
        units = None if labels is None else {"": labels[at]}
        pair = [interval_of_mean({"": rows[:, at]}, units, seeds_drawn=drawn, level=each)
                for each in (level, strict)]  # fmt: skip
        found.append((pair[0], pair[1]))
    return lowest(found)


def _worst_difference(
    a: Sequence[Columns],
    b: Sequence[Columns],
    labels: NDArray[Any] | None,
    drawn: bool,
    level: float,
) -> Interval:
    """The difference of two minima lies between the least and the greatest difference."""
    parts = _groups(a[0])
    left, right = (np.stack([c["value"] for c in side]) for side in (a, b))
    about: About = "methods" if drawn else "models"
    strict = 1 - (1 - level) / len(parts)
    found = [
        compare({"": left[:, at]}, {"": right[:, at]},
                None if labels is None else {"": labels[at]}, about=about, level=strict).interval
        for at in parts
    ]  # fmt: skip
    if not all(found):
        return Interval.none(next(i.reason for i in found if not i))
    return Interval(min(i.low for i in found), max(i.high for i in found), "bonferroni")
