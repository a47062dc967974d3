"""Predict, score, evaluate: against plain loops, with nothing left changed."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from surefoot.data.dataset import Shift, Task
from surefoot.errors import ClassMismatch, DataError, ModelError, UnknownName
from surefoot.evals.evaluate import evaluate
from surefoot.evals.predict import predict
from surefoot.evals.score import score
from surefoot.metrics import METRICS, get_metric
from surefoot.models.heads import Head
from surefoot.models.model import Model
from surefoot.predictions import Predictions
from surefoot.records import Origin, Score
from surefoot.stats import clopper_pearson, interval_of_mean


def plainly(model: Model, shift: Shift) -> np.ndarray:
    """One image at a time."""
    transform = model.spec.transform.eval()
    model = model.clone().eval()
    rows = []
    with torch.no_grad():
        for i in range(len(shift.split)):
            rows.append(model(transform(shift.split.images[i])[None])[0].numpy())
    return np.stack(rows)


def test_predict_equals_one_image_at_a_time(model: Model, task: Task) -> None:
    shift = task.shifts[1]
    found = predict(model, shift, batch_size=5)
    np.testing.assert_allclose(found.logits, plainly(model, shift), rtol=1e-5, atol=1e-6)
    assert found.logits.dtype == np.float32
    assert (found.split, found.domain, found.metric, found.classes) == (
        "two",
        "OOD",
        "macro_f1",
        (0, 1),
    )
    assert found.ids[1] == "two/1.png"
    assert found.labels.tolist() == shift.split.require_labels().tolist()
    assert found.unit == "set"
    assert set(found.top1().tolist()) <= {0, 1}


def test_predict_leaves_the_model_as_it_was(model: Model, task: Task) -> None:
    model.train()
    model.encoder.drop.eval()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    flags = [m.training for m in model.modules()]
    first = predict(model, task.val)
    assert [m.training for m in model.modules()] == flags
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert np.array_equal(first.logits, predict(model.eval(), task.val).logits)
    assert all(p.requires_grad and not p.is_inference() for p in model.parameters())


def test_predict_puts_flags_back_after_an_error(model: Model, task: Task) -> None:
    model.train()
    bad = task.val.take(np.arange(3))
    broken = model.with_spec(transform=model.spec.transform.changed(size=(4, 4), resize=4)).train()
    with pytest.raises(RuntimeError, match="does not fit"):
        predict(broken, bad)
    assert broken.training
    assert broken.encoder.norm.training


def test_progress_counts_every_image(model: Model, task: Task) -> None:
    said: list[tuple[int, int]] = []
    predict(
        model, task.test, batch_size=16, progress=lambda done, total: said.append((done, total))
    )
    assert said == [(16, 40), (32, 40), (40, 40)]


def test_a_head_for_other_classes(model: Model, task: Task) -> None:
    head = Head(torch.zeros(2, 6), normalize=True, class_names=("cat", "dog"))
    with pytest.raises(ClassMismatch, match=r"cat, dog.*red_fox"):
        predict(model.with_head(head), task.test)
    with pytest.raises(ModelError, match="no classification head"):
        predict(model.with_head(None), task.test)


def test_no_labels_and_logits_that_are_not_finite(model: Model, task: Task) -> None:
    with pytest.raises(DataError, match="has no labels"):
        predict(model, replace(task.test, labels=None))
    with torch.no_grad():
        model.require_head().bias[0] = math.nan
    with pytest.raises(ModelError, match="40 of 40 images"):
        predict(model, task.test)


def test_score_of_top1_is_exact_over_images_and_wider_over_units(model: Model, task: Task) -> None:
    p = predict(model, task.test)
    s, plain = score(p), score(replace(p, unit=None))
    right = int(p.correct().sum())
    assert (s.metric, s.value, s.n) == ("top1", right / 40, 40)
    exact = clopper_pearson(right, 40)
    assert (plain.low, plain.high, plain.interval) == (exact.low, exact.high, "clopper-pearson")
    assert "unit" not in plain.extra
    over = interval_of_mean({"": p.correct()}, {"": p.metadata["set"]})
    assert (s.low, s.high, s.interval) == (over.low, over.high, "korn-graubard")
    assert s.extra["unit"] == "set"
    assert (s.split, s.domain, s.version, s.synthetic) == ("test", "ID", "1", False)


def test_a_score_can_be_had_again_from_stored_predictions(
    model: Model, task: Task, tmp_path
) -> None:  # type: ignore[no-untyped-def]
    p = predict(model, task.shifts[1])
    p.save(tmp_path / "p.npz")
    assert score(Predictions.load(tmp_path / "p.npz")) == score(p)
    assert Score.from_json(score(p).to_json()) == score(p)


def test_stored_predictions_are_a_plain_archive(model: Model, task: Task, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """NumPy alone reads it; logits are stored as they are, names compressed; the same each time."""
    p = predict(model, task.shifts[1])
    p.save(tmp_path / "p.npz")
    p.save(tmp_path / "q.npz")
    assert (tmp_path / "p.npz").read_bytes() == (tmp_path / "q.npz").read_bytes()
    with np.load(tmp_path / "p.npz", allow_pickle=False) as stored:
        np.testing.assert_array_equal(stored["logits"], p.logits)
        np.testing.assert_array_equal(stored["labels"], p.labels)
        assert stored["ids"].tolist() == list(p.ids)
    with zipfile.ZipFile(tmp_path / "p.npz") as file:
        kinds = {entry.filename: entry.compress_type for entry in file.infolist()}
    assert kinds["logits.npy"] == zipfile.ZIP_STORED
    assert kinds["ids.npy"] == zipfile.ZIP_DEFLATED


@pytest.mark.parametrize("name", [m for m in METRICS.names() if not get_metric(m).proportion])
def test_other_metrics_have_an_interval_around_the_value_or_say_why_not(
    model: Model, task: Task, name: str
) -> None:
    p = predict(model, task.test)
    s = score(p, name)
    assert (s.metric, s) == (name, score(p, name))
    if s.interval == "none":
        assert s.low == s.high == s.value
        assert s.no_interval == s.extra["no_interval"] != ""
        assert s.cells()[3] == f"none: {s.no_interval}"
        assert Score.from_json(s.to_json()).reach.reason == s.no_interval
    else:
        assert s.low <= s.value <= s.high
        assert s.low < s.high
        assert (s.reach.low, s.reach.high, s.no_interval) == (s.low, s.high, "")
    told = {"worst_group": "one unit cannot tell how much others differ"}  # its groups are units
    assert s.no_interval == told.get(name, s.no_interval)


def test_rows_of_before_have_the_wider_interval_or_none(model: Model, task: Task) -> None:
    row = score(predict(model, task.test)).to_json()
    row |= {"low": 0.4, "high": 0.6, "interval": "clopper-pearson"}
    wide = Score.from_json(row | {"cluster_low": 0.3, "cluster_high": 0.58})
    assert (wide.low, wide.high, wide.interval) == (0.3, 0.6, "cluster-bootstrap")
    f1 = Score.from_json(row | {"metric": "macro_f1", "interval": "bootstrap"})
    assert (f1.interval, f1.low, f1.high) == ("none", f1.value, f1.value)
    assert "bootstrap" in f1.no_interval
    assert Score.from_json(row | {"metric": "nll", "interval": "bootstrap"}).interval == "bootstrap"


def test_evaluate_covers_everything_that_a_task_scores(model: Model, task: Task) -> None:
    rows = evaluate(model, task)
    assert [s.split for _, s in rows] == ["val", "test", "dim", "two"]
    assert [s.domain for _, s in rows] == ["ID", "ID", "OOD", "OOD"]
    assert [s.metric for _, s in rows] == ["top1", "top1", "top1", "macro_f1"]
    assert all(s.evaluator == "head" for _, s in rows)
    assert [s.split for _, s in evaluate(model, task.scored(), splits=["dim"])] == ["dim"]
    assert evaluate(model, task, splits=["two"], metric="top1")[0][1].metric == "top1"


def test_a_model_without_head_gets_the_zero_shot_one_for_a_task(
    make_model: Callable[..., Model], task: Task
) -> None:
    bare = make_model().with_head(None)
    rows = evaluate(bare, task)
    for (said, row), (other, _) in zip(
        rows, evaluate(bare, task, evaluator="zero_shot"), strict=True
    ):
        assert np.array_equal(said.logits, other.logits)
        assert (row.method, row.evaluator) == ("tiny", "head")
    assert bare.head is None
    with pytest.raises(ModelError, match="no classification head"):
        evaluate(bare, task.scored())


def test_a_score_is_whole_when_it_is_made(model: Model, task: Task) -> None:
    origin = Origin("ft", alpha=0.5, selection="fixed", seed=3, recipe="abc", extra={"note": 1})
    said = predict(model, task.test)
    row = score(said, origin=replace(origin, evaluator="linear"))
    assert (row.method, row.alpha, row.selection, row.seed, row.recipe) == (
        "ft",
        0.5,
        "fixed",
        3,
        "abc",
    )
    assert (row.evaluator, row.extra["note"]) == ("linear", 1)
    assert replace(row, **{**vars(Origin()), "extra": score(said).extra}) == score(said)
    assert [r for _, r in evaluate(model, task, splits=["test"], origin=origin)] == [
        replace(row, evaluator="head")
    ]


@pytest.mark.parametrize("evaluator", ["zero_shot", "linear", "knn"])
def test_other_evaluators_beat_chance_and_carry_their_name(
    make_model: Callable[..., Model], task: Task, evaluator: str
) -> None:
    rows = evaluate(make_model(), task, evaluator=evaluator)  # type: ignore[arg-type]
    assert [s.split for _, s in rows] == ["val", "test", "dim", "two"]
    assert all(s.evaluator == evaluator for _, s in rows)
    assert rows[1][1].low > 1 / 3


def test_names_that_do_not_exist(model: Model, task: Task) -> None:
    with pytest.raises(UnknownName, match="zero_shot"):
        evaluate(model, task, evaluator="zero-shoot")  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="'dim'"):
        evaluate(model, task, splits=["dimm"])
    with pytest.raises(UnknownName, match="macro_f1"):
        evaluate(model, task, metric="makro_f1")
    with pytest.raises(DataError, match="needs a whole task"):
        evaluate(model, task.scored(), evaluator="knn")


@pytest.mark.parametrize(
    ("classes", "of", "n", "shown"),
    [
        (1, 7, 30, True),  # a folder of one class
        (9, 10, 20, True),  # one class of ten, however few images
        (120, 124, 400, False),  # a draw of 400 misses some by chance
        (120, 124, 4000, True),  # one of 4,000 does not
        (100, 124, 400, True),  # nor does chance leave out so many
    ],
)
def test_the_masked_number_stands_beside_unless_chance_left_classes_out(classes, of, n, shown):
    beside = {"masked": {"classes": classes, "of": of, "value": 0.5}}
    row = Score("top1", 0.4, n, 0.3, 0.5, "clopper-pearson", "test", "ID", extra=beside)
    assert (row.masked is not None) == shown
