"""Pictures with sentences: COCO captions and Conceptual Captions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from ...records import write_atomic
from ..dataset import Split
from ..table import from_table
from ..webdataset import from_webdataset
from .base import Expected, KnownDataset, Problem, mark_miniature, miniature_mark
from .parts import AGAIN, Listing, inspect_splits, split_of, unknown_split, use_of
from .pictures import write_picture

__all__ = ["COCO_CAPTIONS", "CONCEPTUAL_CAPTIONS", "chosen_ids", "ids_hash"]

_SUBSETS = {"train-10k": 10_000, "train-20k": 20_000}


def _read_coco(folder: Path, split: str) -> Split:
    """One row per caption: an image occurs with each of its sentences (five, sometimes more)."""
    if split not in COCO_CAPTIONS.splits:
        raise unknown_split("coco-captions", split, COCO_CAPTIONS.splits)
    part = split.partition("-")[0]
    files, sentences = _annotations(folder / f"annotations/captions_{part}2017.json")
    note: tuple[str, ...] = ()
    if split in _SUBSETS:
        ids = chosen_ids(files, _SUBSETS[split])
        kept = set(ids)
        sentences = [row for row in sentences if row[0] in kept]
        note = (f"{split}: {len(ids):,} images, sha256 of their ids {ids_hash(ids)}",)
    listing = Listing(
        [f"{part}2017/{files[image]}" for image, _ in sentences],
        None,
        metadata={"image_id": np.array([image for image, _ in sentences], dtype=np.int64)},
        captions=[text for _, text in sentences],
    )
    return split_of(
        COCO_CAPTIONS, folder, split, listing, domain="ID", unit="image_id", version="COCO 2017",
        notes=note,
    )  # fmt: skip


def _annotations(file: Path) -> tuple[dict[int, str], list[tuple[int, str]]]:
    """Image id -> file, and (image id, sentence) by image and by id of the annotation."""
    try:
        held: Any = json.loads(file.read_text(encoding="utf-8"))
        files = {int(image["id"]): str(image["file_name"]) for image in held["images"]}
        rows = sorted(held["annotations"], key=lambda row: (row["image_id"], row["id"]))
        sentences = [(int(row["image_id"]), str(row["caption"]).strip()) for row in rows]
    except FileNotFoundError as error:
        raise DataError(
            f"there is no {file} (looked at {file.absolute()})",
            fix="extract annotations_trainval2017.zip",
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{file} is cut off or no file of captions ({error!r})", fix=AGAIN
        ) from error
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


def _inspect_coco(folder: Path, full: bool) -> list[Problem]:
    """Also: do the annotations list as many images as published?"""
    found = inspect_splits(COCO_CAPTIONS, folder, full, optional=("val",))
    if not found:
        for part, images in _IMAGES.items():
            file = folder / f"annotations/captions_{part}2017.json"
            listed = len(_annotations(file)[0]) if file.is_file() else images
            if miniature_mark(folder) is None and listed != images:
                found.append(Problem(f"{file} lists {listed:,} images, expected {images:,}", AGAIN))
    return found


_IMAGES = {"train": 118_287, "val": 5_000}


def _miniature_coco(folder: Path, seed: int) -> None:
    counts = {}
    for part, n, first in (("train", 12, 9), ("val", 4, 139)):
        images, rows = [], []
        for i in range(n):
            number = first + 16 * i
            name = f"{number:012d}.jpg"
            write_picture(folder / f"{part}2017" / name, i % 3, i, seed=seed)
            images.append({"id": number, "file_name": name, "height": 24, "width": 24})
            texts = [f"A {['red', 'green', 'blue'][i % 3]} thing, sentence {k}." for k in range(5)]
            rows += [{"image_id": number, "id": 1000 + 5 * i + k, "caption": text}
                     for k, text in enumerate(texts)]  # fmt: skip
        held = {"info": {}, "licenses": [], "images": images, "annotations": rows[::-1]}
        (folder / "annotations").mkdir(parents=True, exist_ok=True)
        write_atomic(folder / f"annotations/captions_{part}2017.json", json.dumps(held))
        counts[part] = Expected(5 * n, source="miniature")
    counts |= dict.fromkeys(_SUBSETS, counts["train"])
    mark_miniature(folder, "coco-captions", counts, seed)


_TABLES = (".parquet", ".csv")
_SHARDS = {"train": ("cc3m-train-*.tar", "train/*.tar"),
           "val": ("cc3m-validation-*.tar", "val/*.tar", "validation/*.tar")}  # fmt: skip


def _read_cc(folder: Path, split: str) -> Split:
    """A table (path, caption), else shards."""
    if split not in CONCEPTUAL_CAPTIONS.splits:
        raise unknown_split("conceptual-captions", split, CONCEPTUAL_CAPTIONS.splits)
    name, use = f"conceptual-captions:{split}", use_of(split)
    for ending in _TABLES:
        table = folder / f"{split}{ending}"
        if table.is_file():
            return from_table(table, name=name, domain="ID", use=use)
    for pattern in _SHARDS[split]:
        if any(folder.glob(pattern)):
            return from_webdataset(folder / pattern, name=name, domain="ID", use=use)
    raise DataError(
        f"{folder} holds neither {split}.parquet or {split}.csv nor shards "
        f"({' or '.join(_SHARDS[split])})",
        expected="a table with the columns path and caption, or WebDataset shards",
        fix="the publisher gives addresses only (Train_GCC-training.tsv); fetch the images, for "
        "instance with img2dataset, and keep the captions beside them",
    )


def _inspect_cc(folder: Path, full: bool) -> list[Problem]:
    """Also: rows without a caption."""
    found = inspect_splits(CONCEPTUAL_CAPTIONS, folder, full, optional=("val",))
    if not found:
        split = _read_cc(folder, "train")
        blank = 0 if split.captions is None else sum(not text.strip() for text in split.captions)
        if split.captions is None or blank:
            missing = len(split) if split.captions is None else blank
            found.append(Problem(f"train: {missing:,} images have no caption",
                                 "leave these rows out"))  # fmt: skip
    return found


def _miniature_cc(folder: Path, seed: int) -> None:
    counts = {}
    for split, n in (("train", 9), ("val", 3)):
        lines = ["path,caption"]
        for i in range(n):
            write_picture(folder / f"images/{split}_{i}.jpg", i % 3, i, seed=seed)
            lines.append(f'images/{split}_{i}.jpg,"a {i % 3} thing, number {i}"')
        write_atomic(folder / f"{split}.csv", "\n".join(lines) + "\n")
        counts[split] = Expected(n, source="miniature")
    mark_miniature(folder, "conceptual-captions", counts, seed)


_CARD = "card of gokuls/coco_dataset on the Hugging Face hub; 118,287 and 5,000 images"

COCO_CAPTIONS: KnownDataset = KnownDataset(
    name="coco-captions",
    title="COCO captions 2017",
    summary="123,287 photographs of everyday scenes, each with five sentences by different people.",
    homepage="https://cocodataset.org",
    citation='X. Chen et al., "Microsoft COCO Captions: Data Collection and Evaluation Server", '
    "2015, arXiv 1504.00325",
    licence="not confirmed here; see the terms of use at cocodataset.org",
    layout=(
        "coco/",
        "  annotations/captions_train2017.json, captions_val2017.json",
        "  train2017/000000000009.jpg, ..., val2017/...",
    ),
    folders=("coco", "COCO", "mscoco", "coco2017"),
    splits={
        "train": Expected(591_753, source=f"sentences; {_CARD}"),
        "val": Expected(25_014, source=f"sentences; {_CARD}"),
        "train-10k": Expected(None, source="sentences of 10,000 images, chosen by a hash of ids"),
        "train-20k": Expected(None, source="sentences of 20,000 images, chosen by a hash of ids"),
    },
    default="train",
    metric="top1",
    domain="ID",
    read=_read_coco,
    inspect=_inspect_coco,
    miniature=_miniature_coco,
    kind="captions",
    class_source="none: sentences instead of classes",
    aliases=("coco",),
    present=lambda folder: (folder / "annotations").is_dir(),
    roles={"train": "train", "val": "val"},
    notes=(
        "Counts are of sentences. The subsets of 10,000 and 20,000 images are our own draw; a note "
        "of the split gives the hash of their ids.",
    ),
)

CONCEPTUAL_CAPTIONS: KnownDataset = KnownDataset(
    name="conceptual-captions",
    title="Conceptual Captions (CC3M)",
    summary="Pictures of the web with their cleaned alternative texts; the publisher gives "
    "addresses, and copies differ by what could still be fetched.",
    homepage="https://ai.google.com/research/ConceptualCaptions/",
    citation='P. Sharma, N. Ding, S. Goodman, R. Soricut, "Conceptual Captions: A Cleaned, '
    'Hypernymed, Image Alt-text Dataset For Automatic Image Captioning", ACL 2018',
    licence="Google's own terms for the captions (LICENSE of its repository); images: their owners",
    layout=(
        "conceptual_captions/",
        "  train.csv or train.parquet    columns path, caption; val likewise",
        "  or shards cc3m-train-*.tar, train/*.tar",
    ),
    folders=("conceptual_captions", "cc3m", "conceptual-captions"),
    splits={
        "train": Expected(None, source="3,318,333 addresses published; copies hold fewer images"),
        "val": Expected(None, source="15,840 addresses published; copies hold fewer images"),
    },
    default="train",
    metric="top1",
    domain="ID",
    read=_read_cc,
    inspect=_inspect_cc,
    miniature=_miniature_cc,
    kind="captions",
    class_source="none: sentences instead of classes",
    aliases=("cc3m",),
    roles={"train": "train", "val": "val"},
)
