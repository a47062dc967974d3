"""What happened to a board: submissions, history, imports; and what a search finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .types import Json

__all__ = ["Hit", "ImportRecord", "Quarantined", "Revision", "Submission"]


@dataclass(frozen=True)
class Submission:
    """One submission in the queue; ``payload`` is what was sent, validated."""

    payload: Json
    who: str
    status: Literal["queued", "verified", "differs", "rejected"] = "queued"
    payload_key: str = ""
    note: str = ""
    entry_id: int | None = None
    created: str = ""
    id: int = 0
    deleted: str | None = None


@dataclass(frozen=True)
class Revision:
    """One line of history: who changed what, when, from what to what."""

    id: int
    at: str
    who: str
    action: str
    entity: str
    entity_id: int
    old: Json | None
    new: Json | None
    note: str


@dataclass(frozen=True)
class ImportRecord:
    """One file that was imported, or begun: ``complete`` says which."""

    id: int
    file: str
    sha256: str
    kind: str
    licence: str
    started: str
    finished: str | None
    complete: bool
    added: int
    updated: int
    unchanged: int
    quarantined: int
    note: str


@dataclass(frozen=True)
class Quarantined:
    """A record that could not be taken in, with the reason."""

    id: int
    import_id: int
    json_path: str
    reason: str
    raw: str


@dataclass(frozen=True)
class Hit:
    """One search result, or what could be one.

    Attributes:
        kind: "task", "paper", "dataset", "method", "model" or "board".
        id: Of its row; of a model the first row that it has on a board.
        slug: Its address; of a model that of a board.
        title: Its name.
        excerpt: More about it.
        score: 0: the title holds every word of the query; 1: other texts of it are needed.
        size: Letters and digits of the title: of equal hits the shorter goes first.
    """

    kind: str
    id: int
    slug: str
    title: str
    excerpt: str
    score: int = 0
    size: int = 0
