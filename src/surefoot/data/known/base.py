"""What every published data set can do: be found, read, checked, and made in miniature.

Its facts are in ``sets/NAME.yaml``; one module per family says how the files become splits.
``registry.DATASETS`` maps names to data sets. Places and specs ("imagenet-r", "imagenet:val",
"objectnet@DIR") are resolved in :mod:`surefoot.data.known.find`.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...errors import BadImages, DataError
from ..dataset import ClassMap, Domain, Images, Split, Use
from ..folder import from_folder
from ..images import FileImages
from .checks import (
    AGAIN,
    Problem,
    bad_image_problems,
    count_problems,
    empty_problems,
    leftover_archives,
    missing_problems,
)
from .facts import Expected, mark_miniature, miniature_mark

__all__ = ["Counts", "KnownDataset"]

Counts = Mapping[str, tuple[int | None, ...]]
"""Of a miniature: split -> images, classes, scored; as many of them as there are."""


@dataclass(frozen=True, eq=False, kw_only=True)
class KnownDataset(ABC):
    """A published data set in the layout that it ships with.

    Attributes:
        name: "imagenet-r"; the registry's key.
        title: "ImageNet-R(endition)".
        summary: One or two sentences: what it is, what it asks of a model.
        homepage: Where it comes from.
        citation: Authors, title, venue, arXiv id.
        licence: As the publisher states it; "not stated" where it doesn't.
        layout: Lines that draw the folder, for errors and `surefoot show`.
        folders: Names under a data root at which it is looked for, first match wins; the root
            itself is tried as well.
        contains: Files and folders ("images/") that every copy has, by which it is known under a
            root; none: it cannot be told, and every folder of ``folders`` that exists is taken.
        splits: Name -> published counts.
        optional: Splits that a copy need not have, and what there is of them where it has them
            (patterns of files and folders).
        ood: Splits that are shifted, where others of the data set are not.
        default: The split that the bare name means.
        metric: Of surefoot.metrics: "top1", "per_class", "macro_f1", "worst_group:region", "pm10".
        metrics: Metrics of single splits that differ from ``metric``.
        domain: What it is beside its family's training set.
        control: The matched ID control as a spec ("imagenet:val" in the same classes), or None.
        needs: Files or packages it needs beside the images, and what for.
        class_source: Where its class names and maps come from.
        kind: What a split of it holds.
        aliases: Other names that users type.
        roles: Which split the bare name means in which role, where that is not ``default``:
            {"train": "train", "val": "id_val", "test": "id_test"}. With ``--train NAME`` and
            nothing else, validation and test come from here.
        shifts: Splits of its own that are its shifts with ``--train NAME`` and no --shift.
        prompts: Class -> how prompts call it, where that is a fact and not computed.
        templates: The prompt set that papers use with it ("openai_imagenet"), or None.
        version: Of the data, as splits state it.
        notes: Facts a user should know, one sentence each; "not confirmed: ..." among them.
    """

    name: str
    title: str
    summary: str
    homepage: str
    citation: str
    licence: str
    layout: tuple[str, ...]
    folders: tuple[str, ...]
    contains: tuple[str, ...] = ()
    splits: Mapping[str, Expected]
    optional: Mapping[str, Sequence[str]] = field(default_factory=dict)
    ood: tuple[str, ...] = ()
    default: str
    metric: str
    metrics: Mapping[str, str] = field(default_factory=dict)
    domain: Domain
    control: str | None = None
    needs: tuple[str, ...] = ()
    class_source: str
    kind: Literal["images", "captions", "frames"] = "images"
    aliases: tuple[str, ...] = ()
    roles: Mapping[Use, str] = field(default_factory=dict)
    shifts: tuple[str, ...] = ()
    prompts: Mapping[str, str] = field(default_factory=dict)
    templates: str | None = None
    version: str = "unversioned"
    notes: tuple[str, ...] = ()

    def metric_of(self, split: str) -> str:
        """The metric of one of its splits."""
        return self.metrics.get(split, self.metric)

    def domain_of(self, split: str) -> Domain:
        """Whether one of its splits is in the training distribution of its family."""
        return "OOD" if split in self.ood else self.domain

    def use_of(self, split: str) -> Use:
        """What one of its splits may be used for: its role, else what its name says."""
        for use, name in self.roles.items():
            if name == split:
                return use
        if "train" in split and "test" not in split:
            return "train"
        return "val" if "val" in split else "test"

    def prompt_names(self) -> Mapping[str, str]:
        """Class -> how prompts call it; of classes that are left out: themselves."""
        return self.prompts

    def class_map(self, folder: Path, split: Split, task: Sequence[str]) -> ClassMap | None:
        """How the classes of a split become a task's, for a Shift; None: by equal names."""
        return None

    def present(self, folder: Path) -> bool | None:
        """Is this folder such a data set, as far as a glance tells? None where none can."""
        if not self.contains:
            return None
        return all(
            (folder / name).is_dir() if name.endswith("/") else (folder / name).is_file()
            for name in self.contains
        )

    def expected(self, folder: Path) -> Mapping[str, Expected]:
        """The counts that this copy should have: the published ones, or a miniature's own.

        Raises:
            DataError: The folder is a miniature of another data set, or its mark is unreadable.
        """
        mark = miniature_mark(folder)
        if mark is None:
            return self.splits
        if self.name not in mark:
            raise DataError(
                f"{folder} is a miniature of {', '.join(mark)}, not of {self.name}",
                fix=f"make one with `surefoot data miniature {self.name} DIR`",
            )
        return {split: Expected(**counts) for split, counts in mark[self.name]["splits"].items()}

    def read(self, folder: Path, split: str) -> Split:
        """One of its splits, in its own classes.

        Raises:
            DataError: There is no such split, or its files are missing or damaged; the message
                names the path looked at.
        """
        if split not in self.splits:
            raise DataError(
                f"{self.name} has no split {split!r}",
                expected=f"one of {', '.join(self.splits)}",
                fix=f"write {self.name}:SPLIT",
            )
        if not folder.is_dir():
            raise self.not_there([folder])
        return self._read(folder, split)

    @abstractmethod
    def _read(self, folder: Path, split: str) -> Split:
        """The same, of a split that there is in a folder that exists."""

    def inspect(self, folder: Path, full: bool) -> Sequence[Problem]:
        """Every problem of a local copy; ``full`` opens every image."""
        if not folder.is_dir():
            return [Problem(f"there is no folder {folder}", f"{self.title}: {self.homepage}")]
        return self._problems(folder, full)

    def _problems(self, folder: Path, full: bool) -> list[Problem]:
        """Split by split, as they are read; families whose layout says more look closer."""
        found = []
        for name, counts in self.expected(folder).items():
            patterns = self.optional.get(name)
            if patterns is None or any(any(folder.glob(pattern)) for pattern in patterns):
                found += self._split_problems(folder, name, counts, full)
        return [*found, *leftover_archives(folder)] if found else found

    def _split_problems(
        self, folder: Path, name: str, expected: Expected, full: bool
    ) -> list[Problem]:
        try:
            split = self.read(folder, name)
        except BadImages as error:
            return missing_problems(name, error, expected)
        except DataError as error:
            return [Problem.of(name, error.wrong, error.fix or AGAIN)]
        if split.labels is None:
            expected, classes = replace(expected, classes=None), 0
        else:
            classes = len(np.unique(split.labels))
        found = count_problems(name, expected, len(split), classes)
        return found + (bad_image_problems if full else empty_problems)(split, name)

    def miniature(self, folder: Path, seed: int) -> None:
        """Write a tiny copy in exactly this layout, and its mark."""
        folder.mkdir(parents=True, exist_ok=True)
        counts = self._miniature(folder, seed)
        expected = {name: _written(*held) for name, held in counts.items()}
        mark_miniature(folder, self.name, expected, seed)

    @abstractmethod
    def _miniature(self, folder: Path, seed: int) -> Counts:
        """Write the files; what is written is returned, so that readers are held against it."""

    def made(
        self,
        split: str,
        images: Images,
        labels: NDArray[np.int64] | None,
        class_names: Sequence[str],
        source: Path,
        **more: Any,
    ) -> Split:
        """A split with what is a fact of the data set: name, domain, use, version, licence.

        Args:
            split: Its name.
            images: n images.
            labels: (n,), or None.
            class_names: In label order.
            source: The folder that the images are from.
            more: Other fields of :class:`~surefoot.data.dataset.Split`, or other values of these.
        """
        return Split(**{
            "name": f"{self.name}:{split}", "images": images, "labels": labels,
            "class_names": tuple(class_names), "domain": self.domain_of(split),
            "use": self.use_of(split), "version": self.version, "licence": self.licence,
            "source": str(source), **more,
        })  # fmt: skip

    def listed(
        self,
        folder: Path,
        split: str,
        paths: Sequence[str],
        labels: NDArray[np.int64] | None,
        class_names: Sequence[str],
        **more: Any,
    ) -> Split:
        """A split of files that a publisher's list names, relative to the folder; each must exist.

        Raises:
            BadImages: Listed files are missing; the first ten are named.
        """
        images = FileImages(folder, paths)
        if missing := _missing(folder, images.paths):
            bad = [(path, "the file is missing") for path in missing]
            raise BadImages(bad, where=f"{folder} ({self.name}:{split})")
        return self.made(split, images, labels, class_names, folder, **more)

    def sorted_by_class(
        self, root: Path, split: str, class_names: Sequence[str] | None = None
    ) -> Split:
        """A split of class folders; see :func:`~surefoot.data.folder.from_folder`."""
        read = from_folder(
            root, name=f"{self.name}:{split}", domain=self.domain_of(split), use=self.use_of(split),
            class_names=class_names,
        )  # fmt: skip
        return replace(read, version=self.version, licence=self.licence)

    def not_there(self, looked: Sequence[Path], what: str = "") -> DataError:
        """The error for a data set that was not found: paths looked at, layout, where it's from.

        Args:
            looked: Folders or files that were tried, in order.
            what: What is missing, where it is not the whole data set ("the split 'train'").
        """
        tried = "".join(f"\n      {path.absolute()}" for path in looked)
        called = f"{self.name!r} ({self.title})"
        return DataError(
            (f"{what} of {called} is not there" if what else f"{called} was not found")
            + f"; looked at{tried}",
            expected="this layout\n      " + "\n      ".join(self.layout),
            fix=f"get it from {self.homepage}; give its folder as {self.name}@DIR, or the folder "
            "that holds it as --data-root DIR or in the environment variable SUREFOOT_DATA",
        )


def _written(images: int | None, classes: int | None = None, scored: int | None = None) -> Expected:
    return Expected(images, classes, scored, source="miniature")


def _missing(folder: Path, paths: Sequence[str]) -> list[str]:
    """Files that are not there, by one look into every folder and not one per file."""
    by_folder: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        by_folder[os.path.dirname(path)].append(path)
    gone: list[str] = []
    for inside, wanted in by_folder.items():
        try:
            there = set(os.listdir(folder / inside))
        except OSError:
            there = set()
        gone += [p for p in wanted if os.path.basename(p) not in there]
    return gone
