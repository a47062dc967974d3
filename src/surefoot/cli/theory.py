"""``surefoot theory``: the two-layer linear network of the LP-FT paper."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from .common import say

__all__ = ["theory_command"]


@click.command("theory")
@click.option("--out", default="runs/theory", show_default=True, help="Folder of the files.")
@click.option(
    "--seeds",
    type=click.IntRange(1),
    default=5,
    show_default=True,
    help="Draws of truth, data and head; with one, what needs an interval is left open.",
)
@click.option("--json", "as_json", is_flag=True, help="What theory.json holds, on stdout.")
def theory_command(out: str, seeds: int, as_json: bool) -> None:
    """Five statements about LP, FT and LP-FT, each put to the test in a network one can solve.

    Section 3 of the LP-FT paper (arXiv 2202.10054). Takes seconds on one core; writes theory.json,
    theory.html and its pictures as SVG, and writes over those of an earlier call.
    """
    from ..records import write_atomic
    from ..report.theory_page import theory_page
    from ..report.theory_pictures import theory_pictures
    from ..theory import Setting, run_study

    def each(done: int) -> None:
        if sys.stderr.isatty():
            say(f"seed {done} of {seeds}")

    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    command = "surefoot theory" + (f" --seeds {seeds}" if seeds != 5 else "")
    result = {"command": command, **run_study(Setting(seeds=seeds), each=each)}
    text = json.dumps(result, allow_nan=False) + "\n"
    write_atomic(folder / "theory.json", text)
    write_atomic(folder / "theory.html", theory_page(result, command))
    for name, svg in theory_pictures(result).items():
        write_atomic(folder / name, svg)
    if as_json:
        click.echo(text, nl=False)
    else:
        _print(result)
    say(f"numbers: {folder / 'theory.json'}")
    say(f"pictures: {folder / 'theory.html'}")


def _print(result: Mapping[str, Any]) -> None:
    """Verdicts, then mean losses by eps."""
    for s in result["statements"]:
        click.echo(f"{s['number']}  {s['verdict']:<15}  {s['text']}")
        click.echo(f"   {'':<15}  {s['evidence']}")
    click.echo()
    click.echo("loss at the end, OOD / ID, geometric mean over seeds")
    methods = {"ft": "FT", "lp": "LP", "lp-ft": "LP-FT"}
    click.echo("   eps  " + "".join(f"{label:<22}" for label in methods.values()).rstrip())
    for eps in result["setting"]["eps"]:
        cells = "".join(f"{_cell(result['rows'], method, eps):<22}" for method in methods)
        click.echo(f"{eps:6g}  {cells.rstrip()}")


def _cell(rows: list[dict[str, Any]], method: str, eps: float) -> str:
    from ..report.theory_charts import geometric_mean

    found = [r for r in rows if r["method"] == method and r["eps"] == eps]
    ood, inside = (geometric_mean([r[k] for r in found]) for k in ("ood_end", "id_end"))
    return f"{ood:.2e} / {inside:.1e}"
