"""A file's pages in place of copies of them: read-only, and handed back as one goes on.

A plain read copies every byte out of the system's cache; a mapping shows the cache itself. What was
looked at counts as this process's memory until it is handed back, so each thread does that a few MB
behind itself.
"""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .dtypes import Bytes

__all__ = ["CAN_MAP", "MappedFile"]

CAN_MAP = hasattr(mmap, "MADV_DONTNEED") and hasattr(os, "posix_fadvise")
"""Whether pages can be handed back here, and asked for ahead (Linux)."""

_FOLIO = 1 << 21
"""Bytes that the system may map at once when one of them is looked at."""

_BEHIND = _FOLIO
"""Bytes that a thread leaves behind: to hand pages back, the system must tell all cores."""

_AHEAD = 1 << 23
"""Bytes that the disk is asked for ahead."""


class MappedFile:
    """One file, mapped as it is now; several threads may look at it.

    Raises:
        OSError: It cannot be opened or mapped.
    """

    def __init__(self, path: Path) -> None:
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115 -- open as long as this is
        self.size = os.fstat(self._file.fileno()).st_size
        # An empty file cannot be mapped, and has no piece that anybody could ask for.
        self._pages = mmap.mmap(self._file.fileno(), 0, prot=mmap.PROT_READ) if self.size else None
        self._mine = threading.local()

    def __del__(self) -> None:
        if hasattr(self, "_file"):  # it was there
            self._file.close()  # arrays keep the mapping, which needs no open file

    def piece(self, start: int, stop: int) -> Bytes:
        """Bytes ``start`` to ``stop``, (stop - start,), read-only.

        Use it before this thread asks for the next: then it may be handed back, and looking at it
        would read it again.
        """
        low, high, asked = getattr(self._mine, "range", (start, start, start))
        if not low <= start <= high + _AHEAD:  # somewhere else: nothing of before is needed
            self._hand_back(low, high + _FOLIO)
            low = asked = start
        elif start - low >= _BEHIND:
            low = self._hand_back(low, start)
        if stop + _AHEAD // 2 > asked:
            os.posix_fadvise(self._file.fileno(), stop, _AHEAD, os.POSIX_FADV_WILLNEED)
            asked = stop + _AHEAD
        self._mine.range = (low, stop, asked)
        return np.frombuffer(self._pages or b"", np.uint8, stop - start, start)

    def _hand_back(self, start: int, stop: int) -> int:
        """Whole folios from ``start`` on and before ``stop``; returns where the rest begins."""
        start, stop = (min(at, self.size) // _FOLIO * _FOLIO for at in (start, stop))
        if self._pages is not None and stop > start:
            self._pages.madvise(mmap.MADV_DONTNEED, start, stop - start)
        return stop

    def pieces(self, size: int) -> Iterator[Bytes]:
        """All of it, ``size`` bytes at a time; each is handed back when the next is asked for."""
        for start in range(0, self.size, size):
            stop = min(start + size, self.size)
            yield self.piece(start, stop)
            self._hand_back(start, stop)
