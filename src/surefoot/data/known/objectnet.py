"""ObjectNet: household objects from odd views; 113 of its 313 classes are ImageNet's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ...errors import DataError
from ..dataset import ClassMap, Images, Split
from ..sequence import content
from .base import Counts, KnownDataset
from .checks import (
    Problem,
    archive_problems,
    bad_image_problems,
    count_problems,
    few,
    read_tree,
    some,
)
from .facts import Expected, facts, miniature_mark
from .imagenet import miniature_wnids
from .objectnet_maps import MAPPINGS, ObjectNetMap, read_maps
from .pictures import encoded, pixels, salted, write_lines
from .wordnet import covering, imagenet_index, imagenet_wnids, synset_lemmas

__all__ = ["BORDER", "OBJECTNET", "Cropped"]

BORDER = 2
"""Pixels cut from every side: the images have a red border of one, and its traces."""

_BETA_IMAGES = 23_700
"""About as many images has the partial copy that circulates (FLYP's, for one)."""

_UNSCORED = ("coaster", "squeegee")
"""Classes of the miniature that are none of ImageNet's."""


class _ObjectNet(KnownDataset):
    """Class folders, and the mapping files that say what they are."""

    def _read(self, folder: Path, split: str) -> Split:
        """The images of the 113 classes ("test"), or of all 313 ("all"), border cut off."""
        root, maps = folder / "images", read_maps(folder)
        read = self.sorted_by_class(root, split)
        unknown = [c for c in read.class_names if c not in maps.labels]
        if unknown:
            raise DataError(
                f"{root} has {len(unknown)} folders that the publisher's mapping does not name "
                f"({few(unknown)})",
                expected="the folders of folder_to_objectnet_label.json",
                fix=f"`surefoot data check objectnet {folder}` says more",
            )
        names = tuple(maps.labels[c] for c in read.class_names)
        whole = replace(read, class_names=names, images=Cropped(read.images, BORDER))
        return whole if split == "all" else self._scored(whole, folder, maps)

    def _scored(self, whole: Split, folder: Path, maps: ObjectNetMap) -> Split:
        """The images of the classes that are ImageNet's too."""
        scored = [i for i, name in enumerate(whole.class_names) if name in maps.wnids]
        expected = self.expected(folder)["test"].classes
        if len(scored) != expected:
            raise DataError(
                f"{folder / 'images'} holds {len(scored)} of the {expected} classes that are "
                "scored",
                expected=f"{expected} class folders that are ImageNet's too",
                fix=f"`surefoot data check objectnet {folder}` says which are missing",
            )
        renumbered = np.full(len(whole.class_names), -1, dtype=np.int64)
        renumbered[scored] = np.arange(len(scored))
        labels = renumbered[whole.require_labels()]
        names = tuple(whole.class_names[i] for i in scored)
        kept = np.flatnonzero(labels >= 0)
        return replace(whole.take(kept), labels=labels[kept], class_names=names)

    def class_map(self, folder: Path, split: Split, task: Sequence[str]) -> ClassMap:
        """ObjectNet class -> all of its ImageNet classes that the task has."""
        return covering(read_maps(folder).wnids, split.class_names, task)

    def _problems(self, folder: Path, full: bool) -> list[Problem]:
        root, expected = folder / "images", self.expected(folder)
        if not root.is_dir():
            return [Problem(f"the folder {root} does not exist", f"expected {self.layout[0]}")]
        tree = read_tree(root)
        found = archive_problems(tree, "test")
        found += count_problems("all", expected["all"], tree.images, len(tree.counts))
        if miniature_mark(folder) is None and abs(tree.images - _BETA_IMAGES) < 1_000:
            found.append(Problem.of(
                "all",
                f"{tree.images:,} images is the size of an incomplete copy that circulates "
                "(FLYP's results are on 23.7k images); its scores are not comparable",
                f"get objectnet-1.0.zip from {self.homepage}",
            ))  # fmt: skip
        try:
            maps = read_maps(folder)
        except DataError as error:
            return [*found, Problem(error.wrong, error.fix)]
        found += _against_maps(tree.counts, maps, expected["test"])
        if full and tree.images and all(tree.counts.values()):
            found += bad_image_problems(self.read(folder, "all"), "all")
        return found

    def _miniature(self, folder: Path, seed: int) -> Counts:
        """A few folders, the four mapping files, and a red border on every image."""
        index, groups = imagenet_index(), _miniature_groups()
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
        _write_maps(folder / "mappings", folders, groups)
        return {"test": (scored, len(groups)), "all": (total, len(folders), scored)}


def _against_maps(
    counts: Mapping[str, int], maps: ObjectNetMap, expected: Expected
) -> list[Problem]:
    """Folders against the publisher's mapping, and the classes and images that are scored."""
    missing = [f for f in maps.labels if not counts.get(f)]
    foreign = [f for f in counts if f not in maps.labels]
    scored = sum(maps.is_scored(f) for f in missing)
    found = some(
        "all", missing, "class folder",
        f"of the mapping missing or empty ({{}}), {scored:,} of them scored",
        "the archive was extracted only in part",
    )  # fmt: skip
    found += some("all", foreign, "folder", "of no class of the mapping ({})", "remove them")
    images = {f: n for f, n in counts.items() if maps.is_scored(f)}
    classes = sum(n > 0 for n in images.values())
    return found + count_problems("test", expected, sum(images.values()), classes)


class Cropped:
    """Other images, without their outermost pixels.

    Args:
        images: What is decoded.
        border: Pixels to cut from each side.
    """

    def __init__(self, images: Images, border: int) -> None:
        self._images, self.border = images, border

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Image.Image:
        image = self._images[index]
        width, height = image.size
        cut = self.border
        if min(width, height) <= 2 * cut:
            raise OSError(f"{width} x {height} pixels are too few to cut a border of {cut}")
        return image.crop((cut, cut, width - cut, height - cut))

    def content(self, index: int) -> bytes:
        """The image's own, and the border."""
        mark = f"border {self.border} ".encode()
        return hashlib.sha256(mark + content(self._images, index)).digest()

    def id(self, index: int) -> str:
        """As the images' own."""
        return self._images.id(index)


def _miniature_groups() -> dict[str, tuple[str, ...]]:
    """Four scored classes over five of the family's miniature classes: the first has two ids."""
    wnids, lemmas = miniature_wnids(), synset_lemmas()
    parts = (wnids[0:2], wnids[3:4], wnids[5:6], wnids[7:8])
    return {lemmas[part[0]].split(",")[0].capitalize(): part for part in parts}


def _bordered(label: int, number: int, seed: int) -> Image.Image:
    picture = pixels(label, number, seed=salted("objectnet", seed), size=(30, 26))
    ImageDraw.Draw(picture).rectangle((0, 0, 29, 25), outline=(255, 0, 0))
    return picture


def _write_maps(
    place: Path, folders: Mapping[str, str], groups: Mapping[str, Sequence[str]]
) -> None:
    """The 2012 challenge numbers classes in an order of its own; here label i is 999 - i."""
    lemmas = synset_lemmas()
    write_lines(place / MAPPINGS[3], (lemmas[w] for w in reversed(imagenet_wnids())))
    joined = {name: "; ".join(lemmas[w] for w in ids) for name, ids in groups.items()}
    numbers = {str(i): 999 - i for i in range(1000)}
    for name, content_ in zip(MAPPINGS, (folders, joined, numbers), strict=False):
        (place / name).write_text(json.dumps(content_, indent=2), encoding="utf-8")


OBJECTNET = _ObjectNet(**facts("objectnet"))
