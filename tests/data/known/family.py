"""Miniatures of ImageNet's family, made once; copies of them to damage."""

from __future__ import annotations

import shutil
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

from surefoot.data.known.base import KnownDataset
from surefoot.data.known.find import known_dataset, parse_known
from surefoot.data.known.targets import known_shift
from surefoot.data.known.wordnet import imagenet_wnids
from surefoot.testing.miniature import make_miniature

NAMES = (
    "imagenet", "imagenetv2-matched-frequency", "imagenetv2-threshold-0.7",
    "imagenetv2-top-images", "imagenet-r", "imagenet-a", "imagenet-sketch", "objectnet",
    "imagenet-vid-robust", "ytbb-robust", "living-17", "entity-30",
)  # fmt: skip
FAMILY: tuple[KnownDataset, ...] = tuple(known_dataset(name) for name in NAMES)


@lru_cache(maxsize=1)
def root() -> Path:
    """One data root with a miniature of every set of the family; never change it."""
    place = Path(mkdtemp(prefix="surefoot-family-"))
    for name in NAMES:
        make_miniature(name, place, seed=3)
    return place


def remove() -> None:
    if root.cache_info().currsize:
        shutil.rmtree(root(), ignore_errors=True)


def folder_of(name: str) -> Path:
    return root() / known_dataset(name).folders[0]


def copy(name: str, to: Path) -> Path:
    """A copy to damage, under the name that it has on disk; ``to`` is its data root."""
    return Path(shutil.copytree(folder_of(name), to / known_dataset(name).folders[0]))


def said(name: str, folder: Path, full: bool = False) -> str:
    """All problems of a copy as one text."""
    return "\n".join(f"{p.what} | {p.fix}" for p in known_dataset(name).inspect(folder, full))


def shift(spec: str, classes: tuple[str, ...] | None = None):  # type: ignore[no-untyped-def]
    """A target of the miniature family, in all of ImageNet's classes unless others are given."""
    found = parse_known(spec)
    assert found is not None
    return known_shift(found, "target", classes or imagenet_wnids(), root=root())
