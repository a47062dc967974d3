"""DTD, SUN397, Food-101: images with the publisher's lists beside them.

Layouts are those that torchvision's classes read, and tests compare with these classes. They are
not used for reading: they want one name for the folder and give a label only with the image
decoded.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ...errors import DataError
from ...records import write_atomic
from ..dataset import Split
from ..folder import image_extensions
from .base import Expected, KnownDataset, mark_miniature
from .parts import AGAIN, Listing, inspect_splits, read_text, split_of, unknown_split
from .pictures import write_picture

__all__ = ["DTD", "FOOD101", "SUN397"]


def _read_dtd(folder: Path, split: str) -> Split:
    """The first of the ten partitions that DTD ships with, as torchvision reads by default."""
    if split not in DTD.splits:
        raise unknown_split("dtd", split, DTD.splits)
    lines = read_text(folder / f"labels/{split}1.txt")
    classes = [line.partition("/")[0] for line in lines]
    names = tuple(sorted(set(classes)))
    labels = np.array([names.index(c) for c in classes], dtype=np.int64)
    listing = Listing([f"images/{line}" for line in lines], labels, names)
    return split_of(DTD, folder, split, listing, domain="ID", version="dtd-r1.0.1, partition 1")


def _miniature_dtd(folder: Path, seed: int) -> None:
    counts = {}
    (folder / "labels").mkdir(parents=True, exist_ok=True)
    for part, split in enumerate(("train", "val", "test")):
        lines = [f"{name}/{name}_{part + 1:04d}.jpg" for name in ("banded", "dotted", "zigzagged")]
        for label, line in enumerate(lines):
            write_picture(folder / "images" / line, label, part, seed=seed)
        write_atomic(folder / f"labels/{split}1.txt", "\n".join(lines) + "\n")
        counts[split] = Expected(3, 3, source="miniature")
    mark_miniature(folder, "dtd", counts, seed)


def _read_sun(folder: Path, split: str) -> Split:
    if split not in SUN397.splits:
        raise unknown_split("sun397", split, SUN397.splits)
    names = tuple(line[3:] for line in read_text(folder / "ClassName.txt"))  # "/a/abbey"
    position = {name: i for i, name in enumerate(names)}
    paths = _sun_images(folder, names) if split == "all" else _sun_partition(folder, split)
    classes = ["/".join(path.split("/")[1:-1]) for path in paths]
    foreign = sorted({c for c in classes if c not in position})
    if foreign:
        raise DataError(f"{folder}: {foreign[0]!r} is not in ClassName.txt", fix=AGAIN)
    labels = np.array([position[c] for c in classes], dtype=np.int64)
    return split_of(
        SUN397, folder, split, Listing(paths, labels, names), domain="ID",
        version="SUN397" if split == "all" else "SUN397, partition 1",
    )  # fmt: skip


def _sun_images(folder: Path, names: tuple[str, ...]) -> list[str]:
    found: list[str] = []
    for name in names:
        inside = folder / name[0] / name
        if inside.is_dir():
            files = sorted(p.name for p in inside.iterdir() if p.name.startswith("sun_"))
            found += [f"{name[0]}/{name}/{file}" for file in files
                      if Path(file).suffix.lower() in image_extensions()]  # fmt: skip
    return found


def _sun_partition(folder: Path, split: str) -> list[str]:
    """Lines such as "/a/abbey/sun_aaa.jpg", of the lists that come as Partitions.zip."""
    name = "Training_01.txt" if split == "train" else "Testing_01.txt"
    for place in (folder, folder / "Partitions", folder.parent, folder.parent / "Partitions"):
        if (place / name).is_file():
            return [line.lstrip("/") for line in read_text(place / name)]
    raise DataError(
        f"there is no {folder / name} (nor beside the folder, nor in Partitions/)",
        expected="the list of the first partition",
        fix=f"fetch Partitions.zip from {SUN397.homepage}, or use sun397:all",
    )


def _miniature_sun(folder: Path, seed: int) -> None:
    names = ("a/abbey", "a/apartment_building/outdoor", "z/zen_garden")
    parts: dict[str, list[str]] = {"Training_01.txt": [], "Testing_01.txt": []}
    for label, name in enumerate(names):
        for number, lines in enumerate((*parts.values(), [])):
            path = f"{name}/sun_{'abc'[number] * 16}.jpg"
            write_picture(folder / path, label, number, seed=seed)
            lines.append(f"/{path}")
    for file, lines in parts.items():
        write_atomic(folder / file, "\n".join(lines) + "\n")
    write_atomic(folder / "ClassName.txt", "".join(f"/{name}\n" for name in names))
    counts = {k: Expected(n, 3, source="miniature") for k, n in
              (("all", 9), ("train", 3), ("test", 3))}  # fmt: skip
    mark_miniature(folder, "sun397", counts, seed)


def _read_food(folder: Path, split: str) -> Split:
    if split not in FOOD101.splits:
        raise unknown_split("food101", split, FOOD101.splits)
    file = folder / f"meta/{split}.json"
    try:
        lists = json.loads("\n".join(read_text(file)))
        names = tuple(sorted(lists))
        paths = [f"images/{path}.jpg" for name in lists for path in lists[name]]
        sizes = [len(lists[name]) for name in lists]
    except (ValueError, TypeError) as error:
        raise DataError(f"{file} is no list of images by class ({error})", fix=AGAIN) from error
    labels = np.repeat([names.index(name) for name in lists], sizes).astype(np.int64)
    return split_of(FOOD101, folder, split, Listing(paths, labels, names), domain="ID")


def _miniature_food(folder: Path, seed: int) -> None:
    names, counts = ("apple_pie", "sushi", "waffles"), {}
    (folder / "meta").mkdir(parents=True, exist_ok=True)
    for split, each, first in (("train", 3, 100), ("test", 1, 200)):
        lists = {name: [f"{name}/{first + i}" for i in range(each)] for name in names}
        for label, paths in enumerate(lists.values()):
            for number, path in enumerate(paths):
                write_picture(folder / f"images/{path}.jpg", label, first + number, seed=seed)
        write_atomic(folder / f"meta/{split}.json", json.dumps(lists))
        listed = "".join(f"{path}\n" for paths in lists.values() for path in paths)
        write_atomic(folder / f"meta/{split}.txt", listed)
        counts[split] = Expected(3 * each, 3, source="miniature")
    write_atomic(folder / "meta/classes.txt", "".join(f"{name}\n" for name in names))
    mark_miniature(folder, "food101", counts, seed)


DTD: KnownDataset = KnownDataset(
    name="dtd",
    title="Describable Textures",
    summary="5,640 photographs of textures in 47 words that people use for them.",
    homepage="https://www.robots.ox.ac.uk/~vgg/data/dtd/",
    citation="M. Cimpoi, S. Maji, I. Kokkinos, S. Mohamed, A. Vedaldi, "
    '"Describing Textures in the Wild", CVPR 2014, arXiv 1311.3618',
    licence="for research purposes (the publisher's page)",
    layout=(
        "dtd/",
        "  images/<class>/<class>_0001.jpg",
        "  labels/{train,val,test}{1,...,10}.txt   lines: class/file",
    ),
    folders=("dtd/dtd", "dtd", "DTD"),
    splits={
        name: Expected(1_880, 47, source="publisher's r1.0.1 lists as mmpretrain documents them")
        for name in ("train", "val", "test")
    },
    default="test",
    metric="top1",
    domain="ID",
    read=_read_dtd,
    inspect=lambda folder, full: inspect_splits(DTD, folder, full),
    miniature=_miniature_dtd,
    class_source="class folders named in the lists, sorted",
    present=lambda folder: (folder / "labels").is_dir() and (folder / "images").is_dir(),
    roles={"train": "train", "val": "val", "test": "test"},
)

SUN397: KnownDataset = KnownDataset(
    name="sun397",
    title="SUN397",
    summary="108,754 photographs of 397 kinds of places.",
    homepage="https://vision.princeton.edu/projects/2010/SUN/",
    citation='J. Xiao, J. Hays, K. Ehinger, A. Oliva, A. Torralba, "SUN Database: Large-scale '
    'Scene Recognition from Abbey to Zoo", CVPR 2010',
    licence="not stated",
    layout=(
        "SUN397/",
        "  ClassName.txt                        lines: /a/abbey",
        "  a/abbey/sun_*.jpg, ...",
        "  Training_01.txt, Testing_01.txt      of Partitions.zip; here, beside or in Partitions/",
    ),
    folders=("SUN397", "sun397/SUN397", "sun397"),
    splits={
        "all": Expected(108_754, 397, source="torchvision.datasets.SUN397 (documentation)"),
        "train": Expected(None, 397, source="not confirmed: no count of the first partition"),
        "test": Expected(None, 397, source="not confirmed: no count of the first partition"),
    },
    default="test",
    metric="top1",
    domain="ID",
    read=_read_sun,
    inspect=lambda folder, full: inspect_splits(SUN397, folder, full),
    miniature=_miniature_sun,
    needs=("Training_01.txt and Testing_01.txt of Partitions.zip, for the splits train and test",),
    class_source="ClassName.txt of the copy",
    present=lambda folder: (folder / "ClassName.txt").is_file() and (folder / "a").is_dir(),
    roles={"train": "train", "test": "test"},
)

FOOD101: KnownDataset = KnownDataset(
    name="food101",
    title="Food-101",
    summary="101,000 photographs of 101 dishes; the training images are not cleaned.",
    homepage="https://data.vision.ee.ethz.ch/cvl/datasets_extra/food-101/",
    citation='L. Bossard, M. Guillaumin, L. Van Gool, "Food-101 - Mining Discriminative '
    'Components with Random Forests", ECCV 2014',
    licence="not stated; the images are from foodspotting.com",
    layout=(
        "food-101/",
        "  images/<class>/<number>.jpg",
        "  meta/train.json, meta/test.json   class -> list of class/number",
    ),
    folders=("food-101", "food101/food-101", "food101"),
    splits={
        "train": Expected(75_750, 101, source="torchvision.datasets.Food101 (750 of each class)"),
        "test": Expected(25_250, 101, source="torchvision.datasets.Food101 (250 of each class)"),
    },
    default="test",
    metric="top1",
    domain="ID",
    read=_read_food,
    inspect=lambda folder, full: inspect_splits(FOOD101, folder, full),
    miniature=_miniature_food,
    class_source="keys of the lists, sorted",
    aliases=("food-101",),
    present=lambda folder: (folder / "meta").is_dir() and (folder / "images").is_dir(),
    roles={"train": "train", "test": "test"},
)
