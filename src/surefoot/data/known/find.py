"""From what a user types ("imagenet-r", "imagenet:val", "objectnet@DIR") to a split or a shift."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from ...errors import DataError, UnknownName
from ...registry import DATASETS, nearest
from ..dataset import Split, Use
from .base import KnownDataset
from .facts import aliases, miniature_mark

__all__ = [
    "CONTROL",
    "ROOT_VARIABLE",
    "KnownSpec",
    "as_known",
    "data_root",
    "folder_of",
    "full_name",
    "known_dataset",
    "known_names",
    "locate",
    "look",
    "parse_known",
    "read_known",
]

ROOT_VARIABLE = "SUREFOOT_DATA"
"""The environment variable that names the folder which holds the data sets."""

CONTROL = "control"
"""Behind a name ("imagenet-r:control"): its matched ID control instead of itself."""

_NOT_KNOWN = frozenset({"pictograms"})

_SPEC = re.compile(r"^(?P<name>[A-Za-z][\w.+-]*)(?::(?P<split>[\w.+-]+))?(?:@(?P<place>.+))?$")


def known_names() -> list[str]:
    """The names of all published data sets, sorted; nothing is imported."""
    return [name for name in DATASETS.names() if name not in _NOT_KNOWN]


def full_name(text: str) -> str | None:
    """The name of a data set from what a user types, which may be another name of it, or None."""
    plain = text.lower().replace("_", "-")
    return plain if plain in known_names() else aliases().get(plain)


def known_dataset(name: str) -> KnownDataset:
    """A published data set by its name or another name of it.

    Raises:
        UnknownName: There is none; the nearest names are given.
    """
    full = full_name(name)
    found = DATASETS.get(full) if full else None
    if isinstance(found, KnownDataset):
        return found
    names = known_names()
    raise UnknownName("dataset", name, names, nearest(name, names))


@dataclass(frozen=True)
class KnownSpec:
    """A published data set as typed.

    Attributes:
        known: The data set.
        split: One of its splits, "control", or None for the one that its role asks for.
        place: The folder behind "@", or None.
    """

    known: KnownDataset
    split: str | None
    place: Path | None

    def split_for(self, use: Use) -> str:
        """The split meant in a role."""
        return self.split or self.known.roles.get(use, self.known.default)

    def own_roles(self) -> dict[Use, str]:
        """Use -> split of validation and test that go with it as a training set."""
        roles = self.known.roles if self._as_published() else {}
        return {use: split for use, split in roles.items() if use != "train"}

    def own_shifts(self) -> dict[str, str]:
        """Name -> split of the shifts that it defines itself."""
        name, shifts = self.known.name, self.known.shifts if self._as_published() else ()
        return {f"{name}-{s}" if s in ("train", "val", "test") else s: s for s in shifts}

    def _as_published(self) -> bool:
        """Is it trained on the split that the roles go with?"""
        return self.split in (None, self.known.roles.get("train"))


def parse_known(text: str) -> KnownSpec | None:
    """A typed spec; None when it names no published data set.

    Raises:
        DataError: The data set has no such split.
    """
    found = _SPEC.match(text)
    if found is None:
        return None
    name = full_name(found["name"])
    if name is None:
        return None
    known = known_dataset(name)
    place = Path(found["place"]).expanduser() if found["place"] else None
    split = found["split"]
    splits = [*known.splits, *([CONTROL] if known.control else [])]
    if split is not None and split not in splits:
        near = nearest(split, splits, 1)
        raise DataError(
            f"{known.name!r} has no split {split!r}" + (f"; did you mean {near[0]!r}?"
                                                        if near else ""),
            expected=f"one of {', '.join(splits)}; {known.name} alone means {known.default}",
        )  # fmt: skip
    return KnownSpec(known, split, place)


def data_root(root: str | os.PathLike[str] | None) -> Path | None:
    """The folder that holds data sets: the one given, else the environment's, else None."""
    given = os.fspath(root) if root is not None else os.environ.get(ROOT_VARIABLE)
    return Path(given).expanduser() if given else None


def look(known: KnownDataset, root: Path) -> list[Path]:
    """The places at which a data set is looked for under a folder, in order."""
    return [root / folder for folder in known.folders] + [root]


def locate(known: KnownDataset, root: Path, *, itself: bool = False) -> Path | None:
    """The folder of a data set under ``root``; None when it is not there.

    Args:
        known: What is looked for.
        root: A folder that holds data sets, or the data set itself.
        itself: ``root`` was named as the data set: it is tried first, and taken if it exists
            and nothing better is found below.
    """
    places = look(known, root)
    if itself:
        places = [root, *places[:-1]]
    for place in places:
        present = known.present(place) if place.is_dir() else False
        if present or (present is None and place != root):
            return place  # where nothing can be told, the root is the last resort
    return root if itself and root.is_dir() and known.present(root) is None else None


def folder_of(spec: KnownSpec, root: str | os.PathLike[str] | None) -> Path:
    """The folder that a spec means.

    Raises:
        DataError: It is nowhere; every place looked at is named.
    """
    base = spec.place or data_root(root) or Path.cwd()
    folder = locate(spec.known, base, itself=spec.place is not None)
    if folder is None:
        raise spec.known.not_there(look(spec.known, base))
    return folder


def as_known(
    text: str | os.PathLike[str], root: str | os.PathLike[str] | None = None
) -> KnownSpec | None:
    """A typed spec that means a published data set; None where it means something else.

    A bare name that is also a folder here means that folder, unless a copy of the data set is
    where it would be looked for: somebody's own ``cars/`` of class folders stays usable.

    Raises:
        DataError: The data set has no such split.
    """
    typed = os.fspath(text)
    spec = parse_known(typed)
    if spec is None or spec.split or spec.place or not Path(typed).is_dir():
        return spec
    base = data_root(root) or Path.cwd()
    return spec if locate(spec.known, base) is not None else None


def read_known(
    spec: KnownSpec, *, use: Use = "test", root: str | os.PathLike[str] | None = None
) -> Split:
    """The split of a spec, in the data set's own classes, with version and licence.

    Args:
        spec: See :func:`parse_known`.
        use: The role, which says what the bare name means.
        root: The folder that holds data sets; else the environment variable SUREFOOT_DATA, else
            the current folder.

    Raises:
        DataError: It is not there or not readable; the message names the paths looked at.
    """
    split = spec.split_for(use)
    if split == CONTROL:
        raise DataError(
            f"'{spec.known.name}:{CONTROL}' can only be a shift",
            expected="the matched ID control, in the classes that a task shares with the target",
            fix=f"give it as --shift NAME={spec.known.name}:{CONTROL}",
        )
    folder = folder_of(spec, root)
    read = spec.known.read(folder, split)
    version = read.version if read.version != "unversioned" else spec.known.name
    notes = read.notes
    if miniature_mark(folder) is not None:
        version = f"miniature of {version}"
        notes = (*notes, f"{spec.known.name} is a generated miniature, not the data set")
    return replace(read, version=version, notes=notes, use=use, domain=spec.known.domain)
