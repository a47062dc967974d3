"""Options and small parsers that several commands share."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

import click

__all__ = [
    "F",
    "alphas_option",
    "data_options",
    "device_options",
    "main_process",
    "pairs",
    "run_options",
    "say",
    "seeds_of",
    "show",
    "stack",
    "stoppable",
    "typed",
    "typed_here",
]

F = TypeVar("F", bound=Callable[..., Any])


def main_process() -> bool:
    """Whether this is the process that speaks, of those that a launcher started."""
    return os.environ.get("RANK", "0") == "0" or int(os.environ.get("WORLD_SIZE", "1")) == 1


def say(line: str) -> None:
    """A line for people, on stderr: stdout is for results."""
    if not main_process():
        return
    if "tqdm" in sys.modules:  # a bar may be on the screen: the line goes above it
        sys.modules["tqdm"].tqdm.write(line, file=sys.stderr)
    else:
        click.echo(line, err=True)


def typed() -> str:
    """The command as it was typed, quoted for a shell."""
    return shlex.join(["surefoot", *sys.argv[1:]])


def typed_here(option: str) -> bool:
    """Was it typed, or is it the default?"""
    source = click.get_current_context().get_parameter_source(option)
    return source == click.core.ParameterSource.COMMANDLINE


def show(study: Any, began: float, *more: str) -> None:
    """Write a study's report, print its table and more on stdout, and the place on stderr."""
    from ..report import render, render_terminal

    page = render(study)
    for line in (render_terminal(study), *more):
        click.echo(line)
    say(f"{time.perf_counter() - began:.0f} s; report: {page}")


def pairs(values: Sequence[str], option: str) -> dict[str, str]:
    """NAME=VALUE strings -> dictionary.

    Raises:
        click.BadParameter: No "=", an empty side, or a name twice.
    """
    found: dict[str, str] = {}
    for value in values:
        name, sign, rest = value.partition("=")
        if not (name and sign and rest):
            raise click.BadParameter(
                f"{value!r} is not NAME=VALUE, such as sketch=photos/sketch", param_hint=option
            )
        if name in found:
            raise click.BadParameter(f"the name {name!r} is given twice", param_hint=option)
        found[name] = rest
    return found


def stack(options: Sequence[Callable[[F], F]]) -> Callable[[F], F]:
    """Several options as one decorator, in their order."""

    def decorate(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def data_options(*, train: bool) -> Callable[[F], F]:
    """--train, --val, --test, --shift, --class-map, --unit and what belongs to them."""
    kinds = (
        "a folder of class folders, a .csv/.parquet table, hf:NAME, wds:SHARDS, or a name "
        "that `surefoot ls datasets` lists"
    )
    return stack(
        [
            click.option("--train", required=train, help=f"Training images: {kinds}."),
            click.option("--val", help="ID validation; without it a stratified cut of --train."),
            click.option("--test", help="ID test; without it a stratified cut of --train."),
            click.option(
                "--shift",
                "shift",
                multiple=True,
                metavar="NAME=DIR",
                help="A shifted test set; any number. None: synthetic corruptions.",
            ),
            click.option(
                "--class-map",
                multiple=True,
                metavar="NAME=FILE",
                help="YAML of `shift class: task class` for a shift.",
            ),
            click.option("--templates", help="Prompt template set by name, or a text file."),
            click.option(
                "--names",
                type=click.Path(exists=True, dir_okay=False),
                help="What prompts call the classes: a file of lines `class: name`, or of names.",
            ),
            click.option("--metric", help="Of the ID splits; else the data set's own, or top1."),
            click.option(
                "--unit",
                metavar="COLUMN|folder:N",
                help="Says which images hang together (a patient, a place): a column, or a level "
                "of folders above each file. None: each image is taken as independent.",
            ),
            click.option(
                "--data-root",
                type=click.Path(file_okay=False),
                help="Holds published data sets (imagenet, ...); else SUREFOOT_DATA says where.",
            ),
            click.option(
                "--val-fraction",
                type=click.FloatRange(0, 1, min_open=True, max_open=True),
                help="Share of each class that --val or --test is cut from.  [0.1]",
            ),
            click.option("--skip-bad", is_flag=True, help="Leave unreadable images out."),
            click.option(
                "--chosen-on-test",
                is_flag=True,
                help="Allow choosing on test images (--val, --alpha oracle); outputs name it.",
            ),
            click.option("--strict", is_flag=True, help="Refuse whatever would be guessed."),
            click.option(
                "--limit",
                type=click.IntRange(1),
                help="At most so many images per split, stratified, seeded.",
            ),
        ]
    )


def run_options(*, with_data: bool = False) -> Callable[[F], F]:
    """--alpha, --run, --chosen-on-test: which model of a run or study folder is meant.

    Args:
        with_data: The command has the data options too, which bring --chosen-on-test.
    """
    allowed = click.option(
        "--chosen-on-test",
        is_flag=True,
        help="Allow --alpha oracle, which looked at a test set; every output says so.",
    )
    return stack(
        [
            click.option(
                "--alpha",
                help="Of a run or a study: a number in [0, 1], a rule (fixed, id_val, one_se), or "
                "end.  [end of a run; what was decided of a study]",
            ),
            click.option(
                "--run",
                "member",
                metavar="NAME",
                help="Of a study: this run, at the alpha that ID validation chose on its path.",
            ),
            *([] if with_data else [allowed]),
        ]
    )


@contextmanager
def stoppable() -> Iterator[None]:
    """Inside, SIGTERM (of torchrun, of Slurm) is Ctrl-C: the run is marked interrupted.

    Raises:
        KeyboardInterrupt: The signal came.
    """

    def stop(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield  # only there may signals be handled
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _workers(value: str) -> int | Literal["auto"]:
    """A count, or "auto"."""
    if value == "auto":
        return "auto"
    if not value.isdecimal():
        raise click.BadParameter(f"{value!r} is neither a number of processes, 0 or more, nor auto")
    return int(value)


def device_options(*, workers: Literal[0, "auto"] = 0) -> Callable[[F], F]:
    """--device, --eval-batch-size, --workers.

    Args:
        workers: The default; "auto" for commands that settle it (fit).
    """
    return stack(
        [
            click.option(
                "--device",
                default="auto",
                show_default=True,
                help="auto, cpu, cuda, cuda:N or mps.",
            ),
            click.option(
                "--eval-batch-size",
                "batch_size",
                type=click.IntRange(1),
                help="Images per forward pass in evaluation; by device and image size.",
            ),
            click.option(
                "--workers",
                type=click.IntRange(0) if workers == 0 else _workers,
                metavar="INTEGER" if workers == 0 else "N|auto",
                default=workers,
                show_default=True,
                help="Processes that load images.",
            ),
        ]
    )


def alphas_option() -> Callable[[F], F]:
    """--alphas N or a list."""

    def parse(ctx: click.Context, param: click.Parameter, value: str) -> int | list[float]:
        try:
            return [float(v) for v in value.split(",")] if "," in value else int(value)
        except ValueError as error:
            raise click.BadParameter(f"{value!r}: a count (11) or a list (0,0.3,1)") from error

    return click.option(
        "--alphas",
        default="11",
        show_default=True,
        callback=parse,
        help="How many positions on the path, or which.",
    )


def seeds_of(text: str) -> list[int]:
    """Seeds, comma-separated.

    Raises:
        click.BadParameter: Something else.
    """
    try:
        return [int(s) for s in text.split(",")]
    except ValueError as error:
        raise click.BadParameter(
            f"{text!r}: whole numbers, comma-separated", param_hint="--seeds"
        ) from error
