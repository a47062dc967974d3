"""How pages say things: numbers, dates, kinds, ways of choosing alpha."""

from __future__ import annotations

from datetime import date
from typing import Any

from ..store.metrics import Metric
from ..store.results import Brief, Entry, Kind, Result, Source

__all__ = [
    "KIND_WORDS",
    "alpha_words",
    "arrow",
    "clean",
    "count",
    "day",
    "detail",
    "interval",
    "metric_facts",
    "number",
    "plural",
    "signed",
    "source_label",
    "tidy",
]

KIND_WORDS: dict[Kind, str] = {
    "published": "Transcribed from the paper or archive that is cited",
    "reproduced": "Our run of a published method under the same protocol",
    "measured": "Our run; no published number to set it against",
    "submitted": "Sent in by somebody; nobody here has run it again",
}
_ALPHA = {
    "id_val": "α from ID validation",
    "one_se": "α within one standard error on ID validation",
    "oracle": "oracle α",
}


_JOINERS = frozenset("\u200c\u200d\u00ad")
"""Unseen, and part of words and emoji."""


def clean(text: str) -> str:
    """Text without signs that steer terminals, readers or the direction of writing."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c.isspace() or c in _JOINERS else "\ufffd"
                   for c in text)  # fmt: skip


def tidy(text: object, limit: int = 0) -> str:
    """One line without control characters, cut at ``limit`` characters."""
    line = " ".join(clean(str(text)).split())
    return line if not limit or len(line) <= limit else line[: limit - 1].rstrip() + "…"


def day(text: str | None) -> str:
    """An ISO date as people write it: "4 Sep 2021"; other texts as they are."""
    try:
        then = date.fromisoformat((text or "")[:10])
    except ValueError:
        return tidy(text or "", 20)
    return f"{then.day} {then:%b %Y}"


def count(number: int) -> str:
    """12345 -> "12,345"."""
    return f"{number:,}"


def plural(number: int, one: str, many: str = "") -> str:
    """Such as "1 board" and "2 boards"."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def number(value: float | None, decimals: int | None = None) -> str:
    """A number with as many decimals as it was printed with; at most two where that is unknown."""
    if value is None:
        return ""
    return f"{value:.{decimals}f}" if decimals is not None else f"{value:.2f}"


def signed(value: float, decimals: int = 1) -> str:
    """A difference: "+0.3", "−1.2"."""
    text = f"{value:+.{decimals}f}"
    return text.replace("-", "−")


def interval(result: Result) -> str:
    """The 95 % interval, or ± as the source gave it."""
    if result.low is not None and result.high is not None:
        return f"{number(result.low, 1)} to {number(result.high, 1)}"
    if result.plus_minus is not None and "±" not in result.raw:
        return f"± {result.plus_minus:g}"
    return ""


def arrow(metric: Metric) -> tuple[str, str]:
    """The sign and the words of a metric's direction."""
    signs = {
        "higher": ("↑", "higher is better"),
        "lower": ("↓", "lower is better"),
        "unknown": ("?", "which way is better is not known, so nothing is ranked"),
    }
    return signs[metric.direction]


def metric_facts(metric: Metric) -> dict[str, Any]:
    """A metric for a column's head."""
    sign, words = arrow(metric)
    return {
        "name": tidy(metric.name, 80),
        "arrow": sign,
        "direction": words,
        "unit": metric.unit,
        "known_from": metric.known_from,
        "note": metric.note,
        "ranked": metric.ranked,
    }


def alpha_words(result: Result | Brief) -> str:
    """How alpha was chosen, as a phrase; "" where there is none (the model as it came out)."""
    if result.selection == "fixed" and result.alpha is not None:
        return f"α = {result.alpha:g}"
    words = _ALPHA.get(result.selection, "")
    if words and result.alpha is not None:
        return f"{words} ({result.alpha:g})"
    return words


def detail(entry: Entry | Brief, result: Result | Brief | None = None) -> str:
    """What stands under a model's name: backbone, setting, choice of alpha, who else prints it."""
    printed = f"as printed by {entry.printed_by}" if entry.printed_by else ""
    parts = [entry.backbone, entry.setting, alpha_words(result) if result else "", printed]
    return " · ".join(tidy(p, 160) for p in parts if p)


def source_label(source: Source) -> str:
    """A source in a few words, for a table's cell."""
    if source.kind == "paper":
        return tidy(source.table, 24) or "paper"
    if source.kind == "run":
        return f"run {tidy(source.run, 24)}" if source.run else "run"
    if source.kind == "submission":
        return "submission"
    return source.kind or "source"
