"""What every set of ImageNet's family promises: read, inspect, miniature, facts."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from surefoot.data.known.base import KnownDataset
from surefoot.data.known.facts import MARK, mark_miniature
from surefoot.data.known.find import locate, parse_known, read_known
from surefoot.data.known.wordnet import imagenet_names, imagenet_wnids
from surefoot.errors import DataError, UnknownName
from surefoot.metrics import get_metric
from surefoot.registry import DATASETS
from surefoot.testing.miniature import make_miniature

from .family import FAMILY, copy, folder_of, root, said

by_name = pytest.mark.parametrize("known", FAMILY, ids=lambda k: k.name)


@by_name
def test_every_split_of_a_miniature_is_read_as_its_mark_says(known: KnownDataset) -> None:
    folder = folder_of(known.name)
    expected = known.expected(folder)
    assert set(expected) == set(known.splits)
    for name, counts in expected.items():
        split = known.read(folder, name)
        assert len(split) == counts.images
        assert len({split.images.id(i) for i in range(len(split))}) == len(split)
        assert split.images[len(split) - 1].mode == "RGB"
        assert len(set(split.class_names)) == len(split.class_names)
        if known.kind == "images":
            assert len(np.unique(split.require_labels())) == counts.classes
        again = pickle.loads(pickle.dumps(split.images))  # what a loader's workers do
        assert np.array_equal(np.asarray(again[0]), np.asarray(split.images[0]))


@by_name
def test_a_sound_miniature_has_no_problem(known: KnownDataset) -> None:
    assert said(known.name, folder_of(known.name)) == ""
    assert said(known.name, folder_of(known.name), full=True) == ""


@by_name
def test_a_miniature_is_the_same_for_the_same_seed(known: KnownDataset, tmp_path: Path) -> None:
    first, again = folder_of(known.name), make_miniature(known.name, tmp_path, seed=3)
    files = sorted(p.relative_to(first) for p in first.rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(again) for p in again.rglob("*") if p.is_file())
    assert all((first / f).read_bytes() == (again / f).read_bytes() for f in files)


@by_name
def test_it_is_found_below_a_root_as_itself_and_at_a_place(known: KnownDataset) -> None:
    folder = folder_of(known.name)
    assert locate(known, root()) == folder
    assert locate(known, folder, itself=True) == folder
    for spec in (known.name, f"{known.name}:{known.default}", f"{known.name}@{folder}",
                 f"{known.name.upper()}@{root()}"):  # fmt: skip
        found = parse_known(spec)
        assert found is not None
        split = read_known(found, root=root())
        assert split.version == f"miniature of {known.name}"
        assert split.licence == known.licence
        assert any("generated miniature" in note for note in split.notes)


@by_name
def test_without_its_mark_a_miniature_lacks_what_is_published(
    known: KnownDataset, tmp_path: Path
) -> None:
    folder = copy(known.name, tmp_path)
    (folder / MARK).unlink()
    found = said(known.name, folder)
    counts = known.splits[known.default]
    assert counts.images is not None
    assert f"expected {counts.images:,}" in found


@by_name
def test_a_folder_that_is_not_there_is_named(known: KnownDataset, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    assert str(nowhere) in said(known.name, nowhere)
    with pytest.raises(DataError) as caught:
        known.read(nowhere, known.default)
    assert str(nowhere) in str(caught.value)
    spec = parse_known(known.name)
    assert spec is not None
    with pytest.raises(DataError, match="was not found; looked at") as caught:
        read_known(spec, root=nowhere)
    for piece in (str(nowhere / known.folders[0]), known.layout[0], known.homepage):
        assert piece in str(caught.value)


@by_name
def test_an_unknown_split_names_those_that_exist(known: KnownDataset) -> None:
    with pytest.raises(DataError, match="no split 'nothing'") as caught:
        known.read(folder_of(known.name), "nothing")
    assert known.default in str(caught.value)
    with pytest.raises(DataError, match="no split 'nothing'"):
        parse_known(f"{known.name}:nothing")


@by_name
def test_the_facts_are_whole(known: KnownDataset) -> None:
    assert DATASETS.get(known.name) is known
    assert known.default in known.splits
    assert {*known.roles.values(), *known.shifts} <= set(known.splits)
    for text in (known.title, known.summary, known.homepage, known.citation, known.licence,
                 known.class_source):  # fmt: skip
        assert text.strip() == text != ""
    assert all(e.source for e in known.splits.values())
    assert all(len(line) <= 100 for line in known.layout)
    assert get_metric(known.metric).name == known.metric
    if known.control is not None:
        assert parse_known(known.control) is not None
    if known.templates == "openai_imagenet":
        assert known.prompt_names() == imagenet_names()
        assert list(known.prompt_names()) == list(imagenet_wnids())


def test_a_miniature_is_never_written_over_data(tmp_path: Path) -> None:
    make_miniature("imagenet-r", tmp_path)
    with pytest.raises(DataError, match="holds something already"):
        make_miniature("imagenet-r", tmp_path)
    with pytest.raises(UnknownName, match="imagenet-r"):
        make_miniature("imagenet-rr", tmp_path)


def test_the_mark_of_another_set_or_a_broken_one_is_told(tmp_path: Path) -> None:
    folder = copy("imagenet-r", tmp_path)
    (folder / MARK).unlink()
    mark_miniature(folder, "imagenet-a", {}, 0)
    with pytest.raises(DataError, match="is a miniature of imagenet-a, not of imagenet-r"):
        FAMILY[4].read(folder, "test")
    (folder / MARK).write_text("{")
    with pytest.raises(DataError, match="is no mark of a miniature"):
        FAMILY[4].read(folder, "test")
