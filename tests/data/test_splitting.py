"""The seeded, stratified cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from surefoot.data.dataset import Task
from surefoot.data.grouping import relabelled
from surefoot.data.splitting import cut, few_shot
from surefoot.errors import DataError

from .pictures import split_of


class Many:
    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def id(self, index: int) -> str:
        return str(index)


def labelled(labels: list[int]):
    return replace(split_of([max(labels)] * 1), images=Many(len(labels)), labels=np.array(labels))


def ids(split) -> list[int]:
    return [int(split.images.id(i)) for i in range(len(split))]


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=60),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 100),
)
def test_every_class_keeps_and_gives(labels: list[int], fraction: float, seed: int) -> None:
    counts = np.bincount(labels, minlength=5)
    assume((counts >= 2).any())
    split = labelled(labels)
    train, val = cut(split, fraction, seed)
    assert sorted(ids(train) + ids(val)) == list(range(len(labels)))
    assert ids(train) == sorted(ids(train))
    assert ids(val) == sorted(ids(val))
    for part in (train, val):
        assert part.labels.tolist() == [labels[i] for i in ids(part)]
        assert part.class_names == split.class_names
    given_away = np.bincount(val.labels, minlength=5)
    for n, out in zip(counts.tolist(), given_away.tolist(), strict=True):
        assert out == (0 if n < 2 else min(n - 1, max(1, int(fraction * n + 0.5))))


def test_a_subset_of_ordered_images_has_every_class_where_asked() -> None:
    split = labelled([0] * 1000 + [1] * 1000 + [2] * 3)
    assert len(set(split.subset(20, seed=0).labels.tolist())) == 2  # the same share of each
    few = split.subset(20, seed=0, every_class=True)
    assert np.bincount(few.labels).tolist()[2] == 1
    assert len(few) == 20
    assert ids(few) == sorted(ids(few))
    assert ids(split.subset(20, seed=0, every_class=True)) == ids(few)
    many = labelled(sorted([*range(300)] * 3))
    one_each = many.subset(256, seed=0, every_class=True)
    assert np.bincount(one_each.labels).tolist() == [1] * 300
    assert one_each.notes[-1] == "300 of 900 images, stratified, seed 0"


def test_a_limit_keeps_an_image_of_every_class_to_train_on_where_it_can() -> None:
    many = labelled([0] * 400 + [*range(1, 12)])
    task = Task("t", many, many, many, (), many.class_names)
    for n, kept in ((12, 12), (13, 12), (60, 12)):
        for seed in range(5):
            few = task.subset(train=n, evaluation=n, seed=seed)
            assert len(few.train) == n
            assert len(set(few.train.labels.tolist())) == kept
            # What is scored is drawn as before, so that scarce classes weigh no more than they do.
            assert ids(few.test) == ids(many.subset(n, seed=seed))
    assert len(task.subset(train=5, evaluation=None).train) == 5
    # Where no class was left out, the draw is what it was.
    even = labelled([0] * 40 + [1] * 30 + [2] * 50)
    task = replace(task, train=even, val=even, test=even, class_names=even.class_names)
    assert ids(task.subset(train=30, evaluation=None).train) == ids(even.subset(30, seed=0))


def test_two_classes_of_one_name_stay_two() -> None:
    split = replace(labelled([0, 1, 2]), class_names=("crane", "cat", "crane"))
    again = relabelled(split, split.class_names, name="x", domain="ID", use="test")
    assert again.labels.tolist() == [0, 1, 2]


def test_seeded() -> None:
    split = labelled([0] * 30 + [1] * 30)
    assert ids(cut(split, 0.2, 1)[1]) == ids(cut(split, 0.2, 1)[1])
    assert ids(cut(split, 0.2, 1)[1]) != ids(cut(split, 0.2, 2)[1])
    state = np.random.get_state()[1].copy()
    cut(split)
    assert (state == np.random.get_state()[1]).all()


def test_both_sides_say_so() -> None:
    train, val = cut(labelled([0] * 20 + [1] * 20), 0.1, 7)
    assert (val.name, val.use, train.use) == ("val", "val", "train")
    for part in (train, val):
        assert "4 of 40 images" in part.notes[-1]
        assert "stratified, 0.1 of each class, seed 7" in part.notes[-1]
    assert cut(labelled([0] * 20), name="test", use="test")[1].use == "test"


def test_without_labels_it_is_one_class() -> None:
    train, val = cut(split_of(None, n=10), 0.25)
    assert (len(train), len(val)) == (7, 3)


def test_nothing_to_cut() -> None:
    with pytest.raises(DataError, match="every class has one image only"):
        cut(labelled([0, 1, 2]))
    for fraction in (0, 1, -0.1, 1.5, float("nan")):
        with pytest.raises(DataError, match="share to cut off"):
            cut(labelled([0, 0]), fraction)


def test_few_shot_is_k_per_class_of_train_and_val(task) -> None:
    few = few_shot(task, 4, seed=1)
    for part, whole in ((few.train, task.train), (few.val, task.val)):
        assert np.bincount(part.labels).tolist() == [4, 4, 4]
        names = [part.images.id(i) for i in range(12)]
        assert len(set(names)) == 12
        by_name = {whole.images.id(i): int(whole.labels[i]) for i in range(len(whole))}
        assert [by_name[n] for n in names] == part.labels.tolist()
        assert part.labels.tolist() != sorted(part.labels.tolist())
        assert "4 images per class" in part.notes[-1]
    assert (few.test, few.shifts) == (task.test, task.shifts)
    assert "few-shot: 4 images per class in train and val, seed 1" in few.notes


def test_few_shot_is_seeded(task) -> None:
    def drawn(seed: int) -> list[str]:
        train = few_shot(task, 3, seed=seed).train
        return [train.images.id(i) for i in range(len(train))]

    state = np.random.get_state()[1].copy()
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert (state == np.random.get_state()[1]).all()


def test_few_shot_draws_every_image_sometimes(task) -> None:
    seen = set()
    for seed in range(40):
        train = few_shot(task, 3, seed=seed).train
        seen |= {train.images.id(i) for i in range(len(train))}
    assert len(seen) == len(task.train)


def test_few_shot_needs_enough_of_every_class(task) -> None:
    with pytest.raises(DataError, match=r"'circle' has 10 images in 'val', fewer than k = 11"):
        few_shot(task, 11)
    assert len(few_shot(task, 10).train) == 30
    with pytest.raises(DataError, match="few-shot with 0 images"):
        few_shot(task, 0)
