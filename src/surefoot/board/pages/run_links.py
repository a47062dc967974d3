"""Where a run's numbers stand on a board: what a report links to.

The report knows no board; the command line asks here and hands it the links.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..runs.files import read_rows
from ..runs.scores import Placing, run_entries
from ..store.store import Store
from ..store.text import slugify
from .links import Links, file_of

__all__ = ["RunLink", "run_links"]


@dataclass(frozen=True)
class RunLink:
    """A board that a run has, or could have, numbers on.

    Attributes:
        split: Of the run.
        title: "Image Classification on Pictograms, sketch".
        slug: Of the board; "" where there is none yet.
        address: Of its page; "" without ``slug``.
        added: Numbers of the run are on it.
    """

    split: str
    title: str
    slug: str
    address: str
    added: bool


def run_links(
    store: Store, run: str | Path, base: str, placing: Placing | None = None
) -> list[RunLink]:
    """One link per split of a run, in the order of its scores; changes nothing.

    Args:
        store: The board.
        run: A run or study folder, or a file of scores.
        base: Where the pages are: the address of a server ("http://127.0.0.1:8000") or the folder
            of an exported site, as the report should link it ("../site").
        placing: As the run was added.

    Raises:
        BoardError: Unfinished, or no scores.
        RunError: The folder is no run.
    """
    placing = placing or Placing()
    found: dict[tuple[str, str], RunLink] = {}
    for one in run_entries(store, read_rows(Path(run)), placing):
        split = one.row.score.split
        wanted = (placing.protocols or {}).get(split) or one.protocol
        before = found.get((split, wanted))
        added = store.entries.has(one.entry.row_key) or (before is not None and before.added)
        slug = _board(store, placing.task, wanted)
        title = f"{placing.task} on {one.dataset}, {split}"
        link = RunLink(split, title, slug, _address(base, slug), added)
        found[split, wanted] = link
    return list(found.values())


def _board(store: Store, task: str, protocol: str) -> str:
    row = store.db.one(
        "SELECT board.slug FROM board JOIN task ON task.id = task_id WHERE protocol = ? "
        "AND board.deleted IS NULL ORDER BY task.slug = ? DESC, board.id LIMIT 1",
        protocol,
        slugify(task),
    )
    return "" if row is None else str(row["slug"])


def _address(base: str, slug: str) -> str:
    if not slug:
        return ""
    if base.lower().startswith(("http://", "https://")):
        return base.rstrip("/") + Links(live=True)("boards", slug)
    return f"{base.rstrip('/')}/{file_of('boards', slug)}"
