"""PACS: its domains, the cuts of its authors and of DomainBed, and what a check of a copy says."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from surefoot import make_task
from surefoot.data.known.facts import MARK
from surefoot.data.known.find import known_dataset, locate
from surefoot.data.known.pacs import PACS
from surefoot.data.known.pacs_protocols import CLASSES, DOMAINS, domainbed_part
from surefoot.errors import ClassMismatch, DataError

from .copies import copy, miniature, said


def _ids(split: str, folder: Path | None = None) -> list[str]:
    read = PACS.read(folder or miniature(PACS), split)
    return [read.images.id(i) for i in range(len(read))]


def test_the_manifest_adds_up_to_the_published_totals() -> None:
    """1,670 + 2,048 + 2,344 + 3,929 = 9,991: Dassl.pytorch states them; its lists add up, too."""
    totals = {d: sum(n) for d, n in PACS.per_class.items()}
    assert totals == {"art_painting": 2048, "cartoon": 2344, "photo": 1670, "sketch": 3929}
    for domain, n in totals.items():
        for cut in (("_train", "_crossval"), ("80", "20")):
            parts = [PACS.splits[domain + part].images for part in cut]
            assert sum(p or 0 for p in parts) == PACS.splits[domain].images == n
    for left_out in DOMAINS:
        for part in ("_train", "_crossval", "80", "20"):
            others = [PACS.splits[d + part].images or 0 for d in DOMAINS if d != left_out]
            assert PACS.splits[f"without-{left_out}{part}"].images == sum(others)
    assert PACS.splits["without-sketch_train"].images == 1840 + 2107 + 1499
    assert PACS.splits["without-photo20"].images == 409 + 468 + 785


def test_the_authors_lists_are_read_as_others_read_them() -> None:
    """As Dassl.pytorch: split each line at the blank, take one off the label."""
    folder = miniature(PACS)
    for name in (d + part for d in DOMAINS for part in ("_train", "_crossval")):
        lines = (folder / f"splits/{name}_kfold.txt").read_text().splitlines()
        rows = [line.split(" ") for line in lines]
        split = PACS.read(folder, name)
        assert _ids(name) == [path for path, _ in rows]
        assert split.require_labels().tolist() == [int(label) - 1 for _, label in rows]
        assert split.class_names == CLASSES


def test_the_80_20_cut_is_domainbeds() -> None:
    """Its split_dataset and seed_hash on torchvision's ImageFolder, written down plainly."""
    folders = pytest.importorskip("torchvision.datasets")
    folder = miniature(PACS)
    for number, domain in enumerate(DOMAINS):
        seen = folders.ImageFolder(str(folder / domain))
        assert seen.classes == list(CLASSES)
        keys = list(range(len(seen)))
        seed = int(hashlib.md5(str((0, number)).encode("utf-8")).hexdigest(), 16) % (2**31)
        np.random.RandomState(seed).shuffle(keys)
        held = {str(Path(seen.samples[i][0]).relative_to(folder)) for i in keys[:7]}
        assert int(len(seen) * 0.2) == 7
        assert set(_ids(f"{domain}20")) == held
        assert sorted([*_ids(f"{domain}20"), *_ids(f"{domain}80")]) == sorted(_ids(domain))


def test_the_cut_rounds_as_domainbed_does() -> None:
    files = [str(i) for i in range(2048)]
    assert len(domainbed_part(files, "art_painting", larger=False)) == 409  # int(409.6)


@pytest.mark.parametrize("part", ["_train", "_crossval", "80", "20"])
def test_leaving_a_domain_out_is_the_union_of_the_others(part: str) -> None:
    split = PACS.read(miniature(PACS), f"without-cartoon{part}")
    others = ("art_painting", "photo", "sketch")
    assert _ids(f"without-cartoon{part}") == [i for d in others for i in _ids(d + part)]
    ids = [split.images.id(i).split("/") for i in range(len(split))]
    assert split.metadata["domain"].tolist() == [domain for domain, _, _ in ids]
    assert [CLASSES[c] for c in split.require_labels().tolist()] == [name for _, name, _ in ids]


def test_by_itself_it_trains_on_photographs_and_asks_in_the_other_domains() -> None:
    task = make_task(train="pacs", root=miniature(PACS).parent)
    assert {task.train.images.id(i).split("/")[0] for i in range(len(task.train))} == {"photo"}
    assert len(task.train) + len(task.val) == 28
    assert sorted(task.test.images.id(i) for i in range(len(task.test))) == sorted(_ids("photo20"))
    assert [s.name for s in task.shifts] == ["art_painting", "cartoon", "sketch"]
    assert all(s.classes is None for s in task.shifts), "all classes are in every domain"
    assert all(len(s.split) == 35 for s in task.shifts)
    assert "unknown" in task.train.licence
    assert known_dataset("PACS") is PACS


