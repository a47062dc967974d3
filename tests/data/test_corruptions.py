"""Corruptions: lazy, seeded, named synthetic, sensible at any size."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2.functional import gaussian_blur

from surefoot.data.corruptions import KINDS, _blur, corrupt, corruptions
from surefoot.errors import DataError, UnknownName

from .pictures import Listed, picture, split_of


def test_named_marked_and_as_long_as_the_test() -> None:
    test = split_of([0, 1, 1], size=(32, 32))
    made = corruptions(test, kinds=KINDS)
    assert [s.name for s in made] == [f"{k} (synthetic)" for k in KINDS]
    for split in made:
        assert split.synthetic
        assert (split.domain, split.use, len(split)) == ("OOD", "test", 3)
        assert split.labels is test.labels
        assert "not ImageNet-C" in split.notes[-1]
        assert split.images.id(2) == "image2"
        assert split.images[0].size == (32, 32)
        assert (np.asarray(split.images[0]) != np.asarray(test.images[0])).any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(32, 32), (500, 375), (5, 3), (1, 1)])
def test_every_kind_at_every_size(kind: str, size: tuple[int, int]) -> None:
    out = corrupt(picture(0, size), kind, 5)
    assert out.size == size
    assert out.mode == "RGB"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("side", [32, 224, 400])
def test_stronger_severity_changes_more(kind: str, side: int) -> None:
    image = picture(3, (side, side))
    original = np.asarray(image).astype(float)
    with torch.random.fork_rng(devices=[]):
        damage = []
        for severity in (1, 3, 5):
            torch.manual_seed(0)
            changed = np.asarray(corrupt(image, kind, severity)).astype(float)
            damage.append(np.abs(changed - original).mean())
    assert 0 < damage[0] < damage[1] < damage[2] < 128


def test_draws_depend_on_seed_kind_and_index_alone() -> None:
    test = split_of([0, 0, 0], size=(32, 32))
    same = [test.images[0]] * 3
    again = corruptions(split_of([0, 0, 0], size=(32, 32)), kinds=["noise"], seed=1)[0]
    noisy = corruptions(test, kinds=["noise"], seed=1)[0]
    first = np.asarray(noisy.images[1])
    noisy.images[2], torch.rand(3)
    assert (first == np.asarray(noisy.images[1])).all()
    assert (first == np.asarray(again.images[1])).all()
    assert (first == np.asarray(pickle.loads(pickle.dumps(noisy.images))[1])).all()
    other = corruptions(test, kinds=["noise"], seed=2)[0]
    assert (first != np.asarray(other.images[1])).any()
    repeated = corruptions(split_with(same), kinds=["noise"])[0]
    assert (np.asarray(repeated.images[0]) != np.asarray(repeated.images[1])).any()


def split_with(images: list[Image.Image]):
    split = split_of([0] * len(images))
    object.__setattr__(split, "images", Listed(images))
    return split


def test_the_callers_random_state_is_left_alone() -> None:
    before = torch.get_rng_state()
    for split in corruptions(split_of([0], size=(32, 32)), kinds=KINDS):
        split.images[0]
    assert torch.equal(before, torch.get_rng_state())


def test_strengths_are_the_published_ones_at_their_sizes() -> None:
    grey = Image.new("RGB", (224, 224), (128, 128, 128))
    noisy = np.asarray(corrupt(grey, "noise", 1)).astype(float) / 255
    assert noisy.std() == pytest.approx(0.08, rel=0.02)
    small = split_with([Image.new("RGB", (32, 32), (128, 128, 128))] * 20)
    pixels = [
        np.asarray(i)
        for i in map(corruptions(small, kinds=["noise"])[0].images.__getitem__, range(20))
    ]
    assert (np.stack(pixels) / 255).std() == pytest.approx(0.08, rel=0.02)  # severity 3 of CIFAR
    buffer = io.BytesIO()
    picture(0, (224, 224)).save(buffer, "JPEG", quality=15)
    ours = np.asarray(corrupt(picture(0, (224, 224)), "jpeg", 3))
    assert (ours == np.asarray(Image.open(buffer))).all()


@pytest.mark.parametrize("size", [(40, 24), (7, 9)])
def test_blur_is_torchvisions(size: tuple[int, int]) -> None:
    pixels = torch.from_numpy(np.array(picture(0, size))).permute(2, 0, 1)
    peer = gaussian_blur(pixels, [7, 7], [1.1, 1.1])
    assert (_blur(pixels, 1.1).int() - peer.int()).abs().max() <= 1
    assert (_blur(pixels, 9.0).float() - pixels.float()).abs().mean() > 5


def test_elastic_moves_pixels_by_what_it_says() -> None:
    side = 200
    ramp = np.tile(np.arange(side, dtype=np.uint8), (side, 1))
    image = Image.fromarray(np.stack([ramp] * 3, axis=-1))
    moved = []
    with torch.random.fork_rng(devices=[]):
        for seed in range(8):
            torch.manual_seed(seed)
            inner = np.asarray(corrupt(image, "elastic", 3))[40:-40, 40:-40, 0].astype(float)
            moved.append(inner - ramp[40:-40, 40:-40])
    assert np.sqrt(np.mean(np.square(moved))) == pytest.approx(0.02 * side, rel=0.3)


def test_bad_requests() -> None:
    test = split_of([0])
    with pytest.raises(UnknownName, match=r"'nois'. Did you mean 'noise'"):
        corruptions(test, kinds=["nois"])
    with pytest.raises(DataError, match="severity of corruptions is 6"):
        corruptions(test, severity=6)
    with pytest.raises(DataError, match="named twice"):
        corruptions(test, kinds=["blur", "blur"])
