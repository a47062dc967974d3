"""What every set of this half promises: read, inspect, miniature, facts."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from surefoot.data.images import FileImages
from surefoot.data.known.base import KnownDataset
from surefoot.data.known.captions import COCO_CAPTIONS, CONCEPTUAL_CAPTIONS
from surefoot.data.known.cifar_new import CIFAR10_2
from surefoot.data.known.facts import MARK
from surefoot.data.known.stl import STL10
from surefoot.data.sequence import underlying
from surefoot.errors import DataError
from surefoot.metrics import get_metric
from surefoot.registry import DATASETS

from .copies import SETS, copy, miniature, said

pytest.importorskip("h5py")  # PatchCamelyon
by_name = pytest.mark.parametrize("known", SETS, ids=lambda k: k.name)


@by_name
def test_every_split_of_a_miniature_is_read_as_its_mark_says(known: KnownDataset) -> None:
    folder = miniature(known)
    expected = known.expected(folder)
    assert set(expected) == set(known.splits)
    for name, counts in expected.items():
        split = known.read(folder, name)
        assert len(split) == counts.images
        assert split.name == f"{known.name}:{name}"
        assert len({split.images.id(i) for i in range(len(split))}) > len(split) // 6
        assert split.images[len(split) - 1].mode == "RGB"
        if known.kind == "captions":
            assert split.labels is None
            assert split.captions is not None
            assert all(split.captions)
        elif split.labels is not None:
            assert len(set(split.class_names)) == len(split.class_names)
            assert counts.classes in (None, len(np.unique(split.labels)))
        again = pickle.loads(pickle.dumps(split.images))  # what a loader's workers do
        assert np.array_equal(np.asarray(again[0]), np.asarray(split.images[0]))


@by_name
def test_a_sound_miniature_has_no_problem(known: KnownDataset) -> None:
    assert said(known.inspect(miniature(known), False)) == ""
    assert said(known.inspect(miniature(known), True)) == ""


@by_name
def test_a_miniature_is_the_same_for_the_same_seed(known: KnownDataset, tmp_path: Path) -> None:
    again = tmp_path / "again"
    known.miniature(again, 3)
    first = miniature(known)
    files = sorted(p.relative_to(first) for p in first.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(again) for p in again.rglob("*") if p.is_file())
    for name in known.splits:
        a, b = known.read(first, name), known.read(again, name)
        assert a.manifest().sha256 == b.manifest().sha256
        assert np.array_equal(np.asarray(a.images[0]), np.asarray(b.images[0]))


@by_name
def test_without_its_mark_a_miniature_lacks_what_is_published(
    known: KnownDataset, tmp_path: Path
) -> None:
    folder = copy(known, tmp_path)
    (folder / MARK).unlink()
    counted = any(e.images is not None for e in known.splits.values())
    problems = known.inspect(folder, False)
    if counted or known.name == "caltech101":
        assert "expected" in said(problems)


@by_name
def test_a_folder_that_is_not_there_is_named(known: KnownDataset, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    assert str(nowhere) in said(known.inspect(nowhere, False))
    with pytest.raises(DataError) as caught:
        known.read(nowhere, known.default)
    assert str(nowhere) in str(caught.value)


@by_name
def test_an_unknown_split_names_those_that_exist(known: KnownDataset) -> None:
    with pytest.raises(DataError, match="no split 'nothing'") as caught:
        known.read(miniature(known), "nothing")
    assert known.default in str(caught.value)


@by_name
def test_the_facts_are_whole(known: KnownDataset) -> None:
    assert known.default in known.splits
    assert {*known.roles.values(), *known.shifts} <= set(known.splits)
    for text in (known.title, known.summary, known.homepage, known.citation, known.licence,
                 known.class_source):  # fmt: skip
        assert text.strip() == text != ""
    assert all(e.source for e in known.splits.values())
    assert all(len(line) <= 100 for line in known.layout)
    assert get_metric(known.metric).name == known.metric or ":" in known.metric
    told = None if known.name == "conceptual-captions" else True  # any folder may be that one
    assert known.present(miniature(known)) is told
    if known.prompt_names():
        split = known.read(miniature(known), known.default)
        assert set(split.class_names) <= set(known.prompt_names())


@by_name
def test_the_registry_gives_this_very_object(known: KnownDataset) -> None:
    assert DATASETS.get(known.name) is known


@pytest.mark.parametrize(
    ("known", "file", "split"),
    [(STL10, "unlabeled_X.bin", "unlabeled"), (CIFAR10_2, "cifar102_train.npz", "train"),
     (COCO_CAPTIONS, "annotations/captions_val2017.json", "val"),
     (CONCEPTUAL_CAPTIONS, "val.csv", "val")],
    ids=lambda value: getattr(value, "name", None),
)  # fmt: skip
def test_a_split_that_may_be_absent_is_checked_where_it_is_there(
    known: KnownDataset, file: str, split: str, tmp_path: Path
) -> None:
    folder = copy(known, tmp_path)
    whole = (folder / file).read_bytes()
    (folder / file).write_bytes(whole[: len(whole) // 3])
    assert split in {p.split for p in known.inspect(folder, False)}
    (folder / file).unlink()
    shutil.rmtree(folder / "val2017", ignore_errors=True)
    assert said(known.inspect(folder, False)) == ""


FILES = {"iwildcam": "train/*.jpg", "fmow": "images/*.png", "fmow-continents": "images/*.png",
         "domainnet": "sketch/bee/*.jpg", "pacs": "photo/dog/*.jpg",
         "cars": "cars_train/*.jpg", "dtd": "images/*/*.jpg",
         "sun397": "a/abbey/*.jpg", "food101": "images/*/*.jpg",
         "caltech101": "101_ObjectCategories/accordion/*.jpg", "flowers102": "jpg/*.jpg",
         "pets": "images/*.jpg", "rendered-sst2": "test/*/*.png", "coco-captions": "*2017/*.jpg",
         "conceptual-captions": "images/*.jpg"}  # fmt: skip


with_files = pytest.mark.parametrize(
    "known", [k for k in SETS if k.name in FILES], ids=lambda k: k.name
)


def _listed(known: KnownDataset, folder: Path) -> list[Path]:
    """Files of some class or folder that splits name, sorted."""
    named = set()
    for name in known.splits:
        split = known.read(folder, name)
        images, at = underlying(split.images, np.arange(len(split)))
        assert isinstance(images, FileImages)
        named |= {Path(images.path(int(i))) for i in at}
    return sorted(named & set(folder.glob(FILES[known.name])))


@with_files
def test_an_empty_and_a_cut_off_image_are_found(known: KnownDataset, tmp_path: Path) -> None:
    folder = copy(known, tmp_path)
    empty, short = _listed(known, folder)[:2]
    empty.write_bytes(b"")
    short.write_bytes(short.read_bytes()[:-200])
    quick, full = said(known.inspect(folder, False)), said(known.inspect(folder, True))
    assert "zero bytes" in quick
    assert empty.name in quick
    assert empty.name in full
    assert short.name in full
    assert "cannot be decoded" in full


@with_files
def test_a_half_extracted_archive_is_told(known: KnownDataset, tmp_path: Path) -> None:
    folder = copy(known, tmp_path)
    for file in _listed(known, folder)[1:3]:
        file.unlink()
    (folder / "images.tar.gz.part").write_bytes(b"cut")
    problems = said(known.inspect(folder, False))
    assert "missing" in problems
    assert "images.tar.gz.part" in problems
