"""ObjectNet's own mapping files: folder -> class -> ImageNet's classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import DataError
from .files import read_json, read_text
from .wordnet import imagenet_wnids

__all__ = ["MAPPINGS", "ObjectNetMap", "read_maps"]

MAPPINGS = (
    "folder_to_objectnet_label.json",
    "objectnet_to_imagenet_1k.json",
    "pytorch_to_imagenet_2012_id.json",
    "imagenet_to_label_2012_v2",
)
_FIX = "take the folder mappings from objectnet-1.0.zip"


@dataclass(frozen=True)
class ObjectNetMap:
    """The publisher's mapping.

    Attributes:
        labels: Folder -> ObjectNet class ("alarm_clock" -> "Alarm clock").
        wnids: ObjectNet class -> WordNet ids of ImageNet's classes, in label order; only those
            that have any.
    """

    labels: Mapping[str, str]
    wnids: Mapping[str, tuple[str, ...]]

    def is_scored(self, folder: str) -> bool:
        """Is the class of a folder one of ImageNet's?"""
        return self.labels.get(folder) in self.wnids


def read_maps(folder: Path) -> ObjectNetMap:
    """Read the four files of ``mappings/``.

    ``objectnet_to_imagenet_1k.json`` joins names by "; "; a name is a line of
    ``imagenet_to_label_2012_v2`` (line i, from 0, is the class that ImageNet's 2012 devkit numbers
    i + 1), and ``pytorch_to_imagenet_2012_id.json`` says which label that is.

    Raises:
        DataError: A file is missing, cannot be read, or they contradict each other.
    """
    place = folder / "mappings"
    missing = [name for name in MAPPINGS if not (place / name).is_file()]
    if missing:
        raise DataError(
            f"ObjectNet's mapping files are not all in {place}: {', '.join(missing)} missing",
            expected="mappings/" + ", mappings/".join(MAPPINGS),
            fix=_FIX,
        )
    folders, joined, numbers = (read_json(place / name, fix=_FIX) for name in MAPPINGS[:3])
    number_of = {int(number): int(label) for label, number in numbers.items()}
    lines = read_text(place / MAPPINGS[3])
    if len(number_of) != 1000 or set(number_of.values()) != set(range(1000)):
        raise DataError(
            f"{place / MAPPINGS[2]} does not give each of 1,000 labels one number",
            expected='{"0": 355, ...}: label -> number of the 2012 challenge, from 0',
            fix=_FIX,
        )
    label_of = dict(zip(lines, (number_of[i] for i in range(1000)), strict=False))
    wnids = imagenet_wnids()
    found: dict[str, tuple[str, ...]] = {}
    for name, theirs in joined.items():
        called = str(theirs).split("; ")
        lost = [one for one in called if one not in label_of]
        if lost or name not in folders.values():
            wrong = f"{name!r}, which is no class of {MAPPINGS[0]}"
            if lost:
                wrong = f"{lost[0]!r}, which is no line of {MAPPINGS[3]}"
            raise DataError(
                f"{place / MAPPINGS[1]} names {wrong}",
                expected="files that belong together",
                fix=_FIX,
            )
        found[name] = tuple(wnids[i] for i in sorted({label_of[one] for one in called}))
    return ObjectNetMap(dict(folders), found)
