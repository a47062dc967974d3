"""What in a checkpoint is no weight: numbers whose average means nothing, whatever the method."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from .dtypes import TensorLayout

__all__ = ["is_variance", "no_weights"]

_ADAPTER = re.compile(r"(?:^|[._])(?:lora|dora|hada|lokr|vera|b?oft)(?:[._]|$)", re.IGNORECASE)
"""Names that peft, kohya's scripts and diffusers give to the parts of an adapter."""

_FACTOR = re.compile(r"(?<![a-z])[ab](?![a-z])|[ab](?=(?:[._]weight)?$)", re.IGNORECASE)
"""The letter by which two factors differ: ``loraA.weight``, ``w_a_000``, ``linear_b_q``."""

_STORED = frozenset({"weight", "bias", "qweight", "qzeros", "weight_packed", "W_q"})
"""Last part of the names of what is a weight, so that integers there stand for others."""

_SCALES = ("SCB", "scale", "scales", "weight_scale", "absmax", "weight.absmax")
"""Last part of the names of the numbers by which quantised ones are multiplied."""

_VARIANCES = frozenset({"running_var", "moving_variance", "moving_var"})


def is_variance(name: str) -> bool:
    """Is it a running variance, of which a negative one gives NaN?"""
    return name.rsplit(".", 1)[-1] in _VARIANCES


def no_weights(outline: Mapping[str, TensorLayout]) -> list[str]:
    """A sentence for each kind of numbers in a checkpoint that may not be mixed one by one.

    Args:
        outline: Name -> shape and format.
    """
    factors = [name for name in outline if _ADAPTER.search(name) or _is_factor(name, outline)]
    found = (
        (factors, "part of an adapter, of which the products are the weights, not the factors: "
         "put each adapter into its base first (peft: merge_and_unload), then merge those"),
        ([name for name in outline if _is_quantised(name, outline)],
         "quantised, with scales of its own in each checkpoint: dequantise them first"),
    )  # fmt: skip
    return [_sentence(names, what) for names, what in found if names]


def _is_factor(name: str, outline: Mapping[str, TensorLayout]) -> bool:
    """One of two matrices ...A... (r, n) and ...B... (m, r) with r below n and m."""
    for found in _FACTOR.finditer(name):
        a, b = (outline.get(name[: found.start()] + side + name[found.end() :])
                for side in ("AB" if found[0].isupper() else "ab"))  # fmt: skip
        if a is None or b is None or not len(a.shape) == len(b.shape) == 2:
            continue
        if a.shape[0] == b.shape[1] < min(a.shape[1], b.shape[0]):
            return True
    return False


def _is_quantised(name: str, outline: Mapping[str, TensorLayout]) -> bool:
    """Integers in the place of a weight, or beside the numbers that scale them."""
    own = outline[name]
    if not own.shape or not own.kind.startswith(("I", "U")):
        return False
    before, _, last = name.rpartition(".")
    places = (f"{before}.{scale}".lstrip(".") for scale in _SCALES)
    return last in _STORED or any(p in outline or f"{name}.{s}" in outline
                                  for p, s in zip(places, _SCALES, strict=True))  # fmt: skip


def _sentence(names: Sequence[str], what: str) -> str:
    first: Iterable[str] = (repr(name) for name in names[:2])
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return f"{', '.join(first)}{more}: {what}"
