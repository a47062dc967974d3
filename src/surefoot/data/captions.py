"""Image-text pairs: captions from a table, COCO's JSON, shards, or the names of classes."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import DataError
from .caption_table import (
    SEVERAL,
    CaptionTable,
    caption_table,
    class_prompts,
    join_captions,
    split_captions,
)
from .coco_captions import from_coco_captions
from .dataset import Split
from .source import ACCEPTED, read_split

__all__ = [
    "PAIRS",
    "SEVERAL",
    "CaptionTable",
    "PairsSubset",
    "caption_table",
    "class_prompts",
    "from_coco_captions",
    "join_captions",
    "pairs_subset",
    "read_pairs",
    "split_captions",
]

PAIRS = (
    f"{ACCEPTED}\n    - COCO captions: coco:annotations/captions_train2017.json:train2017\n"
    "    each with captions, or with labels whose class names become prompts"
)

_COCO = re.compile(r"^coco:(?P<json>.+?\.json):(?P<folder>.+)$", re.IGNORECASE)


def read_pairs(
    spec: str | os.PathLike[str],
    *,
    templates: Sequence[str] = ("{}",),
    skip_missing: bool = False,
) -> Split:
    """Image-text pairs from what a user typed.

    Args:
        spec: ``coco:FILE.json:FOLDER``, or anything that ``read_split`` reads: a table with a
            column ``caption``, ``wds:SHARDS`` with ``.txt``, ``pictograms``, a labelled folder.
        templates: For splits that have labels and no captions: prompts with one ``{}``.
        skip_missing: Leave out images whose file is missing, with a note, instead of stopping.

    Returns:
        A split with captions; rows without any are left out, with a note.

    Raises:
        DataError: Nothing of the kind is there, or there are neither captions nor labels.
        BadImages: Files are missing.
    """
    text = os.fspath(spec)
    found = _COCO.match(text)
    if found is not None:
        return from_coco_captions(found["json"], found["folder"], skip_missing=skip_missing)
    if text.startswith("coco:"):
        raise DataError(
            f"{text!r} is not coco:FILE.json:FOLDER",
            expected="coco:annotations/captions_train2017.json:train2017",
        )
    split = read_split(text, name="pairs", domain="ID", use="train", skip_missing=skip_missing)
    if split.captions is None:
        return class_prompts(split, templates)
    return _captioned(split)


def _captioned(split: Split) -> Split:
    """The images that have a caption."""
    assert split.captions is not None
    texts = [split.captions[i] for i in range(len(split))]
    kept = np.array([i for i, t in enumerate(texts) if split_captions(t)], dtype=np.int64)
    if not len(kept):
        raise DataError(f"every caption of {split.source or split.name!r} is empty", expected=PAIRS)
    if len(kept) == len(split):
        return split
    return split.take(kept, note=f"{len(split) - len(kept)} images without a caption are left out")


@dataclass(frozen=True, eq=False)
class PairsSubset:
    """A part of a set of pairs that anyone can draw again and check.

    Attributes:
        split: The pairs.
        ids: Their ids, in order.
        sha256: Over the ids joined by newlines: publish it beside the numbers.
        n: How many were asked for.
        seed: Of the draw.
    """

    split: Split
    ids: tuple[str, ...]
    sha256: str
    n: int
    seed: int


def pairs_subset(split: Split, n: int | None, *, seed: int = 0) -> PairsSubset:
    """N pairs, seeded, with the hash of their ids; stratified by class where there are labels.

    Args:
        split: All pairs.
        n: How many; None, or as many as there are: all.
        seed: Of the draw.

    Raises:
        DataError: n is below 1.
    """
    if n is not None and n < 1:
        raise DataError(f"a subset of {n} pairs", expected="1 or more")
    part = split if n is None else split.subset(n, seed=seed)
    ids = tuple(part.images.id(i) for i in range(len(part)))
    digest = hashlib.sha256("\n".join(ids).encode("utf-8", "surrogateescape")).hexdigest()
    return PairsSubset(part, ids, digest, len(part) if n is None else n, seed)
