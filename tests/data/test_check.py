"""Bad images are found, counted, listed; they stop the run or are left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from surefoot.data.check import check_images, require_good
from surefoot.data.check_folder import check_folder
from surefoot.data.folder import from_folder
from surefoot.errors import BadImages

from .pictures import encoded, folder, split_of


def damaged(root: Path):
    folder(root, {"cat": 4, "dog": 3})
    (root / "cat" / "1.png").write_bytes(b"")
    (root / "cat" / "2.png").write_bytes(encoded(2, "PNG", (64, 64))[:300])
    (root / "dog" / "0.png").write_text("<html>404</html>")
    (root / "dog" / "3.jpg").write_bytes(encoded(3, "JPEG", (64, 64))[:-60])
    return from_folder(root, name="train", domain="ID", use="train")


BAD = [
    ("cat/1.png", "the file is empty"),
    ("cat/2.png", "truncated"),
    ("dog/0.png", "not an image"),
    ("dog/3.jpg", "truncated"),
]


@pytest.mark.parametrize("workers", [0, 3])
def test_all_of_them_in_order(tmp_path: Path, workers: int) -> None:
    seen: list[tuple[int, int]] = []
    split = damaged(tmp_path)
    bad = check_images(split, workers=workers, progress=lambda i, n: seen.append((i, n)))
    assert bad == BAD
    assert seen[-1] == (8, 8)


def test_quick_reads_headers(tmp_path: Path) -> None:
    assert check_images(damaged(tmp_path), quick=True) == BAD[:3]
    assert check_images(split_of([0, 1]), quick=True) == []


def test_a_file_that_went_away(tmp_path: Path) -> None:
    split = damaged(tmp_path)
    (tmp_path / "cat" / "0.png").unlink()
    assert check_images(split)[0] == ("cat/0.png", "the file is missing")


def test_they_stop_the_run_or_are_left_out(tmp_path: Path) -> None:
    split = damaged(tmp_path)
    with pytest.raises(BadImages, match="4 files of") as caught:
        require_good(split)
    assert caught.value.bad == tuple(BAD)
    assert "--skip-bad" in caught.value.fix
    good = require_good(split, skip_bad=True)
    assert [good.images.id(i) for i in range(4)] == [
        "cat/0.png", "cat/3.png", "dog/1.png", "dog/2.png",
    ]  # fmt: skip
    assert good.labels.tolist() == [0, 0, 1, 1]
    assert "4 of 8 images cannot be decoded and are left out (cat/1.png" in good.notes[-1]
    assert require_good(good) is good


def test_nothing_but_bad_images_stops_the_run_anyway(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.png").write_bytes(b"")
    split = from_folder(tmp_path, name="train", domain="ID", use="train")
    with pytest.raises(BadImages):
        require_good(split, skip_bad=True)


def test_a_folder_has_all_its_problems_at_once(tmp_path: Path) -> None:
    damaged(tmp_path)
    assert check_folder(tmp_path) == [f"{name}: {why}" for name, why in BAD]
    (tmp_path / "empty").mkdir()
    found = check_folder(tmp_path)
    assert "'empty'" in found[0]
    assert found[1:] == [f"{name}: {why}" for name, why in BAD]


def test_a_good_folder_a_lone_image_and_no_folder(tmp_path: Path) -> None:
    assert check_folder(folder(tmp_path / "good", {"a": 2, "b": 2})) == []
    (alone,) = check_folder(folder(tmp_path / "lone", {"a": 2, "b": 1}))
    assert "1 class has one image only" in alone
    (missing,) = check_folder(tmp_path / "nope")
    assert "does not exist" in missing
    (tmp_path / "t.csv").write_text("path,label\ngone.png,a\n")
    assert check_folder(tmp_path / "t.csv") == ["gone.png: the file is missing"]