@pytest.mark.parametrize("inside", ["kfold", "images"])
@pytest.mark.parametrize("lists", ["splits", ".", "correct_txt_lists", "pacs_label"])
def test_the_layouts_in_circulation_give_the_same_ids(
    inside: str, lists: str, tmp_path: Path
) -> None:
    folder = copy(PACS, tmp_path)
    (folder / inside).mkdir()
    for domain in DOMAINS:
        (folder / domain).rename(folder / inside / domain)
    (folder / lists).mkdir(exist_ok=True)
    for file in sorted((folder / "splits").iterdir()):
        file.rename(folder / lists / file.name)
    assert locate(PACS, tmp_path) == folder
    assert locate(PACS, folder, itself=True) == folder
    assert said(PACS.inspect(folder, False)) == ""
    for name in ("sketch", "photo80", "without-photo_train"):
        assert _ids(name, folder) == _ids(name)


def test_a_folder_with_only_sketches_is_not_taken_for_it(tmp_path: Path) -> None:
    """DomainNet has a folder called sketch as well."""
    folder = copy(PACS, tmp_path)
    for domain in ("art_painting", "cartoon", "photo"):
        shutil.rmtree(folder / domain)
    assert locate(PACS, tmp_path) is None


def test_without_lists_only_their_splits_are_missing(tmp_path: Path) -> None:
    folder = copy(PACS, tmp_path)
    shutil.rmtree(folder / "splits")
    assert said(PACS.inspect(folder, False)) == ""
    assert len(_ids("photo20", folder)) == 7
    with pytest.raises(DataError, match=r"there is no .*photo_train_kfold") as caught:
        PACS.read(folder, "photo_train")
    assert "DeLightCMU/RSC" in str(caught.value)


def test_lists_that_contradict_the_folders_are_refused(tmp_path: Path) -> None:
    """A public package ships art_painting_crossval_kfold.txt with such lines."""
    folder = copy(PACS, tmp_path)
    file = folder / "splits/art_painting_crossval_kfold.txt"
    text = file.read_text()
    file.write_text(text.replace(" 1\n", " 0\n", 1))
    with pytest.raises(DataError, match=r"line 1 of .* the label 0"):
        PACS.read(folder, "art_painting_crossval")
    assert "labels count from 1" in _error(folder, "art_painting_crossval")
    assert "the label 0" in said(PACS.inspect(folder, False))
    file.write_text(text + text.splitlines()[0] + "\n")
    assert "twice" in _error(folder, "without-photo_crossval")
    file.write_text(text.replace("art_painting/", ""))
    assert "such as art_painting/dog/pic_001.jpg 1" in _error(folder, "art_painting_crossval")
    file.unlink()
    assert "art_painting_crossval: there is no" in said(PACS.inspect(folder, False))


def test_lists_that_do_not_cut_a_domain_in_two_are_told(tmp_path: Path) -> None:
    folder = copy(PACS, tmp_path)
    held = folder / "splits/cartoon_crossval_kfold.txt"
    train = (folder / "splits/cartoon_train_kfold.txt").read_text().splitlines()
    held.write_text("\n".join(train[i] for i in range(0, 28, 4)) + "\n")
    assert "do not name every image once" in said(PACS.inspect(folder, False))


def _error(folder: Path, split: str) -> str:
    with pytest.raises(DataError) as caught:
        PACS.read(folder, split)
    return str(caught.value)


def test_missing_and_foreign_classes_are_refused_and_named(tmp_path: Path) -> None:
    folder = copy(PACS, tmp_path)
    shutil.rmtree(folder / "sketch/house")
    assert "has no folder house" in _error(folder, "sketch")
    problems = said(PACS.inspect(folder, False))
    assert "sketch: 1 class folder missing (house)" in problems
    assert "sketch/house/pic_001.png" in problems, "the lists name the images"
    (folder / "photo/cat").mkdir()
    shutil.copy(folder / "photo/dog/pic_001.jpg", folder / "photo/cat")
    with pytest.raises(ClassMismatch):
        PACS.read(folder, "photo")
    assert "photo: 1 folder of no class of it (cat)" in said(PACS.inspect(folder, False))
    shutil.rmtree(folder / "cartoon")
    assert "cartoon: the folder" in said(PACS.inspect(folder, False))


def _as_many(folder: Path) -> None:
    """Files with the published counts, one byte each, under names of our own."""
    for domain, counts in PACS.per_class.items():
        for name, n in zip(CLASSES, counts, strict=True):
            (folder / domain / name).mkdir(parents=True)
            for i in range(n):
                (folder / domain / name / f"{i:04d}.jpg").write_bytes(b"x")


def test_a_copy_is_held_against_the_manifest(tmp_path: Path) -> None:
    _as_many(tmp_path)
    assert not (tmp_path / MARK).exists()
    found = PACS.inspect(tmp_path, False)
    assert len(found) == len(DOMAINS)
    assert all("other file names than published" in p.what for p in found)
    moved = tmp_path / "photo/dog/0000.jpg"
    moved.rename(tmp_path / "photo/horse/moved.jpg")
    (tmp_path / "sketch/house/0000.jpg").unlink()
    problems = said(PACS.inspect(tmp_path, False))
    assert "photo: images of classes differ" in problems
    assert "(dog 188 of 189, horse 200 of 199)" in problems
    assert "sketch: 3,928 images, expected 3,929" in problems
    assert "house 79 of 80" in problems
