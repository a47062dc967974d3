"""Transforms against torchvision's own operations."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import v2 as tv

from surefoot.transforms import DINO_KNN, TransformSpec


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def tensor(image: Image.Image, spec: TransformSpec) -> torch.Tensor:
    """torchvision's ToTensor and Normalize."""
    out = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
    return tv.functional.normalize(out, list(spec.mean), list(spec.std))


SIDES = st.integers(20, 90)


@settings(max_examples=60, deadline=None)
@given(width=SIDES, height=SIDES, resize=st.integers(24, 60),
       kind=st.sampled_from(["nearest", "bilinear", "bicubic", "lanczos"]))  # fmt: skip
def test_eval_is_torchvisions_resize_and_centre_crop(
    width: int, height: int, resize: int, kind: str
) -> None:
    spec = TransformSpec(size=(24, 20), resize=resize, interpolation=kind)
    image = noise(width, height)
    steps = tv.Compose([tv.Resize(resize, InterpolationMode(kind)), tv.CenterCrop([24, 20])])
    assert torch.equal(spec.eval()(image), tensor(steps(image), spec))


@settings(max_examples=30, deadline=None)
@given(width=SIDES, height=SIDES)
def test_squash_and_no_resize(width: int, height: int) -> None:
    image = noise(width, height)
    squash = TransformSpec(size=(24, 32), resize=24, resize_mode="squash")
    expected = tv.Resize([24, 32], InterpolationMode.BICUBIC)(image)
    assert torch.equal(squash.eval()(image), tensor(expected, squash))
    plain = TransformSpec(size=(40, 50))  # smaller images are padded
    assert torch.equal(plain.eval()(image), tensor(tv.CenterCrop([40, 50])(image), plain))


def test_longest_pads_to_a_square() -> None:
    spec = TransformSpec(size=(20, 20), resize=20, resize_mode="longest", fill=128)
    image = noise(40, 20)
    small = image.resize((20, 10), Image.Resampling.BICUBIC)
    expected = Image.new("RGB", (20, 20), (128, 128, 128))
    expected.paste(small, (0, 5))
    assert torch.equal(spec.eval()(image), tensor(expected, spec))
    square = noise(20, 20)
    assert torch.equal(spec.eval()(square), tensor(square, spec))


@settings(max_examples=60, deadline=None)
@given(width=SIDES, height=SIDES, seed=st.integers(0, 2**40),
       scale=st.sampled_from([(0.9, 1.0), (0.08, 1.0), (1.0, 1.0)]))  # fmt: skip
def test_train_is_torchvisions_random_resized_crop_draw_by_draw(
    width: int, height: int, seed: int, scale: tuple[float, float]
) -> None:
    spec = TransformSpec(size=(24, 30), train_scale=scale, train_flip=True)
    peer = tv.Compose([
        tv.RandomResizedCrop([24, 30], scale=scale, interpolation=InterpolationMode.BICUBIC),
        tv.RandomHorizontalFlip(),
    ])  # fmt: skip
    image = noise(width, height)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        ours = spec.train()(image)
        state = torch.get_rng_state()
        torch.manual_seed(seed)
        assert torch.equal(ours, tensor(peer(image), spec))
        assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("size", [(400, 12), (12, 400)])
def test_very_long_images_fall_back_as_torchvision_does(size: tuple[int, int]) -> None:
    spec = TransformSpec(size=(8, 8), train_scale=(1.0, 1.0))
    peer = tv.RandomResizedCrop([8, 8], scale=(1.0, 1.0), interpolation=InterpolationMode.BICUBIC)
    image = noise(*size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        ours = spec.train()(image)
        torch.manual_seed(0)
        assert torch.equal(ours, tensor(peer(image), spec))


@pytest.mark.parametrize("side", [8, 300])
def test_a_batch_is_its_images(side: int) -> None:
    spec = TransformSpec(size=(side, side), resize=side)
    images = [noise(side + i, side, i) for i in range(5)]
    transform = spec.eval()
    together = transform.batch(map(transform.pixels, images), len(images))
    assert torch.equal(together, torch.stack([transform(i) for i in images]))


def test_other_modes_become_rgb() -> None:
    spec = TransformSpec(size=(8, 8), resize=8)
    assert spec.eval()(Image.new("L", (9, 9), 255)).shape == (3, 8, 8)
    assert spec.train()(Image.new("P", (9, 9))).shape == (3, 8, 8)


def test_json_fingerprint_and_pickle() -> None:
    spec = DINO_KNN.changed(size=(16, 16), train_flip=True)
    again = TransformSpec.from_json(spec.to_json())
    assert again == spec
    assert again.fingerprint() == spec.fingerprint() != DINO_KNN.fingerprint()
    image = noise(30, 20)
    assert torch.equal(pickle.loads(pickle.dumps(spec.eval()))(image), spec.eval()(image))
