"""``merge``, ``export``, ``check``, ``cp``: commands on files."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import Any

import click

from .common import say

__all__ = ["check_command", "cp_command", "export_command", "merge_command"]


@click.command("merge")
@click.argument("start", type=click.Path(exists=True, dir_okay=False))
@click.argument("end", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--alpha", type=float, default=0.5, show_default=True, help="0 gives START, 1 gives END."
)
@click.option("-o", "--out", required=True, type=click.Path(dir_okay=False), help="A new file.")
@click.option("--extrapolate", is_flag=True, help="Allow alpha outside [0, 1].")
@click.option(
    "--dtypes",
    type=click.Choice(["error", "start", "end"]),
    default="error",
    show_default=True,
    help="Whose number format to write where the two differ.",
)
@click.option(
    "--integers",
    type=click.Choice(["start", "end"]),
    default="end",
    show_default=True,
    help="Whose integer tensors (counters, indices) to take.",
)
@click.option("--force", is_flag=True, help="Overwrite OUT.")
def merge_command(
    start: str,
    end: str,
    alpha: float,
    out: str,
    extrapolate: bool,
    force: bool,
    **policies: Any,
) -> None:
    """Interpolate two checkpoints: (1 - alpha) * START + alpha * END."""
    from ..context import progress_bar
    from ..weights import merge_files

    if Path(out).exists() and not force:
        raise click.UsageError(f"{out} exists already; give another name or --force")
    with progress_bar("merge", shown=sys.stderr.isatty(), unit="B") as tick:
        merge_files(start, end, out, alpha, extrapolate=extrapolate, progress=tick, **policies)
    click.echo(out)


@click.command("export")
@click.argument("run", type=click.Path(exists=True))
@click.option(
    "--to", "kind", required=True, type=click.Choice(["open_clip", "timm", "hf", "safetensors"])
)
@click.option(
    "--alpha",
    default="end",
    show_default=True,
    help="A number in [0, 1], a rule (fixed, id_val, one_se), or end.",
)
@click.option("-o", "--out", required=True, type=click.Path(), help="A new file or folder.")
def export_command(run: str, kind: str, alpha: str, out: str) -> None:
    """Write the chosen model of a RUN so that another library loads it."""
    from ..models.export import export
    from ..recipes.pick import model_of_run

    model, chosen = model_of_run(run, alpha)
    for path in export(model, out, kind):  # type: ignore[arg-type]
        click.echo(path)
    say(f"exported {run} at alpha = {chosen:g} for {kind}")


@click.command("check")
@click.argument("targets", nargs=-1, required=True, type=click.Path())
def check_command(targets: tuple[str, ...]) -> None:
    """Check recipes (YAML), data folders or tables: all errors at once, nothing is run."""
    from ..recipes.check import check_target

    bad = 0
    checked = 0
    for target in targets:
        for name, problems in check_target(target):
            checked += 1
            if problems:
                bad += 1
                click.echo(f"{name}: {len(problems)} problem{'s' * (len(problems) != 1)}")
                for problem in problems:
                    click.echo(f"  - {problem}")
            else:
                click.echo(f"{name}: good")
    say(f"{checked} checked, {bad} with problems")
    if bad:
        raise click.exceptions.Exit(1)


@click.command("cp")
@click.argument("name")
@click.argument("file", type=click.Path(dir_okay=False))
def cp_command(name: str, file: str) -> None:
    """Copy the method or recipe NAME into FILE, to edit it there."""
    from ..recipes.library import recipe_file, recipe_names
    from ..records import write_atomic
    from ..registry import METHODS, nearest

    if Path(file).exists():
        raise click.UsageError(f"{file} exists already; give another name")
    if name in METHODS:
        text = inspect.getsource(inspect.getmodule(METHODS.get(name)))  # type: ignore[arg-type]
        # Relative imports would not work outside the package: name it. Two dots first.
        text = re.sub(r"^from \.\.", "from surefoot.", text, flags=re.M)
        text = re.sub(r"^from \.", "from surefoot.methods.", text, flags=re.M)
    elif name in recipe_names():
        text = recipe_file(name).read_text()
    else:
        known = [*METHODS.names(), *recipe_names()]
        near = nearest(name, known)
        raise click.UsageError(
            f"there is no method or recipe {name!r}."
            + (f" Did you mean {' or '.join(near)}?" if near else "")
            + f" There are {', '.join(known)}"
        )
    write_atomic(file, text)
    click.echo(file)
