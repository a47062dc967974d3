"""Heads of several checkpoints: rows are matched by the names of their classes, or refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import WeightsError
from .tensor_file import CLASS_LISTS, TensorFile

__all__ = ["class_names", "same_classes", "unnamed"]

_HEADS = ("head.weight", "head.bias")
"""What surefoot calls a head in its files."""


def class_names(metadata: Mapping[str, str]) -> tuple[tuple[str, ...], bool]:
    """The classes that a file's metadata list, () where there are none; does surefoot's record?"""
    about = _json(metadata.get("surefoot"))
    own = about.get("head") if isinstance(about, dict) else None
    if isinstance(own, dict):
        return tuple(map(str, own["class_names"])), True
    listed = [_json(metadata[key]) for key in CLASS_LISTS if key in metadata]
    for found in listed:
        if isinstance(found, dict) and all(isinstance(v, int) for v in found.values()):
            found = sorted(found, key=found.__getitem__)  # torchvision: name -> number
        if isinstance(found, dict):  # transformers: number -> name
            found = [found[k] for k in sorted(found, key=lambda k: (len(k), k))]
        if isinstance(found, list) and found:
            return tuple(map(str, found)), False
    return (), False


def same_classes(sources: Sequence[TensorFile]) -> list[TensorFile]:
    """The checkpoints, every head's rows in the order of the last one's classes.

    Raises:
        WeightsError: Their heads are for other classes; or in another order, and which tensors
            are the head is not said.
    """
    named = _named(sources)
    wanted = next((names for names, _ in reversed(named) if names), ())
    return [
        source if names in ((), wanted) else _ordered(source, names, wanted, ours)
        for source, (names, ours) in zip(sources, named, strict=True)
    ]


def unnamed(sources: Sequence[TensorFile]) -> list[str]:
    """A sentence for each checkpoint whose classes are not known, where those of others are."""
    named = _named(sources)
    wanted = next((names for names, _ in reversed(named) if names), ())
    return [
        f"{source.path.name} does not say which classes the rows of its head are: they are taken "
        f"to be {_shown(wanted)}"
        for source, (names, _) in zip(sources, named, strict=True)
        if wanted and not names and _rows_of(source, len(wanted))
    ]


def _named(sources: Sequence[TensorFile]) -> list[tuple[tuple[str, ...], bool]]:
    """The classes of each, by its metadata, else by the config of transformers beside it."""
    return [class_names(s.metadata) if class_names(s.metadata)[0] else (_beside(s), False)
            for s in sources]  # fmt: skip


def _beside(source: TensorFile) -> tuple[str, ...]:
    config = source.path.parent / "config.json"
    if not source.path.name.startswith(("model.", "pytorch_model.")) or not config.is_file():
        return ()
    found = _json(config.read_text(encoding="utf-8", errors="replace"))
    own = {k: json.dumps(v) for k, v in found.items()} if isinstance(found, dict) else {}
    names = class_names(own)[0]
    return names if _rows_of(source, len(names)) else ()


def _rows_of(source: TensorFile, n: int) -> bool:
    """Whether a tensor may be a head of so many classes."""
    return any(source.shape(name)[:1] == (n,) for name in source)


def _ordered(
    source: TensorFile, names: tuple[str, ...], wanted: tuple[str, ...], ours: bool
) -> TensorFile:
    tell = ours and len(set(names)) == len(names)
    if sorted(names) != sorted(wanted) or not tell:
        how = "in another order" if sorted(names) == sorted(wanted) else "for other classes"
        raise WeightsError(
            f"the head of {source.path.name} is {how}: its metadata list {_shown(names)}, the "
            f"last checkpoint's {_shown(wanted)}",
            expected="rows of the same classes in the same order",
            fix="put the rows of one head into the order of the other, or merge without heads",
        )
    order = [names.index(name) for name in wanted]
    note = f"the head's rows of {source.path.name} are put into the order of the last one's classes"
    held = [name for name in _HEADS if name in source]
    for name in held:
        source = source.with_rows(name, order, *([note] if name == held[0] else []))
    return source


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (f", ... ({len(names)})" if len(names) > 6 else "")


def _json(text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except ValueError:
        return None
