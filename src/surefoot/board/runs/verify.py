"""What becomes of a submission whose recipe was run again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from ..errors import BoardError
from ..store.ranking import Agreement, agreement
from ..store.results import Entry, write_source
from ..store.rows import Submission
from ..store.store import Store
from ..store.submit import SubmissionForm
from ..store.text import digest, fold
from .files import read_rows
from .scores import START, Placing, RunEntry, run_entries

__all__ = ["Checked", "Rerun", "judge", "verify"]

_LIMITS = ("limit_train", "limit_eval")

Rerun = Callable[[Submission], Path]
"""Carries a submission's recipe out and gives the folder of the finished run."""


@dataclass(frozen=True)
class Checked:
    """What a person looked at and answers for, where the run itself does not say.

    Attributes:
        whole: The data set was complete.
        protocol: The run follows the submission's protocol, whatever name it would give its own.
    """

    whole: bool = False
    protocol: bool = False


def verify(
    store: Store, submission_id: int, rerun: Rerun, checked: Checked | None = None
) -> Agreement:
    """Run a submission's recipe again and judge what comes out, unless that is known before.

    Args:
        store: The board.
        submission_id: Which.
        rerun: Does the running (this room is without torch).
        checked: As :func:`judge` takes it.

    Raises:
        BoardError: It came without a recipe, or as :func:`judge` says.
        SurefootError: Whatever keeps the recipe from running: data or weights that are missing.
    """
    submission = store.submissions.by_id(submission_id)
    if not str(submission.payload.get("recipe") or "").strip():
        raise BoardError(
            f"submission {submission_id} came without a recipe",
            expected="a recipe to run again",
            fix="give a finished run of it with --run",
        )
    if why := _known_before(store, submission):
        store.submissions.update(submission_id, note=why, why="verification")
        return Agreement("not comparable", reason=why)
    run = rerun(submission)
    _same_recipe(store, submission, run)
    return judge(store, submission_id, run, checked)


def _known_before(store: Store, submission: Submission) -> str:
    """Why no run of a submission's recipe could be compared with it; "" where one might."""
    form = SubmissionForm.model_validate(dict(submission.payload))
    try:
        data = yaml.safe_load(form.recipe)
    except yaml.YAMLError:  # whoever runs it says so
        return ""
    parts = [data, *data.values()] if isinstance(data, dict) else []
    limits = [k for part in parts if isinstance(part, dict) for k in _LIMITS if part.get(k)]
    dataset = store.datasets.named(form.dataset)
    if form.protocol == "unspecified":
        return "the submission names no protocol, so its number can be compared with none"
    if limits:
        return f"the recipe is a trial ({', '.join(limits)}): its number is not of the whole data"
    return "toy data" if dataset is not None and dataset.toy else ""


def _same_recipe(store: Store, submission: Submission, run: Path) -> None:
    """Note on the submitted row which recipe it came with, so that a repeat is known as one."""
    if submission.entry_id is None:
        return
    theirs = store.entries.by_id(submission.entry_id)
    recipes = {row.score.recipe for row in read_rows(run)}
    if len(recipes) == 1 and not theirs.source.recipe:
        source = replace(theirs.source, recipe=recipes.pop())
        store.entries.update(theirs.id, source=write_source(source), why="its recipe was run")


def judge(
    store: Store, submission_id: int, run: str | Path, checked: Checked | None = None
) -> Agreement:
    """Compare a submission with a finished run.

    A run that can be compared goes onto the board as *reproduced*, beside the submitted row, and
    the submission becomes "verified" or "differs"; otherwise it stays queued with the reason.

    Args:
        store: The board.
        submission_id: Which.
        run: The run folder, or a file of its scores.
        checked: What a person answers for.

    Raises:
        BoardError: The submission has no entry, or no score of the run is the one meant.
    """
    checked = checked or Checked()
    submission = store.submissions.by_id(submission_id)
    if submission.entry_id is None:
        raise BoardError(f"submission {submission_id} has no entry on the board")
    form = SubmissionForm.model_validate(dict(submission.payload))
    theirs = store.entries.full(submission.entry_id)
    board = store.boards.by_id(theirs.board_id)
    found = _meant(store, form, run, checked.whole)
    mine = _as_reproduced(found.entry, theirs)
    why = _elsewhere(form, found, board.protocol, checked.protocol)
    verdict = (
        Agreement("not comparable", reason=why)
        if why
        else agreement(
            (board, theirs, theirs.results[0]),
            (board, mine, mine.results[0]),
            store.metrics.get(form.metric),
        )
    )
    with store.transaction():
        if verdict.verdict == "not comparable":
            store.submissions.update(submission_id, note=verdict.reason, why="verification")
            return verdict
        if not store.entries.has(mine.row_key):
            store.entries.add(mine, why=f"repeats submission {submission_id}")
        status = "verified" if verdict.verdict == "matches" else "differs"
        store.submissions.decide(submission_id, status, note=verdict.reason)
    return verdict


def _elsewhere(form: SubmissionForm, found: RunEntry, protocol: str, checked: bool) -> str:
    """Why the run measured something else than what was submitted; "" where it did not."""
    if fold(found.dataset) != fold(form.dataset):
        return f"the run is on {found.dataset!r}, the submission on {form.dataset!r}"
    if protocol == "unspecified":
        return (
            "the submission names no protocol, so its number can be compared with none; the run's "
            f"own is {found.protocol}"
        )
    if protocol != found.protocol and not checked:
        return f"protocols differ: {protocol} and {found.protocol}"
    return ""


def _meant(store: Store, form: SubmissionForm, run: str | Path, whole: bool) -> RunEntry:
    """The one score of the run that is meant."""
    split = form.run_split or form.split
    placing = Placing(backbone=form.backbone or None, whole=(split,) if whole else ())
    entries = run_entries(store, read_rows(Path(run)), placing)
    methods = {e.row.score.method for e in entries} - {START}
    found = [
        one
        for one in entries
        if one.row.score.split == split
        and fold(one.entry.results[0].metric) == fold(form.metric)
        and one.entry.results[0].selection == form.run_selection
        and one.row.score.method in ((form.run_method,) if form.run_method else methods)
    ]
    if len(found) != 1:
        there = sorted(
            {f"{s.method} / {s.split} / {s.selection}" for s in (e.row.score for e in entries)}
        )
        raise BoardError(
            f"{len(found)} scores of {run} are {form.metric} of {split!r} with selection "
            f"{form.run_selection!r}" + (f" of {form.run_method}" if form.run_method else ""),
            expected="exactly one; the run has (method / split / selection) "
            + ", ".join(there[:12])
            + (f" and {len(there) - 12} more" if len(there) > 12 else ""),
            fix="say which with run_method, run_split and run_selection in the submission",
        )
    return found[0]


def _as_reproduced(mine: Entry, theirs: Entry) -> Entry:
    result = replace(mine.results[0], reproduces_id=theirs.results[0].id)
    return replace(
        mine,
        board_id=theirs.board_id,
        kind="reproduced",
        row_key=digest("repeats", theirs.row_key, mine.row_key),
        model_name=theirs.model_name,
        setting=theirs.setting,
        method_id=theirs.method_id,
        results=(result,),
    )
