"""The model of a run at an alpha: by number, by rule, or the tuned end."""

from __future__ import annotations

from pathlib import Path

from ..errors import AlphaError
from ..models.load import load
from ..models.model import Model
from ..models.save import load_for_use
from ..runs import Run
from .ends import load_path

__all__ = ["model_of_run", "resolve_model"]

_END = "end.safetensors"


def model_of_run(run: str | Path, alpha: str | float = "end") -> tuple[Model, float]:
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
    if (Path(name) / "run.json").is_file():
        return model_of_run(name, "end" if alpha is None else alpha)[0]
    if alpha is not None:
        raise AlphaError(
            f"{name} is not a run folder, so it has no path and no alpha",
            expected="a run folder with two ends",
            fix="leave --alpha out, or use `surefoot merge` on two checkpoints",
        )
    return load(name)
