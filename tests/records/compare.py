"""Two records: equal to the last digit, or, where libraries differ in version, nearly so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["IMAGES", "differences", "other_versions", "roughly"]

IMAGES = 3
"""By how many images an accuracy may differ where another version of a library computed it."""

_NAMED = ("method", "seed", "split", "evaluator", "selection", "alpha", "metric")
"""What tells one score of a table from another."""


def differences(kept: Any, found: Any, where: str = "") -> Iterator[str]:
    """Every place at which two records differ; what was added since is no difference.

    Floats must be equal, not near: ``repr`` writes all their digits.
    """
    if isinstance(kept, Mapping) and isinstance(found, Mapping):
        for key, value in kept.items():
            if key in found:
                yield from differences(value, found[key], f"{where}/{key}")
            else:
                yield f"{where}/{key}: is missing"
    elif isinstance(kept, list) and isinstance(found, list) and len(kept) == len(found):
        for i, pair in enumerate(zip(kept, found, strict=True)):
            yield from differences(*pair, f"{where}[{i}]")
    elif type(kept) is not type(found) or kept != found:
        yield f"{where}: {_short(kept)} was recorded, {_short(found)} came out"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 100 else f"{text[:100]}... ({len(text)} characters)"


def other_versions(kept: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """What computed the record in another version than is installed."""
    return [f"{k} {kept.get(k)} (here {here.get(k)})" for k in here if kept.get(k) != here[k]]


def roughly(kept: Any, found: Any) -> Iterator[str]:
    """Differences that another version of a library does not explain.

    Every key must be there, but for files of predictions, which an adaptive sweep names by what it
    chose. Of every table of scores the rows that no rule chose must be there, and their values may
    differ by ``IMAGES`` images at most. What a rule chose, hashes, losses and the answers of the
    claims study are not compared.
    """
    yield from _missing(kept, found)
    before, after = list(_scored(kept)), dict(_scored(found))
    for key, (value, n) in before:
        if key not in after:
            yield f"{key}: is missing"
        elif abs(after[key][0] - value) * n > IMAGES + 1e-9:
            yield f"{key}: {value} was recorded, {after[key][0]} came out, of {n} images"


def _missing(kept: Any, found: Any, where: str = "") -> Iterator[str]:
    if isinstance(kept, Mapping) and isinstance(found, Mapping):
        for key in kept:
            if key not in found:
                yield f"{where}/{key}: is missing"
            elif key != "predictions":
                yield from _missing(kept[key], found[key], f"{where}/{key}")


def _scored(record: Any, where: str = "") -> Iterator[tuple[str, tuple[float, int]]]:
    """(what was scored, (value, images)) of every table inside a record."""
    if isinstance(record, Mapping) and {"columns", "rows"} <= set(record):
        for row in record["rows"]:
            yield from _unchosen(dict(zip(record["columns"], row, strict=True)), where)
    elif isinstance(record, Mapping):
        for key, value in record.items():
            yield from _scored(value, f"{where}/{key}")


def _unchosen(row: Mapping[str, Any], where: str) -> Iterator[tuple[str, tuple[float, int]]]:
    # At an alpha between the ends an adaptive sweep scores only what it chose.
    if row["selection"] in ("none", "end") and row["alpha"] in (None, 0, 1):
        yield f"{where} {' '.join(str(row[k]) for k in _NAMED)}", (row["value"], row["n"])
