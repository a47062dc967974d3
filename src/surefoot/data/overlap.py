"""Are the same images in two splits of a task? Every pair is compared by content."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..inventory import Note
from .dataset import Split, Task
from .sequence import identity_column

__all__ = ["overlap", "overlap_notes", "shared_images", "to_compare"]


LARGE = 0.2
"""Share of validation, or of a test set or shift, above which what they have in common is more than
a few copies: what is chosen on such images is chosen on test images."""


def overlap_notes(splits: Mapping[str, Split], *, only: str | None = None) -> Iterator[Note]:
    """A sentence for every pair of splits that share images, in the order of the pairs.

    Where a large share of validation is of a test set, or the other way round, its kind is "chosen
    on test".

    Args:
        splits: Name -> split, training before validation, test and shifts. What was made from
            other images by a program is not looked at: it shares their origin, not their content.
        only: Pairs with this split; None: all.
    """
    looked_at = {name: s for name, s in splits.items() if not s.synthetic}
    for one, other in combinations(looked_at, 2):
        if only not in (None, one, other):
            continue
        found = shared_images(looked_at[one], looked_at[other])
        if len(found):
            yield _sentence(looked_at, one, other, found)


def to_compare(task: Task, unused: Collection[str] = ()) -> dict[str, Split]:
    """The splits of a task that must not share images, by name; ID controls may.

    What was made from other images by a program shares their origin, not their content.

    Args:
        task: Of it.
        unused: Splits from which nothing is learnt and that are not scored.
    """
    ends = {"train": task.train, "val": task.val, "test": task.test}
    found = {name: split for name, split in ends.items() if name not in unused}
    shifts = {s.name: s.split for s in task.shifts if s.split.domain == "OOD"}
    return {name: s for name, s in (found | shifts).items() if not s.synthetic}


def shared_images(one: Split, other: Split) -> NDArray[np.int64]:
    """Rows of ``other``, ascending, whose image is an image of ``one`` too.

    The same bytes under any name in any container count; a picture encoded anew does not.
    """
    theirs = other.identities
    shared = np.isin(identity_column(theirs), identity_column(one.identities))
    return np.flatnonzero(shared & theirs.any(axis=1))


def overlap(bank: Split, queries: Split) -> NDArray[np.int64]:
    """Rows of the bank that are the query itself, (q, c), filled up with -1.

    Every copy is one of them: c is the largest number that a query has, at least 1.
    """
    mine, theirs = identity_column(bank.identities), queries.identities
    order = np.argsort(mine, kind="stable")
    asked = identity_column(theirs)
    first = np.searchsorted(mine[order], asked, side="left")
    count = np.searchsorted(mine[order], asked, side="right") - first
    count[~theirs.any(axis=1)] = 0
    at = np.arange(max(1, int(count.max(initial=0))))
    rows = order[np.minimum(first[:, None] + at, len(order) - 1)]
    return np.where(at < count[:, None], rows, -1).astype(np.int64)


def _sentence(splits: Mapping[str, Split], one: str, other: str, found: NDArray[np.int64]) -> Note:
    """What is shared, and what follows."""
    split = splits[other]
    first = ", ".join(split.images.id(int(row)) for row in found[:3])
    what = (
        f"{len(found)} of {len(split)} images of {other} are in {one} too "
        f"({first}{', ...' if len(found) > 3 else ''})"
    )
    if splits[one].use == "train":
        inside = len(shared_images(split, splits[one]))
        return Note(
            f"WARNING: {what}: its score is too high; where {one} is a bank of neighbours, "
            f"{inside} image{'s' * (inside != 1)} of it {'is' if inside == 1 else 'are'} left out "
            "for them",
            "warning",
        )
    if splits[one].use == "val":
        inside = len(shared_images(split, splits[one]))
        large = max(len(found) / len(split), inside / len(splits[one])) >= LARGE
        said = f"WARNING: {what}: what is chosen on {one} is chosen on images of {other}"
        said += ", CHOSEN ON TEST" * large
        return Note(said, "chosen on test" if large else "warning", rows=inside)
    return Note(f"{what}: the two scores are not of different images")
