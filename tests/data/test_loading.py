"""The loader: same tensors whatever the batches, workers and processes; nobody's RNG touched."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from surefoot.data import loading
from surefoot.data.folder import from_folder
from surefoot.data.loading import make_loader
from surefoot.data.rng import kept_rng, mix
from surefoot.data.splitting import cut
from surefoot.errors import DataError
from surefoot.transforms import TransformSpec

from .pictures import folder, split_of

SPEC = TransformSpec(size=(6, 6), resize=6, train_scale=(0.3, 1.0), train_flip=True)
forks = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def everything(split, transform, **options):
    parts = list(make_loader(split, transform, **options))
    return {key: torch.cat([p[key] for p in parts]) for key in ("image", "label", "index")}


def slow(split, transform, index: int, seed: int, epoch: int) -> torch.Tensor:
    """One image as the loader promises it: seeded by (seed, epoch, index), then transformed."""
    torch.manual_seed(int(mix(np.array([index]), seed, epoch)[0]))
    return transform(split.images[index])


def test_in_order_without_batches() -> None:
    split = split_of([0, 1, 2, 0, 1])
    loader = make_loader(split, SPEC.eval(), batch_size=2)
    assert len(loader) == 3
    batches = list(loader)
    assert [b["index"].tolist() for b in batches] == [[0, 1], [2, 3], [4]]
    assert [b["label"].tolist() for b in batches] == [[0, 1], [2, 0], [1]]
    assert batches[0]["image"].shape == (2, 3, 6, 6)
    assert batches[0]["image"].dtype == torch.float32
    assert batches[0]["label"].dtype == batches[0]["index"].dtype == torch.int64
    for i, image in enumerate(torch.cat([b["image"] for b in batches])):
        assert torch.equal(image, SPEC.eval()(split.images[i]))


def test_given_batches_in_their_order_and_repeats() -> None:
    split = split_of([0, 1, 2, 0, 1])
    plan = [np.array([4, 0]), np.array([2, 2, 1])]
    out = everything(split, SPEC.eval(), batches=plan)
    assert out["index"].tolist() == [4, 0, 2, 2, 1]
    assert out["label"].tolist() == [1, 0, 2, 2, 1]
    assert torch.equal(out["image"][2], out["image"][3])


def test_without_labels_they_are_minus_one() -> None:
    assert everything(split_of(None, n=3), SPEC.eval())["label"].tolist() == [-1, -1, -1]


def test_an_empty_batch_has_no_images() -> None:
    plan = [np.zeros(0, dtype=np.int64), np.array([1])]
    shapes = [b["image"].shape for b in make_loader(split_of([0, 1]), SPEC.eval(), batches=plan)]
    assert shapes == [(0, 3, 6, 6), (1, 3, 6, 6)]


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(9)), size=st.integers(1, 9), epoch=st.integers(0, 3))
def test_random_transforms_depend_on_seed_epoch_and_index_alone(
    order: list[int], size: int, epoch: int
) -> None:
    split, transform = split_of([0] * 9), SPEC.train()
    plan = [np.array(order[i : i + size]) for i in range(0, 9, size)]
    out = everything(split, transform, batches=plan, seed=5, epoch=epoch)
    for image, index in zip(out["image"], out["index"].tolist(), strict=True):
        assert torch.equal(image, slow(split, transform, index, 5, epoch))


def test_another_epoch_or_seed_draws_anew() -> None:
    split = split_of([0] * 6)
    images = [
        everything(split, SPEC.train(), seed=s, epoch=e)["image"]
        for s, e in ((0, 0), (0, 1), (1, 0))
    ]
    assert not torch.equal(images[0], images[1])
    assert not torch.equal(images[0], images[2])
    assert not torch.equal(images[1], images[2])


@forks
@pytest.mark.parametrize("workers", [0, 2])
def test_one_loader_serves_many_epochs(workers: int) -> None:
    split, transform = split_of([0] * 7), SPEC.train()
    orders = {epoch: [np.array([6, 0, 3]), np.array([epoch, 5])] for epoch in (2, 3, 4)}
    pairs = [(epoch, batch) for epoch, order in orders.items() for batch in order]
    out = everything(split, transform, batches=pairs, seed=5, workers=workers)
    apart = [
        everything(split, transform, batches=order, seed=5, epoch=epoch)
        for epoch, order in orders.items()
    ]
    for key in out:
        assert torch.equal(out[key], torch.cat([a[key] for a in apart]))


@forks
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_workers_change_nothing(tmp_path: Path, mode: str) -> None:
    root = folder(tmp_path, {"a": 7, "b": 6})
    split = from_folder(root, name="train", domain="ID", use="train")
    transform = getattr(SPEC, mode)()
    alone = everything(split, transform, batch_size=4, seed=3)
    helped = everything(split, transform, batch_size=4, seed=3, workers=2)
    for key in alone:
        assert torch.equal(alone[key], helped[key])


@forks
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("mode", ["eval", "train"])
def test_normalising_later_changes_no_bit(
    mode: str, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a CUDA device: bytes travel, numbers are made where they are wanted."""
    split = split_of([0, 1, 2] * 4)
    transform = getattr(SPEC, mode)()
    at_once = everything(split, transform, batch_size=5, seed=3)
    monkeypatch.setattr(loading, "_FINISHES", ("cpu",))
    loader = make_loader(split, transform, batch_size=5, seed=3, workers=workers, device="cpu")
    travelling = [b["image"] for b in loader.loader]
    assert {t.dtype for t in travelling} == {torch.uint8}
    assert sum(t.nbytes for t in travelling) == at_once["image"].nbytes // 4
    for _ in range(2):  # a loader can be gone through again
        parts = list(loader)
        for key, whole in at_once.items():
            assert torch.equal(torch.cat([p[key] for p in parts]), whole)


