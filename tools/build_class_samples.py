"""Writes known/tables/class_samples.json: two file names of every class of four published sets.

A folder whose files belong to another class than its name says was put in the wrong order; two
names per class are enough to notice. The lists are those that the authors of ImageNetV2 publish:
data/datasets/imagenetv2-{a-44,b-33,c-12}.json and imagenet-validation-original.json of
github.com/modestyachts/ImageNetV2 (MIT; read at commit 0b0c3fe8).

    python tools/build_class_samples.py CLONE_OF_IMAGENETV2
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from surefoot.data.known.wordnet import imagenet_wnids
from surefoot.records import write_atomic

LISTS = {
    "imagenetv2-threshold-0.7": "imagenetv2-a-44",
    "imagenetv2-matched-frequency": "imagenetv2-b-33",
    "imagenetv2-top-images": "imagenetv2-c-12",
    "imagenet:val": "imagenet-validation-original",
}
OUT = Path(__file__).parents[1] / "src/surefoot/data/known/tables/class_samples.json"


def short(name: str) -> str:
    """The first 8 digits of an id; the 8 digits of ILSVRC2012_val_00000293.JPEG."""
    return Path(name).stem.removeprefix("ILSVRC2012_val_")[:8]


def main(clone: Path) -> None:
    tables: dict[str, list[str]] = {}
    sources: dict[str, str] = {}
    for dataset, listed in LISTS.items():
        file = clone / "data" / "datasets" / f"{listed}.json"
        data = file.read_bytes()
        sources[dataset] = f"{file.name}, sha256 {hashlib.sha256(data).hexdigest()}"
        per_class: dict[str, list[str]] = {wnid: [] for wnid in imagenet_wnids()}
        for name, wnid in json.loads(data)["image_filenames"]:
            per_class[wnid].append(short(name))
        every = [n for names in per_class.values() for n in names]
        assert len(set(every)) == len(every), "short names must stay distinct"
        tables[dataset] = ["".join(sorted(names)[:2]) for names in per_class.values()]
    rows = {name: " ".join(table) for name, table in tables.items()}
    text = json.dumps({"sources": sources, "samples": rows}, indent=0)
    write_atomic(OUT, text + "\n")
    print(f"{OUT}: {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
