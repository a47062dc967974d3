"""ObjectNet: its own mapping files, the border, the counts; scored beside a plain projection."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from surefoot.data.known.facts import MARK
from surefoot.data.known.imagenet import miniature_wnids
from surefoot.data.known.objectnet import BORDER, OBJECTNET, Cropped
from surefoot.data.known.objectnet_maps import MAPPINGS, read_maps
from surefoot.data.known.wordnet import imagenet_wnids
from surefoot.errors import ClassMismatch, DataError
from surefoot.evals.predict import package
from surefoot.evals.score import score

from .family import copy, folder_of, said, shift


def plain_maps(folder: Path) -> dict[str, list[int]]:
    """Folder -> ImageNet labels, as one reads the four files by hand."""

    def load(name: str) -> Any:
        return json.loads((folder / "mappings" / name).read_text())

    folder_of_class = {v: k for k, v in load(MAPPINGS[0]).items()}
    label_of_number = {v: int(k) for k, v in load(MAPPINGS[2]).items()}
    with open(folder / "mappings" / MAPPINGS[3]) as file:
        label_of_name = {line.strip(): label_of_number[i] for i, line in enumerate(file)}
    return {
        folder_of_class[name]: sorted(label_of_name[n] for n in joined.split("; "))
        for name, joined in load(MAPPINGS[1]).items()
    }


def test_the_map_is_what_the_files_say_and_all_ids_of_a_class_form_a_group() -> None:
    folder, target = folder_of("objectnet"), shift("objectnet")
    plain = plain_maps(folder)
    assert target.classes == tuple(sorted(i for ids in plain.values() for i in ids))
    assert target.groups == tuple(sorted(tuple(ids) for ids in plain.values() if len(ids) > 1))
    for i, label in enumerate(target.split.require_labels().tolist()):
        assert label == plain[target.split.images.id(i).split("/")[0]][0]
    maps = read_maps(folder)
    wnids = imagenet_wnids()
    assert {f: [wnids.index(w) for w in maps.wnids[n]] for f, n in maps.labels.items()
            if n in maps.wnids} == plain  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_accuracy_is_that_of_a_plain_projection_by_maximum(seed: int) -> None:
    """Project 1,000 logits on the scored classes by maximum, as WiSE-FT's evaluation does."""
    target, plain = shift("objectnet"), plain_maps(folder_of("objectnet"))
    logits = np.random.default_rng(seed).normal(size=(len(target.split), 1000)).astype(np.float32)
    names = sorted(plain)
    projected = np.stack([logits[:, plain[n]].max(axis=1) for n in names], axis=1)
    truth = [names.index(target.split.images.id(i).split("/")[0]) for i in range(len(logits))]
    expected = float((projected.argmax(axis=1) == truth).mean())
    assert score(package(target, logits)).value == pytest.approx(expected)


def test_only_classes_of_imagenet_are_scored_and_the_rest_is_there_as_all() -> None:
    scored = OBJECTNET.read(folder_of("objectnet"), "test")
    every = OBJECTNET.read(folder_of("objectnet"), "all")
    assert set(scored.class_names) < set(every.class_names)
    assert len(scored) < len(every)
    names = {every.class_names[label] for label in every.require_labels()}
    assert {"Coaster", "Squeegee"} == names - set(scored.class_names)


def test_the_border_is_cut_off_every_image() -> None:
    folder, split = folder_of("objectnet"), OBJECTNET.read(folder_of("objectnet"), "test")
    for i in range(len(split)):
        with Image.open(folder / "images" / split.images.id(i)) as file:
            whole = np.asarray(file.convert("RGB"))
        assert whole[0, 0].tolist() == [255, 0, 0]  # the red border is in the file
        ours = np.asarray(split.images[i])
        assert np.array_equal(ours, whole[BORDER:-BORDER, BORDER:-BORDER])
        red = (ours == (255, 0, 0)).all(axis=2)
        assert not red[0].any()
        assert not red[:, 0].any()
    target = shift("objectnet")  # and what a model sees is the same
    assert target.split.images[0].size == (30 - 2 * BORDER, 26 - 2 * BORDER)


