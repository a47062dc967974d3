"""A data set as typed, parsed once: what kind of thing it is, where it lies, which part."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

from ..errors import DataError
from ..registry import nearest
from .builtin import HOME, PICTOGRAM_NOTE, pictograms_split, shifted_domains
from .class_map import ClassMap
from .dataset import Domain, Shift, Split, Use
from .folder import LAYOUT, from_folder
from .grouping import listed_classes, relabelled, role_of
from .huggingface import from_hf, saved_by_hf
from .known.find import KnownSpec, as_known, known_names, read_known
from .known.targets import known_shift
from .prompts import read_names
from .table import from_table
from .table_file import TABLE
from .webdataset import from_webdataset

__all__ = ["ACCEPTED", "Brought", "Kind", "Source", "Spec", "read_split"]

Kind = Literal["folder", "table", "hf", "wds", "pictograms", "published"]
Spec = str | os.PathLike[str]

ACCEPTED = (
    f"one of\n    - {LAYOUT}\n    - {TABLE}: FILE.csv, FILE.parquet, FILE.csv:split=train\n"
    "    - a Hugging Face data set: hf:DIR (saved on disk) or hf:NAME, perhaps with :SPLIT\n"
    "    - WebDataset shards: wds:shards/{000..009}.tar\n"
    "    - the built-in set: pictograms, pictograms:DOMAIN, pictograms:DOMAIN:SPLIT\n"
    "    - a published data set (`surefoot ls datasets`): NAME, NAME:SPLIT, NAME@DIR, below "
    "--data-root or SUREFOOT_DATA"
)
_TABLE = re.compile(
    r"^(?P<place>.+\.(?:csv|tsv|parquet))(?::(?P<part>[^:/\\]+=.+))?$", re.IGNORECASE
)
_HF = re.compile(r"^(?P<place>.+?)(?::(?P<part>[\w.\[\]%+:-]+))?$")
_BUILT_IN = re.compile(r"^pictograms(?::(?P<place>[^:]*)(?::(?P<part>[^:]*))?)?$")


@dataclass(frozen=True)
class Brought:
    """What a training set defines for the rest of a task; what it leaves open is cut or made.

    Attributes:
        name: Of the task.
        roles: Use -> source of that split.
        shifts: Name -> source.
        metric: Of the ID splits.
        templates: Name of a set of prompts.
        prompt_names: Gives class -> how prompts call it.
        notes: Facts for the report.
    """

    name: str
    roles: Mapping[Use, Source] = field(default_factory=dict)
    shifts: Mapping[str, Source] = field(default_factory=dict)
    metric: str = "top1"
    templates: str = "single"
    prompt_names: Callable[[], Mapping[str, str]] = dict
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """A folder, table, Hugging Face data set, WebDataset, published set or the built-in one.

    Attributes:
        typed: What the user wrote.
        kind: What it is.
        place: Folder, file, name or pattern; of the built-in set a domain.
        part: A split, or the filter of a table; None: what the use asks for.
        root: The folder that holds published data sets.
        published: Which of them it is.
        masked: As a shift only the classes that it can contain count as answers.
    """

    typed: str
    kind: Kind
    place: str
    part: str | None = None
    root: str | None = None
    published: KnownSpec | None = None
    masked: bool = False

    @classmethod
    def parse(cls, spec: Spec, root: Spec | None = None) -> Source:
        """From what a user typed; no image is looked for yet.

        Args:
            spec: A folder of class folders; ``FILE.csv`` or ``FILE.parquet``, perhaps with a
                filter behind it (``FILE.csv:split=train``); ``hf:NAME_OR_DIR[:split]``;
                ``wds:PATTERN``; ``pictograms[:domain[:split]]`` (a folder of that name is
                ``./pictograms``); a published data set, ``imagenet-r``, ``imagenet:val``,
                ``objectnet@DIR``.
            root: The folder that holds published data sets; else the environment variable
                SUREFOOT_DATA, else the current folder.

        Raises:
            DataError: A published or the built-in set has no such split.
        """
        text, base = os.fspath(spec), None if root is None else os.fspath(root)
        if text.partition(":")[0] == "pictograms":
            found = _BUILT_IN.match(text)
            if found is None:
                raise DataError(f"{text!r} has too many parts",
                                expected="pictograms[:domain[:split]]")  # fmt: skip
            return cls(text, "pictograms", found["place"] or HOME, found["part"], base)
        known = as_known(text, root)
        if known is not None:
            place = "" if known.place is None else str(known.place)
            return cls(text, "published", place, known.split, base, known, masked=True)
        if text.startswith("wds:") or text.endswith(".tar"):
            return cls(text, "wds", text.removeprefix("wds:"), None, base)
        if text.startswith("hf:") or saved_by_hf(Path(text)):
            found = _HF.match(text.removeprefix("hf:"))
            if found is None:
                raise DataError("'hf:' names no data set", expected=ACCEPTED)
            return cls(text, "hf", found["place"], found["part"], base)
        found = None if Path(text).is_dir() else _TABLE.match(text)
        if found is not None:
            return cls(text, "table", found["place"], found["part"], base)
        return cls(text, "folder", text, None, base)

    @property
    def checked(self) -> bool:
        """Whether its images are decoded before a run.

        The packaged file is checked when it is built; published data sets have a command for it
        (decoding ImageNet takes hours).
        """
        return self.kind not in ("pictograms", "published")

    @property
    def local(self) -> bool:
        """Whether it is a folder or a file of the user's on this machine."""
        return self.checked and (self.kind != "hf" or Path(self.place).is_dir())

    def read(
        self,
        *,
        name: str,
        domain: Domain,
        use: Use,
        class_names: Sequence[str] | None = None,
        skip_missing: bool = False,
    ) -> Split:
        """The split.

        Args:
            name: Of the split.
            domain: "ID" or "OOD".
            use: "train", "val" or "test"; says which part is meant where none was typed.
            class_names: The label order wanted (that of the training set).
            skip_missing: Leave out rows of a table whose file is missing.

        Raises:
            DataError: Nothing of the kind is there; the message lists what is accepted.
            ClassMismatch: A class that ``class_names`` does not have.
        """
        split: Split | None = None
        if self.published is not None:
            split = read_known(self.published, use=use, root=self.root)
        elif self.kind == "pictograms":
            split = pictograms_split(self.place, self.part or (use if self.place == HOME
                                                               else "test"))  # fmt: skip
        if split is not None:
            return relabelled(split, class_names, name=name, domain=domain, use=use)
        if self.kind == "hf":
            return from_hf(self.place, split=self.part, name=name, domain=domain, use=use,
                           class_names=class_names)  # fmt: skip
        if self.kind == "table":
            return from_table(self.place, where=self.part, name=name, domain=domain, use=use,
                              class_names=class_names, skip_missing=skip_missing)  # fmt: skip
        if self.kind == "folder" and not Path(self.place).is_dir():
            raise _nothing_there(self.typed, name)
        reader = from_webdataset if self.kind == "wds" else from_folder
        return reader(self.place, name=name, domain=domain, use=use, class_names=class_names)

    def shift(
        self,
        name: str,
        classes: Sequence[str],
        metric: str,
        read: Callable[[Source, str], Split],
        class_map: ClassMap | None = None,
    ) -> Shift:
        """It as a shift of a task; a published one brings its class map, metric and groups.

        Args:
            name: Of the shift.
            classes: Of the task.
            metric: Where it brings none.
            read: (source, name) -> its split, where it is read as others are.
            class_map: Instead of its own.
        """
        if self.published is not None:
            return known_shift(self.published, name, classes, class_map=class_map, root=self.root)
        masked = self.masked or class_map is not None
        return Shift.of(read(self, name), classes, class_map=class_map, metric=metric,
                        masked=masked)  # fmt: skip

    def brings(self) -> Brought:
        """What it defines, as a training set, for the rest of a task."""
        if self.typed == "pictograms":
            uses: tuple[Use, ...] = ("val", "test")
            return Brought(
                "pictograms",
                {use: replace(self, part=use) for use in uses},
                {d: replace(self, place=d, part="test", masked=True) for d in shifted_domains()},
                templates="pictograms",
                notes=(PICTOGRAM_NOTE,),
            )
        if self.published is None:
            if self.kind == "pictograms":
                return Brought("pictograms")
            return Brought(_short(self.place), prompt_names=partial(_names_beside, self.place))
        spec, known = self.published, self.published.known

        def part(split: str) -> Source:
            return replace(self, part=split, published=replace(spec, split=split))

        return Brought(
            known.name,
            {use: part(split) for use, split in spec.own_roles().items()},
            {name: part(split) for name, split in spec.own_shifts().items()},
            known.metric_of(spec.split_for("train")),
            known.templates or "single",
            known.prompt_names,
        )


