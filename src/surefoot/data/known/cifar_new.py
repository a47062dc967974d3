"""CIFAR-10.1 (v4, v6) and CIFAR-10.2: new images in CIFAR-10's ten classes.

CIFAR-10.1's readme names two releases, v4 and v6; "v7" occurs in the publisher's own code and in
later repositories, but no such file is published, so there is none here. CIFAR-10.2 is published
as ``.npz`` (its readme); an earlier commit, which WiSE-FT's instructions fetch, had pickled
``.npy`` files. Both are read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ClassMismatch, DataError
from ..dataset import Split
from .arrays import ArrayImages, require_images
from .base import Expected, KnownDataset, Problem, mark_miniature
from .cifar_names import CIFAR10_CLASSES, to_cifar_or_stl
from .miniatures import stack
from .parts import AGAIN, inspect_splits, unknown_split, use_of
from .pickled import load_object_npy

__all__ = ["CIFAR10_1_V4", "CIFAR10_1_V6", "CIFAR10_2"]


def _split(
    known: KnownDataset, folder: Path, split: str, pixels: NDArray[Any], labels: NDArray[Any]
) -> Split:
    return Split(
        name=f"{known.name}:{split}",
        images=ArrayImages(pixels, f"{known.name}/{split}"),
        labels=labels.astype(np.int64),
        class_names=CIFAR10_CLASSES,
        domain="OOD",
        use=use_of(split),
        version=known.title,
        licence=known.licence,
        source=str(folder),
    )


def _array(file: Path) -> NDArray[Any]:
    try:
        held: NDArray[Any] = np.load(file, allow_pickle=False)
    except FileNotFoundError as error:
        raise DataError(
            f"there is no {file} (looked at {file.absolute()})",
            fix="fetch it from the publisher's repository",
        ) from error
    except (OSError, ValueError, EOFError) as error:
        raise DataError(
            f"{file} is cut off or no .npy file ({error})",
            fix="fetch it again; a file of a few hundred bytes is a page of the server or a "
            "pointer of Git LFS",
        ) from error
    return held


def _read_10_1(known: KnownDataset, folder: Path, split: str) -> Split:
    if split != "test":
        raise unknown_split(known.name, split, known.splits)
    stem = f"cifar10.1_{known.name.rsplit('-', 1)[-1]}"
    pixels = _array(folder / f"{stem}_data.npy")
    labels = _array(folder / f"{stem}_labels.npy")
    require_images(pixels, labels, (32, 32, 3), folder / f"{stem}_data.npy")
    return _split(known, folder, split, pixels, labels)


def _miniature_10_1(known: KnownDataset, folder: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    labels = rng.permutation(np.repeat(np.arange(10), 2))
    stem = f"cifar10.1_{known.name.rsplit('-', 1)[-1]}"
    np.save(folder / f"{stem}_data.npy", stack(labels, seed=seed, side=32))
    np.save(folder / f"{stem}_labels.npy", labels.astype(np.int32))
    mark_miniature(folder, known.name, {"test": Expected(20, 10, source="miniature")}, seed)


def _read_10_2(folder: Path, split: str) -> Split:
    if split not in CIFAR10_2.splits:
        raise unknown_split("cifar10.2", split, CIFAR10_2.splits)
    new, old = folder / f"cifar102_{split}.npz", folder / f"cifar102_{split}.npy"
    held = load_object_npy(old) if old.is_file() and not new.is_file() else _npz(new)
    if not isinstance(held, dict) or not {"images", "labels"} <= set(held):
        raise DataError(f"{old} holds no dictionary with images and labels", fix=AGAIN)
    names = np.asarray(held.get("label_names", CIFAR10_CLASSES)).astype(str).tolist()
    if tuple(names) != CIFAR10_CLASSES:
        raise ClassMismatch(
            f"{folder}: CIFAR-10.2 names the classes {', '.join(names[:12])}",
            expected=", ".join(CIFAR10_CLASSES),
        )
    pixels, labels = np.asarray(held["images"]), np.asarray(held["labels"])
    require_images(pixels, labels, (32, 32, 3), new)
    return _split(CIFAR10_2, folder, split, pixels, labels)


def _npz(file: Path) -> dict[str, Any]:
    """What can be read without a pickle; the publisher's lists of keywords may need one."""
    held: dict[str, Any] = {}
    try:
        with np.load(file, allow_pickle=False) as stored:
            for key in {"images", "labels", "label_names"} & set(stored.files):
                try:
                    held[key] = stored[key]
                except ValueError:
                    if key != "label_names":
                        raise
    except FileNotFoundError as error:
        raise DataError(
            f"there is neither {file} nor {file.with_suffix('.npy').name} beside it",
            fix="fetch it from the publisher's repository",
        ) from error
    except Exception as error:  # zipfile, zlib and numpy each have their own
        raise DataError(f"{file} is cut off or no .npz file ({error})", fix=AGAIN) from error
    if not {"images", "labels"} <= set(held):
        raise DataError(f"{file} holds no images and labels", fix=AGAIN)
    return held


