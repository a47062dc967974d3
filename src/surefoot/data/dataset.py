"""Splits, shifts, class maps and tasks: what a user brings.

A :class:`Split` is images with labels and/or captions; a :class:`Shift` is an out-of-distribution
target with its class map and metric; a :class:`Task` joins train, validation, test, shifts, class
names and prompts. Nothing here decodes an image before it is asked to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..atomic import file_stem
from ..errors import ClassMismatch, DataError
from ..inventory import Note
from .class_map import ClassMap, check_groups
from .sequence import Images, Taken, identities

__all__ = ["ClassMap", "Domain", "Images", "Manifest", "Shift", "Split", "Task", "Use"]

Domain = Literal["ID", "OOD"]
Use = Literal["train", "val", "test"]


@dataclass(frozen=True)
class Manifest:
    """What a split holds, in short: enough to notice that it changed.

    Attributes:
        n: Number of images.
        per_class: Images of each class name; empty without labels.
        sha256: Over ids, labels and captions in order (not over pixels).
        content: Over the images' identities with their classes, whatever their names and order.
        rows: Over the images' identities in order.
    """

    n: int
    per_class: Mapping[str, int]
    sha256: str
    content: str
    rows: str

    @property
    def facts(self) -> tuple[str, str]:
        """Splits that agree in these are the same for every purpose, row by row."""
        return self.sha256, self.rows


@dataclass(frozen=True, eq=False)
class Split:
    """Images with labels or captions.

    Attributes:
        name: "train", "val", "test", or the name of a shift.
        images: Decodes on demand; length n.
        labels: (n,) int64, an index into ``class_names``; None without labels.
        class_names: In the order of the labels.
        domain: In or out of the training distribution.
        use: What it may be used for.
        captions: n texts, or None.
        metadata: Column name -> (n,) array; "set" of pictograms, "location" of iWildCam. Frames
            of a video have "anchor" and "offset", and may have "accepted" (names of task
            classes joined by "|"), which the metrics pm0 and pm10 read.
        unit: The metadata column whose values say which images hang together (a patient, a place,
            a designer), the same in every split; None: each image is taken as independent.
        version: Of the data set.
        licence: Of the images.
        source: A path or name to find it again by.
        synthetic: Made by a program (corruptions), not collected.
        notes: Facts for the report ("cut from train, 10 %, seed 0").

    Example:
        >>> task.train
        Split(train, ID train: 24 images, 3 classes)
        >>> task.train.subset(9, seed=0)
        Split(train, ID train: 9 images, 3 classes)
        >>> task.train.take([0, 1])
        Split(train, ID train: 2 images, 3 classes)
    """

    name: str
    images: Images
    labels: NDArray[np.int64] | None
    class_names: tuple[str, ...]
    domain: Domain
    use: Use
    captions: Sequence[str] | None = None
    metadata: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    unit: str | None = None
    version: str = "unversioned"
    licence: str = "unknown"
    source: str = ""
    synthetic: bool = False
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.images)
        if n == 0:
            raise DataError(
                f"the split {self.name!r} ({self.source or 'in memory'}) holds no images",
                expected="at least one image",
            )
        columns: dict[str, Sequence[Any] | NDArray[Any]] = dict(self.metadata)
        if self.labels is not None:
            columns["labels"] = self.labels
        if self.captions is not None:
            columns["captions"] = self.captions
        for name, column in columns.items():
            if len(column) != n:
                raise DataError(
                    f"{name} of the split {self.name!r} has {len(column)} entries for {n} images",
                    expected="one entry per image",
                )
        if self.unit is not None and self.unit not in self.metadata:
            raise DataError(
                f"the unit {self.unit!r} of the split {self.name!r} is no column of it",
                expected=f"one of {', '.join(self.metadata) or 'no columns'}",
            )
        if self.labels is not None:
            low, high = int(self.labels.min()), int(self.labels.max())
            if low < 0 or high >= len(self.class_names):
                raise DataError(
                    f"labels of the split {self.name!r} run from {low} to {high}",
                    expected=f"0 to {len(self.class_names) - 1}, for its class names",
                )

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        made = ", made by a program" if self.synthetic else ""
        classes = f"{len(self.class_names)} classes" if self.labels is not None else "no labels"
        return (
            f"Split({self.name}, {self.domain} {self.use}: {len(self):,} images, {classes}{made})"
        )

    @property
    def identities(self) -> NDArray[np.uint8]:
        """Who the images are, (n, 32): SHA-256 of their content (:mod:`surefoot.data.sequence`).

        The check before a run has read them; where there was none, each image is read once now.
        """
        return identities(self.images)

    def require_labels(self) -> NDArray[np.int64]:
        """The labels (n,).

        Raises:
            DataError: There are none.
        """
        if self.labels is None:
            raise DataError(
                f"the split {self.name!r} has no labels",
                expected="a label per image",
                fix="give a folder of class folders or a table with a column 'label'",
            )
        return self.labels

    def take(self, indices: NDArray[np.int64] | Sequence[int], *, note: str = "") -> Split:
        """The images at ``indices``, in that order; a plain note says why others are left out."""
        at = np.asarray(indices, dtype=np.int64)
        if note and not isinstance(note, Note):
            note = Note(note, "left out", rows=len(self) - len(at))
        return replace(
            self,
            images=Taken(self.images, at),
            labels=None if self.labels is None else self.labels[at],
            captions=None if self.captions is None else [self.captions[int(i)] for i in at],
            metadata={k: v[at] for k, v in self.metadata.items()},
            notes=(*self.notes, note) if note else self.notes,
        )

    def subset(self, n: int, *, seed: int, every_class: bool = False) -> Split:
        """N images, stratified by class as evenly as the counts allow, seeded.

        Every class gives the same share; what rounding leaves is drawn at random. The order of
        the images is kept. ``n`` at or above the size gives the split itself.

        Args:
            n: How many.
            seed: Of the draw.
            every_class: Every class that has an image gives one at least, so that a small class
                is not left out: first of the n, and more than n where there are more classes.
        """
        if n >= len(self):
            return self
        generator = np.random.default_rng(seed)
        order = generator.permutation(len(self))
        if self.labels is not None:
            labels = self.labels[order]
            rank = np.zeros(len(self), dtype=np.float64)
            present = np.unique(labels)
            for label in present:
                where = np.flatnonzero(labels == label)
                rank[where] = (np.arange(len(where)) + generator.random()) / len(where)
                if every_class:
                    rank[where[0]] = -1.0
            n = max(n, len(present)) if every_class else n
            order = order[np.argsort(rank, kind="stable")]
        kept = np.sort(order[:n])
        note = Note(f"{len(kept)} of {len(self)} images, stratified, seed {seed}", "left out",
                    rows=len(self) - len(kept), say="a larger --limit", short="limit")  # fmt: skip
        return self.take(kept, note=note)

    def manifest(self) -> Manifest:
        """Counts and hashes of names and labels, and of the images themselves."""
        digest = hashlib.sha256()
        for i in range(len(self)):
            label = "" if self.labels is None else self.class_names[self.labels[i]]
            caption = "" if self.captions is None else self.captions[i]
            digest.update(f"{self.images.id(i)}\x1f{label}\x1f{caption}\x1e".encode())
        per_class: dict[str, int] = {}
        if self.labels is not None:
            counts = np.bincount(self.labels, minlength=len(self.class_names))
            per_class = dict(zip(self.class_names, counts.tolist(), strict=True))
        who = self.identities
        named = np.zeros((len(self), 64), np.uint8)
        named[:, :32] = who
        if self.labels is not None:
            marks = b"".join(hashlib.sha256(c.encode()).digest() for c in self.class_names)
            named[:, 32:] = np.frombuffer(marks, np.uint8).reshape(-1, 32)[self.labels]
        content = hashlib.sha256(np.sort(named.view((np.void, 64))[:, 0]).tobytes()).hexdigest()
        rows = hashlib.sha256(who.tobytes()).hexdigest()
        return Manifest(len(self), per_class, digest.hexdigest(), content, rows)


@dataclass(frozen=True, eq=False)
class Shift:
    """An out-of-distribution target: it asks.

    Attributes:
        name: As the report shows it.
        split: The images, labelled in the **task's** classes (see :meth:`Shift.of`).
        metric: A name of ``surefoot.metrics``: "top1", "macro_f1", "worst_group", "per_class".
        classes: Indices (ascending) of the task's classes that the target can contain; logits of
            the others are masked before scoring (ImageNet-R: 200 of 1,000). None: all.
        groups: Indices (ascending) of task classes that count as one, so that the largest logit
            of a group speaks for it and its labels are its first index (ObjectNet: one class is
            several of ImageNet's). Groups share no class. None: every class is its own.
        masked_by: By whose word ``classes`` is what it is.

    Example:
        >>> sf.Shift.of(task.test, task.class_names)
        Shift(test: 12 images, 3 classes, top1)
    """

    name: str
    split: Split
    metric: str = "top1"
    classes: tuple[int, ...] | None = None
    groups: tuple[tuple[int, ...], ...] | None = None
    masked_by: str = ""

    def __repr__(self) -> str:
        classes = len(self.split.class_names if self.classes is None else self.classes)
        return f"Shift({self.name}: {len(self.split):,} images, {classes} classes, {self.metric})"

    def __post_init__(self) -> None:
        if self.groups is not None:
            check_groups(self.groups, self.classes, self.split.labels, where=self.name)

    @classmethod
    def of(
        cls,
        split: Split,
        task_classes: Sequence[str],
        *,
        class_map: ClassMap | None = None,
        metric: str = "top1",
        masked: bool | None = None,
    ) -> Shift:
        """A shift whose labels are translated into the task's classes.

        Without a class map the names must agree: every class of the shift must be one of the
        task's. With one, images of classes that it does not name are left out, and a
        class that leads to several of the task's makes a group of them.

        Args:
            split: The images, in classes of their own.
            task_classes: The label order wanted.
            class_map: Joins the names where they differ.
            metric: Of the shift.
            masked: Only classes that the shift can contain count as answers. That makes the
                question easier, so it is for published sets whose protocol says so, and for class
                maps; a folder that lacks classes is no such word. None: with a class map.

        Raises:
            ClassMismatch: Names differ and no map joins them, or the map is wrong.
        """
        labels = split.require_labels()
        names = list(task_classes)
        by = "its class map" if class_map is not None else "its published protocol"
        masked = class_map is not None if masked is None else masked
        if class_map is None:
            foreign = [c for c in split.class_names if c not in names]
            if foreign:
                raise ClassMismatch(
                    f"the shifted set {split.name!r} has {len(foreign)} "
                    f"class{'es' * (len(foreign) != 1)} that the task does not have: "
                    f"{', '.join(foreign[:8])}{', ...' * (len(foreign) > 8)}",
                    expected=f"only classes of the task: {', '.join(names[:12])}",
                    fix="join them by a class map, a YAML file of lines `shift class: task class` "
                    "(--class-map NAME=FILE)",
                )
            if split.class_names == tuple(names):  # also where two classes share a name
                return cls(split.name, replace(split, domain="OOD"), metric)
            class_map = ClassMap({c: c for c in split.class_names})
        joined = class_map.join(split.class_names, names)
        translated = joined.table[labels]
        kept = np.flatnonzero(translated >= 0)
        out = len(labels) - len(kept)
        if not len(kept):
            raise ClassMismatch(
                f"no image of {split.name!r} has a class that the class map names",
                expected="at least one image in a joined class",
            )
        note = f"{out} images of classes outside the class map are left out" if out else ""
        taken = split.take(kept, note=note) if out else split
        ours = replace(taken, labels=translated[kept], class_names=tuple(names), domain="OOD")
        every = not masked or len(joined.present) == len(names)
        if every:
            return cls(split.name, ours, metric, None, joined.groups)
        return cls(split.name, ours, metric, joined.present, joined.groups, by)


@dataclass(frozen=True, eq=False)
class Task:
    """What a user brings: train, ID validation, ID test, shifts, class names, prompts.

    Attributes:
        name: For titles and file names.
        train: Labelled (or captioned) training images.
        val: ID validation: the only split on which anything is chosen.
        test: ID test: scored once, at the end.
        shifts: Any number of shifted test sets.
        class_names: The label order of every split here.
        templates: Prompts with one ``{}``.
        prompt_names: How each class is called inside a prompt; ``class_names`` when left out.
        metric: Of the ID splits.
        notes: Facts for the report.

    Example:
        >>> task
        Task(shapes: 3 classes; train 24, val 12, test 12; shifts: recoloured)
        >>> task.subset(train=9, evaluation=6)
        Task(shapes: 3 classes; train 9, val 6, test 6; shifts: recoloured)
        >>> list(task.scored())
        ['val', 'test', 'recoloured']
    """

    name: str
    train: Split
    val: Split
    test: Split
    shifts: tuple[Shift, ...]
    class_names: tuple[str, ...]
    templates: tuple[str, ...] = ("a photo of a {}.",)
    prompt_names: tuple[str, ...] | None = None
    metric: str = "top1"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [s.name for s in self.shifts]
        twice = sorted({n for n in names if names.count(n) > 1 or n in {"train", "val", "test"}})
        if twice:
            raise DataError(
                f"the shift name {twice[0]!r} is used twice or is reserved",
                expected="distinct names other than train, val and test",
            )
        files: dict[str, str] = {}
        for name in ("train", "val", "test", *names):
            other = files.setdefault(file_stem(name).casefold(), name)
            if other != name:
                raise DataError(
                    f"the shift names {other!r} and {name!r} would share one file of predictions",
                    expected="names that differ in letters, digits, '-', '_' or '.', not in case",
                )
        for split in (self.train, self.val, self.test, *(s.split for s in self.shifts)):
            if split.labels is not None and split.class_names != self.class_names:
                raise ClassMismatch(
                    f"the split {split.name!r} has other classes than the task",
                    expected=f"{len(self.class_names)} classes in this order: "
                    f"{', '.join(self.class_names[:12])}",
                    fix="use the same class folders, or a class map for a shift",
                )

    def __repr__(self) -> str:
        shifts = ", ".join(s.name for s in self.shifts[:6])
        shifts += f", ... ({len(self.shifts)} in all)" if len(self.shifts) > 6 else ""
        return (
            f"Task({self.name}: {len(self.class_names)} classes; train {len(self.train):,}, "
            f"val {len(self.val):,}, test {len(self.test):,}; shifts: {shifts or 'none'})"
        )

    @property
    def names_in_prompts(self) -> tuple[str, ...]:
        """Class names as prompts say them: underscores become spaces unless names are given."""
        if self.prompt_names is not None:
            return self.prompt_names
        return tuple(n.replace("_", " ") for n in self.class_names)

    def scored(self) -> dict[str, Shift]:
        """Everything that is scored, by name: "val", "test" and each shift."""
        ends = {n: Shift(n, s, self.metric) for n, s in (("val", self.val), ("test", self.test))}
        return ends | {s.name: s for s in self.shifts}

    def subset(self, *, train: int | None, evaluation: int | None, seed: int = 0) -> Task:
        """The task with at most so many images per split, stratified and seeded.

        Args:
            train: Of the training split; None: all. Every class keeps an image where ``train`` is
                no smaller than the number of classes, since some heads need one of each.
            evaluation: Of validation, test and each shift; None: all.
            seed: Of the draw.
        """

        def cut(split: Split, n: int | None, *, each: bool = False) -> Split:
            return split if n is None else split.subset(n, seed=seed, every_class=each)

        labels = self.train.labels
        enough = train is not None and labels is not None and train >= len(np.unique(labels))

        return replace(
            self,
            train=cut(self.train, train, each=enough),
            val=cut(self.val, evaluation),
            test=cut(self.test, evaluation),
            shifts=tuple(replace(s, split=cut(s.split, evaluation)) for s in self.shifts),
        )