def test_an_image_smaller_than_its_border_is_refused() -> None:
    class Tiny:
        def __len__(self) -> int:
            return 1

        def __getitem__(self, index: int) -> Image.Image:
            return Image.new("RGB", (4, 9))

        def id(self, index: int) -> str:
            return "tiny"

    with pytest.raises(OSError, match="4 x 9 pixels are too few"):
        Cropped(Tiny(), 2)[0]


def test_a_task_with_some_of_the_classes_keeps_what_it_can() -> None:
    wnids = miniature_wnids()
    target = shift("objectnet", (wnids[0], wnids[3]))
    assert target.classes is None
    assert target.groups is None  # one id of the group is left
    assert set(target.split.require_labels().tolist()) == {0, 1}
    with pytest.raises(ClassMismatch, match="class map is empty"):
        shift("objectnet", ("cat", "dog"))


def test_the_control_is_scored_in_the_same_groups() -> None:
    target, control = shift("objectnet"), shift("objectnet:control")
    assert (control.classes, control.groups) == (target.classes, target.groups)
    assert set(control.split.require_labels().tolist()) == set(
        target.split.require_labels().tolist()
    )
    assert control.split.domain == "ID"


def test_a_partial_copy_of_the_size_that_circulates_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy("objectnet", tmp_path)
    (folder / MARK).unlink()
    found = said("objectnet", folder)
    assert "all: 21 images, expected 50,273" in found
    assert "test: 14 images, expected 18,574" in found
    assert "test: 4 classes, expected 113" in found
    assert "circulates" not in found
    from surefoot.data.known import objectnet

    real = objectnet.read_tree

    def large(root: Path, **options: Any) -> Any:
        tree = real(root, **options)
        tree.counts = {name: 23_700 // len(tree.counts) for name in tree.counts}
        return tree

    monkeypatch.setattr(objectnet, "read_tree", large)
    found = said("objectnet", folder)
    assert "all: 23,700 images, expected 50,273" in found
    assert "an incomplete copy that circulates" in found
    assert "not comparable" in found


def test_missing_folders_and_files_are_named(tmp_path: Path) -> None:
    folder = copy("objectnet", tmp_path)
    scored = OBJECTNET.read(folder, "test").images.id(0).split("/")[0]
    shutil.rmtree(folder / "images" / scored)
    (folder / "images" / "notaclass").mkdir()
    shutil.copy(next((folder / "images" / "coaster").iterdir()), folder / "images" / "notaclass")
    found = said("objectnet", folder)
    assert f"1 class folder of the mapping missing or empty ({scored}), 1 of them scored" in found
    assert "1 folder of no class of the mapping (notaclass)" in found
    with pytest.raises(DataError, match="the publisher's mapping does not name"):
        OBJECTNET.read(folder, "test")
    shutil.rmtree(folder / "images" / "notaclass")
    with pytest.raises(DataError, match="holds 3 of the 4 classes that are scored"):
        OBJECTNET.read(folder, "test")
    (folder / "mappings" / MAPPINGS[3]).unlink()
    for attempt in (lambda: OBJECTNET.read(folder, "test"), lambda: said("objectnet", folder)):
        try:
            text = str(attempt())
        except DataError as error:
            text = str(error)
        assert f"{MAPPINGS[3]} missing" in text


def test_mapping_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    folder = copy("objectnet", tmp_path)
    place = folder / "mappings"
    joined = json.loads((place / MAPPINGS[1]).read_text())
    name = next(iter(joined))
    (place / MAPPINGS[1]).write_text(json.dumps(joined | {name: "no such label"}))
    with pytest.raises(DataError, match="'no such label', which is no line of"):
        read_maps(folder)
    (place / MAPPINGS[1]).write_text(json.dumps(joined | {"Ghost": joined[name]}))
    with pytest.raises(DataError, match="'Ghost', which is no class of"):
        read_maps(folder)
    (place / MAPPINGS[1]).write_text("[]")
    with pytest.raises(DataError, match="holds a list"):
        read_maps(folder)
    (place / MAPPINGS[2]).write_text('{"0": 0}')
    (place / MAPPINGS[1]).write_text(json.dumps(joined))
    with pytest.raises(DataError, match="does not give each of 1,000 labels one number"):
        read_maps(folder)
    (place / MAPPINGS[3]).write_bytes(b"\xff\xfe")
    assert f"{MAPPINGS[3]} cannot be read: it is no text" in said("objectnet", folder)
    (place / MAPPINGS[2]).write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        read_maps(folder)