def _miniature_10_2(folder: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    counts = {}
    for split, each in (("train", 2), ("test", 1)):
        labels = rng.permutation(np.repeat(np.arange(10), each))
        np.savez(
            folder / f"cifar102_{split}.npz",
            images=stack(labels, seed=seed, side=32),
            labels=labels.astype(np.int64),
            label_names=np.array(CIFAR10_CLASSES),
            ti_indices=rng.integers(0, 79_302_017, len(labels)),
            keywords=np.array([CIFAR10_CLASSES[c] for c in labels]),
        )
        counts[split] = Expected(len(labels), 10, source="miniature")
    mark_miniature(folder, "cifar10.2", counts, seed)


def _inspect(known: KnownDataset, folder: Path, full: bool) -> list[Problem]:
    optional = ("train",) if known.name == "cifar10.2" else ()
    return inspect_splits(known, folder, full, optional=optional)


_README = "https://github.com/modestyachts/CIFAR-10.1 (README)"


def _new_test_set(version: str, images: int, balanced: str) -> KnownDataset:
    name = f"cifar10.1-{version}"

    def known() -> KnownDataset:
        return {"v4": CIFAR10_1_V4, "v6": CIFAR10_1_V6}[version]

    return KnownDataset(
        name=name,
        title=f"CIFAR-10.1 {version}",
        summary=f"{images:,} new test images for CIFAR-10, collected years later by the same "
        f"rules; {balanced}.",
        homepage="https://github.com/modestyachts/CIFAR-10.1",
        citation='B. Recht, R. Roelofs, L. Schmidt, V. Shankar, "Do CIFAR-10 Classifiers '
        'Generalize to CIFAR-10?", 2018, arXiv 1806.00451',
        licence="MIT (the repository's LICENSE); the images are from TinyImages",
        layout=(
            "CIFAR-10.1/",
            f"  cifar10.1_{version}_data.npy     (n, 32, 32, 3) uint8",
            f"  cifar10.1_{version}_labels.npy   (n,)",
        ),
        folders=("CIFAR-10.1", "CIFAR-10.1/datasets", "cifar10.1", "cifar-10.1"),
        splits={"test": Expected(images, 10, source=_README)},
        default="test",
        metric="top1",
        domain="OOD",
        read=lambda folder, split: _read_10_1(known(), folder, split),
        inspect=lambda folder, full: _inspect(known(), folder, full),
        miniature=lambda folder, seed: _miniature_10_1(known(), folder, seed),
        control="cifar10:test",
        class_source="CIFAR-10's ten, in its order",
        aliases=(f"cifar-10.1-{version}",),
        present=lambda folder: (folder / f"cifar10.1_{version}_data.npy").is_file(),
        roles={"test": "test"},
        class_map=lambda folder, split, task: to_cifar_or_stl(split.class_names, task),
    )


CIFAR10_1_V4: KnownDataset = _new_test_set("v4", 2_021, "slightly unbalanced")
CIFAR10_1_V6: KnownDataset = _new_test_set(
    "v6", 2_000, "200 of each class, the version its authors recommend"
)

CIFAR10_2: KnownDataset = KnownDataset(
    name="cifar10.2",
    title="CIFAR-10.2",
    summary="A second reproduction of CIFAR-10 from TinyImages, with a training set of its own.",
    homepage="https://github.com/modestyachts/cifar-10.2",
    citation="S. Lu, B. Nott, A. Olson, A. Todeschini, P. Vahabi, Y. Carmon, L. Schmidt, "
    '"Harder or Different? A Closer Look at Distribution Shift in Dataset Reproduction"',
    licence="not stated",
    layout=(
        "CIFAR-10.2/",
        "  cifar102_train.npz, cifar102_test.npz   images (n, 32, 32, 3), labels, label_names,",
        "                                          ti_indices, keywords",
        "  (or the .npy files of an earlier commit)",
    ),
    folders=("CIFAR-10.2", "cifar-10.2", "cifar10.2"),
    splits={
        "train": Expected(10_000, 10, source="https://github.com/modestyachts/cifar-10.2 (README)"),
        "test": Expected(2_000, 10, source="https://github.com/modestyachts/cifar-10.2 (README)"),
    },
    default="test",
    metric="top1",
    domain="OOD",
    read=_read_10_2,
    inspect=lambda folder, full: _inspect(CIFAR10_2, folder, full),
    miniature=_miniature_10_2,
    control="cifar10:test",
    class_source="label_names of the file, which must be CIFAR-10's ten",
    aliases=("cifar-10.2",),
    present=lambda folder: any(
        (folder / f"cifar102_test.{kind}").is_file() for kind in ("npz", "npy")
    ),
    roles={"train": "train", "test": "test"},
    class_map=lambda folder, split, task: to_cifar_or_stl(split.class_names, task),
)
