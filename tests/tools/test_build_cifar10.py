"""tools/build_cifar10.py: sheets of PNG become CIFAR's own batches."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from surefoot.data.known.cifar import CIFAR10

TOOLS = Path(__file__).parents[2] / "tools"
if str(TOOLS) not in sys.path:
    sys.path.insert(0, str(TOOLS))

import build_cifar10  # noqa: E402


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """5 x 20 training and 10 test images, drawn at random, each class equally often."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "package"
    folder.mkdir()
    pixels = rng.integers(0, 256, (110, 32, 32, 3), dtype=np.uint8)
    labels = np.concatenate([rng.permutation(100) % 10, rng.permutation(10)])
    names = [*build_cifar10.BATCHES, "test_batch"]
    for i, name in enumerate(names):
        part = pixels[20 * i : 20 * (i + 1)]
        Image.fromarray(part.reshape(len(part), 1024, 3)).save(folder / f"{name}.png")
    (folder / "train_lables.json").write_text(json.dumps(labels[:100].tolist()))
    (folder / "test_lables.json").write_text(json.dumps(labels[100:].tolist()))
    np.savez(tmp_path / "truth.npz", pixels=pixels, labels=labels)
    return folder


def test_images_and_labels_arrive_in_their_order(package: Path, tmp_path: Path) -> None:
    digest = build_cifar10.build(package, tmp_path / "out", per_class=(10, 1))
    truth = np.load(tmp_path / "truth.npz")
    folder = tmp_path / "out" / "cifar-10-batches-py"
    train, test = CIFAR10.read(folder, "train"), CIFAR10.read(folder, "test")
    assert train.require_labels().tolist() == truth["labels"][:100].tolist()
    assert test.require_labels().tolist() == truth["labels"][100:].tolist()
    for split, first in ((train, 0), (test, 100)):
        for i in range(len(split)):
            assert np.array_equal(np.asarray(split.images[i]), truth["pixels"][first + i])
    assert digest == build_cifar10.build(package, tmp_path / "again", per_class=(10, 1))
    first, again = (tmp_path / d / "cifar-10-batches-py/data_batch_4" for d in ("out", "again"))
    assert first.read_bytes() == again.read_bytes()


def test_unequal_classes_stop_the_build_before_anything_is_written(
    package: Path, tmp_path: Path
) -> None:
    with pytest.raises(SystemExit, match="expected 5000 images of each class"):
        build_cifar10.build(package, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_other_packages_are_refused(package: Path, tmp_path: Path) -> None:
    (package / "test_lables.json").write_text("[0, 1, 12]")
    with pytest.raises(SystemExit, match="3 labels; expected 10"):
        build_cifar10.build(package, tmp_path / "out", per_class=(10, 1))
    Image.new("RGB", (32, 32)).save(package / "data_batch_2.png")
    with pytest.raises(SystemExit, match="one row per image"):
        build_cifar10.build(package, tmp_path / "out", per_class=(10, 1))
    (package / "data_batch_2.png").unlink()
    with pytest.raises(SystemExit, match=r"lacks data_batch_2\.png"):
        build_cifar10.build(package, tmp_path / "out", per_class=(10, 1))
