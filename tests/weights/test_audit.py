"""Every problem at once, each named."""

from __future__ import annotations

import math

import pytest
import torch

from surefoot.errors import WeightsError
from surefoot.weights import audit, require_compatible


def good() -> dict[str, torch.Tensor]:
    return {"a": torch.ones(2, 3), "b": torch.zeros(4), "n": torch.tensor(3)}


def test_weights_that_fit_have_no_problems():
    assert audit(good(), good()) == []
    require_compatible(good(), good())
    assert audit({}, {}) == []
    assert audit({"e": torch.empty(0, 3)}, {"e": torch.empty(0, 3)}) == []


def test_all_problems_are_listed_at_once():
    x = {**good(), "only_x": torch.ones(1), "h": torch.ones(2).half(), "w": torch.ones(1, 3)}
    y = {**good(), "only_y": torch.ones(5), "h": torch.ones(2), "w": torch.ones(4, 3)}
    y["a"] = torch.full((2, 3), math.nan)
    y["b"] = torch.tensor([0, math.inf, 0, -math.inf])
    with pytest.raises(WeightsError) as caught:
        require_compatible(x, y, first="the start", second="the end")
    for part in (
        "'only_x' (1,) is in the start only",
        "'only_y' (5,) is in the end only",
        "'h' is float16 in the start and float32 in the end",
        "'w' has the shape (1, 3) in the start and (4, 3) in the end",
        "'a' holds 6 NaN in the end",
        "'b' holds 2 Inf in the end",
    ):
        assert part in str(caught.value)
    assert len(audit(x, y)) == 6


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.zeros(2, dtype=torch.complex64), "is complex"),
        (torch.zeros(2, dtype=torch.float8_e4m3fn), "is quantised (float8_e4m3fn)"),
        (torch.zeros(2, device="meta"), "has no data"),
        (torch.eye(2).to_sparse(), "is sparse"),
    ],
)
def test_tensors_that_cannot_be_mixed(tensor, message):
    problems = audit({"x": tensor}, {"x": tensor})
    assert len(problems) == 2
    assert all(message in p for p in problems)


def test_nan_is_refused_even_where_both_are_equal_and_an_equal_infinity_is_not():
    nan = {"x": torch.tensor([math.nan])}
    mask = {"x": torch.tensor([0.0, -math.inf])}
    assert len(audit(nan, nan)) == 2
    assert audit(mask, {"x": mask["x"].clone()}) == []
    assert "1 Inf in the first set" in audit(mask, {"x": torch.zeros(2)})[0]


def test_names_shapes_and_dtypes_alone():
    bad = {"x": torch.tensor([math.nan])}
    assert audit(bad, bad, values=False) == []


def test_a_long_list_is_counted():
    many = {f"layer.{i:03}": torch.zeros(1) for i in range(50)}
    with pytest.raises(WeightsError, match="and 30 more"):
        require_compatible(many, {})
    assert len(audit(many, {})) == 50
