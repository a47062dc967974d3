"""Several processes of one test, as a launcher starts them; gloo on this machine."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path

from .warm import start

ROOT = Path(__file__).parents[1]
_LAST_WORDS = 30.0
"""Seconds that a process may go on after another has failed."""


def together(
    world: int, command: Sequence[str], *, timeout: float = 240, **variables: str
) -> list[tuple[int, str]]:
    """Run ``python COMMAND`` (-m MODULE or -c CODE) in ``world`` processes that know of each other.

    Returns:
        Exit status and stderr of each, in order of rank. When one fails the others are ended, as
        torchrun does, but not before they had time to say what they have to say.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "ACCELERATE_USE_CPU": "true",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        **variables,
    }
    found = []
    with tempfile.TemporaryDirectory() as folder:
        running = []
        for rank in range(world):
            own = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}
            several = {k: str(v) for k, v in own.items()} if world > 1 else {}
            several |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port} if world > 1 else {}
            running.append(start(command, Path(folder), **shared, **several))
        for process in running:
            code, _, said = process.end(timeout)
            found.append((code, said))
            if code:
                timeout = min(timeout, _LAST_WORDS)
    return found
