"""Classes that count as one: ObjectNet's maximum over ImageNet ids, against a plain loop."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.data.class_map import read_class_map
from surefoot.data.dataset import ClassMap, Shift
from surefoot.errors import ClassMismatch, DataError
from surefoot.evals.predict import package
from surefoot.evals.score import score
from surefoot.predictions import Predictions

from .pictures import split_of

TASK = tuple(f"n{i}" for i in range(9))


def slow_objectnet(logits: np.ndarray, theirs: list[str], pairs: dict[str, list[int]]) -> float:
    """Top-1 as ObjectNet is scored: each of its classes speaks by its largest ImageNet logit."""
    right = 0
    for row, name in zip(logits, theirs, strict=True):
        best, said = -float("inf"), ""
        for candidate in sorted(pairs, key=lambda c: min(pairs[c])):
            own = max(row[i] for i in pairs[candidate])
            if own > best:
                best, said = own, candidate
        right += said == name
    return right / len(theirs)


@given(st.integers(0, 100_000))
@settings(max_examples=60, deadline=None)
def test_maximum_over_ids_is_what_a_loop_says(seed: int) -> None:
    g = np.random.default_rng(seed)
    order = g.permutation(9)
    cuts = np.sort(g.choice(np.arange(1, 9), 4, replace=False))
    parts = [sorted(p.tolist()) for p in np.split(order, cuts)][: int(g.integers(2, 6))]
    pairs = {f"class{i}": part for i, part in enumerate(parts)}
    labels = [*g.integers(0, len(parts), 12).tolist(), len(parts)]  # the last is left out
    split = split_of(labels)
    named = {k: tuple(TASK[i] for i in v) for k, v in pairs.items()}
    shift = Shift.of(split, TASK, class_map=ClassMap(named))
    logits = g.integers(-3, 4, (12, 9)).astype(np.float32)  # whole numbers: ties are common
    said = package(shift, logits)
    names = [f"class{i}" for i in labels[:12]]
    assert said.correct().mean() == slow_objectnet(logits, names, pairs)
    assert score(said).value == said.correct().mean()
    firsts = {v[0] for v in pairs.values()}
    assert set(np.flatnonzero(np.isfinite(said.masked()).all(axis=0))) == firsts
    assert set(shift.split.labels.tolist()) <= firsts


def test_what_a_group_becomes() -> None:
    split = split_of([0, 1, 2, 1])
    shift = Shift.of(
        split, TASK, class_map=ClassMap({"class0": ("n4", "n1"), "class1": "n0", "class2": "n5"})
    )
    assert shift.groups == ((1, 4),)
    assert shift.classes == (0, 1, 4, 5)
    assert shift.split.labels.tolist() == [1, 0, 5, 0]
    said = package(shift, np.arange(36, dtype=np.float32).reshape(4, 9))
    inf = -np.inf
    assert said.masked()[0].tolist() == [0, 4, inf, inf, inf, 5, inf, inf, inf]
    assert said.logits[0].tolist() == list(range(9))  # what is kept is what the model said


def test_two_shift_classes_may_share_a_group() -> None:
    split = split_of([0, 1])
    pairs = {"class0": ("n1", "n2"), "class1": ("n2", "n1")}
    shift = Shift.of(split, TASK, class_map=ClassMap(pairs))
    assert shift.groups == ((1, 2),)
    assert shift.split.labels.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ({"class0": ("n1", "n2"), "class1": "n2"}, "both 'class0' and 'class1' to 'n2'"),
        ({"class0": ("n1", "n2"), "class1": ("n2", "n3")}, "both 'class0' and 'class1' to 'n2'"),
        ({"class0": ("n1", "ghost")}, "leads to 'ghost'"),
        ({"class0": ()}, "leads 'class0' to no class at all"),
    ],
)
def test_maps_that_cannot_be_scored(pairs: dict[str, tuple[str, ...]], message: str) -> None:
    with pytest.raises(ClassMismatch, match=message):
        Shift.of(split_of([0, 1]), TASK, class_map=ClassMap(pairs))


@pytest.mark.parametrize(
    ("groups", "classes", "message"),
    [
        (((1, 0),), None, "not ascending"),
        (((1,),), None, "fewer than two"),
        (((0, 2), (2, 3)), None, "shares a class"),
        (((0, 3),), (0, 1), "cannot contain"),
        (((0, 1),), None, "a label that is not its first"),
    ],
)
def test_groups_by_hand_are_checked(
    groups: tuple[tuple[int, ...], ...], classes: tuple[int, ...] | None, message: str
) -> None:
    split = replace(split_of([0, 1]), class_names=("a", "b", "c", "d"))
    with pytest.raises(DataError, match=message):
        Shift("s", split, classes=classes, groups=groups)


def test_classes_that_share_a_name_stay_apart_where_the_lists_agree() -> None:
    split = replace(split_of([0, 1, 2]), class_names=("cow", "cow", "dog"))
    assert Shift.of(split, ("cow", "cow", "dog")).split.labels.tolist() == [0, 1, 2]


def test_lists_in_a_class_map_file(tmp_path: Path) -> None:
    file = tmp_path / "map.yaml"
    file.write_text("Chair: [n4, n1]\nLamp: [n3]\nMug: n0\n")
    assert read_class_map(file).pairs == {"Chair": ("n4", "n1"), "Lamp": "n3", "Mug": "n0"}


def test_predictions_keep_their_groups_and_old_files_load(tmp_path: Path) -> None:
    split = split_of([0, 1])
    shift = Shift.of(split, TASK, class_map=ClassMap({"class0": ("n4", "n1"), "class1": "n0"}))
    said = package(shift, np.ones((2, 9), dtype=np.float32))
    said.save(tmp_path / "p.npz")
    back = Predictions.load(tmp_path / "p.npz")
    assert back.groups == ((1, 4),)
    np.testing.assert_array_equal(back.masked(), said.masked())

    with np.load(tmp_path / "p.npz") as stored:
        arrays = dict(stored)
    head = json.loads(arrays["header"].tobytes().decode())
    del head["groups"]
    arrays["header"] = np.frombuffer(json.dumps(head).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    (tmp_path / "old.npz").write_bytes(buffer.getvalue())
    old = Predictions.load(tmp_path / "old.npz")
    assert old.groups is None
    assert old.classes == said.classes
