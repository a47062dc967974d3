"""``surefoot compare``: runs side by side, beside papers, or above a baseline."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ..runs import Study
from .common import say

__all__ = ["compare_command"]


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True))
@click.option(
    "--out",
    multiple=True,
    type=click.Path(dir_okay=False),
    help="Also write a file, by its suffix: a report page (.html), or the table with its "
    "intervals and notes (.csv, .tex, .md); any number.",
)
@click.option("--json", "as_json", is_flag=True, help="Every row as JSON lines on stdout.")
@click.option("--published", is_flag=True, help="Beside what papers report: matches, or not, why.")
@click.option("--paper", help="With --published: only this paper (WiSE-FT, 2202.10054, ...).")
@click.option(
    "--suite",
    type=click.Choice(["wise-ft", "lp-ft", "flyp"]),
    help="Means over a paper's data sets, and what is missing for them.",
)
@click.option(
    "--baseline",
    metavar="TABLE.csv",
    help="Effective robustness above the models of a table with the columns model, id, ood (or "
    "names of data sets); imagenet-testbed is one that ships.",
)
def compare_command(
    runs: tuple[str, ...],
    out: tuple[str, ...],
    as_json: bool,
    published: bool,
    paper: str | None,
    suite: str | None,
    baseline: str | None,
) -> None:
    """RUNS and studies side by side, tested in pairs on the same images; or beside papers."""
    from ..runs import open_study

    if sum((published, suite is not None, baseline is not None)) > 1:
        raise click.UsageError("one of --published, --suite and --baseline at a time")
    if paper is not None and not published:
        raise click.UsageError("--paper narrows --published; give that too")
    if out and (published or suite is not None):
        raise click.UsageError("--out has no page for --published and --suite; use --json")
    if baseline is not None and (len(out) > 1 or _tables(out)):
        raise click.UsageError("--baseline writes one page; --json has its numbers")
    _require_known(out)
    study = open_study(*runs)
    if published:
        _published(study, paper, as_json)
    elif suite is not None:
        _suite(study, suite, as_json)
    elif baseline is not None:
        _baseline(study, baseline, out[0] if out else None, as_json)
    else:
        _side_by_side(study, out, as_json)


def _require_known(out: Sequence[str]) -> None:
    """Refuse files whose suffix says no format: a page under another name opens nowhere."""
    from ..report.table_files import SUFFIXES

    for name in out:
        if Path(name).suffix not in (*SUFFIXES, ".html", ".htm"):
            known = ", ".join([".html", *SUFFIXES])
            raise click.UsageError(f"--out {name}: its suffix says no format; there are {known}")


def _tables(out: Sequence[str]) -> list[str]:
    """Those of the files that are tables; the others are pages."""
    from ..report.table_files import SUFFIXES

    return [name for name in out if Path(name).suffix in SUFFIXES]


def _side_by_side(study: Any, out: Sequence[str], as_json: bool) -> None:
    from ..report import render, render_terminal
    from ..report.table_files import write_table

    if as_json:
        for run in study.runs:
            for row in run.scores():
                click.echo(json.dumps({"run": run.path.name, **row.to_json()}, sort_keys=True))
    else:
        click.echo(render_terminal(study))
    tables = _tables(out)
    for name in out:
        if name in tables:
            write_table(study, name)
            say(f"table: {name}")
        else:
            say(f"report: {render(study, Path(name))}")


def _published(study: Study, paper: str | None, as_json: bool) -> None:
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


def _suite(study: Study, name: str, as_json: bool) -> None:
    """Means over a paper's data sets."""
    from ..report.suites import headline, headline_lines

    found = headline(study, name)
    _print([found.to_json()], headline_lines(found), as_json)


def _baseline(study: Study, table: str, out: str | None, as_json: bool) -> None:
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
