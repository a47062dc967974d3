"""Takes the inventory: what a command is about to work on, asked of data, model and methods."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np

from ..data.check import pictures
from ..data.dataset import Shift, Split, Task
from ..data.overlap import overlap_notes, to_compare
from ..data.prompts import says_nothing
from ..data.sequence import identity_column, looks
from ..errors import DataError, SurefootError
from ..inventory import Inventory, Note, Pictures, SplitFacts
from ..methods.base import Method
from ..models.model import Model
from ..models.record import ModelSpec, shown_transform
from ..runs import Run
from .auto_lr import schedules

__all__ = ["head_of", "records_of", "refused", "seen_in_training", "take_inventory"]

FEW_STEPS = 50
"""Optimiser steps below which a schedule hardly moves a network: the batch is too large."""

_DARK = 64
"""Of 255: where no pixel of a split is brighter, its images are masks or were written wrongly."""


def take_inventory(
    about: Task | Split,
    *models: Model,
    head: str = "",
    methods: Sequence[Method] = (),
    prompts: Sequence[str] | None = None,
    unused: Collection[str] = (),
    pairs: Split | None = None,
) -> Inventory:
    """What there is, before anything is trained or scored.

    Images that were decoded before are not decoded again; of sets that were not, a sample is.

    Args:
        about: The data: a task, or images that are only classified.
        *models: Whose records are told.
        head: Which head is scored; see :func:`head_of`.
        methods: What will train: their schedules are looked at.
        prompts: Two examples, where text is used; None: those of the task, where a model has a text
            tower.
        unused: Splits from which nothing is learnt and that are not scored.
        pairs: Images with captions to train on, where they are not the training split.

    Example:
        >>> sf.take_inventory(task, model).lines()[0].split()
        ['data', 'shapes:', '3', 'classes,', 'all', 'count,', 'top1']
    """
    records = records_of(*models)
    if isinstance(about, Split):
        name = about.source or about.name
        return Inventory(name, len(about.class_names), splits=(_facts(about),), model=records,
                         head=head, prompts=tuple(prompts or ()))  # fmt: skip
    compared = to_compare(about, unused)
    compared = compared if pairs is None else {"pairs": pairs, **compared}
    shared = tuple(_shared(about, compared, pairs))
    text = any(m.text is not None for m in models) if prompts is None else bool(prompts)
    notes = [Note.of(n) for n in about.notes if n not in shared]
    models_said = [n for m in models for n in m.spec.notes if Note.of(n).kind == "guessed"]
    return Inventory(
        about.name,
        len(about.class_names),
        about.metric,
        tuple(_split_facts(about, unused, pairs)),
        len(compared) * (len(compared) - 1) // 2,
        shared,
        records,
        head,
        tuple(_examples(about) if prompts is None else prompts) if text else (),
        (
            *(n for n in notes if not n.short and n.kind != "fact"),
            *map(Note.of, models_said),
            *(_silent_prompts(about) if text else ()),
            *_few_steps(methods, len(about.train if pairs is None else pairs)),
        ),
    )


def refused(
    inventory: Inventory, *, strict: bool = False, chosen_on_test: bool = False
) -> list[SurefootError]:
    """Why an inventory is not worked on: validation on test images, guesses where none may be."""
    found: list[SurefootError] = []
    if inventory.chosen_on_test and not chosen_on_test:
        found.append(DataError(
            "; ".join(n.removeprefix("WARNING: ") for n in inventory.chosen_on_test),
            expected="validation images that are in no test set and no shift",
            fix="give others with --val, or --chosen-on-test, which every output then names",
        ))  # fmt: skip
    if inventory.guessed and strict:
        listed = "".join(f"\n    - {n}\n      say it: {n.say}" for n in inventory.guessed)
        found.append(DataError(
            f"--strict refuses what is guessed, {len(inventory.guessed)} in all:{listed}",
            expected="everything said",
        ))  # fmt: skip
    return found


def records_of(*models: Model) -> dict[str, dict[str, list[str]]]:
    """Name of a model -> its record; of one without (a built-in one) what it says of itself."""
    return {m.spec.name: _record(m.spec) for m in models}


def _record(spec: ModelSpec) -> dict[str, list[str]]:
    if spec.record is not None:
        return spec.record.to_json()
    saw = {True: "yes", False: "no", None: "unknown"}[spec.saw_text]
    return {"transform": [shown_transform(spec.transform), "the model"], "text": [saw, "the model"]}


def seen_in_training(model: str, task: Task) -> list[Note]:
    """Which splits are images that a run was trained on, as far as its records tell.

    Args:
        model: A run's folder, or a file in one; anything else has no such records.
        task: What is about to be scored.
    """
    place = next((p for p in (Path(model), Path(model).parent) if (p / "run.json").is_file()), None)
    kept = {} if place is None else Run.open(place).splits
    trained, own = kept.get("train"), [kept[n].get("content") for n in kept if n != "train"]
    if trained is None:
        return []
    found = []
    collected = {n: s.split for n, s in task.scored().items() if not s.split.synthetic}
    for name, split in collected.items():
        content, source = split.manifest().content, split.source
        if content in own:
            continue
        if content == trained.get("content"):
            found.append(f"{name} is what {place} was trained on")
        elif source and os.path.abspath(source) == os.path.abspath(trained.get("source", "")):
            found.append(f"{name} is a part of {source}, on which {place} was trained")
    return [Note(f"WARNING: {said}: its score is too high", "warning") for said in found]


def head_of(model: Model, task: Task, evaluator: str = "head") -> str:
    """Which head of a model is scored on a task, in words."""
    classes = len(task.class_names)
    if evaluator == "knn":
        return f"none: nearest neighbours in train, {classes} classes"
    if evaluator == "linear":
        return f"a linear probe fitted on train, all {classes} classes"
    if model.head is not None and evaluator == "head":
        own = len(model.head.class_names)
        return f"its own ({model.head.kind}), over all {own} classes that it knows"
    if model.text is None:
        return "none: it has no head and no text tower"
    return f"zero-shot, written by its text tower from the prompts, all {classes} classes"


def _split_facts(task: Task, unused: Collection[str], pairs: Split | None) -> Iterator[SplitFacts]:
    if pairs is not None:
        yield _facts(pairs, "pairs")
    if "train" not in unused:
        yield _facts(task.train, "train")
    for name, shift in task.scored().items():
        if name not in unused:
            yield _facts(shift.split, name, shift)


def _facts(split: Split, name: str = "", shift: Shift | None = None) -> SplitFacts:
    """One split; ``shift`` says which answers count."""
    notes = tuple(n for n in map(Note.of, split.notes) if n.short or n.kind != "fact")
    kept, seen = len(split), None if split.synthetic else pictures(split)
    counts = np.array([0]) if split.labels is None else np.bincount(split.labels)
    counts = counts[counts > 0]
    return SplitFacts(
        name or split.name,
        kept,
        kept + sum(n.rows for n in notes if n.kind == "left out"),
        None if split.labels is None else len(counts),
        (int(counts.min(initial=kept)), int(counts.max(initial=0))),
        "" if shift is None else _counted(shift),
        seen,
        (
            *notes,
            *_strange(split, name, seen),
            *_two_classes(split, name),
            *(_absent(split) if name == "train" else ()),
        ),
    )


def _two_classes(split: Split, name: str) -> Iterator[Note]:
    """Images that occur under several classes, of which one label at least is wrong."""
    if split.labels is None or split.synthetic:
        return
    who = split.identities
    known = np.flatnonzero(who.any(axis=1))
    image = np.unique(identity_column(who[known]), return_inverse=True)[1]
    pairs = np.unique(np.stack([image, split.labels[known]], axis=1), axis=0)
    torn = np.bincount(pairs[:, 0], minlength=1) > 1
    n = int(torn.sum())
    if n:
        rows = known[torn[image]]
        called = (split.class_names[split.labels[row]] for row in rows[:3])
        first = ", ".join(f"{split.images.id(int(row))} as {name}"
                          for row, name in zip(rows[:3], called, strict=True))  # fmt: skip
        verb = "images are" if n > 1 else "image is"
        yield Note(f"{name}: {n} {verb} of two classes or more ({first}"
                   f"{', ...' * (len(rows) > 3)})", "warning")  # fmt: skip


def _absent(split: Split) -> Iterator[Note]:
    """Classes of which there is nothing to learn from, and whether a limit is the cause."""
    there = set(split.require_labels().tolist()) if split.labels is not None else None
    gone = [c for i, c in enumerate(split.class_names) if there is not None and i not in there]
    if gone:
        what = "class has" if len(gone) == 1 else "classes have"
        limits = [n.say for n in map(Note.of, split.notes) if n.short == "limit"]
        first = ", ".join(gone[:6]) + ", ..." * (len(gone) > 6)
        said = "; ".join([f"train: {len(gone)} {what} no image: {first}", *limits])
        yield Note(said, "warning")


def _counted(shift: Shift) -> str:
    """Which answers count, where not every class does."""
    said = ""
    if shift.classes is not None:
        by = shift.masked_by or "the task"
        said = f"masked to {len(shift.classes)} of {len(shift.split.class_names)} classes by {by}"
    if shift.groups:
        said += f"{', ' * bool(said)}{len(shift.groups)} groups of classes count as one each"
    return said


def _strange(split: Split, name: str, seen: Pictures | None) -> Iterator[Note]:
    """Files of several pictures, and images whose pixels cannot be what was meant."""
    several = 0 if seen is None else int((looks(split.images)["frames"] > 1).sum())
    if several:
        hold = "files hold" if several > 1 else "file holds"
        yield Note(f"{name}: {several} {hold} further pictures: the first is taken", "left out")
    if seen is None or split.synthetic or set(seen.modes) & {"1", "P", "F"} or len(split) < 8:
        return
    if not any(mode.startswith("I") for mode in seen.modes) and seen.range[1] < _DARK:
        yield Note(f"{name}: no pixel is brighter than {seen.range[1]:g} of 255: are these masks, "
                   "or numbers from 0 to 1 written as bytes?", "warning")  # fmt: skip


def _shared(task: Task, compared: dict[str, Split], pairs: Split | None) -> Iterator[Note]:
    """What was found when the task was made; a task from Python is compared now."""
    known = [n for n in map(Note.of, task.notes) if " images of " in n and " are in " in n]
    if pairs is not None:
        yield from overlap_notes(compared, only="pairs")
    yield from known or overlap_notes({k: v for k, v in compared.items() if k != "pairs"})


def _examples(task: Task) -> list[str]:
    """Two prompts; of names that say nothing, where there are any."""
    names = sorted(task.names_in_prompts, key=lambda name: not says_nothing(name))
    return [f'"{task.templates[0].format(name)}"' for name in names[:2]]


def _silent_prompts(task: Task) -> Iterator[Note]:
    silent = [name for name in task.names_in_prompts if says_nothing(name)]
    if silent:
        yield Note(
            f"{len(silent)} of {len(task.class_names)} classes have names that say nothing in a "
            f"prompt ({', '.join(silent[:4])}{', ...' * (len(silent) > 4)}): zero-shot is at "
            "chance for them; --names FILE says what they are",
            "warning",
        )


def _few_steps(methods: Sequence[Method], images: int) -> Iterator[Note]:
    """Schedules of so few steps that they hardly train, with the batch that would mend it."""
    for method in methods:
        for one in schedules(method)[-1:]:
            steps = one.steps_per_epoch(images) * one.epochs
            if steps >= FEW_STEPS:
                continue
            fitting = [2**k for k in range(12) if -(-images // 2**k) * one.epochs >= FEW_STEPS]
            mend = f"--batch {max(fitting)} makes it " if fitting else "more epochs make it more"
            if fitting:
                mend += f"{-(-images // max(fitting)) * one.epochs}"
            yield Note(
                f"{method.label()}: {images:,} images in batches of {one.batch_size} are {steps} "
                f"steps in {one.epochs} epochs; {mend}",
                "warning",
            )
