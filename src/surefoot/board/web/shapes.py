"""What the API answers with, as pydantic models; the OpenAPI description is made of them.

A shape names the columns that it shows of a row of the store; their types are the row's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Generic, TypeVar, get_type_hints

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ..store.metrics import Direction, KnownFrom
from ..store.results import Board, Entry, Result
from ..store.rows import Dataset, Hit, Method, Paper, Revision, Submission, Task

__all__ = ["BoardOut", "BoardRowsOut", "DatasetOut", "HitOut", "MethodOut", "PaperOut", "PartOut",
           "Problem", "ResultOut", "RevisionOut", "RowOut", "SubmissionOut", "TaskOut"]  # fmt: skip

T = TypeVar("T")
S = TypeVar("S", bound="Shape")


def _finite(value: float | None) -> float | None:
    """JSON has no infinity."""
    return value if value is not None and math.isfinite(value) else None


def _texts(values: Iterable[Any]) -> list[str]:
    """An archive's lists hold what they like."""
    return [str(v) for v in values]


_JSON: dict[Any, Any] = {
    float | None: Annotated[float | None, BeforeValidator(_finite)],
    tuple[str, ...]: Annotated[list[str], BeforeValidator(_texts)],
}
"""Types of columns that are others in JSON."""


class Shape(BaseModel):
    """Base of all: plain, closed."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def of(cls: type[S], row: Any, /, **more: Any) -> S:
        """Of a row of the store: what it calls by the same name, and ``more``."""
        same = {name: getattr(row, name) for name in cls.model_fields.keys() - more.keys()}
        return cls(**same, **more)


def shape(row: type[Any], columns: str) -> Callable[[type[S]], type[S]]:
    """Put columns of a row before a shape's own fields."""
    types = get_type_hints(row)
    shown: dict[str, Any] = {n: _JSON.get(types[n], types[n]) for n in columns.split()}

    def made(own: type[S]) -> Any:
        fields = own.model_fields
        kinds = {**shown, **{name: field.annotation for name, field in fields.items()}}
        body = {"__module__": __name__, "__doc__": own.__doc__, "__annotations__": kinds, **fields}
        make: Any = type(Shape)
        return make(own.__name__, (Shape,), body)

    return made


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    expected: str | None = Field(None, description="What would have been right")
    fix: str | None = Field(None, description="What to do")
    problems: dict[str, str] | None = Field(None, description="Field -> what is wrong with it")


@shape(Task, "slug name description licence")
class TaskOut(Shape):
    """A task."""

    parents: list[str]
    boards: int
    papers: int


@shape(Board, "slug split protocol metrics notable licence")
class BoardOut(Shape):
    """A board."""

    task: str
    dataset: str
    rows: int


@shape(Result, "metric raw value n low high interval stderr alpha selection")
class ResultOut(Shape):
    """One number of a row."""


@shape(Entry, "id kind backbone setting extra_data toy paper_title paper_url paper_date licence "
       "row_key deleted")  # fmt: skip
class RowOut(Shape):
    """A row of a board."""

    board: str
    rank: int | None = Field(description="By the metric that was asked for; null: not ranked")
    unranked: str = Field(description="Why it has no rank; empty where it has one")
    tied_with_best: bool | None = Field(description="At 95 %, unpaired; null: cannot be told")
    model: str
    results: list[ResultOut]
    source: dict[str, Any]


class BoardRowsOut(Shape):
    """A board with a part of its rows."""

    board: BoardOut
    metric: str
    direction: Direction
    direction_known_from: KnownFrom
    total: int
    offset: int
    rows: list[RowOut]


@shape(Dataset, "slug name full_name description homepage licence_name modalities splits toy "
       "licence")  # fmt: skip
class DatasetOut(Shape):
    """A data set."""

    boards: list[str]


@shape(Method, "slug name full_name description introduced licence")
class MethodOut(Shape):
    """A method."""

    surefoot: str = Field(description="Its name in surefoot; empty: none")


@shape(Paper, "slug title authors date venue arxiv_id abstract url_abs url_pdf licence")
class PaperOut(Shape):
    """A paper."""

    tasks: list[str]
    code: list[str]


@shape(Hit, "kind slug title excerpt")
class HitOut(Shape):
    """A search result: a task, data set, method, paper, model (its slug is its board's), board."""


@shape(Revision, "at who action entity entity_id old new note")
class RevisionOut(Shape):
    """A line of history."""


@shape(Submission, "id status created note")
class SubmissionOut(Shape):
    """A submission in the queue."""

    row: int | None = Field(description="The row that shows it")


class PartOut(Shape, Generic[T]):
    """A part of a list."""

    total: int
    offset: int
    items: list[T]
