"""Several models on the same images: every pair compared, Holm over all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from ..errors import DataError
from .compared import About, Comparison
from .comparison import Rights, Units, compare
from .paired import holm

__all__ = ["Ranking", "rank"]


@dataclass(frozen=True)
class Ranking:
    """Several models on the same images, every pair tested.

    Attributes:
        best: The name with the highest mean over splits; the first of equals.
        tied: The best and all that cannot be told from it, in the given order.
        pairs: (name, name) in the given order -> the comparison of the first with the second.
        p: The same keys -> p adjusted for all pairs (Holm 1979).

    Example:
        >>> sf.stats.rank({"ours": {"test": a}, "theirs": {"test": b}}).best
        'ours'
    """

    best: str
    tied: tuple[str, ...]
    pairs: Mapping[tuple[str, str], Comparison]
    p: Mapping[tuple[str, str], float]

    @classmethod
    def of(
        cls, values: Mapping[str, float], pairs: Mapping[tuple[str, str], Comparison]
    ) -> Ranking:
        """From every pair's comparison and the models' means (more is better)."""
        adjusted = dict(zip(pairs, holm([c.p for c in pairs.values()]).tolist(), strict=True))
        best = max(values, key=lambda name: values[name])
        found = cls(best, (), pairs, adjusted)
        tied = tuple(name for name in values if name == best or not found.better(best, name))
        return replace(found, tied=tied)

    def p_to_best(self, name: str) -> float | None:
        """Adjusted p of the best against another; None of what was not compared with it."""
        return self.p.get((self.best, name), self.p.get((name, self.best)))

    def better(self, a: str, b: str) -> int:
        """1, -1 or 0 of a against b, with all pairs allowed for."""
        key, turn = ((a, b), 1) if (a, b) in self.pairs else ((b, a), -1)
        found = self.pairs[key]
        return turn * found.better if self.p[key] < 1 - found.level else 0


def rank(
    models: Mapping[str, Rights],
    units: Units | None = None,
    *,
    about: About | None = None,
    level: float = 0.95,
) -> Ranking:
    """Every pair of several models; what is called different is wrong in at most 1 - level.

    All pairs are tested and Holm's adjustment is over all of them, so that the probability of
    calling any two models different that are equal in truth is at most 1 - level, however many
    there are and whichever turns out best.

    Args:
        models: Name -> split -> (seeds, images) or (images,), as :func:`compare` takes them.
        units: As there.
        about: As there, for every pair.
        level: 1 minus the error over all pairs.

    Raises:
        DataError: There is no model, or two do not pair.

    Example:
        >>> sf.stats.rank({"ours": {"test": a}, "theirs": {"test": b}}).tied
        ('ours', 'theirs')
    """
    if not models:
        raise DataError("there is no model to compare", expected="at least one")
    pairs = {
        (x, y): compare(models[x], models[y], units, about=about, level=level)
        for x, y in combinations(models, 2)
    }
    means = {
        name: float(np.mean([np.asarray(v, float).mean() for v in rows.values()]))
        for name, rows in models.items()
    }
    return Ranking.of(means, pairs)
