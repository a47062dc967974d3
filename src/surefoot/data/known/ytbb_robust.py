"""YTBB-Robust: frames of YouTube videos near anchors, 24 classes."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import DataError
from ..dataset import ClassMap, Split
from .base import Expected, KnownDataset, Problem
from .frames import Frame, frames_map, frames_problems, frames_split
from .layout import no_folder, not_there
from .parts import unknown_split
from .wordnet import imagenet_wnids
from .ytbb_miniature import miniature

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


def _present(folder: Path) -> bool:
    return (folder / "ytbb_videos").is_dir()


def _metadata(folder: Path) -> Path:
    """Where the five files lie: beside the videos, or as the authors' code keeps them.

    Raises:
        DataError: Nowhere; the message says where to get them.
    """
    names = ("metadata", "misc", "ytbb-robust_metadata", ".")
    places = [folder / n for n in names] + [folder.parent / "ytbb-robust_metadata"]
    for place in places:
        if (place / _FILES[0]).is_file():
            missing = [f for f in _FILES if not (place / f).is_file()]
            if missing:
                raise not_there(YTBB_ROBUST, [place / f for f in missing], "metadata")
            return place
    raise DataError(
        f"the metadata of ytbb-robust are not there; looked for {_FILES[0]} in "
        + ", ".join(str(p.absolute()) for p in places),
        expected="metadata/" + ", metadata/".join(_FILES),
        fix="copy them from src/eval_settings/ytbb-robust_metadata of "
        "github.com/modestyachts/imagenet-testbed, or from src/datasets/ytbb-robust_metadata of "
        "github.com/mlfoundations/wise-ft",
    )


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{file} is no JSON ({error})", fix="get the file again") from error


def _words(file: Path) -> dict[str, set[str]]:
    """Key -> what the reviewers said of it; the last word on a key counts."""
    stored = _json(file)
    said = stored["labels"]
    return {row["key"]: {said[i] for i in row["labels"]} for row in stored["annotations"]}


def _short(path: str) -> str:
    """VIDEO_MS/frame-N.jpg of any longer path."""
    return "/".join(path.split("/")[-2:])


def _classes(place: Path) -> list[str]:
    index = _json(place / _FILES[2])
    return [str(index[str(i)]) for i in range(len(index))]


def _wnids(place: Path) -> Mapping[str, tuple[str, ...]]:
    names, wnids = _classes(place), imagenet_wnids()
    reverse = _json(place / _FILES[3])
    return {names[int(i)]: tuple(wnids[label] for label in ids) for i, ids in reverse.items()}


def _first_labels(place: Path, names: Sequence[str]) -> dict[str, str]:
    """VIDEO_MS -> the class that YouTube-BB gives the anchor."""
    with open(place / _FILES[4], newline="", encoding="utf-8") as file:
        return {
            f"{row['ytid']}_{row['time_ms']}": names[_SWAPPED.get(row["label"], int(row["label"]))]
            for row in csv.DictReader(file)
        }


def _frames(place: Path) -> list[Frame]:
    """Anchors that reviewers found good, and the frames near them that they found similar."""
    names = _classes(place)
    anchors = {_short(k): said for k, said in _words(place / _FILES[0]).items()}
    pairs = _words(place / _FILES[1])
    spoilt = {_short(k.split(",")[0]) for k, said in pairs.items() if "bad-anchor" in said}
    like: dict[str, list[str]] = {}
    for key, said in pairs.items():
        if "similar" in said and not said & _UNLIKE:
            anchor, _, frame = key.partition(",")
            like.setdefault(_short(anchor), []).append(_short(frame))
    first, covered = _first_labels(place, names), _wnids(place)
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


def _number(path: str) -> int:
    return int(path.rsplit("-", 1)[1].split(".")[0])


def _ordered(names: Iterable[str], first: str, covered: Mapping[str, Any]) -> tuple[str, ...]:
    """The label first: a class that ImageNet covers where there is one, so that it is scored."""
    return tuple(sorted(names, key=lambda n: (n not in covered, n != first, n)))


def _read(folder: Path, split: str) -> Split:
    if split not in YTBB_ROBUST.splits:
        raise unknown_split("ytbb-robust", split, YTBB_ROBUST.splits)
    place = _metadata(folder)
    return frames_split(YTBB_ROBUST, folder / "ytbb_videos", _frames(place), _classes(place))


def _class_map(folder: Path, split: Split, task_classes: Sequence[str]) -> ClassMap:
    return frames_map(_wnids(_metadata(folder)), split, task_classes)


def _inspect(folder: Path, full: bool) -> Sequence[Problem]:
    if missing := no_folder(folder, YTBB_ROBUST):
        return missing
    try:
        place = _metadata(folder)
        frames, classes = _frames(place), _classes(place)
    except DataError as error:
        return [Problem(error.wrong, error.fix)]
    return frames_problems(YTBB_ROBUST, folder, folder / "ytbb_videos", frames, classes, full)


YTBB_ROBUST = KnownDataset(
    name="ytbb-robust",
    title="YTBB-Robust",
    summary="Frames of YouTube-BB videos within 10 frames of an anchor that look the same to "
    "people; 24 classes, 19 of which are among ImageNet's.",
    homepage="https://modestyachts.github.io/natural-perturbations-website/",
    citation="Shankar et al., Do Image Classifiers Generalize Across Time?, ICCV 2021, "
    "arXiv 1906.02168",
    licence="not stated; the frames are YouTube videos'",
    layout=(
        "imagenet_vid_ytbb_robust/ytbb-robust/ytbb_videos/VIDEO_MS/frame-N.jpg, ...",
        *(f"imagenet_vid_ytbb_robust/ytbb-robust/metadata/{name}" for name in _FILES),
    ),
    folders=("imagenet_vid_ytbb_robust/ytbb-robust", "ytbb-robust"),
    splits={
        "test": Expected(
            35_719,
            24,
            2_030,
            source="57,897 images in 3,139 sets (abstract of "
            "arXiv 1906.02168) less ImageNet-Vid-Robust's 22,178 in 1,109; not "
            "confirmed on the archive (anchor_labels.json has 2,169 good anchors, of which "
            "pmk_labels.json takes away those that it calls bad)",
        )
    },
    default="test",
    metric="pm10",
    domain="OOD",
    read=_read,
    inspect=_inspect,
    miniature=miniature,
    control="imagenet:val",
    needs=("five metadata files of the authors' imagenet-testbed: labels and similar frames",),
    class_source="ytbb_class_index.json and rev_class_idx_map.json of the metadata",
    kind="frames",
    present=_present,
    class_map=_class_map,
    notes=(
        "The code of the authors and of WiSE-FT carries the metadata itself; whether the archive "
        "does too is not confirmed.",
        "cow, giraffe, skateboard, toilet and none are no classes of ImageNet: frames that show "
        "nothing else are left out. WiSE-FT's code keeps them: with ImageNet's logits they have 0, "
        "so that they count as wrong, while its zero-shot head of 24 classes can name them.",
    ),
)
