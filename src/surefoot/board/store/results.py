"""Results and where they stand: sources, protocols, boards, entries, curves."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, NamedTuple, get_args

__all__ = ["KINDS", "Board", "Brief", "Curve", "CurvePoint", "Entry", "ExtraData", "Kind",
           "Protocol", "Result", "Source", "read_source", "write_source"]  # fmt: skip

Kind = Literal["published", "reproduced", "measured", "submitted"]
ExtraData = Literal["yes", "no", "unknown"]
UNNAMED = "unnamed model"
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Kinds of result, in the order in which pages name them."""


@dataclass(frozen=True, slots=True)
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
        printed_by: Who prints it, where that is not the paper that the row is of.
        version: Of surefoot that ran it.
        machine: On which it ran, as the run says.
        report: The run's report, from the folder on in which the run lies.
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
    printed_by: str = ""
    version: str = ""
    machine: str = ""
    report: str = ""
    also: tuple[str, ...] = ()


def write_source(source: Source) -> dict[str, Any]:
    """A source as JSON, without what is empty."""
    return {k: v for k, v in asdict(source).items() if v}


_SOURCE = frozenset(f.name for f in fields(Source))


def read_source(data: dict[str, Any]) -> Source:
    """The inverse of :func:`write_source`; unknown fields are left out."""
    known = {k: v for k, v in data.items() if k in _SOURCE}
    if "also" in known:
        known["also"] = tuple(known["also"])
    return Source(**known)


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a number is measured: images, classes, metric, head. Equal names can be compared."""

    name: str
    title: str = ""
    description: str = ""
    id: int = 0
    deleted: str | None = None


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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

    @property
    def dated(self) -> str:
        """When the number came to be: the day of the paper, or of the run; "" where nobody says.

        Of our own runs without a day, the day on which they came to the board.
        """
        if self.kind in ("published", "submitted"):
            return self.paper_date or ""
        return self.source.date or self.created[:10]

    @property
    def printed_by(self) -> str:
        """As its source says."""
        return self.source.printed_by

    @property
    def shown(self) -> str:
        """Its model's name; an archive has rows without one."""
        return self.model_name.strip() or UNNAMED


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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


class Brief(NamedTuple):
    """What ranks, filters, sorting and charts ask of a row and of one of its results.

    A page shows 50 rows of 10,000: only those are read whole. Fields are as in
    :class:`Entry` and :class:`Result`, except these:

    Attributes:
        result_id: Of the result; ``id`` is the entry's.
        dated: As :attr:`Entry.dated`.
        code_links: JSON text.
        run: Of its source.
        recipe: Of its source.
        printed_by: Of its source.
    """

    id: int
    result_id: int
    kind: Kind
    model_name: str
    backbone: str
    setting: str
    method_id: int | None
    paper_id: int | None
    paper_title: str | None
    extra_data: ExtraData
    toy: int
    dated: str
    code_links: str
    run: str
    recipe: str
    raw: str
    value: float | None
    bound: str
    selection: str
    alpha: float | None
    stderr: float | None
    low: float | None
    high: float | None
    printed_by: str = ""

    @property
    def shown(self) -> str:
        """As :attr:`Entry.shown`."""
        return self.model_name.strip() or UNNAMED
