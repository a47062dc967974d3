from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from surefoot.errors import DataError
from surefoot.evals.diagnose import disagreements, pick_examples
from surefoot.predictions import Predictions


def said(classes: list[int], labels: list[int] | None = None, name: str = "s") -> Predictions:
    n = len(classes)
    return Predictions(
        name,
        "OOD",
        np.eye(4, dtype=np.float32)[classes],
        np.array(labels if labels is not None else [0] * n, dtype=np.int64),
        tuple(f"{name}/{i}" for i in range(n)),
        ("ant", "bee", "cat", "dog"),
    )


def test_disagreements_are_all_of_them_or_a_seeded_draw() -> None:
    a, b = said([0, 1, 2, 3, 0, 1]), said([0, 1, 3, 3, 1, 2])
    c = said([0, 0, 2, 3, 0, 1])
    models = {"zero-shot": a, "ft": b, "wise": c}
    assert disagreements(models, 10).tolist() == [1, 2, 4, 5]
    picks = {tuple(disagreements(models, 2, seed).tolist()) for seed in range(40)}
    assert len(picks) == 6  # every pair comes up
    assert disagreements(models, 2, 3).tolist() == disagreements(models, 2, 3).tolist()
    assert disagreements({"a": a, "same": a}, 5).tolist() == []


def test_the_draw_does_not_prefer_images_where_one_model_is_right() -> None:
    g = np.random.default_rng(0)
    first, second = g.integers(0, 4, 400), g.integers(0, 4, 400)
    models = {"a": said(first.tolist()), "b": said(second.tolist())}
    differ = first != second
    helped = (second == 0) & differ
    rate = np.mean([helped[disagreements(models, 40, s)].mean() for s in range(50)])
    assert rate == pytest.approx(helped.sum() / differ.sum(), abs=0.03)


def test_examples_are_balanced_and_a_short_split_gives_its_share_away() -> None:
    many = {"a": said([0] * 50, name="many"), "b": said([1] * 50, name="many")}
    few = {"a": said([0] * 9, name="few"), "b": said([0] * 7 + [1, 1], name="few")}
    none = {"a": said([0] * 9, name="none"), "b": said([0] * 9, name="none")}
    picked = pick_examples({"many": many, "few": few, "none": none}, 8)
    assert [s for s, _ in picked] == ["many"] * 6 + ["few"] * 2
    assert [i for s, i in picked if s == "few"] == [7, 8]
    assert len(set(picked)) == 8
    assert pick_examples({"many": many, "few": few, "none": none}, 8) == picked
    assert len(pick_examples({"few": few}, 8)) == 2


def test_other_images() -> None:
    a = said([0, 1])
    with pytest.raises(DataError, match="'b' was evaluated on other images"):
        disagreements({"a": a, "b": replace(a, ids=("x", "y"))}, 2)
    with pytest.raises(DataError, match="at least two"):
        disagreements({"a": a}, 2)
