"""Extraction: equal to a plain loop, whatever the storage; keys that change; resuming."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from surefoot import features as room
from surefoot.data.dataset import Split
from surefoot.data.folder import from_folder
from surefoot.data.loading import images_at_once
from surefoot.data.sequence import pixel_content
from surefoot.errors import ModelError
from surefoot.features import cache_key, extract
from surefoot.models.model import Model, ModelSpec
from surefoot.transforms import TransformSpec

N, D = 37, 5


class Pictures:
    """Counts how often an image is decoded."""

    def __init__(self, n: int = N) -> None:
        self.pixels = np.random.default_rng(0).integers(0, 255, (n, 6, 6, 3), dtype=np.uint8)
        self.decoded = 0

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> Image.Image:
        self.decoded += 1
        return Image.fromarray(self.pixels[index])

    def content(self, index: int) -> bytes:
        return pixel_content(self.pixels[index])

    def id(self, index: int) -> str:
        return f"{index}.png"


class Encoder(nn.Module):
    def __init__(self, act: type[nn.Module] = nn.GELU) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.linear = nn.Linear(108, D)
        self.act = act()
        self.norm = nn.BatchNorm1d(D)

    def forward(self, images: Tensor) -> Tensor:
        out: Tensor = self.norm(self.act(self.linear(images.flatten(1))))
        return out


def model(act: type[nn.Module] = nn.GELU, **builder: str) -> Model:
    spec = ModelSpec("t", "t", {"kind": "t", **builder}, TransformSpec(size=(6, 6)), False, False)
    return Model(Encoder(act), spec=spec, feature_dim=D)


def split(images: Pictures | None = None, **changes: object) -> Split:
    given = {"labels": np.arange(N) % 3, "source": "s"} | changes
    return Split("train", images or Pictures(), class_names=("a", "b", "c"), domain="ID",
                 use="train", **given)  # type: ignore[arg-type]  # fmt: skip


def plainly(m: Model, s: Split, spec: TransformSpec) -> np.ndarray:
    m = m.clone().eval()
    with torch.no_grad():
        rows = [m.features(spec.eval()(s.images[i])[None])[0].numpy() for i in range(len(s))]
    return np.stack(rows)


@pytest.mark.parametrize("batch_size", [1, 8, 256])
def test_equal_to_one_image_at_a_time(batch_size: int) -> None:
    m, s = model(), split()
    m.train()
    found = extract(m, s, batch_size=batch_size)
    assert found.shape == (N, D)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, plainly(m, s, m.spec.transform), rtol=1e-5, atol=1e-6)
    assert m.training
    assert m.encoder.norm.num_batches_tracked == 0


def test_another_transform_and_no_labels() -> None:
    m, s = model(), split(labels=None)
    other = m.spec.transform.changed(mean=(0.1, 0.2, 0.3))
    np.testing.assert_allclose(
        extract(m, s, transform=other), plainly(m, s, other), rtol=1e-5, atol=1e-6
    )


def test_a_large_result_is_mapped_and_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    m, s = model(), split()
    small = extract(m, s)
    assert not isinstance(small, np.memmap)
    monkeypatch.setattr(room, "IN_MEMORY", 100)
    large = extract(m, s)
    cached = extract(m, s, cache_dir=tmp_path)
    for mapped in (large, cached):
        assert isinstance(mapped, np.memmap)
        assert not mapped.flags.writeable
        assert np.array_equal(mapped, small)


def test_the_cache_is_used_and_progress_is_told(tmp_path: Path) -> None:
    images = Pictures()
    m, s = model(), split(images)
    said: list[tuple[int, int]] = []
    first = extract(m, s, cache_dir=tmp_path, batch_size=20, progress=lambda *x: said.append(x))
    assert said == [(20, 37), (37, 37)]
    assert images.decoded == N
    again = extract(m, s, cache_dir=tmp_path)
    assert images.decoded == N
    assert np.array_equal(first, again)
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".")] == [
        f"{cache_key(m, s, m.spec.transform)}.npy"
    ]


def test_every_part_of_the_key_counts() -> None:
    m, s = model(), split()
    spec = m.spec.transform
    key = cache_key(m, s, spec)
    assert key == cache_key(m.clone().train(), split(), spec)
    tuned = m.clone()
    with torch.no_grad():
        tuned.encoder.linear.weight[0, 0] += 1e-7
    statistics = m.clone()
    statistics.encoder.norm.running_mean += 1
    others = {
        cache_key(tuned, s, spec),
        cache_key(statistics, s, spec),
        cache_key(model(nn.ReLU), s, spec),  # same weights, another activation
        cache_key(model(quick_gelu="yes"), s, spec),
        cache_key(m, s, spec.changed(resize=8)),
        cache_key(m, s.take(np.arange(N)[::-1]), spec),
    }
    assert len(others) == 6
    assert key not in others
    labels = np.zeros(N, dtype=np.int64)
    same = (split(labels=labels), split(source="elsewhere"), split(version="2"))
    assert {cache_key(m, other, spec) for other in same} == {key}  # the same images: found again


def test_an_image_written_over_under_its_name_is_noticed(tmp_path: Path) -> None:
    for name, grey in (("a", 10), ("b", 200)):
        (tmp_path / "train" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8), (grey,) * 3).save(tmp_path / "train" / name / "1.png")
    m = model()

    def features() -> NDArray[np.float32]:
        read = from_folder(tmp_path / "train", name="train", domain="ID", use="train")
        return np.array(extract(m, read, cache_dir=tmp_path / "cache"))

    first = features()
    assert np.array_equal(first, features())
    Image.new("RGB", (8, 8), (255, 0, 0)).save(tmp_path / "train" / "a" / "1.png")
    second = features()
    assert not np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    """After 24 rows and half of the next one, only the last 13 images are decoded again."""
    images = Pictures()
    m, s = model(), split(images)
    whole = extract(m, s)
    images.decoded = 0

    class Killed(BaseException):
        pass

    def kill(done: int, total: int) -> None:
        if done == 32:
            raise Killed

    with pytest.raises(Killed):
        extract(m, s, cache_dir=tmp_path, batch_size=8, progress=kill)
    key = cache_key(m, s, m.spec.transform)
    partial = tmp_path / f".{key}.npy.part"
    assert not (tmp_path / f"{key}.npy").exists()
    raw = partial.read_bytes()
    header = len(raw) - 32 * D * 4
    partial.write_bytes(raw[: header + 24 * D * 4 + 7])
    images.decoded = 0
    assert np.array_equal(extract(m, s, cache_dir=tmp_path, batch_size=8), whole)
    assert images.decoded == 13
    assert not partial.exists()


def test_of_several_at_once_one_computes_and_the_others_wait(tmp_path: Path) -> None:
    images = Pictures()
    s, models = split(images), [model() for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(lambda m: extract(m, s, cache_dir=tmp_path, batch_size=4), models))
    assert images.decoded == N
    assert all(np.array_equal(f, found[0]) for f in found)


def test_a_spoilt_cache_file_is_made_again(tmp_path: Path) -> None:
    m, s = model(), split()
    whole = extract(m, s, cache_dir=tmp_path)
    path = tmp_path / f"{cache_key(m, s, m.spec.transform)}.npy"
    path.write_bytes(path.read_bytes()[:-9])
    assert np.array_equal(extract(m, s, cache_dir=tmp_path), whole)
    path.write_bytes(b"")
    assert np.array_equal(extract(m, s, cache_dir=tmp_path), whole)


def test_features_that_are_not_finite_or_of_another_width() -> None:
    m = model()
    with torch.no_grad():
        m.encoder.linear.bias[0] = torch.nan
    with pytest.raises(ModelError, match="not finite"):
        extract(m, split())
    wide = model()
    wide.feature_dim = 9
    with pytest.raises(ModelError, match=rf"\({N}, {D}\)"):
        extract(wide, split())


class Convolutions(nn.Module):
    """Four convolutions, which is more than any patch embedding has."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.layers = nn.Sequential(*(nn.Conv2d(c, 4, 3, padding=1) for c in (3, 4, 4, 4)))
        self.layouts: set[bool] = set()

    def forward(self, images: Tensor) -> Tensor:
        weight = self.layers[1].weight
        self.layouts.add(weight.is_contiguous(memory_format=torch.channels_last))
        return self.layers(images).mean((2, 3)).repeat(1, 2)[:, :D]


def test_convolutions_lie_by_pixels_while_they_compute_and_only_then() -> None:
    m, s = model(), split()
    m.encoder = Convolutions()
    want = plainly(m, s, m.spec.transform)
    m.encoder.layouts.clear()
    found = extract(m, s)
    assert m.encoder.layouts == {True}
    assert all(p.is_contiguous() for p in m.parameters())
    np.testing.assert_allclose(found, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("size", "device", "images"), [
    ((224, 224), "cpu", 32), ((384, 384), "cpu", 10), ((1024, 1024), None, 8),
    ((32, 32), "cpu", 256), ((224, 224), "cuda", 256),
])  # fmt: skip
def test_a_forward_pass_is_as_large_as_the_device_likes(
    size: tuple[int, int], device: str | None, images: int
) -> None:
    assert images_at_once(size, device) == images
    assert images_at_once(size, device, 7) == 7
