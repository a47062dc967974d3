"""How the C library hands out memory, for our own commands. No torch here."""

from __future__ import annotations

import ctypes
import os

__all__ = ["keep_pages"]

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""Of glibc's malloc.h."""

_LARGEST = 1 << 30
"""Bytes up to which a freed block stays with the process."""

_PAD = 64 << 20
"""Bytes that are asked of the kernel beyond need."""


def keep_pages() -> bool:
    """Have glibc keep freed memory instead of giving every large block back to the kernel.

    A network's layer asks for tens of megabytes and frees them again; by default glibc maps and
    unmaps each, and the kernel fills every page with zeros anew: half of the time of an evaluation
    on a CPU (docs/speed.md). The process holds what it needed most, and up to 64 MiB more.
    A policy that the user set (``MALLOC_...``, ``GLIBC_TUNABLES``) stays.

    Returns:
        Whether that was done; not where the C library is another one.
    """
    if any(name.startswith("MALLOC_") for name in os.environ) or "GLIBC_TUNABLES" in os.environ:
        return False
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018  (others have mallopt too, with other numbers)
        mallopt = library.mallopt
    except (AttributeError, OSError, TypeError):
        return False
    wanted = {_MMAP_THRESHOLD: _LARGEST, _TRIM_THRESHOLD: 2 * _LARGEST - 1, _TOP_PAD: _PAD}
    return all(mallopt(name, value) == 1 for name, value in wanted.items())
