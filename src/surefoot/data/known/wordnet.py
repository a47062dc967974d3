"""ImageNet's 1,000 classes: WordNet ids in label order, and what prompts call them.

Nothing is typed in here: the ids and their order come from timm, the names from open_clip. Both
lists are checked against facts that an edited or truncated list would break.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from ...errors import DataError
from ...registry import import_optional
from ..class_map import ClassMap

__all__ = [
    "covering",
    "imagenet_index",
    "imagenet_names",
    "imagenet_wnids",
    "lemmas",
    "subset_wnids",
    "synset_lemmas",
]


def _timm_lines(name: str) -> list[str] | None:
    """A list that timm ships, without importing timm, which takes seconds; None: not there."""
    spec = find_spec("timm")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(place) / "data" / "_info" / name
        if file.is_file():
            return file.read_text(encoding="utf-8").splitlines()
    return None


def _timm_list(name: str) -> list[str] | None:
    return None if (lines := _timm_lines(name)) is None else " ".join(lines).split()


@lru_cache(maxsize=1)
def imagenet_wnids() -> tuple[str, ...]:
    """The 1,000 WordNet ids in the order of the labels, from timm.

    Label order is ascending order of the ids: that is what sorting class folders gives, and it is
    checked.

    Raises:
        DataError: timm's list is not 1,000 distinct ids in ascending order.
        MissingDependency: timm is not installed.
    """
    wnids = tuple(_timm_list("imagenet_synsets.txt") or ())
    if not wnids:  # another version of timm keeps it elsewhere: ask, though that loads torch
        library = import_optional("timm.data", needed_for="ImageNet's classes", package="timm")
        wnids = tuple(str(w) for w in library.ImageNetInfo("imagenet-1k").label_names())
    if len(set(wnids)) != 1000 or list(wnids) != sorted(wnids):
        raise DataError(
            f"timm's list of ImageNet classes has {len(set(wnids))} distinct ids, "
            f"{'in' if list(wnids) == sorted(wnids) else 'not in'} ascending order",
            expected="1,000 WordNet ids in ascending order",
            fix="install a released version of timm",
        )
    return wnids


@lru_cache(maxsize=1)
def imagenet_index() -> Mapping[str, int]:
    """WordNet id -> label, 0 to 999."""
    return {wnid: i for i, wnid in enumerate(imagenet_wnids())}


@lru_cache(maxsize=1)
def imagenet_names() -> Mapping[str, str]:
    """WordNet id -> the name in prompts: open_clip's curated list, in label order.

    Raises:
        DataError: The list does not have 1,000 names.
        MissingDependency: open_clip is not installed.
    """
    library = import_optional(
        "open_clip", needed_for="the class names of ImageNet", package="open_clip_torch"
    )
    names = [str(n) for n in library.IMAGENET_CLASSNAMES]
    if len(names) != 1000:
        raise DataError(
            f"open_clip's list of ImageNet names has {len(names)} entries",
            expected="1,000",
            fix="install a released version of open_clip_torch",
        )
    return dict(zip(imagenet_wnids(), names, strict=True))


@lru_cache(maxsize=1)
def synset_lemmas() -> Mapping[str, str]:
    """WordNet id -> the full label of the 2012 challenge ("tench, Tinca tinca"), from timm.

    Raises:
        DataError: This version of timm has no such list.
    """
    table = lemmas()
    missing = [w for w in imagenet_wnids() if w not in table]
    if missing:
        raise DataError(
            f"timm's list of lemmas lacks {len(missing)} of ImageNet's classes",
            expected="imagenet_synset_to_lemma.txt in timm/data/_info",
            fix="install a released version of timm",
        )
    return {w: table[w] for w in imagenet_wnids()}


@lru_cache(maxsize=1)
def lemmas() -> Mapping[str, str]:
    """WordNet id -> its words, of every noun that timm lists; {} where it lists none."""
    rows = (row.split("\t", 1) for row in _timm_lines("imagenet_synset_to_lemma.txt") or ())
    return {row[0]: row[1] for row in rows if len(row) == 2}


@lru_cache(maxsize=4)
def subset_wnids(name: str) -> tuple[str, ...] | None:
    """The 200 ids of "imagenet-r" or "imagenet-a", ascending, as timm ships them.

    Readers take the classes of a user's own copy; this second list only checks them.

    Returns:
        None where this version of timm has no such list, or one that is not 200 of ImageNet's.
    """
    wnids = tuple(sorted(_timm_list(f"{name.replace('-', '_')}_synsets.txt") or ()))
    return wnids if len(wnids) == 200 and set(wnids) <= set(imagenet_wnids()) else None


def covering(
    wnids: Mapping[str, Sequence[str]], classes: Sequence[str], task_classes: Sequence[str]
) -> ClassMap:
    """Class -> all of its ImageNet classes that the task has; the others are left out."""
    here = set(task_classes)
    kept = {name: tuple(w for w in wnids.get(name, ()) if w in here) for name in classes}
    return ClassMap({n: (ids[0] if len(ids) == 1 else ids) for n, ids in kept.items() if ids})
