"""Joins what a user typed into a task: train, validation, test, shifts, classes, prompts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..errors import DataError, UnknownName
from ..inventory import Note
from ..registry import nearest
from .check import Progress
from .class_map import read_class_map
from .corruptions import corruptions
from .dataset import Shift, Split, Task, Use
from .grouping import relabelled
from .overlap import overlap_notes, to_compare
from .prompts import check_templates, wordnet_names
from .prompts import templates as template_set
from .reading import Check, SplitReader
from .source import Brought, Source, Spec
from .splitting import cut
from .units import assumed, with_unit

__all__ = ["make_task"]


def make_task(
    *,
    train: Spec,
    test: Spec | None = None,
    val: Spec | None = None,
    shifts: Mapping[str, Spec] | None = None,
    class_maps: Mapping[str, Spec] | None = None,
    templates: str | Sequence[str] | None = None,
    prompt_names: Mapping[str, str] | Sequence[str] | None = None,
    metric: str | None = None,
    unit: str | None = None,
    val_fraction: float | None = None,
    seed: int = 0,
    skip_bad: bool = False,
    check: Check = True,
    workers: int = 0,
    progress: Progress | None = None,
    name: str | None = None,
    root: Spec | None = None,
    stand_in: bool = False,
    class_names: Sequence[str] = (),
    before: Callable[[Task], None] = lambda task: None,
) -> Task:
    """A task from specs (see :meth:`Source.parse`).

    A published data set brings what it defines: the splits of its roles, the names and templates
    of its prompts, and as a shift its class map, mask, groups, metric and version. Its images are
    not decoded here unless ``skip_bad`` is on: `surefoot data check NAME ROOT --full` does that.

    Args:
        train: Training set; its classes are the task's. "pictograms" brings its own validation,
            test and shifts, each of which the other arguments replace.
        test: ID test; without it one is cut from ``train`` (seeded, stratified), with a note.
        val: ID validation; likewise.
        shifts: Name -> shifted test set. Without any, common corruptions of the ID test.
        class_maps: Name of a shift -> YAML file ``shift class: task class``.
        templates: Name of a set ("single", "simple", "openai_imagenet", "pictograms"), a text
            file, or the templates themselves.
        prompt_names: How classes are called in prompts: class -> name, or one per class.
        metric: Of every split but published shifts, which bring their own; None: that of the
            published training set, else "top1".
        unit: What says which images hang together (:func:`~surefoot.data.units.with_unit`): a
            column of the metadata, or "folder:1", the folder of each file. None: what a set
            brings, else each image is taken as independent, with a note.
        val_fraction: Share of every class that a missing part takes; None: a tenth.
        seed: Of the cuts and the corruptions.
        skip_bad: Go on without images that cannot be decoded.
        check: Decode every image once, before anything else; "quick" looks at headers only.
        workers: Threads of the check.
        progress: Called by the check with (done, all), split after split.
        name: Of the task; the training spec's last part by default.
        root: The folder that holds published data sets; else the environment variable
            SUREFOOT_DATA, else the current folder.
        stand_in: ``train`` is a set that is scored, where there is nothing to train on: what it
            and parts of it share with the others is not told.
        class_names: Of a head that is to answer: where they hold all classes of ``train``, the
            task's are these, so that test and shifts may have some that ``train`` lacks.
        before: Shown the task before its images are decoded; what it raises ends the reading.

    Raises:
        DataError: Something is missing or wrong; :class:`ClassMismatch` and :class:`UnknownName`
            say what, and :class:`BadImages`, for all splits at once.

    Example:
        >>> sf.make_task(train="photos/train", shifts={"night": "photos/night"})
        Task(photos: 3 classes; train 30, val 3, test 3; shifts: night)
    """
    source = Source.parse(train, root)
    own = source.brings()
    metric = metric or own.metric
    reader = SplitReader(skip_bad=skip_bad, check=check, workers=workers, progress=progress)
    notes = list(own.notes)
    given: tuple[tuple[Use, Spec | None], ...] = (("test", test), ("val", val))
    with reader.together():
        whole = reader.read(source, "train", "ID", "train")
        _require_labels(whole, train)
        if set(whole.class_names) <= set(class_names):
            whole = relabelled(whole, class_names, name="train", domain="ID", use="train")
        if unit is not None and any(_cut_off(own, role, spec) for role, spec in given):
            whole = with_unit(whole, unit)
        classes = whole.class_names
        ends: dict[str, Split] = {}
        for role, spec in given:
            part = own.roles.get(role) if spec is None else Source.parse(spec, root)
            if part is not None:
                ends[role] = reader.read(part, role, "ID", role, classes)
                continue
            whole, part_cut = cut(whole, val_fraction or 0.1, seed, name=role, use=role)
            ends[role] = part_cut
            if not stand_in:
                notes.append(_cut_note(role, part_cut, guessed=val_fraction is None))
                ends[role] = replace(part_cut, notes=(notes[-1],))
        asked = {name: Source.parse(s, root) for name, s in (shifts or {}).items()} or own.shifts
        found = tuple(_shifts(reader, asked, class_maps or {}, classes, metric))
        _require_choice(whole, train, every=stand_in)
        if unit is not None:
            ends = {role: with_unit(split, unit) for role, split in ends.items()}
            found = tuple(replace(s, split=with_unit(s.split, unit)) for s in found)
        if not found:
            found = tuple(Shift(s.name, s, metric) for s in corruptions(ends["test"], seed=seed))
            notes.append(_NO_SHIFT)
        scored = [ends["val"], ends["test"], *(s.split for s in found)]
        notes += filter(None, [assumed(s for s in scored if not s.synthetic)])
        task = Task(
            name=name or own.name,
            train=whole,
            val=ends["val"],
            test=ends["test"],
            shifts=found,
            class_names=classes,
            templates=_templates(own.templates if templates is None else templates),
            prompt_names=_prompt_names(prompt_names, classes, own),
            metric=metric,
            notes=tuple(notes),
        )
        before(task)
    unused = {"train", *([] if val else ["val"])} if stand_in else set()
    return replace(task, notes=(*notes, *reader.notes, *overlap_notes(to_compare(task, unused))))


_NO_SHIFT = Note(
    "no shifted set was given: the shifts are corruptions of the ID test, made by a program",
    "guessed", say="--shift NAME=DIR",
)  # fmt: skip


def _cut_note(role: Use, part: Split, *, guessed: bool) -> Note:
    """That a part was cut off, and how, which was guessed unless the share was given."""
    [made] = part.notes
    short = f"no {role} set was given: {Note.of(made).short}"
    said = f"no {role} set was given: {made}"
    if not guessed:
        return Note(said, short=short)
    say = f"--{role} DIR, or the share to cut off (--val-fraction)"
    return Note(said, "guessed", say=say, short=short)


def _cut_off(own: Brought, role: Use, spec: Spec | None) -> bool:
    """Whether a part is cut off the training set."""
    return spec is None and role not in own.roles


def _require_labels(train: Split, spec: Spec) -> None:
    captions = train.captions is not None
    if train.labels is None:
        raise DataError(
            f"the training set {os.fspath(spec)} has {'captions but ' * captions}no labels",
            expected="a label per image, from which the classes of the task are taken",
            fix="add a column label (KEY.cls in shards), or build a Task in Python for training on "
            "captions alone",
        )


def _require_choice(train: Split, spec: Spec, *, every: bool) -> None:
    """Raise where there are not two classes to tell apart: any answer would be right.

    Args:
        train: With labels.
        spec: As the user wrote it.
        every: Classes without an image count: they are answers that a model may give.
    """
    labels = train.require_labels()
    names = train.class_names if every else [train.class_names[i] for i in np.unique(labels)]
    if len(names) < 2:
        raise DataError(
            f"all {len(train)} images of {os.fspath(spec)} are of one class, {names[0]!r}",
            expected="two classes or more to tell apart",
            fix="give a folder with a folder for each class (is it one folder higher or lower?), "
            "or a table whose column label has several values",
        )


def _shifts(
    reader: SplitReader,
    sources: Mapping[str, Source],
    maps: Mapping[str, Spec],
    classes: Sequence[str],
    metric: str,
) -> Iterator[Shift]:
    strangers = [m for m in maps if m not in sources]
    if strangers:
        names = list(sources)
        raise UnknownName("shift", strangers[0], names, nearest(strangers[0], names))
    read = {shift: read_class_map(file) for shift, file in maps.items()}
    for name, source in sources.items():
        shift = source.shift(name, classes, metric, class_map=read.get(name),
                             read=lambda s, n: reader.read(s, n, "OOD", "test"))  # fmt: skip
        if source.published is not None:
            shift = replace(shift, split=reader.checked(shift.split, source))
        yield shift


def _templates(given: str | Sequence[str]) -> tuple[str, ...]:
    if isinstance(given, (str, os.PathLike)):
        return template_set(given)
    return check_templates(given, where="the templates given")


def _numbered(listed: Mapping[str, str], classes: Sequence[str]) -> Mapping[str, str]:
    """A list of names for classes that are numbers: the first is 0, or 1 where that one fits."""
    n = len(listed)
    numbers = [int(c) for c in classes if c.isdecimal()]
    numbered = numbers and len(numbers) == len(classes) and set(listed) == set(map(str, range(n)))
    if not n or not numbered or max(numbers) < n:
        return listed
    if sorted(numbers) == list(range(1, n + 1)):
        return {c: listed[str(int(c) - 1)] for c in classes}
    raise DataError(
        f"the file beside the data lists {n} classes, and there is a class {max(numbers)}",
        expected="one name a line, the first for class 0",
        fix="say what the classes are called with --names FILE, or correct the list",
    )


def _prompt_names(
    given: Mapping[str, str] | Sequence[str] | None, classes: Sequence[str], own: Brought
) -> tuple[str, ...] | None:
    if given is None:
        names = {**wordnet_names(classes), **_numbered(own.prompt_names(), classes)}
        return tuple(names.get(c, c.replace("_", " ")) for c in classes) if names else None
    if isinstance(given, Mapping):
        ghosts = [k for k in given if k not in classes]
        if ghosts:
            raise UnknownName("class", ghosts[0], list(classes), nearest(ghosts[0], list(classes)))
        return tuple(given.get(c, c.replace("_", " ")) for c in classes)
    if len(given) != len(classes):
        raise DataError(
            f"there are {len(given)} prompt names for {len(classes)} classes",
            expected="one per class, in the order of the classes",
        )
    return tuple(given)
