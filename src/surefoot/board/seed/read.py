"""The seed files as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from ...registry import nearest
from ..errors import BoardError

__all__ = ["RESULTS", "MethodName", "ProtocolPlan", "method_name", "protocol_plans", "seed_rows"]

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
        sweep: Its column in the files of sweeps over alpha; "" for none.
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
    sweep: str = ""
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


@dataclass(frozen=True)
class MethodName:
    """A method as a table names it, taken apart.

    Attributes:
        name: As the table has it.
        model_name: Without encoder, alpha and mode: "WiSE-FT".
        method: On the board: "WiSE-FT", "Fine-tuning"; "" where the name says too little.
        setting: "end to end", "linear classifier", ...
        alpha: Fixed by the name; None otherwise.
        selection: "fixed", "oracle" or "" (not said, or there is no alpha).
        quoted: The number is another paper's, quoted: the CLIP paper's, marked "[Radford]".
    """

    name: str
    model_name: str
    method: str
    setting: str = ""
    alpha: float | None = None
    selection: str = ""
    quoted: bool = False


def method_name(name: str) -> MethodName:
    """A method's name in the CSV files, taken apart: "WiSE-FT E2E opt a" is end to end, oracle.

    Raises:
        BoardError: The seed says nothing of the name.
    """
    known = _method_names()
    if name not in known:
        near = ", ".join(nearest(name, list(known)))
        raise BoardError(
            f"the published method {name!r} is not known",
            expected=f"a name of method_names.yaml, such as {near}",
        )
    return known[name]


@lru_cache(maxsize=1)
def _method_names() -> dict[str, MethodName]:
    return {row["name"]: MethodName(**row) for row in seed_rows("method_names")}
