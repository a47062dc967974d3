"""What the name of a model, a run or a study means: which run, which alpha, which model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import AlphaError, RunError
from ..models.load import load
from ..models.model import Model
from ..report.candidates import RULES
from ..report.decision import decide
from ..runs import Run, Study, open_study
from .ends import ON_TEST, model_of_run

__all__ = ["is_folder_of_runs", "resolve_model", "run_and_alpha"]


def is_folder_of_runs(name: str) -> bool:
    """A run or a study, rather than a model's name or its file."""
    return any((Path(name) / file).is_file() for file in ("run.json", "study.json"))


def run_and_alpha(
    place: str, run: str | None = None, alpha: str | float | None = None
) -> tuple[Run, str | float, str]:
    """The run and the alpha that a folder means, and in words how they were found in a study.

    Args:
        place: A run folder, whose tuned end is meant where no alpha is given; or a study's, which
            means what was decided (:func:`surefoot.decide`): run and alpha by ID validation.
        run: Of a study: this one of its runs, at the alpha that ID validation chose on its path.
        alpha: A number or a rule.

    Raises:
        RunError: A run that the study does not have, or one named inside a run; nothing can be
            decided.
    """
    study = open_study(place)
    if not (Path(place) / "study.json").is_file():
        if run is not None:
            raise RunError(
                f"{place} is a run, so there is no run {run!r} to take from it",
                expected="a study: a folder of runs",
                fix="leave --run out",
            )
        return study.runs[0], "end" if alpha is None else alpha, ""
    if run is not None:
        member = _member(study, run)
        rule = next((r for r in RULES if r in {s.rule for s in member.selections()}), "end")
        return member, rule if alpha is None else alpha, f"the run {run} of {place}"
    found = decide(study)
    chosen = "end" if found.alpha is None else found.alpha
    ties = f"; not told apart from it: {', '.join(c.name for c in found.tied)}"
    why = f"the run {found.run.name} of {place}: {found.name} is best on ID validation"
    return Run(found.run), chosen if alpha is None else alpha, why + (ties if found.tied else "")


def _member(study: Study, name: str) -> Run:
    for run in study.runs:
        if run.path.name == name:
            return run
    raise RunError(
        f"the study {study.path} has no run {name!r}",
        expected=f"one of {', '.join(r.path.name for r in study.runs)}",
    )


def resolve_model(
    name: str,
    alpha: str | float | None = None,
    *,
    run: str | None = None,
    chosen_on_test: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Model:
    """A model from anything that ``surefoot.load`` takes; of a run or a study at an alpha.

    Args:
        name: A model name, a file, a run folder or a study folder.
        alpha: Of a run or a study; None: the tuned end of a run, what was decided of a study.
        run: Of a study: one of its runs.
        chosen_on_test: Allow the oracle's alpha.
        say: Takes a line on what a study gave, and on an alpha that was chosen on the test set.
    """
    if is_folder_of_runs(name):
        opened, at, why = run_and_alpha(name, run, alpha)
        model, position = model_of_run(opened.path, at, chosen_on_test=chosen_on_test)
        if why:
            say(f"{why}; alpha = {position:g}")
    else:
        _refuse_options(name, alpha=alpha, run=run)
        model = load(name)
    for note in model.spec.notes:
        if ON_TEST in note:
            say(note)
    return model


def _refuse_options(name: str, **options: str | float | None) -> None:
    for option, value in options.items():
        if value is not None:
            raise AlphaError(
                f"{name} is not a run folder, so it has no path and no {option}",
                expected="a run folder with two ends, or a study",
                fix=f"leave --{option} out, or use `surefoot merge` on two checkpoints",
            )
