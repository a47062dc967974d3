"""The data sets of the claims study, as tasks, with the model that each starts from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..data.builtin import pictograms
from ..data.corruptions import corruptions
from ..data.dataset import ClassMap, Shift, Split, Task
from ..data.splitting import cut
from ..errors import DataError
from ..models.load import load
from ..models.model import Model
from .plan import SetPlan

__all__ = ["CIFAR_TO_PICTOGRAMS", "Sources", "prepare"]

CIFAR_TO_PICTOGRAMS = {
    "airplane": "airplane",
    "car": "automobile",
    "cat": "cat",
    "ship": "ship",
    "truck": "truck",
}
"""Concepts of pictograms that are classes of CIFAR-10."""

_CORRUPTIONS = ("noise", "blur", "contrast")
_SIZE = 64
"""Pixels at which CIFAR-10's 32 x 32 images are shown to an ImageNet encoder."""


@dataclass(frozen=True)
class Sources:
    """Where things that do not ship lie.

    Attributes:
        cifar10: The folder ``cifar-10-batches-py``, or the one that holds it.
        encoder: Weights of the encoder that CIFAR-10 is asked of, a safetensors file.
    """

    cifar10: Path | None = None
    encoder: Path | None = None


def prepare(plan: SetPlan, sources: Sources) -> tuple[Task, Model]:
    """The task, cut to the plan's limits, and the pretrained model.

    Raises:
        DataError: The data set or the encoder's weights were not given.
    """
    if plan.name == "pictograms":
        return _limited(pictograms(), plan.limits), load(plan.model)
    if sources.cifar10 is None or sources.encoder is None:
        raise DataError(
            "the claims study on CIFAR-10 needs the data and an encoder's weights",
            expected="--cifar10 DIR (its python batches) and --encoder FILE (weights of "
            f"{plan.model} that saw other images)",
            fix="give both, or leave the data set out: --only with the other parts",
        )
    start = load(f"{plan.model}@{sources.encoder}")
    transform = start.spec.transform.changed(
        size=(_SIZE, _SIZE), resize=_SIZE, mean=(0.5,) * 3, std=(0.5,) * 3, train_flip=True
    )
    return _cifar10(sources.cifar10, plan.limits), start.with_spec(transform=transform)


def _limited(task: Task, limits: Mapping[str, int | None]) -> Task:
    def kept(split: Split, role: str) -> Split:
        n = limits[role]
        return split if n is None else split.subset(n, seed=0)

    return dataclasses.replace(
        task,
        train=kept(task.train, "train"),
        val=kept(task.val, "val"),
        test=kept(task.test, "test"),
        shifts=tuple(dataclasses.replace(s, split=kept(s.split, "shift")) for s in task.shifts),
    )


def _cifar10(folder: Path, limits: Mapping[str, int | None]) -> Task:
    """Photographs; the shifts are three corruptions, and drawings of the classes they share."""
    from ..data.known.cifar import CIFAR10
    from ..data.known.find import locate

    place = locate(CIFAR10, folder, itself=True)
    if place is None:
        raise DataError(
            f"CIFAR-10 is not in {folder}",
            expected="its python batches: data_batch_1 to 5, test_batch, batches.meta",
        )
    whole = CIFAR10.read(place, "train")
    test = CIFAR10.read(place, "test")
    train, val = cut(whole, 0.1, 0, name="val", use="val")
    task = Task(
        name="cifar10",
        train=train,
        val=val,
        test=test,
        shifts=(),
        class_names=train.class_names,
        notes=("CIFAR-10: validation is a tenth of its training set",),
    )
    task = _limited(task, limits)
    n = limits["shift"]
    few = task.test if n is None else task.test.subset(n, seed=0)
    made = [Shift(s.name, s) for s in corruptions(few, kinds=_CORRUPTIONS, seed=0)]
    return dataclasses.replace(task, shifts=(*made, *_drawn(train.class_names)))


def _drawn(classes: tuple[str, ...]) -> list[Shift]:
    """Colour icons and sketches of five of CIFAR-10's classes, from pictograms' test sets."""
    shared = ClassMap(CIFAR_TO_PICTOGRAMS)
    found = []
    for shift in pictograms().shifts:
        if shift.name in ("colour", "sketch"):
            named = dataclasses.replace(shift.split, name=f"pictograms {shift.name}")
            found.append(Shift.of(named, classes, class_map=shared))
    return found
