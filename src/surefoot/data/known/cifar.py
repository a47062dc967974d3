"""CIFAR-10 and CIFAR-100 (python batches), and the newer test sets CIFAR-10.1 and CIFAR-10.2.

Layouts: the archives `cifar-10-python.tar.gz` and `cifar-100-python.tar.gz` as torchvision reads
them (its md5 sums are not asked for: CIFAR-10 built from other packagings has the same pixels and
other bytes); the publishers' readme files for 10.1 and 10.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import ClassMismatch, DataError
from ...records import write_atomic
from ..dataset import ClassMap, Split
from .arrays import ArrayImages, require_images
from .base import Expected, KnownDataset, Problem, mark_miniature
from .cifar_names import CIFAR10_CLASSES as CLASSES
from .cifar_names import to_cifar_or_stl
from .cifar_new import CIFAR10_1_V4, CIFAR10_1_V6, CIFAR10_2
from .miniatures import stack
from .parts import AGAIN, inspect_splits, unknown_split, use_of
from .pickled import dump_python2, load_arrays

__all__ = ["CIFAR10", "CIFAR10_1_V4", "CIFAR10_1_V6", "CIFAR10_2", "CIFAR100", "CLASSES"]

_FILES: dict[str, dict[str, tuple[str, ...]]] = {
    "cifar10": {
        "train": tuple(f"data_batch_{i}" for i in range(1, 6)),
        "test": ("test_batch",),
    },
    "cifar100": {"train": ("train",), "test": ("test",)},
}
_KEYS = {"cifar10": ("labels", "batches.meta", "label_names"),
         "cifar100": ("fine_labels", "meta", "fine_label_names")}  # fmt: skip


def _read(known: KnownDataset, folder: Path, split: str) -> Split:
    """All batches of a split, in their order, in memory (150 MB for 50,000 images)."""
    files = _FILES[known.name]
    if split not in files:
        raise unknown_split(known.name, split, files)
    key = _KEYS[known.name][0]
    pixels: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    for name in files[split]:
        batch = load_arrays(folder / name)
        if not isinstance(batch, dict) or not {"data", key} <= set(batch):
            raise DataError(f"{folder / name} is no batch of CIFAR", fix=AGAIN)
        data, own = np.asarray(batch["data"]), np.asarray(batch[key])
        require_images(data, own, (3072,), folder / name)
        pixels.append(data)
        labels += own.tolist()
    return Split(
        name=f"{known.name}:{split}",
        images=ArrayImages(np.concatenate(pixels).reshape(-1, 3, 32, 32), split, (1, 2, 0)),
        labels=np.array(labels, dtype=np.int64),
        class_names=_class_names(known, folder),
        domain="ID",
        use=use_of(split),
        licence=known.licence,
        source=str(folder),
    )


def _class_names(known: KnownDataset, folder: Path) -> tuple[str, ...]:
    """From the copy's own meta file, which for CIFAR-10 must say what it always says."""
    _, file, key = _KEYS[known.name]
    meta = load_arrays(folder / file)
    names = meta.get(key) if isinstance(meta, dict) else None
    if not isinstance(names, list) or not names:
        raise DataError(f"{folder / file} names no classes", fix=AGAIN)
    if known.name == "cifar10" and tuple(names) != CLASSES:
        raise ClassMismatch(
            f"{folder / file} names the classes {', '.join(map(str, names[:12]))}",
            expected=", ".join(CLASSES),
            fix=AGAIN,
        )
    return tuple(str(n) for n in names)


