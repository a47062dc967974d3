"""What a run is, as options: of ``fit``, which does it, and ``check``, which says what it would."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import click

from ..errors import COMMAND_LINE
from .common import F, alphas_option, data_options, device_options, pairs, seeds_of, stack

__all__ = ["fit_options", "recipe_of_options"]


def fit_options() -> Callable[[F], F]:
    """What a run is, option by option: the model, the data, the methods, how they are looked at."""
    return stack(
        [
            click.option(
                "--model",
                help="tiny-clip, open_clip:ARCH/TAG, timm:NAME, hf-hub:ID, a file, a run.",
            ),
            data_options(train=False),
            click.option(
                "--method",
                "methods",
                multiple=True,
                help="A name that `surefoot ls methods` lists (ft, lp-ft, flyp, ...), or a method "
                "of your own: FILE.py; any number.",
            ),
            click.option(
                "--wise/--no-wise",
                default=True,
                show_default=True,
                help="Sweep the WiSE-FT path from the pretrained to the tuned model.",
            ),
            click.option(
                "--head",
                type=click.Choice(["zero_shot", "random", "zeros"]),
                help="Where trained heads start (ft, film, ...); zero_shot needs a text tower.",
            ),
            click.option(
                "--epochs", type=click.IntRange(1), help="Passes over the training images."
            ),
            click.option("--lr", help="Peak learning rate, or auto: chosen on ID validation."),
            click.option("--batch", type=click.IntRange(1), help="Images per optimiser step."),
            click.option(
                "--decayed",
                type=click.Choice(["all", "matrices"]),
                help="What weight decay pulls; matrices: not norms and biases, as timm has it. All "
                "by default, as the papers' code.",
            ),
            click.option(
                "--few-shot",
                type=click.IntRange(1),
                metavar="K",
                help="Keep K training and K validation images per class, drawn by the seed.",
            ),
            click.option(
                "--repeats",
                type=click.IntRange(1),
                metavar="N",
                help="N runs of each method, with the seeds 0 to N - 1 (few-shot: N draws of the "
                "images).",
            ),
            click.option("--knn", is_flag=True, help="Also score kNN on the features of each end."),
            alphas_option(),
            click.option(
                "--seeds", default="0", show_default=True, help="One or more, comma-separated."
            ),
            click.option(
                "--precision",
                type=click.Choice(["auto", "fp32", "bf16", "fp16"]),
                default="auto",
                show_default=True,
                help="Of the forward and backward passes.",
            ),
            click.option(
                "--compile",
                is_flag=True,
                help="Compile the training step (torch.compile): a minute at first, faster after.",
            ),
            device_options(workers="auto"),
        ]
    )


def recipe_of_options(options: Mapping[str, Any]) -> Any:
    """The recipe of what was typed, as :func:`fit_options` gives it."""
    from ..recipes.fit import recipe_of

    asked = {
        **options,
        "method": [_named(name) for name in options["methods"]],
        "shifts": pairs(options["shift"], "--shift"),
        "class_maps": pairs(options["class_map"], "--class-map"),
        "lr": _rate(options["lr"]),
        "batch_size": options["batch"],
        "eval_batch_size": options["batch_size"],
        "seeds": 0 if options["repeats"] else seeds_of(options["seeds"]),
        "task": None,
    }
    return recipe_of(asked, where=COMMAND_LINE)


def _named(method: str) -> str:
    """A method's name; a file of Python, which the user names here and nowhere else, is run."""
    if not re.search(r"\.py(:\w+)?$", method):
        return method
    from ..methods.own import register_file

    return register_file(method)


def _rate(lr: str | None) -> Any:
    """A learning rate, "auto" or None."""
    try:
        return lr if lr in (None, "auto") else float(lr)
    except ValueError as error:
        raise click.BadParameter(
            f"{lr!r} is neither a number nor auto", param_hint="--lr"
        ) from error
