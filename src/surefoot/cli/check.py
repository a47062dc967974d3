"""``surefoot check``: everything that ``fit`` would say, and nothing is run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from .common import say
from .fit_options import fit_options, recipe_of_options

__all__ = ["check_command"]


@click.command("check")
@click.argument("targets", nargs=-1, type=click.Path())
@click.option("--recipes", is_flag=True, help="Also every recipe that ships with surefoot.")
@fit_options()
@click.option("--keep-going", is_flag=True, help="As of `surefoot fit`: methods that cannot start "
              "are left out, where others can.")  # fmt: skip
def check_command(targets: tuple[str, ...], recipes: bool, **options: Any) -> None:
    """Check recipes (YAML), data folders or tables, and methods (.py): all errors at once.

    With the options of `surefoot fit` it says what that command would say: the inventory of data
    and model, or why it would refuse. Nothing is trained. A file of methods is imported, and what
    they say about themselves checked; surefoot.testing.check_method tries them on a toy task.
    """
    from ..recipes.check import Checked, look_at
    from ..recipes.library import recipe_file, recipe_names

    asked = bool(options["train"] or options["model"] or options["methods"])
    if not (targets or recipes or asked):
        raise click.UsageError("name a recipe, a data folder or a table, or give --recipes, or "
                               "options of fit (--train DIR)")  # fmt: skip
    if recipes:
        targets = (*targets, *(str(recipe_file(name)) for name in recipe_names()))

    def every() -> Iterator[Checked]:
        if asked:
            yield _as_fit(options)
        for target in targets:
            if target.endswith(".py"):
                yield Checked(target, tuple(_method_problems(target)))
            else:
                yield from look_at(target, options["unit"], root=options["data_root"])

    checked = [_told(one) for one in every()]
    bad = sum(not good for good in checked)
    say(f"{len(checked)} checked, {bad} with problems")
    if bad:
        raise click.exceptions.Exit(1)


def _told(one: Any) -> bool:
    """Print what was found; whether it is good."""
    count = len(one.problems)
    click.echo(f"{one.name}: {f'{count} problem' + 's' * (count != 1) if count else 'good'}")
    for problem in one.problems:
        click.echo("  - " + problem.replace("\n", "\n    "))
    for line in one.lines:
        click.echo(line)
    return not count


def _as_fit(options: dict[str, Any]) -> Any:
    """What ``fit`` with these options would say; parts that were not given are not looked at."""
    from ..recipes.check import check_parts_of

    named = {"model": options["model"] or "none", "methods": options["methods"] or ("zero-shot",),
             "train": options["train"] or "none"}  # fmt: skip
    given = {name for name in named if options[name]}
    recipe = recipe_of_options({**options, **named})
    return check_parts_of(recipe, given, strict=options["strict"],
                          keep_going=options["keep_going"])  # fmt: skip


def _method_problems(file: str) -> list[str]:
    """What is wrong with the methods that a Python file defines."""
    from ..errors import ModelError
    from ..methods.own import methods_in
    from ..testing.declarations import check_declaration

    try:
        own, _ = methods_in(file)
    except ModelError as error:
        return [error.wrong]
    problems = [] if own else ["it defines no surefoot.Method"]
    for kind in own:
        try:
            check_declaration(kind())
        except (AssertionError, TypeError, ValueError) as error:
            problems.append(f"{kind.__name__}: {error}")
    return problems
