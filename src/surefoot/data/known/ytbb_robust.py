"""YTBB-Robust: frames of YouTube videos near anchors, 24 classes."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import DataError
from .base import Counts
from .facts import facts
from .files import one_of, read_json, read_text
from .frames import Frame, Frames
from .imagenet import miniature_wnids
from .pictures import salted, write_picture
from .wordnet import imagenet_index, imagenet_wnids

__all__ = ["NEAR", "YTBB_ROBUST"]

NEAR = 10
"""Frames on either side of an anchor."""

_FILES = (
    "anchor_labels.json",
    "pmk_labels.json",
    "ytbb_class_index.json",
    "rev_class_idx_map.json",
    "ytbb_robustness_test_anchors_full.csv",
)
_UNLIKE = frozenset({
    "dissimilar", "problematic", "incorrect", "dont know", "deformation", "background-change",
    "occlusion-increased", "blur-increase", "bad-anchor",
})  # fmt: skip
"""What reviewers wrote on frames that are not like their anchor."""

_SWAPPED = {"22": 23, "23": 22}
"""The table of anchors numbers car and none the other way round."""


class _YtbbRobust(Frames):
    """Frames, and reviewers' words on anchors and on pairs of an anchor and a frame."""

    def metadata(self, folder: Path) -> Path:
        """Where the five files lie: beside the videos, or as the authors' code keeps them."""
        names = ("metadata", "misc", "ytbb-robust_metadata", ".", "../ytbb-robust_metadata")
        places = [(folder / name) for name in names]
        first = one_of([place / _FILES[0] for place in places])
        if first is None:
            raise DataError(
                f"the metadata of ytbb-robust are not there; looked for {_FILES[0]} in "
                + ", ".join(str(p.absolute()) for p in places),
                expected="metadata/" + ", metadata/".join(_FILES),
                fix="copy them from src/eval_settings/ytbb-robust_metadata of "
                "github.com/modestyachts/imagenet-testbed, or from "
                "src/datasets/ytbb-robust_metadata of github.com/mlfoundations/wise-ft",
            )
        missing = [first.parent / f for f in _FILES if not (first.parent / f).is_file()]
        if missing:
            raise self.not_there(missing, "metadata")
        return first.parent

    def classes(self, place: Path) -> Sequence[str]:
        """From ytbb_class_index.json."""
        index = read_json(place / _FILES[2])
        return [str(index[str(i)]) for i in range(len(index))]

    def wnids(self, place: Path) -> Mapping[str, tuple[str, ...]]:
        """From rev_class_idx_map.json, whose values are labels of ImageNet."""
        names, wnids = self.classes(place), imagenet_wnids()
        reverse = read_json(place / _FILES[3])
        return {names[int(i)]: tuple(wnids[label] for label in ids) for i, ids in reverse.items()}

    def frames(self, place: Path) -> list[Frame]:
        """Anchors that reviewers found good, and the frames near them that they found similar."""
        names = self.classes(place)
        anchors = {_short(k): said for k, said in _words(place / _FILES[0]).items()}
        pairs = _words(place / _FILES[1])
        spoilt = {_short(k.split(",")[0]) for k, said in pairs.items() if "bad-anchor" in said}
        like = _similar(pairs)
        first, covered = _first_labels(place, names), self.wnids(place)
        frames = []
        for anchor, said in anchors.items():
            if "good" not in said or said & {"bad", "unsure"} or anchor in spoilt:
                continue
            video = anchor.split("/")[0]
            if video not in first:
                raise DataError(
                    f"{place / _FILES[4]} has no class for the anchor {anchor}",
                    fix="get the metadata again: the files belong together",
                )
            accepted = _ordered({first[video], *(said & set(names))}, first[video], covered)
            frames.append(Frame(anchor, anchor, 0, accepted))
            for frame in sorted(set(like.get(anchor, ())), key=_number):
                offset = _number(frame) - _number(anchor)
                if frame.split("/")[0] == video and 0 < abs(offset) <= NEAR:
                    frames.append(Frame(frame, anchor, offset, accepted))
        return frames

    def _miniature(self, folder: Path, seed: int) -> Counts:
        """Videos, reviewers' words, and the quirks of the real tables."""
        wnids, index = miniature_wnids(), imagenet_index()
        covered = {"person": wnids[0:2], "bird": wnids[3:4], "car": wnids[6:8]}
        anchors, pairs, rows = [], [], [("ytid", "time_ms", "label")]
        kept = 0
        for at, (video, ms, name, said, like) in enumerate(_VIDEOS):
            place, middle = f"{video}_{ms}", 50 + at
            label = index[covered[name][0]] if name in covered else 3_000
            for offset in range(-3, 4):
                path = folder / "ytbb_videos" / place / f"frame-{middle + offset}.jpg"
                write_picture(path, label, 10 * at + offset + 3, seed=salted("ytbb", seed))
            anchor = f"{place}/frame-{middle}.jpg"
            words = [_ANCHOR_WORDS.index(w) for w in said]
            anchors.append({"key": anchor, "notes": "", "labels": words})
            for offset in (-3, -2, -1, 1, 2, 3):
                word = "similar" if offset in like else "dissimilar"
                word = "bad-anchor" if video == "fVid" else word
                key = f"videos/{anchor},videos/{place}/frame-{middle + offset}.jpg"
                pairs.append({"key": key, "notes": "", "labels": [_PAIR_WORDS.index(word)]})
            rows.append((video, str(ms), str(_CLASSES.index(name))))
            kept += 1 + len(like) if "good" in said and video != "fVid" else 0
        _write_tables(folder / "metadata", rows, {
            _FILES[0]: {"annotations": anchors, "labels": _ANCHOR_WORDS},
            _FILES[1]: {"annotations": pairs, "labels": _PAIR_WORDS},
            _FILES[2]: {str(i): name for i, name in enumerate(_CLASSES)},
            _FILES[3]: {str(_CLASSES.index(n)): [index[w] for w in ids]
                        for n, ids in covered.items()},
        })  # fmt: skip
        return {"test": (kept, len(_CLASSES), 4)}


