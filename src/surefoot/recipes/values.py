"""Values of a recipe that can be told to be wrong before anything is loaded."""

from __future__ import annotations

import math

from ..errors import SurefootError
from ..metrics import get_metric

__all__ = ["alphas_on_path", "distinct_seeds", "known_metric"]


def known_metric(name: str | None) -> str | None:
    """The name of a metric, as it was given.

    Raises:
        ValueError: There is no such metric; the nearest are named.
    """
    try:
        if name is not None:
            get_metric(name)
    except SurefootError as error:
        more = f" It is {error.expected}." if error.expected else ""
        raise ValueError(f"{error.wrong}{more}") from error
    return name


def alphas_on_path(alphas: int | list[float]) -> int | list[float]:
    """A count of at least two positions, or positions from 0 to 1, as they were given.

    Raises:
        ValueError: Too few, or one that lies outside.
    """
    if isinstance(alphas, int):
        if alphas < 2:
            raise ValueError(f"{alphas} positions have no two ends; give 2 or more, or a list")
        return alphas
    outside = [a for a in alphas if not (math.isfinite(a) and 0 <= a <= 1)]
    if outside:
        raise ValueError(
            f"alpha {outside[0]:g} is outside [0, 1]; only `surefoot sweep` and `surefoot merge` "
            "go beyond, with --extrapolate"
        )
    if not alphas:
        raise ValueError("the list of alphas is empty")
    return alphas


def distinct_seeds(seeds: list[int]) -> list[int]:
    """Seeds that differ and are not negative, as they were given.

    Raises:
        ValueError: One is given twice, or is negative.
    """
    for seed in seeds:
        if seed < 0:
            raise ValueError(f"the seed {seed} is negative")
        if seeds.count(seed) > 1:
            raise ValueError(f"the seed {seed} is given twice")
    return seeds
