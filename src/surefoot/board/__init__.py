"""The results board: published, reproduced, measured and submitted numbers, with provenance.

No torch here. :class:`Store` opens the one SQLite file; ``store.py`` shows how to read it.
"""

from __future__ import annotations

from .errors import BoardError, NotOnBoard, SubmissionError
from .rows import (
    Board,
    CodeLink,
    Curve,
    CurvePoint,
    Dataset,
    Entry,
    Hit,
    ImportRecord,
    Method,
    Paper,
    Protocol,
    Quarantined,
    Result,
    Revision,
    Source,
    Submission,
    Task,
)
from .store import Store

__all__ = [
    "Board",
    "BoardError",
    "CodeLink",
    "Curve",
    "CurvePoint",
    "Dataset",
    "Entry",
    "Hit",
    "ImportRecord",
    "Method",
    "NotOnBoard",
    "Paper",
    "Protocol",
    "Quarantined",
    "Result",
    "Revision",
    "Source",
    "Store",
    "Submission",
    "SubmissionError",
    "Task",
]
