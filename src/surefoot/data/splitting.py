"""A seeded, stratified cut: how a validation part comes out of a training set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .dataset import Split, Use

__all__ = ["cut"]


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
    order of the images is kept on both sides.

    Args:
        split: What is cut, usually the training set.
        fraction: Share of every class that is cut off, in (0, 1).
        seed: Of the draw; global generators are left alone.
        name: Of the part cut off.
        use: Of the part cut off.

    Returns:
        (the rest, the part cut off); both carry a note that says so.

    Raises:
        DataError: ``fraction`` is outside (0, 1), or no class has two images.
    """
    if not 0 < fraction < 1:
        raise DataError(
            f"the share to cut off {split.name!r} is {fraction}",
            expected="a number above 0 and below 1",
            fix="choose another share (--val-fraction)",
        )
    off = _drawn(split, fraction, np.random.default_rng(seed))
    if not off.any():
        raise DataError(
            f"no {name} part can be cut from {split.name!r}: every class has one image only",
            expected="a class with two images or more",
            fix=f"bring more images, or a {name} set of your own (--{name})",
        )
    where = split.source or split.name
    how = f"stratified, {fraction:.4g} of each class, seed {seed}"
    counts = f"{int(off.sum())} of {len(split)} images"
    rest = split.take(
        np.flatnonzero(~off), note=f"{counts} were cut off {split.name} as {name} ({how})"
    )
    part = split.take(np.flatnonzero(off), note=f"{counts} of {where} cut off {split.name} ({how})")
    return rest, replace(part, name=name, use=use)


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


def _by_class(
    order: NDArray[np.int64], labels: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices grouped by class, shuffled inside; and where each next class starts."""
    grouped = order[np.argsort(labels[order], kind="stable")]
    return grouped, np.flatnonzero(np.diff(labels[grouped])) + 1
