"""Both ends of a run's path: kept, so that the model at any alpha can be had later."""

from __future__ import annotations

from pathlib import Path as File

from ..data.dataset import Task
from ..errors import AlphaError, RunError
from ..models.load import load
from ..models.model import Model
from ..models.save import load_for_use, save_model
from ..paths import Path, Prompts
from ..runs import Run
from ..weights.fingerprint import fingerprint

__all__ = ["load_path", "model_of_run", "resolve_model", "save_ends"]

_START, _END = "start.safetensors", "end.safetensors"

SMALL = 64 * 2**20
"""Bytes of weights up to which the start is copied into the run; above, source and hash."""


def save_ends(run: Run, path: Path, task: Task) -> None:
    """Write ``end.safetensors`` and the start: its file when small, else its source and hash."""
    start = path.start
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
            "head": path.head,
            "head_kind": start.head.kind if start.head is not None else None,
            "batchnorm": path.batchnorm,
        },
    )
    if small:
        save_model(start, run.path / _START)
    save_model(path.end, run.path / "end.safetensors")


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
    end = load_for_use(run.path / _END)
    kept = facts["file"]
    if kept not in (None, _START):
        raise RunError(
            f"start.json of the run {run.path} names the file {str(kept)[:200]!r}",
            expected=f"{_START}, or null where the start's source is kept",
            fix="do not use this run; nothing outside of its folder is read for it",
        )
    start = load(facts["source"]) if kept is None else load_for_use(run.path / kept)
    prompts = Prompts(*(tuple(facts[k]) for k in ("prompt_names", "templates", "class_names")))
    options = {"batchnorm": facts["batchnorm"], "extrapolate": extrapolate}
    path = Path.between(start, end, prompts, head=facts["head"], **options)
    if fingerprint(path.start) != facts["sha256"]:
        raise RunError(
            f"{facts['source']} now gives other weights than the run {run.path} started from",
            expected=f"weights with sha256 {facts['sha256'][:16]}...",
            fix="restore the weights that the run was made with",
        )
    return path


def model_of_run(run: str | File, alpha: str | float = "end") -> tuple[Model, float]:
    """A run's model and its alpha.

    Args:
        run: A run folder.
        alpha: A number in [0, 1], a rule that the run used ("fixed", "id_val", "one_se",
            "oracle"), or "end" (alpha = 1).

    Raises:
        AlphaError: Neither a number nor a rule of this run, or outside [0, 1]; or the run has
            its tuned end only.
    """
    opened = Run.open(run)
    if opened.read_json("start.json") is None and (opened.path / _END).is_file():
        return _end_alone(opened, alpha), 1.0
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
    return load_path(opened).at(position), position


def _end_alone(run: Run, alpha: str | float) -> Model:
    """The tuned end of a run without a path (another architecture, or swept off)."""
    rules = {s.rule: s.alpha for s in run.selections()} | {"end": 1.0}
    if str(alpha) not in ("1", "1.0") and rules.get(str(alpha)) != 1.0:
        raise AlphaError(
            f"the run {run.path} kept its tuned end alone, no path: alpha {alpha} is not on it",
            expected="end",
            fix="fit with the path (--wise); for the pretrained end name the model itself: "
            f"{run.facts['model']}",
        )
    return load_for_use(run.path / _END)


def resolve_model(name: str, alpha: str | float | None = None) -> Model:
    """A model from anything that ``surefoot.load`` takes; a run folder at an alpha.

    Args:
        name: A model name, a file, or a run folder.
        alpha: Only for run folders; None means the tuned end.
    """
    if (File(name) / "run.json").is_file():
        return model_of_run(name, "end" if alpha is None else alpha)[0]
    if alpha is not None:
        raise AlphaError(
            f"{name} is not a run folder, so it has no path and no alpha",
            expected="a run folder with two ends",
            fix="leave --alpha out, or use `surefoot merge` on two checkpoints",
        )
    return load(name)
