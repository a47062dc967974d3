"""A model is scored by its own head, over all its classes; the masked number stands beside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from surefoot.context import RunContext
from surefoot.data.dataset import Shift, Split, Task
from surefoot.data.realign import in_classes
from surefoot.errors import ClassMismatch, DataError, WeightsError
from surefoot.evals.evaluate import evaluate
from surefoot.evals.predict import predict
from surefoot.evals.zero_shot import pretrained_end
from surefoot.methods.ft import starting_head
from surefoot.models.heads import Head
from surefoot.models.load import load
from surefoot.models.model import Model
from surefoot.models.save import save_model
from surefoot.recipes.sweep import sweep_models as sweep_two
from surefoot.records import Curve, Score
from surefoot.report import render, render_terminal
from surefoot.runs import open_study

from ..conftest import CLASSES


def score_model(model: Model, task: Task) -> list[Score]:
    return [row for _, row in evaluate(model, task, device="cpu")]


def sweep_models(start: Model, end: Model, task: Task, **options: Any) -> tuple[Curve, Any]:
    return sweep_two(start, end, task, context=RunContext(device="cpu"), **options)


@pytest.fixture(scope="module")
def clip() -> Model:
    return load("tiny-clip")


@pytest.fixture
def trained(clip: Model, task: Task) -> Model:
    """A head whose labels are rotated, so that no zero-shot head could be taken for it."""
    head = pretrained_end(clip, task).require_head()
    with torch.no_grad():
        weight = head.weight[[1, 2, 0]] + 0.1 * torch.randn(
            head.weight.shape, generator=torch.Generator().manual_seed(0)
        )
    return clip.with_head(Head(weight, normalize=head.normalize, class_names=CLASSES))


def only(task: Task, names: tuple[str, ...]) -> Task:
    """The images of some classes, in labels of their own, as folders of those classes give them."""

    def few(split: Split) -> Split:
        labels = split.require_labels()
        kept = np.flatnonzero(np.isin(labels, [CLASSES.index(n) for n in names]))
        taken = split.take(kept)
        new = np.array([names.index(CLASSES[i]) for i in taken.require_labels()], dtype=np.int64)
        return replace(taken, labels=new, class_names=names)

    return replace(
        task, train=few(task.train), val=few(task.val), test=few(task.test), class_names=names,
        shifts=tuple(replace(s, split=few(s.split)) for s in task.shifts),
    )  # fmt: skip


@pytest.mark.parametrize("names", [("square", "circle"), ("bar",), ("bar", "circle", "square")])
def test_the_heads_classes_are_matched_by_name(
    trained: Model, task: Task, names: tuple[str, ...]
) -> None:
    said = predict(trained, task.test)
    mine = np.isin(said.labels, [CLASSES.index(n) for n in names])
    rows = {row.split: row for row in score_model(trained, only(task, names))}
    assert rows["test"].value == said.correct()[mine].mean()
    assert rows["test"].n == mine.sum()
    there = tuple(sorted(CLASSES.index(n) for n in names))
    beside = replace(said, classes=there).correct()[mine].mean()
    words = {1: "masked to the 1 class that occurs", 2: "masked to the 2 classes that occur"}
    expected = None if len(names) == 3 else (beside, words[len(names)])
    assert rows["test"].masked == expected
    assert rows["recoloured"].masked is None or len(names) < 3


def test_classes_that_the_head_does_not_know_are_refused(trained: Model, task: Task) -> None:
    other = replace(
        task, class_names=("circle", "square", "star"),
        **{n: replace(getattr(task, n), class_names=("circle", "square", "star"))
           for n in ("train", "val", "test")}, shifts=(),
    )  # fmt: skip
    with pytest.raises(ClassMismatch, match="does not know 1 of the 3 classes of the data: star"):
        score_model(trained, other)
    with pytest.raises(ClassMismatch, match="star"):
        sweep_models(trained, trained, other, alphas=2)
    # To train on them, such a start gets a head of its own.
    assert pretrained_end(trained, other).require_head().class_names == other.class_names


def test_a_saved_model_keeps_its_head_too(trained: Model, task: Task, tmp_path: Path) -> None:
    save_model(trained, tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    two = only(task, ("square", "circle"))
    a, b = (score_model(m, two) for m in (trained, again))
    assert [r.value for r in a] == [r.value for r in b]


def test_a_sweep_is_in_the_ends_classes(
    clip: Model, trained: Model, task: Task, tmp_path: Path
) -> None:
    two = only(task, ("square", "circle"))
    curve, _ = sweep_models(clip, trained, two, alphas=3, out=str(tmp_path / "run"))
    alone = {row.split: row for row in score_model(trained, two)}
    begin = pretrained_end(clip, task)  # zero-shot, for all the classes of the end
    first = {row.split: row for row in score_model(begin, two)}
    for name, rows in curve.scores.items():
        assert rows[-1].value == alone[name].value
        assert rows[0].value == first[name].value
        assert rows[-1].masked == alone[name].masked
    study = open_study(tmp_path / "run")
    words = "masked to the 2 classes that occur"
    shown = render_terminal(study, 400)
    assert all(part in shown for part in ("masked to", "classes", "that occur"))  # it wraps
    assert f"{100 * alone['test'].masked[0]:.1f}" in shown  # type: ignore[index]
    assert words in render(study).read_text()


def test_a_start_with_the_same_names_in_another_order(trained: Model, task: Task) -> None:
    turned = ("bar", "circle", "square")
    start = trained.with_head(trained.require_head().ordered(turned))
    curve, _ = sweep_models(start, trained, task, alphas=3)
    alone = score_model(trained, task)
    for row in alone:
        assert {s.value for s in curve.scores[row.split]} == {row.value}
    kept = pretrained_end(start, task).require_head()
    assert torch.equal(kept.weight, trained.require_head().weight)
    assert torch.equal(starting_head("keep", start, task, seed=0).weight, kept.weight)
    with pytest.raises(DataError, match="has no order"):
        kept.ordered(("bar", "bar", "circle"))


def test_no_path_leads_from_a_head_for_more_classes(trained: Model, task: Task) -> None:
    head = trained.require_head()
    wide = trained.with_head(
        Head(torch.cat([head.weight, head.weight[:1]]), normalize=head.normalize,
             class_names=(*CLASSES, "star"))
    )  # fmt: skip
    with pytest.raises(WeightsError, match="no path leads"):
        sweep_models(wide, trained, task, alphas=2)
    curve, _ = sweep_models(wide, trained, task, alphas=2, head="end")
    assert curve.scores["test"][-1].value == score_model(trained, task)[1].value


def test_masks_and_groups_follow_their_classes(task: Task) -> None:
    split = task.shifts[0].split
    labels = np.where(split.require_labels() == 1, 0, split.require_labels())
    grouped = Shift("g", replace(split, labels=labels), classes=(0, 1), groups=((0, 1),))
    grouped = replace(grouped, split=replace(grouped.split, labels=np.zeros_like(labels)))
    names = ("star", "square", "bar", "circle")
    moved = in_classes(replace(task, shifts=(grouped,)), names, whose="m").shifts[0]
    assert moved.classes == (1, 3)
    assert moved.groups == ((1, 3),)
    assert set(moved.split.require_labels().tolist()) == {1}


def test_prompts_stay_with_their_classes(task: Task) -> None:
    named = replace(task, prompt_names=("disc", "box", "line"))
    moved = in_classes(named, ("a_star", "bar", "circle", "square"), whose="m")
    assert moved.prompt_names == ("a star", "line", "disc", "box")


def test_a_shift_that_lacks_classes_is_not_masked_unasked(task: Task, trained: Model) -> None:
    two = only(task, ("square", "circle")).shifts[0].split
    plain = Shift.of(two, CLASSES)
    assert plain.classes is None
    assert Shift.of(two, CLASSES, masked=True).classes == (0, 1)
    rows = {r.split: r for r in score_model(trained, replace(task, shifts=(plain,)))}
    said = predict(trained, plain)
    assert rows["recoloured"].value == said.correct().mean()
    beside = replace(said, classes=(0, 1)).correct().mean()
    assert rows["recoloured"].masked == (beside, "masked to the 2 classes that occur")
    assert rows["test"].masked is None
