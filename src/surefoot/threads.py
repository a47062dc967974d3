"""How many threads this process may use. No torch here."""

from __future__ import annotations

import os
import sys

__all__ = ["MOST", "cores", "granted"]

MOST = 16
"""Torch's threads unless OMP_NUM_THREADS asks for more."""


def cores() -> int:
    """Cores of this process; those that a launcher started on one machine share them."""
    every = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, (every or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


def granted() -> int:
    """What torch may use, or would if it were imported.

    One in the loader's worker processes, where torch has set it so.
    """
    torch = sys.modules.get("torch")
    if torch is not None:
        return int(torch.get_num_threads())
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, int(asked)) if asked.isdecimal() else min(cores(), MOST)
