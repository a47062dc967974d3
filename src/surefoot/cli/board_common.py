"""What the commands of ``surefoot board`` share."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ..recipes.recipe import Recipe

__all__ = ["board_file", "board_links", "check_recipe", "read_yaml", "submitted_recipe", "who"]

F = TypeVar("F", bound=Callable[..., Any])


def board_file(function: F) -> F:
    """--board: which file."""
    return click.option(
        "--board",
        default="board.db",
        show_default=True,
        envvar="SUREFOOT_BOARD",
        show_envvar=True,
        help="The board's file.",
    )(function)


def board_links(runs: Sequence[str], board: str, pages: str) -> list[Any]:
    """Where runs stand on a board, for their report; [] where nothing can be said.

    Raises:
        BoardError: The file is no board.
    """
    from ..board.pages.run_links import run_links
    from ..board.store.store import Store
    from ..report import BoardLink

    with Store.open(board) as store:
        return [
            BoardLink(
                link.title, link.address, link.added, f"surefoot board add {run} --board {board}"
            )
            for run in runs
            for link in run_links(store, run, pages)
        ]


def who() -> str:
    """Whose name stands in the history."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container without a user entry
        return "unknown"


def check_recipe(text: str) -> str:
    """Read a submitted recipe without running anything, and give its hash.

    Raises:
        BoardError: It is no YAML.
        RecipeError: It does not validate, or names what is not taken from a stranger.
    """
    return submitted_recipe(text, where="the submission's recipe").hash()


def submitted_recipe(text: str, *, where: str) -> Recipe:
    """A stranger's recipe, which names built-in and published things only.

    Raises:
        BoardError: It is no YAML.
        RecipeError: It does not validate, or names what is not taken from a stranger.
    """
    from ..recipes.recipe import parse_recipe
    from ..recipes.submitted import require_harmless

    recipe = parse_recipe(read_yaml(text), where=where)
    require_harmless(recipe, where=where)
    return recipe


def read_yaml(text: str) -> Any:
    """A recipe's text as plain data.

    Raises:
        BoardError: It is no YAML.
    """
    import yaml

    from ..board.errors import BoardError

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BoardError(
            f"the recipe is not YAML ({' '.join(str(error).split())})",
            expected="a recipe as recipe.yaml of a run has it",
        ) from error
