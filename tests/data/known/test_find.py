"""Names as typed, places, roles, and the task that they make."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path

import pytest
from PIL import Image

from surefoot.data.known.facts import aliases
from surefoot.data.known.find import (
    ROOT_VARIABLE,
    as_known,
    known_dataset,
    known_names,
    parse_known,
)
from surefoot.data.known.imagenet import miniature_wnids
from surefoot.data.known.wordnet import imagenet_names
from surefoot.data.source import read_split
from surefoot.data.specs import make_task
from surefoot.errors import BadImages, DataError, UnknownName

from ..pictures import folder as class_folders
from .family import NAMES, copy, root


def test_the_packaged_names_are_those_of_the_entries() -> None:
    assert set(NAMES) <= set(known_names())
    entries = [
        (alias.lower().replace("_", "-"), name)
        for name in known_names()
        for alias in known_dataset(name).aliases
    ]
    assert sorted(entries) == sorted(aliases().items())  # none is of two data sets
    assert not set(aliases()) & set(known_names())
    for alias, name in entries:
        assert known_dataset(alias.upper()).name == name


def test_every_data_set_has_one_file_of_facts() -> None:
    place = files("surefoot.data.known") / "sets"
    assert sorted(file.name.removesuffix(".yaml") for file in place.iterdir()) == known_names()


@pytest.mark.parametrize(
    ("typed", "name", "split", "place"),
    [
        ("imagenet-r", "imagenet-r", None, None),
        ("ImageNet_R", "imagenet-r", None, None),
        ("imagenet:val", "imagenet", "val", None),
        ("objectnet@/data/on", "objectnet", None, "/data/on"),
        ("objectnet:all@d:/x", "objectnet", "all", "d:/x"),
        ("imagenetv2-threshold-0.7", "imagenetv2-threshold-0.7", None, None),
        ("imagenet-v2", "imagenetv2-matched-frequency", None, None),
        ("imagenet-a:control", "imagenet-a", "control", None),
        ("living-17:target-val", "living-17", "target-val", None),
    ],
)
def test_what_is_typed_is_understood(
    typed: str, name: str, split: str | None, place: str | None
) -> None:
    spec = parse_known(typed)
    assert spec is not None
    assert (spec.known.name, spec.split) == (name, split)
    assert spec.place == (None if place is None else Path(place))


@pytest.mark.parametrize(
    "typed",
    ["photos", "./imagenet", "data/imagenet-r", "imagenet.csv", "hf:imagenet", "wds:x.tar", "",
     "pictograms", "pictograms:emoji", "imagenet-r/", "table.csv:split=train"],
)  # fmt: skip
def test_what_is_no_published_set_is_left_to_others(typed: str) -> None:
    assert parse_known(typed) is None


def test_misspelt_names_and_splits_get_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="did you mean 'train'"):
        parse_known("imagenet:trian")
    with pytest.raises(UnknownName, match="objectnet"):
        known_dataset("objectnett")
    with pytest.raises(DataError, match="did you mean 'imagenet-sketch'"):
        read_split("imagenet-sketsh", name="s", domain="OOD", use="test", root=tmp_path)
    with pytest.raises(DataError, match="`surefoot ls datasets`"):
        read_split("nothing-like-it", name="s", domain="OOD", use="test")
    with pytest.raises(DataError, match="can only be a shift"):
        read_split("imagenet-r:control", name="s", domain="OOD", use="test", root=root())


def test_a_folder_of_the_same_name_stays_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    class_folders(tmp_path / "imagenet-r", {"ant": 2, "bee": 2})
    assert as_known("imagenet-r") is None
    split = read_split("imagenet-r", name="mine", domain="ID", use="test")
    assert split.class_names == ("ant", "bee")
    assert as_known("imagenet-r", root()) is not None  # there is a real one where it was asked for
    shutil.rmtree(tmp_path / "imagenet-r")
    copy("imagenet-r", tmp_path)
    assert as_known("imagenet-r") is not None  # the data set itself, in the current folder
    assert len(read_split("imagenet-r", name="r", domain="OOD", use="test").class_names) == 5


def test_the_root_comes_from_the_argument_the_environment_or_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="was not found"):
        read_split("imagenet-a", name="a", domain="OOD", use="test")
    monkeypatch.setenv(ROOT_VARIABLE, str(root()))
    first = read_split("imagenet-a", name="a", domain="OOD", use="test")
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    again = read_split("imagenet-a", name="a", domain="OOD", use="test", root=root())
    assert first.manifest() == again.manifest()
    assert first.name == "a"


def test_one_word_each_makes_the_task_of_the_papers() -> None:
    task = make_task(
        train="imagenet",
        shifts={"v2": "imagenetv2", "r": "imagenet-r", "a": "imagenet-a",
                "sketch": "imagenet-sketch", "objectnet": "objectnet", "vid": "vid-robust",
                "r control": "imagenet-r:control"},
        root=root(),
    )  # fmt: skip
    wnids = miniature_wnids()
    assert task.name == "imagenet"
    assert task.class_names == wnids
    assert task.prompt_names == tuple(imagenet_names()[w] for w in wnids)
    assert len(task.templates) == 80
    assert (task.metric, len(task.test)) == ("top1", 20)
    assert len(task.train) + len(task.val) == 60
    shifts = {s.name: s for s in task.shifts}
    assert {n: s.metric for n, s in shifts.items()} == {
        "v2": "top1", "r": "top1", "a": "top1", "sketch": "top1", "objectnet": "top1",
        "vid": "pm10", "r control": "top1",
    }  # fmt: skip
    assert shifts["r"].classes == shifts["r control"].classes == (0, 1, 2, 3, 4)
    assert shifts["r control"].split.domain == "ID"
    assert shifts["objectnet"].groups == ((0, 1),)
    assert shifts["v2"].split.version == "miniature of imagenetv2-matched-frequency"
    assert not any("WARNING" in note for note in task.notes)


def test_what_the_user_says_wins_over_what_the_set_brings() -> None:
    task = make_task(
        train=f"imagenet:train@{root()}", test="imagenet:val", val="imagenet:val",
        metric="macro_f1",
        templates=["a {}."], prompt_names={miniature_wnids()[0]: "thing"}, root=root(),
        shifts={"r": f"imagenet-r@{root() / 'imagenet-r'}"}, name="mine",
    )  # fmt: skip
    assert (task.name, task.metric, task.templates) == ("mine", "macro_f1", ("a {}.",))
    assert task.prompt_names is not None
    assert task.prompt_names[0] == "thing"
    assert task.shifts[0].metric == "top1"


def test_published_images_are_read_once_for_who_they_are_and_not_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from surefoot.data import images

    seen: list[tuple[int, int]] = []
    first: list[bytes] = []
    monkeypatch.setattr(
        images, "decode", lambda data: first.append(data) or Image.new("RGB", (4, 4))
    )
    task = make_task(train="imagenet", shifts={"r": "imagenet-r"}, root=root(),
                     progress=lambda done, of: seen.append((done, of)))  # fmt: skip
    assert seen == [(60, 60), (20, 20), (12, 12)]
    assert len(first) <= 3  # one of each split, for how many threads pay off
    assert task.shifts[0].split.identities.any(axis=1).all()


def test_bad_images_stop_nothing_until_they_are_asked_for(tmp_path: Path) -> None:
    for name in ("imagenet", "imagenet-r"):
        copy(name, tmp_path)
    bad = next((tmp_path / "imagenet-r" / miniature_wnids()[0]).iterdir())
    bad.write_bytes(b"no picture")
    task = make_task(train="imagenet", shifts={"r": "imagenet-r"}, root=tmp_path)
    assert len(task.shifts[0].split) == 12
    task = make_task(train="imagenet", shifts={"r": "imagenet-r"}, root=tmp_path, skip_bad=True)
    assert len(task.shifts[0].split) == 11
    assert any("cannot be decoded" in note for note in task.shifts[0].split.notes)
    for file in (tmp_path / "imagenet-r").rglob("*.jpg"):
        file.write_bytes(b"")
    with pytest.raises(BadImages):
        make_task(train="imagenet", shifts={"r": "imagenet-r"}, root=tmp_path, skip_bad=True)
