"""Both ends of a run's path: kept, so that the model at any alpha can be had later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path as File
from typing import Any

from ..data.dataset import Task
from ..errors import AlphaError, RunError
from ..evals.zero_shot import task_head
from ..models.load import load
from ..models.model import Model
from ..models.save import load_for_use, save_model
from ..paths import Path, Prompts
from ..runs import Run
from ..weights.fingerprint import fingerprint

__all__ = ["ON_TEST", "load_path", "model_of_run", "save_ends", "save_start"]

_START, _END = "start.safetensors", "end.safetensors"

ON_TEST = "CHOSEN ON THE TEST SET"
"""In the notes of a model whose alpha the oracle chose; every output has it."""

SMALL = 64 * 2**20
"""Bytes of weights up to which the start is copied into the run; above, source and hash."""


def save_ends(run: Run, path: Path, task: Task) -> None:
    """Write ``end.safetensors`` and the start: its file when small, else its source and hash."""
    save_start(run, path.start, task, head=path.head, batchnorm=path.batchnorm)
    save_model(path.end, run.path / _END)


def save_start(run: Run, start: Model, task: Task, **joined: Any) -> None:
    """Write the pretrained end: its file when small, else its source, hash and prompts.

    Args:
        run: Its folder.
        start: With the head that it answers with.
        task: Its prompts write that head anew.
        **joined: How it is joined with the tuned end, where there is one.
    """
    size = sum(p.numel() * p.element_size() for p in start.state_dict().values())
    small = size <= SMALL
    run.write_json(
        "start.json",
        {
            "source": start.spec.source,
            "name": start.spec.name,
            "sha256": fingerprint(start),
            "file": _START if small else None,
            "class_names": list(task.class_names),
            "prompt_names": list(task.names_in_prompts),
            "templates": list(task.templates),
            "head_kind": start.head.kind if start.head is not None else None,
            **joined,
        },
    )
    if small:
        save_model(start, run.path / _START)


def load_path(run: Run, *, extrapolate: bool = False) -> Path:
    """The path of a finished run: both ends as they were.

    Raises:
        RunError: The run has no ends yet, or the start that its source gives now is another.
    """
    facts = run.read_json("start.json")
    if facts is None or not (run.path / _END).is_file():
        raise RunError(
            f"the run {run.path} has no two ends (its status is {run.status})",
            expected="a finished run of a method that changes weights",
        )
    start, end = _kept_start(run, facts), load_for_use(run.path / _END)
    options = {"batchnorm": facts["batchnorm"], "extrapolate": extrapolate}
    path = Path.between(start, end, _prompts(facts), head=facts["head"], **options)
    _require_same(run, path.start, facts)
    return path


def _kept_start(run: Run, facts: Mapping[str, Any]) -> Model:
    """The start from its file, or from its source."""
    kept = facts["file"]
    if kept not in (None, _START):
        raise RunError(
            f"start.json of the run {run.path} names the file {str(kept)[:200]!r}",
            expected=f"{_START}, or null where the start's source is kept",
            fix="do not use this run; nothing outside of its folder is read for it",
        )
    return load(facts["source"]) if kept is None else load_for_use(run.path / kept)


def _prompts(facts: Mapping[str, Any]) -> Prompts:
    return Prompts(*(tuple(facts[k]) for k in ("prompt_names", "templates", "class_names")))


def _require_same(run: Run, start: Model, facts: Mapping[str, Any]) -> None:
    if fingerprint(start) != facts["sha256"]:
        raise RunError(
            f"{facts['source']} now gives other weights than the run {run.path} started from",
            expected=f"weights with sha256 {facts['sha256'][:16]}...",
            fix="restore the weights that the run was made with",
        )


def model_of_run(
    run: str | File, alpha: str | float = "end", *, chosen_on_test: bool = False
) -> tuple[Model, float]:
    """A run's model and its alpha.

    Args:
        run: A run folder.
        alpha: A number in [0, 1], a rule that the run used ("fixed", "id_val", "one_se",
            "oracle"), or "end" (alpha = 1).
        chosen_on_test: Allow "oracle", which looked at a test set; the model's notes say so.

    Raises:
        AlphaError: Neither a number nor a rule of this run, or outside [0, 1]; "oracle" without
            ``chosen_on_test``; or the run has one end only.
    """
    opened = Run.open(run)
    if alpha == "oracle" and not chosen_on_test:
        raise AlphaError(
            f"the oracle's alpha of the run {run} was chosen on a test set",
            expected="an alpha chosen on ID validation (id_val, one_se) or beforehand (fixed, 0.5)",
            fix="give --chosen-on-test (chosen_on_test=True) to have it all the same, so named",
        )
    whole, ends = opened.read_json("start.json") is not None, (opened.path / _END).is_file()
    if whole != ends:
        return _one_end(opened, alpha)
    rules = {s.rule: s.alpha for s in opened.selections()} | {"end": 1.0, "start": 0.0}
    if isinstance(alpha, str) and alpha in rules:
        position = rules[alpha]
    else:
        try:
            position = float(alpha)
        except ValueError as error:
            raise AlphaError(
                f"alpha {alpha!r} is neither a number nor a rule of the run {run}",
                expected=f"a number in [0, 1] or one of {', '.join(rules)}",
            ) from error
    model = load_path(opened).at(position)
    if alpha == "oracle":
        note = f"alpha {position:g} was {ON_TEST} (oracle): its scores there are no results"
        model.spec = replace(model.spec, notes=(*model.spec.notes, note))
    return model, position


def _one_end(run: Run, alpha: str | float) -> tuple[Model, float]:
    """Of a run without a path: the pretrained model (zero-shot), or the tuned end."""
    facts = run.read_json("start.json")
    position, which = (1.0, "tuned") if facts is None else (0.0, "pretrained")
    rules = {s.rule: s.alpha for s in run.selections()}
    rules |= {"end": position} if facts is None else {"end": position, "start": position}
    try:
        there = rules[alpha] if isinstance(alpha, str) and alpha in rules else float(alpha)
    except ValueError:
        there = None
    if there != position:
        raise AlphaError(
            f"the run {run.path} kept its {which} end alone, no path: alpha {alpha} is not on it",
            expected="end",
            fix="fit with the path (--wise); for the pretrained end name the model itself: "
            f"{run.facts['model']}"
            if facts is None
            else "name the run of a method with a path",
        )
    if facts is None:
        return load_for_use(run.path / _END), position
    start = _kept_start(run, facts)
    if start.head is None or start.head.kind != facts["head_kind"]:
        start = start.with_head(task_head(start, _prompts(facts)))
    _require_same(run, start, facts)
    return start, position
