"""The run's own head over all its classes; a mask only where a class map or protocol says so."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from surefoot.data.class_map import ClassMap
from surefoot.data.dataset import Shift, Task
from surefoot.data.specs import make_task
from surefoot.errors import ClassMismatch, SurefootError
from surefoot.evals.evaluate import evaluate
from surefoot.models.heads import Head
from surefoot.models.model import Model

from ..conftest import CLASSES, drawn_split, toy_model
from .builders import folders, refusal, table


@pytest.fixture
def answers() -> Model:
    """A model whose head says the first class, always."""
    head = Head(torch.zeros(3, 12), normalize=False, class_names=CLASSES, kind="linear")
    return toy_model().with_head(head)  # of equal logits the first class counts


def one_class(n: int = 9) -> Shift:
    whole = drawn_split("one", n, 3, domain="OOD")
    labels = whole.require_labels()
    return Shift.of(whole.take([i for i in range(n) if labels[i] == 1]), CLASSES)


def test_a_shift_of_one_class_has_every_answer(task: Task, answers: Model) -> None:
    assert one_class().classes is None
    [(_, score)] = evaluate(answers, {"one": one_class()})
    assert score.value < 1  # masked it would be 100 %
    assert score.masked is not None
    assert score.masked[0] == 1.0
    assert "masked to the 1 class" in score.masked[1]


def test_a_class_map_is_a_mask() -> None:
    split = drawn_split("s", 9, 3, domain="OOD")
    names = ClassMap({"circle": "circle", "square": "square"})
    shift = Shift.of(split, CLASSES, class_map=names)
    assert shift.classes == (0, 1)
    assert len(shift.split) == 6


def test_foreign_classes_of_a_shift_are_refused(tmp_path: Path) -> None:
    train = str(folders(tmp_path / "train", {"cat": 4, "dog": 4}))
    shift = str(folders(tmp_path / "shift", {"cat": 1, "wolf": 1}))
    error = refusal("wolf", lambda: make_task(train=train, shifts={"s": shift}))
    assert isinstance(error, ClassMismatch)
    assert "--class-map" in (error.fix or "")


def test_foreign_classes_of_a_test_are_refused(tmp_path: Path) -> None:
    train = str(folders(tmp_path / "train", {"cat": 4, "dog": 4}))
    test = str(table(tmp_path / "t.csv", {"cat": 1, "wolf": 1}))
    refusal("does not have: wolf", lambda: make_task(train=train, test=test))


def test_a_head_that_does_not_know_a_class(task: Task) -> None:
    head = Head(torch.zeros(2, 12), normalize=False, class_names=("circle", "stick"), kind="linear")
    with pytest.raises(SurefootError, match="square"):
        evaluate(toy_model().with_head(head), task)


def test_classes_in_another_order_are_matched_by_name(task: Task) -> None:
    rng = torch.Generator().manual_seed(0)
    weight = torch.randn(3, 12, generator=rng)
    plain = Head(weight, normalize=False, class_names=CLASSES, kind="linear")
    turned = Head(weight[[2, 0, 1]], normalize=False, class_names=("bar", "circle", "square"),
                  kind="linear")  # fmt: skip
    scores = [
        [s.value for _, s in evaluate(toy_model().with_head(head), task)]
        for head in (plain, turned)
    ]
    assert scores[0] == scores[1]


def test_a_part_of_the_classes_in_the_test_set(tmp_path: Path) -> None:
    train = str(folders(tmp_path / "train", {"cat": 4, "dog": 4, "bus": 4}))
    test = str(folders(tmp_path / "test", {"cat": 2, "dog": 2}, start=40))
    task = make_task(train=train, test=test)
    assert task.test.class_names == ("bus", "cat", "dog")
    assert task.scored()["test"].classes is None
