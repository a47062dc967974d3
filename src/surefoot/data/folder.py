"""Reads a folder of class folders."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import DataError
from .building import Found, built
from .dataset import Domain, Split, Use
from .grouping import role_of
from .images import NOT_DECODED, FileImages
from .strings import Strings, natural

__all__ = ["LAYOUT", "from_folder", "image_extensions", "images_below"]

LAYOUT = "a folder with one folder of images per class: DIR/cat/1.jpg, DIR/dog/2.png, ..."


@lru_cache(maxsize=1)
def image_extensions() -> frozenset[str]:
    """Extensions, such as ".png", of the formats that Pillow can decode to pixels."""
    table = Image.registered_extensions()  # loads every plug-in of Pillow
    return frozenset(
        ext for ext, kind in table.items() if kind in Image.OPEN and kind not in NOT_DECODED
    )


def from_folder(
    path: str | os.PathLike[str],
    *,
    name: str,
    domain: Domain,
    use: Use,
    class_names: Sequence[str] | None = None,
) -> Split:
    """A split from class folders; images may lie deeper, hidden files are ignored.

    Classes are sorted, as numbers when all are numbers. Paths are kept in one buffer: memory
    stays small for millions of images.

    Args:
        path: The folder.
        name: Of the split.
        domain: "ID" or "OOD".
        use: "train", "val" or "test".
        class_names: The label order wanted (that of the training set); the folder may lack some.

    Raises:
        DataError: No folder there, no class folders in it, or a class folder without images.
        ClassMismatch: A class folder that ``class_names`` does not have.
    """
    root = Path(path)
    classes, beside = _class_folders(root)
    counts: dict[str, int] = {}
    other = _Ignored()

    def found() -> Iterator[str]:
        for folder in classes:
            inside = sorted(_images(root / folder, folder, other))
            counts[folder] = len(inside)
            yield from inside

    paths = Strings(found())
    _require_filled(root, counts)
    held = Found(
        FileImages(root, paths),
        str(root),
        np.repeat(np.arange(len(classes)), [counts[c] for c in classes]),
        classes,
        notes=_alike(root, classes),
        left_out=_left_out(name, beside, other),
    )
    return built(held, name=name, domain=domain, use=use, class_names=class_names)


class _Ignored:
    """Files that are no images: how many, and the first few."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[str] = []

    def add(self, path: str) -> None:
        self.count += 1
        if len(self.first) < 3:
            self.first.append(path)


def _class_folders(root: Path) -> tuple[list[str], list[str]]:
    """Names of the class folders in label order, and of image files beside them."""
    if not root.is_dir():
        kind = "is a file, not a folder" if root.exists() else "does not exist"
        raise DataError(
            f"the image folder {root} {kind} (looked at {root.absolute()})",
            expected=LAYOUT,
            fix="correct the path",
        )
    folders, beside = [], []
    with os.scandir(root) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                folders.append(entry.name)
            elif _leads_nowhere(entry):
                raise DataError(
                    f"{entry.name!r} in {root} is a link to {os.readlink(entry.path)}, which is "
                    "not there",
                    expected=LAYOUT,
                    fix="mend the link, or remove it if the class is not wanted",
                )
            elif os.path.splitext(entry.name)[1].lower() in image_extensions():
                beside.append(entry.name)
    if not folders:
        what = f"holds {len(beside)} images but no class folders" if beside else "is empty"
        raise DataError(
            f"the folder {root} {what}",
            expected=LAYOUT,
            fix="put the images of each class into a folder with its name, or list them in a "
            "table with the columns path and label (CSV or Parquet)",
        )
    _refuse_roles(root, folders)
    return natural(folders), sorted(beside)


def _leads_nowhere(entry: os.DirEntry[str]) -> bool:
    """Is it a link to what was a folder, by its name?"""
    gone = entry.is_symlink() and not os.path.exists(entry.path)
    return gone and not os.path.splitext(entry.name)[1]


