"""STL-10: 96 x 96 photographs from ImageNet in ten classes, nine of which are CIFAR-10's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import ClassMismatch, DataError
from ...records import write_atomic
from ..dataset import Split
from .arrays import ArrayImages
from .base import Expected, KnownDataset, Problem, mark_miniature
from .cifar_names import STL10_CLASSES, to_cifar_or_stl
from .layout import few
from .miniatures import stack
from .parts import AGAIN, inspect_splits, read_text, unknown_split, use_of

__all__ = ["STL10"]

_SHAPE = (3, 96, 96)
_BYTES = 3 * 96 * 96


def _read(folder: Path, split: str) -> Split:
    """Pixels stay in the file (mapped): the unlabelled part alone has 2.8 GB."""
    if split not in STL10.splits:
        raise unknown_split("stl10", split, STL10.splits)
    pixels = _mapped(folder / f"{split}_X.bin")
    labels = None if split == "unlabeled" else _labels(folder / f"{split}_y.bin", len(pixels))
    names = tuple(read_text(folder / "class_names.txt"))
    if names != STL10_CLASSES:
        raise ClassMismatch(
            f"{folder / 'class_names.txt'} names the classes {few(names, 12)}",
            expected=", ".join(STL10_CLASSES),
            fix=AGAIN,
        )
    return Split(
        name=f"stl10:{split}",
        # Stored column by column: the axes of one image are channel, width, height.
        images=ArrayImages(pixels, split, (2, 1, 0)),
        labels=labels,
        class_names=names,
        domain="OOD",
        use=use_of(split),
        licence=STL10.licence,
        source=str(folder),
    )


def _mapped(file: Path) -> NDArray[np.uint8]:
    try:
        size = file.stat().st_size
    except OSError as error:
        raise DataError(f"there is no {file} (looked at {file.absolute()})", fix=AGAIN) from error
    if not size or size % _BYTES:
        raise DataError(
            f"{file} has {size:,} bytes, which are no whole number of images: it is cut off",
            expected=f"{_BYTES:,} bytes for each image of 96 x 96 pixels",
            fix=AGAIN,
        )
    return np.memmap(file, dtype=np.uint8, mode="r", shape=(size // _BYTES, *_SHAPE))


def _labels(file: Path, n: int) -> NDArray[np.int64]:
    try:
        labels = np.fromfile(file, dtype=np.uint8).astype(np.int64) - 1  # stored from 1
    except OSError as error:
        raise DataError(f"there is no {file} (looked at {file.absolute()})", fix=AGAIN) from error
    if len(labels) != n or not ((labels >= 0) & (labels < 10)).all():
        raise DataError(
            f"{file} holds {len(labels):,} labels for {n:,} images, or some outside 1 to 10",
            fix=AGAIN,
        )
    return labels


def _inspect(folder: Path, full: bool) -> list[Problem]:
    return inspect_splits(STL10, folder, full, optional=("unlabeled",))


def _miniature(folder: Path, seed: int) -> None:
    """2 training and 1 test image of each class, 5 without labels."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    counts = {}
    for split, labels in (
        ("train", rng.permutation(np.repeat(np.arange(10), 2))),
        ("test", rng.permutation(10)),
        ("unlabeled", np.arange(5)),
    ):
        stored = np.ascontiguousarray(stack(labels, seed=seed, side=96).transpose(0, 3, 2, 1))
        write_atomic(folder / f"{split}_X.bin", stored.tobytes())
        labelled = split != "unlabeled"
        if labelled:
            write_atomic(folder / f"{split}_y.bin", (labels + 1).astype(np.uint8).tobytes())
        counts[split] = Expected(len(labels), 10 if labelled else None, source="miniature")
    write_atomic(folder / "class_names.txt", "\n".join(STL10_CLASSES) + "\n")
    folds = "\n".join(" ".join(map(str, range(i, 20, 10))) for i in range(10))
    write_atomic(folder / "fold_indices.txt", folds + "\n")
    mark_miniature(folder, "stl10", counts, seed)


_SOURCE = "https://cs.stanford.edu/~acoates/stl10/"

STL10: KnownDataset = KnownDataset(
    name="stl10",
    title="STL-10",
    summary="Photographs of 96 x 96 pixels from ImageNet in ten classes; for a model of CIFAR-10 "
    "a shift in source and sharpness.",
    homepage=_SOURCE,
    citation='A. Coates, H. Lee, A. Ng, "An Analysis of Single-Layer Networks in Unsupervised '
    'Feature Learning", AISTATS 2011',
    licence="not stated; the images are from ImageNet",
    layout=(
        "stl10_binary/",
        "  train_X.bin, train_y.bin, test_X.bin, test_y.bin   bytes; labels from 1",
        "  unlabeled_X.bin                                    (may be absent)",
        "  class_names.txt, fold_indices.txt",
    ),
    folders=("stl10_binary", "stl10/stl10_binary", "STL10/stl10_binary"),
    splits={
        "train": Expected(5_000, 10, source=_SOURCE),
        "test": Expected(8_000, 10, source=_SOURCE),
        "unlabeled": Expected(100_000, None, source=_SOURCE),
    },
    default="test",
    metric="top1",
    domain="OOD",
    read=_read,
    inspect=_inspect,
    miniature=_miniature,
    control="cifar10:test",
    class_source="class_names.txt of the copy, which must be STL-10's ten",
    aliases=("stl-10", "stl"),
    present=lambda folder: (folder / "test_X.bin").is_file(),
    roles={"train": "train", "test": "test"},
    class_map=lambda folder, split, task: to_cifar_or_stl(split.class_names, task),
    notes=(
        "Against CIFAR-10, monkey (STL) and frog (CIFAR) are left out: nine classes are scored.",
    ),
)
