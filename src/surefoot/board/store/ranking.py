"""Ranks, statistical ties, the best so far, and agreement of published and reproduced numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .metrics import Metric
from .results import Board, Brief, Entry, Result
from .text import fold

__all__ = ["ORACLE", "Agreement", "Standing", "agreement", "in_time", "rank", "standard_error"]

_Z = 1.959963984540054
_FUZZ = 1e-9  # 72.15 - 72.1 is not 0.05 in binary
ORACLE = "α was chosen by the test score: an upper bound, ranked apart"
"""Why a row that knew the test score has no rank and is never the state of the art."""

MAX_STDERR = 0.5
"""Points: a reproduction that is less sure than this says nothing about a published number."""

Scored = Result | Brief
"""What has a number: a whole result, or the short form of a row and its number."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One line of a ranked board.

    Attributes:
        row: The row and its number in the metric that is ranked.
        rank: 1 is best; equal values share one and the next is skipped (1, 1, 3). None: not
            ranked.
        ties_best: Cannot be told from the best (95 %, unpaired); None where an interval is
            missing.
        ties_above: Likewise from the line above.
        reason: Why it has no rank.
    """

    row: Brief
    rank: int | None
    ties_best: bool | None = None
    ties_above: bool | None = None
    reason: str = ""


def standard_error(result: Scored) -> float | None:
    """The standard error, or the 95 % interval's width as one; None where neither is known."""
    if result.stderr is not None:
        return result.stderr
    if result.low is None or result.high is None:
        return None
    return (result.high - result.low) / (2 * _Z)


def rank(rows: Sequence[Brief], metric: Metric) -> list[Standing]:
    """Put rows of one board in order of one metric.

    Rows whose alpha was chosen on the test set (``oracle``) follow the ranked ones, in order, with
    no rank: nothing that knew the test score is a state of the art. Entries without a value for
    the metric come last, likewise unranked; so do all where the direction is unknown. Two results
    tie statistically where the 95 % interval of their difference, as that of independent samples,
    holds 0: the same images make that test cautious.

    Args:
        rows: With their numbers in the metric.
        metric: One of the board's metrics.
    """
    sign = -1.0 if metric.direction == "higher" else 1.0
    good: list[Brief] = []
    apart: list[Brief] = []
    rest: list[Standing] = []
    for row in rows:
        why = _unranked(row, metric)
        if why:
            rest.append(Standing(row, None, reason=why))
        else:
            (apart if row.selection == "oracle" else good).append(row)
    for some in (good, apart):
        some.sort(key=lambda r: (sign * (r.value or 0.0), r.dated, r.id))
    ranked: list[Standing] = []
    for place, row in enumerate(good, 1):
        if not ranked:
            ranked.append(Standing(row, place))
            continue
        best, above = ranked[0].row, ranked[-1].row
        number = ranked[-1].rank if above.value == row.value else place
        ranked.append(Standing(row, number, _tie(best, row), _tie(above, row)))
    return ranked + [Standing(r, None, reason=ORACLE) for r in apart] + rest


def _unranked(result: Scored, metric: Metric) -> str:
    if not metric.ranked:
        return f"which way {metric.name!r} is better is not known"
    if result.value is None:
        return "its value could not be read as one number"
    if result.bound:
        return "only a bound is given"
    return ""


def _tie(a: Scored, b: Scored) -> bool | None:
    second = standard_error(b)
    if second is None:  # most rows of an archive
        return None
    first = standard_error(a)
    if first is None or a.value is None or b.value is None:
        return None
    return abs(a.value - b.value) <= _Z * math.hypot(first, second) + _FUZZ


def in_time(ranked: Sequence[Standing], metric: Metric) -> Iterator[tuple[Standing, bool]]:
    """The state of the art over time.

    Args:
        ranked: From :func:`rank`.
        metric: The same.

    Returns:
        Every ranked row with a date, oldest first, and whether it was the best when it came. Of
        several on one day only the best can be the best of its time.
    """
    sign = -1.0 if metric.direction == "higher" else 1.0
    dated = [r for r in ranked if r.rank is not None and r.row.dated]
    dated.sort(key=lambda r: r.row.dated)  # stable: of one day the better ones stay first
    best = math.inf
    for one in dated:
        cost = sign * (one.row.value or 0.0)
        yield one, cost < best
        best = min(best, cost)


