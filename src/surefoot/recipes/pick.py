"""The model of a run at an alpha: by number, by rule, or the tuned end."""

from __future__ import annotations

from pathlib import Path

from ..errors import AlphaError
from ..models.load import load
from ..models.model import Model
from ..runs import Run
from .ends import load_path

__all__ = ["model_of_run", "resolve_model"]


def model_of_run(run: str | Path, alpha: str | float = "end") -> tuple[Model, float]:
    """A run's model and its alpha.

    Args:
        run: A run folder.
        alpha: A number in [0, 1], a rule that the run used ("fixed", "id_val", "one_se",
            "oracle"), or "end" (alpha = 1).

    Raises:
        AlphaError: Neither a number nor a rule of this run, or outside [0, 1].
    """
    opened = Run.open(run)
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
