"""``merge``, ``export``, ``cp``: commands on files."""

from __future__ import annotations

import inspect
import re
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .common import run_options, say

if TYPE_CHECKING:
    from ..weights import Merged

__all__ = ["cp_command", "export_command", "merge_command"]


_METHODS = ("lerp", "mean", "task-arithmetic", "ties", "model-stock", "lines", "fisher")

_OWN_OPTIONS = {
    "lerp": {"alpha", "extrapolate", "integers"},
    "mean": {"weights"},
    "task-arithmetic": {"scales", "integers"},
    "ties": {"density", "scale", "per_tensor", "integers"},
    "model-stock": {"integers"},
    "lines": {"alpha", "beta", "extrapolate", "integers"},
    "fisher": {"fishers", "weights", "floor", "normalize", "integers"},
}


def _numbers(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
    """Numbers separated by commas, as a tuple."""
    if value is None:
        return None
    try:
        return tuple(float(v) for v in value.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is not a list of numbers such as 1,0.5") from error


@click.command("merge")
@click.argument("checkpoints", nargs=-1, required=True, type=click.Path(exists=True))
@click.option("-o", "--out", required=True, type=click.Path(dir_okay=False), help="A new file.")
@click.option(
    "--method",
    type=click.Choice(_METHODS),
    help="Default: mean with --weights, else lerp. The first checkpoint is the start of "
    "task-arithmetic, ties and model-stock.",
)
@click.option(
    "--alpha", type=float, help="Of lerp and lines: 0 gives the first, 1 the second.  [0.5]"
)
@click.option("--extrapolate", is_flag=True, default=None, help="Allow alpha outside [0, 1].")
@click.option("--weights", callback=_numbers, help="Of mean and fisher: one per checkpoint.")
@click.option("--scales", callback=_numbers, help="Of task-arithmetic: one per task.  [1]")
@click.option("--density", type=float, help="Of ties: share of a delta that is kept.  [0.2]")
@click.option("--scale", type=float, help="Of ties: of the merged delta.  [1]")
@click.option("--per-tensor", is_flag=True, default=None, help="Of ties: trim tensor by tensor.")
@click.option("--beta", type=float, help="Of lines: added to alpha at the last block.  [0.5]")
@click.option(
    "--fisher",
    "fishers",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False),
    help="Of fisher: a file per checkpoint, in order.",
)
@click.option("--floor", type=float, help="Of fisher: smaller ones are raised to it.  [0]")
@click.option(
    "--normalize",
    is_flag=True,
    default=None,
    help="Of fisher: divide each by its norm, the default of its authors' code.",
)
@click.option(
    "--dtype",
    "--dtypes",
    "dtype",
    type=click.Choice(
        ["error", "start", "end", "widest", "float16", "bfloat16", "float32", "float64"]
    ),
    default="error",
    show_default=True,
    help="Number format to write: refuse where they differ, the first's, the last's, the widest, "
    "or this one.",
)
@click.option(
    "--integers",
    type=click.Choice(["start", "end"]),
    help="Whose integer tensors (counters, indices) to take: the first's or the last's.  [end]",
)
@click.option(
    "--check",
    type=click.Choice(["none", "sampled", "full"]),
    default="sampled",
    show_default=True,
    help="Compare with float64: one block in 32 and the beginning of tensors, or all.",
)
@click.option("--memory", type=click.IntRange(1), default=64, show_default=True, help="MiB.")
@click.option("--threads", type=click.IntRange(1), help="As many as cores, up to 4.")
@click.option("--no-hashes", is_flag=True, help="Leave the inputs' sha256 out of the metadata.")
@click.option("--virtual", is_flag=True, help="Write the recipe of the merge only, a .json file.")
@click.option("--force", is_flag=True, help="Overwrite OUT.")
def merge_command(
    checkpoints: tuple[str, ...],
    out: str,
    method: str | None,
    dtype: str,
    check: str,
    memory: int,
    threads: int | None,
    no_hashes: bool,
    virtual: bool,
    force: bool,
    **options: Any,
) -> None:
    """Merge CHECKPOINTS into one file, in bounded memory.

    Each is a safetensors file, a folder with a sharded one, or a .pt of a state dict. A single
    virtual checkpoint is carried out.
    """
    from ..weights import is_virtual

    if Path(out).exists() and not force:
        raise click.UsageError(f"{out} exists already; give another name or --force")
    running = {"memory": memory * 2**20, "threads": threads, "check": check}
    given = {k: v for k, v in options.items() if v not in (None, ())}
    with _interruptible():
        if len(checkpoints) == 1 and is_virtual(checkpoints[0]):
            if given or method or virtual or dtype != "error":
                raise click.UsageError("a virtual checkpoint says itself how it is merged")
            _materialise(checkpoints[0], out, running)
            return
        method = method or ("mean" if "weights" in given else "lerp")
        _merge(checkpoints, out, method, given, dtype, virtual,
               {**running, "hashes": not no_hashes})  # fmt: skip


def _merge(
    checkpoints: tuple[str, ...],
    out: str,
    method: str,
    given: dict[str, Any],
    dtype: str,
    virtual: bool,
    running: dict[str, Any],
) -> None:
    from ..progress import progress_bar
    from ..weights import make_rule, merge, write_virtual

    strange = sorted(set(given) - _OWN_OPTIONS[method])
    if strange:
        names = ", ".join("--" + name.removesuffix("s").replace("_", "-") if name == "fishers"
                          else "--" + name.replace("_", "-") for name in strange)  # fmt: skip
        raise click.UsageError(f"--method {method} has no {names}")
    if len(checkpoints) < 2:
        raise click.UsageError("two checkpoints or more are merged; one was given")
    rule = make_rule(method, **given)
    if virtual:
        write_virtual(out, checkpoints, rule, dtype=dtype)
        click.echo(out)
        return
    with progress_bar("merge", shown=sys.stderr.isatty(), unit="B") as tick:
        done = merge(checkpoints, out, rule, dtype=dtype, progress=tick, **running)
    _told(done)


def _materialise(checkpoint: str, out: str, running: dict[str, Any]) -> None:
    from ..progress import progress_bar
    from ..weights import materialise

    with progress_bar("merge", shown=sys.stderr.isatty(), unit="B") as tick:
        done = materialise(checkpoint, out, progress=tick, **running)
    _told(done)


def _told(done: Merged) -> None:
    """What was merged, how exactly, and where it lies."""
    for note in done.notes:
        say(note)
    if done.accuracy.compared:
        say(str(done.accuracy))
    click.echo(done.path)


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM ends as Ctrl-C does: temporary files go."""

    def stop(*_: object) -> None:
        raise SystemExit(143)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@click.command("export")
@click.argument("run", type=click.Path(exists=True))
@click.argument("place", metavar="[OUT]", required=False, type=click.Path())
@click.option(
    "--to",
    "kind",
    type=click.Choice(["open_clip", "timm", "hf", "safetensors"]),
    default="safetensors",
    show_default=True,
    help="Whose files: safetensors is one file that surefoot.load rebuilds alone.",
)
@run_options()
@click.option("-o", "--out", type=click.Path(), help="A new file or folder, OUT by another name.")
@click.option("--force", is_flag=True, help="Write over what is in OUT.")
def export_command(
    run: str,
    place: str | None,
    kind: str,
    alpha: str | None,
    member: str | None,
    chosen_on_test: bool,
    out: str | None,
    force: bool,
) -> None:
    """Write the model of a RUN, or the one to ship of a study, so that a library loads it."""
    if (place is None) == (out is None):
        raise click.UsageError("OUT is missing" if place is None else "OUT is given twice")
    target = Path(out or place or "")
    if not force and (target.is_file() or (target.is_dir() and any(target.iterdir()))):
        raise click.UsageError(f"{target} exists already; give another name or --force")
    from ..models.export import export
    from ..recipes.ends import ON_TEST, model_of_run
    from ..recipes.members import run_and_alpha

    opened, at, why = run_and_alpha(run, member, alpha)
    model, chosen = model_of_run(opened.path, at, chosen_on_test=chosen_on_test)
    for path in export(model, target, kind):  # type: ignore[arg-type]
        click.echo(path)
    rules = ", ".join(s.rule for s in opened.selections() if s.rule != "oracle")
    hint = f" (the tuned end; --alpha takes a number or {rules})" if at == "end" and rules else ""
    if why:
        say(why)
    say(f"exported {opened.path} at alpha = {chosen:g}{hint} for {kind}")
    for note in model.spec.notes:
        if ON_TEST in note:
            say(note)


@click.command("cp")
@click.argument("name")
@click.argument("file", type=click.Path(dir_okay=False))
def cp_command(name: str, file: str) -> None:
    """Copy the method or recipe NAME into FILE, to edit it there."""
    from ..recipes.library import recipe_file, recipe_names
    from ..records import write_atomic
    from ..registry import METHODS, nearest

    if Path(file).exists():
        raise click.UsageError(f"{file} exists already; give another name")
    if name in METHODS:
        text = inspect.getsource(inspect.getmodule(METHODS.get(name)))  # type: ignore[arg-type]
        # Relative imports would not work outside the package: name it. Two dots first.
        text = re.sub(r"^from \.\.", "from surefoot.", text, flags=re.M)
        text = re.sub(r"^from \.", "from surefoot.methods.", text, flags=re.M)
    elif name in recipe_names():
        text = recipe_file(name).read_text()
    else:
        known = [*METHODS.names(), *recipe_names()]
        near = nearest(name, known)
        raise click.UsageError(
            f"there is no method or recipe {name!r}."
            + (f" Did you mean {' or '.join(near)}?" if near else "")
            + f" There are {', '.join(known)}"
        )
    write_atomic(file, text)
    click.echo(file)
