"""Directions of metrics: declared, inferred, unknown."""

from __future__ import annotations

import pytest

from surefoot.board import BoardError
from surefoot.board.store.metrics import built_in, infer


@pytest.mark.parametrize("name", ["Top-1 Accuracy", "top-1 accuracy", "FID", "Macro F1"])
def test_declared_in_any_case(name):
    assert infer(name).known_from == "declared"
    assert infer(name).name == name


@pytest.mark.parametrize(
    ("name", "direction"),
    [
        ("Word Error Rate (error)", "lower"),
        ("Test perplexity", "lower"),
        ("Overall Accuracy", "higher"),
        ("F1-score (micro)", "higher"),
        ("Recall@10", "higher"),
        ("mAP", "higher"),
    ],
)
def test_inferred_from_words(name, direction):
    assert infer(name).direction == direction
    assert infer(name).ranked


@pytest.mark.parametrize(
    "name",
    ["Params", "Number of params", "Accuracy drop", "Error reduction", "PSNR gap", "Score", "",
     "Accuracy error", "GFLOPs", "Inference time"],
)  # fmt: skip
def test_unknown_is_never_ranked(name):
    metric = infer(name)
    assert (metric.direction, metric.known_from) == ("unknown", "unknown")
    assert not metric.ranked


def test_what_a_board_declares_wins_and_has_a_history(store):
    assert not store.metrics.get("Params").ranked
    store.metrics.declare("Params", "lower", why="fewer is better here")
    assert store.metrics.get("params").direction == "lower"
    assert store.metrics.get("params").known_from == "declared"
    store.metrics.declare("FID", "unknown", why="this table mixes two of them")
    assert not store.metrics.get("FID").ranked
    assert [r.note for r in store.history("metric")] == [
        "fewer is better here",
        "this table mixes two of them",
    ]


def test_a_wrong_direction_is_refused(store):
    with pytest.raises(BoardError, match="'up' is no direction of 'X'"):
        store.metrics.declare("X", "up")


def test_every_built_in_metric_has_a_direction():
    assert len(built_in()) > 20
    assert all(m.ranked for m in built_in().values())
