"""ImageNet (ILSVRC2012): the training distribution of the whole family."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ..dataset import Split
from .base import Expected, KnownDataset, Problem, expected_here, mark_miniature
from .flat_val import flat_files, inspect_flat_val, read_flat_val
from .order import samples
from .pictures import class_folders, salted
from .wnid_folders import inspect_wnid_folders, read_wnid_folders
from .wordnet import imagenet_index, imagenet_names, imagenet_wnids, subset_wnids

__all__ = ["IMAGENET", "miniature_wnids", "val_folder"]

_SOURCE = "Russakovsky et al. 2015, arXiv 1409.0575, table 2"
_VAL_FOLDERS = ("val", "val_in_folder", "validation")


def val_folder(folder: Path) -> Path:
    """Where the validation images lie: sorted folders first, under any of the names in use."""
    places = [folder / name for name in _VAL_FOLDERS if (folder / name).is_dir()]
    sorted_ones = [p for p in places if _holds(p, lambda entry: entry.is_dir())]
    return next(iter([*sorted_ones, *places]), folder / "val")


def _present(folder: Path) -> bool:
    """Is there a train or val folder that holds something of ImageNet?"""
    index = imagenet_index()

    def ours(entry: os.DirEntry[str]) -> bool:
        return entry.name[:9] in index or entry.name.startswith("ILSVRC2012_val_")

    return any(_holds(p, ours) for p in (folder / "train", val_folder(folder)) if p.is_dir())


def _holds(place: Path, wanted: Callable[[os.DirEntry[str]], bool]) -> bool:
    """Does a folder hold such an entry? It is read no further than that."""
    with os.scandir(place) as entries:
        return any(map(wanted, entries))


def _read(folder: Path, split: str) -> Split:
    if split == "train":
        return read_wnid_folders(IMAGENET, folder, folder / "train", split, "train")
    place = val_folder(folder)
    if split == "val" and flat_files(place):
        return read_flat_val(IMAGENET, folder, place)
    return read_wnid_folders(IMAGENET, folder, place, split, "test", order="imagenet:val")


def _inspect(folder: Path, full: bool) -> Sequence[Problem]:
    wnids = imagenet_wnids()
    found = inspect_wnid_folders(IMAGENET, folder, folder / "train", "train", full, wanted=wnids)
    place = val_folder(folder)
    if flat_files(place):
        return found + inspect_flat_val(expected_here(IMAGENET, folder)["val"], folder, place, full)
    return found + inspect_wnid_folders(
        IMAGENET, folder, place, "val", full, wanted=wnids, even=True, order="imagenet:val"
    )


def miniature_wnids() -> tuple[str, ...]:
    """The 10 classes of all miniatures of the family, in label order.

    Some are in ImageNet-R and -A both, some in one, some in neither (as far as timm's lists say),
    so that masks have something to leave out.
    """
    in_r, in_a = set(subset_wnids("imagenet-r") or ()), set(subset_wnids("imagenet-a") or ())
    wnids = imagenet_wnids()
    chosen = [w for w in wnids if w in in_r and w in in_a][:3]
    chosen += [w for w in wnids if w in in_r and w not in in_a][:2]
    chosen += [w for w in wnids if w in in_a and w not in in_r][:2]
    chosen += [w for w in reversed(wnids) if w not in in_r | in_a][: 10 - len(chosen)]
    return tuple(sorted(chosen))


def _miniature(folder: Path, seed: int) -> None:
    index, wnids = imagenet_index(), miniature_wnids()
    train = [(w, index[w], [f"{w}_{i}.JPEG" for i in range(6)]) for w in wnids]
    val = [
        (w, index[w], [f"ILSVRC2012_val_{s}.JPEG" for s in samples("imagenet:val", index[w])])
        for w in wnids
    ]
    n_train = class_folders(folder / "train", train, seed=salted("imagenet:train", seed))
    n_val = class_folders(folder / "val", val, seed=salted("imagenet:val", seed))
    counts = {"train": Expected(n_train, len(wnids)), "val": Expected(n_val, len(wnids))}
    mark_miniature(folder, "imagenet", counts, seed)


IMAGENET = KnownDataset(
    name="imagenet",
    title="ImageNet (ILSVRC2012)",
    summary="Photographs of 1,000 classes; the papers fine-tune on its training set and call its "
    "validation set the ID test.",
    homepage="https://image-net.org/challenges/LSVRC/2012/2012-downloads.php",
    citation="Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, IJCV 2015, "
    "arXiv 1409.0575",
    licence="non-commercial research and education, by ImageNet's terms of access",
    layout=(
        "imagenet/train/n01440764/n01440764_10026.JPEG, ... (1,000 folders)",
        "imagenet/val/n01440764/ILSVRC2012_val_00000293.JPEG, ... (1,000 folders)",
        "  or, as the archive unpacks: imagenet/val/ILSVRC2012_val_00000001.JPEG, ... with the",
        "  labels beside it: imagenet/ILSVRC2012_devkit_t12/ or ILSVRC2012_devkit_t12.tar.gz",
    ),
    folders=("imagenet", "ImageNet", "ILSVRC2012", "imagenet1k", "ILSVRC/Data/CLS-LOC"),
    splits={
        "train": Expected(1_281_167, 1000, source=_SOURCE),
        "val": Expected(50_000, 1000, source=_SOURCE),
    },
    default="val",
    metric="top1",
    domain="ID",
    read=_read,
    inspect=_inspect,
    miniature=_miniature,
    class_source="WordNet ids in label order from timm's ImageNetInfo; names for prompts from "
    "open_clip's IMAGENET_CLASSNAMES",
    aliases=("imagenet-1k", "imagenet1k", "ilsvrc2012"),
    present=_present,
    roles={"train": "train", "test": "val"},
    prompt_names=imagenet_names,
    templates="openai_imagenet",
    notes=(
        "With --train imagenet, val is the test and a stratified cut of train the validation.",
        "check compares the file names of val with the published list: a validation set that was "
        "sorted into the wrong folders is noticed.",
    ),
)
