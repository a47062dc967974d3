"""What commands that score share: the task of their options, and its inventory, said."""

from __future__ import annotations

import sys
from typing import Any

import click

from .common import pairs, say

__all__ = ["data_of", "task_of_options", "told", "val_is_test"]


def data_of(options: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What the data options say, as a recipe has it."""
    from ..data.prompts import read_names

    names = ("train", "val", "test", "templates", "metric", "unit", "skip_bad", "chosen_on_test")
    given = {"val_fraction": options["val_fraction"]} if options["val_fraction"] else {}
    return {
        **{name: options[name] for name in names},
        **given,
        "prompt_names": read_names(options["names"]) if options["names"] else None,
        "shifts": pairs(options["shift"], "--shift"),
        "class_maps": pairs(options["class_map"], "--class-map"),
        "root": options["data_root"],
        **more,
    }


def task_of_options(options: dict[str, Any], *heads: Any) -> Any:
    """The task that the data options name; --train may be left out where --test is enough.

    Args:
        options: As the command got them.
        *heads: Of the models that are to answer, or None; the first there is brings its classes.
    """
    from ..errors import COMMAND_LINE
    from ..recipes.recipe import parse_recipe
    from ..recipes.tasks import task_of

    train = options["train"] or options["test"]
    if not train:
        raise click.UsageError("--train or --test is missing")
    data = data_of(options, train=train, limit_eval=options["limit"])
    plain = {"model": "none", "methods": ["zero-shot"], "data": data}
    recipe = parse_recipe(plain, where=COMMAND_LINE)
    names = next((head.class_names for head in heads if head is not None), ())
    return task_of(
        recipe.spec.data,
        progress=sys.stderr.isatty(),
        stand_in=not options["train"],
        class_names=names,
    )


def told(options: dict[str, Any], task: Any, *models: Any, head: str, **more: Any) -> Any:
    """The inventory of a command that scores, said; refused where it must not be worked on.

    Args:
        options: As the command got them.
        task: Of :func:`task_of_options`, or images.
        *models: That are scored.
        head: Which head is.
        **more: As ``take_inventory`` has them.
    """
    from ..errors import Refused
    from ..recipes.inventory import refused, take_inventory

    unused = set() if options.get("train") else {"train", *([] if options.get("val") else ["val"])}
    found = take_inventory(task, *models, head=head, unused=unused, **more)
    for line in found.lines():
        say(line)
    on_test = options.get("chosen_on_test", False)
    wrong = refused(found, strict=options["strict"], chosen_on_test=on_test)
    if wrong:
        raise Refused.of(wrong)
    return found


def val_is_test(options: dict[str, Any], task: Any) -> bool:
    """No training or validation images were given, and validation was cut off the test set.

    Nothing may be chosen on such images: they are test images.
    """
    return not (options["train"] or options["val"]) and task.val.source == task.test.source
