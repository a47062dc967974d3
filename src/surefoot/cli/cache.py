"""``cache ls`` and ``cache prune``: the folder of cached features."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from ..cache import Entry, cache_folder, entries, limit, parse_size, prune
from ..errors import SurefootError
from .common import say

__all__ = ["cache_command"]

_folder = click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False),
    help="The folder; else SUREFOOT_CACHE says which.",
)


@click.group("cache")
def cache_command() -> None:
    """Cached features: what is there, and what may go."""


@cache_command.command("ls")
@_folder
@click.option("--json", "as_json", is_flag=True, help="JSON lines on stdout.")
def ls_command(folder: str | None, as_json: bool) -> None:
    """List the files, the most recently used last."""
    place = _place(folder)
    held = entries(place)
    for entry in held:
        if as_json:
            row = {"file": entry.path.name, "bytes": entry.bytes, "used": entry.used,
                   "finished": entry.finished, "about": dict(entry.about)}  # fmt: skip
            click.echo(json.dumps(row, sort_keys=True))
        else:
            click.echo(_line(entry))
    total = sum(e.bytes for e in held)
    say(f"{len(held)} files, {_human(total)} of at most {_human(limit())}, in {place}")


@cache_command.command("prune")
@_folder
@click.option("--size", help="Keep at most so much (500MB, 0), the most recently used.")
@click.option(
    "--older-than", type=click.FloatRange(0), metavar="DAYS", help="Not used for so long."
)
@click.option("--unfinished", is_flag=True, help="What killed runs left behind.")
@click.option("--dry-run", is_flag=True, help="Remove nothing; say what would go.")
def prune_command(
    folder: str | None,
    size: str | None,
    older_than: float | None,
    unfinished: bool,
    dry_run: bool,
) -> None:
    """Remove files. Without an option: down to SUREFOOT_CACHE_LIMIT."""
    place = _place(folder)
    plain = size is None and older_than is None and not unfinished
    gone = prune(
        place,
        size=limit() if plain else None if size is None else parse_size(size),
        older_than_days=older_than,
        unfinished=unfinished,
        dry_run=dry_run,
    )
    for entry in gone:
        click.echo(_line(entry))
    verb = "would go" if dry_run else "removed"
    say(f"{len(gone)} files, {_human(sum(e.bytes for e in gone))} {verb}")


def _place(folder: str | None) -> Path:
    place = Path(folder) if folder else cache_folder()
    if place is None:
        raise SurefootError(
            "there is no feature cache: SUREFOOT_CACHE is not set",
            expected="a folder",
            fix="set SUREFOOT_CACHE to a folder, or give --dir",
        )
    return place


def _line(entry: Entry) -> str:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.used))
    what = " ".join(str(entry.about[k]) for k in ("model", "split", "shape") if k in entry.about)
    state = "" if entry.finished else "  (unfinished)"
    name = entry.path.name.lstrip(".")[:12]
    return f"{name}  {_human(entry.bytes):>9}  {when}  {what}{state}".rstrip()


def _human(size: int) -> str:
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