def test_the_callers_random_state_is_left_alone() -> None:
    split = split_of([0] * 5)
    torch.manual_seed(1), np.random.seed(1), random.seed(1)
    before = (torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate())
    everything(split, SPEC.train(), batch_size=2)
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()
    assert before[2] == random.getstate()


def test_draws_between_batches_change_nothing() -> None:
    split = split_of([0] * 6)
    calm = everything(split, SPEC.train(), batch_size=2)["image"]
    disturbed = []
    for batch in make_loader(split, SPEC.train(), batch_size=2):
        torch.rand(100)
        disturbed.append(batch["image"])
    assert torch.equal(calm, torch.cat(disturbed))


def test_the_random_state_comes_back_after_an_error() -> None:
    before = torch.get_rng_state()

    def fails() -> None:
        with kept_rng() as generator:
            generator.manual_seed(3)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert torch.equal(before, torch.get_rng_state())


def test_any_callable_is_a_transform() -> None:
    split = split_of([0, 0])

    def ours(image: Image.Image) -> torch.Tensor:
        return torch.full((3, 2, 2), float(image.size[0])) + torch.rand(1)

    first, second = (everything(split, ours)["image"] for _ in range(2))
    assert first.shape == (2, 3, 2, 2)
    assert torch.equal(first, second)


@forks
@pytest.mark.parametrize("workers", [0, 1])
def test_a_bad_image_is_named(tmp_path: Path, workers: int) -> None:
    root = folder(tmp_path, {"a": 3})
    (root / "a" / "1.png").write_bytes(b"not an image")
    split = from_folder(root, name="train", domain="ID", use="train")
    with pytest.raises(DataError, match=r"a/1.png of the split 'train' cannot be decoded: not an"):
        everything(split, SPEC.eval(), workers=workers)


def test_a_selection_reads_its_own_images() -> None:
    split = split_of([0, 1] * 10)
    rest, part = cut(split, 0.3, 1)
    for taken in (rest, part):
        out = everything(taken, SPEC.eval())
        for i in range(len(taken)):
            source = int(taken.images.id(i).removeprefix("image"))
            assert torch.equal(out["image"][i], SPEC.eval()(split.images[source]))
            assert out["label"][i] == split.labels[source]


def test_batch_size_zero() -> None:
    with pytest.raises(DataError, match="batch size is 0"):
        make_loader(split_of([0]), SPEC.eval(), batch_size=0)


def test_mixed_seeds_do_not_repeat() -> None:
    seeds = np.concatenate([mix(np.arange(2000), s, e) for s in range(3) for e in range(3)])
    assert len(np.unique(seeds)) == len(seeds)
    low = (seeds & np.uint64(1)).mean()
    assert 0.45 < low < 0.55
