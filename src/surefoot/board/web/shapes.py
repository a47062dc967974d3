"""What the API answers with, as pydantic models; the OpenAPI description is made of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ..store.metrics import Direction, KnownFrom
from ..store.rows import ExtraData, Kind

__all__ = [
    "BoardOut",
    "BoardRowsOut",
    "DatasetOut",
    "HitOut",
    "MethodOut",
    "PaperOut",
    "PartOut",
    "Problem",
    "ResultOut",
    "RevisionOut",
    "RowOut",
    "SubmissionOut",
    "TaskOut",
]


T = TypeVar("T")
S = TypeVar("S", bound="Shape")


def _finite(value: float | None) -> float | None:
    """JSON has no infinity."""
    return value if value is not None and math.isfinite(value) else None


def _texts(values: Iterable[Any]) -> list[str]:
    """An archive's lists hold what they like."""
    return [str(v) for v in values]


Number = Annotated[float | None, BeforeValidator(_finite)]
Texts = Annotated[list[str], BeforeValidator(_texts)]


class Shape(BaseModel):
    """Base of all: plain, closed."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def of(cls: type[S], row: Any, /, **more: Any) -> S:
        """Of a row of the store: what it calls by the same name, and ``more``."""
        same = {name: getattr(row, name) for name in cls.model_fields.keys() - more.keys()}
        return cls(**same, **more)


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    expected: str | None = Field(None, description="What would have been right")
    fix: str | None = Field(None, description="What to do")
    problems: dict[str, str] | None = Field(None, description="Field -> what is wrong with it")


class TaskOut(Shape):
    """A task."""

    slug: str
    name: str
    description: str
    parents: list[str]
    boards: int
    papers: int
    licence: str


class BoardOut(Shape):
    """A board."""

    slug: str
    task: str
    dataset: str
    split: str
    protocol: str
    metrics: list[str]
    rows: int
    notable: bool
    licence: str


class ResultOut(Shape):
    """One number of a row."""

    metric: str
    raw: str
    value: Number
    n: int | None
    low: Number
    high: Number
    interval: str
    stderr: Number
    alpha: Number
    selection: str


class RowOut(Shape):
    """A row of a board."""

    id: int
    board: str
    kind: Kind
    rank: int | None = Field(description="By the metric that was asked for; null: not ranked")
    unranked: str = Field(description="Why it has no rank; empty where it has one")
    tied_with_best: bool | None = Field(description="At 95 %, unpaired; null: cannot be told")
    model: str
    backbone: str
    setting: str
    extra_data: ExtraData
    toy: bool
    paper_title: str | None
    paper_url: str | None
    paper_date: str | None
    results: list[ResultOut]
    source: dict[str, Any]
    licence: str
    row_key: str
    deleted: str | None


class BoardRowsOut(Shape):
    """A board with a part of its rows."""

    board: BoardOut
    metric: str
    direction: Direction
    direction_known_from: KnownFrom
    total: int
    offset: int
    rows: list[RowOut]


class DatasetOut(Shape):
    """A data set."""

    slug: str
    name: str
    full_name: str
    description: str
    homepage: str
    licence_name: str
    modalities: Texts
    splits: list[dict[str, Any]]
    boards: list[str]
    toy: bool
    licence: str


class MethodOut(Shape):
    """A method."""

    slug: str
    name: str
    full_name: str
    description: str
    introduced: int | None
    surefoot: str = Field(description="Its name in surefoot; empty: none")
    licence: str


class PaperOut(Shape):
    """A paper."""

    slug: str
    title: str
    authors: Texts
    date: str
    venue: str
    arxiv_id: str | None
    abstract: str
    url_abs: str
    url_pdf: str
    tasks: list[str]
    code: list[str]
    licence: str


class HitOut(Shape):
    """A search result."""

    kind: str = Field(description="task, dataset, method, paper or model")
    slug: str = Field(description="Of a model: of its board")
    title: str
    excerpt: str


class RevisionOut(Shape):
    """A line of history."""

    at: str
    who: str
    action: str
    entity: str
    entity_id: int
    old: dict[str, Any] | None
    new: dict[str, Any] | None
    note: str


class SubmissionOut(Shape):
    """A submission in the queue."""

    id: int
    status: Literal["queued", "verified", "differs", "rejected"]
    created: str
    row: int | None = Field(description="The row that shows it")
    note: str


class PartOut(Shape, Generic[T]):
    """A part of a list."""

    total: int
    offset: int
    items: list[T]
