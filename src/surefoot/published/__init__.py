"""The numbers that papers report, typed. No torch here.

The CSV files beside this one are the transcription, with provenance line by line; nothing in them
was measured by surefoot, and nothing is written from memory. ``columns.csv`` says what a column of
a table means: which data set and split, which metric, how many images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from ..errors import DataError
from .alphas import Sweep, sweep, sweeps
from .files import rows_of, text_of

__all__ = [
    "Column",
    "Published",
    "SuiteSet",
    "Sweep",
    "baseline_text",
    "column_of",
    "columns",
    "find",
    "models",
    "numbers",
    "suites",
    "sweep",
    "sweeps",
]

_TABLES = ("results.csv", "dino_knn.csv")


@dataclass(frozen=True)
class Published:
    """One number in one cell of one paper's table.

    Attributes:
        paper: Short name and arXiv number: "WiSE-FT 2109.01903".
        table: "Table 1"; "" where it is not recorded.
        model: The encoder: "CLIP ViT-B/16".
        method: As the table names it: "WiSE-FT a=0.5".
        setting: Further words of the table: "ID", "no ensembling".
        column: Data set and metric as the table names them: "iWildCam OOD macroF1".
        value: Points of a hundred.
        decimals: How many were printed.
        provenance: "primary: ..." was read in the paper, "secondary: ..." in one that quotes it.
        raw: The value as it was printed.
        file: Of this package.
        line: In that file, from 2.
    """

    paper: str
    table: str
    model: str
    method: str
    setting: str
    column: str
    value: float
    decimals: int
    provenance: str
    raw: str
    file: str
    line: int

    @property
    def arxiv(self) -> str:
        """The arXiv number."""
        return self.paper.rpartition(" ")[2]

    @property
    def quality(self) -> str:
        """How it was read: "primary" or "secondary"."""
        return self.provenance.partition(":")[0]

    @property
    def rounding(self) -> float:
        """The most that printing can have moved it, in points: 0.05 for one decimal."""
        return 0.5 * 10.0**-self.decimals

    @property
    def oracle(self) -> bool:
        """Was alpha chosen on the very test set ("opt a")?"""
        return self.method.endswith((" opt", " opt a"))


@dataclass(frozen=True)
class Column:
    """What a column of a paper's tables was measured on.

    Attributes:
        paper: As in :class:`Published`.
        column: Likewise.
        setting: Likewise, where it changes what the column is ("ID", "OOD"); else "".
        data: Specs of the data set and split in surefoot's registry, any of which means it;
            "a+b" is the mean over two; empty for means over other columns.
        train: The data set that models were fine-tuned on.
        metric: surefoot's name.
        n: Images (anchors for pm_k) that were scored; None where it is not recorded.
        templates: Prompt templates of zero-shot heads; None where it is not recorded.
        mean_of: Other columns whose mean this is.
        comparable: "" or why no run can be compared with it.
    """

    paper: str
    column: str
    setting: str
    data: tuple[str, ...]
    train: str
    metric: str
    n: int | None
    templates: int | None
    mean_of: tuple[str, ...]
    comparable: str

    @property
    def sets(self) -> tuple[tuple[str, ...], ...]:
        """The sets whose mean the number is, each with the specs that mean it; mostly one."""
        if any("+" in spec for spec in self.data):
            return tuple((part,) for part in self.data[0].split("+"))
        return (self.data,)


@lru_cache(maxsize=1)
def numbers() -> tuple[Published, ...]:
    """Every number, in the files' order."""
    return tuple(
        Published(
            paper=row["paper"],
            table=row["table"],
            model=row["model"],
            method=row["method"],
            setting=row["setting"],
            column=row["dataset_metric"],
            value=float(row["value"]),
            decimals=len(row["value"].partition(".")[2]),
            provenance=row["provenance"],
            raw=row["value"],
            file=file,
            line=line,
        )
        for file in _TABLES
        for line, row in enumerate(rows_of(file), 2)
    )


@dataclass(frozen=True)
class SuiteSet:
    """One of the data sets that a paper averages over.

    Attributes:
        name: As the paper calls it.
        domain: "ID" or "OOD".
        data: Specs of the registry; the mean over several is the set's number.
        train: The data set that models were fine-tuned on.
        metric: surefoot's name.
    """

    name: str
    domain: str
    data: tuple[str, ...]
    train: str
    metric: str


@lru_cache(maxsize=1)
def suites() -> dict[str, tuple[SuiteSet, ...]]:
    """Name of a paper's suite -> its data sets."""
    found: dict[str, list[SuiteSet]] = {}
    for row in rows_of("suites.csv"):
        one = SuiteSet(
            row["set"], row["domain"], tuple(row["data"].split("+")), row["train"], row["metric"]
        )
        found.setdefault(row["suite"], []).append(one)
    return {name: tuple(sets) for name, sets in found.items()}


@lru_cache(maxsize=1)
def models() -> dict[str, tuple[str, ...]]:
    """Encoder as a table names it -> surefoot's names for it, with * for anything."""
    return {row["model"]: tuple(row["specs"].split("|")) for row in rows_of("models.csv")}


@lru_cache(maxsize=1)
def columns() -> tuple[Column, ...]:
    """What every column of the tables means."""
    return tuple(
        Column(
            paper=row["paper"],
            column=row["column"],
            setting=row["setting"],
            data=tuple(row["data"].split("|")) if row["data"] else (),
            train=row["train"],
            metric=row["metric"],
            n=int(row["n"]) if row["n"] else None,
            templates=int(row["templates"]) if row["templates"] else None,
            mean_of=tuple(row["mean_of"].split("|")) if row["mean_of"] else (),
            comparable=row["not_comparable"],
        )
        for row in rows_of("columns.csv")
    )


def column_of(number: Published) -> Column:
    """What a number was measured on.

    Raises:
        DataError: ``columns.csv`` has no line for it.
    """
    for known in columns():
        same = known.paper == number.paper and known.column == number.column
        if same and known.setting in ("", number.setting):
            return known
    raise DataError(
        f"nothing says what the column {number.column!r} of {number.paper} was measured on",
        expected="a line in published/columns.csv",
    )


def find(
    *,
    paper: str | None = None,
    model: str | None = None,
    method: str | Sequence[str] | None = None,
    column: str | None = None,
    data: str | None = None,
    setting: str | None = None,
    table: str | None = None,
) -> list[Published]:
    """Numbers by what they are; what is left out is not looked at.

    Args:
        paper: Its short name ("WiSE-FT"), arXiv number or both.
        model: The encoder, exactly.
        method: As the table names it; or several, any of which.
        column: As the table names it.
        data: A data set and split of surefoot's registry ("imagenet-r").
        setting: Exactly; "" finds those without.
        table: Exactly.
    """
    methods = (method,) if isinstance(method, str) else method
    return [
        n
        for n in numbers()
        if (paper is None or paper in (n.paper, *n.paper.split(" ")))
        and (model is None or n.model == model)
        and (methods is None or n.method in methods)
        and (column is None or n.column == column)
        and (setting is None or n.setting == setting)
        and (table is None or n.table == table)
        and (data is None or data in column_of(n).data)
    ]


def baseline_text() -> str:
    """The table of models trained on ImageNet alone, for effective robustness, as CSV text.

    See the README beside it for source, commit, hash and licence.
    """
    return text_of("imagenet_testbed_standard.csv")
