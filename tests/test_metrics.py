"""Metrics against scikit-learn, torchmetrics' definitions by hand, and loops."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torchmetrics.functional.classification as tm
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss, top_k_accuracy_score

from surefoot.errors import DataError, UnknownName
from surefoot.evals.score import score
from surefoot.metrics import METRICS, get_metric, group_accuracies, lines, per_class_accuracy
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
    return made(
        logits,
        labels,
        region=g.choice(["asia", "europe", "africa"], n),
        anchor=np.arange(n) // 3,
        offset=np.arange(n) % 3,
    )


def full_name(name: str) -> str:
    """worst_group must be told its column where there are several."""
    return "worst_group:region" if name == "worst_group" else name


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


@given(
    st.integers(0, 10_000),
    st.sampled_from([full_name(n) for n in METRICS.names() if not n.startswith("pm")]),
)
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
    metric = get_metric(full_name(name))
    columns = metric.of(p)
    assert math.isnan(metric.reduce(columns, np.zeros(lines(columns))))
    assert metric.name == full_name(name)
    assert metric.bounds[0] <= metric(p) <= metric.bounds[1]
    if metric.mean_of_images:
        assert metric(p) == pytest.approx(metric.of(p)["value"].mean())


def test_a_metric_misspelt() -> None:
    with pytest.raises(UnknownName, match="macro_f1"):
        get_metric("macro_f2")
    assert get_metric("macro-f1").name == "macro_f1"
    with pytest.raises(DataError, match="takes no argument"):
        get_metric("top1:region")


def test_one_group_can_be_left_out_and_all_are_counted() -> None:
    right = np.eye(2)[[0, 0, 1, 1, 0]]
    p = made(right, [0, 0, 1, 0, 1], region=np.array(["a", "a", "b", "b", "Other"]))
    assert get_metric("worst_group:region")(p) == 0.0
    assert get_metric("worst_group:region!Other")(p) == 0.5
    rows = {r.name: (r.n, r.value, r.counted) for r in group_accuracies(p, "region!Other")}
    assert rows == {"a": (2, 1.0, True), "b": (2, 0.5, True), "Other": (1, 0.0, False)}
    kept = score(p, "worst_group:region!Other").extra
    assert kept["worst"] == "b"
    assert kept["groups"]["a"] == {"n": 2, "value": 1.0, "counted": True}
    nobody = get_metric("worst_group:region!Other!a!b")
    assert math.isnan(nobody(p))


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=20, deadline=None)
def test_parity_with_torchmetrics(seed: int, grouped: bool) -> None:
    p = random_predictions(seed)
    if grouped:  # class 1 and 4 count as one: what torchmetrics sees is the logits so masked
        labels = np.where(p.labels == 4, 1, p.labels)
        p = replace(p, labels=labels, groups=((1, 4),), classes=(0, 1, 2, 3, 4, 5))
    probabilities = torch.from_numpy(p.masked()).softmax(dim=1)
    labels = torch.from_numpy(p.labels)
    args = {"num_classes": 7}
    ece = tm.multiclass_calibration_error(probabilities, labels, n_bins=15, **args)
    assert get_metric("ece")(p) == pytest.approx(float(ece), abs=2e-6)
    top1 = tm.multiclass_accuracy(probabilities, labels, average="micro", **args)
    assert get_metric("top1")(p) == pytest.approx(float(top1))
    each = tm.multiclass_accuracy(probabilities, labels, average="none", **args).numpy()
    there = np.unique(p.labels)
    assert get_metric("per_class")(p) == pytest.approx(float(each[there].mean()))
    f1 = tm.multiclass_f1_score(probabilities, labels, average="none", **args).numpy()
    assert get_metric("macro_f1")(p) == pytest.approx(float(f1[there].mean()))
    loss = torch.nn.functional.cross_entropy(torch.from_numpy(p.masked()), labels)
    assert get_metric("nll")(p) == pytest.approx(float(loss), rel=1e-5)


def slow_pm(p: Predictions, k: int) -> tuple[float, int]:
    """By the words of the paper: an anchor whose every frame within k is right."""
    names = p.metadata["anchor"]
    good, count = 0, 0
    for anchor in dict.fromkeys(names.tolist()):
        frames = [i for i in range(len(names)) if names[i] == anchor]
        if not any(p.metadata["offset"][i] == 0 for i in frames):
            continue
        near = [i for i in frames if abs(p.metadata["offset"][i]) <= k]
        good += all(
            p.class_names[int(p.top1()[i])] in str(p.metadata["accepted"][i]).split("|")
            for i in near
        )
        count += 1
    return good / count, count


@given(st.integers(0, 10_000), st.integers(0, 12))
@settings(max_examples=40, deadline=None)
def test_pm_k_against_the_papers_words(seed: int, k: int) -> None:
    g = np.random.default_rng(seed)
    anchors = [
        (f"video{a}", o) for a in range(12) for o in range(-12, 13) if o == 0 or g.random() < 0.3
    ]
    g.shuffle(anchors)
    n = len(anchors)
    labels = g.integers(0, 4, n)
    logits = g.normal(size=(n, 4))
    logits[np.arange(n), labels] += 3
    accepted = [f"c{y}" + (f"|c{(y + 1) % 4}" if g.random() < 0.3 else "") for y in labels]
    p = made(
        logits,
        labels,
        anchor=np.array([a for a, _ in anchors]),
        offset=np.array([int(o) for _, o in anchors]),
        accepted=np.array(accepted),
    )
    value, count = slow_pm(p, k)
    got = score(replace(p, unit="anchor"), f"pm{k}")
    assert got.value == pytest.approx(value)
    assert (got.n, got.interval) == (count, "clopper-pearson")
    assert get_metric("pm0")(p) >= get_metric("pm10")(p)


def test_pm_k_of_what_is_not_frames() -> None:
    p = made(np.eye(2), [0, 1], anchor=np.array(["a", "b"]))
    with pytest.raises(DataError, match="no column 'offset'"):
        get_metric("pm10")(p)
    twice = made(np.eye(2), [0, 1], anchor=np.array(["a", "a"]), offset=np.array([0, 0]))
    with pytest.raises(DataError, match=r"'a'.*two frames at offset 0"):
        get_metric("pm0")(twice)
    lost = made(np.eye(2), [0, 1], anchor=np.array(["a", "a"]), offset=np.array([-1, 1]))
    with pytest.raises(DataError, match=r"pm10 of .* is nan"):
        score(lost, "pm10")


def test_pm_k_over_videos_that_hold_several_anchors() -> None:
    p = made(
        np.eye(2)[[0, 0, 1, 1, 0, 1]],
        [0, 0, 0, 0, 1, 1],
        anchor=np.array(list("abcdef")),
        offset=np.zeros(6, dtype=int),
        video=np.array([1, 1, 2, 2, 3, 3]),
    )
    got = score(replace(p, unit="video"), "pm0")
    assert got.value == 0.5
    assert (got.interval, got.extra["unit"]) == ("korn-graubard", "video")
    alone = score(p, "pm0")
    assert got.low < alone.low < alone.high < got.high
