"""Miniatures that tests of this folder read, damage and compare with other readers."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from surefoot.data.dataset import Split
from surefoot.data.known.base import KnownDataset
from surefoot.data.known.captions import COCO_CAPTIONS, CONCEPTUAL_CAPTIONS
from surefoot.data.known.checks import Problem
from surefoot.data.known.cifar import CIFAR10, CIFAR100
from surefoot.data.known.cifar_new import CIFAR10_1_V4, CIFAR10_1_V6, CIFAR10_2
from surefoot.data.known.domainnet import DOMAINNET
from surefoot.data.known.fmow import FMOW, FMOW_CONTINENTS
from surefoot.data.known.iwildcam import IWILDCAM
from surefoot.data.known.pacs import PACS
from surefoot.data.known.pcam import PCAM
from surefoot.data.known.stl import STL10
from surefoot.data.known.transfer_folders import CALTECH101, RENDERED_SST2
from surefoot.data.known.transfer_lists import DTD, FOOD101, PETS, SUN397
from surefoot.data.known.transfer_mat import CARS, FLOWERS102

SETS: Sequence[KnownDataset] = (
    CIFAR10, CIFAR100, CIFAR10_1_V4, CIFAR10_1_V6, CIFAR10_2, STL10, DOMAINNET, PACS, IWILDCAM,
    FMOW, FMOW_CONTINENTS, CARS, DTD, SUN397, FOOD101, CALTECH101, FLOWERS102, PETS, PCAM,
    RENDERED_SST2, COCO_CAPTIONS, CONCEPTUAL_CAPTIONS,
)  # fmt: skip


@lru_cache(maxsize=1)
def _place() -> Path:
    return Path(mkdtemp(prefix="surefoot-miniatures-"))


def miniature(known: KnownDataset) -> Path:
    """Made once for all tests of a process; never change it, see :func:`copy`."""
    folder = _place() / known.name / known.folders[0]
    if not folder.exists():
        known.miniature(folder, 3)
    return folder


def remove_miniatures() -> None:
    shutil.rmtree(_place(), ignore_errors=True)


def copy(known: KnownDataset, to: Path) -> Path:
    """A copy to damage, under the name that it has on disk."""
    folder = to / known.folders[0]
    shutil.copytree(miniature(known), folder)
    return folder


def said(problems: Sequence[Problem]) -> str:
    """All problems as one text."""
    return "\n".join(f"{p.what} | {p.fix}" for p in problems)


def pixels(split: Split, index: int) -> np.ndarray:
    return np.asarray(split.images[index])
