"""Data that lie class by class: every sample has every class, in every seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from surefoot.data.captions import pairs_subset, read_pairs
from surefoot.data.dataset import Task
from surefoot.data.specs import make_task
from surefoot.data.splitting import cut, few_shot

from .builders import read, rows, samples, shard, table

MANY = {f"class{i:02d}": 12 for i in range(30)}


@pytest.fixture(scope="module")
def ordered(tmp_path_factory: pytest.TempPathFactory) -> Task:
    root = tmp_path_factory.mktemp("ordered")
    return make_task(train=str(table(root / "t.csv", MANY)), check=False)


def classes(labels: np.ndarray | None) -> int:
    assert labels is not None
    return len(np.unique(labels))


@pytest.mark.parametrize("n", [30, 64, 256])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_limit_keeps_every_class(ordered: Task, n: int, seed: int) -> None:
    assert classes(ordered.subset(train=n, evaluation=None, seed=seed).train.labels) == 30


def test_fewer_images_than_classes_are_of_as_many_classes(ordered: Task) -> None:
    assert classes(ordered.train.subset(20, seed=0).labels) == 20


@pytest.mark.parametrize("share", [0.05, 0.1, 0.5])
def test_what_is_cut_off_has_every_class(ordered: Task, share: float) -> None:
    rest, part = cut(ordered.train, share, 3)
    assert classes(rest.labels) == classes(part.labels) == 30


def test_validation_and_test_of_a_folder_in_order(ordered: Task) -> None:
    assert classes(ordered.val.labels) == classes(ordered.test.labels) == 30
    counts = np.bincount(ordered.test.require_labels())
    assert (counts.min(), counts.max()) == (1, 1)


def test_few_shot_of_a_folder_in_order(ordered: Task) -> None:
    drawn = few_shot(ordered, 1, seed=5)
    assert np.bincount(drawn.train.require_labels()).tolist() == [1] * 30
    assert drawn.train.require_labels().tolist() != sorted(drawn.train.require_labels())


def test_the_rate_search_and_the_head_see_every_class(ordered: Task) -> None:
    few = ordered.train.subset(256, seed=0, every_class=True)
    assert classes(few.labels) == 30


def test_pairs_in_order(tmp_path: Path) -> None:
    pairs = read_pairs(str(table(tmp_path / "t.csv", MANY)))
    assert classes(pairs_subset(pairs, 60, seed=0).split.labels) == 30


def test_a_shard_in_order(tmp_path: Path) -> None:
    split = read(f"wds:{shard(tmp_path / 'a.tar', samples(MANY))}")
    assert classes(split.subset(31, seed=0).labels) == 30
    assert len(rows(MANY)) == len(split)
