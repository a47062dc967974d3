"""Weights from the Hugging Face hub: the cache first, then one try, never a long wait."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import DownloadUnavailable
from ..hub import PATIENCE, silence
from ..registry import import_optional

__all__ = ["cached_file", "hub_file", "hub_folder", "unavailable"]


def unavailable(what: str, repo: str, *, instead: str, why: str = "") -> DownloadUnavailable:
    """The error for weights that are neither cached nor reachable."""
    return DownloadUnavailable(
        f"{what} of the hub repository {repo!r} is not in the local cache and cannot be "
        f"downloaded{': ' + why if why else ''}",
        expected="a network connection to the Hugging Face hub, or the file in its cache",
        fix=f"on a machine with a network fetch {what} of {repo!r}, then pass it: {instead}",
    )


def hub_file(repo: str, filename: str, *, instead: str) -> Path | None:
    """One file of a hub repository, from the cache or downloaded.

    Args:
        repo: "organisation/name".
        filename: Name of the file in the repository.
        instead: How the user passes a local file, for the message.

    Returns:
        Its path, or None where the repository exists and lacks this file.

    Raises:
        DownloadUnavailable: Not cached, and the hub does not answer or refuses.
    """
    hub = import_optional("huggingface_hub", needed_for="weights from the hub")
    errors = hub.errors
    try:
        return Path(hub.hf_hub_download(repo, filename, local_files_only=True))
    except errors.LocalEntryNotFoundError:
        pass
    except errors.EntryNotFoundError:
        return None
    why = silence()
    if why:
        raise unavailable(filename, repo, instead=instead, why=why)
    try:
        return Path(hub.hf_hub_download(repo, filename, etag_timeout=PATIENCE))
    except errors.LocalEntryNotFoundError as error:
        raise unavailable(filename, repo, instead=instead, why=_line(error)) from error
    except errors.EntryNotFoundError:
        return None
    except Exception as error:
        raise unavailable(filename, repo, instead=instead, why=_line(error)) from error


def cached_file(repo: str, filenames: Sequence[str]) -> Path | None:
    """The first of these files of a hub repository that is in the local cache, if any."""
    hub = import_optional("huggingface_hub", needed_for="weights from the hub")
    found = (hub.try_to_load_from_cache(repo, name) for name in filenames)
    return next((Path(path) for path in found if isinstance(path, str)), None)


def hub_folder(repo: str, patterns: list[str], *, instead: str) -> Path:
    """Files of a hub repository as one folder, from the cache or downloaded.

    Args:
        repo: "organisation/name".
        patterns: Which files, as shell patterns.
        instead: How the user passes a local folder, for the message.

    Raises:
        DownloadUnavailable: As :func:`hub_file`.
    """
    hub = import_optional("huggingface_hub", needed_for="weights from the hub")
    what = " and ".join(patterns)
    settings: dict[str, Any] = {"allow_patterns": patterns}
    why = silence()
    if why:
        settings["local_files_only"] = True
    try:
        return Path(hub.snapshot_download(repo, etag_timeout=PATIENCE, **settings))
    except Exception as error:
        raise unavailable(what, repo, instead=instead, why=why or _line(error)) from error


def _line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]
