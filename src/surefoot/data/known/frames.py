"""Frames of videos around anchors: what the two video sets share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import DataError
from ..dataset import ClassMap, Split
from ..images import FileImages
from .base import Expected, KnownDataset, Problem, expected_here
from .layout import bad_image_problems, count_problems, few

__all__ = ["Frame", "frames_map", "frames_problems", "frames_split"]


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        path: Relative to the root of the frames.
        anchor: The path of its anchor; its own for an anchor.
        offset: Frames from the anchor; 0 for itself.
        accepted: Classes that are right, the first of which is the label.
    """

    path: str
    anchor: str
    offset: int
    accepted: tuple[str, ...]


def frames_split(
    known: KnownDataset, root: Path, frames: Sequence[Frame], class_names: Sequence[str]
) -> Split:
    """A split with what pm_k needs, anchor, offset and accepted (joined by "|"), and the video.

    Args:
        known: The data set.
        root: The folder that the frames' paths start from.
        frames: In any order.
        class_names: Of the set.

    Raises:
        DataError: A frame that the metadata name is not there.
    """
    missing = [f.path for f in frames if not (root / f.path).is_file()]
    if missing:
        raise DataError(
            f"{len(missing):,} of {len(frames):,} frames that the metadata of {known.name} name "
            f"are not in {root} ({few(missing, 3)})",
            expected="every anchor and the frames near it: a missing one would count as right",
            fix=f"extract the archive again; `surefoot data check {known.name} DIR` lists more",
        )
    position = {name: i for i, name in enumerate(class_names)}
    return Split(
        name=known.name,
        images=FileImages(root, [f.path for f in frames]),
        labels=np.array([position[f.accepted[0]] for f in frames], dtype=np.int64),
        class_names=tuple(class_names),
        domain=known.domain,
        use="test",
        metadata={
            "video": np.array([_video(f.anchor) for f in frames], dtype=np.str_),
            "anchor": np.array([f.anchor for f in frames], dtype=np.str_),
            "offset": np.array([f.offset for f in frames], dtype=np.int64),
            "accepted": np.array(["|".join(f.accepted) for f in frames], dtype=np.str_),
        },
        unit="video",
        licence=known.licence,
        source=str(root),
    )


def _video(anchor: str) -> str:
    """The video of an anchor: its folder, without the time that YTBB puts behind the video's id.

    VIDEO/NUMBER.JPEG of ImageNet-Vid, VIDEO_MILLISECONDS/frame-N.jpg of YTBB, where a video may
    have several anchors.
    """
    folder, _, frame = anchor.rpartition("/")
    return folder.rpartition("_")[0] if frame.startswith("frame-") else folder


def frames_map(
    wnids: Mapping[str, Sequence[str]], split: Split, task_classes: Sequence[str]
) -> ClassMap:
    """Class -> all of its ImageNet classes that the task has; the others are left out."""
    here = set(task_classes)
    pairs: dict[str, str | tuple[str, ...]] = {}
    for name in split.class_names:
        ids = tuple(w for w in wnids.get(name, ()) if w in here)
        if ids:
            pairs[name] = ids[0] if len(ids) == 1 else ids
    return ClassMap(pairs)


def frames_problems(
    known: KnownDataset,
    folder: Path,
    root: Path,
    frames: Sequence[Frame],
    class_names: Sequence[str],
    full: bool,
) -> list[Problem]:
    """Frames that are missing or empty, and counts against those published."""
    found = []
    expected: Expected = expected_here(known, folder)["test"]
    there = [f for f in frames if (root / f.path).is_file()]
    missing = [f.path for f in frames if not (root / f.path).is_file()]
    if missing:
        found.append(Problem(
            f"test: {len(missing):,} of {len(frames):,} frames that the metadata name are missing "
            f"({few(missing, 3)})",
            "the archive was extracted only in part: extract it again", "test",
        ))  # fmt: skip
    empty = [f.path for f in there if (root / f.path).stat().st_size == 0]
    if empty:
        found.append(Problem(
            f"test: {len(empty):,} frames are empty files of zero bytes ({few(empty, 3)})",
            "extract the archive again", "test",
        ))  # fmt: skip
    found += count_problems("test", expected, len(frames), len(class_names))
    anchors = len({f.anchor for f in frames})
    if expected.scored is not None and anchors != expected.scored:
        found.append(Problem(
            f"test: the metadata name {anchors:,} anchors, expected {expected.scored:,}",
            "get the metadata again", "test",
        ))  # fmt: skip
    if full and there:
        images = FileImages(root, [f.path for f in there])
        split = Split("test", images, None, (), "OOD", "test", source=str(root))
        found += bad_image_problems(split, "test")
    return found
