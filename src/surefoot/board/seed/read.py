"""The seed files as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import yaml

__all__ = ["ProtocolPlan", "protocol_plans", "seed_rows"]


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
    text = resources.files(__package__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = yaml.safe_load(text)
    return rows


@lru_cache(maxsize=1)
def protocol_plans() -> tuple[ProtocolPlan, ...]:
    """Every protocol of the seed, one per published column."""
    return tuple(ProtocolPlan(**row) for row in seed_rows("protocols"))
