"""``surefoot board submit`` and ``verify``: the queue and what becomes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .board_common import board_file, check_recipe, submitted_recipe, who
from .common import say, typed

if TYPE_CHECKING:
    from ..board.store.rows import Submission

__all__ = ["submit_command", "verify_command"]


@click.command("submit")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False))
@board_file
@click.option("--template", is_flag=True, help="Print a form to fill in, and stop.")
def submit_command(file: str | None, board: str, template: bool) -> None:
    """Send FILE, a filled-in form (JSON), to the queue; it is shown as submitted, unverified."""
    from ..board.errors import BoardError
    from ..board.store.store import Store
    from ..board.store.submit import submit
    from ..board.store.submit import template as form

    if template:
        click.echo(form(), nl=False)
        return
    if file is None:
        raise click.UsageError("FILE is missing; `--template` prints a form to fill in")
    try:
        payload = json.loads(Path(file).read_text(encoding="utf-8"))
    except ValueError as error:
        raise BoardError(f"{file} is not JSON ({error})", expected="a filled-in form") from error
    if not isinstance(payload, dict):
        raise BoardError(f"{file} holds no form", expected="one JSON object")
    with Store.open(board, who=who()) as store:
        sent = submit(store, payload, who=who(), check_recipe=check_recipe)
    click.echo(f"submission {sent.id} is queued")


@click.command("verify")
@click.argument("submission", required=False, type=int)
@board_file
@click.option("--run", type=click.Path(exists=True), help="A finished run, instead of running.")
@click.option("--out", help="Folder of the run that is made; default runs/submission-N.")
@click.option("--resume", is_flag=True, help="Go on in that folder.")
@click.option("--whole", is_flag=True, help="You checked that the data set is complete.")
@click.option(
    "--same-protocol", is_flag=True, help="You checked that the run follows its protocol."
)
@click.option("--yes", is_flag=True, help="Do not ask before weights are fetched; for scripts.")
def verify_command(
    submission: int | None,
    board: str,
    run: str | None,
    out: str | None,
    resume: bool,
    whole: bool,
    same_protocol: bool,
    yes: bool,
) -> None:
    """Run a SUBMISSION's recipe again and compare; without one, list the queue.

    A recipe is data, not code. It may name built-in models and data sets, published data sets,
    and models that the installed open_clip and timm list; files, folders, addresses and hub
    repositories are refused. What would be done is shown first, and nothing is fetched unasked.
    """
    from ..board.runs.verify import Checked, judge, verify
    from ..board.store.store import Store

    def rerun(sent: Submission) -> Path:
        return _rerun(sent, out or f"runs/submission-{sent.id}", resume, yes)

    with Store.open(board, who=who()) as store:
        if submission is None:
            for one in store.submissions.queue(None):
                named = {k: one.payload.get(k) for k in ("model_name", "dataset", "value")}
                note = f"  ({one.note})" if one.note else ""
                words = " | ".join(map(str, named.values()))
                click.echo(f"{one.id}  {one.status}  {words}{note}")
            return
        checked = Checked(whole, same_protocol)
        if run is not None:
            verdict = judge(store, submission, run, checked)
        else:
            verdict = verify(store, submission, rerun, checked)
    click.echo(f"{verdict.verdict}: {verdict.reason}")


def _rerun(sent: Submission, out: str, resume: bool, yes: bool) -> Path:
    """Carry a submitted recipe out, after saying what that means."""
    from ..recipes.experiment import run_recipe
    from ..recipes.submitted import fetched, plan

    text = str(sent.payload["recipe"])
    recipe = submitted_recipe(text, where=f"the recipe of submission {sent.id}")
    say(plan(recipe, out))
    if (names := fetched(recipe)) and not yes:
        what = f"{', '.join(names)}, from the Hugging Face hub where not cached"
        click.confirm(f"This loads {what}. Go on?", abort=True, err=True)
    run_recipe(recipe, out, resume=resume, command=typed(), say=say)
    return Path(out)