def _words(file: Path) -> dict[str, set[str]]:
    """Key -> what the reviewers said of it; the last word on a key counts."""
    stored = read_json(file)
    said = stored["labels"]
    return {row["key"]: {said[i] for i in row["labels"]} for row in stored["annotations"]}


def _similar(pairs: Mapping[str, set[str]]) -> dict[str, list[str]]:
    """Anchor -> frames that reviewers found like it and nothing else."""
    like: dict[str, list[str]] = {}
    for key, said in pairs.items():
        if "similar" in said and not said & _UNLIKE:
            anchor, _, frame = key.partition(",")
            like.setdefault(_short(anchor), []).append(_short(frame))
    return like


def _short(path: str) -> str:
    """VIDEO_MS/frame-N.jpg of any longer path."""
    return "/".join(path.split("/")[-2:])


def _first_labels(place: Path, names: Sequence[str]) -> dict[str, str]:
    """VIDEO_MS -> the class that YouTube-BB gives the anchor."""
    return {
        f"{row['ytid']}_{row['time_ms']}": names[_SWAPPED.get(row["label"], int(row["label"]))]
        for row in csv.DictReader(read_text(place / _FILES[4]))
    }


def _number(path: str) -> int:
    return int(path.rsplit("-", 1)[1].split(".")[0])


def _ordered(names: Iterable[str], first: str, covered: Mapping[str, Any]) -> tuple[str, ...]:
    """The label first: a class that ImageNet covers where there is one, so that it is scored."""
    return tuple(sorted(names, key=lambda n: (n not in covered, n != first, n)))


_CLASSES = ("person", "bird", "cow", "car", "none")
_ANCHOR_WORDS = ("good", "unsure", "bad", *_CLASSES)
_PAIR_WORDS = ("similar", "dissimilar", "correct", "bad-anchor")

_VIDEOS = (
    # id, milliseconds, class of the table, reviewers' words on the anchor, frames that are like it
    ("aVid_one-Q", 1000, "person", ("good",), (-2, -1, 1, 2)),
    ("bVid", 26000, "bird", ("good", "person"), (-1, 1)),
    ("cVid", 400, "car", ("good",), (1,)),
    ("dVid", 77, "cow", ("good",), (-1, 1)),  # no class of ImageNet: left out
    ("eVid", 5, "bird", ("bad",), (1,)),  # a bad anchor
    ("fVid", 6, "person", ("good",), ()),  # spoilt by a word on a pair
)
"""Of the miniature."""


def _write_tables(
    place: Path, rows: Iterable[Sequence[str]], files: Mapping[str, Mapping[str, object]]
) -> None:
    place.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (place / name).write_text(json.dumps(content, indent=1), encoding="utf-8")
    with open(place / _FILES[4], "w", newline="") as file:
        csv.writer(file).writerows(rows)


YTBB_ROBUST = _YtbbRobust(**facts("ytbb-robust"))
