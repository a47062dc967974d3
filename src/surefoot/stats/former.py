"""Names of before, for one release: each warns and asks what took its place."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .compared import Comparison
from .comparison import compare
from .intervals import Interval
from .ranking import Ranking, rank
from .robustness import robustness_interval
from .shown import interval_of_mean
from .spread import join_units

__all__ = [
    "bootstrap",
    "cluster_bootstrap",
    "combine_mean",
    "crossed_difference",
    "distance_interval",
    "paired_difference",
    "ties",
]

Statistic = Callable[[NDArray[np.float64]], float]
Labels = Sequence[ArrayLike | None] | None


def _warn(old: str, new: str) -> None:
    warnings.warn(
        f"surefoot.stats.{old} goes with the next release: call surefoot.{new}",
        DeprecationWarning,
        stacklevel=3,
    )


def paired_difference(
    correct_a: ArrayLike,
    correct_b: ArrayLike,
    level: float = 0.95,
    clusters: ArrayLike | None = None,
) -> Comparison:
    """:func:`~surefoot.stats.compare` two trained models on one split."""
    _warn("paired_difference", "stats.compare")
    return compare({"": correct_a}, {"": correct_b}, {"": clusters}, about="models", level=level)


def crossed_difference(
    differences: Sequence[ArrayLike], clusters: Labels = None, level: float = 0.95
) -> Comparison:
    """:func:`~surefoot.stats.compare` two methods; differences are 1, 0 and -1."""
    _warn("crossed_difference", "stats.compare")
    rows = {str(i): np.asarray(d) for i, d in enumerate(differences)}
    a, b = ({k: way * d > 0 for k, d in rows.items()} for way in (1, -1))
    return compare(a, b, _apart(clusters), level=level)


def ties(
    correct: Mapping[str, ArrayLike], level: float = 0.95, clusters: ArrayLike | None = None
) -> Ranking:
    """:func:`~surefoot.stats.rank` trained models on one split; ``p`` has every pair."""
    _warn("ties", "stats.rank")
    models = {name: {"": row} for name, row in correct.items()}
    return rank(models, {"": clusters}, about="models", level=level)


def combine_mean(
    values: Sequence[ArrayLike],
    *,
    paired: bool = False,
    clusters: Labels = None,
    samples: int = 0,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, Interval]:
    """The mean over splits, and :func:`~surefoot.stats.interval_of_mean`; nothing is drawn."""
    _warn("combine_mean", "stats.interval_of_mean")
    rows = {str(i): np.asarray(v, dtype=np.float64) for i, v in enumerate(values)}
    units = {k: np.arange(len(v)) for k, v in rows.items()} if paired else _apart(clusters)
    value = float(np.mean([row.mean() for row in rows.values()])) if rows else np.nan
    return value, interval_of_mean(rows, units, level=level)


def _apart(clusters: Labels) -> dict[str, ArrayLike | None]:
    """Labels that were those of one split alone."""
    return {str(i): None if c is None else np.array([f"{i}/{x}" for x in np.asarray(c)])
            for i, c in enumerate(clusters or ())}  # fmt: skip


def bootstrap(
    statistic: Statistic, n: int, *, samples: int = 1000, seed: int = 0, level: float = 0.95
) -> Interval:
    """Percentiles over resamples of n images; no interval of anything but a mean is known."""
    _warn("bootstrap", "metrics.interval")
    return _percentiles(statistic, np.arange(n), samples, seed, level)


def cluster_bootstrap(
    values: ArrayLike | Statistic,
    clusters: ArrayLike,
    *,
    samples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Interval:
    """:func:`~surefoot.stats.interval_of_mean` over units; of a statistic, percentiles."""
    _warn("cluster_bootstrap", "stats.interval_of_mean")
    if not callable(values):
        return interval_of_mean({"": values}, {"": clusters}, level=level).within(*bounds)
    (codes,), _ = join_units([len(np.asarray(clusters))], [clusters])
    return _percentiles(values, codes, samples, seed, level).within(*bounds)


def _percentiles(
    statistic: Statistic, codes: NDArray[np.int64], samples: int, seed: int, level: float
) -> Interval:
    """Between the percentiles of a statistic of how often each image's unit was drawn."""
    units, rng = int(codes.max()) + 1, np.random.default_rng(seed)
    drawn = rng.multinomial(units, np.full(units, 1 / units), size=samples).astype(np.float64)
    found = np.array([statistic(row[codes]) for row in drawn])
    there = found[np.isfinite(found)]
    if 2 * len(there) <= samples or np.ptp(there) < 1e-12:
        return Interval.none("the resamples do not differ, or have no value")
    low, high = np.quantile(there, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), "bootstrap")


def distance_interval(
    id_acc: ArrayLike,
    ood_acc: ArrayLike,
    model_id: tuple[float, float],
    model_ood: tuple[float, float],
    *,
    n: tuple[int, int] | None = None,
    samples: int = 0,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """:func:`~surefoot.stats.robustness_interval`; nothing is drawn."""
    _warn("distance_interval", "stats.robustness_interval")
    return robustness_interval(id_acc, ood_acc, model_id, model_ood, n=n, level=level)
