"""The transfer sets against torchvision's own classes, on the same miniature."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torchvision.datasets as peers
from scipy.io import loadmat, savemat
from sklearn.model_selection import train_test_split

from surefoot.data.known.base import KnownDataset
from surefoot.data.known.pcam import PCAM
from surefoot.data.known.transfer_folders import CALTECH101, RENDERED_SST2
from surefoot.data.known.transfer_lists import DTD, FOOD101, PETS, SUN397
from surefoot.data.known.transfer_mat import CARS, FLOWERS102
from surefoot.errors import BadImages, DataError

from .copies import copy, miniature, pixels, said

h5py = pytest.importorskip("h5py")


class _UncheckedFlowers(peers.Flowers102):
    """torchvision's reader without its md5 sums, which miniatures cannot have."""

    def _check_integrity(self) -> bool:
        return True


PEERS: list[tuple[KnownDataset, str, Callable[..., Any], dict[str, Any], bool]] = [
    (CARS, "train", peers.StanfordCars, {"split": "train"}, True),
    (CARS, "test", peers.StanfordCars, {"split": "test"}, True),
    *[(DTD, s, peers.DTD, {"split": s}, True) for s in ("train", "val", "test")],
    (SUN397, "all", peers.SUN397, {}, False),  # in whatever order the file system gives
    *[(FOOD101, s, peers.Food101, {"split": s}, True) for s in ("train", "test")],
    (CALTECH101, "all", peers.Caltech101, {}, True),
    *[(FLOWERS102, s, _UncheckedFlowers, {"split": s}, True) for s in ("train", "val", "test")],
    *[(PETS, s, peers.OxfordIIITPet, {"split": s}, True) for s in ("trainval", "test")],
    *[(PCAM, s, peers.PCAM, {"split": s}, True) for s in ("train", "val", "test")],
    *[(RENDERED_SST2, s, peers.RenderedSST2, {"split": s}, True) for s in ("train", "val", "test")],
]


def _root(known: KnownDataset) -> Path:
    """torchvision adds the folder's name; its DTD adds two."""
    folder = miniature(known)
    return folder.parent.parent if known is DTD else folder.parent


@pytest.mark.parametrize(
    ("known", "split", "reader", "options", "ordered"),
    PEERS,
    ids=[f"{k.name}-{s}" for k, s, *_ in PEERS],
)
def test_torchvision_reads_the_same(
    known: KnownDataset, split: str, reader: Callable[..., Any], options: Any, ordered: bool
) -> None:
    ours, theirs = known.read(miniature(known), split), reader(_root(known), **options)
    assert len(ours) == len(theirs)
    classes = getattr(theirs, "classes", None) or getattr(theirs, "categories", None)
    if classes is not None:
        assert list(ours.class_names) == list(classes)
    mine = [(int(c), pixels(ours, i).tobytes()) for i, c in enumerate(ours.require_labels())]
    other = [(int(c), np.asarray(im.convert("RGB")).tobytes()) for im, c in
             (theirs[i] for i in range(len(theirs)))]  # fmt: skip
    assert mine == other if ordered else sorted(mine) == sorted(other)


def test_cars_are_cut_as_flyp_cuts_them() -> None:
    """By scikit-learn on the list of files, a fifth, random_state 10."""
    folder = miniature(CARS)
    rows = loadmat(folder / "devkit/cars_train_annos.mat", squeeze_me=True)["annotations"]
    files = [str(row["fname"]) for row in rows]
    train, val = train_test_split(files, test_size=0.2, random_state=10)
    for name, wanted in (("train80", train), ("val20", val)):
        split = CARS.read(folder, name)
        assert [split.images.id(i) for i in range(len(split))] == [
            f"cars_train/{f}" for f in wanted
        ]
        by_file = {str(row["fname"]): int(row["class"]) - 1 for row in rows}
        assert split.require_labels().tolist() == [by_file[f] for f in wanted]


def test_the_published_fifth_of_cars_has_the_size_that_is_expected() -> None:
    train, val = train_test_split(np.arange(8144), test_size=0.2, random_state=10)
    assert (len(train), len(val)) == (CARS.splits["train80"].images, CARS.splits["val20"].images)


def test_caltech_is_cut_by_class_without_overlap_and_without_background() -> None:
    folder = miniature(CALTECH101)
    parts = {s: CALTECH101.read(folder, s) for s in ("train", "val", "test", "all")}
    ids = {s: {p.images.id(i) for i in range(len(p))} for s, p in parts.items()}
    assert ids["train"] | ids["val"] | ids["test"] == ids["all"]
    assert sum(len(ids[s]) for s in ("train", "val", "test")) == len(ids["all"])
    assert not any("BACKGROUND" in i for i in ids["all"])
    counts = {s: np.bincount(p.require_labels()).tolist() for s, p in parts.items()}
    assert counts == {"train": [3] * 3, "val": [1] * 3, "test": [1] * 3, "all": [5] * 3}


