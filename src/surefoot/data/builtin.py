"""The data set inside the package: ``pictograms``, one concept drawn by a hundred designers."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, UnknownName
from ..registry import nearest
from .dataset import Shift, Split, Task, Use
from .designers import designers
from .image_cache import CachedImages
from .images import MemoryImages
from .prompts import PICTOGRAM_TEMPLATES
from .sequence import Taken
from .strings import Strings

__all__ = [
    "HOME",
    "PICTOGRAM_NOTE",
    "pictograms",
    "pictograms_card",
    "pictograms_dev",
    "pictograms_split",
    "shifted_domains",
]

FILE = Path(__file__).parent / "builtin" / "pictograms.parquet"
"""The packaged file; ``pictograms.json`` lies beside it."""

HOME = "outline"
"""The domain of training, validation and ID test."""

PICTOGRAM_NOTE = (
    "pictograms: train, val, test and each shift hold different icon sets "
    "(for sketches: different drawings)"
)

_HELD = 64 << 20
"""Bytes for decoded images, of all splits together; the whole set takes 39 MiB."""

_SPLITS = ("train", "val", "test", "dev")
_SHORT = ("domain", "split", "set", "author", "licence", "concept")


def pictograms() -> Task:
    """The built-in task: fine-tune on ``outline`` icons, be asked about every other style.

    Train, validation and ID test hold different icon sets of the domain ``outline``; every other
    domain is a shift. What one designer drew hangs together, in every set and style of theirs, so
    ``designer`` is the unit (:mod:`surefoot.data.designers`).

    Raises:
        DataError: The packaged file is missing or damaged.

    Example:
        >>> pictograms = sf.pictograms().subset(train=300, evaluation=150)
        >>> [shift.name for shift in pictograms.shifts]
        ['solid', 'duotone', 'colour', 'emoji', 'sketch']
    """
    classes = _concepts()
    shifts = tuple(
        Shift.of(pictograms_split(domain, "test"), classes, masked=True)
        for domain in shifted_domains("test")
    )
    return Task(
        name="pictograms",
        train=pictograms_split(HOME, "train"),
        val=pictograms_split(HOME, "val"),
        test=pictograms_split(HOME, "test"),
        shifts=shifts,
        class_names=classes,
        templates=PICTOGRAM_TEMPLATES,
        notes=(PICTOGRAM_NOTE,),
    )


def pictograms_dev() -> dict[str, Split]:
    """Domain -> images of the development split: for design decisions, never scored later.

    Labels are in the classes of :func:`pictograms`.
    """
    classes = _concepts()
    return {
        domain: Shift.of(pictograms_split(domain, "dev"), classes).split
        for domain in shifted_domains("dev")
    }


def pictograms_card() -> dict[str, Any]:
    """What lies beside the images: version, counts, attribution of every icon set.

    Raises:
        DataError: The file is missing.
    """
    path = FILE.with_suffix(".json")
    _require(path)
    card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return card


def pictograms_split(domain: str = HOME, split: str = "test") -> Split:
    """One domain and split. Class names are those that occur there (``outline``: all).

    Args:
        domain: "outline", "solid", "colour", "emoji", "sketch", ...
        split: "train", "val", "test" or "dev".

    Raises:
        UnknownName: No such domain or split.
        DataError: That domain has no images in that split, or the file is missing.
    """
    table = _table(FILE)
    domains = sorted(set(table["domain"].tolist()))
    for kind, name, known in (("pictograms domain", domain, domains),
                              ("pictograms split", split, list(_SPLITS))):  # fmt: skip
        if name not in known:
            raise UnknownName(kind, name, known, nearest(name, known))
    rows = np.flatnonzero((table["domain"] == domain) & (table["split"] == split))
    if not len(rows):
        there = [d for d in domains if ((table["domain"] == d) & (table["split"] == split)).any()]
        raise DataError(
            f"pictograms has no images of the domain {domain!r} in the split {split!r}",
            expected=f"for {split!r} one of {', '.join(there)}",
        )
    return _split(table, rows, domain, split)


def _split(table: dict[str, Any], rows: NDArray[np.int64], domain: str, split: str) -> Split:
    images = Taken(table["image"], rows)
    home, concepts = domain == HOME, table["concept"][rows].tolist()
    present = set(concepts)
    names = tuple(c for c in _concepts() if home or c in present)
    position = {c: i for i, c in enumerate(names)}
    captions = None
    if table["caption"] is not None:
        captions = Strings(table["caption"][int(i)].as_py() or "" for i in rows)
    drawn_by = designers(table["set"][rows], [images.id(i) for i in range(len(images))])
    return Split(
        name=split if home else domain,
        images=images,
        labels=np.array([position[c] for c in concepts], dtype=np.int64),
        class_names=names,
        domain="ID" if home else "OOD",
        use=cast(Use, split if split in ("train", "val", "test") else "val"),
        captions=captions,
        metadata={"designer": drawn_by} | {k: table[k][rows] for k in ("set", "author", "licence")},
        unit="designer",
        version=str(pictograms_card().get("version", "unversioned")),
        licence="one per icon set: `surefoot show pictograms`",
        source=f"pictograms:{domain}:{split}",
    )


def shifted_domains(split: str = "test") -> list[str]:
    """Domains other than the home one that have images in a split, in the card's order."""
    table = _table(FILE)
    there = set(table["domain"][table["split"] == split].tolist()) - {HOME}
    order = [d for d in pictograms_card().get("counts", {}).get(split, ()) if d in there]
    return order + sorted(there - set(order))


def _concepts() -> tuple[str, ...]:
    """The classes, in label order."""
    return tuple(pictograms_card()["concepts"])


def _require(path: Path) -> None:
    if not path.is_file():
        raise DataError(
            f"the built-in data set is not here: {path} is missing",
            expected=f"{path.name} inside the installed package",
            fix="install surefoot again, or build it with tools/build_pictograms.py",
        )


def _table(path: Path) -> dict[str, Any]:
    _require(path)
    stat = path.stat()
    return _read(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=1)
def _read(path: Path, changed: int, size: int) -> dict[str, Any]:
    """The columns: images decode and have ids, captions are an Arrow array, the rest NumPy's."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, memory_map=True)
        columns: dict[str, Any] = {
            name: np.asarray(table[name].to_numpy(zero_copy_only=False), dtype=np.str_)
            for name in _SHORT
        }
        encoded = _flat(table["image"].cast(pa.large_binary()))
        columns["image"] = CachedImages(MemoryImages(encoded, table["id"].to_pylist()), _HELD)
        captions = table["caption"].combine_chunks() if "caption" in table.column_names else None
        columns["caption"] = captions
    except (pa.ArrowException, OSError, KeyError) as error:
        raise DataError(
            f"the built-in data set {path} cannot be read ({error})",
            expected="a Parquet file with the columns id, image, concept, domain, set, split",
            fix="install surefoot again, or build it with tools/build_pictograms.py",
        ) from error
    return columns


def _flat(column: Any) -> Any:
    """A chunked array as one array (``combine_chunks`` may still give chunks)."""
    import pyarrow as pa

    joined = column.combine_chunks()
    return pa.concat_arrays(joined.chunks) if isinstance(joined, pa.ChunkedArray) else joined
