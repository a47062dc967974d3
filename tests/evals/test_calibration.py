from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from surefoot.errors import DataError
from surefoot.evals.calibration import calibrate, calibration, fit_temperature, reliability
from surefoot.metrics import get_metric
from surefoot.predictions import Predictions


def planted(temperature: float, n: int = 4000, seed: int = 0, name: str = "val") -> Predictions:
    """Labels drawn from softmax(logits / temperature): that temperature calibrates."""
    g = np.random.default_rng(seed)
    logits = g.normal(0, 2 * temperature, (n, 5)).astype(np.float32)
    p = softmax(logits.astype(float) / temperature, axis=1)
    labels = (p.cumsum(axis=1) < g.random((n, 1))).sum(axis=1)
    return Predictions(
        name, "ID", logits, labels.astype(np.int64), tuple(map(str, range(n))), tuple("abcde")
    )


@pytest.mark.parametrize("temperature", [0.4, 1.0, 6.0])
def test_the_planted_temperature_is_found(temperature: float) -> None:
    assert fit_temperature(planted(temperature)) == pytest.approx(temperature, rel=0.06)


def test_calibration_helps_where_it_should_and_keeps_the_top_class() -> None:
    val, test = planted(5.0), planted(5.0, seed=1, name="test")
    rows = calibration(val, [test])
    assert [r.split for r in rows] == ["val", "test"]
    assert rows[1].ece_scaled < 0.03 < 0.1 < rows[1].ece
    assert rows[1].nll_scaled < rows[1].nll
    scaled = calibrate(test, rows[0].temperature)
    assert np.array_equal(scaled.top1(), test.top1())
    assert rows[1].ece_scaled == pytest.approx(get_metric("ece")(scaled))


def test_reliability_sums_to_the_error() -> None:
    p = planted(3.0, n=500)
    bins = reliability(p)
    assert sum(b.n for b in bins) == 500
    gaps = [
        b.n * abs(b.accuracy - b.confidence)
        for b in bins
        if b.accuracy is not None and b.confidence is not None
    ]
    assert sum(gaps) / 500 == pytest.approx(get_metric("ece")(p))
    assert all((b.accuracy is None) == (b.n == 0) for b in bins)
    assert bins[0].n == 0  # five classes: the top one has at least 1/5


def test_bad_input() -> None:
    with pytest.raises(DataError, match="temperature is 0"):
        calibrate(planted(1.0, n=5), 0)
    p = planted(1.0, n=50)
    masked = Predictions("val", "ID", p.logits, p.labels, p.ids, p.class_names, classes=(0, 1))
    with pytest.raises(DataError, match="outside the classes"):
        fit_temperature(masked)
