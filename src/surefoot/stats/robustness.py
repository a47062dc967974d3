"""Effective robustness: accuracy under shift beyond what accuracy at home predicts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from ..errors import DataError
from .intervals import Interval

__all__ = ["BaselineLine", "distance_interval", "fit_baseline", "logit"]

Floats = NDArray[np.float64]


def logit(p: ArrayLike, *, n: ArrayLike | None = None) -> Floats:
    """log(p / (1 - p)), elementwise, finite everywhere.

    Args:
        p: Fractions in [0, 1].
        n: Images behind each: 0 and 1 are drawn in to half an image; without, to 1e-6.

    Raises:
        DataError: A value is outside [0, 1].
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
    """

    slope: float
    intercept: float
    n: int
    r2: float

    def predict(self, id_acc: ArrayLike) -> Floats:
        """ID accuracies -> OOD accuracies that a model of the baseline family would have."""
        return np.asarray(special.expit(self.slope * logit(id_acc) + self.intercept))

    def effective_robustness(self, id_acc: ArrayLike, ood_acc: ArrayLike) -> Floats:
        """OOD accuracy minus the prediction from ID accuracy; fractions."""
        return np.asarray(ood_acc, dtype=np.float64) - self.predict(id_acc)


def fit_baseline(id_acc: ArrayLike, ood_acc: ArrayLike) -> BaselineLine:
    """Least squares on logit axes through models trained without extra data.

    Args:
        id_acc: (m,) fractions.
        ood_acc: (m,) fractions, the same models.

    Raises:
        DataError: Fewer than two models with different ID accuracy.
    """
    x, y = logit(np.ravel(id_acc)), logit(np.ravel(ood_acc))
    if len(x) != len(y) or len(np.unique(x)) < 2:
        raise DataError(
            f"a baseline line cannot be fitted on {len(x)} ID and {len(y)} OOD accuracies",
            expected="at least two models of different ID accuracy, both numbers of each",
        )
    slope, intercept = np.polyfit(x, y, 1)
    spread = float(((y - y.mean()) ** 2).sum())
    rest = float(((y - slope * x - intercept) ** 2).sum())
    r2 = 1 - rest / spread if spread else 1.0
    return BaselineLine(float(slope), float(intercept), len(x), r2)


def distance_interval(
    id_acc: ArrayLike,
    ood_acc: ArrayLike,
    model_id: tuple[float, float],
    model_ood: tuple[float, float],
    *,
    samples: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """The interval of one model's effective robustness: of the line and of the model together.

    The baseline models are resampled and the line fitted anew; the model's two accuracies are
    drawn around what was measured, independently of each other (they are of different images).

    Args:
        id_acc: (m,) fractions of the baseline models.
        ood_acc: (m,) fractions, the same models.
        model_id: The model's ID accuracy and its standard error, fractions.
        model_ood: Its accuracy under shift and its standard error, fractions.
        samples: Draws.
        seed: Of them.
        level: Between the two percentiles.

    Raises:
        DataError: Fewer than two models with different ID accuracy.
    """
    x, y = np.ravel(np.asarray(id_acc, float)), np.ravel(np.asarray(ood_acc, float))
    fit_baseline(x, y)
    generator = np.random.default_rng(seed)
    found: list[float] = []
    while len(found) < samples:
        at = generator.integers(0, len(x), len(x))
        if len(np.unique(x[at])) < 2:
            continue  # a draw of one model only has no line
        line = fit_baseline(x[at], y[at])
        at_home, away = (
            float(np.clip(generator.normal(*pair), 0, 1)) for pair in (model_id, model_ood)
        )
        found.append(float(line.effective_robustness(at_home, away)))
    tail = (1 - level) / 2
    low, high = np.quantile(found, [tail, 1 - tail])
    return Interval(float(low), float(high), "bootstrap")
