"""Where two models differ: per class, and image by image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..predictions import Predictions
from ..stats import holm, paired_difference

__all__ = ["ClassChange", "class_changes", "disagreements", "pick_examples"]


@dataclass(frozen=True)
class ClassChange:
    """What became of one class.

    Attributes:
        name: Of the class.
        n: Its images.
        before: Accuracy of the first model on them.
        after: Accuracy of the second.
        low: Lower end of the 95 % interval of after - before.
        high: Upper end.
        p: Exact McNemar, adjusted for the number of classes (Holm).
        taken_by: The class that the second model says most often where it is wrong; None where
            it never is.
    """

    name: str
    n: int
    before: float
    after: float
    low: float
    high: float
    p: float
    taken_by: str | None


def _same_images(models: Mapping[str, Predictions]) -> None:
    first = next(iter(models.values()))
    for name, p in list(models.items())[1:]:
        if not p.same_images(first) or p.class_names != first.class_names:
            raise DataError(
                f"{name!r} was evaluated on other images or classes than {next(iter(models))!r}",
                expected=f"the same {len(first.ids)} images of {first.split!r} in the same order",
                fix="evaluate all models on the same split",
            )


def class_changes(before: Predictions, after: Predictions) -> list[ClassChange]:
    """Accuracy per class of two models on the same images; the largest loss first.

    Classes without images are left out.

    Raises:
        DataError: The predictions are of different images.
    """
    _same_images({"before": before, "after": after})
    a, b, said = before.correct(), after.correct(), after.top1()
    classes = np.unique(before.labels)
    tests = [paired_difference(b[m], a[m]) for m in (before.labels == c for c in classes)]
    adjusted = holm([t.p for t in tests])
    rows = []
    for c, test, p in zip(classes, tests, adjusted, strict=True):
        here = before.labels == c
        wrong = said[here & ~b]
        name = before.class_names
        taken = name[int(np.bincount(wrong).argmax())] if len(wrong) else None
        ends = (test.interval.low, test.interval.high)
        rates = (float(a[here].mean()), float(b[here].mean()))
        rows.append(ClassChange(name[c], int(here.sum()), *rates, *ends, float(p), taken))
    return sorted(rows, key=lambda row: row.after - row.before)


def disagreements(models: Mapping[str, Predictions], k: int, seed: int = 0) -> NDArray[np.int64]:
    """Pick k images on which the models do not all say the same, ascending.

    The rule: every image where at least two models differ in the top class is equally likely,
    whether or not one of them is right; drawn without replacement from the seed. All of them
    where there are fewer than k.

    Args:
        models: Name -> predictions, all of one split.
        k: How many.
        seed: Of the draw.

    Raises:
        DataError: Fewer than two models, or different images.
    """
    if len(models) < 2:
        raise DataError(f"{len(models)} model cannot disagree", expected="at least two")
    _same_images(models)
    said = np.stack([p.top1() for p in models.values()])
    where = np.flatnonzero((said != said[0]).any(axis=0))
    generator = np.random.default_rng(seed)
    return np.sort(generator.permutation(where)[:k]).astype(np.int64)


def pick_examples(
    splits: Mapping[str, Mapping[str, Predictions]], k: int, seed: int = 0
) -> list[tuple[str, int]]:
    """Pick k (split, index) on which models disagree, as evenly over splits as there are any.

    A split with fewer disagreements than its share gives the rest to the others. Within a split
    the rule of :func:`disagreements` holds.

    Raises:
        DataError: Fewer than two models, or different images within a split.
    """
    found = {
        name: np.random.default_rng(seed + 1 + i).permutation(disagreements(m, 1 << 62, seed))
        for i, (name, m) in enumerate(splits.items())
    }
    picked: list[tuple[str, int]] = []
    for turn in range(max((len(f) for f in found.values()), default=0)):
        picked += [(name, int(f[turn])) for name, f in found.items() if turn < len(f)]
    order = {name: i for i, name in enumerate(splits)}
    return sorted(picked[:k], key=lambda pick: (order[pick[0]], pick[1]))