def _miniature(known: KnownDataset, folder: Path, seed: int) -> None:
    """2 training images of each class (spread over the batches) and 1 test image."""
    rng = np.random.default_rng(seed)
    label_key, meta, names_key = _KEYS[known.name]
    small = known.name == "cifar100"
    names = list(CLASSES) if not small else [f"class_{i}" for i in range(100)]
    folder.mkdir(parents=True, exist_ok=True)
    counts = {}
    for split, files in _FILES[known.name].items():
        labels = rng.permutation(np.repeat(np.arange(len(names)), 2 if split == "train" else 1))
        for name, own in zip(files, np.array_split(labels, len(files)), strict=True):
            pixels = stack(own, seed=seed, side=32).transpose(0, 3, 1, 2).reshape(-1, 3072)
            batch = {
                "batch_label": f"{split} batch",
                label_key: own.tolist(),
                "data": np.ascontiguousarray(pixels),
                "filenames": [f"{names[c]}_s_{i:06d}.png" for i, c in enumerate(own)],
            }
            if small:
                batch["coarse_labels"] = (own // 5).tolist()
            write_atomic(folder / name, dump_python2(batch))
        counts[split] = Expected(len(labels), len(names), source="miniature")
    contents = {names_key: names, "num_vis": 3072}
    if small:
        contents["coarse_label_names"] = [f"group_{i}" for i in range(20)]
    write_atomic(folder / meta, dump_python2(contents))
    mark_miniature(folder, known.name, counts, seed)


def _inspect(known: KnownDataset, folder: Path, full: bool) -> list[Problem]:
    """Missing or damaged batches, counts, and classes of unequal size."""
    found = inspect_splits(known, folder, full)
    if found:
        return found
    for split in known.splits:
        counts = np.bincount(known.read(folder, split).require_labels())
        if len(set(counts.tolist())) > 1:
            found.append(
                Problem(
                    f"{split}: classes have {counts.min()} to {counts.max()} images, equally "
                    "many are published",
                    f"a batch is there twice or is foreign: {AGAIN}",
                )
            )
    return found


_TORONTO = "https://www.cs.toronto.edu/~kriz/cifar.html"
_KRIZHEVSKY = (
    'A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", technical report, '
    "University of Toronto, 2009"
)


def _cifar10_map(folder: Path, split: Split, task: Sequence[str]) -> ClassMap | None:
    return to_cifar_or_stl(split.class_names, task)


CIFAR10: KnownDataset = KnownDataset(
    name="cifar10",
    title="CIFAR-10",
    summary="60,000 photographs of 32 x 32 pixels in ten classes of animals and vehicles.",
    homepage=_TORONTO,
    citation=_KRIZHEVSKY,
    licence="not stated",
    layout=(
        "cifar-10-batches-py/",
        "  data_batch_1 ... data_batch_5, test_batch   pickled: data (n, 3072), labels",
        "  batches.meta                                pickled: label_names",
    ),
    folders=("cifar-10-batches-py", "cifar10/cifar-10-batches-py", "CIFAR-10/cifar-10-batches-py"),
    splits={
        "train": Expected(50_000, 10, source=_TORONTO),
        "test": Expected(10_000, 10, source=_TORONTO),
    },
    default="test",
    metric="top1",
    domain="ID",
    read=lambda folder, split: _read(CIFAR10, folder, split),
    inspect=lambda folder, full: _inspect(CIFAR10, folder, full),
    miniature=lambda folder, seed: _miniature(CIFAR10, folder, seed),
    class_source="label_names of the copy's batches.meta, which must be CIFAR-10's ten",
    aliases=("cifar-10",),
    present=lambda folder: (folder / "data_batch_1").is_file(),
    roles={"train": "train", "test": "test"},
    class_map=_cifar10_map,
)

CIFAR100: KnownDataset = KnownDataset(
    name="cifar100",
    title="CIFAR-100",
    summary="60,000 photographs of 32 x 32 pixels in a hundred classes, 500 + 100 of each.",
    homepage=_TORONTO,
    citation=_KRIZHEVSKY,
    licence="not stated",
    layout=(
        "cifar-100-python/",
        "  train, test   pickled: data (n, 3072), fine_labels, coarse_labels",
        "  meta          pickled: fine_label_names, coarse_label_names",
    ),
    folders=("cifar-100-python", "cifar100/cifar-100-python", "CIFAR-100/cifar-100-python"),
    splits={
        "train": Expected(50_000, 100, source=_TORONTO),
        "test": Expected(10_000, 100, source=_TORONTO),
    },
    default="test",
    metric="top1",
    domain="ID",
    read=lambda folder, split: _read(CIFAR100, folder, split),
    inspect=lambda folder, full: _inspect(CIFAR100, folder, full),
    miniature=lambda folder, seed: _miniature(CIFAR100, folder, seed),
    class_source="fine_label_names of the copy's meta",
    aliases=("cifar-100",),
    present=lambda folder: (folder / "meta").is_file() and (folder / "train").is_file(),
    roles={"train": "train", "test": "test"},
)
