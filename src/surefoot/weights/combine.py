"""Several models become one: soups, Model Stock, task arithmetic.

The rules of :mod:`surefoot.weights.ops` hold: an audit comes first; half precision is computed in
float32 and the rest in float64, rounded once; integer and boolean tensors are copied from one side
(``integers``: "start" is the first set given, "end" the last); a tensor that is equal in all sets
comes back bit for bit. TIES is in :mod:`.ties`, LiNeS in :mod:`.lines`, Fisher-weighted averages in
:mod:`.fisher`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations

import torch
from torch import Tensor

from ..errors import WeightsError
from .alpha import Side
from .audit import COMPUTED, finite, require_compatible
from .ops import mean, wide, zip_named

__all__ = [
    "add_deltas",
    "combined",
    "greedy_soup",
    "model_stock",
    "ratio_of",
    "require_all_compatible",
    "stock",
    "stock_ratios",
    "task_arithmetic",
    "total_of",
    "uniform_soup",
]

Tensors = Mapping[str, Tensor]


def uniform_soup(models: Sequence[Tensors]) -> dict[str, Tensor]:
    """The plain average (Wortsman et al., "Model soups", arXiv 2203.05482, section 2).

    Integers come from the first model.

    Raises:
        WeightsError: There is no model, or the models do not fit.

    Example:
        >>> sf.weights.uniform_soup([start, end])
        {'w': tensor([1., 2.])}
    """
    return mean(models)


def greedy_soup(
    models: Sequence[Tensors], score: Callable[[Tensors], float]
) -> tuple[dict[str, Tensor], tuple[int, ...]]:
    """The greedy soup of arXiv 2203.05482, recipe 1.

    Models are tried from the best to the worst; one joins the soup if the average with it scores
    at least as well as the soup so far.

    Args:
        models: One or more.
        score: Higher is better; on held-out ID data, never on a test set. It is called once per
            model and once per trial.

    Returns:
        The soup, and the indices of its members in the order in which they joined.

    Raises:
        WeightsError: There is no model, the models do not fit, or a score is NaN.

    Example:
        >>> soup, members = sf.weights.greedy_soup([start, end], lambda w: float(w["w"].sum()))
        >>> soup, members
        ({'w': tensor([2., 2.])}, (1,))
    """
    require_all_compatible(models)
    alone = [_scored(score, model) for model in models]
    order = sorted(range(len(models)), key=lambda i: -alone[i])
    chosen, best = [order[0]], alone[order[0]]
    for candidate in order[1:]:
        value = _scored(score, mean([models[i] for i in (*chosen, candidate)]))
        if value >= best:
            chosen.append(candidate)
            best = value
    return mean([models[i] for i in chosen]), tuple(chosen)


def model_stock(
    start: Tensors, tuned: Sequence[Tensors], *, integers: Side = "end"
) -> dict[str, Tensor]:
    """Model Stock (Jang et al., arXiv 2403.19522, section 4): t * mean(tuned) + (1 - t) * start.

    For each tensor, with the angle theta between the deltas of the tuned models,
    t = N cos(theta) / (1 + (N - 1) cos(theta)); for two models 2 cos / (1 + cos).

    Args:
        start: The pretrained weights.
        tuned: Two or more, tuned from this start alike.
        integers: Whose integer tensors are taken.

    Raises:
        WeightsError: Fewer than two tuned models, or the sets do not fit.

    Example:
        >>> sf.weights.model_stock(start, [end, end])  # no angle between them: their mean
        {'w': tensor([2., 2.])}
    """
    _require_pair(start, tuned)

    def stocked(_: str, x: Tensor, *ys: Tensor) -> Tensor:
        return stock(x, ys)

    return combined(stocked, [start, *tuned], integers)


def stock(x: Tensor, ys: Sequence[Tensor], ratio: float | None = None) -> Tensor:
    """Model Stock of one wide tensor or a block of it; ``ratio`` t where it is known already."""
    deltas = [y - x for y in ys]
    t = _stock_ratio(deltas) if ratio is None else ratio
    return x + t / len(deltas) * total_of(deltas)


def stock_ratios(start: Tensors, tuned: Sequence[Tensors]) -> dict[str, float]:
    """The ratio t of :func:`model_stock` for every floating tensor; 1 is the mean of the tuned.

    Raises:
        WeightsError: As there.

    Example:
        >>> sf.weights.stock_ratios(start, [end, end])
        {'w': 1.0}
    """
    _require_pair(start, tuned)
    out = {}
    for name, first in start.items():
        if first.dtype in COMPUTED and finite(first):
            x = first.detach().to(wide(first.dtype))
            deltas = [t[name].detach().to(first.device, x.dtype) - x for t in tuned]
            out[name] = _stock_ratio(deltas)
    return out


def task_arithmetic(
    start: Tensors,
    tuned: Sequence[Tensors],
    scales: Sequence[float],
    *,
    integers: Side = "end",
) -> dict[str, Tensor]:
    """Start + sum_i scale_i (tuned_i - start) (Ilharco et al., arXiv 2212.04089, section 2).

    A positive scale adds what a task taught, a negative one takes it away (forgetting by
    negation). One model at scale 1 comes back bit for bit, and so does the start at scale 0.

    Args:
        start: The pretrained weights.
        tuned: One set per task.
        scales: One finite number per set.
        integers: Whose integer tensors are taken.

    Raises:
        WeightsError: No set, scales of another number or not finite, or the sets do not fit.

    Example:
        >>> sf.weights.task_arithmetic(start, [end], [-1.0])  # forgetting by negation
        {'w': tensor([-2.,  2.])}
    """
    if not tuned or len(tuned) != len(scales) or not all(math.isfinite(s) for s in scales):
        raise WeightsError(
            f"{len(tuned)} task vectors cannot be added with the scales {list(scales)}",
            expected="one or more sets of tuned weights, one finite scale each",
        )
    require_all_compatible([start, *tuned])
    active = [(t, float(s)) for t, s in zip(tuned, scales, strict=True) if s != 0]

    def added(_: str, x: Tensor, *ys: Tensor) -> Tensor:
        return add_deltas(x, ys, [s for _, s in active])

    # Integers belong to the sets as they were given, whichever take part in the sum.
    copied = tuned[-1] if integers == "end" else start
    return combined(added, [start, *(t for t, _ in active)], integers, copied=copied)


def add_deltas(x: Tensor, ys: Sequence[Tensor], scales: Sequence[float]) -> Tensor:
    """X + sum_i scale_i (y_i - x), of wide tensors or blocks of them; no scale is 0."""
    if list(scales) == [1.0]:
        return ys[0]
    return x + total_of([s * (y - x) for y, s in zip(ys, scales, strict=True)]) if scales else x


def combined(
    function: Callable[..., Tensor],
    sets: Sequence[Tensors],
    integers: Side,
    *,
    copied: Tensors | None = None,
) -> dict[str, Tensor]:
    """Apply ``function(name, *tensors)`` to floating tensors in a wide dtype, and round once.

    Args:
        function: Takes and gives tensors of one shape, in :func:`~surefoot.weights.ops.wide`.
        sets: Compatible ones.
        integers: "start": integers of the first set, "end": of the last.
        copied: Instead, the set that integers are copied from.
    """
    own = copied if copied is not None else sets[0 if integers == "start" else -1]

    def each(name: str, *tensors: Tensor) -> Tensor:
        first = tensors[0]
        if first.dtype not in COMPUTED:
            return own[name].detach().to(first.device, copy=True).contiguous()
        # An infinity is equal in all sets (the audit saw to it): a mask, which is copied.
        if all(torch.equal(first, t) for t in tensors[1:]):
            return first.clone(memory_format=torch.contiguous_format)
        wider = [t.to(wide(first.dtype)) for t in tensors]
        return function(name, *wider).to(first.dtype, copy=True).contiguous()

    return zip_named(each, *sets)


def require_all_compatible(sets: Sequence[Tensors]) -> None:
    """Raise unless there is a set and all of them fit the first.

    Raises:
        WeightsError: Every problem of the first set that does not fit.
    """
    if not sets:
        raise WeightsError("there are no weights to combine", expected="one or more sets")
    for number, other in enumerate(sets[:1] if len(sets) == 1 else sets[1:], 2):
        require_compatible(sets[0], other, second=f"set {number}")


def _require_pair(start: Tensors, tuned: Sequence[Tensors]) -> None:
    if len(tuned) < 2:
        raise WeightsError(
            f"Model Stock was given {len(tuned)} tuned model{'s' if len(tuned) != 1 else ''}",
            expected="two or more, tuned from one start: their angle is what it works with",
        )
    require_all_compatible([start, *tuned])


def _stock_ratio(deltas: Sequence[Tensor]) -> float:
    """T from the mean cosine over all pairs.

    Readings: a cosine below 0 (or undefined, as one delta is 0) counts as 0, so that t stays in
    [0, 1] and such a tensor stays at the start; for more than two models the cosines of the pairs
    are averaged, as mergekit does.
    """
    flat = [d.double().flatten() for d in deltas]
    norms = [float(torch.linalg.vector_norm(d)) for d in flat]
    cosines = [
        float(flat[i] @ flat[j]) / norms[i] / norms[j] if norms[i] and norms[j] else 0.0
        for i, j in combinations(range(len(flat)), 2)
    ]
    return ratio_of(cosines, len(flat))


def ratio_of(cosines: Sequence[float], count: int) -> float:
    """T from the cosines of all pairs of ``count`` deltas."""
    cosine = min(max(math.fsum(cosines) / len(cosines), 0.0), 1.0)
    return count * cosine / (1 + (count - 1) * cosine)


def total_of(tensors: Sequence[Tensor]) -> Tensor:
    """The sum, in the order given."""
    total = tensors[0].clone()
    for tensor in tensors[1:]:
        total += tensor
    return total


def _scored(score: Callable[[Tensors], float], model: Tensors) -> float:
    value = float(score(model))
    if math.isnan(value):
        raise WeightsError("the score of a model is NaN", expected="a number, higher is better")
    return value
