"""ImageNetV2: numbers as folders, and every way to get their order wrong."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from surefoot.data.known.find import known_dataset
from surefoot.data.known.imagenet import miniature_wnids
from surefoot.data.known.order import misplaced, samples
from surefoot.data.known.wordnet import imagenet_index, imagenet_wnids
from surefoot.errors import DataError

from .family import copy, folder_of, said, shift

NAMES = (
    "imagenetv2-matched-frequency", "imagenetv2-threshold-0.7", "imagenetv2-top-images"
)  # fmt: skip
by_name = pytest.mark.parametrize("name", NAMES)


@by_name
def test_labels_are_the_numbers_of_the_folders(name: str) -> None:
    target, folder = shift(name), folder_of(name)
    ours = {
        target.split.images.id(i): int(label)
        for i, label in enumerate(target.split.require_labels())
    }
    plain = {
        f"{place.name}/{file.name}": int(place.name)
        for place in folder.iterdir() if place.is_dir()
        for file in place.iterdir()
    }  # fmt: skip
    assert ours == plain
    assert target.classes == tuple(sorted(set(plain.values())))


def test_packaged_samples_are_distinct_and_whole() -> None:
    for name in (*NAMES, "imagenet:val"):
        every = [s for label in range(1000) for s in samples(name, label)]
        assert len(set(every)) == len(every) == 2000
        assert {len(s) for s in every} == {8}
    assert samples("imagenet:val", 0)[0] == "00000293"


@by_name
def test_a_copy_in_the_order_of_text_is_caught(name: str, tmp_path: Path) -> None:
    """All 1,000 folders, numbered in the order of text: what a renaming script does."""
    as_text = sorted(str(i) for i in range(1000))
    stems = {str(at): list(samples(name, int(held))) for at, held in enumerate(as_text)}
    wrong = misplaced(name, stems, {n: int(n) for n in stems})
    assert len(wrong) == sum(int(held) != at for at, held in enumerate(as_text)) > 980
    assert all(wrong[str(at)] == int(held) for at, held in enumerate(as_text) if int(held) != at)


@by_name
def test_renumbered_folders_are_caught_on_reading_and_by_check(name: str, tmp_path: Path) -> None:
    folder = copy(name, tmp_path)
    numbers = sorted(int(p.name) for p in folder.iterdir() if p.is_dir())
    for number in numbers:
        (folder / str(number)).rename(folder / f"old{number}")
    for number, held in zip(numbers, sorted(numbers, key=str), strict=True):
        (folder / f"old{held}").rename(folder / str(number))
    moved = sum(a != b for a, b in zip(numbers, sorted(numbers, key=str), strict=True))
    assert moved > 3
    assert f"{moved} of 10 class folders hold the images of another class" in said(name, folder)
    with pytest.raises(DataError, match="hold the images of another class"):
        known_dataset(name).read(folder, "test")


def test_the_order_of_text_is_called_by_its_name(tmp_path: Path) -> None:
    name, folder = NAMES[0], copy(NAMES[0], tmp_path)
    as_text = sorted(str(i) for i in range(1000))
    for place in [p for p in folder.iterdir() if p.is_dir()]:
        for file in place.iterdir():
            held = int(as_text[int(place.name)])
            sample = samples(name, held)[len(file.name) % 2]
            file.rename(file.with_name(f"{sample}{file.name[8:]}"))
    assert "numbered in the order of text (0, 1, 10, 100, ...)" in said(name, folder)


def test_folders_renamed_to_wordnet_ids_are_refused(tmp_path: Path) -> None:
    name, folder = NAMES[0], copy(NAMES[0], tmp_path)
    wnids = imagenet_wnids()
    for place in [p for p in folder.iterdir() if p.is_dir()]:
        place.rename(folder / wnids[(int(place.name) + 1) % 1000])
    found = said(name, folder)
    assert "10 folders were renamed to WordNet ids" in found
    assert "10 of 10 class folders hold the images of another class" in found
    with pytest.raises(DataError, match="0 folders called by a number from 0 to 999 and 10 others"):
        known_dataset(name).read(folder, "test")


def test_names_that_are_not_the_published_ids_cannot_be_ordered(tmp_path: Path) -> None:
    folder = copy(NAMES[0], tmp_path)
    for i, file in enumerate(sorted(folder.glob("*/*.jpeg"))):
        file.rename(file.with_name(f"picture{i}.jpeg"))
    assert said(NAMES[0], folder) == ""
    split = known_dataset(NAMES[0]).read(folder, "test")
    assert split.class_names == miniature_wnids()


def test_missing_folders_and_images_are_named(tmp_path: Path) -> None:
    folder = copy(NAMES[2], tmp_path)
    index = imagenet_index()
    first, second = (folder / str(index[w]) for w in miniature_wnids()[:2])
    os.remove(next(first.iterdir()))
    for file in second.iterdir():
        file.write_bytes(b"")
    found = said(NAMES[2], folder)
    assert "test: 19 images, expected 20" in found
    assert f"without exactly 2 images ({first.name}: 1)" in found
    assert "test: 2 images of zero bytes" in found
    from surefoot.data.known.facts import MARK

    (folder / MARK).unlink()
    assert "test: 990 class folders missing" in said(NAMES[2], folder)
    assert np.all([n in said(NAMES[2], folder) for n in ("expected 10,000", "expected 1,000")])
