"""Is the Hugging Face hub there? One short look, since its own clients try again for long."""

from __future__ import annotations

import os
import ssl
import urllib.error
import urllib.request
from functools import lru_cache
from queue import Empty, SimpleQueue
from threading import Thread

from .registry import import_optional

__all__ = ["PATIENCE", "endpoint", "silence"]

PATIENCE = 4.0
"""Seconds that the hub has for its first answer."""


def silence(*switches: str) -> str:
    """Why the hub is not asked, in words for a message; "" where it answers.

    Args:
        *switches: Environment variables that forbid it, beside those of all its clients.
    """
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", *switches):
        if os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE"):
            return f"{name} is set"
    return "" if _reachable(endpoint()) else "the hub does not answer"


def endpoint() -> str:
    """The hub's address, which HF_ENDPOINT may have changed."""
    return str(import_optional("huggingface_hub", needed_for="the hub").constants.ENDPOINT)


@lru_cache(maxsize=4)
def _reachable(address: str) -> bool:
    """Whether there is an answer in time; a process asks each address once.

    In a thread, because no time limit ends a look-up of the name, and because one of a connection
    counts for each of a host's addresses anew.
    """
    answer: SimpleQueue[bool] = SimpleQueue()
    Thread(target=lambda: answer.put(_answers(address)), daemon=True).start()
    try:
        return answer.get(timeout=PATIENCE)
    except Empty:
        return False


def _answers(address: str) -> bool:
    try:
        request = urllib.request.Request(address, method="HEAD")
        with urllib.request.urlopen(request, timeout=PATIENCE):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return True
    except urllib.error.URLError as error:
        # It is there; whether to trust it is for the hub's client, which brings certificates.
        return isinstance(error.reason, ssl.SSLError)
    except (OSError, ValueError):
        return False
