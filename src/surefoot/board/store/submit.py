"""Submissions: validation against the board, and the queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from ...errors import SurefootError
from ...registry import nearest
from ..errors import SubmissionError
from .entries import make_result
from .metrics import built_in
from .results import Board, Entry, Source
from .rows import Submission
from .store import Store
from .submission_form import SubmissionForm, template
from .text import digest, fold
from .values import parse_value

__all__ = ["CheckRecipe", "SubmissionForm", "submit", "template", "validate"]

CheckRecipe = Callable[[str], str]
"""Reads a recipe's text and gives its hash; raises SurefootError that says what is wrong.

Recipes are another room's matter, so whoever opens the board to submissions passes this in.
"""


def validate(
    store: Store, payload: Mapping[str, Any], *, check_recipe: CheckRecipe | None = None
) -> SubmissionForm:
    """Check a payload, by itself and against the board.

    Args:
        store: The board.
        payload: As :class:`SubmissionForm` describes.
        check_recipe: Reads the recipe, if there is one; None: recipes are not looked at.

    Raises:
        SubmissionError: With every problem, by field; names that are unknown get the nearest ones.
    """
    try:
        form = SubmissionForm.model_validate(dict(payload))
    except ValidationError as error:
        wrong = {".".join(map(str, e["loc"])) or "form": _said(e["msg"]) for e in error.errors()}
        given = {k: v.strip() for k, v in payload.items() if isinstance(v, str) and k not in wrong}
        raise SubmissionError(wrong | _unknown_names(store, given)) from error
    problems = _unknown_names(store, form.model_dump()) | _wrong_numbers(store, form)
    if form.recipe.strip() and check_recipe is not None:
        try:
            check_recipe(form.recipe)
        except SurefootError as error:
            problems["recipe"] = _recipe_problem(error)
    if problems:
        raise SubmissionError(problems)
    return form


def _recipe_problem(error: SurefootError) -> str:
    """On one line, since it stands in a list of problems."""
    some: Sequence[str] = getattr(error, "problems", ())
    return "; ".join(some) or " ".join(str(error).split())


def _unknown_names(store: Store, given: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with the names that are given; a field that is not there is not looked at."""
    problems: dict[str, str] = {}
    protocol, metric = given.get("protocol"), given.get("metric")
    tables: Sequence[tuple[str, Any]] = (
        ("task", store.tasks), ("dataset", store.datasets), ("method", store.methods)
    )  # fmt: skip
    for field, table in tables:
        name = given.get(field)
        if name and table.named(name) is None:
            problems[field] = _unknown(name, [row.name for row in table.all()])
    if protocol not in (None, "unspecified") and store.protocols.find(name=protocol) is None:
        problems["protocol"] = (
            _unknown(protocol, [p.name for p in store.protocols.all()])
            + "; `unspecified` says that none fits"
        )
    if metric:
        board = _board(store, given)
        used = [*(m.name for m in store.metrics.used()), *(m.name for m in built_in().values())]
        keys = list(board.metrics) if board and board.metrics else used
        twin = next((m for m in keys if _letters(m) == _letters(metric)), None)
        if twin is None:
            problems["metric"] = _unknown(metric, keys)
        elif fold(twin) != fold(metric):
            problems["metric"] = f"the board spells it {twin!r}"
    return problems


def _board(store: Store, given: Mapping[str, Any]) -> Board | None:
    """The board that a submission is for, where there is one."""
    task, dataset = (table.named(given.get(name) or "") for name, table in
                     (("task", store.tasks), ("dataset", store.datasets)))  # fmt: skip
    if task is None or dataset is None:
        return None
    split, protocol = given.get("split", "test"), given.get("protocol", "unspecified")
    return store.boards.find(task_id=task.id, dataset_id=dataset.id, split=split, protocol=protocol)


def _wrong_numbers(store: Store, form: SubmissionForm) -> dict[str, str]:
    problems: dict[str, str] = {}
    parsed = parse_value(form.value)
    value = parsed.value
    assert value is not None  # the form refuses what cannot be read
    if form.low is not None and form.low > value:
        problems["low"] = f"{form.low} is above the value {form.value}"
    if form.high is not None and form.high < value:
        problems["high"] = f"{form.high} is below the value {form.value}"
    if (form.low is None) != (form.high is None) and not problems:
        problems["low" if form.low is None else "high"] = "is missing: an interval has two ends"
    board = _board(store, form.model_dump())
    rows = store.entries.briefs(board, form.metric) if board else []
    others = [abs(r.value) for r in rows if r.value is not None and r.kind != "submitted"]
    share = store.metrics.get(form.metric).unit == "%"
    if 0 < value < 1 and not parsed.percent and (share or min(others, default=0) > 1):
        problems["value"] = (
            f"{form.value} looks like a fraction; {form.metric} is in points of a hundred: "
            f"write {100 * value:g}, or {form.value}% if that is what you mean"
        )
    elif share and not 0 <= value <= 100:
        problems["value"] = f"{form.value} is no share of a hundred"
    return problems


def _letters(name: str) -> str:
    """A name without what people spell differently."""
    return "".join(c for c in fold(name) if c.isalnum())


def _said(message: str) -> str:
    return message.removeprefix("Value error, ")


def _unknown(name: str, known: list[str]) -> str:
    near = nearest(name, known)
    guess = f"; near it are {', '.join(near)}" if near else ""
    return f"the board has no {name!r}{guess}"


def submit(
    store: Store,
    payload: Mapping[str, Any],
    *,
    who: str,
    check_recipe: CheckRecipe | None = None,
) -> Submission:
    """Validate a payload, put it into the queue and onto its board as *submitted*.

    Args:
        store: The board.
        payload: As :class:`SubmissionForm` describes.
        who: Sent it.
        check_recipe: As :func:`validate` takes it.

    Raises:
        SubmissionError: It does not validate.
        BoardError: The same was sent before.
    """
    form = validate(store, payload, check_recipe=check_recipe)
    recipe = check_recipe(form.recipe) if form.recipe.strip() and check_recipe else ""
    sent = form.model_dump()
    with store.transaction():
        submission = store.submissions.send(sent, who)
        entry = store.entries.add(_entry(store, form, submission, recipe), why="submitted")
        store.submissions.update(submission.id, entry_id=entry.id)
    return replace(submission, entry_id=entry.id)


def _entry(store: Store, form: SubmissionForm, submission: Submission, recipe: str) -> Entry:
    task, dataset = store.tasks.ensure(form.task), store.datasets.ensure(form.dataset)
    board = store.boards.ensure(task.id, dataset.id, form.split, form.protocol)
    method = store.methods.named(form.method) if form.method else None
    paper = store.papers.match(arxiv=form.paper_url, title=form.paper_title or None)
    code = [{"title": "code", "url": form.code_url}] if form.code_url else []
    result = make_result(
        form.metric,
        form.value,
        n=form.n,
        low=form.low,
        high=form.high,
        interval="none" if form.low is None or form.high is None else "as submitted",
        selection=form.run_selection,
    )
    return Entry(
        board.id,
        "submitted",
        form.model_name,
        Source("submission", recipe=recipe, note=f"submission {submission.id} by {submission.who}"),
        row_key=digest("submission", submission.payload_key),
        backbone=form.backbone,
        setting=form.setting,
        method_id=method.id if method else None,
        paper_id=paper.id if paper else None,
        paper_title=form.paper_title or None,
        paper_url=form.paper_url or None,
        paper_date=form.paper_date or None,
        code_links=code,
        extra_data=form.extra_data,
        toy=dataset.toy,
        results=(result,),
    )
