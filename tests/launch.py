"""Several processes of one test, as a launcher starts them; gloo on this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
_LAST_WORDS = 30.0
"""Seconds that a process may go on after another has failed."""


def together(
    world: int, command: Sequence[str], *, timeout: float = 240, **variables: str
) -> list[tuple[int, str]]:
    """Run ``python COMMAND`` in ``world`` processes that know of each other.

    Returns:
        Exit status and stderr of each, in order of rank. When one fails the others are ended, as
        torchrun does, but not before they had time to say what they have to say.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "ACCELERATE_USE_CPU": "true",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
        **variables,
    }
    running = []
    for rank in range(world):
        own = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}
        several = {k: str(v) for k, v in own.items()} if world > 1 else {}
        several |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port} if world > 1 else {}
        running.append(
            subprocess.Popen(
                [sys.executable, *command],
                env={**shared, **several},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    found = []
    for process in running:
        try:
            _, said = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.terminate()
            _, said = process.communicate()
        found.append((process.returncode, said))
        if process.returncode:
            timeout = min(timeout, _LAST_WORDS)
    return found
