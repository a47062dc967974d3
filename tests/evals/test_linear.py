"""The probe against scikit-learn used directly, and against itself folded into a head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from surefoot.context import RunContext
from surefoot.data.dataset import Task
from surefoot.errors import DataError
from surefoot.evals.linear import (
    C_PATH,
    LinearFit,
    fit_linear,
    head_inputs,
    linear,
    linear_head,
)
from surefoot.evals.predict import predict
from surefoot.features import extract
from surefoot.methods.lp import LinearProbe
from surefoot.models.model import Model


def blobs(seed: int, n: int, classes: int = 4, d: int = 6) -> tuple[np.ndarray, np.ndarray]:
    g = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    centres = np.random.default_rng(99).normal(size=(classes, d))
    return (centres[labels] + g.normal(size=(n, d)) * 1.2).astype(np.float32), labels


def fit(**changes):  # type: ignore[no-untyped-def]
    x, y = blobs(0, 160)
    vx, vy = blobs(1, 80)
    given = {"features": x, "labels": y, "classes": 4, "val_features": vx, "val_labels": vy,
             "c_path": (1e-4, 1e-2, 1.0, 100.0)} | changes  # fmt: skip
    return fit_linear(given.pop("features"), given.pop("labels"), **given)


def test_the_units_of_the_features_change_nothing() -> None:
    """Without standardisation features x 0.003 lost nearly everything on this path of C."""
    x, vx = blobs(0, 160)[0], blobs(1, 80)[0]
    path = tuple(10.0**e for e in range(-7, 3))
    fits = [fit(features=x * np.float32(s), val_features=vx * np.float32(s), c_path=path)
            for s in (1.0, 0.03, 0.003, 100.0)]  # fmt: skip
    assert len({f.c for f in fits}) == 1
    accuracies = [[row["val"] for row in f.table] for f in fits]
    np.testing.assert_allclose(accuracies, accuracies[:1] * 4, atol=1 / 80)


@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_a_class_without_images_is_padded_as_lp_fts_code_pads_it(scale: float) -> None:
    x, y = blobs(0, 160, classes=3)
    x, y = x * np.float32(scale), np.array([0, 2, 5])[y]
    found = fit(features=x, labels=y, classes=7, val_features=x, val_labels=y, c_path=(0.1,),
                tol=1e-7)  # fmt: skip
    assert found.absent == (1, 3, 4, 6)
    weight, bias, predicted = as_lp_fts_code(x, y, 0.1, 7)
    np.testing.assert_allclose(found.weight * scale, weight * scale, atol=2e-3)
    np.testing.assert_allclose(found.bias, bias, atol=2e-3)
    assert not found.weight[list(found.absent)].any()
    assert not found.bias[list(found.absent)].any()
    far = np.random.default_rng(0).normal(size=(2000, 6)).astype(np.float32) * 50
    chosen = (far @ found.weight.T + found.bias).argmax(axis=1)
    assert set(chosen.tolist()) == {0, 2, 5}  # zeros are never the largest
    assert (predicted(far) == chosen).mean() > 0.99


def test_two_of_three_classes_have_images() -> None:
    x, y = blobs(0, 60, classes=2)
    found = fit(
        features=x, labels=y + 1, classes=3, val_features=x, val_labels=y + 1, c_path=(1.0,)
    )
    plain = fit(features=x, labels=y, classes=2, val_features=x, val_labels=y, c_path=(1.0,))
    odds = [x @ f.weight.T + f.bias for f in (found, plain)]
    np.testing.assert_allclose(odds[0][:, 2] - odds[0][:, 1], odds[1][:, 1] - odds[1][:, 0],
                               atol=1e-3)  # fmt: skip
    assert not (odds[0].argmax(axis=1) == 0).any()


def test_the_default_path_is_lp_fts() -> None:
    assert len(C_PATH) == 50
    assert C_PATH[0] == pytest.approx(1e-7)
    assert C_PATH[-1] == pytest.approx(1e2)


def as_lp_fts_code(x: np.ndarray, y: np.ndarray, c: float, classes: int) -> tuple[Any, Any, Any]:
    """What LP-FT's log_reg_sk.py does at one C, by its formulas: standardise, fit, undo, pad.

    Returns the weights (classes, d) and biases (classes,) for x itself, and what predicts.
    """
    x = x.astype(np.float64)
    mean, deviation = x.mean(), x.std()  # of all numbers together
    direct = LogisticRegression(C=c, max_iter=5000, tol=1e-9).fit((x - mean) / deviation, y)
    weight = direct.coef_ / deviation
    bias = direct.intercept_ - direct.coef_ @ (mean / deviation * np.ones(x.shape[1]))
    padded, free = np.zeros((classes, x.shape[1])), np.zeros(classes)
    padded[direct.classes_], free[direct.classes_] = weight, bias
    return padded, free, lambda v: direct.predict((v.astype(np.float64) - mean) / deviation)


@pytest.mark.parametrize(("scale", "shift"), [(1.0, 0.0), (0.03, 0.0), (0.003, 0.0), (20.0, 7.0)])
def test_parity_with_lp_fts_code_in_any_units(scale: float, shift: float) -> None:
    """The objective is strictly convex, so a cold start at the chosen C finds the same numbers."""
    (x, y), (vx, vy) = blobs(0, 160), blobs(1, 80)
    x, vx = (np.float32(scale) * f + np.float32(shift) for f in (x, vx))
    found = fit(features=x, val_features=vx, tol=1e-7)
    scores = {}
    for c in (1e-4, 1e-2, 1.0, 100.0):
        weight, bias, predicted = as_lp_fts_code(x, y, c, 4)
        scores[c] = float((predicted(vx) == vy).mean())
        if c == found.c:
            np.testing.assert_allclose(found.weight * scale, weight * scale, atol=2e-3)
            odds = [vx @ w.T + b for w, b in ((found.weight, found.bias), (weight, bias))]
            np.testing.assert_allclose(
                *(z - z.mean(axis=1, keepdims=True) for z in odds), atol=0.01
            )
    assert [row["val"] for row in found.table] == pytest.approx(list(scores.values()), abs=1 / 80)
    assert found.c == min(c for c, v in scores.items() if v == max(scores.values()))
    assert found.converged
    weight, bias, c, table, absent = found
    assert absent == ()
    assert weight.shape == (4, 6)
    assert bias.shape == (4,)
    assert weight.dtype == bias.dtype == np.float32
    assert (c, len(table)) == (found.c, 4)


def by_scikit_learn(  # type: ignore[no-untyped-def]
    features, labels, classes, val_features, val_labels, c_path, tol, max_iter
) -> LinearFit:
    """The same path of C by scikit-learn's L-BFGS, the plain reference."""
    model = LogisticRegression(solver="lbfgs", warm_start=True, max_iter=max_iter, tol=tol)
    table, fits = [], []
    for c in c_path:
        model.set_params(C=c / features.var()).fit(features, labels)
        weight, bias = model.coef_.astype(np.float32), model.intercept_.astype(np.float32)
        if len(weight) == 1:  # two classes share a row, half each way
            weight, bias = np.vstack([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
        fits.append((weight, bias))
        logits = torch.from_numpy(val_features @ weight.T + bias)
        nll = torch.nn.functional.cross_entropy(logits, torch.from_numpy(val_labels))
        right = float((logits.argmax(dim=1).numpy() == val_labels).mean())
        table.append({"c": c, "val": right, "val_nll": float(nll),
                      "iterations": int(model.n_iter_.max())})  # fmt: skip
    best = int(np.argmax([row["val"] for row in table]))
    return LinearFit(*fits[best], c_path[best], tuple(table))


@pytest.mark.parametrize("classes", [2, 5])
def test_both_solvers_reach_one_optimum(classes: int) -> None:
    """Features as networks give them: correlated, of falling variance, far from zero mean."""
    g = np.random.default_rng(3)
    shape = g.normal(size=(24, 24)) * (np.arange(1, 25) ** -1.0)[:, None]
    centres = g.normal(size=(classes, 24))

    def draw(n: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(n) % classes
        x = (0.7 * centres[labels] + g.normal(size=(n, 24))) @ shape + 3.0
        return x.astype(np.float32), labels

    (x, y), (vx, vy) = draw(400), draw(200)
    path = (1e-3, 1e-1, 10.0)
    given = {"features": x, "labels": y, "classes": classes, "val_features": vx, "val_labels": vy}
    ours = fit(**given, c_path=path, tol=1e-6)
    given["features"] = x.astype(np.float64)  # in float32 scikit-learn stops short of this
    plain = by_scikit_learn(**given, c_path=path, tol=1e-6, max_iter=20_000)
    assert ours.c == plain.c
    for mine, other in zip(ours.table, plain.table, strict=True):
        assert mine["converged"]
        assert mine["val_nll"] == pytest.approx(other["val_nll"], abs=1e-3)
        assert mine["iterations"] <= other["iterations"]
    np.testing.assert_allclose(ours.weight, plain.weight, atol=0.02 * np.abs(plain.weight).max())
    odds = [vx @ f.weight.T + f.bias for f in (ours, plain)]
    odds = [z - z.mean(axis=1, keepdims=True) for z in odds]
    np.testing.assert_allclose(odds[0], odds[1], atol=0.02)


def test_features_on_disk_are_not_copied_whole(tmp_path: Path) -> None:
    x, _ = blobs(0, 160)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.array_equal(fit(features=mapped).weight, fit().weight)


def test_ties_go_to_the_likeliest() -> None:
    """All three answer every validation image; the strongest penalty hardly trained."""
    x, y = np.eye(3, dtype=np.float32).repeat(4, 0), np.arange(3).repeat(4)
    found = fit(
        features=x, labels=y, classes=3, val_features=x, val_labels=y, c_path=(10.0, 0.1, 1.0)
    )
    assert [row["val"] for row in found.table] == [1.0, 1.0, 1.0]
    assert found.c == 10.0 == min(found.table, key=lambda row: row["val_nll"])["c"]


def test_two_classes() -> None:
    x, y = blobs(0, 60, classes=2)
    found = fit(features=x, labels=y, classes=2, val_features=x, val_labels=y, c_path=(1.0,))
    direct = LogisticRegression(C=1.0 / x.var(), max_iter=1000).fit(x, y)
    logits = x @ found.weight.T + found.bias
    assert (logits.argmax(axis=1) == direct.predict(x)).all()
    odds = logits[:, 1] - logits[:, 0]
    np.testing.assert_allclose(odds, direct.decision_function(x), rtol=1e-3, atol=1e-3)


def test_a_fit_that_does_not_converge_is_recorded() -> None:
    found = fit(max_iter=2, c_path=(1.0, 100.0))
    assert [row["iterations"] for row in found.table] == [2, 2]
    assert not any(row["converged"] for row in found.table)
    assert not found.converged


def test_patience_stops_after_the_likelihood_has_turned() -> None:
    """Separable in training, not in validation: the likelihood has a minimum along the path."""
    path = tuple(float(c) for c in np.logspace(-6, 4, 21))
    whole, short = fit(c_path=path), fit(c_path=path, patience=3)
    turned = int(np.argmin([row["val_nll"] for row in whole.table]))
    assert 0 < turned < 20 - 3
    last = max(turned, int(np.argmax([row["val"] for row in whole.table])))
    assert len(short.table) == last + 1 + 3
    assert short.table == whole.table[: len(short.table)]


def test_patience_does_not_stop_on_the_plateau_of_class_means() -> None:
    """At strong penalties top-1 is level for many C while the likelihood still improves."""
    x, y = np.eye(3, dtype=np.float32).repeat(4, 0), np.arange(3).repeat(4)
    path = tuple(10.0**i for i in range(-3, 4))
    found = fit(
        features=x, labels=y, classes=3, val_features=x, val_labels=y, c_path=path, patience=2
    )
    assert len(found.table) == 7
    assert found.c == path[-1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.zeros(160, dtype=np.int64)}, "one class only has training images"),
        ({"labels": np.arange(160) % 5}, "labels do not fit"),
        ({"labels": np.zeros(3, dtype=np.int64)}, "training features of shape"),
        ({"val_features": np.zeros((80, 5), np.float32)}, "validation features of shape"),
        ({"features": np.full((160, 6), np.nan, np.float32)}, "training features are not finite"),
        ({"c_path": (0.0, 1.0)}, "C runs from 0.0"),
        ({"c_path": ()}, "C runs from nothing"),
        ({"classes": 1}, "labels do not fit"),
    ],
)
def test_bad_input(change: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit(**change)


@pytest.mark.parametrize("normalize", [True, False])
def test_the_head_gives_the_probes_logits_on_images(
    make_model: Callable[..., Model], task: Task, normalize: bool
) -> None:
    model = make_model(normalize=normalize)
    inputs = head_inputs(model, extract(model, task.train))
    if normalize:
        np.testing.assert_allclose(np.linalg.norm(inputs, axis=1), 1, rtol=1e-5)
    found = fit_linear(
        inputs,
        task.train.require_labels(),
        classes=3,
        val_features=head_inputs(model, extract(model, task.val)),
        val_labels=task.val.require_labels(),
        c_path=(0.01, 1.0),
    )
    made = model.with_head(linear_head(model, found, task.class_names))
    test = head_inputs(model, extract(model, task.test))
    expected = test @ found.weight.T + found.bias
    np.testing.assert_allclose(predict(made, task.test).logits, expected, rtol=1e-4, atol=1e-4)
    whole = linear(model, task, c_path=(0.01, 1.0))
    assert torch.equal(whole.require_head().weight, made.require_head().weight)
    assert whole.require_head().normalize == normalize
    assert model.head is None


def test_a_study_goes_on_without_images_of_a_class(
    make_model: Callable[..., Model], task: Task
) -> None:
    kept = np.flatnonzero(task.train.require_labels() != 1)
    poor = replace(task, train=task.train.take(kept))
    name = task.class_names[1]
    with pytest.warns(UserWarning, match=f"1 class has no training image .* zeros.*: {name}"):
        probed = linear(make_model(normalize=False), poor, c_path=(0.01,))
    assert not (predict(probed, task.test).top1() == 1).any()
    told: list[str] = []
    method = LinearProbe(c_path=(0.01,))
    method.fit(make_model(normalize=False), poor, run=RunContext(tell=told.append))
    assert (
        f"lp: 1 class has no training image and keeps a row of zeros, which no image is given "
        f"to: {name}" in told
    )
