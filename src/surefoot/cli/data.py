"""``surefoot data``: check a local copy of a published data set, or make a tiny one."""

from __future__ import annotations

from pathlib import Path

import click

from .common import say

__all__ = ["data_command"]


@click.group("data")
def data_command() -> None:
    """Published data sets on this disk: check a copy, make a miniature."""


@data_command.command("check")
@click.argument("name")
@click.argument("root", type=click.Path())
@click.option("--full", is_flag=True, help="Open every image; ImageNet takes hours.")
def check(name: str, root: str, full: bool) -> None:
    """Compare the copy of NAME (or NAME:SPLIT) in ROOT with what was published.

    ROOT is the data set's folder or one that holds it. Prints every problem with what to do, and
    exits with 1 when there is one.
    """
    from ..data.known.find import CONTROL, known_dataset, look, parse_known
    from ..data.known.find import locate as find

    spec = parse_known(name)
    known = spec.known if spec else known_dataset(name)
    split = spec.split if spec else None
    if split == CONTROL:
        raise click.UsageError(
            f"check {known.control} instead: that is the control of {known.name}"
        )
    base = Path(root).expanduser()
    folder = find(known, base, itself=True) or _nearest_folder(known.folders, base)
    if folder is None:
        raise known.not_there(look(known, base))
    problems = [p for p in known.inspect(folder, full) if split in (None, p.split) or not p.split]
    what = known.name + (f":{split}" if split else "")
    if not problems:
        say(_good(known.name, folder, full))
        click.echo(f"{what}: good")
        return
    click.echo(f"{what} in {folder}: {len(problems)} problem{'s' * (len(problems) != 1)}")
    for problem in problems:
        click.echo(f"  - {problem.what}")
        if problem.fix:
            click.echo(f"    {problem.fix}")
    raise click.exceptions.Exit(1)


def _nearest_folder(folders: tuple[str, ...], base: Path) -> Path | None:
    """A folder of the right name, or the one given, though it does not look like the data set.

    Its check says what is missing.
    """
    places = [base / name for name in folders]
    named = [p for p in places if p.is_dir()]
    if named:
        return named[0]
    looks_like_it = base.name in {Path(name).name for name in folders}
    return base if base.is_dir() and looks_like_it else None


def _good(name: str, folder: Path, full: bool) -> str:
    from ..data.known.facts import miniature_mark

    mini = "a generated miniature: its own counts hold" if miniature_mark(folder) else ""
    opened = "every image was opened" if full else "no image was opened (--full does)"
    return f"{folder}: {'; '.join(filter(None, [mini, opened]))}"


@data_command.command("miniature")
@click.argument("name")
@click.argument("dir", type=click.Path(file_okay=False))
@click.option("--seed", type=int, default=0, show_default=True, help="Of the pictures.")
def miniature(name: str, dir: str, seed: int) -> None:  # noqa: A002
    """Write a tiny copy of NAME below DIR in exactly its layout, for tests and trials."""
    from ..testing.miniature import make_miniature

    click.echo(make_miniature(name, dir, seed))
