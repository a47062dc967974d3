"""What the board holds, as frozen dataclasses: one field per column. Results: ``results.py``.

Identifiers are the database's integers; ``slug`` is what pages use in addresses. Lists and
dictionaries are JSON columns. ``deleted`` is the time of a tombstone, None for what is alive.
Texts are as their source gave them and are **not** safe for HTML: escape them where they are
shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["CodeLink", "Dataset", "Entity", "Hit", "ImportRecord", "Json", "Method", "Paper",
           "Quarantined", "Revision", "Submission", "Task"]  # fmt: skip

Json = Mapping[str, Any]
"""A JSON object."""


@dataclass(frozen=True, kw_only=True)
class Entity:
    """What all of them have.

    Attributes:
        fold: The name as names are compared.
        licence: Of this description, not of what it describes.
    """

    id: int = 0
    slug: str = ""
    fold: str = ""
    licence: str = ""
    import_id: int | None = None
    deleted: str | None = None


@dataclass(frozen=True)
class Task(Entity):
    """A task, such as Image Classification; tasks form a tree in which one may hang twice."""

    name: str
    description: str = ""
    categories: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()
    source_link: Any = None


@dataclass(frozen=True)
class Dataset(Entity):
    """A data set or a part of one (``parent_id``).

    Attributes:
        licence_name: The data's own licence; "" where it is not known for certain.
        splits: Name and count of each split, as {"name": ..., "count": ...}.
        toy: Made by a program or a miniature: stays out of exports by default.
    """

    name: str
    parent_id: int | None = None
    full_name: str = ""
    description: str = ""
    homepage: str = ""
    licence_name: str = ""
    licence_url: str = ""
    introduced: str = ""
    modalities: tuple[str, ...] = ()
    splits: tuple[Json, ...] = ()
    archive_url: str | None = None
    paper_id: int | None = None
    toy: bool = False
    extra: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Paper(Entity):
    """A paper. ``abstract`` of a seeded paper is our own summary, never the paper's text.

    Attributes:
        date: ISO date of the first version; "" unknown.
        arxiv_id: Without a version, as "2109.01903".
        archive_url: Its page in the archive.
    """

    title: str
    authors: tuple[str, ...] = ()
    date: str = ""
    venue: str = ""
    arxiv_id: str | None = None
    archive_url: str | None = None
    abstract: str = ""
    url_abs: str = ""
    url_pdf: str = ""
    extra: Json = field(default_factory=dict)


@dataclass(frozen=True)
class Method(Entity):
    """A method. ``registry_name`` is surefoot's own name for it; ``reading``: ours of it."""

    name: str
    full_name: str = ""
    description: str = ""
    introduced: int | None = None
    paper_id: int | None = None
    source_url: str = ""
    source_title: str = ""
    code_url: str = ""
    collections: tuple[Json, ...] = ()
    archive_url: str | None = None
    registry_name: str = ""
    reading: bool = False
    extra: Json = field(default_factory=dict)


@dataclass(frozen=True)
class CodeLink:
    """Code of a paper; ``official`` is None where nobody said."""

    url: str
    paper_id: int | None = None
    official: bool | None = None
    framework: str = ""
    extra: Json = field(default_factory=dict)
    licence: str = ""
    id: int = 0
    import_id: int | None = None
    deleted: str | None = None


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
    """One file that was imported, or begun (``complete``), and by which ``reader``."""

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
    reader: int


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
