"""Reads the small MATLAB files that some data sets keep their labels in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scipy.io import loadmat

from ...errors import DataError
from .parts import AGAIN

__all__ = ["read_mat"]


def read_mat(file: Path, key: str) -> Any:
    """One variable of a ``.mat`` file, squeezed.

    Raises:
        DataError: The file is missing or cut off, or has no such variable.
    """
    try:
        held = loadmat(file, squeeze_me=True)
    except FileNotFoundError as error:
        raise DataError(f"there is no {file} (looked at {file.absolute()})", fix=AGAIN) from error
    except Exception as error:  # scipy raises what its parsers happen to meet
        raise DataError(f"{file} is cut off or no MATLAB file ({error})", fix=AGAIN) from error
    if key not in held:
        raise DataError(f"{file} holds no variable {key!r}", fix=AGAIN)
    return held[key]
