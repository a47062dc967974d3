"""Pictures with sentences: COCO captions and Conceptual Captions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...errors import DataError
from ..dataset import Split
from ..table import from_table
from ..webdataset import from_webdataset
from .base import Counts, KnownDataset
from .checks import AGAIN, Problem
from .facts import facts, miniature_mark
from .files import one_of, read_json, reading
from .pictures import write_lines, write_picture

__all__ = ["COCO_CAPTIONS", "CONCEPTUAL_CAPTIONS", "chosen_ids", "ids_hash"]

_SUBSETS = {"train-10k": 10_000, "train-20k": 20_000}
_IMAGES = {"train": 118_287, "val": 5_000}
"""That the annotations list; some have no caption."""


class _Coco(KnownDataset):
    """COCO captions: annotations/captions_train2017.json beside train2017/."""

    def _read(self, folder: Path, split: str) -> Split:
        """One row per caption: an image occurs with each of its sentences (five, or more)."""
        part = split.partition("-")[0]
        files, sentences = _annotations(_coco_file(folder, part))
        notes: tuple[str, ...] = ()
        if split in _SUBSETS:
            ids = chosen_ids(files, _SUBSETS[split])
            kept = set(ids)
            sentences = [row for row in sentences if row[0] in kept]
            notes = (f"{split}: {len(ids):,} images, sha256 of their ids {ids_hash(ids)}",)
        paths = [f"{part}2017/{files[image]}" for image, _ in sentences]
        numbers = np.array([image for image, _ in sentences], dtype=np.int64)
        return self.listed(
            folder, split, paths, None, (), captions=[text for _, text in sentences],
            metadata={"image_id": numbers}, unit="image_id", notes=notes,
        )  # fmt: skip

    def _problems(self, folder: Path, full: bool) -> list[Problem]:
        """Also: do the annotations list as many images as published?"""
        found = super()._problems(folder, full)
        if found or miniature_mark(folder) is not None:
            return found
        for part, images in _IMAGES.items():
            file = _coco_file(folder, part)
            listed = len(_annotations(file)[0]) if file.is_file() else images
            if listed != images:
                found.append(Problem(f"{file} lists {listed:,} images, expected {images:,}", AGAIN))
        return found

    def _miniature(self, folder: Path, seed: int) -> Counts:
        for part, n, first in (("train", 12, 9), ("val", 4, 139)):
            images, rows = [], []
            for i in range(n):
                number = first + 16 * i
                name = f"{number:012d}.jpg"
                write_picture(folder / f"{part}2017" / name, i % 3, i, seed=seed)
                images.append({"id": number, "file_name": name, "height": 24, "width": 24})
                what = f"A {('red', 'green', 'blue')[i % 3]} thing, sentence"
                rows += [
                    {"image_id": number, "id": 1000 + 5 * i + k, "caption": f"{what} {k}."}
                    for k in range(5)
                ]
            held = {"info": {}, "licenses": [], "images": images, "annotations": rows[::-1]}
            write_lines(_coco_file(folder, part), [json.dumps(held)])
        return {"train": (60,), "val": (20,), "train-10k": (60,), "train-20k": (60,)}


def _coco_file(folder: Path, part: str) -> Path:
    return folder / f"annotations/captions_{part}2017.json"


def _annotations(file: Path) -> tuple[dict[int, str], list[tuple[int, str]]]:
    """Image id -> file, and (image id, sentence) by image and by id of the annotation."""
    with reading(file, "file of captions", fix="extract annotations_trainval2017.zip again"):
        held = read_json(file)
        files = {int(image["id"]): str(image["file_name"]) for image in held["images"]}
        rows = sorted(held["annotations"], key=lambda row: (row["image_id"], row["id"]))
        sentences = [(int(row["image_id"]), str(row["caption"]).strip()) for row in rows]
    foreign = sorted({image for image, _ in sentences} - set(files))
    if foreign:
        raise DataError(f"{file} has captions of image {foreign[0]}, which it does not list")
    return files, sentences


def chosen_ids(ids: Iterable[int], n: int) -> list[int]:
    """N image ids, ascending: those with the smallest SHA-256 of "coco-2017-<id>".

    No random generator is asked, so that every machine and version chooses the same; the subset
    of 10,000 lies within that of 20,000.
    """

    def key(image: int) -> str:
        return hashlib.sha256(f"coco-2017-{image}".encode()).hexdigest()

    return sorted(sorted(ids, key=key)[:n])


def ids_hash(ids: Iterable[int]) -> str:
    """SHA-256 over the ids, ascending, one a line: published with results, to compare."""
    return hashlib.sha256("".join(f"{i}\n" for i in sorted(ids)).encode()).hexdigest()


_SHARDS = {"train": ("cc3m-train-*.tar", "train/*.tar"),
           "val": ("cc3m-validation-*.tar", "val/*.tar", "validation/*.tar")}  # fmt: skip


class _ConceptualCaptions(KnownDataset):
    """Whatever a user's tool made of the published addresses: a table, or shards."""

    def _read(self, folder: Path, split: str) -> Split:
        """A table (path, caption), else shards."""
        name, use = f"{self.name}:{split}", self.use_of(split)
        table = one_of([folder / f"{split}{ending}" for ending in (".parquet", ".csv")])
        if table is not None:
            read = from_table(table, name=name, domain=self.domain, use=use)
            return replace(read, licence=self.licence)
        for pattern in _SHARDS[split]:
            if any(folder.glob(pattern)):
                read = from_webdataset(folder / pattern, name=name, domain=self.domain, use=use)
                return replace(read, licence=self.licence)
        raise DataError(
            f"{folder} holds neither {split}.parquet or {split}.csv nor shards "
            f"({' or '.join(_SHARDS[split])})",
            expected="a table with the columns path and caption, or WebDataset shards",
            fix="the publisher gives addresses only (Train_GCC-training.tsv); fetch the images, "
            "for instance with img2dataset, and keep the captions beside them",
        )

    def _problems(self, folder: Path, full: bool) -> list[Problem]:
        """Also: rows without a caption."""
        found = super()._problems(folder, full)
        if not found:
            split = self.read(folder, "train")
            blank = sum(not text.strip() for text in split.captions or [""] * len(split))
            if blank:
                what = f"{blank:,} images have no caption"
                found.append(Problem.of("train", what, "leave these rows out"))
        return found

    def _miniature(self, folder: Path, seed: int) -> Counts:
        sizes = {"train": 9, "val": 3}
        for split, n in sizes.items():
            lines = ["path,caption"]
            for i in range(n):
                write_picture(folder / f"images/{split}_{i}.jpg", i % 3, i, seed=seed)
                lines.append(f'images/{split}_{i}.jpg,"a {i % 3} thing, number {i}"')
            write_lines(folder / f"{split}.csv", lines)
        return {split: (n,) for split, n in sizes.items()}


COCO_CAPTIONS = _Coco(**facts("coco-captions"))
CONCEPTUAL_CAPTIONS = _ConceptualCaptions(**facts("conceptual-captions"))