def read_split(
    spec: Spec,
    *,
    name: str,
    domain: Domain,
    use: Use,
    class_names: Sequence[str] | None = None,
    skip_missing: bool = False,
    root: Spec | None = None,
) -> Split:
    """A split from what a user typed: :meth:`Source.parse`, then :meth:`Source.read`."""
    return Source.parse(spec, root).read(
        name=name, domain=domain, use=use, class_names=class_names, skip_missing=skip_missing
    )


def _names_beside(place: str) -> Mapping[str, str]:
    """What classes that are numbers are called, by a list of them beside the data."""
    path = Path(place)
    listed = listed_classes(path if path.is_dir() else path.parent)
    names = [] if listed is None else read_names(listed)
    return names if isinstance(names, dict) else {str(i): name for i, name in enumerate(names)}


def _short(place: str) -> str:
    """The last part of a path without its extension; photos/train is a set of photos."""
    path = Path(place.split(":")[0])
    if role_of(path.stem):
        path = path.absolute().parent
    return path.stem or "task"


def _nothing_there(text: str, name: str) -> DataError:
    path = Path(text)
    hint = ""
    near = nearest(text.split(":")[0].split("@")[0], ["pictograms", *known_names()], 1)
    if near and os.sep not in text:
        hint = f"; did you mean {near[0]!r}?"
    elif not path.exists() and path.absolute().parent.is_dir():
        beside = [p.name for p in path.absolute().parent.iterdir()]
        close = nearest(path.name, beside, 1)
        hint = f"; did you mean {str(path.parent / close[0])!r}?" if close else ""
    kind = "is no folder and no table" if path.exists() else "does not exist"
    return DataError(
        f"{text!r}, given as {name}, {kind} (looked at {path.absolute()}){hint}",
        expected=ACCEPTED,
        fix="correct the path",
    )
