"""The short form of a row, for what looks at every row of a board."""

from __future__ import annotations

from typing import NamedTuple

from .types import ExtraData, Kind

__all__ = ["Brief"]


class Brief(NamedTuple):
    """What ranks, filters, sorting and charts ask of a row and of one of its results.

    A page shows 50 rows of 10,000: only those are read whole. Fields are as in
    :class:`~.results.Entry` and :class:`~.results.Result`, except these:

    Attributes:
        result_id: Of the result; ``id`` is the entry's.
        dated: As :attr:`~.results.Entry.dated`.
        code_links: JSON text.
        run: Of its source.
        recipe: Of its source.
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
