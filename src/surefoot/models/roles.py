"""Which of several networks in one file is meant: by the roles that their names tell, or refused.

Self-supervised and semi-supervised training keeps two copies of a network, one a moving average of
the other. Which of them was published or evaluated is a convention of each method; between names
that tell nothing, nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..errors import CheckpointError

__all__ = ["chosen", "same_tensors"]

_PAIRS: Mapping[tuple[str, str], str] = {
    ("q", "k"): "the query encoder, which MoCo evaluates (arXiv 1911.05722)",
    ("query", "key"): "the query encoder, which MoCo evaluates (arXiv 1911.05722)",
    ("base", "momentum"): "the base encoder, which MoCo v3 evaluates (arXiv 2104.02057)",
    ("", "momentum"): "the encoder that is trained, not its momentum copy",
    ("", "m"): "the encoder that is trained, not its momentum copy (ALBEF, arXiv 2107.07651)",
    ("online", "target"): "the online network, which BYOL keeps (arXiv 2006.07733)",
    ("teacher", "student"): "the teacher, which DINO publishes (arXiv 2104.14294)",
    ("ema", ""): "the moving average, which timm takes",
    ("ema", "model"): "the moving average, which timm takes",
    ("ema", "module"): "the moving average, which timm takes",
    ("ema", "net"): "the moving average, which timm takes",
    ("ema", "online"): "the moving average, which timm takes",
}
"""(words of the one taken, of the other) -> why; words that both names share are left out."""


def chosen(names: Mapping[str, int], *, equal: bool = False) -> tuple[str, str]:
    """The name to take, and why ("" where there was no choice).

    Args:
        names: Prefix or entry of a file -> how many tensors stand there.
        equal: The tensors are the same under all names, so the shortest serves.

    Raises:
        CheckpointError: Several, and no known roles tell them apart.
    """
    order = sorted(names, key=lambda name: (len(name), name))
    if len(order) == 1 or equal:
        return order[0], ""
    for name in order:
        why = [_why(name, other) for other in order if other != name]
        if all(why):
            return name, why[0]
    listed = "".join(f"\n    {name or '(no prefix)'}: {names[name]} tensors" for name in order)
    raise CheckpointError(
        f"the file holds {len(order)} networks that fit, and their names do not tell which is "
        f"meant:{listed}",
        expected="one network, or known roles: query and key, teacher and student, online and "
        "target, a model and its EMA",
        fix="save the one that you want by itself: torch.save({k.removeprefix(P): v for k, v in "
        "state.items() if k.startswith(P)}, FILE), with its prefix P",
    )


def _why(name: str, other: str) -> str:
    """Why one is taken rather than the other; "" where no rule says so."""
    mine, theirs = _words(name), _words(other)
    while mine and theirs and mine[0] == theirs[0]:
        mine, theirs = mine[1:], theirs[1:]
    while mine and theirs and mine[-1] == theirs[-1]:
        mine, theirs = mine[:-1], theirs[:-1]
    return _PAIRS.get(("_".join(mine), "_".join(theirs)), "")


def _words(name: str) -> list[str]:
    return re.findall(r"[^._]+", name)


def same_tensors(state: Mapping[str, Tensor], prefixes: Sequence[str]) -> bool:
    """Whether what stands under every prefix is the same, as where one module has two names."""
    first, *others = (
        {k[len(p) :]: v for k, v in state.items() if k.startswith(p)} for p in prefixes
    )
    return all(
        first.keys() == other.keys() and all(_equal(v, other[k]) for k, v in first.items())
        for other in others
    )


def _equal(a: Tensor, b: Tensor) -> bool:
    return a is b or (a.shape == b.shape and a.dtype == b.dtype and torch.equal(a, b))
