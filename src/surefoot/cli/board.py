"""``surefoot board``: the results board in one SQLite file."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .board_common import board_file, check_recipe, who
from .board_queue import submit_command, verify_command
from .common import pairs, say

if TYPE_CHECKING:
    from ..board.pages.plan import Plan

__all__ = ["board_command"]

_HELP = """Published, reproduced, measured and submitted results, with where each comes from.

\b
surefoot board init              a board with the papers and numbers of this package
surefoot board add runs/mine     your own run beside them
surefoot board serve             look at it, search it, submit to it
surefoot board export site       the same pages as files, and the data as JSON and CSV
"""


@click.group("board", help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
def board_command() -> None:
    """The commands of the board."""


@board_command.command("init")
@board_file
@click.option(
    "--results",
    multiple=True,
    type=click.Path(exists=True, file_okay=False),
    help="A folder with further score files, packed studies or runs; any number.",
)
def init_command(board: str, results: Sequence[str]) -> None:
    """Make a board, or bring one up to date: papers, methods, data sets, published numbers."""
    from ..board.runs.add import start
    from ..board.store.store import Store

    with Store.open(board, who=who(), create=True) as store:
        done = start(store, results)
        totals = store.totals()
    say("added " + (", ".join(f"{n} {k}" for k, n in done.seed.items()) or "nothing new"))
    for name, count in done.results.items():
        if count:
            say(f"{name}: {count} measured results")
    for name, why in done.left_out.items():
        say(f"{name} is left out: {why}")
    click.echo(f"{board}: " + ", ".join(f"{n} {k}" for k, n in totals.items() if n))


@board_command.command("add")
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True))
@board_file
@click.option("--task", default="Image Classification", show_default=True, help="Of new boards.")
@click.option("--dataset", help="In place of the task's name in the run.")
@click.option("--backbone", help="In place of the run's model, as a paper spells it.")
@click.option(
    "--protocol",
    "protocols",
    multiple=True,
    metavar="SPLIT=PROTOCOL",
    help="Put a split's scores onto the board of a published protocol.",
)
@click.option("--reproduces", help="arXiv number of the paper whose numbers the runs repeat.")
@click.option(
    "--whole",
    multiple=True,
    metavar="SPLIT",
    help="A split whose data set you checked is complete.",
)
def add_command(
    runs: Sequence[str],
    board: str,
    task: str,
    dataset: str | None,
    backbone: str | None,
    protocols: Sequence[str],
    reproduces: str | None,
    whole: Sequence[str],
) -> None:
    """Add RUNS: run folders, study folders, packed studies, or files of score rows."""
    from ..board.runs.add import add_results
    from ..board.runs.scores import Placing
    from ..board.store.store import Store

    placing = Placing(task, dataset, pairs(protocols, "--protocol"), backbone, reproduces, whole)
    with Store.open(board, who=who()) as store:
        for run in runs:
            done = add_results(store, run, placing)
            for note in done.notes:
                say(note)
            click.echo(
                f"{run}: {done.entries} results ({done.reproduced} reproduced), {done.curves} "
                f"curves, {done.unchanged} there already"
            )
            for slug in done.boards:
                say(f"  on the board {slug}")


@board_command.command("pack")
@click.argument("run", type=click.Path(exists=True))
@click.option("--out", required=True, type=click.Path(dir_okay=False), help="The JSON file.")
@click.option("--command", default="", help="How the run was made, for the record.")
def pack_command(run: str, out: str, command: str) -> None:
    """Write RUN, a run or a study, as one small JSON file that `add` and `init` read."""
    from ..board.runs.files import pack
    from ..records import write_atomic

    data = pack(run, command=command)
    write_atomic(out, json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    scores = sum(len(one["scores"]) for one in data["runs"])
    click.echo(f"{out}: {len(data['runs'])} runs, {scores} scores")


@board_command.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False))
@board_file
@click.option(
    "--kind",
    type=click.Choice(
        ["papers-with-abstracts", "links-between-papers-and-code", "evaluation-tables", "datasets",
         "methods"]
    ),
    help="Of the files; by default their names or first records tell.",
)  # fmt: skip
@click.option("--quarantine", is_flag=True, help="Also list what was set aside, and why.")
def import_command(files: Sequence[str], board: str, kind: str | None, quarantine: bool) -> None:
    """Import FILES of the Papers with Code archive (.json.gz) or of a board's export."""
    from ..board.archive.importer import import_file
    from ..board.store.store import Store

    broken = False
    with Store.open(board, who=who()) as store:
        for file in files:
            report = import_file(store, file, kind=kind, progress=_progress(file))
            click.echo(report.text())
            broken = broken or bool(report.problem)
            if quarantine:
                for one in store.imports.quarantined(report.record.id):
                    click.echo(f"{one.json_path}: {one.reason}: {one.raw[:200]}")
    if broken:
        raise click.exceptions.Exit(1)


