"""A published data set in words: for ``surefoot show`` and the table in docs/datasets.md."""

from __future__ import annotations

from .base import KnownDataset
from .facts import Expected
from .find import CONTROL, known_dataset, known_names

__all__ = ["describe", "table"]

_MOST_SPLITS = 8
"""In a cell of the table."""


def describe(known: KnownDataset) -> str:
    """Everything that surefoot knows of one data set, line by line."""
    lines = [f"{known.name}: {known.title}", "", known.summary, "", "layout:"]
    lines += [f"  {row}" for row in known.layout]
    lines += ["", f"looked for below --data-root as: {', '.join(known.folders)}"]
    lines += ["", "splits:"]
    for name, expected in known.splits.items():
        first = " (what the bare name means)" if name == known.default else ""
        metric = known.metric_of(name)
        lines.append(f"  {known.name}:{name}{first}: {counts(expected)}; {metric}")
        if expected.source:
            lines.append(f"    counts: {expected.source}")
    if known.control:
        lines.append(f"  {known.name}:{CONTROL}: the same classes of {known.control}")
    lines += [f"{role} of a task: {split}" for role, split in known.roles.items()]
    if known.shifts:
        lines.append(f"shifts of a task: {', '.join(known.shifts)}")
    lines += ["", *(f"needs: {need}" for need in known.needs)]
    lines.append(f"classes: {known.class_source}")
    if known.templates:
        lines.append(f"prompt templates: {known.templates}")
    lines += [f"note: {note}" for note in known.notes]
    lines += [
        f"licence: {known.licence}",
        f"from: {known.homepage}",
        f"cite: {known.citation}",
    ]
    return "\n".join(lines)


def counts(expected: Expected) -> str:
    """As in "50,273 images, 313 classes, 18,574 scored", without what nobody publishes."""
    parts = [
        f"{number:,} {what}"
        for number, what in (
            (expected.images, "images"),
            (expected.classes, "classes"),
            (expected.scored, "scored"),
        )
        if number is not None
    ]
    return ", ".join(parts) or "counts not published"


def table() -> str:
    """All published data sets as the Markdown table of docs/datasets.md."""
    rows = ["| name | what | splits | metric | ID control | licence |", "|---|---|---|---|---|---|"]
    for name in known_names():
        known = known_dataset(name)
        shown = [f"`{s}`: {counts(e)}" for s, e in known.splits.items()]
        if len(shown) > _MOST_SPLITS:
            more = len(shown) - _MOST_SPLITS
            shown[_MOST_SPLITS:] = [f"{more} more, by `surefoot show {name}`"]
        splits = "; ".join(shown)
        metrics = ", ".join(dict.fromkeys(known.metric_of(s) for s in known.splits))
        control = f"`{known.control}`" if known.control else ""
        cells = (f"`{name}`", known.title, splits, metrics, control, known.licence)
        rows.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    return "\n".join(rows) + "\n"
