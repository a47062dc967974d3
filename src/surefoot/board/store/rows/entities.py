"""What results are about: tasks, data sets, papers, methods, code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .types import Json

__all__ = ["CodeLink", "Dataset", "Method", "Paper", "Task"]


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
