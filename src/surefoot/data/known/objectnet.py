"""ObjectNet: household objects from odd views; 113 of its 313 classes are ImageNet's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import DataError
from ..dataset import ClassMap, Split
from ..folder import from_folder
from .base import Expected, KnownDataset, Problem, expected_here, miniature_mark
from .cropped import Cropped
from .layout import (
    archive_problems,
    bad_image_problems,
    count_problems,
    few,
    not_there,
    plural,
    read_tree,
)
from .objectnet_maps import MAPPINGS, ObjectNetMap, read_maps
from .objectnet_miniature import miniature
from .parts import unknown_split

__all__ = ["BORDER", "OBJECTNET"]

BORDER = 2
"""Pixels cut from every side: the images have a red border of one, and its traces."""

_BETA_IMAGES = 23_700
"""About as many images has the partial copy that circulates (FLYP's, for one)."""


def _images(folder: Path) -> Path:
    return folder / "images"


def _present(folder: Path) -> bool:
    return _images(folder).is_dir() and (folder / "mappings").is_dir()


def _read(folder: Path, split: str) -> Split:
    """The images of the 113 classes ("test"), or of all 313 ("all"), border cut off."""
    if split not in OBJECTNET.splits:
        raise unknown_split("objectnet", split, OBJECTNET.splits)
    root = _images(folder)
    if not root.is_dir():
        raise not_there(OBJECTNET, [root.absolute()])
    maps = read_maps(folder)
    read = from_folder(root, name="objectnet", domain="OOD", use="test")
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
    if split == "all":
        return whole
    scored = [i for i, name in enumerate(names) if name in maps.wnids]
    position = {old: new for new, old in enumerate(scored)}
    labels = read.require_labels()
    kept = [i for i, label in enumerate(labels.tolist()) if label in position]
    taken = whole.take(kept)
    expected = expected_here(OBJECTNET, folder)["test"]
    if expected.classes is not None and len(scored) != expected.classes:
        raise DataError(
            f"{root} holds {len(scored)} of the {expected.classes} classes that are scored",
            expected=f"{expected.classes} class folders that are ImageNet's too",
            fix=f"`surefoot data check objectnet {folder}` says which are missing",
        )
    ours = taken.require_labels().copy()
    for old, new in position.items():
        ours[taken.require_labels() == old] = new
    return replace(taken, labels=ours, class_names=tuple(names[i] for i in scored))


def _class_map(folder: Path, split: Split, task_classes: Sequence[str]) -> ClassMap:
    """ObjectNet class -> all of its ImageNet classes that the task has; the others are left out."""
    here = set(task_classes)
    wnids: Mapping[str, tuple[str, ...]] = read_maps(folder).wnids
    pairs = {
        name: tuple(w for w in wnids[name] if w in here)
        for name in split.class_names
        if name in wnids
    }
    return ClassMap({n: (w[0] if len(w) == 1 else w) for n, w in pairs.items() if w})


def _inspect(folder: Path, full: bool) -> Sequence[Problem]:
    root = _images(folder)
    if not root.is_dir():
        return [Problem(f"the folder {root} does not exist", f"expected {OBJECTNET.layout[0]}")]
    expected = expected_here(OBJECTNET, folder)
    tree = read_tree(root)
    found = archive_problems(tree, "test")
    found += count_problems("all", expected["all"], tree.images, len(tree.counts))
    real = miniature_mark(folder) is None
    if real and abs(tree.images - _BETA_IMAGES) < 1_000:
        found.append(Problem(
            f"all: {tree.images:,} images is the size of an incomplete copy that circulates "
            "(FLYP's results are on 23.7k images); its scores are not comparable",
            f"get objectnet-1.0.zip from {OBJECTNET.homepage}", "all",
        ))  # fmt: skip
    try:
        maps = read_maps(folder)
    except DataError as error:
        return [*found, Problem(f"{error.wrong}", error.fix)]
    found += _against_maps(tree.counts, maps, expected["test"])
    if full and tree.images and all(tree.counts.values()):
        found += bad_image_problems(_read(folder, "all"), "all")
    return found


def _against_maps(
    counts: Mapping[str, int], maps: ObjectNetMap, expected: Expected
) -> list[Problem]:
    """Folders against the publisher's mapping, and the classes and images that are scored."""
    found = []
    missing = [f for f in maps.labels if not counts.get(f)]
    foreign = [f for f in counts if f not in maps.labels]
    if missing:
        scored = [f for f in missing if maps.labels[f] in maps.wnids]
        found.append(Problem(
            f"all: {plural(len(missing), 'class folder')} of the mapping missing or empty "
            f"({few(missing)}), {len(scored):,} of them scored",
            "the archive was extracted only in part", "all",
        ))  # fmt: skip
    if foreign:
        found.append(Problem(
            f"all: {plural(len(foreign), 'folder')} of no class of the mapping ({few(foreign)})",
            "remove them", "all",
        ))  # fmt: skip
    images = sum(n for f, n in counts.items() if maps.labels.get(f) in maps.wnids)
    classes = sum(n > 0 for f, n in counts.items() if maps.labels.get(f) in maps.wnids)
    return found + count_problems("test", expected, images, classes)


_SCORED = (
    "113 classes: the mapping files; images: all 13 accuracies on ObjectNet in benchmark.csv of "
    "github.com/LAION-AI/CLIP_benchmark are whole numbers of images of 18,574, and of no other "
    "number within 200. The authors of imagenet-testbed count 18,514 in their objectnet-1.0-beta"
)
_ALL = "313 classes: the mapping files; images: not confirmed by a publisher's page"

OBJECTNET = KnownDataset(
    name="objectnet",
    title="ObjectNet",
    summary="Objects in homes with controlled backgrounds, rotations and viewpoints; 113 of its "
    "313 classes are one or several of ImageNet's, and only those are scored.",
    homepage="https://objectnet.dev",
    citation="Barbu et al., ObjectNet: A large-scale bias-controlled dataset for pushing the "
    "limits of object recognition models, NeurIPS 2019",
    licence="derived from CC BY 4.0 with two clauses: never used to tune any model's parameters; "
    "single images are shown on the web only with their red border",
    layout=(
        "objectnet-1.0/images/air_freshener/*.png, ... (313 folders)",
        *(f"objectnet-1.0/mappings/{name}" for name in MAPPINGS),
    ),
    folders=("objectnet-1.0", "objectnet", "ObjectNet", "objectnet/objectnet-1.0"),
    splits={
        "test": Expected(18_574, 113, source=_SCORED),
        "all": Expected(50_273, 313, 18_574, source=_ALL),
    },
    default="test",
    metric="top1",
    domain="OOD",
    read=_read,
    inspect=_inspect,
    miniature=miniature,
    control="imagenet:val",
    needs=("mappings/ of the copy: which folder is which of ImageNet's classes",),
    class_source="the publisher's mapping files in the copy; 113 classes lead to 125 of "
    "ImageNet's 1,000, and the largest logit of a class's ids speaks for it",
    present=_present,
    class_map=_class_map,
    notes=(
        f"{BORDER} pixels are cut from every side of every image when it is read.",
        "Its licence forbids to train, or to choose anything, on it.",
        "FLYP's numbers are on an incomplete copy of 23.7k images: not comparable.",
    ),
)
