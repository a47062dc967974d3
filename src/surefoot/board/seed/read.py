"""The seed files as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

__all__ = ["RESULTS", "ProtocolPlan", "protocol_plans", "seed_rows"]

_HERE = Path(str(resources.files(__package__)))
RESULTS = _HERE / "results"
"""The files of scores that the package carries."""


@dataclass(frozen=True)
class ProtocolPlan:
    """Where the numbers of one published column belong.

    Attributes:
        name: Of the protocol.
        column: Of the CSV files.
        task: Of the board.
        dataset: Likewise.
        split: Likewise.
        metric: Likewise.
        n: Images; None where not recorded.
        notable: The board belongs on the front page.
        aggregate: A mean over several data sets.
    """

    name: str
    column: str
    task: str
    dataset: str
    split: str
    metric: str
    n: int | None = None
    notable: bool = False
    aggregate: bool = False
    title: str = ""
    description: str = ""


def seed_rows(name: str) -> list[dict[str, Any]]:
    """The rows of one seed file ("papers", "methods", ...)."""
    rows: list[dict[str, Any]] = yaml.safe_load((_HERE / f"{name}.yaml").read_bytes())
    return rows


@lru_cache(maxsize=1)
def protocol_plans() -> tuple[ProtocolPlan, ...]:
    """Every protocol of the seed, one per published column."""
    return tuple(ProtocolPlan(**row) for row in seed_rows("protocols"))
