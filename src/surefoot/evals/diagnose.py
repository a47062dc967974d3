"""Images on which models differ."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..predictions import Predictions

__all__ = ["disagreements", "pick_examples"]


def _same_images(models: Mapping[str, Predictions]) -> None:
    first = next(iter(models.values()))
    for name, p in list(models.items())[1:]:
        if not p.same_images(first) or p.class_names != first.class_names:
            raise DataError(
                f"{name!r} was evaluated on other images or classes than {next(iter(models))!r}",
                expected=f"the same {len(first.ids)} images of {first.split!r} in the same order",
                fix="evaluate all models on the same split",
            )


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
