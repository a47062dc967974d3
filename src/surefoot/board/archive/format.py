"""The archive's format: names, licence, and what a row is known by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..store.text import digest, fold

__all__ = [
    "FIELDS",
    "KNOWN",
    "LICENCE",
    "NOTICE",
    "OWN_LICENCE",
    "PROVENANCE",
    "TABLES",
    "row_id",
]

LICENCE = "CC-BY-SA-4.0"
"""Of everything that comes from the archive."""

OWN_LICENCE = "Apache-2.0"
"""Of what this package says itself: descriptions, summaries, the arrangement of tables."""

NOTICE = (
    "Papers with Code data, https://paperswithcode.com, licensed under the Creative Commons "
    "Attribution-ShareAlike 4.0 International licence "
    "(https://creativecommons.org/licenses/by-sa/4.0/). Changed: names matched without case, "
    "values parsed beside the raw ones, records that could not be parsed left out."
)
"""Shown wherever rows of the archive are."""

TABLES = "evaluation-tables.json"
PROVENANCE = "evaluation-tables.provenance.json"

FIELDS = ("model_name", "paper_title", "paper_url", "paper_date", "code_links", "model_links",
          "metrics", "uses_additional_data")  # fmt: skip
"""The eight fields of a row, as the archive names them."""

KNOWN = ("n", "low", "high", "interval", "stderr", "alpha", "selection", "seeds", "manifest",
         "headline")  # fmt: skip
"""What the provenance file says of a result beyond its raw value, from which the rest is parsed."""


def from_archive(licence: str) -> bool:
    """Whether anything under this licence expression came from the archive."""
    return LICENCE in licence


def joined(own: str, theirs: str) -> str:
    """The SPDX expression of a row of two sources: "Apache-2.0 AND CC-BY-SA-4.0"."""
    if not own or not theirs:
        return own or theirs
    return own if theirs in own.split(" AND ") else f"{own} AND {theirs}"


def row_id(task: str, dataset: tuple[str, ...], row: Mapping[str, Any]) -> str:
    """What a row is known by: its content, its task and its data set, in whatever case."""
    return digest("row", fold(task), [fold(d) for d in dataset], {f: row.get(f) for f in FIELDS})
