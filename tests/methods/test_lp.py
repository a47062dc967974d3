"""What the linear probe says about the C that it chose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from surefoot.context import RunContext
from surefoot.data.dataset import Task
from surefoot.evals.linear import fit_linear
from surefoot.methods.lp import LinearProbe, _said

from ..conftest import toy_model


def said(vals: Mapping[float, float]) -> str:
    """The note after a path of C with these accuracies on validation, the best of them chosen."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 3)).astype(np.float32), np.arange(20) % 2
    fit = fit_linear(x, y, classes=2, val_features=x, val_labels=y, c_path=(1.0,))
    best = max(vals, key=lambda c: (vals[c], -c))
    return _said(fit._replace(c=best, table=tuple({"c": c, "val": v} for c, v in vals.items())))


@pytest.mark.parametrize(
    ("vals", "words"),
    [
        (
            {0.001: 0.66, 1: 0.87, 3: 0.87, 10: 0.8725},
            "C = 10, the largest of 4 tried: 87.2 % on ID validation, 87.0 % at C = 3 beside it; "
            "a larger one might do better",
        ),
        (
            {0.001: 0.9, 0.01: 0.8, 0.1: 0.7},
            "C = 0.001, the smallest of 3 tried: 90.0 % on ID validation, 80.0 % at C = 0.01 "
            "beside it; a smaller one might do better",
        ),
        (
            {0.1: 0.5, 1: 0.9, 10: 0.9},
            "C = 1, the best on ID validation (90.0 %) of 3 from 0.1 to 10",
        ),
        ({0.1: 0.5}, "C = 0.1, the only one tried: 50.0 % on ID validation"),
    ],
)
def test_an_end_of_the_path_is_called_one(vals: Mapping[float, float], words: str) -> None:
    assert said(vals) == words


def test_people_are_told(task: Task) -> None:
    told: list[str] = []
    logged: list[Mapping[str, Any]] = []
    run = RunContext(tell=told.append, log=logged.append)
    LinearProbe(c_path=(1e-6, 1e-2, 1e-1)).fit(toy_model(), task, run=run)
    table = {row["c"]: row["val"] for row in logged if "c" in row}
    assert list(table) == [1e-6, 1e-2, 1e-1]
    assert told == [f"lp: {said(table)}"]
