"""What the board holds, as frozen dataclasses: one field per column.

Identifiers are the database's integers; ``slug`` is what pages use in addresses. Lists and
dictionaries are JSON columns. ``deleted`` is the time of a tombstone, None for what is alive.
Texts are as their source gave them and are **not** safe for HTML: escape them where they are
shown.
"""

from __future__ import annotations

from .brief import Brief
from .entities import CodeLink, Dataset, Method, Paper, Task
from .history import Hit, ImportRecord, Quarantined, Revision, Submission
from .results import (
    Board,
    Curve,
    CurvePoint,
    Entry,
    Protocol,
    Result,
    Source,
    read_source,
    write_source,
)
from .types import ExtraData, Kind

__all__ = [
    "Board",
    "Brief",
    "CodeLink",
    "Curve",
    "CurvePoint",
    "Dataset",
    "Entry",
    "ExtraData",
    "Hit",
    "ImportRecord",
    "Kind",
    "Method",
    "Paper",
    "Protocol",
    "Quarantined",
    "Result",
    "Revision",
    "Source",
    "Submission",
    "Task",
    "read_source",
    "write_source",
]
