"""What surefoot knows about a published data set: layout, counts, classes, metric, licence.

One module per family builds :class:`KnownDataset` values; ``registry.DATASETS`` maps names to
them. Places and specs ("imagenet-r", "imagenet:val", "objectnet@DIR") are resolved in
:mod:`surefoot.data.known.find`, common checks of folders are in :mod:`surefoot.data.known.layout`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from ...errors import DataError
from ...records import write_atomic
from ..dataset import ClassMap, Domain, Split, Use

__all__ = [
    "MARK",
    "Expected",
    "KnownDataset",
    "Problem",
    "expected_here",
    "mark_miniature",
    "miniature_mark",
]

MARK = "surefoot-miniature.json"
"""The one file that a miniature has beside the real layout: it states the miniature's counts."""


@dataclass(frozen=True)
class Expected:
    """Counts of one split as published; None where the publisher gives none.

    Attributes:
        images: Of the whole split.
        classes: Distinct labels (folders) in it.
        scored: Images that are scored, where that is fewer (ObjectNet: 18,574 of 50,273).
        source: Where these counts are published; "not confirmed: ..." where no source was found.
    """

    images: int | None = None
    classes: int | None = None
    scored: int | None = None
    source: str = ""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a local copy, in plain words, and what to do.

    Attributes:
        what: What is wrong.
        fix: What to do; "" where nothing can be done but to get it again.
        split: The split that it concerns; "" for the whole data set.
    """

    what: str
    fix: str = ""
    split: str = ""

    def __str__(self) -> str:
        return f"{self.what} ({self.fix})" if self.fix else self.what


@dataclass(frozen=True)
class KnownDataset:
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
        splits: Name -> published counts.
        default: The split that the bare name means.
        metric: Of surefoot.metrics: "top1", "per_class", "macro_f1", "worst_group:region", "pm10".
        domain: What it is beside its family's training set.
        control: The matched ID control as a spec ("imagenet:val" in the same classes), or None.
        read: (folder, split) -> Split; raises DataError that names the path looked at.
        inspect: (folder, full) -> every problem of a local copy; ``full`` opens every image.
        miniature: (folder, seed) -> writes a tiny copy in exactly this layout, and its mark.
        needs: Files or packages it needs beside the images, and what for.
        class_source: Where its class names and maps come from.
        kind: What a split of it holds.
        aliases: Other names that users type.
        present: Is this folder such a data set, as far as a glance tells? Used to find it under a
            root; None: every folder of ``folders`` that exists is.
        roles: Which split the bare name means in which role, where that is not ``default``:
            {"train": "train", "val": "id_val", "test": "id_test"}. With ``--train NAME`` and
            nothing else, validation and test come from here.
        shifts: Splits of its own that are its shifts with ``--train NAME`` and no --shift.
        class_map: (folder, split, task classes) -> how its classes become the task's, for a
            :class:`~surefoot.data.dataset.Shift`; None (or a result of None): by equal names.
        prompt_names: Class -> how prompts call it; None: the class itself, underscores as spaces.
        templates: The prompt set that papers use with it ("openai_imagenet"), or None.
        metrics: Metrics of single splits that differ from ``metric``.
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
    splits: Mapping[str, Expected]
    default: str
    metric: str
    domain: Domain
    read: Callable[[Path, str], Split]
    inspect: Callable[[Path, bool], Sequence[Problem]]
    miniature: Callable[[Path, int], None]
    control: str | None = None
    needs: tuple[str, ...] = ()
    class_source: str = ""
    kind: Literal["images", "captions", "frames"] = "images"
    aliases: tuple[str, ...] = field(default=())
    present: Callable[[Path], bool] | None = None
    roles: Mapping[Use, str] = field(default_factory=dict)
    shifts: tuple[str, ...] = ()
    class_map: Callable[[Path, Split, Sequence[str]], ClassMap | None] | None = None
    prompt_names: Callable[[], Mapping[str, str]] | None = None
    templates: str | None = None
    metrics: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def metric_of(self, split: str) -> str:
        """The metric of one of its splits."""
        return self.metrics.get(split, self.metric)


def mark_miniature(folder: Path, name: str, splits: Mapping[str, Expected], seed: int) -> None:
    """Write the mark of a miniature: its own counts, against which it is checked.

    Call it at the end of :attr:`KnownDataset.miniature`.
    """
    counts = {split: asdict(expected) for split, expected in splits.items()}
    mark = dict(miniature_mark(folder) or {})  # fmow and fmow-continents share a folder
    mark[name] = {"seed": seed, "splits": counts}
    write_atomic(folder / MARK, json.dumps(mark, indent=1, sort_keys=True) + "\n")


def miniature_mark(folder: Path) -> Mapping[str, Any] | None:
    """The mark of a miniature: data set -> its seed and counts; None for a real copy.

    Raises:
        DataError: There is one and it cannot be read.
    """
    file = folder / MARK
    if not file.is_file():
        return None
    try:
        mark = json.loads(file.read_text(encoding="utf-8"))
        if not all("splits" in entry for entry in mark.values()):
            raise ValueError("an entry has no counts")
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise DataError(
            f"{file} is no mark of a miniature ({error})", fix="make the miniature again"
        ) from error
    return dict(mark)


def expected_here(known: KnownDataset, folder: Path) -> Mapping[str, Expected]:
    """The counts that this copy should have: the published ones, or a miniature's own.

    Raises:
        DataError: The folder is a miniature of another data set, or its mark cannot be read.
    """
    mark = miniature_mark(folder)
    if mark is None:
        return known.splits
    if known.name not in mark:
        raise DataError(
            f"{folder} is a miniature of {', '.join(mark)}, not of {known.name}",
            fix=f"make one with `surefoot data miniature {known.name} DIR`",
        )
    return {split: Expected(**counts) for split, counts in mark[known.name]["splits"].items()}
