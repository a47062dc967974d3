"""``surefoot demo`` and ``surefoot fit``: commands that make runs."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import Any

import click

from .common import alphas_option, data_options, device_options, pairs, say, typed

__all__ = ["demo_command", "fit_command"]


@click.command("demo")
@click.option("--out", default="runs/demo", show_default=True, help="A new folder for the study.")
@click.option("--full", is_flag=True, help="All images, five seeds: about an hour on two cores.")
@click.option("--seed", default=0, show_default=True, help="Of the subset and the fits.")
@click.option("--resume", is_flag=True, help="Go on in a folder that is there.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
def demo_command(out: str, full: bool, seed: int, resume: bool, device: str) -> None:
    """Zero-shot, LP, FT, LP-FT and their WiSE paths on the built-in pictograms.

    Downloads nothing; ends with a table and the path of a report with pictures.
    """
    from ..recipes.demo import demo_recipe
    from ..recipes.study import carry_out

    recipe = demo_recipe(full=full, seed=seed, device=device)
    began = time.perf_counter()
    study = carry_out(
        recipe, out, resume=resume, progress=sys.stderr.isatty(), command=typed(), say=say
    )
    _finish(study, began)


@click.command("fit")
@click.argument("recipe", required=False, type=click.Path(exists=True, dir_okay=False))
@click.option("--model", help="tiny-clip, open_clip:ARCH/TAG, timm:NAME, hf-hub:ID, a file, a run.")
@data_options(train=False)
@click.option(
    "--method",
    "methods",
    multiple=True,
    help="A name that `surefoot ls methods` lists (ft, lp-ft, flyp, ...); any number.",
)
@click.option(
    "--wise/--no-wise",
    default=True,
    show_default=True,
    help="Sweep the WiSE-FT path from the pretrained to the tuned model.",
)
@click.option(
    "--head",
    type=click.Choice(["zero_shot", "random", "zeros"]),
    help="Where the head of ft starts; zero_shot (the default) needs a text tower.",
)
@click.option("--epochs", type=click.IntRange(1), help="Passes over the training images.")
@click.option("--lr", help="Peak learning rate, or auto: chosen on ID validation.")
@click.option("--batch", type=click.IntRange(1), help="Images per optimiser step.")
@click.option("--knn", is_flag=True, help="Also score kNN on the features of each end.")
@alphas_option()
@click.option("--seeds", default="0", show_default=True, help="One or more, comma-separated.")
@click.option("--out", help="A new folder; default runs/MODEL-METHOD.")
@click.option("--resume", is_flag=True, help="Go on in a folder that is there.")
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp32", "bf16", "fp16"]),
    default="auto",
    show_default=True,
    help="Of the forward and backward passes.",
)
@device_options()
def fit_command(recipe: str | None, out: str | None, resume: bool, **options: Any) -> None:
    """Fit one or more methods and write a run folder with its report.

    Everything can come from a RECIPE file instead of options; the run stores one either way.
    """
    if recipe is not None:
        _no_options_beside_recipe()

    from ..recipes.recipe import load_recipe, parse_recipe
    from ..recipes.study import carry_out

    if recipe is not None:
        chosen = load_recipe(recipe)
        out = out or f"runs/{Path(recipe).stem}"
    else:
        chosen = parse_recipe(_as_recipe(options), where="the command line")
        out = out or "runs/" + _slug(f"{options['model']}-{'-'.join(options['methods'])}")
    began = time.perf_counter()
    study = carry_out(
        chosen, out, resume=resume, progress=sys.stderr.isatty(), command=typed(), say=say
    )
    _finish(study, began)


def _no_options_beside_recipe() -> None:
    """A recipe says everything; an option beside it would be silently ignored, so refuse it."""
    context = click.get_current_context()
    allowed = {"recipe", "out", "resume"}
    source = click.core.ParameterSource.COMMANDLINE
    extra = [
        p for p in context.params if p not in allowed and context.get_parameter_source(p) == source
    ]
    if extra:
        raise click.UsageError(
            f"--{extra[0].replace('_', '-')} cannot be combined with a recipe file: "
            "edit the recipe instead"
        )


def _as_recipe(options: dict[str, Any]) -> dict[str, Any]:
    """Options of ``fit`` -> the plain data of a recipe."""
    for name in ("model", "train"):
        if not options[name]:
            raise click.UsageError(f"--{name} is missing (or give a recipe file)")
    if not options["methods"]:
        raise click.UsageError("--method is missing: zero-shot, lp, ft, lp-ft or wise-ft")
    try:
        seeds = [int(s) for s in options["seeds"].split(",")]
    except ValueError as error:
        raise click.BadParameter(
            f"{options['seeds']!r}: whole numbers, comma-separated", param_hint="--seeds"
        ) from error
    data = {
        "train": options["train"],
        "val": options["val"],
        "test": options["test"],
        "shifts": pairs(options["shift"], "--shift"),
        "class_maps": pairs(options["class_map"], "--class-map"),
        "templates": options["templates"],
        "metric": options["metric"],
        "skip_bad": options["skip_bad"],
        "limit_train": options["limit"],
        "limit_eval": options["limit"],
    }
    plain: dict[str, Any] = {
        "name": " and ".join(options["methods"]) + f" of {options['model']}",
        "model": options["model"],
        "data": data,
        "methods": [_method(name, options) for name in options["methods"]],
        "path": {"alphas": options["alphas"]} if options["wise"] else None,
        "evaluate": ["head", "knn"] if options["knn"] else ["head"],
        "seeds": seeds,
        "device": options["device"],
        "precision": options["precision"],
        "batch_size": options["batch_size"],
        "workers": options["workers"],
    }
    if options["lr"] == "auto":
        plain["tune"] = {"lr": "auto"}
    return plain


def _method(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """A method with the options that apply to it."""
    schedule: dict[str, Any] = {}
    if options["epochs"]:
        schedule["epochs"] = options["epochs"]
    if options["batch"]:
        schedule["batch_size"] = options["batch"]
    if options["lr"] and options["lr"] != "auto":
        try:
            schedule["lr"] = float(options["lr"])
        except ValueError as error:
            raise click.BadParameter(
                f"{options['lr']!r} is neither a number nor auto", param_hint="--lr"
            ) from error
    tune: dict[str, Any] = {"schedule": schedule} if schedule else {}
    if name == "lp-ft":
        return {"name": name, **({"tune": tune} if tune else {})}
    head = {"head": options["head"]} if options["head"] else {}
    if name == "ft":
        return {"name": name, **tune, **head}
    if name == "wise-ft":
        return {"name": name, "inner": {"name": "ft", **tune, **head}}
    return {"name": name}


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-").lower()


def _finish(study: Any, began: float) -> None:
    """Write the report, print the table on stdout and the place on stderr."""
    from ..report import render, render_terminal

    page = render(study)
    click.echo(render_terminal(study))
    say(f"{time.perf_counter() - began:.0f} s; report: {page}")
