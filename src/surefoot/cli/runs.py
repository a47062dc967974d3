"""``surefoot demo`` and ``surefoot fit``: commands that make runs."""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

from ..registry import nearest
from .common import main_process, say, show, stoppable, typed, typed_here
from .fit_options import fit_options, recipe_of_options

__all__ = ["demo_command", "fit_command"]


@click.command("demo")
@click.option("--out", default="runs/demo", show_default=True, help="A new folder for the study.")
@click.option(
    "--full", is_flag=True, help="All images and five seeds; it takes long, and --resume goes on."
)
@click.option("--seed", default=0, show_default=True, help="Of the subset and the fits.")
@click.option("--resume", is_flag=True, help="Go on in a folder that is there.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
def demo_command(out: str, full: bool, seed: int, resume: bool, device: str) -> None:
    """Zero-shot, LP, FT, LP-FT and their WiSE paths on the built-in pictograms.

    Downloads nothing; ends with a table and the path of a report with pictures.
    """
    from ..recipes.demo import demo_recipe

    _carried_out(demo_recipe(full=full, seed=seed, device=device), out, resume)


@click.command("fit")
@click.argument("recipe", required=False)
@click.option(
    "--miniature",
    is_flag=True,
    help="Try a RECIPE in seconds: generated miniatures of its data sets, a tiny model, 1 epoch.",
)
@fit_options()
@click.option("--out", help="A new folder; default runs/MODEL-METHOD.")
@click.option("--resume", is_flag=True, help="Go on in a folder that is there.")
@click.option(
    "--keep-going",
    is_flag=True,
    help="Where one method fails, the others run all the same; the exit status says so.",
)
def fit_command(
    recipe: str | None, out: str | None, resume: bool, miniature: bool, **options: Any
) -> None:
    """Fit one or more methods and write a run folder with its report.

    Everything can come from a RECIPE instead of options: a file, or a name that `surefoot ls
    recipes` lists. The run stores one either way.

    Loss after every epoch and, of methods that train a head, accuracy on ID validation are told
    while it trains, go to log.jsonl and are drawn in report.html. Files that are no images stop
    it before it trains: those of all splits, in one list.
    """
    if recipe is not None:
        _no_options_beside_recipe()
    elif miniature:
        raise click.UsageError("--miniature is of a RECIPE: name one (surefoot ls recipes)")
    if miniature and (resume or options["data_root"]):
        raise click.UsageError("--miniature makes its own data and is never resumed")

    if recipe is not None:
        chosen = _with_options(_recipe_of(recipe), options)
        out = out or "runs/" + ("miniature-" if miniature else "") + _run_name(recipe)
        if miniature:
            from ..recipes.miniature import miniature as made_small

            with tempfile.TemporaryDirectory(prefix="surefoot-miniature-") as root:
                _carried_out(made_small(chosen, root), out, False, options)
        else:
            _carried_out(chosen, out, resume, options)
    else:
        _fitted(options, out, resume)


def _carried_out(
    recipe: Any, out: str, resume: bool, options: Mapping[str, Any] = MappingProxyType({})
) -> None:
    """Run a recipe, write its report, print the table on stdout and the place on stderr."""
    from ..recipes.experiment import run_recipe

    began, shown = time.perf_counter(), sys.stderr.isatty()
    asked = {name: options[name] for name in ("strict", "keep_going") if name in options}
    with stoppable():
        study = run_recipe(
            recipe, out, resume=resume, progress=shown, command=typed(), say=say, **asked
        )
    if main_process():
        show(study, began)
    failed = study.facts.get("failed")
    if failed:
        say(f"{len(failed)} of the runs failed: {', '.join(failed)}")
        raise click.exceptions.Exit(1)


def _recipe_of(name: str) -> Any:
    """A recipe from a file, or one that ships."""
    from ..recipes.library import recipe_file, recipe_names
    from ..recipes.recipe import load_recipe

    if Path(name).is_file():
        return load_recipe(name)
    if name not in recipe_names():
        near = nearest(name, recipe_names())
        guess = f" Did you mean {' or '.join(near)}?" if near else ""
        raise click.UsageError(
            f"There is no recipe file {name}, and none of that name ships.{guess} "
            "`surefoot ls recipes` lists those that do."
        )
    return load_recipe(recipe_file(name))


def _run_name(recipe: str) -> str:
    """A folder's name: the file's, or "wise-ft-imagenet-vit-b16" for one that ships."""
    if Path(recipe).is_file():
        return Path(recipe).stem
    return re.sub(r"[^A-Za-z0-9.]+", "-", recipe).strip("-").lower()


def _with_options(recipe: Any, options: dict[str, Any]) -> Any:
    """The recipe where this machine has its data and its model, on the device that was asked."""
    recipe = recipe.at(options["data_root"])
    names = ("model", "device", "workers", "compile")
    changes = {name: options[name] for name in names if typed_here(name)}
    if options["chosen_on_test"]:
        changes["data"] = recipe.spec.data.model_copy(update={"chosen_on_test": True})
    return replace(recipe, spec=recipe.spec.model_copy(update=changes)) if changes else recipe


def _no_options_beside_recipe() -> None:
    """A recipe says everything; an option beside it would be silently ignored, so refuse it."""
    allowed = {"recipe", "out", "resume", "data_root", "miniature", "model", "device", "workers",
               "compile", "strict", "keep_going", "chosen_on_test"}  # fmt: skip
    extra = [p for p in click.get_current_context().params if p not in allowed and typed_here(p)]
    if extra:
        raise click.UsageError(
            f"--{extra[0].replace('_', '-')} cannot be combined with a recipe file: "
            "edit the recipe instead"
        )


def _fitted(options: dict[str, Any], out: str | None, resume: bool) -> None:
    """Run the recipe of what was typed, which is what the library's ``fit`` makes of it."""
    from ..recipes.fit import default_folder

    _require(options)
    recipe = recipe_of_options(options)
    _carried_out(recipe, out or default_folder(recipe), resume, options)


def _require(options: dict[str, Any]) -> None:
    """What ``fit`` cannot do without, in the words of the command line."""
    for name in ("model", "train"):
        if not options[name]:
            raise click.UsageError(f"--{name} is missing (or give a recipe file)")
    if not options["methods"]:
        raise click.UsageError("--method is missing: ft, lp-ft, flyp, ... (surefoot ls methods)")
    if options["repeats"] and typed_here("seeds"):
        raise click.UsageError("--repeats N means the seeds 0 to N - 1: give it or --seeds")
