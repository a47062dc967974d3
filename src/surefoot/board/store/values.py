"""Values as tables print them: the number beside the raw string, and nothing guessed.

``0.8428 ± 0.0014`` has the value 0.8428, and what follows the sign is kept as ``plus_minus``
without a meaning: tables use it for a standard deviation, a standard error or an interval. A
percent sign is noted and does not change the number. What is not clearly one number has no value,
and ``reason`` says why.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

__all__ = ["ParsedValue", "parse_value"]

_NUMBER = r"[+-]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_VALUE = re.compile(
    rf"(?P<bound><=?|>=?|[≤≥])?\s*(?P<number>{_NUMBER})(?P<scale>[kKMBGT])?\s*(?P<percent>%)?"
    rf"(?:\s*(?:±|\+/?-|\\pm)\s*(?P<pm>{_NUMBER})\s*(?P<percent2>%)?)?",
)
_MISSING = frozenset({"", "-", "--", "n/a", "na", "none", "null", "nan", "?", "tbd", "x"})
_DASHES = str.maketrans({"−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-"})
_SCALES = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12}
_COMMA = re.compile(r"[+-]?\d+,\d+")


@dataclass(frozen=True)
class ParsedValue:
    """What could be read from a raw value.

    Attributes:
        raw: As given.
        value: The number; None where there is none to be sure of.
        decimals: Digits printed after the point; None with an exponent or without a value.
        percent: A percent sign was printed.
        bound: "<" or ">" where the raw value only bounds it.
        plus_minus: The number behind a plus-minus sign; what it means is not known.
        reason: Why there is no value.
    """

    raw: str
    value: float | None = None
    decimals: int | None = None
    percent: bool = False
    bound: str = ""
    plus_minus: float | None = None
    reason: str = ""

    @property
    def rounding(self) -> float | None:
        """Half a unit of the last printed digit: how far the true value may be from this one."""
        return None if self.decimals is None else 0.5 * 10.0**-self.decimals


def parse_value(raw: str) -> ParsedValue:
    """Read one raw value.

    Thousands separators are read where every group has three digits and a comma cannot be a
    decimal one ("1,234,567", "1,234.5", and "1,234" too: papers print decimal points); "74,67" is
    left alone.
    """
    text = raw.translate(_DASHES).strip()
    if text.casefold() in _MISSING:
        return ParsedValue(raw, reason="missing")
    found = _VALUE.fullmatch(text)
    if found is None:
        return ParsedValue(raw, reason=_why_not(text))
    number = found["number"]
    value = float(number.replace(",", "")) * _SCALES.get(found["scale"], 1.0)
    plus_minus = float(found["pm"].replace(",", "")) if found["pm"] else None
    if not math.isfinite(value) or (plus_minus is not None and not math.isfinite(plus_minus)):
        return ParsedValue(raw, reason="too large for a number")
    exponent = "e" in number.lower()
    return ParsedValue(
        raw,
        value,
        None if exponent or found["scale"] else len(number.partition(".")[2]),
        bool(found["percent"] or found["percent2"]),
        _bound(found["bound"]),
        plus_minus,
    )


def _bound(sign: str | None) -> str:
    return "" if not sign else "<" if sign[0] in "<≤" else ">"


def _why_not(text: str) -> str:
    if _COMMA.search(text):
        return "a comma that may be a decimal point"
    numbers = re.findall(_NUMBER, text)
    if len(numbers) > 1:
        return "more than one number"
    return "a number with other text" if numbers else "no number"
