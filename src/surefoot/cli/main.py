"""``surefoot``: the group of commands, errors and exit codes.

Exit codes: 0 done; 1 a problem that surefoot explains on stderr; 2 wrong usage; 130 Ctrl-C.
Commands are imported when called, so that ``--help`` is quick and never imports torch.
"""

from __future__ import annotations

import importlib
import os
import sys

import click

from .. import __version__
from ..allocator import keep_pages
from ..errors import SurefootError
from ..registry import nearest

__all__ = ["cli", "main"]

_COMMANDS = {
    "demo": ("runs", "The main job on built-in data, in under two minutes."),
    "fit": ("runs", "Fine-tune a model and see what it does under shift."),
    "eval": ("eval", "Score a model, a run or a checkpoint on a task."),
    "sweep": ("sweep", "The alpha curve of any two checkpoints."),
    "predict": ("predict", "Classify images with a model or a run."),
    "compare": ("compare", "Runs side by side, with paired tests."),
    "report": ("report", "Render report.html of a run or a study again."),
    "merge": ("files", "Checkpoints into one file: lerp, means, TIES, Model Stock ..."),
    "export": ("files", "Write a run's model for open_clip, timm or transformers."),
    "check": ("check", "What fit would say of data, models, recipes; nothing is run."),
    "data": ("data", "Check a copy of a published data set, or make a miniature."),
    "cache": ("cache", "Cached features: list them, remove what is old."),
    "cp": ("files", "Copy a method or a recipe into a file, to edit."),
    "board": (
        "board",
        "Results with provenance: init, add, import, export, serve, submit, verify.",
    ),
    "align": ("align", "Teach a vision encoder by captions; kNN at every alpha."),
    "theory": ("theory", "Why LP-FT works: five statements tried on a linear network."),
    "claims": ("claims", "Every claim of the papers, asked of real images."),
    "ls": ("info", "List methods, models, data sets or recipes."),
    "show": ("info", "Describe one of them: fields, defaults, paper, licence."),
}


_TOGETHER = frozenset({"demo", "fit"})
"""Commands that several processes carry out together."""

_COMPUTE = frozenset({"demo", "fit", "eval", "sweep", "predict", "align", "claims"})
"""Commands that run networks."""


class _Lazy(click.Group):
    """A group that imports a command's module when the command is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        if int(os.environ.get("WORLD_SIZE", "1")) > 1 and cmd_name not in _TOGETHER:
            ctx.fail(f"{cmd_name} runs in one process: start it without torchrun or accelerate")
        module = importlib.import_module(f".{_COMMANDS[cmd_name][0]}", __package__)
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in _COMMANDS:
            near = nearest(args[0], list(_COMMANDS))
            guess = f" Did you mean {' or '.join(near)}?" if near else ""
            ctx.fail(f"There is no command {args[0]!r}.{guess}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


_HELP = """Fine-tune vision models that keep their footing when the data shifts.

\b
surefoot demo                                   see the effect in two minutes
surefoot fit --model tiny-clip --train DIR --test DIR --shift NAME=DIR \\
    --method lp-ft --wise                       the same on your own images
surefoot ls; surefoot show NAME                 what there is, and what it is
"""


@click.group(
    cls=_Lazy,
    help=_HELP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="surefoot")
def cli() -> None:
    """The group; see ``_HELP``."""


def main(argv: list[str] | None = None) -> None:
    """Run the command line; explained problems go to stderr and exit with 1."""
    if _COMPUTE.intersection((sys.argv[1:] if argv is None else argv)[:1]):
        keep_pages()  # here only: a process that merely imports us keeps its own policy
    try:
        # Outside standalone mode click returns the code of an Exit instead of leaving with it.
        code = cli.main(args=argv, prog_name="surefoot", standalone_mode=False)
        if isinstance(code, int) and code:
            sys.exit(code)
    except SurefootError as error:
        rank = os.environ.get("RANK", "0")
        where = "" if rank == "0" else f" (process {rank})"
        click.echo(f"surefoot{where}: {error}", err=True)
        sys.exit(1)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("surefoot: interrupted; go on with --resume where the command has it", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); that is its right.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
