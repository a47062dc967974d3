"""Metrics against scikit-learn, torchmetrics' definitions by hand, and loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss, top_k_accuracy_score

from surefoot.errors import DataError, UnknownName
from surefoot.metrics import METRICS, get_metric, per_class_accuracy
from surefoot.predictions import Predictions


def made(
    logits: np.ndarray,
    labels: np.ndarray,
    classes: tuple[int, ...] | None = None,
    **metadata: np.ndarray,
) -> Predictions:
    return Predictions(
        split="s",
        domain="OOD",
        logits=np.asarray(logits, dtype=np.float32),
        labels=np.asarray(labels, dtype=np.int64),
        ids=tuple(str(i) for i in range(len(labels))),
        class_names=tuple(f"c{i}" for i in range(np.shape(logits)[1])),
        classes=classes,
        metadata=metadata,
    )


def random_predictions(seed: int, n: int = 200, c: int = 7) -> Predictions:
    g = np.random.default_rng(seed)
    labels = g.integers(0, c - 1, n)  # the last class never occurs
    logits = g.normal(size=(n, c))
    logits[np.arange(n), labels] += 1
    return made(logits, labels, region=g.choice(["asia", "europe", "africa"], n))


@given(st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_parity_with_scikit_learn(seed: int) -> None:
    p = random_predictions(seed)
    said, labels = p.top1(), p.labels
    assert get_metric("top1")(p) == pytest.approx((said == labels).mean())
    there = np.unique(labels)
    assert get_metric("macro_f1")(p) == pytest.approx(
        f1_score(labels, said, average="macro", labels=there)
    )
    keep = np.isin(labels, there)
    recalls = [float((said[labels == c] == c).mean()) for c in there]
    assert get_metric("per_class")(p) == pytest.approx(np.mean(recalls))
    assert keep.all()
    probabilities = np.exp(p.logits.astype(float))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    assert get_metric("nll")(p) == pytest.approx(log_loss(labels, probabilities, labels=range(7)))
    assert get_metric("top5")(p) == pytest.approx(
        top_k_accuracy_score(labels, p.logits, k=5, labels=range(7))
    )


def test_per_class_is_balanced_accuracy_where_every_class_occurs() -> None:
    g = np.random.default_rng(0)
    labels = np.arange(60) % 5
    p = made(g.normal(size=(60, 5)), labels)
    assert get_metric("per_class")(p) == pytest.approx(balanced_accuracy_score(labels, p.top1()))


@given(st.integers(0, 10_000), st.sampled_from(METRICS.names()))
@settings(max_examples=40, deadline=None)
def test_weights_equal_repeated_images(seed: int, name: str) -> None:
    """A weight of 2 is the image twice, of 0 not at all: what the bootstrap relies on."""
    p = random_predictions(seed, n=40)
    g = np.random.default_rng(seed + 1)
    index = g.integers(0, 40, 40)
    weights = np.bincount(index, minlength=40).astype(float)
    again = made(p.logits[index], p.labels[index], region=p.metadata["region"][index])
    metric = get_metric(name)
    assert metric.reduce(metric.of(p), weights) == pytest.approx(metric(again))


def test_top1_ties_go_to_the_lowest_class_and_masked_classes_never_win() -> None:
    p = made([[1, 1, 0], [0, 5, 1], [0, 0, 0]], [0, 2, 1], classes=None)
    assert get_metric("top1")(p) == pytest.approx(1 / 3)
    masked = made([[1, 1, 0], [0, 5, 1], [0, 0, 0]], [0, 2, 0], classes=(0, 2))
    assert get_metric("top1")(masked) == 1.0


def test_top5_ties_and_masks() -> None:
    flat = made(np.zeros((7, 7)), np.arange(7))
    assert get_metric("top5")(flat) == pytest.approx(5 / 7)
    masked = made(np.arange(7.0)[None].repeat(3, 0), [0, 1, 2], classes=(0, 1, 2))
    assert get_metric("top5")(masked) == 1.0


def test_absent_classes_are_missing_not_zero() -> None:
    p = made(np.eye(4)[[0, 0, 1, 3]], [0, 0, 1, 1])
    columns = get_metric("per_class").of(p)
    accuracy = per_class_accuracy(columns, np.ones(4))
    assert accuracy[:2].tolist() == [1.0, 0.5]
    assert np.isnan(accuracy[2:]).all()
    assert get_metric("per_class")(p) == 0.75


def test_worst_group_names_its_column() -> None:
    p = made(np.eye(2)[[0, 0, 1, 1]], [0, 0, 1, 0], region=np.array(["a", "a", "b", "b"]))
    assert get_metric("worst_group")(p) == 0.5
    assert get_metric("worst_group:region")(p) == 0.5
    two = made(np.eye(2), [0, 0], region=np.array(["a", "b"]), year=np.array([1, 2]))
    with pytest.raises(DataError, match="region, year"):
        get_metric("worst_group")(two)
    assert get_metric("worst_group:year")(two) == 0.0
    with pytest.raises(DataError, match="'regio'"):
        get_metric("worst_group:regio")(two)


def test_empty_groups_do_not_count() -> None:
    p = made(np.eye(2)[[0, 0, 1]], [0, 1, 1], g=np.array([1, 7, 3]))
    metric = get_metric("worst_group")
    assert metric.reduce(metric.of(p), np.array([1.0, 0.0, 1.0])) == 1.0


def test_ece_against_a_loop() -> None:
    p = random_predictions(3, n=500)
    z = p.logits.astype(float)
    q = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    confidence, right = q.max(axis=1), q.argmax(axis=1) == p.labels
    total = 0.0
    for b in range(15):
        here = (confidence > b / 15) & (confidence <= (b + 1) / 15)
        if here.any():
            total += here.mean() * abs(right[here].mean() - confidence[here].mean())
    assert get_metric("ece")(p) == pytest.approx(total)


def test_ece_of_a_perfectly_sure_and_right_model_is_zero() -> None:
    assert get_metric("ece")(made(np.eye(3) * 1e4, [0, 1, 2])) == 0


@pytest.mark.parametrize("name", METRICS.names())
def test_no_weight_no_value(name: str) -> None:
    p = random_predictions(1)
    metric = get_metric(name)
    assert math.isnan(metric.reduce(metric.of(p), np.zeros(200)))
    assert metric.name == name
    assert metric.bounds[0] <= metric(p) <= metric.bounds[1]
    if metric.mean_of_images:
        assert metric(p) == pytest.approx(metric.of(p)["value"].mean())


def test_a_metric_misspelt() -> None:
    with pytest.raises(UnknownName, match="macro_f1"):
        get_metric("macro_f2")
    assert get_metric("macro-f1").name == "macro_f1"
    with pytest.raises(DataError, match="takes no argument"):
        get_metric("top1:region")
