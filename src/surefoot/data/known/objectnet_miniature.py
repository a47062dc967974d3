"""A tiny ObjectNet: a few folders, the four mapping files, and a red border on every image."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image, ImageDraw

from .base import Expected, mark_miniature
from .imagenet import miniature_wnids
from .pictures import encoded, pixels, salted
from .wordnet import imagenet_index, imagenet_wnids, synset_lemmas

__all__ = ["miniature"]

_UNSCORED = ("coaster", "squeegee")


def _groups() -> dict[str, tuple[str, ...]]:
    """Four scored classes over five of the family's miniature classes: the first has two ids."""
    wnids = miniature_wnids()
    parts = (wnids[0:2], wnids[3:4], wnids[5:6], wnids[7:8])
    lemmas = synset_lemmas()
    return {lemmas[part[0]].split(",")[0].capitalize(): part for part in parts}


def _bordered(label: int, number: int, seed: int) -> Image.Image:
    picture = pixels(label, number, seed=salted("objectnet", seed), size=(30, 26))
    ImageDraw.Draw(picture).rectangle((0, 0, 29, 25), outline=(255, 0, 0))
    return picture


def miniature(folder: Path, seed: int) -> None:
    """Write it."""
    index, lemmas = imagenet_index(), synset_lemmas()
    groups = _groups()
    folders = {name.lower().replace(" ", "_"): name for name in groups}
    folders |= {name: name.capitalize() for name in _UNSCORED}
    scored = total = 0
    for at, (place, name) in enumerate(folders.items()):
        label = index[groups[name][0]] if name in groups else 2_000 + at
        for number in range(3 + at % 2):
            file = folder / "images" / place / f"{at:07x}{number:08x}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(encoded(_bordered(label, number, seed), file.name))
            total += 1
            scored += name in groups
    # The 2012 challenge numbers classes in an order of its own; here label i has number 999 - i.
    wnids = imagenet_wnids()
    place_ = folder / "mappings"
    place_.mkdir(parents=True, exist_ok=True)
    files = {
        "folder_to_objectnet_label.json": folders,
        "objectnet_to_imagenet_1k.json": {
            name: "; ".join(lemmas[w] for w in ids) for name, ids in groups.items()
        },
        "pytorch_to_imagenet_2012_id.json": {str(i): 999 - i for i in range(1000)},
    }
    for name, content in files.items():
        (place_ / name).write_text(json.dumps(content, indent=2), encoding="utf-8")
    lines = "".join(lemmas[w] + "\n" for w in reversed(wnids))
    (place_ / "imagenet_to_label_2012_v2").write_text(lines, encoding="utf-8")
    counts = {
        "test": Expected(scored, len(groups)),
        "all": Expected(total, len(folders), scored),
    }
    mark_miniature(folder, "objectnet", counts, seed)
