"""Reads a Hugging Face data set: a folder saved on disk, or a name on the hub."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..hub import endpoint, silence
from ..inventory import Note
from ..registry import import_optional, nearest
from .building import Found, built
from .dataset import Domain, Split, Use
from .grouping import by_number, metadata_column, not_classes, parts_for, role_of
from .images import EncodedImages
from .strings import Strings

__all__ = ["from_hf", "saved_by_hf"]


def from_hf(
    path_or_name: str | os.PathLike[str],
    *,
    name: str,
    domain: Domain,
    use: Use,
    split: str | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    caption_column: str | None = None,
    class_names: Sequence[str] | None = None,
) -> Split:
    """A split of a Hugging Face data set; rows stay in its memory-mapped Arrow files.

    Args:
        path_or_name: A folder that ``save_to_disk`` wrote, or a name on the hub.
        name: Of the split.
        domain: "ID" or "OOD".
        use: "train", "val" or "test"; chooses among the data set's splits when ``split`` is None.
        split: As the ``datasets`` package takes it ("train", "train[:10%]" for hub names).
        image_column: Found by its type (``Image``) when left out.
        label_column: "label", "labels" or the one ``ClassLabel`` column when left out.
        caption_column: "caption", "captions" or "text" when left out.
        class_names: The label order wanted (that of the training set).

    Raises:
        MissingDependency: The package ``datasets`` is not installed.
        DataError: It cannot be had (no network, no such split or column).
        ClassMismatch: A class that ``class_names`` does not have.
    """
    library = import_optional("datasets", needed_for="reading a Hugging Face data set")
    source = os.fspath(path_or_name)
    rows, part = _rows(library, source, split, use)
    image = _image_column(library, rows, image_column, source)
    label = _column(rows, label_column, _labels(library, rows), "label", source)
    taken = (
        *_which(rows, image, image_column, library.Image, "image", ("image", "img")),
        *_which(rows, label, label_column, library.ClassLabel, "label", ("label", "labels")),
    )
    caption = _column(rows, caption_column, ("caption", "captions", "text"), "caption", source)
    if label is None and caption is None:
        raise DataError(
            f"the data set {source} has neither labels nor captions",
            expected="a column label (ClassLabel, int or text) or caption",
            fix=f"name the column; it has {', '.join(rows.column_names)}",
        )
    found = Found(
        _HFImages(
            rows.select_columns([image]).cast_column(image, library.Image(decode=False)), part
        ),
        f"hf:{source}" + (f":{part}" if part else ""),
        metadata=_metadata(rows, {image, label, caption}),
        version=str(rows.info.version or "unversioned"),
        licence=rows.info.license or "unknown",
    )  # fmt: skip
    if label is not None:
        _add_labels(library, found, rows, label, source)
    if caption is not None:
        found.captions, found.notes = _captions(rows, caption)
    found.notes = (*found.notes, *taken)
    if split is None and use == "test" and part and role_of(part) != "test":
        said = f"{source} has no split test: {part} serves as {name}"
        found.notes = (*found.notes, Note(said, "guessed", say=f"hf:{source}:{part}"))
    return built(found, name=name, domain=domain, use=use, class_names=class_names, where=source)


def saved_by_hf(path: Path) -> bool:
    """Is this a folder that ``datasets.save_to_disk`` wrote?"""
    return (path / "dataset_dict.json").is_file() or (
        (path / "dataset_info.json").is_file() and (path / "state.json").is_file()
    )


class _HFImages(EncodedImages):
    """Rows of one split.

    Args:
        rows: A ``datasets.Dataset`` with the image column alone.
        part: Name of the split, "" where there is one only.
    """

    def __init__(self, rows: Any, part: str) -> None:
        self._rows, self._column = rows, rows.column_names[0]
        self._before = f"{part}/" if part else ""

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, index: int) -> bytes:
        """Bytes held by the table, or those of the file that it names."""
        cell = self._rows[int(index)][self._column]
        if cell is None or (cell["bytes"] is None and not cell["path"]):
            raise FileNotFoundError("the row holds no image")
        if cell["bytes"] is not None:
            return bytes(cell["bytes"])
        return Path(cell["path"]).read_bytes()

    def id(self, index: int) -> str:
        """Split and row: every split has a first row."""
        return f"{self._before}row{index}"


def _rows(library: Any, source: str, split: str | None, use: Use) -> tuple[Any, str]:
    """One ``datasets.Dataset``, and which split of several it is, else what was asked for."""
    if Path(source).is_dir():
        try:
            found = library.load_from_disk(source)
        except (FileNotFoundError, ValueError, OSError) as error:
            raise DataError(
                f"the folder {source} is not a saved Hugging Face data set ({error})",
                expected="a folder that `dataset.save_to_disk(DIR)` wrote",
            ) from error
    else:
        found = _from_hub(library, source)
    if not isinstance(found, library.DatasetDict):
        if split is not None and split != str(found.split or split):
            raise DataError(
                f"the data set {source} holds only the split {str(found.split)!r}, not {split!r}",
                expected=f"hf:{source}",
            )
        return found, split or ""
    parts, where = list(found), f"the data set {source}"
    if split is not None:
        wanted, wrong = [split] if split in found else [], f"no split {split!r}"
    else:
        wanted = parts_for(use, parts, where=where, name=f"hf:{source}:")
        wrong = (
            f"several splits that serve as {use}" if wanted else f"no split that serves as {use}"
        )
    if len(wanted) != 1:
        close = nearest(split or use, parts) if not wanted else []
        raise DataError(
            f"{where} has {wrong}" + (f"; is it {close[0]!r}?" if close else ""),
            expected=f"one of {', '.join(parts)}",
            fix=f"name it: hf:{source}:{parts[0]}",
        )
    return found[wanted[0]], wanted[0]


def _from_hub(library: Any, source: str) -> Any:
    """A data set by its name: from the hub, or from the local cache where the hub is silent.

    By itself the library looks into its cache only after half a minute of asking the hub.
    """
    _require_hub_id(library, source)
    why = silence("HF_DATASETS_OFFLINE")
    try:
        with _offline(library) if why else nullcontext():
            return library.load_dataset(source, trust_remote_code=False)
    except Exception as error:
        # The hub's client raises a dozen unrelated types: no network, no such name, gated, ...
        said = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        uncached = why and isinstance(error, ConnectionError)
        raise DataError(
            f"the Hugging Face data set {source!r} is no folder here"
            f"{', is not in the local cache' if uncached else ''} and cannot be had from the "
            f"Hugging Face hub, {endpoint()} ({why if uncached else said})",
            expected="a folder that `save_to_disk` wrote, or a name on the hub and a network",
            fix=f"where there is a network: datasets.load_dataset({source!r}).save_to_disk('DIR'); "
            "copy DIR here and pass hf:DIR",
        ) from error


_HUB_ID = re.compile(r"\w[\w.-]{0,95}(/\w[\w.-]{0,95})?")


def _require_hub_id(library: Any, source: str) -> None:
    """Refuse what the library would take for something else than a data set on the hub.

    By a file's name it runs a loading script (before version 4), by the name of one of its own
    readers (pandas, which reads pickles, among them) it reads whatever lies in the folder.
    """
    readers = library.packaged_modules._PACKAGED_DATASETS_MODULES
    if _HUB_ID.fullmatch(source) and not source.endswith(".py") and source not in readers:
        return
    raise DataError(
        f"{source!r} is neither a folder here nor the name of a data set on the hub",
        expected="a folder that `save_to_disk` wrote, or hf:NAME or hf:ORG/NAME",
        fix="give a folder or a table without hf:; no script is run to read a data set",
    )


@contextmanager
def _offline(library: Any) -> Iterator[None]:
    """Inside, the library looks into its cache at once."""
    before = library.config.HF_HUB_OFFLINE
    library.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        library.config.HF_HUB_OFFLINE = before


def _image_column(library: Any, rows: Any, asked: str | None, source: str) -> str:
    typed = [n for n, f in rows.features.items() if isinstance(f, library.Image)]
    usual = [n for n in ("image", "img") if n in typed]  # masks and depths are images too
    found = _column(rows, asked, (*usual, *typed, "image", "img"), "image", source)
    if found is None:
        raise DataError(
            f"the data set {source} has no image column",
            expected="a column of the type Image, or one called image",
            fix=f"name it (image_column=...); it has {', '.join(rows.column_names)}",
        )
    return found


def _labels(library: Any, rows: Any) -> tuple[str, ...]:
    typed = [n for n, f in rows.features.items() if isinstance(f, library.ClassLabel)]
    return ("label", "labels", *typed)


def _which(
    rows: Any, taken: str | None, asked: str | None, kind: Any, role: str, usual: Sequence[str]
) -> tuple[Note, ...]:
    """That one of several columns of a kind was taken, where nothing told which is meant."""
    others = [n for n, f in rows.features.items() if isinstance(f, kind) and n != taken]
    if asked is not None or taken is None or taken in usual or not others:
        return ()
    said = f"the column {taken!r} serves as {role}, not {', '.join(map(repr, others))}"
    return (Note(said, "guessed", say=f"by calling the one that is meant {role}"),)


def _column(
    rows: Any, asked: str | None, usual: Sequence[str], kind: str, source: str
) -> str | None:
    if asked is None:
        return next((n for n in usual if n in rows.column_names), None)
    if asked not in rows.column_names:
        close = nearest(asked, rows.column_names, 1)
        raise DataError(
            f"the data set {source} has no {kind} column {asked!r}"
            + (f"; is it {close[0]!r}?" if close else ""),
            expected=f"one of {', '.join(rows.column_names)}",
        )
    return asked


def _encoded(rows: Any, column: str) -> tuple[Any, list[Any]]:
    """A column as codes (n,), -1 where empty, and distinct values, read in blocks."""
    seen: dict[Any, int] = {}
    codes = np.empty(len(rows), dtype=np.int64)
    at = 0
    for block in rows.select_columns([column]).with_format(None).iter(batch_size=10_000):
        for value in block[column]:
            codes[at] = -1 if value is None else seen.setdefault(value, len(seen))
            at += 1
    return codes, list(seen)


def _add_labels(library: Any, found: Found, rows: Any, column: str, source: str) -> None:
    feature = rows.features[column]
    if not isinstance(feature, (library.Value, library.ClassLabel)):
        raise not_classes(source, column, f"a {type(feature).__name__} in each row")
    found.codes, found.values = _encoded(rows, column)
    if hasattr(feature, "int2str"):
        found.values = by_number(found.values, feature.names, where=source)
        found.order = feature.names


def _captions(rows: Any, column: str) -> tuple[Strings, tuple[str, ...]]:
    several = False

    def texts() -> Any:
        nonlocal several
        for block in rows.select_columns([column]).with_format(None).iter(batch_size=10_000):
            for value in block[column]:
                if isinstance(value, (list, tuple)):
                    several = several or len(value) > 1
                    yield str(value[0]) if value else ""
                else:
                    yield "" if value is None else str(value)

    found = Strings(texts())
    note = f"the first of several captions in {column!r} is used"
    return found, (note,) if several else ()


def _metadata(rows: Any, used: set[str | None]) -> dict[str, Any]:
    plain = ("bool", "int", "uint", "float", "string", "large_string", "date", "timestamp")
    return {
        name: metadata_column(*_encoded(rows, name))
        for name, feature in rows.features.items()
        if name not in used and str(getattr(feature, "dtype", "")).startswith(plain)
    }
