"""What a published training set brings for the rest of a task: validation, test, shifts."""

from __future__ import annotations

from ..dataset import Use
from .find import KnownSpec

__all__ = ["own_role", "own_shifts"]

_RESERVED = frozenset({"train", "val", "test"})


def own_role(known: KnownSpec | None, role: Use) -> str | None:
    """The spec of another role beside a training set; None where the data set defines none.

    Args:
        known: What is trained on; None where it is no published data set.
        role: "val" or "test".
    """
    if known is None or role not in known.known.roles or not _as_published(known):
        return None
    return _spec(known, known.known.roles[role])


def own_shifts(known: KnownSpec | None) -> dict[str, str]:
    """Name -> spec of the shifts that the data set defines itself."""
    if known is None or not _as_published(known):
        return {}
    name = known.known.name
    return {f"{name}-{s}" if s in _RESERVED else s: _spec(known, s) for s in known.known.shifts}


def _as_published(known: KnownSpec) -> bool:
    """Is it trained on the split that the roles go with?"""
    return known.split in (None, known.known.roles.get("train"))


def _spec(known: KnownSpec, split: str) -> str:
    place = f"@{known.place}" if known.place else ""
    return f"{known.known.name}:{split}{place}"
