"""The classes of CIFAR-10 and STL-10 and how the ones become the others."""

from __future__ import annotations

from collections.abc import Sequence

from ..dataset import ClassMap

__all__ = ["CIFAR10_CLASSES", "STL10_CLASSES", "to_cifar_or_stl"]

CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
"""In the order of CIFAR-10's labels (its page, and every copy's batches.meta)."""

STL10_CLASSES = (
    "airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck",
)  # fmt: skip
"""In the order of STL-10's labels (its page, and every copy's class_names.txt)."""

_SAME = {"car": "automobile", "automobile": "car"}


def to_cifar_or_stl(classes: Sequence[str], task_classes: Sequence[str]) -> ClassMap | None:
    """CIFAR-10 <-> STL-10: nine classes are shared, a car is an automobile.

    STL's monkey and CIFAR's frog have no partner and are left out of the score, as LP-FT (Kumar et
    al. 2022, arXiv 2202.10054) does. None where every class is one of the task's already.
    """
    if set(classes) <= set(task_classes):
        return None
    pairs = {}
    for name in classes:
        partner = name if name in task_classes else _SAME.get(name, name)
        if partner in task_classes:
            pairs[name] = partner
    return ClassMap(pairs) if pairs else None
