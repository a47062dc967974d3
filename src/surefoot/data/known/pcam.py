"""PatchCamelyon: patches of lymph nodes in HDF5 files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...errors import DataError
from ...records import write_atomic
from ...registry import import_optional
from ..dataset import Split
from .arrays import H5Images
from .base import Expected, KnownDataset, Problem, mark_miniature
from .csv_rows import read_columns
from .miniatures import stack
from .parts import AGAIN, inspect_splits, unknown_split, use_of

__all__ = ["PCAM"]

_CLASSES = ("normal", "tumor")
_PROMPTS = ("lymph node", "lymph node containing metastatic tumor tissue")
_STEM = "camelyonpatch_level_2_split_{}_{}.{}"
_NAMES = {"train": "train", "val": "valid", "test": "test"}


def _read(folder: Path, split: str) -> Split:
    if split not in _NAMES:
        raise unknown_split("pcam", split, _NAMES)
    images = H5Images(_file(folder, split, "x"), "x", split)
    labels = _labels(_file(folder, split, "y"))
    if len(labels) != len(images):
        raise DataError(
            f"{folder}: {len(images):,} images and {len(labels):,} labels of {split}", fix=AGAIN
        )
    slides = _slides(_file(folder, split, "meta", "csv"), len(labels))
    return Split(
        name=f"pcam:{split}",
        images=images,
        labels=labels,
        metadata={} if slides is None else {"wsi": slides},
        unit=None if slides is None else "wsi",
        class_names=_CLASSES,
        domain="ID",
        use=use_of(split),
        licence=PCAM.licence,
        source=str(folder),
    )


def _slides(file: Path, n: int) -> np.ndarray[tuple[int], np.dtype[np.str_]] | None:
    """The slide that each patch was cut from, (n,); None where the copy has no such table."""
    if not file.is_file():
        return None
    slides = read_columns(file, (), optional=("wsi",)).get("wsi")
    if slides is None:
        return None
    if len(slides) != n:
        raise DataError(f"{file} has {len(slides):,} rows for {n:,} images", fix=AGAIN)
    return slides.astype(np.str_)


def _file(folder: Path, split: str, part: str, ending: str = "h5") -> Path:
    file = folder / _STEM.format(_NAMES[split], part, ending)
    packed = file.with_name(file.name + ".gz")
    if not file.is_file() and packed.is_file():
        raise DataError(f"{packed} is still compressed", fix=f"gunzip {packed}")
    return file


def _labels(file: Path) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Stored as (n, 1, 1, 1)."""
    h5py = import_optional("h5py", needed_for=f"reading {file.name}")
    try:
        with h5py.File(file, "r") as opened:
            return np.asarray(opened["y"][...]).reshape(-1).astype(np.int64)
    except FileNotFoundError as error:
        raise DataError(f"there is no {file} (looked at {file.absolute()})") from error
    except (OSError, KeyError) as error:
        raise DataError(
            f"{file} is cut off or holds no array 'y' ({error})", fix="download or unpack it again"
        ) from error


def _inspect(folder: Path, full: bool) -> list[Problem]:
    return inspect_splits(PCAM, folder, full)


def _miniature(folder: Path, seed: int) -> None:
    h5py = import_optional("h5py", needed_for="making a miniature of PatchCamelyon")
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    counts = {}
    for split, n in (("train", 8), ("val", 4), ("test", 4)):
        labels = rng.permutation(np.arange(n) % 2)
        with h5py.File(_file(folder, split, "x"), "w") as opened:
            opened["x"] = stack(labels, seed=seed, side=96)
        with h5py.File(_file(folder, split, "y"), "w") as opened:
            opened["y"] = labels.astype(np.uint8).reshape(-1, 1, 1, 1)
        rows = [f"{i},camelyon16_{split}_{i // 2:03d}" for i in range(n)]
        write_atomic(_file(folder, split, "meta", "csv"), "\n".join(["index,wsi", *rows]) + "\n")
        counts[split] = Expected(n, 2, source="miniature")
    mark_miniature(folder, "pcam", counts, seed)


_SOURCE = "README of github.com/basveeling/pcam"

PCAM: KnownDataset = KnownDataset(
    name="pcam",
    title="PatchCamelyon",
    summary="327,680 patches of 96 x 96 pixels of lymph node sections: is there metastatic tissue "
    "in the centre?",
    homepage="https://github.com/basveeling/pcam",
    citation='B. S. Veeling, J. Linmans, J. Winkens, T. Cohen, M. Welling, "Rotation Equivariant '
    'CNNs for Digital Pathology", MICCAI 2018, arXiv 1806.03962',
    licence="CC0 (README of the repository, following Camelyon16)",
    layout=(
        "pcam/",
        "  camelyonpatch_level_2_split_{train,valid,test}_x.h5   x (n, 96, 96, 3)",
        "  camelyonpatch_level_2_split_{train,valid,test}_y.h5   y (n, 1, 1, 1)",
        "  camelyonpatch_level_2_split_{train,valid,test}_meta.csv   wsi, if there: whose patch",
    ),
    folders=("pcam", "patchcamelyon", "PCam"),
    splits={
        "train": Expected(262_144, 2, source=_SOURCE),
        "val": Expected(32_768, 2, source=_SOURCE),
        "test": Expected(32_768, 2, source=_SOURCE),
    },
    default="test",
    metric="top1",
    domain="ID",
    read=_read,
    inspect=_inspect,
    miniature=_miniature,
    needs=("the package h5py",),
    class_source="0 and 1 in the files; the words for prompts are CLIP's, as FLYP uses them",
    aliases=("patchcamelyon", "patch-camelyon"),
    present=lambda folder: any(folder.glob("camelyonpatch_level_2_split_*_x.h5*")),
    roles={"train": "train", "val": "val", "test": "test"},
    prompt_names=lambda: dict(zip(_CLASSES, _PROMPTS, strict=True)),
)
