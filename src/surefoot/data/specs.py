"""Joins what a user typed into a task: train, validation, test, shifts, classes, prompts."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import DataError, UnknownName
from ..registry import nearest
from .builtin import pictograms
from .check import Progress
from .class_map import read_class_map
from .corruptions import corruptions
from .dataset import ClassMap, Shift, Split, Task, Use
from .folder import ROLES
from .grouping import relabelled
from .known.find import KnownSpec, as_known
from .known.roles import own_role, own_shifts
from .known.targets import known_shift
from .overlap import overlap_note
from .prompts import check_templates
from .prompts import templates as template_set
from .readers import ACCEPTED, read_split
from .reading import Check, SplitReader
from .realign import in_classes
from .splitting import cut

__all__ = ["ACCEPTED", "make_task", "read_split"]

Spec = str | os.PathLike[str]


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
    val_fraction: float = 0.1,
    seed: int = 0,
    skip_bad: bool = False,
    check: Check = True,
    workers: int = 0,
    progress: Progress | None = None,
    name: str | None = None,
    root: Spec | None = None,
    class_names: Sequence[str] = (),
) -> Task:
    """A task from specs (see :func:`read_split`).

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
        val_fraction: Share of every class that a missing part takes.
        seed: Of the cuts and the corruptions.
        skip_bad: Go on without images that cannot be decoded.
        check: Decode every image once, before anything else; "quick" looks at headers only.
        workers: Threads of the check.
        progress: Called by the check with (done, all), split after split.
        name: Of the task; the training spec's last part by default.
        root: The folder that holds published data sets; else the environment variable
            SUREFOOT_DATA, else the current folder.
        class_names: Of a head that is to answer: where they hold all classes of ``train``, the
            task's are these, so that test and shifts may have some that ``train`` lacks.

    Raises:
        DataError: Something is missing or wrong; :class:`ClassMismatch` and :class:`UnknownName`
            say what, and :class:`BadImages`, for all splits at once.
    """
    reader = SplitReader(
        skip_bad=skip_bad, check=check, workers=workers, progress=progress, root=root
    )
    base = pictograms() if os.fspath(train) == "pictograms" else None
    known = None if base else as_known(train, root)
    metric = metric or (known.known.metric_of(known.split_for("train")) if known else "top1")
    with reader.together():
        whole = base.train if base else reader.read(train, "train", "ID", "train")
        _require_labels(whole, train)
        if set(whole.class_names) <= set(class_names):
            base = base and in_classes(base, class_names, whose="the head")
            whole = relabelled(whole, class_names, name="train", domain="ID", use="train")
        classes = whole.class_names
        notes: list[str] = list(base.notes) if base else []
        ends: dict[Use, Split] = {}
        roles: tuple[tuple[Use, Spec | None], ...] = (
            ("test", test or own_role(known, "test")), ("val", val or own_role(known, "val"))
        )  # fmt: skip
        for role, spec in roles:
            if spec is not None:
                ends[role] = reader.read(spec, role, "ID", role, classes)
            elif base is not None:
                ends[role] = base.test if role == "test" else base.val
            else:
                whole, ends[role] = cut(whole, val_fraction, seed, name=role, use=role)
                notes.append(f"no {role} set was given: {ends[role].notes[-1]}")
        given = shifts or own_shifts(known)
        asked = _shifts(reader, given, class_maps or {}, classes, metric)
    if not asked and base is not None:
        asked = base.shifts
    elif not asked:
        asked = tuple(Shift(s.name, s, metric) for s in corruptions(ends["test"], seed=seed))
        notes.append("no shifted set was given: the shifts are corruptions of the ID test, made "
                     "by a program")  # fmt: skip
    for other in (ends["val"], ends["test"], *(s.split for s in asked if _collected(s))):
        notes += filter(None, [overlap_note(whole, other)])
    return Task(
        name=name or (base.name if base else known.known.name if known else _name(train)),
        train=whole,
        val=ends["val"],
        test=ends["test"],
        shifts=asked,
        class_names=classes,
        templates=_templates(templates, base, known),
        prompt_names=_prompt_names(prompt_names, classes, known),
        metric=metric,
        notes=tuple(notes),
    )


def _collected(shift: Shift) -> bool:
    """Is it worth looking for training images in it? Not in what was made from ID images."""
    return not shift.split.synthetic and shift.split.domain == "OOD"


def _name(spec: Spec) -> str:
    """A short name: the last part of the path, without kind, filter or extension."""
    text = re.sub(r"^(hf|wds):", "", os.fspath(spec))
    path = Path(text.split(":")[0])
    if path.stem.lower() in ROLES:  # photos/train is a set of photos
        path = path.absolute().parent
    return path.stem or "task"


def _require_labels(train: Split, spec: Spec) -> None:
    if train.labels is None:
        raise DataError(
            f"the training set {os.fspath(spec)} has captions but no labels",
            expected="a label per image, from which the classes of the task are taken",
            fix="add a column label, or build a Task in Python for training on captions alone",
        )


def _shifts(
    reader: SplitReader,
    specs: Mapping[str, Spec],
    maps: Mapping[str, Spec],
    classes: Sequence[str],
    metric: str,
) -> tuple[Shift, ...]:
    strangers = [m for m in maps if m not in specs]
    if strangers:
        raise UnknownName("shift", strangers[0], list(specs), nearest(strangers[0], list(specs)))
    read: dict[str, ClassMap] = {shift: read_class_map(file) for shift, file in maps.items()}
    return tuple(
        _shift(reader, name, spec, read.get(name), classes, metric) for name, spec in specs.items()
    )


def _shift(
    reader: SplitReader,
    name: str,
    spec: Spec,
    class_map: ClassMap | None,
    classes: Sequence[str],
    metric: str,
) -> Shift:
    known = as_known(spec, reader.root)
    if known is None:
        split = reader.read(spec, name, "OOD", "test")
        return Shift.of(split, classes, class_map=class_map, metric=metric)
    shift = known_shift(known, name, classes, class_map=class_map, root=reader.root)
    return replace(shift, split=reader.checked(shift.split, published=True))


def _templates(
    given: str | Sequence[str] | None, base: Task | None, known: KnownSpec | None
) -> tuple[str, ...]:
    if given is None:
        own = known.known.templates if known else None
        return base.templates if base else template_set(own or "single")
    if isinstance(given, (str, os.PathLike)):
        return template_set(given)
    return check_templates(given, where="the templates given")


def _prompt_names(
    given: Mapping[str, str] | Sequence[str] | None,
    classes: Sequence[str],
    known: KnownSpec | None,
) -> tuple[str, ...] | None:
    if given is None and known is not None and known.known.prompt_names is not None:
        names = known.known.prompt_names()
        return tuple(names.get(c, c.replace("_", " ")) for c in classes)
    if given is None:
        return None
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
