"""``surefoot report``: render report.html of a run or a study again."""

from __future__ import annotations

from pathlib import Path

import click

from .board_common import board_links

__all__ = ["report_command"]


@click.command("report")
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True))
@click.option("--out", type=click.Path(dir_okay=False), help="Default: report.html in the folder.")
@click.option(
    "--board",
    envvar="SUREFOOT_BOARD",
    show_envvar=True,
    type=click.Path(dir_okay=False),
    help="A results board: the page leads to where the numbers stand on it.",
)
@click.option(
    "--pages",
    default="http://127.0.0.1:8000",
    show_default=True,
    help="Where the board's pages are: a server, or the folder of an exported site.",
)
def report_command(runs: tuple[str, ...], out: str | None, board: str | None, pages: str) -> None:
    """Render the report of a run, a study or several runs again; needs no torch."""
    from ..report import render
    from ..runs import open_study

    study = open_study(*runs)
    if len(runs) > 1 and out is None:
        raise click.UsageError("--out is missing: several runs have no folder of their own")
    links = board_links(runs, board, pages) if board is not None else []
    click.echo(render(study, Path(out) if out else None, links=links))