@dataclass(frozen=True)
class Agreement:
    """Whether a reproduced number agrees with the published one.

    Attributes:
        verdict: "matches", "differs" or "not comparable".
        difference: Reproduced minus published, in points; None where not comparable.
        tolerance: What still counts as a match: the larger of the published rounding and two
            standard errors.
        reason: One sentence.
    """

    verdict: Literal["matches", "differs", "not comparable"]
    difference: float | None = None
    tolerance: float | None = None
    reason: str = ""


def agreement(
    published: tuple[Board, Entry, Result], reproduced: tuple[Board, Entry, Result], metric: Metric
) -> Agreement:
    """Compare a published number with a reproduction of it.

    They can be compared only where board (data set, split, protocol id), metric and selection of
    alpha are the same, the data set was whole, and our standard error is at most 0.5 points. They
    match within the larger of the published rounding and two standard errors.

    A **repeat** is a run of the very recipe that came with a submission (equal recipe hashes): the
    same images, the same seeds. Which images happened to be drawn does not matter then, so a large
    standard error is no hindrance and no excuse: it matches within the larger of the rounding and
    0.5 points, or two standard errors where these are less.

    Args:
        published: Board, entry and result of the published number.
        reproduced: Likewise of ours.
        metric: From the registry, for its unit.
    """
    why = _not_comparable(published, reproduced, metric)
    mine, theirs = reproduced[2], published[2]
    stderr = standard_error(mine)
    if why or stderr is None or mine.value is None or theirs.value is None:
        return Agreement("not comparable", reason=why)
    rounding = 0.0 if theirs.decimals is None else 0.5 * 10.0**-theirs.decimals
    noise = min(2 * stderr, MAX_STDERR) if _repeat(published[1], reproduced[1]) else 2 * stderr
    difference, tolerance = mine.value - theirs.value, max(rounding, noise)
    if abs(difference) <= tolerance + _FUZZ:
        return Agreement(
            "matches",
            difference,
            tolerance,
            f"within {tolerance:.2f} points of the {published[1].kind} one",
        )
    return Agreement("differs", difference, tolerance, f"differs by {difference:+.2f} points")


def _repeat(theirs: Entry, ours: Entry) -> bool:
    """Whether ours is a run of the recipe that came with theirs."""
    return theirs.kind == "submitted" and theirs.source.recipe == ours.source.recipe != ""


def _not_comparable(
    published: tuple[Board, Entry, Result], reproduced: tuple[Board, Entry, Result], metric: Metric
) -> str:
    """Why the two cannot be compared; "" where they can."""
    (board, entry, theirs), (our_board, our_entry, mine) = published, reproduced
    stderr = standard_error(mine)
    numbers = theirs.value, mine.value
    fractions = [v is not None and abs(v) <= 1 for v in numbers]
    checks: Mapping[str, bool] = {
        f"a {entry.kind} and a {our_entry.kind} number: only a published or submitted one "
        "is compared with a reproduced one": (
            entry.kind not in ("published", "submitted") or our_entry.kind != "reproduced"
        ),
        "toy data": entry.toy or our_entry.toy,
        "other data sets": board.dataset_id != our_board.dataset_id,
        "other splits": board.split != our_board.split,
        "the published protocol is not known": board.protocol in ("", "unspecified"),
        f"protocols differ: {board.protocol} and {our_board.protocol}": (
            board.protocol != our_board.protocol
        ),
        "other metrics": fold(theirs.metric) != fold(mine.metric),
        f"alpha was chosen in another way: {theirs.selection or 'unknown'} and "
        f"{mine.selection or 'unknown'}": theirs.selection != mine.selection,
        "a number could not be read": None in numbers or bool(theirs.bound or mine.bound),
        "the unit is not known to be points of a hundred": metric.unit != "%",
        "one looks like a fraction, the other like points": fractions[0] != fractions[1],
        f"the data set's manifest is {mine.manifest}, not whole": mine.manifest != "whole",
        "our number has no standard error": stderr is None,
        f"our standard error is above {MAX_STDERR} points": (stderr or 0.0) > MAX_STDERR
        and not _repeat(entry, our_entry),
    }
    return next((why for why, wrong in checks.items() if wrong), "")
