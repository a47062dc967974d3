"""ObjectNet's own mapping files: folder -> class -> ImageNet's classes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import DataError
from .wordnet import imagenet_wnids

__all__ = ["MAPPINGS", "ObjectNetMap", "read_maps"]

MAPPINGS = (
    "folder_to_objectnet_label.json",
    "objectnet_to_imagenet_1k.json",
    "pytorch_to_imagenet_2012_id.json",
    "imagenet_to_label_2012_v2",
)


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
            fix="take the folder mappings from objectnet-1.0.zip",
        )
    folders = _json(place / MAPPINGS[0])
    joined = _json(place / MAPPINGS[1])
    number_of = {int(number): int(label) for label, number in _json(place / MAPPINGS[2]).items()}
    lines = (place / MAPPINGS[3]).read_text(encoding="utf-8").splitlines()
    if len(number_of) != 1000 or set(number_of.values()) != set(range(1000)):
        raise DataError(
            f"{place / MAPPINGS[2]} does not give each of 1,000 labels one number",
            expected='{"0": 355, ...}: label -> number of the 2012 challenge, from 0',
            fix="take the folder mappings from objectnet-1.0.zip",
        )
    label_of = {line.strip(): number_of[i] for i, line in enumerate(lines) if line.strip()}
    wnids = imagenet_wnids()
    found: dict[str, tuple[str, ...]] = {}
    for name, theirs in joined.items():
        lost = [t for t in str(theirs).split("; ") if t not in label_of]
        if lost or name not in folders.values():
            raise DataError(
                f"{place / MAPPINGS[1]} names "
                + (f"{lost[0]!r}, which is no line of {MAPPINGS[3]}" if lost
                   else f"{name!r}, which is no class of {MAPPINGS[0]}"),
                expected="files that belong together",
                fix="take the folder mappings from objectnet-1.0.zip",
            )  # fmt: skip
        labels = sorted({label_of[t] for t in str(theirs).split("; ")})
        found[name] = tuple(wnids[i] for i in labels)
    return ObjectNetMap(dict(folders), found)


def _json(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{file} cannot be read ({error})", expected="the JSON published"
        ) from error
    if not isinstance(data, dict):
        raise DataError(f"{file} holds a {type(data).__name__}", expected="a JSON object")
    return data
