"""Do the files of a class folder belong to the class that its name says?

Two file names of every class of ImageNet's validation set and of the three ImageNetV2 sets are
packaged (see ``tools/build_class_samples.py`` for the lists that they come from). A folder that
holds the samples of another class was renamed or put in the wrong order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache

from ...errors import DataError
from ..dataset import Split
from .checks import Problem, few
from .facts import packaged
from .wordnet import imagenet_wnids

__all__ = ["misplaced", "order_problems", "require_order", "samples"]


@lru_cache(maxsize=1)
def _tables() -> Mapping[str, list[str]]:
    stored = json.loads(packaged("tables/class_samples.json"))["samples"]
    return {name: row.split() for name, row in stored.items()}


def samples(name: str, label: int) -> tuple[str, ...]:
    """The beginnings (8 characters) of two file names of a class.

    Args:
        name: "imagenet:val" or one of the ImageNetV2 sets.
        label: 0 to 999.
    """
    joined = _tables()[name][label]
    return tuple(joined[i : i + 8] for i in range(0, len(joined), 8))


@lru_cache(maxsize=4)
def _owners(name: str) -> Mapping[str, int]:
    return {s: label for label in range(len(_tables()[name])) for s in samples(name, label)}


def misplaced(
    name: str, stems: Mapping[str, Sequence[str]], labels: Mapping[str, int]
) -> dict[str, int]:
    """Class folders that hold files of another class.

    Args:
        name: The table: "imagenet:val" or one of the ImageNetV2 sets.
        stems: Folder -> names of its files without extension.
        labels: Folder -> the label that its name means.

    Returns:
        Folder -> the label whose files it holds. Folders without a known file are left out.
    """
    owners = _owners(name)
    found: dict[str, int] = {}
    for folder, label in labels.items():
        held = {
            owners[short]
            for stem in stems.get(folder, ())
            if (short := stem.removeprefix("ILSVRC2012_val_")[:8]) in owners
        }
        if held and label not in held:
            found[folder] = min(held)
    return found


def order_problems(
    name: str, stems: Mapping[str, Sequence[str]], labels: Mapping[str, int], label: str
) -> list[Problem]:
    """The same as a sentence; says so where the folders are in the order of text.

    Args:
        name: As for :func:`misplaced`.
        stems: As for it.
        labels: As for it.
        label: The split, as the message begins.
    """
    wrong = misplaced(name, stems, labels)
    if not wrong:
        return []
    wnids = imagenet_wnids()
    as_text = [int(text) for text in sorted(str(i) for i in range(len(wnids)))]
    order = ""
    if all(as_text[labels[folder]] == held for folder, held in wrong.items()):
        order = ": the folders were numbered in the order of text (0, 1, 10, 100, ...)"
    shown = few((f"{folder} holds {wnids[held]}" for folder, held in wrong.items()), 3)
    return [Problem.of(
        label,
        f"{len(wrong):,} of {len(labels):,} class folders hold the images of another class "
        f"({shown}){order}; every score would be wrong",
        "extract the archive again and leave its folders as they are",
    )]  # fmt: skip


def require_order(split: Split, name: str, labels: Mapping[str, int]) -> Split:
    """The split itself, if no folder holds known files of another class.

    Args:
        split: Of class folders; ids are FOLDER/FILE.
        name: As for :func:`misplaced`.
        labels: As for it.

    Raises:
        DataError: Folders are in the wrong order.
    """
    stems: dict[str, list[str]] = {}
    for i in range(len(split)):
        folder, _, file = split.images.id(i).partition("/")
        stems.setdefault(folder, []).append(file.rsplit("/", 1)[-1].rsplit(".", 1)[0])
    problems = order_problems(name, stems, labels, split.name)
    if problems:
        raise DataError(
            f"{problems[0].what} ({split.source})",
            expected="the folders as the archive unpacks them",
            fix=problems[0].fix,
        )
    return split
