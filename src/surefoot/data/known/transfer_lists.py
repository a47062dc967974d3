"""DTD, SUN397, Food-101, Oxford Pets: images with the publisher's lists beside them.

Layouts are those that torchvision's classes read, and tests compare with these classes. They are
not used for reading: they want one name for the folder and give a label only with the image
decoded.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ...errors import DataError
from ..dataset import Split
from ..folder import image_extensions
from .base import Counts, KnownDataset
from .checks import AGAIN
from .facts import facts
from .files import in_order, one_of, read_text, reading
from .pictures import write_lines, write_picture

__all__ = ["DTD", "FOOD101", "PETS", "SUN397"]


class _Textures(KnownDataset):
    """DTD: lines such as "banded/banded_0002.jpg" in labels/train1.txt."""

    def _read(self, folder: Path, split: str) -> Split:
        """The first of the ten partitions that DTD ships with, as torchvision's default."""
        lines = read_text(folder / f"labels/{split}1.txt")
        classes = [line.partition("/")[0] for line in lines]
        names = sorted(set(classes))
        labels = np.array([names.index(c) for c in classes], dtype=np.int64)
        return self.listed(folder, split, [f"images/{line}" for line in lines], labels, names)

    def _miniature(self, folder: Path, seed: int) -> Counts:
        names = ("banded", "dotted", "zigzagged")
        for part, split in enumerate(self.splits):
            lines = [f"{name}/{name}_{part + 1:04d}.jpg" for name in names]
            for label, line in enumerate(lines):
                write_picture(folder / "images" / line, label, part, seed=seed)
            write_lines(folder / f"labels/{split}1.txt", lines)
        return dict.fromkeys(self.splits, (3, 3))


class _Places(KnownDataset):
    """SUN397: folders of folders; ClassName.txt has lines such as "/a/abbey"."""

    def _read(self, folder: Path, split: str) -> Split:
        names = tuple(line[3:] for line in read_text(folder / "ClassName.txt"))
        position = {name: i for i, name in enumerate(names)}
        whole = split == "all"
        paths = _sun_images(folder, names) if whole else self._partition(folder, split)
        classes = ["/".join(path.split("/")[1:-1]) for path in paths]
        foreign = sorted({c for c in classes if c not in position})
        if foreign:
            raise DataError(f"{folder}: {foreign[0]!r} is not in ClassName.txt", fix=AGAIN)
        labels = np.array([position[c] for c in classes], dtype=np.int64)
        more = {"version": "SUN397"} if whole else {}
        return self.listed(folder, split, paths, labels, names, **more)

    def _partition(self, folder: Path, split: str) -> list[str]:
        """Lines such as "/a/abbey/sun_aaa.jpg", of the lists that come as Partitions.zip."""
        name = "Training_01.txt" if split == "train" else "Testing_01.txt"
        places = (folder, folder / "Partitions", folder.parent, folder.parent / "Partitions")
        file = one_of([place / name for place in places])
        if file is None:
            raise DataError(
                f"there is no {folder / name} (nor beside the folder, nor in Partitions/)",
                expected="the list of the first partition",
                fix=f"fetch Partitions.zip from {self.homepage}, or use sun397:all",
            )
        return [line.lstrip("/") for line in read_text(file)]

    def _miniature(self, folder: Path, seed: int) -> Counts:
        names = ("a/abbey", "a/apartment_building/outdoor", "z/zen_garden")
        parts: dict[str, list[str]] = {"Training_01.txt": [], "Testing_01.txt": []}
        for label, name in enumerate(names):
            for number, lines in enumerate((*parts.values(), [])):
                path = f"{name}/sun_{'abc'[number] * 16}.jpg"
                write_picture(folder / path, label, number, seed=seed)
                lines.append(f"/{path}")
        for file, lines in parts.items():
            write_lines(folder / file, lines)
        write_lines(folder / "ClassName.txt", (f"/{name}" for name in names))
        return {"all": (9, 3), "train": (3, 3), "test": (3, 3)}


def _sun_images(folder: Path, names: tuple[str, ...]) -> list[str]:
    found: list[str] = []
    for name in names:
        inside = folder / name[0] / name
        if inside.is_dir():
            files = sorted(p.name for p in inside.iterdir() if p.name.startswith("sun_"))
            found += [f"{name[0]}/{name}/{file}" for file in files
                      if Path(file).suffix.lower() in image_extensions()]  # fmt: skip
    return found


class _Food(KnownDataset):
    """Food-101: meta/train.json holds class -> list of class/number."""

    def _read(self, folder: Path, split: str) -> Split:
        file = folder / f"meta/{split}.json"
        with reading(file, "list of images by class"):
            lists = json.loads(file.read_text(encoding="utf-8"))
            names = sorted(lists)
            paths = [f"images/{path}.jpg" for name in lists for path in lists[name]]
            labels = np.repeat([names.index(n) for n in lists], [len(lists[n]) for n in lists])
        return self.listed(folder, split, paths, labels.astype(np.int64), names)

    def _miniature(self, folder: Path, seed: int) -> Counts:
        names = ("apple_pie", "sushi", "waffles")
        for split, each, first in (("train", 3, 100), ("test", 1, 200)):
            lists = {name: [f"{name}/{first + i}" for i in range(each)] for name in names}
            for label, paths in enumerate(lists.values()):
                for number, path in enumerate(paths, first):
                    write_picture(folder / f"images/{path}.jpg", label, number, seed=seed)
            write_lines(folder / f"meta/{split}.txt", (p for ps in lists.values() for p in ps))
            (folder / f"meta/{split}.json").write_text(json.dumps(lists))
        write_lines(folder / "meta/classes.txt", names)
        return {"train": (9, 3), "test": (3, 3)}


class _Pets(KnownDataset):
    """Oxford Pets: lines "american_bulldog_100 2 2 1": file, class from 1, species, breed."""

    def _read(self, folder: Path, split: str) -> Split:
        file = folder / f"annotations/{split}.txt"
        rows = [line.split() for line in read_text(file) if not line.startswith("#")]
        odd = [" ".join(row) for row in rows if len(row) != 4 or not row[1].isdecimal()]
        if odd:
            raise DataError(
                f"{file} has the line {odd[0]!r}", expected="such as american_bulldog_100 2 2 1"
            )
        labels = np.array([int(row[1]) - 1 for row in rows], dtype=np.int64)
        names = in_order({int(row[1]) - 1: _breed(row[0]) for row in rows}, file)
        return self.listed(folder, split, [f"images/{row[0]}.jpg" for row in rows], labels, names)

    def _miniature(self, folder: Path, seed: int) -> Counts:
        breeds = ("Abyssinian", "american_bulldog", "yorkshire_terrier")
        for split, each, first in (("trainval", 3, 1), ("test", 2, 100)):
            lines = []
            for label, breed in enumerate(breeds):
                for i in range(first, first + each):
                    write_picture(folder / f"images/{breed}_{i}.jpg", label, i, seed=seed)
                    lines.append(f"{breed}_{i} {label + 1} {2 - breed[0].isupper()} 1")
            write_lines(folder / f"annotations/{split}.txt", lines)
        return {"trainval": (9, 3), "test": (6, 3)}


def _breed(image: str) -> str:
    """american_bulldog_100 -> American Bulldog."""
    return " ".join(part.title() for part in image.rsplit("_", 1)[0].split("_"))


DTD = _Textures(**facts("dtd"))
FOOD101 = _Food(**facts("food101"))
PETS = _Pets(**facts("pets"))
SUN397 = _Places(**facts("sun397"))
