"""Seeded, stratified draws: a validation part out of a training set; k images per class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..inventory import Note
from .dataset import Split, Task, Use

__all__ = ["cut", "few_shot"]


def cut(
    split: Split,
    fraction: float = 0.1,
    seed: int = 0,
    *,
    name: str = "val",
    use: Use = "val",
) -> tuple[Split, Split]:
    """Cut a part off a split, class by class.

    A class with n >= 2 images gives ``round(fraction * n)`` of them, at least 1 and at most
    n - 1; a class with one image keeps it. Without labels the split counts as one class. The
    order of the images is kept on both sides. Where the split has a unit, whole units are cut off,
    so that no patient is on both sides; shares are then met as nearly as units allow.

    Args:
        split: What is cut, usually the training set.
        fraction: Share of every class that is cut off, in (0, 1).
        seed: Of the draw; global generators are left alone.
        name: Of the part cut off.
        use: Of the part cut off.

    Returns:
        (the rest, the part cut off); both carry a note that says so.

    Raises:
        DataError: ``fraction`` is outside (0, 1), no class has two images, or there are too few
            units.
    """
    if not 0 < fraction < 1:
        raise DataError(
            f"the share to cut off {split.name!r} is {fraction}",
            expected="a number above 0 and below 1",
            fix="choose another share (--val-fraction)",
        )
    generator = np.random.default_rng(seed)
    draw = _drawn if split.unit is None else _drawn_units
    off = draw(split, fraction, generator)
    if not off.any():
        raise DataError(
            f"no {name} part can be cut from {split.name!r}: every class has one image only",
            expected="a class with two images or more",
            fix=f"bring more images, or a {name} set of your own (--{name})",
        )
    where = split.source or split.name
    whole = "" if split.unit is None else f", no {split.unit} on both sides"
    how = f"stratified, {fraction:.4g} of each class, seed {seed}{whole}"
    counts = f"{int(off.sum())} of {len(split)} images"
    rest = split.take(
        np.flatnonzero(~off),
        note=Note(f"{counts} were cut off {split.name} as {name} ({how})", "left out",
                  rows=int(off.sum()), short=f"{int(off.sum()):,} cut off as {name}"),
    )  # fmt: skip
    told = Note(f"{counts} of {where} cut off {split.name} ({how})",
                short=f"{fraction:.4g} of each class of {split.name}, seed {seed}")  # fmt: skip
    part = replace(split.take(np.flatnonzero(off)), notes=(told,))
    return rest, replace(part, name=name, use=use)


def few_shot(task: Task, k: int, seed: int = 0) -> Task:
    """The task with k training and k validation images per class.

    FLYP's few-shot protocol (arXiv 2212.00638, section 4): what is chosen is chosen on k images
    per class too. Test sets and shifts stay whole. Each (seed, split) draws by itself, in
    shuffled order, so that nothing is trained on class by class.

    Args:
        task: Its train and val have labels.
        k: Images per class.
        seed: Of the draw; repeat with several.

    Raises:
        DataError: ``k`` is below 1, or a class has fewer images; the scarcest is named.
    """
    if k < 1:
        raise DataError(f"few-shot with {k} images per class", expected="1 or more")
    train = _per_class(task.train, k, np.random.default_rng([seed, 0]), seed)
    val = _per_class(task.val, k, np.random.default_rng([seed, 1]), seed)
    return replace(
        task,
        train=train,
        val=val,
        notes=(*task.notes, f"few-shot: {k} images per class in train and val, seed {seed}"),
    )


def _per_class(split: Split, k: int, generator: np.random.Generator, seed: int) -> Split:
    labels = split.require_labels()
    counts = np.bincount(labels, minlength=len(split.class_names))
    if counts.min() < k:
        scarce = int(counts.argmin())
        raise DataError(
            f"the class {split.class_names[scarce]!r} has {counts[scarce]} images in "
            f"{split.name!r}, fewer than k = {k}",
            expected=f"{k} images or more of every class in train and val",
            fix=f"choose k of at most {counts[scarce]}, or bring more images",
        )
    order = generator.permutation(len(labels))
    kept = np.concatenate([members[:k] for members in np.split(*_by_class(order, labels))])
    note = f"{k} images per class of {len(labels)} images, seed {seed}"
    return split.take(generator.permutation(kept), note=note)


def _drawn(split: Split, fraction: float, generator: np.random.Generator) -> NDArray[np.bool_]:
    """Which images (n,) are cut off."""
    n = len(split)
    labels = np.zeros(n, dtype=np.int64) if split.labels is None else split.labels
    off = np.zeros(n, dtype=np.bool_)
    order = generator.permutation(n)
    for members in np.split(*_by_class(order, labels)):
        count = len(members)
        if count >= 2:
            # Half up, so that a half is never lost to rounding to even.
            off[members[: min(count - 1, max(1, int(fraction * count + 0.5)))]] = True
    return off


def _drawn_units(
    split: Split, fraction: float, generator: np.random.Generator
) -> NDArray[np.bool_]:
    """Which images (n,) are cut off, unit by unit.

    Units are asked in random order; one is cut off if that brings the counts of the classes nearer
    to their shares, and if the rest keeps an image of each of its classes.
    """
    assert split.unit is not None
    codes = np.unique(split.metadata[split.unit], return_inverse=True)[1]
    labels = np.zeros(len(split), dtype=np.int64) if split.labels is None else split.labels
    counts = np.zeros((codes.max() + 1, labels.max() + 1))
    np.add.at(counts, (codes, labels), 1)
    missing = fraction * counts.sum(axis=0)
    share, left = np.maximum(missing, 1), counts.sum(axis=0)
    taken = np.zeros(len(counts), dtype=np.bool_)
    for unit in generator.permutation(len(counts)):
        own = counts[unit]
        nearer = ((missing - own) ** 2 / share).sum() < (missing**2 / share).sum()
        if nearer and (left - own)[own > 0].min() > 0:
            taken[unit], missing, left = True, missing - own, left - own
    if not taken.any():
        raise DataError(
            f"no part of {fraction:.4g} can be cut from {split.name!r} without cutting through a "
            f"{split.unit}: it has {len(counts)}",
            expected="several units of every class, none much larger than the part",
            fix="bring a set of your own (--val, --test), or name a smaller unit (--unit)",
        )
    return taken[codes]


def _by_class(
    order: NDArray[np.int64], labels: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices grouped by class, shuffled inside; and where each next class starts."""
    grouped = order[np.argsort(labels[order], kind="stable")]
    return grouped, np.flatnonzero(np.diff(labels[grouped])) + 1
