"""The files of this package."""

from __future__ import annotations

import csv
from importlib import resources

__all__ = ["rows_of", "text_of"]


def text_of(file: str) -> str:
    """A file's text."""
    return resources.files(__package__).joinpath(file).read_text(encoding="utf-8")


def rows_of(file: str) -> list[dict[str, str]]:
    """A CSV file's rows."""
    return list(csv.DictReader(text_of(file).splitlines()))
