"""Greys of more than eight bits, floats and the odd modes: the right pixels, by all splits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from surefoot.data.dataset import Task
from surefoot.data.specs import make_task
from surefoot.features import cache_key
from surefoot.recipes.inventory import take_inventory
from surefoot.transforms import TransformSpec

from ..conftest import toy_model
from .builders import folders, grey

SPEC = TransformSpec(size=(4, 4), mean=(0.5,) * 3, std=(0.5,) * 3)


def ramp(high: float, kind: str, low: float = 0.0) -> NDArray[np.generic]:
    """A ramp from low to high, 4 x 4."""
    return np.linspace(low, high, 16).reshape(4, 4).astype(kind)


def sets(root: Path, values: dict[str, list[NDArray[np.generic]]], ending: str = "png") -> str:
    """Class folders "a" and "b" of these images."""
    for label, images in values.items():
        for i, image in enumerate(images):
            grey(root / label / f"{i}.{ending}", image)
    return str(root)


def shown(task: Task) -> list[int]:
    """The brightest pixel of each ID image as a network is shown it, of 255."""
    splits = (task.train, task.val, task.test)
    return [int(np.asarray(s.images[i]).max()) for s in splits for i in range(len(s))]


@pytest.mark.parametrize(
    ("high", "white"), [(1000, 1023), (4000, 4095), (16000, 16383), (65535, 65535), (250, 255)]
)
def test_greys_of_so_many_bits_in_sixteen(tmp_path: Path, high: int, white: int) -> None:
    train = sets(tmp_path, {c: [ramp(high - i, "uint16") for i in range(3)] for c in "ab"})
    task = make_task(train=train)
    assert max(shown(task)) == round(255 * high / white)
    said = [n for n in task.notes if "16-bit greys" in n]
    assert f"{white:,} is white" in said[0]
    assert (getattr(said[0], "kind", "") == "guessed") == (white < 65535)


def test_a_dark_image_stays_dark_beside_bright_ones(tmp_path: Path) -> None:
    dark, bright = ramp(400, "uint16"), ramp(4000, "uint16")
    task = make_task(train=sets(tmp_path / "train", {c: [dark, bright, dark] for c in "ab"}),
                     test=sets(tmp_path / "test", {c: [dark] for c in "ab"}))  # fmt: skip
    assert set(shown(task)) == {25, 249}


def test_all_splits_are_judged_by_one_light(tmp_path: Path) -> None:
    night = sets(tmp_path / "night", {c: [ramp(60000, "uint16")] for c in "ab"})
    train = sets(tmp_path / "train", {c: [ramp(4000 - i, "uint16") for i in range(3)]
                                      for c in "ab"})  # fmt: skip
    task = make_task(train=train, shifts={"night": night})
    assert max(shown(task)) == 16  # 65,535 is white now: the shift says what the sensor can do
    assert int(np.asarray(task.shifts[0].split.images[0]).max()) == 233


@pytest.mark.parametrize(("high", "brightest"), [(1.0, 255), (0.5, 128), (200.0, 200)])
def test_floats(tmp_path: Path, high: float, brightest: int) -> None:
    train = sets(tmp_path, {c: [ramp(high, "float32") + np.float32(-i / 1e6) for i in range(3)]
                            for c in "ab"}, "tiff")  # fmt: skip
    assert max(shown(make_task(train=train))) == brightest


def test_a_black_float_image_is_not_made_white(tmp_path: Path) -> None:
    images = [ramp(1.0, "float32"), ramp(200.0, "float32"), ramp(180.0, "float32")]
    task = make_task(train=sets(tmp_path, dict.fromkeys("ab", images), "tiff"), val_fraction=0.4)
    assert 255 not in shown(task)


def test_what_is_white_is_part_of_what_the_cache_knows(tmp_path: Path) -> None:
    train = sets(tmp_path / "t", {c: [ramp(4000 - i, "uint16") for i in range(3)] for c in "ab"})
    night = sets(tmp_path / "n", {c: [ramp(60000, "uint16")] for c in "ab"})
    alone, beside = make_task(train=train), make_task(train=train, shifts={"night": night})
    keys = {cache_key(toy_model(), task.test, SPEC) for task in (alone, beside)}
    assert len(keys) == 2
    made = {cache_key(toy_model(), s.split, SPEC) for s in alone.shifts}
    again = {cache_key(toy_model(), s.split, SPEC) for s in make_task(train=train).shifts}
    assert made == again


def test_a_look_at_headers_alone_gives_the_same_pixels(tmp_path: Path) -> None:
    train = sets(tmp_path, {c: [ramp(4000 - i, "uint16") for i in range(3)] for c in "ab"})
    assert shown(make_task(train=train, check="quick")) == shown(make_task(train=train))


def test_bad_files_left_out_leave_the_light(tmp_path: Path) -> None:
    train = sets(tmp_path, {c: [ramp(4000 - i, "uint16") for i in range(3)] for c in "ab"})
    (tmp_path / "a" / "9.png").write_bytes(b"no image")
    task = make_task(train=train, skip_bad=True)
    assert max(shown(task)) == 249


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "RGBA", "LA", "CMYK", "1"])
def test_eight_bits_of_any_mode_keep_their_colours(tmp_path: Path, mode: str) -> None:
    root = folders(tmp_path, {"cat": 3, "dog": 3})
    white = Image.new("RGB", (4, 4), (250, 250, 250)).convert(mode)
    kind = "TIFF" if mode == "CMYK" else "PNG"
    white.save(root / "cat" / "0.png", kind)
    task = make_task(train=str(root), val_fraction=0.3)
    splits = (task.train, task.val, task.test)
    found = [np.asarray(s.images[i]) for s in splits for i in range(len(s))
             if s.images.id(i) == "cat/0.png"]  # fmt: skip
    assert abs(int(found[0].mean()) - 250) <= 5
    assert not any("is white" in n for n in task.notes)


def test_upright_by_exif(tmp_path: Path) -> None:
    root = folders(tmp_path, {"cat": 3, "dog": 3})
    lying = Image.new("RGB", (8, 4), "red")
    exif = lying.getexif()
    exif[0x0112] = 6
    lying.save(root / "cat" / "0.jpg", exif=exif)
    task = make_task(train=str(root))
    sizes = {task.train.images[i].size for i in range(len(task.train))}
    assert sizes <= {(16, 16), (4, 8)}


def test_one_pixel_without_a_value_does_not_make_all_black(tmp_path: Path) -> None:
    """As at the edge of a map: the first pixel is no number."""
    hole = ramp(1.0, "float32")
    hole[0, 0] = np.nan
    images = [hole, ramp(1.0, "float32"), ramp(0.9, "float32")]
    task = make_task(train=sets(tmp_path, dict.fromkeys("ab", images), "tiff"))
    assert max(shown(task)) == 255
    assert min(shown(task)) >= 229


def test_an_infinite_pixel_is_not_what_is_white(tmp_path: Path) -> None:
    hole = ramp(1.0, "float32")
    hole[1, 1] = np.inf
    images = [hole, ramp(1.0, "float32"), ramp(0.9, "float32")]
    assert min(shown(make_task(train=sets(tmp_path, dict.fromkeys("ab", images), "tiff")))) >= 229


def test_sixteen_bits_with_the_high_byte_first(tmp_path: Path) -> None:
    images = [ramp(4000 - i, "uint16") for i in range(3)]
    for label in "ab":
        (tmp_path / label).mkdir()
        for i, image in enumerate(images):
            swapped = Image.frombytes("I;16B", (4, 4), image.astype(">u2").tobytes())
            swapped.save(tmp_path / label / f"{i}.tiff")
    assert max(shown(make_task(train=str(tmp_path)))) == 249


def test_several_pictures_in_one_file_are_said(tmp_path: Path) -> None:
    root = folders(tmp_path, {"cat": 3, "dog": 3})
    frames = [Image.new("RGB", (8, 8), c) for c in ("red", "blue", "green")]
    frames[0].save(root / "cat" / "0.gif", save_all=True, append_images=frames[1:])
    frames[0].save(root / "dog" / "1.tiff", save_all=True, append_images=frames[1:])
    found = take_inventory(make_task(train=str(root), val_fraction=0.3))
    said = [str(n) for s in found.splits for n in s.notes if "further pictures" in n]
    assert sum("the first is taken" in n for n in said) >= 1
    assert not any(
        "further" in n
        for s in take_inventory(
            make_task(train=str(folders(tmp_path / "f", {"cat": 3, "dog": 3})))
        ).splits
        for n in s.notes
    )


def test_floats_below_nothing_are_said_to_be_black(tmp_path: Path) -> None:
    images = [ramp(1.0, "float32", -1.0) * np.float32(1 - i / 100) for i in range(3)]
    task = make_task(train=sets(tmp_path, dict.fromkeys("ab", images), "tiff"))
    assert any("what is below 0 (down to -1) is black" in n for n in task.notes)
