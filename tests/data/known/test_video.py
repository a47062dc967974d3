"""The two video sets, scored beside a plain reading of their metadata."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surefoot.data.known.facts import MARK
from surefoot.data.known.find import known_dataset
from surefoot.errors import DataError
from surefoot.evals.predict import package
from surefoot.evals.score import score

from .family import copy, folder_of, said, shift


def load(file: Path) -> Any:
    return json.loads(file.read_text())


def plain_vid(folder: Path) -> tuple[dict[int, list[int]], dict[str, list[tuple[str, list[int]]]]]:
    """Class -> ImageNet labels; anchor -> (frame, classes that are right), the anchor first."""
    index = load(folder / "misc/imagenet_vid_class_index.json")
    imagenet = {v[0]: int(k) for k, v in load(folder / "misc/imagenet_class_index.json").items()}
    number = {v[0]: int(k) for k, v in index.items()}
    covers = {number[v]: [imagenet[w] for w in ids]
              for v, ids in load(folder / "misc/rev_wnid_map.json").items()}  # fmt: skip
    labels = load(folder / "metadata/labels.json")
    sets = load(folder / "metadata/pmsets.json")
    return covers, {a: [(f, labels[f]) for f in (a, *near)] for a, near in sets.items()}


def plain_ytbb(folder: Path) -> tuple[dict[int, list[int]], dict[str, list[tuple[str, list[int]]]]]:
    """The same for YTBB-Robust, step by step as its metadata are documented in code."""
    place = folder / "metadata"
    names = load(place / "ytbb_class_index.json")
    number = {v: int(k) for k, v in names.items()}
    covers = {int(k): v for k, v in load(place / "rev_class_idx_map.json").items()}
    anchors, pairs = load(place / "anchor_labels.json"), load(place / "pmk_labels.json")
    said_of = {
        r["key"]: [anchors["labels"][i] for i in r["labels"]] for r in anchors["annotations"]
    }
    initial = {}
    with open(place / "ytbb_robustness_test_anchors_full.csv") as file:
        for row in csv.DictReader(file):
            label = int(row["label"])
            initial[f"{row['ytid']}_{row['time_ms']}"] = {22: 23, 23: 22}.get(label, label)
    similar, spoilt = set(), set()
    for row in pairs["annotations"]:
        words = [pairs["labels"][i] for i in row["labels"]]
        anchor, frame = ("/".join(p.split("/")[-2:]) for p in row["key"].split(","))
        if "similar" in words:
            similar.add((anchor, frame))
        if "bad-anchor" in words:
            spoilt.add(anchor)
    found = {}
    for anchor, words in said_of.items():
        if "good" not in words or "bad" in words or anchor in spoilt:
            continue
        right = {initial[anchor.split("/")[0]]} | {number[w] for w in words if w in number}
        at = int(anchor.split("-")[-1][:-4])
        stem = anchor.rsplit("-", 1)[0]
        near = [f"{stem}-{at + k}.jpg" for k in range(-10, 11) if k]
        frames = [anchor, *(f for f in near if (anchor, f) in similar)]
        if any(c in covers for c in right):  # else it is no class of ImageNet
            found[anchor] = [(f, sorted(right)) for f in frames]
    return covers, found


CASES = {"imagenet-vid-robust": plain_vid, "ytbb-robust": plain_ytbb}
by_name = pytest.mark.parametrize("name", CASES)


@by_name
@pytest.mark.parametrize("seed", range(12))
def test_pm0_and_pm10_are_those_of_a_plain_reading(name: str, seed: int) -> None:
    target = shift(name)
    covers, anchors = CASES[name](folder_of(name))
    ids = [target.split.images.id(i) for i in range(len(target.split))]
    assert sorted(ids) == sorted(f for frames in anchors.values() for f, _ in frames)
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(len(ids), 1000)).astype(np.float32)
    # half of the videos are easy, so that anchors and whole sets are right now and then
    for i, label in enumerate(target.split.require_labels()):
        logits[i, label] += 6 * (sum(map(ord, ids[i].split("/")[-2])) % 2)
    row = {name: logits[i] for i, name in enumerate(ids)}

    def right(frame: str, accepted: list[int]) -> bool:
        best = max(covers, key=lambda c: row[frame][covers[c]].max())
        return best in accepted

    pm0 = np.mean([right(*frames[0]) for frames in anchors.values()])
    pm10 = np.mean([all(right(*f) for f in frames) for frames in anchors.values()])
    predictions = package(target, logits)
    assert score(predictions, "pm0").value == pytest.approx(pm0)
    assert score(predictions, "pm10").value == pytest.approx(pm10)
    assert target.metric == "pm10"
    assert score(predictions).n in (len(anchors), len(ids))


def test_several_classes_of_a_frame_are_all_right() -> None:
    split = known_dataset("imagenet-vid-robust").read(folder_of("imagenet-vid-robust"), "test")
    several = [str(a) for a in split.metadata["accepted"] if "|" in str(a)]
    assert several
    assert all(set(a.split("|")) <= set(split.class_names) for a in several)
    offsets = split.metadata["offset"]
    assert (offsets == 0).sum() == 6
    assert {-2, 2} <= set(offsets.tolist())


def test_frames_of_no_class_of_imagenet_are_left_out_with_a_note() -> None:
    target = shift("ytbb-robust")
    assert any("3 images of classes outside the class map" in n for n in target.split.notes)
    split = known_dataset("ytbb-robust").read(folder_of("ytbb-robust"), "test")
    assert "cow" in {split.class_names[i] for i in split.require_labels()}


@by_name
def test_the_control_is_imagenets_validation_in_the_same_groups(name: str) -> None:
    target, control = shift(name), shift(f"{name}:control")
    assert (control.groups, control.classes) == (target.groups, target.classes)
    assert (control.metric, control.split.domain) == ("top1", "ID")


@by_name
def test_missing_and_empty_frames_are_named(name: str, tmp_path: Path) -> None:
    folder = copy(name, tmp_path)
    known = known_dataset(name)
    split = known.read(folder, "test")
    root = Path(split.source)
    (root / split.images.id(0)).unlink()
    (root / split.images.id(1)).write_bytes(b"")
    (root / split.images.id(2)).write_bytes(b"no picture")
    found = said(name, folder, full=True)
    assert f"test: 1 of {len(split)} frames that the metadata name are missing" in found
    assert "1 frames are empty files" in found or "of zero bytes" in found
    assert "cannot be decoded" in found
    with pytest.raises(DataError, match="a missing one would count as right"):
        known.read(folder, "test")


@by_name
def test_missing_metadata_say_where_they_come_from(name: str, tmp_path: Path) -> None:
    folder = copy(name, tmp_path)
    file = "pmsets.json" if "vid" in name else "anchor_labels.json"
    (folder / "metadata" / file).unlink()
    with pytest.raises(DataError, match=re.escape(file)):
        known_dataset(name).read(folder, "test")
    assert file in said(name, folder)


@pytest.mark.parametrize(
    ("name", "file"),
    [("imagenet-vid-robust", "misc/imagenet_vid_class_index.json"),
     ("imagenet-vid-robust", "metadata/pmsets.json"),
     ("ytbb-robust", "metadata/anchor_labels.json"),
     ("ytbb-robust", "metadata/rev_class_idx_map.json"),
     ("ytbb-robust", "metadata/ytbb_robustness_test_anchors_full.csv")],
)  # fmt: skip
def test_metadata_of_another_kind_are_told_and_stop_no_check(
    name: str, file: str, tmp_path: Path
) -> None:
    folder = copy(name, tmp_path)
    (folder / file).write_bytes(b"[1, 2]" if file.endswith("json") else b"\xff\xfe")
    with pytest.raises(DataError, match=re.escape(file)):
        known_dataset(name).read(folder, "test")
    assert file in said(name, folder)


def test_metadata_of_ytbb_are_found_beside_the_folder_too(tmp_path: Path) -> None:
    folder = copy("ytbb-robust", tmp_path)
    (folder / "metadata").rename(folder.parent / "ytbb-robust_metadata")
    assert said("ytbb-robust", folder) == ""
    (folder.parent / "ytbb-robust_metadata" / "pmk_labels.json").unlink()
    with pytest.raises(DataError, match=r"pmk_labels\.json"):
        known_dataset("ytbb-robust").read(folder, "test")


def test_metadata_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    folder = copy("imagenet-vid-robust", tmp_path)
    labels = load(folder / "metadata/labels.json")
    labels.pop(next(iter(labels)))
    (folder / "metadata/labels.json").write_text(json.dumps(labels))
    with pytest.raises(DataError, match="has no label for"):
        known_dataset("imagenet-vid-robust").read(folder, "test")
    (folder / MARK).unlink()
    (folder / "metadata/labels.json").write_text("{")
    assert "is no JSON" in said("imagenet-vid-robust", folder)
    other = copy("ytbb-robust", tmp_path)
    table = other / "metadata/ytbb_robustness_test_anchors_full.csv"
    table.write_text("\n".join(table.read_text().splitlines()[:1]))
    with pytest.raises(DataError, match="has no class for the anchor"):
        known_dataset("ytbb-robust").read(other, "test")


def test_the_video_is_the_unit() -> None:
    """A video may have several anchors; YTBB puts the anchor's time behind the video's name."""
    vid = shift("imagenet-vid-robust").split
    assert vid.unit == "video"
    assert vid.metadata["video"][0] == vid.images.id(0).rpartition("/")[0]
    ytbb = shift("ytbb-robust").split
    who = dict(zip(ytbb.metadata["anchor"].tolist(), ytbb.metadata["video"].tolist(), strict=True))
    assert who["aVid_one-Q_1000/frame-50.jpg"] == "aVid_one-Q"
