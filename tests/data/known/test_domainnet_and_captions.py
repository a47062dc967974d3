"""DomainNet's lists and the sets with sentences."""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from surefoot.data.dataset import Shift
from surefoot.data.known.captions import (
    COCO_CAPTIONS,
    CONCEPTUAL_CAPTIONS,
    chosen_ids,
    ids_hash,
)
from surefoot.data.known.domainnet import DOMAINNET
from surefoot.errors import DataError

from .copies import copy, miniature, said


def test_domainnet_is_what_a_plain_reading_of_the_lists_gives() -> None:
    """As LP-FT's loader: split each line at blanks, join the path to the root."""
    folder = miniature(DOMAINNET)
    for name in DOMAINNET.splits:
        lines = (folder / f"SENTRY_splits/{name}_mini.txt").read_text().splitlines()
        rows = [line.split() for line in lines]
        split = DOMAINNET.read(folder, name)
        assert [split.images.id(i) for i in range(len(split))] == [path for path, _ in rows]
        assert split.require_labels().tolist() == [int(label) for _, label in rows]
        assert all(split.class_names[int(c)] == p.split("/")[1] for p, c in rows)


def test_domainnets_last_labels_are_not_in_alphabetical_order() -> None:
    """SENTRY appended four classes: whoever sorts the folders gets other labels."""
    names = DOMAINNET.read(miniature(DOMAINNET), "sketch_train").class_names
    assert names[35:] == ("truck", "butterfly", "sheep", "drums", "donut")
    assert list(names) != sorted(names)


def test_domains_join_by_name_and_only_sketches_are_id() -> None:
    folder = miniature(DOMAINNET)
    task = DOMAINNET.read(folder, "sketch_train")
    assert task.domain == "ID"
    for name in DOMAINNET.shifts:
        split = DOMAINNET.read(folder, name)
        assert split.domain == "OOD"
        assert Shift.of(split, task.class_names).classes is None


def test_lists_in_the_folder_itself_are_found_and_their_absence_told(tmp_path: Path) -> None:
    folder = copy(DOMAINNET, tmp_path)
    file = folder / "SENTRY_splits/real_test_mini.txt"
    file.rename(folder / file.name)
    assert said(DOMAINNET.inspect(folder, False)) == ""
    (folder / file.name).unlink()
    problems = said(DOMAINNET.inspect(folder, False))
    assert "virajprabhu/SENTRY" in problems
    assert "real_test" in problems


def test_lists_that_contradict_themselves_or_each_other_are_refused(tmp_path: Path) -> None:
    folder = copy(DOMAINNET, tmp_path)
    file = folder / "SENTRY_splits/clipart_test_mini.txt"
    text = file.read_text()
    file.write_text(text.replace(".jpg 3\n", ".jpg 4\n"))
    with pytest.raises(DataError, match="gives the label 4 to"):
        DOMAINNET.read(folder, "clipart_test")
    file.write_text(text.replace("jpg 7\n", "jpg seven\n"))
    with pytest.raises(DataError, match="line 8 of"):
        DOMAINNET.read(folder, "clipart_test")
    swapped = text.replace(".jpg 3\n", ".jpg X\n").replace(".jpg 4\n", ".jpg 3\n")
    file.write_text(swapped.replace(".jpg X\n", ".jpg 4\n"))
    assert "name other classes" in said(DOMAINNET.inspect(folder, False))


def test_pycocotools_gives_the_same_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    folder = miniature(COCO_CAPTIONS)
    for part in ("train", "val"):
        peer = coco.COCO(str(folder / f"annotations/captions_{part}2017.json"))
        split = COCO_CAPTIONS.read(folder, part)
        assert split.captions is not None
        ours = defaultdict(list)
        for i, caption in enumerate(split.captions):
            ours[split.images.id(i)].append(caption)
            assert split.images.id(i).endswith(f"{split.metadata['image_id'][i]:012d}.jpg")
        theirs = {
            f"{part}2017/{image['file_name']}": sorted(a["caption"] for a in peer.imgToAnns[number])
            for number, image in peer.imgs.items()
        }
        assert {k: sorted(v) for k, v in ours.items()} == theirs


def test_subsets_are_drawn_by_hash_alike_everywhere_and_nest() -> None:
    ids = list(range(5, 3000, 7))
    slow = sorted(sorted(ids, key=lambda i: hashlib.sha256(b"coco-2017-%d" % i).digest())[:100])
    small = chosen_ids(reversed(ids), 100)
    assert small == slow
    assert set(small) < set(chosen_ids(ids, 200))
    assert ids_hash(small) == ids_hash(reversed(small)) != ids_hash(small[1:])


def test_a_subset_states_the_hash_of_its_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from surefoot.data.known import captions

    monkeypatch.setitem(captions._SUBSETS, "train-10k", 5)
    split = COCO_CAPTIONS.read(miniature(COCO_CAPTIONS), "train-10k")
    ids = np.unique(split.metadata["image_id"]).tolist()
    assert len(ids) == 5
    assert len(split) == 25
    assert ids_hash(ids) in " ".join(split.notes)


def test_annotations_that_are_cut_off_or_name_no_image_are_refused(tmp_path: Path) -> None:
    folder = copy(COCO_CAPTIONS, tmp_path)
    file = folder / "annotations/captions_train2017.json"
    text = file.read_text()
    file.write_text(text[: len(text) // 2])
    assert "cut off" in said(COCO_CAPTIONS.inspect(folder, False))
    held = json.loads(text)
    del held["images"][0]
    file.write_text(json.dumps(held))
    with pytest.raises(DataError, match="captions of image 9"):
        COCO_CAPTIONS.read(folder, "train")


def test_conceptual_captions_in_shards_are_read(tmp_path: Path) -> None:
    table = miniature(CONCEPTUAL_CAPTIONS)
    wanted = CONCEPTUAL_CAPTIONS.read(table, "val")
    assert wanted.captions is not None
    with tarfile.open(tmp_path / "cc3m-validation-0000.tar", "w") as tar:
        for i, caption in enumerate(wanted.captions):
            (tmp_path / "text").write_text(caption)
            tar.add(table / wanted.images.id(i), f"{i:05d}.jpg")
            tar.add(tmp_path / "text", f"{i:05d}.txt")
    split = CONCEPTUAL_CAPTIONS.read(tmp_path, "val")
    assert list(split.captions or ()) == list(wanted.captions)
    assert np.array_equal(np.asarray(split.images[2]), np.asarray(wanted.images[2]))


def test_conceptual_captions_without_images_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "Train_GCC-training.tsv").write_text("a cat\thttp://example.org/cat.jpg\n")
    assert "img2dataset" in said(CONCEPTUAL_CAPTIONS.inspect(tmp_path, False))
    folder = copy(CONCEPTUAL_CAPTIONS, tmp_path)
    file = folder / "train.csv"
    file.write_text(file.read_text().replace('"a 1 thing, number 1"', '""'))
    assert "1 images have no caption" in said(CONCEPTUAL_CAPTIONS.inspect(folder, False))
