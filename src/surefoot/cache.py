"""The feature cache as a folder: what is in it, and how it stays within a size. No torch here.

``SUREFOOT_CACHE`` names the folder that extraction uses where no ``cache_dir`` is given (none: no
cache). ``SUREFOOT_CACHE_LIMIT`` bounds it ("20GB" when left out): after each file that is written
the least recently used ones go.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .errors import DataError
from .records import write_atomic

__all__ = ["Entry", "bound", "cache_folder", "entries", "limit", "parse_size", "prune", "used",
           "wrote"]  # fmt: skip

DEFAULT_LIMIT = "20GB"

_FILE = re.compile(r"(text-)?[0-9a-f]{64}\.npy")
_PART = re.compile(r"\.(text-)?[0-9a-f]{64}\.npy\.part")
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


@dataclass(frozen=True)
class Entry:
    """One file of the cache.

    Attributes:
        path: The array, or what a killed run left of it.
        bytes: Its size.
        used: When it was last read or written, seconds since 1970.
        finished: False for a part that a later run goes on with.
        about: What it holds (model, split, shape), where that was noted.
    """

    path: Path
    bytes: int
    used: float
    finished: bool
    about: Mapping[str, Any]


def cache_folder() -> Path | None:
    """The folder that ``SUREFOOT_CACHE`` names, or None."""
    named = os.environ.get("SUREFOOT_CACHE")
    return Path(named).expanduser() if named else None


def limit() -> int:
    """Bytes that the cache may take: ``SUREFOOT_CACHE_LIMIT``.

    Raises:
        DataError: It is no size.
    """
    return parse_size(os.environ.get("SUREFOOT_CACHE_LIMIT") or DEFAULT_LIMIT)


def parse_size(text: str) -> int:
    """Bytes of "500MB" (decimal), "2 GiB" (binary) or "1000".

    Raises:
        DataError: It is no size.
    """
    found = _SIZE.fullmatch(text)
    if found is None:
        raise DataError(f"{text!r} is not a size", expected="such as 500MB, 20GB, 2GiB or 1000")
    number, prefix, binary = found.groups()
    return int(float(number) * (1024 if binary else 1000) ** _POWERS[prefix.lower()])


def entries(folder: Path) -> list[Entry]:
    """Every file of the cache, the least recently used first; other files are not touched."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        finished = _FILE.fullmatch(path.name) is not None
        if not finished and _PART.fullmatch(path.name) is None:
            continue
        try:
            state = path.stat()
        except FileNotFoundError:  # another process pruned it
            continue
        about = _about(path) if finished else {}
        found.append(Entry(path, state.st_size, state.st_mtime, finished, about))
    return sorted(found, key=lambda e: (e.used, e.path.name))


def used(path: Path) -> None:
    """Note that an entry was read: its time of change is what "recently used" goes by.

    A cache that may only be read is as good as any other, so failures are ignored.
    """
    try:
        os.utime(path)
    except OSError:
        return


def wrote(path: Path, about: Mapping[str, Any]) -> None:
    """Note what a new entry holds, and bring the folder back within its limit."""
    write_atomic(_side(path), json.dumps(dict(about), sort_keys=True) + "\n")
    bound(path.parent, limit(), keep=path)


def bound(folder: Path, size: int, *, keep: Path | None = None) -> list[Entry]:
    """Remove the least recently used files until the rest fits into ``size`` bytes.

    A file that is being written stays, and so does ``keep``; arrays that a process has mapped stay
    readable there. Returns what was removed.
    """
    held = entries(folder)
    total = sum(e.bytes for e in held)
    removed = []
    for entry in held:
        if total <= size:
            break
        if entry.path != keep and _remove(entry):
            total -= entry.bytes
            removed.append(entry)
    return removed


def prune(
    folder: Path,
    *,
    size: int | None = None,
    older_than_days: float | None = None,
    unfinished: bool = False,
    dry_run: bool = False,
) -> list[Entry]:
    """Remove files by age, by size, or parts that no run went on with.

    Args:
        folder: The cache.
        size: Bytes that may stay; 0 removes everything.
        older_than_days: Remove what was not used for so long.
        unfinished: Remove what killed runs left.
        dry_run: Remove nothing, only say what would be.

    Returns:
        What was removed, the least recently used first.
    """
    held = entries(folder)
    now = time.time()
    horizon = None if older_than_days is None else now - 86400 * older_than_days
    chosen = [
        e
        for e in held
        if (unfinished and not e.finished) or (horizon is not None and e.used < horizon)
    ]
    if size is not None:
        rest = [e for e in held if e not in chosen]
        left = sum(e.bytes for e in rest)
        for entry in rest:
            if left <= size:
                break
            chosen.append(entry)
            left -= entry.bytes
    chosen.sort(key=lambda e: (e.used, e.path.name))
    return chosen if dry_run else [e for e in chosen if _remove(e)]


def _remove(entry: Entry) -> bool:
    """Remove an entry and its note, unless a process is at work on it."""
    name = entry.path.name if entry.finished else entry.path.name[1:].removesuffix(".part")
    lock = entry.path.with_name(f".{name}.lock")
    try:
        with FileLock(lock, timeout=0):
            entry.path.unlink(missing_ok=True)
            _side(entry.path).unlink(missing_ok=True)
    except (Timeout, OSError):
        return False
    return True


def _side(path: Path) -> Path:
    return path.with_name(f".{path.name}.json")


def _about(path: Path) -> Mapping[str, Any]:
    try:
        about = json.loads(_side(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return about if isinstance(about, dict) else {}
