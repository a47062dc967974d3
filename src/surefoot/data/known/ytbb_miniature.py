"""A tiny YTBB-Robust: videos, reviewers' words, and the quirks of the real tables."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from .base import Expected, mark_miniature
from .imagenet import miniature_wnids
from .pictures import salted, write_picture
from .wordnet import imagenet_index

__all__ = ["miniature"]

_CLASSES = ("person", "bird", "cow", "car", "none")
_ANCHOR_WORDS = ("good", "unsure", "bad", *_CLASSES)
_PAIR_WORDS = ("similar", "dissimilar", "correct", "bad-anchor")

_VIDEOS = (
    # id, milliseconds, class of the table, reviewers' words on the anchor, frames that are like it
    ("aVid_one-Q", 1000, "person", ("good",), (-2, -1, 1, 2)),
    ("bVid", 26000, "bird", ("good", "person"), (-1, 1)),
    ("cVid", 400, "car", ("good",), (1,)),
    ("dVid", 77, "cow", ("good",), (-1, 1)),  # no class of ImageNet: left out
    ("eVid", 5, "bird", ("bad",), (1,)),  # a bad anchor
    ("fVid", 6, "person", ("good",), ()),  # spoilt by a word on a pair
)


def miniature(folder: Path, seed: int) -> None:
    """Write it."""
    wnids, index = miniature_wnids(), imagenet_index()
    covered = {"person": wnids[0:2], "bird": wnids[3:4], "car": wnids[6:8]}
    anchors, pairs, rows = [], [], []
    kept = 0
    for at, (video, ms, name, said, like) in enumerate(_VIDEOS):
        place, middle = f"{video}_{ms}", 50 + at
        label = index[covered[name][0]] if name in covered else 3_000
        for offset in range(-3, 4):
            path = folder / "ytbb_videos" / place / f"frame-{middle + offset}.jpg"
            write_picture(path, label, 10 * at + offset + 3, seed=salted("ytbb", seed))
        anchor = f"{place}/frame-{middle}.jpg"
        words = [_ANCHOR_WORDS.index(w) for w in said]
        anchors.append({"key": anchor, "notes": "", "labels": words})
        for offset in (-3, -2, -1, 1, 2, 3):
            word = "similar" if offset in like else "dissimilar"
            word = "bad-anchor" if video == "fVid" else word
            key = f"videos/{anchor},videos/{place}/frame-{middle + offset}.jpg"
            pairs.append({"key": key, "notes": "", "labels": [_PAIR_WORDS.index(word)]})
        rows.append((video, ms, _CLASSES.index(name)))
        kept += 1 + len(like) if "good" in said and video != "fVid" else 0
    _write_tables(folder / "metadata", anchors, pairs, rows)
    reverse = {str(_CLASSES.index(n)): [index[w] for w in ids] for n, ids in covered.items()}
    (folder / "metadata" / "rev_class_idx_map.json").write_text(json.dumps(reverse, indent=1))
    counts = {"test": Expected(kept, len(_CLASSES), 4)}
    mark_miniature(folder, "ytbb-robust", counts, seed)


def _write_tables(
    place: Path,
    anchors: Sequence[Mapping[str, object]],
    pairs: Sequence[Mapping[str, object]],
    rows: list[tuple[str, int, int]],
) -> None:
    place.mkdir(parents=True, exist_ok=True)
    files = {
        "anchor_labels.json": {"annotations": anchors, "labels": _ANCHOR_WORDS},
        "pmk_labels.json": {"annotations": pairs, "labels": _PAIR_WORDS},
        "ytbb_class_index.json": {str(i): name for i, name in enumerate(_CLASSES)},
    }
    for name, content in files.items():
        (place / name).write_text(json.dumps(content, indent=1), encoding="utf-8")
    with open(place / "ytbb_robustness_test_anchors_full.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["ytid", "time_ms", "label"])
        writer.writerows(rows)
