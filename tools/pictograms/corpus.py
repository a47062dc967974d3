"""The pretraining corpus: everything drawn that no evaluation split may hold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from . import allocation, catalogue, dedupe
from .catalogue import Row
from .credits import credit
from .files import replacing
from .sources import PACKAGES, Sources

SEED = 7
COLUMNS = ("name", "words", "keywords", "category", "set", "set_title", "domain", "licence")


def gather(sources: Sources, workers: int) -> list[Row]:
    """Draw every usable icon and sketch, in a stable order."""
    prefixes = catalogue.usable_sets(sources)
    with ProcessPoolExecutor(workers) as pool:
        parts = pool.map(partial(catalogue.icon_rows, sources), prefixes)
        rows = [row for part in parts for row in part]
    rows.extend(catalogue.sketch_rows(sources))
    return rows


def without_copies(rows: list[Row]) -> tuple[list[Row], dict[str, int]]:
    """Pretraining rows without exact repeats and without near copies of evaluation images."""
    seen: set[tuple[str, bytes]] = set()
    fresh = []
    for row in rows:
        key = (row.words, row.image.tobytes())
        if row.role == "pretrain" and key not in seen:
            seen.add(key)
            fresh.append(row)
    held = [r for r in rows if r.set in allocation.GUARDED and r.wave == 1 and r.concept]
    keys = dedupe.signatures(np.stack([r.image for r in held]))
    kept: list[Row] = []
    for start in range(0, len(fresh), 20000):
        part = fresh[start : start + 20000]
        close = dedupe.nearest(dedupe.signatures(np.stack([r.image for r in part])), keys)[0]
        kept += [row for row, c in zip(part, close, strict=True) if c < dedupe.THRESHOLD]
    exact = sum(r.role == "pretrain" for r in rows) - len(fresh)
    return kept, {"exact_repeats": exact, "near_copies_of_test_or_dev": len(fresh) - len(kept)}


def write(rows: list[Row], folder: Path, dropped: dict[str, int]) -> str:
    """`images.npy`, `rows.parquet` and, last, `READY` in `folder`; the line that READY holds."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "READY").unlink(missing_ok=True)
    order = np.random.default_rng(SEED).permutation(len(rows))
    shuffled = [rows[i] for i in order]
    with replacing(folder / "images.npy") as path, path.open("wb") as file:
        np.save(file, np.stack([row.image for row in shuffled]))
    with replacing(folder / "rows.parquet") as path:
        pq.write_table(_table(shuffled), path, compression="zstd")
    by_domain = dict(Counter(row.domain for row in rows).most_common())
    line = f"{len(rows)} images; {json.dumps(by_domain)}; dropped {json.dumps(dropped)}"
    with replacing(folder / "READY") as path:
        path.write_text(line + "\n", "utf-8")
    return line


def _table(rows: Iterable[Row]) -> pa.Table:
    attributes = ["title" if c == "set_title" else c for c in COLUMNS]
    rows = list(rows)
    return pa.table({c: [getattr(r, a) for r in rows]
                     for c, a in zip(COLUMNS, attributes, strict=True)})  # fmt: skip


def write_card(folder: Path, sources: Sources, target: Path) -> None:
    """`corpus.json`: the sets of the corpus in `folder`, their authors, licences and counts."""
    rows = pq.read_table(folder / "rows.parquet", columns=["set", "domain"]).to_pylist()
    per_set: dict[str, Counter[str]] = {}
    for row in rows:
        per_set.setdefault(row["set"], Counter())[row["domain"]] += 1
    card = {
        "title": "pictograms pretraining corpus",
        "images": len(rows),
        "domains": dict(Counter(row["domain"] for row in rows).most_common()),
        "sets": len(per_set),
        "packages": [f"{name}@{version}" for name, version in PACKAGES.items()],
        "attribution": [
            {**credit(sources, prefix), "images": counts.total(), "domains": dict(counts)}
            for prefix, counts in sorted(per_set.items())
        ],
    }
    with replacing(target) as path:
        path.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n", "utf-8")
