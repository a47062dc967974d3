"""The captions of a split as numbers: several for one image, one for several images.

A split's ``captions`` hold one text per image. An image with several captions has them joined
by :data:`SEVERAL`, so that they stay together through every selection; :func:`caption_table`
takes them apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .dataset import Split
from .strings import Strings

__all__ = [
    "CLASS_NAMES",
    "SEVERAL",
    "CaptionTable",
    "caption_table",
    "class_prompts",
    "join_captions",
    "split_captions",
]

SEVERAL = "\x1f"
"""Between the captions of one image: the unit separator, which no caption holds."""

CLASS_NAMES = "captions are prompts with class names: label information"
"""The note of a split whose captions were written from its labels."""


def join_captions(captions: Iterable[str]) -> str:
    """Captions of one image as one text; white space is collapsed, empty ones are left out."""
    clean = (" ".join(c.replace(SEVERAL, " ").split()) for c in captions)
    return SEVERAL.join(c for c in clean if c)


def split_captions(text: str) -> list[str]:
    """The captions of one image, [] where it has none."""
    return [c for c in text.split(SEVERAL) if c.strip()]


def class_prompts(
    split: Split, templates: Sequence[str] = ("{}",), *, prompt_names: Sequence[str] | None = None
) -> Split:
    """A labelled split whose captions are its class names in every template.

    What is learnt from these captions is learnt from labels; a note says so.

    Args:
        split: With labels.
        templates: Prompts with one ``{}``; training draws one per image and epoch.
        prompt_names: How classes are called; their names with spaces for underscores by default.

    Raises:
        DataError: The split has neither captions nor labels.
    """
    if split.labels is None:
        raise DataError(
            f"the pairs {split.source or split.name!r} have neither captions nor labels",
            expected="a caption, or a label, per image",
            fix="add a column caption",
        )
    names = prompt_names or [n.replace("_", " ") for n in split.class_names]
    table = [join_captions(t.replace("{}", name) for t in templates) for name in names]
    captions = Strings(table[label] for label in split.labels.tolist())
    return replace(split, captions=captions, notes=(*split.notes, CLASS_NAMES))


@dataclass(frozen=True, eq=False)
class CaptionTable:
    """The captions of a split, each distinct one once.

    Attributes:
        texts: u distinct captions, in order of first use.
        rows: (c,) int64: the caption of each (image, caption) pair, image by image.
        starts: (n + 1,) int64: where each image's captions begin in ``rows``.
        groups: (u,) int64: captions with equal numbers mean the same (a class in two templates).
        label_share: Share of the images one of whose captions names their own class; None
            without labels. What is learnt from such captions is learnt from labels.
    """

    texts: tuple[str, ...]
    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    groups: NDArray[np.int64]
    label_share: float | None

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def repeats(self) -> bool:
        """Do two images share a caption, or two captions of one meaning?"""
        image = np.repeat(np.arange(len(self)), np.diff(self.starts))
        used = np.unique(np.stack([self.groups[self.rows], image]), axis=1)[0]
        return len(np.unique(used)) < len(used)

    def permuted(self, order: NDArray[np.int64]) -> CaptionTable:
        """Image i gets the captions of image ``order[i]``, order (n,) a permutation."""
        parts = [self.rows[self.starts[j] : self.starts[j + 1]] for j in order.tolist()]
        sizes = np.diff(self.starts)[order]
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return replace(self, rows=np.concatenate(parts), starts=starts, label_share=None)


def caption_table(
    split: Split, *, templates: Sequence[str] = ("{}",), prompt_names: Sequence[str] | None = None
) -> CaptionTable:
    """Take the captions of a split apart.

    Args:
        split: With captions, or with labels, whose class names then become prompts.
        templates: For labels.
        prompt_names: For labels.

    Raises:
        DataError: Neither captions nor labels, or an image without a caption.
    """
    if split.captions is None:
        split = class_prompts(split, templates, prompt_names=prompt_names)
    assert split.captions is not None
    number: dict[str, int] = {}
    rows: list[int] = []
    starts = [0]
    for i in range(len(split)):
        own = split_captions(split.captions[i])
        if not own:
            raise DataError(
                f"the image {split.images.id(i)!r} of {split.name!r} has no caption",
                expected="one caption or more for every image",
                fix="leave such images out: read_pairs does",
            )
        rows += [number.setdefault(text, len(number)) for text in own]
        starts.append(len(rows))
    at, begins = np.array(rows, dtype=np.int64), np.array(starts, dtype=np.int64)
    texts = tuple(number)
    groups = np.arange(len(texts), dtype=np.int64)
    if CLASS_NAMES in split.notes:  # the templates of one class: what is joined belongs together
        groups[at] = np.repeat(at[begins[:-1]], np.diff(begins))
    return CaptionTable(texts, at, begins, groups, _label_share(split, texts, at, begins))


def _label_share(
    split: Split, texts: Sequence[str], rows: NDArray[np.int64], starts: NDArray[np.int64]
) -> float | None:
    """How often a caption holds the name of the image's class, as whole words."""
    if split.labels is None:
        return None
    names = [n.replace("_", " ").lower() for n in split.class_names]
    said: dict[tuple[int, int], bool] = {}
    hits = 0
    for i, label in enumerate(split.labels.tolist()):
        for row in rows[starts[i] : starts[i + 1]].tolist():
            if (row, label) not in said:
                words = re.escape(names[label])
                said[row, label] = bool(re.search(rf"(?<!\w){words}(?!\w)", texts[row].lower()))
        hits += any(said[r, label] for r in rows[starts[i] : starts[i + 1]].tolist())
    return hits / len(split)