def _refuse_roles(root: Path, folders: list[str]) -> None:
    """A folder of train/ and test/ is one level too high: its "classes" would be the splits."""
    roles = [f for f in folders if role_of(f)]
    inside = {f: _folders(root / f) for f in folders} if roles or len(folders) == 1 else {}
    if len(inside) == 1 and len(only := inside[folders[0]]) > 1 and _none_beside(root / folders[0]):
        raise DataError(
            f"{root} holds one folder, {folders[0]!r}, with the folders "
            f"{', '.join(sorted(only)[:8])}{', ...' * (len(only) > 8)} inside: with it for a class "
            "there is nothing to tell apart",
            expected=LAYOUT,
            fix=f"give the folder inside, {root / folders[0]}",
        )
    if not roles:
        return
    nested = [f for f in roles if inside[f]]
    # Shifted sets may lie beside train/ and test/: then all hold folders, some of the same names.
    alike = all(inside[f] & inside[r] for f in folders for r in nested)
    if nested and (len(roles) == len(folders) or alike):
        raise DataError(
            f"the folders in {root} are splits ({', '.join(sorted(folders))}), not classes",
            expected=LAYOUT,
            fix=f"give each by itself, such as --train {root / sorted(nested)[-1]}",
        )


def _folders(path: Path) -> set[str]:
    """Names of the folders inside that are not hidden."""
    return {p.name for p in path.iterdir() if p.is_dir() and not p.name.startswith(".")}


def _none_beside(path: Path) -> bool:
    """Whether no image lies in the folder itself."""
    return not any(p.suffix.lower() in image_extensions() for p in path.iterdir())


def _alike(root: Path, classes: list[str]) -> tuple[str, ...]:
    """Class folders that hold the same folders may be domains, and those the classes."""
    inside = [_folders(root / c) for c in classes]
    shared = set.intersection(*inside)
    if len(classes) < 2 or len(shared) < 2 or shared != set.union(*inside):
        return ()
    if not all(_none_beside(root / c) for c in classes):
        return ()
    return (
        f"WARNING: every folder of {root} holds the same folders "
        f"({', '.join(sorted(shared)[:6])}{', ...' * (len(shared) > 6)}): where those are the "
        f"classes, give {root / classes[0]} and the others one by one",
    )


def _images(folder: Path, prefix: str, other: _Ignored) -> list[str]:
    """Paths, relative to the root, of the images at any depth; links are followed once."""
    found: list[str] = []
    seen: set[tuple[int, int]] = set()
    todo = [(str(folder), prefix)]
    while todo:
        at, relative = todo.pop()
        status = os.stat(at)
        if status.st_ino and (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(at) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                below = f"{relative}/{entry.name}"
                if entry.is_dir():
                    todo.append((entry.path, below))
                elif os.path.splitext(entry.name)[1].lower() in image_extensions():
                    found.append(below)
                else:
                    other.add(below)
    return found


def _require_filled(root: Path, counts: dict[str, int]) -> None:
    empty = [c for c, n in counts.items() if not n]
    if empty:
        more = f" and {len(empty) - 8} more" if len(empty) > 8 else ""
        raise DataError(
            f"the class folder {', '.join(repr(c) for c in empty[:8])}{more} in {root} "
            "holds no images",
            expected="at least one image in every class folder (.jpg, .png, .webp, .bmp, ...)",
            fix="add images, or remove the folder if the class is not wanted",
        )


def _left_out(name: str, beside: list[str], other: _Ignored) -> dict[str, int]:
    image = "image beside the class folders is"
    images = "images beside the class folders are"
    file, files = "file that is no image is", "files that are no images are"
    shown = ", ".join(other.first)
    return {
        f"{name}: {len(beside)} {image if len(beside) == 1 else images} ignored": len(beside),
        f"{name}: {other.count} {file if other.count == 1 else files} ignored ({shown})":
            other.count,
    }  # fmt: skip


def images_below(path: Path) -> Split | None:
    """Every image below one folder as a split without labels; None when there is none."""
    paths = Strings(p.removeprefix("./") for p in sorted(_images(path, ".", _Ignored())))
    if not len(paths):
        return None
    return Split(path.name, FileImages(path, paths), None, (), "ID", "test", source=str(path))
