"""What the board holds, as frozen dataclasses: one field per column.

Identifiers are the database's integers; ``slug`` is what pages use in addresses. Lists and
dictionaries are JSON columns. ``deleted`` is the time of a tombstone, None for what is alive.
Texts are as their source gave them and are **not** safe for HTML: escape them where they are
shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = [
    "Board",
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
]

Kind = Literal["published", "reproduced", "measured", "submitted"]
ExtraData = Literal["yes", "no", "unknown"]
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Source:
    """Where a number comes from: a paper, an archive file, a run folder, or a person.

    Attributes:
        kind: "paper", "archive", "run" or "submission".
        citation: The paper, as cited: "WiSE-FT 2109.01903".
        table: Of the paper.
        row: Of the table; with a column where that is needed.
        quality: "primary" (read in the paper itself), "secondary" (quoted by a later one) or "".
        file: Of the archive.
        sha256: Of that file.
        json_path: Of the row in it.
        run: The run folder, as a name that readers can find.
        recipe: Hash of the run's recipe.
        date: Day of the run, ISO; "" unknown.
        note: Anything else that a reader must know.
        also: Other places that print the same number.
    """

    kind: str
    citation: str = ""
    table: str = ""
    row: str = ""
    quality: str = ""
    file: str = ""
    sha256: str = ""
    json_path: str = ""
    run: str = ""
    recipe: str = ""
    date: str = ""
    note: str = ""
    also: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """A task, such as Image Classification; tasks form a tree in which one may hang twice."""

    name: str
    id: int = 0
    slug: str = ""
    fold: str = ""
    description: str = ""
    categories: tuple[str, ...] = ()
    synonyms: tuple[str, ...] = ()
    source_link: Any = None
    licence: str = ""
    import_id: int | None = None
    deleted: str | None = None


@dataclass(frozen=True)
class Dataset:
    """A data set or a part of one (``parent_id``).

    Attributes:
        licence_name: The data's own licence; "" where it is not known for certain.
        splits: Name and count of each split, as {"name": ..., "count": ...}.
        toy: Made by a program or a miniature: stays out of exports by default.
        licence: Of this description, not of the data.
    """

    name: str
    id: int = 0
    slug: str = ""
    fold: str = ""
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
    licence: str = ""
    import_id: int | None = None
    deleted: str | None = None


@dataclass(frozen=True)
class Paper:
    """A paper. ``abstract`` of a seeded paper is our own summary, never the paper's text.

    Attributes:
        date: ISO date of the first version; "" unknown.
        arxiv_id: Without a version, as "2109.01903".
        archive_url: Its page in the archive.
    """

    title: str
    id: int = 0
    slug: str = ""
    fold: str = ""
    authors: tuple[str, ...] = ()
    date: str = ""
    venue: str = ""
    arxiv_id: str | None = None
    archive_url: str | None = None
    abstract: str = ""
    url_abs: str = ""
    url_pdf: str = ""
    extra: Json = field(default_factory=dict)
    licence: str = ""
    import_id: int | None = None
    deleted: str | None = None


@dataclass(frozen=True)
class Method:
    """A method. ``registry_name`` is surefoot's own name for it; ``reading``: ours of it."""

    name: str
    id: int = 0
    slug: str = ""
    fold: str = ""
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
    licence: str = ""
    import_id: int | None = None
    deleted: str | None = None


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
class Protocol:
    """How a number is measured: images, classes, metric, head. Equal names can be compared."""

    name: str
    title: str = ""
    description: str = ""
    id: int = 0
    deleted: str | None = None


@dataclass(frozen=True)
class Board:
    """One table of results: task x data set x split x protocol. ``metrics`` in column order."""

    task_id: int
    dataset_id: int
    split: str = "unspecified"
    protocol: str = "unspecified"
    id: int = 0
    slug: str = ""
    metrics: tuple[str, ...] = ()
    description: str = ""
    dataset_links: tuple[Any, ...] = ()
    dataset_citations: tuple[Any, ...] = ()
    notable: bool = False
    licence: str = ""
    import_id: int | None = None
    deleted: str | None = None