@pytest.mark.parametrize("n", [1, 4, 31, 100, 435])
def test_caltech_shares_are_a_partition_of_any_class(n: int) -> None:
    from surefoot.data.known.transfer_folders import _share

    parts = [_share(n, 5, s).tolist() for s in ("train", "val", "test")]
    assert sorted(i for part in parts for i in part) == list(range(n))
    assert abs(len(parts[0]) - 0.6 * n) <= 1
    assert parts == [_share(n, 5, s).tolist() for s in ("train", "val", "test")]


def test_a_gap_in_caltechs_numbers_is_a_missing_image(tmp_path: Path) -> None:
    folder = copy(CALTECH101, tmp_path)
    (folder / "101_ObjectCategories/Faces/image_0002.jpg").unlink()
    assert "Faces/image_0002.jpg" in said(CALTECH101.inspect(folder, False))


def test_caltech_without_its_inner_archive_is_told(tmp_path: Path) -> None:
    folder = copy(CALTECH101, tmp_path)
    shutil.rmtree(folder / "101_ObjectCategories")
    (folder / "101_ObjectCategories.tar.gz").write_bytes(b"packed")
    problems = said(CALTECH101.inspect(folder, False))
    assert "extract 101_ObjectCategories.tar.gz" in problems


def test_sun_partitions_are_found_beside_the_folder_and_their_absence_told(tmp_path: Path) -> None:
    folder = copy(SUN397, tmp_path)
    first = SUN397.read(folder, "train")
    assert first.images.id(0) == "a/abbey/sun_aaaaaaaaaaaaaaaa.jpg"
    (folder / "Training_01.txt").rename(folder.parent / "Training_01.txt")
    assert SUN397.read(folder, "train").manifest() == first.manifest()
    (folder.parent / "Training_01.txt").unlink()
    problems = said(SUN397.inspect(folder, False))
    assert "Partitions.zip" in problems
    assert len(problems.splitlines()) == 1


def test_other_folder_names_of_flyp_are_read(tmp_path: Path) -> None:
    flowers = copy(FLOWERS102, tmp_path)
    whole = FLOWERS102.read(flowers, "val").require_labels()
    (flowers / "jpg").rename(flowers / "all_images")
    assert FLOWERS102.read(flowers, "val").require_labels().tolist() == whole.tolist()
    reviews = copy(RENDERED_SST2, tmp_path)
    (reviews / "valid").rename(reviews / "val")
    assert len(RENDERED_SST2.read(reviews, "val")) == 4


def test_flowers_of_two_versions_are_refused(tmp_path: Path) -> None:
    folder = copy(FLOWERS102, tmp_path)
    savemat(folder / "imagelabels.mat", {"labels": np.array([[1, 2, 3]])})
    with pytest.raises(DataError, match="labels of 3"):
        FLOWERS102.read(folder, "train")
    (folder / "setid.mat").write_bytes(b"cut")
    assert "no MATLAB file" in said(FLOWERS102.inspect(folder, False))


def test_patches_of_one_slide_are_a_unit(tmp_path: Path) -> None:
    folder = copy(PCAM, tmp_path)
    split = PCAM.read(folder, "test")
    assert split.unit == "wsi"
    assert split.metadata["wsi"].tolist() == ["camelyon16_test_000"] * 2 + [
        "camelyon16_test_001"] * 2  # fmt: skip
    table = folder / "camelyonpatch_level_2_split_test_meta.csv"
    table.write_text("index,wsi\n0,a\n")
    with pytest.raises(DataError, match="1 rows for 4 images"):
        PCAM.read(folder, "test")
    table.unlink()
    assert PCAM.read(folder, "test").unit is None


def test_a_compressed_and_a_cut_off_pcam_are_told_apart(tmp_path: Path) -> None:
    folder = copy(PCAM, tmp_path)
    file = folder / "camelyonpatch_level_2_split_test_x.h5"
    file.write_bytes(file.read_bytes()[:900])
    assert "cut off" in said(PCAM.inspect(folder, False))
    file.rename(file.with_name(file.name + ".gz"))
    assert "gunzip" in said(PCAM.inspect(folder, False))
    labels = folder / "camelyonpatch_level_2_split_train_y.h5"
    with h5py.File(labels, "w") as opened:
        opened["y"] = np.zeros((3, 1, 1, 1), dtype=np.uint8)
    assert "8 images and 3 labels" in said(PCAM.inspect(folder, False))


def test_a_list_with_an_odd_line_is_refused(tmp_path: Path) -> None:
    folder = copy(PETS, tmp_path)
    file = folder / "annotations/test.txt"
    file.write_text(file.read_text() + "Abyssinian_7\n")
    with pytest.raises(DataError, match="'Abyssinian_7'"):
        PETS.read(folder, "test")
    food = copy(FOOD101, tmp_path)
    (food / "meta/test.json").write_text('{"apple_pie": ')
    assert "no list of images" in said(FOOD101.inspect(food, False))


def test_a_missing_listed_image_is_named(tmp_path: Path) -> None:
    folder = copy(DTD, tmp_path)
    (folder / "images/dotted/dotted_0003.jpg").unlink()
    with pytest.raises(BadImages, match=r"dotted_0003\.jpg: the file is missing"):
        DTD.read(folder, "test")
    assert len(DTD.read(folder, "train")) == 3
