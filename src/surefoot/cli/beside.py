"""What ``compare`` does with --published, --suite and --baseline."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from ..runs import Study
from .common import say

__all__ = ["baseline", "published", "suite"]


def published(study: Study, paper: str | None, as_json: bool) -> None:
    """Measured beside published."""
    from ..errors import UnknownName
    from ..published import numbers
    from ..registry import nearest
    from ..report.vs_published import comparison_lines, own_encoders, vs_published

    known = list(dict.fromkeys(word for n in numbers() for word in (n.paper, *n.paper.split(" "))))
    if paper is not None and paper not in known:
        raise UnknownName("paper", paper, known, nearest(paper, known))
    rows, others = own_encoders(vs_published(study, paper=paper))
    _print([r.to_json() for r in rows], comparison_lines(rows), as_json)
    counts = {
        verdict: sum(r.verdict == verdict for r in rows)
        for verdict in ("matches", "differs", "not comparable")
    }
    left = f"; {others} of other encoders are left out" if others else ""
    say("; ".join(f"{n} {verdict}" for verdict, n in counts.items()) + left)


def suite(study: Study, name: str, as_json: bool) -> None:
    """Means over a paper's data sets."""
    from ..report.suites import headline, headline_lines

    found = headline(study, name)
    _print([found.to_json()], headline_lines(found), as_json)


def baseline(study: Study, table: str, out: str | None, as_json: bool) -> None:
    """Effective robustness, and its page."""
    from ..records import write_atomic
    from ..report.baseline import distances, read_baseline
    from ..report.robustness_page import distance_lines, robustness_page

    found = distances(study, read_baseline(table))
    _print([d.to_json() for d in found], distance_lines(found), as_json)
    if out:
        write_atomic(out, robustness_page(found, table))
        say(f"page: {out}")


def _print(rows: Sequence[Any], lines: Sequence[str], as_json: bool) -> None:
    for row in [json.dumps(r, sort_keys=True) for r in rows] if as_json else lines:
        click.echo(row)
