"""Fisher-weighted averages: each number leans to the model that is surer of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from ..errors import WeightsError
from .alpha import Side
from .audit import COMPUTED, finite
from .combine import combined, require_all_compatible, total_of

__all__ = ["check_shares", "fisher_merge", "fisher_norm", "precise_mean"]

Tensors = Mapping[str, Tensor]


def fisher_merge(
    models: Sequence[Tensors],
    fishers: Sequence[Tensors],
    weights: Sequence[float] | None = None,
    *,
    floor: float = 0.0,
    normalize: bool = False,
    integers: Side = "end",
) -> dict[str, Tensor]:
    """sum_i w_i F_i theta_i / sum_i w_i F_i, number by number (arXiv 2111.09832, section 3).

    Tensors without a Fisher (buffers), and numbers where every w_i F_i is 0, are averaged with
    the weights alone. A model of weight 0 takes no part; a single one comes back bit for bit.

    Args:
        models: One or more.
        fishers: For each model the diagonal of its Fisher information, tensors >= 0 of the
            parameters' shapes; the same names in each.
        weights: One per model, finite, >= 0, not all 0; equal when left out.
        floor: Fishers below it are raised to it, so that noise does not decide where all of them
            are tiny (1e-6 in the paper's code).
        normalize: Divide every Fisher by its Euclidean norm over all numbers, so that a model that
            is surer on the whole counts no more for it: the default of the paper's code, and not
            of its formula, which this is without it (as is wise-ft's).
        integers: Whose integer tensors are taken.

    Raises:
        WeightsError: Wrong weights or Fishers, or the sets do not fit.

    Example:
        >>> fishers = [{"w": torch.tensor([1.0, 1.0])}, {"w": torch.tensor([3.0, 1.0])}]
        >>> sf.weights.fisher_merge([start, end], fishers)
        {'w': tensor([1.5000, 2.0000])}
    """
    shares = [1.0] * len(models) if weights is None else [float(w) for w in weights]
    _check_fishers(models, fishers, shares, floor)
    require_all_compatible(models)
    active = [i for i, share in enumerate(shares) if share > 0]

    norms = [fisher_norm(fishers[i].values()) if normalize else 1.0 for i in active]

    def merged(name: str, *xs: Tensor) -> Tensor:
        own = [fishers[i][name] for i in active] if name in fishers[0] else None
        return precise_mean(xs, [shares[i] for i in active], own, floor, norms)

    copied = models[-1] if integers == "end" else models[0]
    return combined(merged, [models[i] for i in active], integers, copied=copied)


def fisher_norm(blocks: Iterable[Tensor]) -> float:
    """The Euclidean norm of a Fisher over all its numbers; 1 where all are 0."""
    total = math.sqrt(sum(float(b.double().square().sum()) for b in blocks))
    return total if total > 0 else 1.0


def precise_mean(
    xs: Sequence[Tensor],
    shares: Sequence[float],
    fishers: Sequence[Tensor] | None,
    floor: float,
    norms: Sequence[float],
) -> Tensor:
    """The average of wide tensors, or blocks of them; by the shares alone without Fishers.

    Fishers are raised to the floor, then divided by ``norms``, as the paper's code does it.
    """
    if len(xs) == 1:
        return xs[0]
    flat = [torch.full_like(x, share) for x, share in zip(xs, shares, strict=True)]
    total, plain = total_of(flat), total_of([w * x for w, x in zip(flat, xs, strict=True)])
    if fishers is None:
        return plain / total
    precise = [w * (f.to(w.device, w.dtype).clamp_min(floor) / norm)
               for w, f, norm in zip(flat, fishers, norms, strict=True)]  # fmt: skip
    known = total_of(precise)
    # Divided before they are multiplied: a Fisher of 1e-30 squared would leave float32.
    weighed = total_of([p / known * x for p, x in zip(precise, xs, strict=True)])
    return torch.where(known > 0, weighed, plain / total)


def check_shares(count: int, fishers: int, shares: Sequence[float], floor: float) -> None:
    """Raise unless there is a Fisher and a usable weight for each model.

    Raises:
        WeightsError: There is not.
    """
    usable = all(math.isfinite(s) and s >= 0 for s in shares) and sum(shares) > 0
    if not count == fishers == len(shares) or not usable:
        raise WeightsError(
            f"{count} models with {fishers} Fishers cannot be merged with the weights "
            f"{list(shares)}",
            expected="one Fisher and one finite weight >= 0 per model, not all weights 0",
        )
    if not (math.isfinite(floor) and floor >= 0):
        raise WeightsError(f"the floor of the Fishers is {floor}", expected="a number >= 0")


def _check_fishers(
    models: Sequence[Tensors], fishers: Sequence[Tensors], shares: Sequence[float], floor: float
) -> None:
    check_shares(len(models), len(fishers), shares, floor)
    for number, fisher in enumerate(fishers, 1):
        wrong = sorted(set(fisher) ^ set(fishers[0]))
        wrong += [k for k, f in fisher.items() if k not in models[0]
                  or models[0][k].dtype not in COMPUTED or f.shape != models[0][k].shape
                  or not finite(f) or bool((f < 0).any())]  # fmt: skip
        if wrong:
            raise WeightsError(
                f"Fisher {number} does not fit in {', '.join(repr(k) for k in wrong[:5])}",
                expected="finite tensors >= 0, of the names and shapes of the parameters, the "
                "same names for every model",
            )
