"""Putting an adapter into a model, taking it out, and telling what a model carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from torch import nn

from ...errors import ModelError
from ..model import Model
from .base import Adapter, AdapterModule
from .film import FiLMAdapter
from .token_replay import TokenReplayAdapter

__all__ = [
    "adapter_names",
    "adapter_of",
    "as_initialised",
    "fold",
    "from_record",
    "insert",
]

KINDS: dict[str, type[Adapter]] = {a.kind: a for a in (FiLMAdapter, TokenReplayAdapter)}


def insert(model: Model, adapter: Adapter) -> Model:
    """A copy with the adapter as initialised, which computes what the model did.

    Only the adapter and the head have ``requires_grad``. The adapter is recorded in
    ``spec.builder["adapter"]``, so the copy can be saved and rebuilt.

    Args:
        model: A model whose encoder is a vision transformer of timm or open_clip.
        adapter: Which.

    Raises:
        ModelError: The encoder has no place for it, or carries an adapter already.
    """
    if (there := adapter_of(model)) is not None:
        raise ModelError(
            f"{model.spec.name} carries a {there.kind} adapter already",
            expected="a model without adapters",
            fix="fold it first: fold(model)" if there.foldable else "start from the plain model",
        )
    other = model.clone().requires_grad_(False)
    adapter.attach(other.encoder, name=model.spec.name)
    for part in (*_modules(other.encoder), *(() if other.head is None else (other.head,))):
        part.requires_grad_(True)
    other.spec = replace(
        model.spec,
        builder={**model.spec.builder, "adapter": adapter.record()},
        notes=(*model.spec.notes, adapter.note(other.encoder)),
    )
    other.encoder.train(model.encoder.training)
    return other


def fold(model: Model) -> Model:
    """A copy with the adapter written into the encoder's own weights: a plain checkpoint.

    Its spec is the plain architecture's; it computes the same but for rounding, and every
    parameter has ``requires_grad``. A model without an adapter is copied.

    Raises:
        ModelError: The adapter cannot be folded (token replay).
    """
    other = model.clone()
    adapter = adapter_of(model)
    if adapter is None:
        return other
    adapter.merge(other.encoder, name=model.spec.name)
    builder = {k: v for k, v in model.spec.builder.items() if k != "adapter"}
    note = adapter.note(model.encoder)
    kept = tuple(n for n in model.spec.notes if n != note)
    other.spec = replace(model.spec, builder=builder, notes=(*kept, f"{note}, folded"))
    return other.requires_grad_(True)


def adapter_of(model: Model) -> Adapter | None:
    """The adapter that a model carries, or None.

    Raises:
        ModelError: Its record cannot be read.
    """
    record = model.spec.builder.get("adapter")
    return None if record is None else from_record(record)


def as_initialised(start: Model, tuned: Model) -> Model:
    """The start of a path to ``tuned``: with the same adapter, as it was before training.

    A tuned model without an adapter, or a start that has it already, changes nothing: then the
    start itself is returned.
    """
    adapter = adapter_of(tuned)
    if adapter is None or adapter_of(start) is not None:
        return start
    return insert(start, adapter).requires_grad_(True)


def adapter_names(model: Model) -> tuple[str, ...]:
    """The names of the adapter's parameters in ``model.state_dict()``, each once."""
    own = {id(p) for part in _modules(model.encoder) for p in part.parameters()}
    return tuple(name for name, p in model.named_parameters() if id(p) in own)


def _modules(encoder: nn.Module) -> list[nn.Module]:
    return [m for m in encoder.modules() if isinstance(m, AdapterModule)]


def from_record(record: Mapping[str, Any]) -> Adapter:
    """The adapter of a record (``spec.builder["adapter"]``).

    Raises:
        ModelError: The record cannot be read.
    """
    kind = KINDS.get(str(record.get("kind")))
    given = {k: v for k, v in record.items() if k != "kind"}
    known = () if kind is None else tuple(f.name for f in fields(kind))  # type: ignore[arg-type]
    if kind is None or not set(given) <= set(known):
        raise ModelError(
            f"the adapter {dict(record)} cannot be built",
            expected=f"one of the kinds {', '.join(KINDS)}, with fields that it has",
            fix="update surefoot",
        )
    return kind(**given)
