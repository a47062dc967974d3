"""Effective robustness: accuracy under shift beyond what accuracy at home predicts."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special
from scipy import stats as sp

from ..errors import DataError
from .compared import About
from .comparison import compare
from .intervals import Interval

__all__ = ["BaselineLine", "fit_baseline", "logit", "robustness_difference",
           "robustness_interval"]  # fmt: skip

Floats = NDArray[np.float64]

ENOUGH_MODELS = 10
"""Through fewer a line has no interval."""


def logit(p: ArrayLike, *, n: ArrayLike | None = None) -> Floats:
    """log(p / (1 - p)), elementwise, finite everywhere.

    Args:
        p: Fractions in [0, 1].
        n: Images behind each: 0 and 1 are drawn in to half an image; without, to 1e-6.

    Raises:
        DataError: A value is outside [0, 1].

    Example:
        >>> sf.stats.logit([0.5]).tolist()
        [0.0]
    """
    values = np.asarray(p, dtype=np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise DataError("logit needs fractions", expected="values in [0, 1], not per cent")
    edge = 1e-6 if n is None else 0.5 / np.asarray(n, dtype=np.float64)
    clipped: Floats = np.clip(values, edge, 1 - edge)
    return np.asarray(special.logit(clipped), dtype=np.float64)


@dataclass(frozen=True)
class BaselineLine:
    """logit(OOD accuracy) = slope * logit(ID accuracy) + intercept.

    Taori et al. 2020 (arXiv 2007.00644), section 3, and WiSE-FT (arXiv 2109.01903), section 2.

    Attributes:
        slope: Logits per logit.
        intercept: OOD logit at ID accuracy one half.
        n: Models that it was fitted on.
        r2: Share of the variance of the OOD logits that it explains.
        edge: ID accuracies closer to 0 or 1 than this were drawn in to it.

    Example:
        >>> line = sf.stats.fit_baseline([0.6, 0.7, 0.8], [0.4, 0.5, 0.6])
        >>> round(float(line.slope), 3)
        0.824
    """

    slope: float
    intercept: float
    n: int
    r2: float
    edge: float = 1e-6

    def predict(self, id_acc: ArrayLike) -> Floats:
        """ID accuracies -> OOD accuracies that a model of the baseline family would have."""
        x = logit(id_acc, n=0.5 / self.edge)
        return np.asarray(special.expit(self.slope * x + self.intercept))

    def effective_robustness(self, id_acc: ArrayLike, ood_acc: ArrayLike) -> Floats:
        """OOD accuracy minus the prediction from ID accuracy; fractions."""
        return np.asarray(ood_acc, dtype=np.float64) - self.predict(id_acc)


def fit_baseline(
    id_acc: ArrayLike, ood_acc: ArrayLike, *, n: tuple[int, int] | None = None
) -> BaselineLine:
    """Least squares on logit axes through models trained without extra data.

    Accuracies of 0 and 1 have no logit: they are drawn in to half an image. (A model that a set
    was chosen against, as ResNet-50 was for ImageNet-A, has 0.0 there; at a fixed 1e-6 it alone
    would turn the line.)

    Args:
        id_acc: (m,) fractions.
        ood_acc: (m,) fractions, the same models.
        n: Images of the ID and of the OOD set. Without, half an image is taken to be half of the
            smallest distance to 0 or 1 that any of the accuracies has.

    Raises:
        DataError: Fewer than two models with different ID accuracy.

    Example:
        >>> line = sf.stats.fit_baseline([0.6, 0.7, 0.8], [0.4, 0.5, 0.6])
        >>> round(float(line.slope), 3)
        0.824
    """
    xs, ys = np.ravel(np.asarray(id_acc, float)), np.ravel(np.asarray(ood_acc, float))
    edges = (_edge(xs), _edge(ys)) if n is None else (0.5 / n[0], 0.5 / n[1])
    x, y = (logit(v, n=0.5 / edge) for v, edge in zip((xs, ys), edges, strict=True))
    if len(x) != len(y) or len(np.unique(x)) < 2:
        raise DataError(
            f"a baseline line cannot be fitted on {len(x)} ID and {len(y)} OOD accuracies",
            expected="at least two models of different ID accuracy, both numbers of each",
        )
    slope, intercept = np.polyfit(x, y, 1)
    spread = float(((y - y.mean()) ** 2).sum())
    rest = float(((y - slope * x - intercept) ** 2).sum())
    r2 = 1 - rest / spread if spread else 1.0
    return BaselineLine(float(slope), float(intercept), len(x), r2, edges[0])


def _images(values: Floats) -> int:
    """As many images as make :func:`_edge` half of one."""
    return max(round(0.5 / _edge(values)), 1)


def _edge(values: Floats) -> float:
    """Half of the smallest distance to 0 or 1 that is not zero; 1e-6 where all are at the ends.

    At most half of a point: another model's accuracy may lie nearer to 1 than any of these.
    """
    away = np.minimum(values, 1 - values)
    return min(float(away[away > 0].min()) / 2, 0.005) if (away > 0).any() else 1e-6


def robustness_interval(
    id_acc: ArrayLike,
    ood_acc: ArrayLike,
    model_id: tuple[float, float],
    model_ood: tuple[float, float],
    *,
    n: tuple[int, int] | None = None,
    level: float = 0.95,
) -> Interval:
    """The interval of one model's effective robustness, in closed form.

    The error of the line at the model's ID accuracy (heteroscedasticity-consistent, HC3), that of
    the ID accuracy through the line, and that of the accuracy under shift; Student's t with
    Satterthwaite's degrees of freedom, since tables of few models tell little about the line.

    Args:
        id_acc: (m,) fractions of the baseline models.
        ood_acc: (m,) fractions, the same models.
        model_id: The model's ID accuracy and its standard error, fractions.
        model_ood: Its accuracy under shift and its standard error, fractions.
        n: Images of the two sets, as :func:`fit_baseline` takes them.
        level: Coverage aimed at.

    Returns:
        Kind "none" for fewer than :data:`ENOUGH_MODELS` baseline models.

    Raises:
        DataError: Fewer than two models with different ID accuracy.

    Example:
        >>> id_acc = np.linspace(0.4, 0.9, 30)
        >>> ends = (0.65, 0.75), (0.55, 0.65)
        >>> interval = sf.stats.robustness_interval(id_acc, id_acc - 0.2, *ends)
        >>> interval.low < 0.1 < interval.high
        True
    """
    xs, ys = np.ravel(np.asarray(id_acc, float)), np.ravel(np.asarray(ood_acc, float))
    sizes = n or (_images(xs), _images(ys))
    line = fit_baseline(xs, ys, n=sizes)
    if len(xs) < ENOUGH_MODELS:
        return Interval.none(f"a line through {len(xs)} models tells too little")
    x, y = logit(xs, n=sizes[0]), logit(ys, n=sizes[1])
    at = float(logit(model_id[0], n=sizes[0]))
    lever = 1 / len(x) + (x - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum()
    weight = 1 / len(x) + (at - x.mean()) * (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    left = (y - line.slope * x - line.intercept) / (1 - np.minimum(lever, 0.99))
    of_line = float(((weight * left) ** 2).sum())
    share = float(special.expit(at))
    of_home = (line.slope * model_id[1] / (share * (1 - share))) ** 2
    said = float(line.predict(model_id[0]))
    steep = (said * (1 - said)) ** 2
    total = steep * (of_line + of_home) + model_ood[1] ** 2
    dof = total**2 * (len(x) - 2) / (steep * of_line) ** 2 if of_line > 0 else np.inf
    half = float(sp.t.ppf((1 + level) / 2, dof)) * total**0.5
    value = model_ood[0] - said
    return Interval(value - half, value + half, "t")


def robustness_difference(
    line: BaselineLine,
    a: tuple[ArrayLike, ArrayLike],
    b: tuple[ArrayLike, ArrayLike],
    units: tuple[ArrayLike | None, ArrayLike | None] = (None, None),
    *,
    about: About | None = None,
    level: float = 0.95,
) -> Interval:
    """The interval of a's effective robustness minus b's, above one line that is taken as given.

    Both models are asked the same images, and the line's error is nearly the same for both: it
    cancels but for the part that the difference of their ID accuracies leaves.

    Args:
        line: The baseline.
        a: Right or wrong on ID images and under shift, each (seeds, images) or (images,).
        b: Likewise, on the same images.
        units: Labels of what hangs together, of both sets of images.
        about: As :func:`~surefoot.stats.compare` has it.
        level: Coverage aimed at.

    Example:
        >>> id_acc = np.linspace(0.4, 0.9, 30)
        >>> line = sf.stats.fit_baseline(id_acc, id_acc - 0.2)
        >>> many_a, many_b = np.tile(a, 50), np.tile(b, 50)
        >>> sf.stats.robustness_difference(line, (many_b, many_a), (many_b, many_b)).low > 0
        True
    """
    labels = {"id": units[0], "ood": units[1]}
    found = compare(_above(line, a), _above(line, b), labels, about=about, level=level)
    return replace(found.interval, low=2 * found.interval.low, high=2 * found.interval.high)


def _above(line: BaselineLine, side: tuple[ArrayLike, ArrayLike]) -> dict[str, Floats]:
    """Numbers per image whose two means add up to the effective robustness, to first order."""
    home, away = (np.atleast_2d(np.asarray(v, dtype=np.float64)) for v in side)
    rate = home.mean(axis=1, keepdims=True)
    said = line.predict(rate)
    room = np.clip(rate, line.edge, 1 - line.edge)
    steep = line.slope * said * (1 - said) / (room * (1 - room))
    return {"id": -(said + steep * (home - rate)), "ood": away}
