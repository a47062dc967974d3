"""Images that are in training and test: found, counted, and said; a search cut short says so."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from surefoot.data import overlap
from surefoot.data.dataset import Split
from surefoot.data.folder import from_folder


def folder(root: Path, seeds: list[int]) -> Split:
    for seed in seeds:
        place = root / ("even" if seed % 2 == 0 else "odd")
        place.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{seed}.bmp")  # all of one size
    return from_folder(root, name=root.name, domain="ID", use="train")


def test_copies_are_found_under_any_name(tmp_path: Path) -> None:
    train = folder(tmp_path / "train", [0, 1, 2, 3])
    folder(tmp_path / "test", [4, 5])
    shutil.copy(tmp_path / "train" / "odd" / "3.bmp", tmp_path / "test" / "odd" / "new.bmp")
    test = from_folder(tmp_path / "test", name="test", domain="ID", use="test")
    assert overlap.shared_images(train, test) == ["odd/new.bmp"]
    note = overlap.overlap_note(train, test)
    assert note is not None
    assert note.startswith("WARNING: 1 of 3 images of test are in train too (odd/new.bmp)")


def test_nothing_shared_needs_no_note(tmp_path: Path) -> None:
    assert (
        overlap.overlap_note(folder(tmp_path / "a", [0, 1]), folder(tmp_path / "b", [2, 3])) is None
    )


def test_a_search_that_was_cut_short_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overlap, "_MOST", 2)
    note = overlap.overlap_note(
        folder(tmp_path / "a", [0, 1, 2, 3]), folder(tmp_path / "b", [4, 5])
    )
    assert note is not None
    assert "among 2 files of equal size only, drawn at random: none found" in note


def test_a_search_that_was_cut_short_looks_beyond_the_first_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for side in ("train", "test"):
        for number in range(20):
            place = tmp_path / side / f"class{number // 5}"
            place.mkdir(parents=True, exist_ok=True)
            fill = number if number >= 10 else number + 100 * (side == "test")
            Image.new("L", (6, 6 + number), fill).save(place / f"{number}.bmp")
    sets = [
        from_folder(tmp_path / side, name=side, domain="ID", use="test")
        for side in ("train", "test")
    ]
    assert len(overlap.shared_images(*sets)) == 10  # classes 2 and 3
    monkeypatch.setattr(overlap, "_MOST", 10)
    assert 2 <= len(overlap.shared_images(*sets)) <= 8
