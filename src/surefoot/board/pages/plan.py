"""How large a site will be, before it is written."""

from __future__ import annotations

from dataclasses import dataclass

from ..store.store import Store
from .table import PAGE
from .words import count, plural

__all__ = ["Plan", "plan_site"]

_KB = {
    "tasks": 5.5, "data sets": 4.6, "methods": 7.6, "papers": 12.0, "boards": 20.0, "rows": 5.0,
    "further pages of large boards": 20.0,
}  # fmt: skip
"""What a page of each kind takes in a whole archive (``benchmarks/board_site.py``), about."""

_ROW_KB = 1.2  # of a row in a board's table


@dataclass(frozen=True)
class Plan:
    """What a site will hold, about: scatters and lists come on top.

    Attributes:
        pages: Kind -> how many pages.
        megabytes: Of all files.
    """

    pages: dict[str, int]
    megabytes: float

    @property
    def total(self) -> int:
        """Pages of all kinds."""
        return sum(self.pages.values())

    def text(self) -> str:
        """For people."""
        kinds = ", ".join(f"{count(n)} {k}" for k, n in self.pages.items() if n)
        size = f"{self.megabytes / 1000:.1f} GB" if self.megabytes >= 1000 else (
            f"{max(1, round(self.megabytes))} MB")  # fmt: skip
        return f"about {plural(self.total, 'page')}, {size}: {kinds}"


def plan_site(store: Store, papers: int, *, toy: bool = False) -> Plan:
    """Count what a site will hold; a second at most for a whole archive.

    Args:
        store: What is shown.
        papers: How many papers have a page.
        toy: Whether toy data are shown.
    """
    alive = "deleted IS NULL AND toy <= ?"
    sizes = store.db.all(
        f"SELECT count(*) FROM entry WHERE {alive} GROUP BY board_id", int(toy)
    )  # boards of toy data sets hold toy rows only
    rows = sum(r[0] for r in sizes)
    pages = {
        "rows": rows,
        "papers": papers,
        "boards": len(sizes),
        "further pages of large boards": sum((r[0] - 1) // PAGE for r in sizes),
        "methods": store.methods.count(),
        "tasks": store.tasks.count(),
        "data sets": store.db.count(f"SELECT count(*) FROM dataset WHERE {alive}", int(toy)),
    }
    listed = sum(r[0] * _ROW_KB for r in sizes)
    beside = sum(r[0] * _ROW_KB for r in sizes if r[0] > PAGE)  # the file with all rows
    kilobytes = sum(n * _KB[k] for k, n in pages.items()) + listed + beside
    return Plan(pages, kilobytes / 1000)