@dataclass(frozen=True)
class Result:
    """One number of an entry.

    Attributes:
        metric: As the source spells it.
        raw: The value as the source gave it; JSON text where ``raw_type`` is "json".
        value: Parsed; None where it could not be parsed. In the unit of ``raw`` (points of a
            hundred for "72.1", a fraction for "0.721").
        decimals: Decimals that were printed: the published rounding is half a unit of the last.
        percent: A percent sign was printed.
        bound: "<" or ">" where only a bound was given; such a value is never ranked.
        plus_minus: What follows a plus-minus sign; its meaning is not known.
        n: Images it was computed on.
        low: Lower end of the 95 % interval, in the unit of ``value``.
        high: Upper end.
        interval: How it was made: "clopper-pearson", "bootstrap", ..., "none".
        stderr: Standard error, in the unit of ``value``.
        alpha: Position on the path, if any.
        selection: How alpha was chosen: "fixed", "id_val", "one_se", "oracle", "end", "none".
        seeds: Over how many seeds it is a mean; None unknown.
        manifest: Was the data set complete by its manifest: "whole", "partial", "unknown".
        reproduces_id: The published result that this one repeats.
        headline: Belongs in the short table of its paper's page.
    """

    metric: str
    raw: str
    raw_type: str = "string"
    value: float | None = None
    decimals: int | None = None
    percent: bool = False
    bound: str = ""
    plus_minus: float | None = None
    n: int | None = None
    low: float | None = None
    high: float | None = None
    interval: str = "none"
    stderr: float | None = None
    alpha: float | None = None
    selection: str = ""
    seeds: int | None = None
    manifest: str = "unknown"
    reproduces_id: int | None = None
    headline: bool = False
    id: int = 0
    entry_id: int = 0
    deleted: str | None = None


@dataclass(frozen=True)
class Entry:
    """One row of a board: what was scored, by whom, from where, with its results.

    Attributes:
        kind: "published", "reproduced", "measured" or "submitted"; never merged.
        row_key: What the row is known by across imports; made from its content where empty.
        model_name: As the table shows it.
        paper_title: As the source gave it; may be missing (None), as the other paper fields.
        extra_data: Uses additional training data; "unknown" where the source says nothing.
        licence: SPDX name of the licence of the row itself.
    """

    board_id: int
    kind: Kind
    model_name: str
    source: Source
    row_key: str = ""
    backbone: str = ""
    setting: str = ""
    method_id: int | None = None
    paper_id: int | None = None
    paper_title: str | None = None
    paper_url: str | None = None
    paper_date: str | None = None
    code_links: Any = ()
    model_links: Any = ()
    extra_data: ExtraData = "unknown"
    toy: bool = False
    licence: str = ""
    created: str = ""
    import_id: int | None = None
    deleted: str | None = None
    id: int = 0
    results: tuple[Result, ...] = ()


@dataclass(frozen=True)
class CurvePoint:
    """One value on a sweep; ``value`` in the unit of ``raw``."""

    alpha: float
    dataset: str
    metric: str
    raw: str
    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None


@dataclass(frozen=True)
class Curve:
    """A sweep over alpha of one model, on one or more data sets."""

    curve_key: str
    title: str
    kind: Kind
    points: tuple[CurvePoint, ...]
    source: Source
    method_id: int | None = None
    paper_id: int | None = None
    backbone: str = ""
    setting: str = ""
    toy: bool = False
    licence: str = ""
    created: str = ""
    id: int = 0
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
    """One search result: what kind of thing, its row, and how well it matches (lower: better).

    ``kind`` is "task", "paper", "dataset", "method" or "model"; a model's ``slug`` is its board's.
    """

    kind: str
    id: int
    slug: str
    title: str
    excerpt: str
    score: float
