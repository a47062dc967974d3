"""Weights: name -> tensor, as a value with operators."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from numbers import Real

import torch
from torch import Tensor, nn

from ..errors import WeightsError
from . import ops
from .alpha import Side
from .audit import COMPUTED, finite, identical, listed, require_compatible
from .fingerprint import fingerprint

__all__ = ["Weights"]


class Weights(Mapping[str, Tensor]):
    """An immutable value: operators give new ones, and the tensors are never written to.

    ``task_vector = tuned - start`` and ``start + 0.5 * task_vector`` read as the papers write
    them. Only floating tensors are computed with; integer and boolean ones come from the left
    operand (:meth:`lerp` lets you choose).

    Args:
        tensors: Name -> tensor. They are detached, not copied: do not write to them afterwards.

    Example:
        >>> theta = sf.Weights(start)
        >>> vector = sf.Weights(end) - theta
        >>> (theta + 0.5 * vector)["w"]
        tensor([1., 2.])
    """

    __slots__ = ("_tensors",)

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        strange = [f"{k!r} is a {type(v).__name__}" for k, v in tensors.items()
                   if not isinstance(v, Tensor)]  # fmt: skip
        if strange:
            raise WeightsError("not every value is a tensor:" + listed(strange),
                               expected="name -> tensor, as state_dict() gives")  # fmt: skip
        self._tensors: dict[str, Tensor] = {k: v.detach() for k, v in tensors.items()}

    @classmethod
    def of(cls, module: nn.Module) -> Weights:
        """A copy of a module's parameters and persistent buffers; tied tensors stay tied."""
        copies: dict[tuple[object, ...], Tensor] = {}
        out: dict[str, Tensor] = {}
        for name, tensor in module.state_dict().items():
            if isinstance(tensor, Tensor):
                key = ops.tied(tensor)
                if key not in copies:
                    copies[key] = tensor.detach().clone(memory_format=torch.contiguous_format)
                out[name] = copies[key]
        return cls(out)

    def __getitem__(self, name: str) -> Tensor:
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __repr__(self) -> str:
        numbers = sum(t.numel() for t in self.values())
        return f"Weights({len(self)} tensors, {numbers:,} numbers)"

    def __eq__(self, other: object) -> bool:
        """Equal bit for bit: names, dtypes, shapes and bytes."""
        if not isinstance(other, Weights):
            return NotImplemented
        return self.keys() == other.keys() and all(identical(t, other[k]) for k, t in self.items())

    __hash__ = None  # type: ignore[assignment]

    def __add__(self, other: Weights) -> Weights:
        return Weights(ops.add(self, other)) if isinstance(other, Weights) else NotImplemented

    def __sub__(self, other: Weights) -> Weights:
        if not isinstance(other, Weights):
            return NotImplemented
        return Weights(ops.difference(self, other))

    def __mul__(self, factor: float) -> Weights:
        if not _is_number(factor):
            return NotImplemented
        if not math.isfinite(factor):
            raise WeightsError(f"weights cannot be multiplied by {factor}",
                               expected="a finite number")  # fmt: skip
        return self._floating(lambda t: _scaled(t, float(factor)))

    __rmul__ = __mul__

    def __neg__(self) -> Weights:
        return self._floating(lambda t: _scaled(t, -1.0))

    def lerp(
        self,
        other: Mapping[str, Tensor],
        alpha: float,
        *,
        integers: Side = "end",
        extrapolate: bool = False,
    ) -> Weights:
        """(1 - alpha) self + alpha other; see :func:`surefoot.weights.lerp`."""
        mixed = ops.lerp(self, other, alpha, integers=integers, extrapolate=extrapolate)
        return Weights(mixed)

    def dot(self, other: Mapping[str, Tensor]) -> float:
        """The inner product over all floating tensors, accumulated in float64.

        Raises:
            WeightsError: The sets do not fit together.
        """
        require_compatible(self, other)
        return math.fsum(
            float((t.double() * other[k].to(t.device).double()).sum())
            for k, t in self.items()
            if t.dtype in COMPUTED
        )

    def norm(self) -> float:
        """The Euclidean norm over all floating tensors, accumulated in float64."""
        squares = (float(t.double().square().sum()) for t in self.values() if t.dtype in COMPUTED)
        return math.sqrt(math.fsum(squares))

    def select(self, prefix: str, *, strip: bool = False) -> Weights:
        """The tensors whose name starts with ``prefix`` ("encoder."), without it on request."""
        cut = len(prefix) if strip else 0
        return Weights({k[cut:]: t for k, t in self.items() if k.startswith(prefix)})

    def to(self, dtype: torch.dtype) -> Weights:
        """Floating tensors in another dtype; integers as they are.

        Raises:
            WeightsError: A value does not fit into the dtype.
        """
        return self._floating(lambda t: t.to(dtype))

    def fingerprint(self) -> str:
        """64 hexadecimal digits; see :func:`surefoot.weights.fingerprint`."""
        return fingerprint(self)

    def load_into(self, module: nn.Module, *, strict: bool = True) -> None:
        """Copy the values into a module, in place, converting dtype and device to the module's.

        Nothing is written unless everything fits.

        Args:
            module: Has parameters and buffers of these names and shapes.
            strict: Names that only one side has are an error; else they are left alone.

        Raises:
            WeightsError: Every problem at once: names, shapes, and names that are one tensor in
                the module but hold different values here.
        """
        targets = {k: v for k, v in module.state_dict().items() if isinstance(v, Tensor)}
        problems = _misfits(self, targets, strict=strict)
        if problems:
            raise WeightsError(
                f"the weights do not fit into {type(module).__name__}:" + listed(problems),
                expected="the names and shapes of the module",
                fix="load the architecture that these weights were saved from",
            )
        with torch.no_grad():
            for name, target in targets.items():
                if name in self:
                    target.copy_(self[name])

    def _floating(self, function: Callable[[Tensor], Tensor]) -> Weights:
        """Apply a function to every floating tensor; shared ones stay shared."""
        floating = {k: t for k, t in self.items() if t.dtype in COMPUTED}
        done: dict[tuple[object, ...], Tensor] = {}
        for name, tensor in floating.items():
            key = ops.tied(tensor)
            if key not in done:
                done[key] = function(tensor)
                if bool(torch.isnan(tensor).any()) or (finite(tensor) and not finite(done[key])):
                    raise WeightsError(f"{name!r} holds NaN or the result overflows in it",
                                       expected="finite values",
                                       fix="use a wider dtype, such as float32")  # fmt: skip
        return Weights({k: done[ops.tied(t)] if k in floating else t for k, t in self.items()})


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _scaled(tensor: Tensor, factor: float) -> Tensor:
    """The product, in at least float32; a tensor with infinities (a mask) is copied."""
    if not finite(tensor):
        return tensor.clone()
    half = tensor.dtype in (torch.float16, torch.bfloat16)
    return ((tensor.float() if half else tensor) * factor).to(tensor.dtype)


def _misfits(
    source: Mapping[str, Tensor], targets: Mapping[str, Tensor], *, strict: bool
) -> list[str]:
    problems: list[str] = []
    first: dict[tuple[object, ...], str] = {}
    for name in sorted(set(source) | set(targets)):
        if name not in source or name not in targets:
            where = "the weights" if name in source else "the module"
            problems += [f"{name!r} is in {where} only"] if strict else []
            continue
        have, want = tuple(source[name].shape), tuple(targets[name].shape)
        if have != want:
            problems.append(f"{name!r} has the shape {have}, the module wants {want}")
        elif source[name].dtype.is_floating_point != targets[name].dtype.is_floating_point:
            problems.append(f"{name!r} is {source[name].dtype}, the module wants "
                            f"{targets[name].dtype}")  # fmt: skip
        twin = first.setdefault(ops.tied(targets[name]), name)
        if have == want and not identical(source[twin], source[name]):
            problems.append(f"{name!r} and {twin!r} are one tensor in the module and differ here")
    return problems
