"""``surefoot demo`` and ``surefoot fit``: commands that make runs."""

from __future__ import annotations

import re
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ..errors import COMMAND_LINE
from ..registry import nearest
from .common import (
    alphas_option,
    data_of,
    data_options,
    device_options,
    main_process,
    say,
    seeds_of,
    show,
    stoppable,
    typed,
    typed_here,
)

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
    help="Where trained heads start (ft, film, ...); zero_shot needs a text tower.",
)
@click.option("--epochs", type=click.IntRange(1), help="Passes over the training images.")
@click.option("--lr", help="Peak learning rate, or auto: chosen on ID validation.")
@click.option("--batch", type=click.IntRange(1), help="Images per optimiser step.")
@click.option(
    "--few-shot",
    type=click.IntRange(1),
    metavar="K",
    help="Keep K training and K validation images per class, drawn by the seed.",
)
@click.option(
    "--repeats",
    type=click.IntRange(1),
    metavar="N",
    help="N runs of each method, with the seeds 0 to N - 1 (few-shot: N draws of the images).",
)
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
@click.option(
    "--compile",
    is_flag=True,
    help="Compile the training step (torch.compile): a minute at first, faster after.",
)
@device_options(workers="auto")
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

    from ..recipes.recipe import parse_recipe

    if recipe is not None:
        chosen = _with_options(_recipe_of(recipe), options)
        out = out or "runs/" + ("miniature-" if miniature else "") + _run_name(recipe)
        if miniature:
            from ..recipes.miniature import miniature as made_small

            with tempfile.TemporaryDirectory(prefix="surefoot-miniature-") as root:
                _carried_out(made_small(chosen, root), out, resume=False)
            return
    else:
        chosen = parse_recipe(_as_recipe(options), where=COMMAND_LINE)
        out = out or "runs/" + _slug(f"{options['model']}-{'-'.join(options['methods'])}")
    _carried_out(chosen, out, resume)


def _carried_out(recipe: Any, out: str, resume: bool) -> None:
    """Run a recipe, write its report, print the table on stdout and the place on stderr."""
    from ..recipes.experiment import run_recipe

    began, shown = time.perf_counter(), sys.stderr.isatty()
    with stoppable():
        study = run_recipe(recipe, out, resume=resume, progress=shown, command=typed(), say=say)
    if main_process():
        show(study, began)


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
    return Path(recipe).stem if Path(recipe).is_file() else _slug(recipe)


def _with_options(recipe: Any, options: dict[str, Any]) -> Any:
    """The recipe where this machine has its data and its model, on the device that was asked."""
    recipe = recipe.at(options["data_root"])
    names = ("model", "device", "workers", "compile")
    changes = {name: options[name] for name in names if typed_here(name)}
    return replace(recipe, spec=recipe.spec.model_copy(update=changes)) if changes else recipe


def _no_options_beside_recipe() -> None:
    """A recipe says everything; an option beside it would be silently ignored, so refuse it."""
    allowed = {"recipe", "out", "resume", "data_root", "miniature", "model", "device", "workers",
               "compile"}  # fmt: skip
    extra = [p for p in click.get_current_context().params if p not in allowed and typed_here(p)]
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
        raise click.UsageError("--method is missing: ft, lp-ft, flyp, ... (surefoot ls methods)")
    if options["repeats"] and typed_here("seeds"):
        raise click.UsageError("--repeats N means the seeds 0 to N - 1: give it or --seeds")
    few = {"few_shot": options["few_shot"], "repeats": options["repeats"]}
    limits = {"limit_train": options["limit"], "limit_eval": options["limit"]}
    plain: dict[str, Any] = {
        "name": " and ".join(options["methods"]) + f" of {options['model']}",
        "model": options["model"],
        "data": data_of(options, **limits, **few),
        "methods": [_method(name, options) for name in options["methods"]],
        "path": {"alphas": options["alphas"]} if options["wise"] else None,
        "evaluate": ["head", "knn"] if options["knn"] else ["head"],
        **({} if options["repeats"] else {"seeds": seeds_of(options["seeds"])}),
        "device": options["device"],
        "precision": options["precision"],
        "batch_size": options["batch_size"],
        "workers": options["workers"],
        "compile": options["compile"],
    }
    if options["lr"] == "auto":
        plain["tune"] = {"lr": "auto"}
    return plain


def _method(name: str, options: dict[str, Any]) -> dict[str, Any]:
    """A method with the options that apply to it: its schedules and its heads, nested ones too."""
    from ..methods.base import as_dict
    from ..registry import METHODS

    changes = _schedule(options)
    if name not in METHODS or not (changes or options["head"]):
        return {"name": name}  # a wrong name is said with all other problems of the recipe
    plain = as_dict(METHODS.get(name)())
    _set(plain, changes, options["head"])
    return plain


def _set(plain: dict[str, Any], schedule: dict[str, Any], head: str | None) -> None:
    """Write options into every schedule, and into every head that is drawn or written anew."""
    for key, value in plain.items():
        if key == "schedule":
            value.update(schedule)
        elif isinstance(value, dict):
            _set(value, schedule, head)
        elif key == "head" and head and value in ("zero_shot", "random", "zeros"):
            plain[key] = head


def _schedule(options: dict[str, Any]) -> dict[str, Any]:
    """The fields of a schedule that were typed."""
    found: dict[str, Any] = {}
    if options["epochs"]:
        found["epochs"] = options["epochs"]
    if options["batch"]:
        found["batch_size"] = options["batch"]
    if options["lr"] and options["lr"] != "auto":
        try:
            found["lr"] = float(options["lr"])
        except ValueError as error:
            raise click.BadParameter(
                f"{options['lr']!r} is neither a number nor auto", param_hint="--lr"
            ) from error
    return found


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-").lower()
