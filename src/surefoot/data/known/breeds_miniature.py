"""A tiny BREEDS task: a small tree over some of ImageNet's classes, and their images."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

from .base import Expected, mark_miniature
from .hierarchy import FILES, ROOT, read_hierarchy, superclasses
from .pictures import class_folders, salted
from .wordnet import imagenet_index, imagenet_wnids, synset_lemmas

__all__ = ["miniature"]

_SUPERCLASSES = 3


def miniature(
    name: str, level: int, ancestor: str | None, subclasses: int, folder: Path, seed: int
) -> None:
    """Write one: three superclasses with enough subclasses, and one with too few.

    Args:
        name: "living-17" or "entity-30".
        level: Of the superclasses.
        ancestor: Below which they lie; None: the root.
        subclasses: That each must have.
        folder: A new folder.
        seed: Of the pictures.
    """
    place = folder / "BREEDS-Benchmarks/imagenet_class_hierarchy/modified"
    place.mkdir(parents=True, exist_ok=True)
    leaves = _write_tree(place, level, ancestor, subclasses)
    index = imagenet_index()
    used = [(w, index[w]) for w in sorted(leaves)]
    train = [(w, label, [f"{w}_{i}.JPEG" for i in range(3)]) for w, label in used]
    val = [
        (w, label, [f"ILSVRC2012_val_{90_000_000 + 10 * label + i}.JPEG" for i in range(2)])
        for w, label in used
    ]
    class_folders(folder / "imagenet/train", train, seed=salted("train", seed))
    class_folders(folder / "imagenet/val", val, seed=salted("val", seed))
    found = superclasses(
        read_hierarchy(place), level=level, ancestor=ancestor, subclasses=subclasses
    )
    half = len(found) * subclasses // 2
    counts = {
        f"{side}-{part}": Expected(half * each, len(found))
        for side in ("source", "target")
        for part, each in (("train", 3), ("val", 2))
    }
    mark_miniature(folder, name, counts, seed)


def _write_tree(place: Path, level: int, ancestor: str | None, subclasses: int) -> list[str]:
    """The three files; returns the classes that are used."""
    wnids, names = imagenet_wnids(), synset_lemmas()
    edges: list[tuple[str, str]] = []
    called = {ROOT: "entity"}
    chain = [ROOT, *([ancestor] if ancestor else [])]
    while len(chain) < level:
        chain.append(f"step{len(chain):02d}")
    edges += list(pairwise(chain))
    called |= {node: f"level {i}" for i, node in enumerate(chain) if node != ROOT}
    used: list[str] = []
    for at in range(_SUPERCLASSES + 1):
        node = f"super{at:02d}"
        called[node] = f"kind {at}"
        edges.append((chain[-1], node))
        count = subclasses + 1 if at < _SUPERCLASSES else subclasses - 1
        mine = wnids[20 * at : 20 * at + count]
        middle = f"middle{at:02d}"
        called[middle] = f"some of kind {at}"
        edges.append((node, middle))  # half of the classes lie one step deeper
        edges += [(middle if i % 2 else node, w) for i, w in enumerate(mine)]
        used += mine
    if ancestor:  # an equally deep branch that is not below the ancestor
        others = [ROOT, *(f"other{i:02d}" for i in range(level))]
        edges += list(pairwise(others))
        edges += [(others[-1], w) for w in wnids[200 : 200 + subclasses]]
    info = [[i, w, names[w]] for i, w in enumerate(wnids)]
    (place / FILES[0]).write_text(json.dumps(info))
    (place / FILES[1]).write_text("".join(f"{a} {b}\n" for a, b in edges))
    (place / FILES[2]).write_text("".join(f"{n}\t{text}\n" for n, text in called.items()))
    return used
