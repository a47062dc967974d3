"""How much memory this process holds, and the most it held since asked to forget. No torch here."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from pathlib import Path

__all__ = ["PeakMemory"]

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


class PeakMemory:
    """What a piece of work takes above what the process held before it.

    On Linux the kernel's own high-water mark of this address space is read, after it has been set
    back. (``ru_maxrss`` would be wrong there: a child inherits its parent's.) On other systems it
    is ``ru_maxrss``, which cannot be set back; where that is missing too, nothing is known.

        memory = PeakMemory()
        ...
        memory.mebibytes()
    """

    def __init__(self) -> None:
        gc.collect()
        _return_freed_pages()
        with contextlib.suppress(OSError):  # a kernel that does not let it be set back
            _CLEAR.write_text("5")
        self._before = _now()

    def mebibytes(self) -> float | None:
        """MiB of the peak since then above what was held then; None where it cannot be told."""
        peak = _peak()
        if peak is None or self._before is None:
            return None
        return max(0.0, peak - self._before)


def _return_freed_pages() -> None:
    """Give what C's allocator keeps for later back, so that it does not count as held."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, AttributeError):  # not glibc
            ctypes.CDLL(None).malloc_trim(0)


def _now() -> float | None:
    found = _of_status("VmRSS")
    return _highest() if found is None else found


def _peak() -> float | None:
    found = _of_status("VmHWM")
    return _highest() if found is None else found


def _of_status(name: str) -> float | None:
    """MiB as Linux tells them; None elsewhere."""
    try:
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    kib = [line.split()[1] for line in lines if line.startswith(f"{name}:")]
    return float(kib[0]) / 1024 if kib else None


def _highest() -> float | None:
    """MiB at the highest since the process began."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (2**20 if sys.platform == "darwin" else 2**10)
