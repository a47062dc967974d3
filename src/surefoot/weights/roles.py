"""Which of several networks in one file is meant: by the roles that their names tell, or refused.

Self-supervised and semi-supervised training keeps two copies of a network, one a moving average of
the other. Which of them was published or evaluated is a convention of each method; between names
that tell nothing, nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..errors import CheckpointError

__all__ = ["ENTRIES", "Taken", "chosen", "innermost", "same_tensors"]

_KINDS: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("state_dict_ema", "model_ema", "ema", "ema_state_dict", "model_state_dict_ema"),
        "the moving average, which timm takes",
    ),
    (("teacher",), "the teacher, which DINO publishes (arXiv 2104.14294)"),
    (("state_dict", "model_state_dict", "model", "module", "net"), "the model"),
    (("student",), "the student"),
)
"""Where training checkpoints keep the weights, best first, and what they are."""

ENTRIES = tuple(name for names, _ in _KINDS for name in names)
"""The entries of a training checkpoint that are looked into."""

_NESTED = 3
"""Entries within entries, at most."""

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


class Taken(NamedTuple):
    """One step into a training checkpoint: the entries there, the one taken, and why."""

    held: Mapping[str, Any]
    name: str
    why: str


def innermost(
    value: Any, tensors: Callable[[Any], Mapping[str, Tensor]]
) -> tuple[Any, tuple[Taken, ...]]:
    """What of a training checkpoint holds the weights, and the way there.

    Args:
        value: What the file holds.
        tensors: The tensors that such a value holds itself, by name.

    Raises:
        CheckpointError: Two entries of one kind hold different weights.
    """
    way: list[Taken] = []
    for _ in range(_NESTED):
        held = {str(k): v for k, v in value.items()} if isinstance(value, Mapping) else {}
        if any(isinstance(v, Tensor) for v in held.values()):
            break
        name, why = _entry(held, tensors)
        if name is None:
            break
        way.append(Taken(held, name, why))
        value = held[name]
    return value, tuple(way)


def _entry(
    held: Mapping[str, Any], tensors: Callable[[Any], Mapping[str, Tensor]]
) -> tuple[str | None, str]:
    """Under which entry the weights are, and a note where others hold some too."""
    full = {name: state for name in held if (state := _inner(held[name], tensors, _NESTED))}
    for names, kind in _KINDS:
        mine = {name: len(full[name]) for name in names if name in full}
        if not mine:
            continue
        joined = {f"{name}/{k}": v for name in mine for k, v in full[name].items()}
        taken, _ = chosen(mine, equal=same_tensors(joined, [f"{name}/" for name in mine]))
        others = ", ".join(repr(name) for name in full if name not in mine)
        return taken, f"the weights under {taken!r}, not {others}: {kind}" if others else ""
    return None, ""


def _inner(
    value: Any, tensors: Callable[[Any], Mapping[str, Tensor]], depth: int
) -> dict[str, Tensor]:
    """The tensors of an entry, and those of known entries inside it by their path."""
    own = dict(tensors(value))
    if isinstance(value, Mapping) and depth:  # a pickled dictionary may hold itself
        for name in ENTRIES:
            inside = _inner(value.get(name), tensors, depth - 1)
            own.update({f"{name}/{k}": v for k, v in inside.items()})
    return own


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
