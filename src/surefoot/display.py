"""Results that show themselves: tables as text, HTML and data frames; pictures. No torch here."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from .atomic import write_atomic
from .registry import import_optional

__all__ = ["UNBOUNDED", "Picture", "Table", "data_frame", "shown"]

UNBOUNDED = frozenset({"nll"})
"""Metrics of surefoot's own that are no fractions."""


def shown(metric: str, value: float, *, unit: str = "") -> str:
    """A value as people read it: percent to one digit and the unit, but for likelihoods."""
    return f"{value:.3f}" if metric in UNBOUNDED else f"{100 * value:.1f}{unit}"


@dataclass(frozen=True)
class Table:
    """Cells that are written out, for people; :func:`data_frame` has numbers for programs.

    Attributes:
        columns: Headings.
        rows: One cell per column each.
        title: A line above; "" for none.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...] = field(repr=False)
    title: str = ""

    def __str__(self) -> str:
        """Lines of text: the first column to the left, the others to the right."""
        lines = [self.columns, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        aligned = [
            "  ".join(
                cell.rjust(width) if i else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        return "\n".join([self.title, *aligned] if self.title else aligned)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """For notebooks; everything is escaped."""
        head = "".join(f"<th>{escape(c)}</th>" for c in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in self.rows
        )
        caption = f"<caption>{escape(self.title)}</caption>" if self.title else ""
        return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


@dataclass(frozen=True)
class Picture:
    """A drawing as an SVG file of its own, colours and faces inside.

    Attributes:
        svg: The markup.
        words: What it shows, for readers who do not see it.
    """

    svg: str = field(repr=False)
    words: str

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        """As an image, so that its style sheet stays its own where several stand on one page."""
        data = base64.b64encode(self.svg.encode()).decode()
        return f'<img alt="{escape(self.words)}" src="data:image/svg+xml;base64,{data}">'

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the SVG file, whole or not at all."""
        write_atomic(path, self.svg)


def data_frame(rows: Iterable[Mapping[str, Any]]) -> Any:
    """Rows as a ``pandas.DataFrame``, a column per name.

    Raises:
        MissingDependency: pandas is not installed.
    """
    pandas = import_optional("pandas", needed_for="to_frame()")
    return pandas.DataFrame([dict(row) for row in rows])
