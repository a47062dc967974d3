"""What ``surefoot board init`` does: the seed, and the results that this package carries.

The package carries copies of those files of the project's ``results/`` that hold scores
(``tests/board/test_shipped.py`` keeps them equal), so a board made from an installed wheel is as
full as one made in a checkout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import BoardError
from ..seed.fill import fill
from ..seed.read import RESULTS
from ..store.store import Store
from .add import add_results

__all__ = ["Started", "score_files", "start"]


@dataclass(frozen=True)
class Started:
    """What a board got.

    Attributes:
        seed: What -> how many were added of papers, methods, published numbers, ...
        results: File -> rows of boards that came from it, new ones only.
        left_out: File -> why it holds no scores.
    """

    seed: dict[str, int]
    results: dict[str, int]
    left_out: dict[str, str]


def score_files() -> list[Path]:
    """The files of scores that the package carries."""
    return _files(RESULTS)


def start(store: Store, folders: Sequence[str | Path] = ()) -> Started:
    """Fill a board, or bring one up to date: what is there is left alone.

    Args:
        store: The board.
        folders: Further folders with score files, packed studies, or run and study folders.

    Returns:
        What was added.
    """
    seed = fill(store)
    results, left_out = {}, {}
    places = score_files() + [one for folder in folders for one in _files(Path(folder))]
    for place in places:
        try:
            results[place.name] = add_results(store, place).entries
        except BoardError as error:
            left_out[place.name] = error.wrong
    return Started(seed, results, left_out)


def _files(folder: Path) -> list[Path]:
    """Files and run folders that may hold scores, by name."""
    return sorted(
        one
        for one in folder.iterdir()
        if one.suffix in (".json", ".jsonl")
        or (one / "run.json").is_file()
        or (one / "study.json").is_file()
    )