def _progress(file: str) -> Callable[[int, int], None] | None:
    if not sys.stderr.isatty():
        return None
    size = max(1, Path(file).stat().st_size)

    def show(records: int, read: int) -> None:
        click.echo(f"\r{Path(file).name}: {records} records, {100 * read // size} %", err=True,
                   nl=False)  # fmt: skip
        if read >= size:
            click.echo("", err=True)

    return show


@board_command.command("export")
@click.argument("folder", type=click.Path(file_okay=False))
@board_file
@click.option("--data-only", is_flag=True, help="No pages: the data, right in FOLDER.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice(["published", "reproduced", "measured", "submitted"]),
    help="Only results of these kinds in the data.",
)
@click.option(
    "--no-archive",
    is_flag=True,
    help="Leave what came from imported archives out of the data; pages show everything, so it "
    "needs --data-only.",
)
@click.option("--toy", is_flag=True, help="Toy data too.")
def export_command(
    folder: str, board: str, data_only: bool, kinds: Sequence[Any], no_archive: bool, toy: bool
) -> None:
    """Write the board as a static site into FOLDER, with its data in FOLDER/data.

    The data are evaluation-tables.json (the archive's format) with its provenance beside it,
    results as CSV and JSON, and model-index metadata.
    """
    from ..board.archive.export import export
    from ..board.store.results import KINDS
    from ..board.store.store import Store

    if no_archive and not data_only:
        raise click.UsageError(
            "pages show what came from archives too: --no-archive needs --data-only"
        )
    target = Path(folder)
    with Store.open(board, read_only=True) as store:
        if not data_only:
            from ..board.pages.site import export_site

            export_site(store, target, toy=toy, planned=_planned, progress=_pages_progress())
            click.echo(str(target / "index.html"))
        done = export(
            store,
            target if data_only else target / "data",
            kinds=kinds or KINDS,
            toy=toy,
            archive=not no_archive,
        )
    for file in done.files:
        click.echo(str(file))
    say(f"{done.rows} rows")


_MANY = 5_000  # pages, from which on an export says what is coming


def _planned(plan: Plan) -> None:
    if plan.total >= _MANY:
        say(f"writing {plan.text()}")


def _pages_progress() -> Callable[[int, int], None]:
    """A line that is written over on a terminal; elsewhere one a minute."""
    live = sys.stderr.isatty()
    began = told = time.monotonic()

    def show(done: int, of: int) -> None:
        nonlocal told
        now = time.monotonic()
        if now - told >= (0.5 if live else 60):
            told = now
            left = (of - done) * (now - began) / max(1, done) / 60
            words = f"{done:,} of {of:,} pages, about {left:.0f} min left"
            click.echo(f"\r{words:60}" if live else words, err=True, nl=not live)
        if live and done == of and told > began:
            click.echo("", err=True)

    return show


@board_command.command("serve")
@board_file
@click.option("--host", default="127.0.0.1", show_default=True, help="Who may connect.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="0: any free."
)
@click.option("--read-only", is_flag=True, help="Nothing can be submitted.")
def serve_command(board: str, host: str, port: int, read_only: bool) -> None:
    """Serve the board's pages and its API, on this machine alone unless --host says otherwise."""
    from ..board.web import serve

    serve(
        board,
        host=host,
        port=port,
        read_only=read_only,
        check_recipe=check_recipe,
        ready=lambda address: say(f"serving {board} at {address}; stop with Ctrl-C"),
    )


board_command.add_command(submit_command)
board_command.add_command(verify_command)
