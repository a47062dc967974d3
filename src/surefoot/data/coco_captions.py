"""COCO's captions: one JSON file, one folder of images, several captions for each."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ..errors import BadImages, DataError
from .caption_table import join_captions
from .dataset import Split
from .images import FileImages
from .strings import Strings

__all__ = ["from_coco_captions"]

_EXPECTED = (
    'COCO captions: {"images": [{"id", "file_name"}], "annotations": [{"image_id", "caption"}]}'
)


def from_coco_captions(
    file: str | os.PathLike[str], folder: str | os.PathLike[str], *, skip_missing: bool = False
) -> Split:
    """COCO's ``captions_*.json`` with its folder of images; all captions of an image are kept.

    Chen et al., "Microsoft COCO captions: data collection and evaluation server", arXiv
    1504.00325: five captions or more per image. Images come in the file's order, captions by
    their id.

    Args:
        file: The annotations.
        folder: Where ``file_name`` starts from.
        skip_missing: Leave out images whose file is missing, with a note.

    Raises:
        DataError: The file is missing or not of this form, or no image has a caption.
        BadImages: Files are missing; they are counted and the first ten listed.
    """
    path, root = Path(file), Path(folder)
    images, captions = _read_coco(path)
    rows = [(name, join_captions(captions.get(key, ()))) for key, name in images]
    kept = [(name, text) for name, text in rows if text]
    notes = _left_out(len(rows) - len(kept), f"images of {path.name} without a caption")
    there = [(name, text) for name, text in kept if (root / name).is_file()]
    if len(there) < len(kept) and (not skip_missing or not there):
        gone = sorted({name for name, _ in kept} - {name for name, _ in there})
        raise BadImages(
            [(name, "the file is missing") for name in gone],
            where=f"{path} (paths start from {root.absolute()})",
        )
    notes += _left_out(len(kept) - len(there), f"images of {path.name} whose file is missing")
    if not there:
        raise DataError(f"no image of {path} has a caption", expected=_EXPECTED)
    return Split(
        name="pairs",
        images=FileImages(root, [name for name, _ in there]),
        labels=None,
        class_names=(),
        domain="ID",
        use="train",
        captions=Strings(text for _, text in there),
        source=f"coco:{path}:{root}",
        notes=notes,
    )


def _left_out(count: int, what: str) -> tuple[str, ...]:
    return (f"{count} {what} are left out",) if count else ()


def _read_coco(path: Path) -> tuple[list[tuple[Any, str]], dict[Any, list[str]]]:
    """(image id, file name) in the file's order, and image id -> captions by their id."""
    if not path.is_file():
        raise DataError(
            f"the COCO annotations {path} do not exist (looked at {path.absolute()})",
            expected=_EXPECTED,
            fix="correct the path",
        )
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        images = [(row["id"], str(row["file_name"])) for row in data["images"]]
        said = [(row.get("id", n), row["image_id"], str(row["caption"]))
                for n, row in enumerate(data["annotations"])]  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise DataError(
            f"{path} cannot be read as COCO captions ({what})",
            expected=_EXPECTED,
            fix="give captions_train2017.json, not instances_train2017.json",
        ) from error
    known = {key for key, _ in images}
    stray = [image for _, image, _ in said if image not in known]
    if stray or len(known) < len(images):
        raise DataError(
            f"{path} has a caption of the image {stray[0]!r}, which it does not list"
            if stray
            else f"{path} lists an image id twice",
            expected=_EXPECTED,
        )
    captions: dict[Any, list[str]] = {}
    for _, image, caption in sorted(said, key=lambda row: row[0]):
        captions.setdefault(image, []).append(caption)
    return images, captions
