"""PAINT: a patch for one task or several, under heads that the text tower writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from ..context import RunContext
from ..data.dataset import Task
from ..errors import ModelError
from ..models.model import Model
from ..paths import Path
from ..weights import check_alpha, task_arithmetic
from .base import Scheduled
from .encoder_ft import EncoderFineTune
from .members import merged

__all__ = ["Paint", "patch"]


@dataclass(frozen=True)
class Paint(Scheduled):
    """WiSE-FT under a frozen zero-shot head, so that other tasks keep their heads too.

    Ilharco et al., "Patching open-vocabulary models by interpolating weights", NeurIPS 2022,
    arXiv 2208.05592, section 3. For several tasks there is :func:`patch`.

    Attributes:
        tune: How the encoder is tuned.
        alpha: In [0, 1]; the paper chooses it on validation data of the patched task and of
            tasks that must not suffer (sweep the path for that).

    Example:
        >>> tuned = sf.methods.Paint(epochs=1, batch_size=8).fit(model, task)
    """

    name: ClassVar[str] = "paint"
    paper: ClassVar[str] = "Ilharco et al., NeurIPS 2022, arXiv 2208.05592"

    tune: EncoderFineTune = EncoderFineTune()
    alpha: float = 0.5

    def _check_fields(self) -> None:
        check_alpha(self.alpha)

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """Tune the encoder, then mix."""
        run = (run or RunContext()).staged(self.name)
        tuned = self.tune.fit(start, task, seed=seed, run=run)
        return Path.between(start, tuned, task).at(self.alpha)

    def label(self) -> str:
        """How reports name it."""
        return f"PAINT, α = {self.alpha:g}"


def patch(
    start: Model,
    tasks: Sequence[Task],
    *,
    paint: Paint | None = None,
    alphas: Sequence[float] | None = None,
    order: Literal["sequential", "parallel"] = "sequential",
    seed: int = 0,
    run: RunContext | None = None,
) -> Model:
    """One model patched for several tasks (arXiv 2208.05592, section 5).

    "sequential": each patch starts from the model patched before. "parallel": every task is
    tuned from the start, and theta0 + sum_i alpha_i (theta_i - theta0). The paper's third way,
    joint training on all tasks at once, is not here.

    Args:
        start: With a text tower.
        tasks: One or more.
        paint: How each task is tuned, and its alpha where ``alphas`` are not given.
        alphas: One per task, in [0, 1]. In parallel, alphas that sum to more than 1 extrapolate.
        order: As above.
        seed: Of every fit.
        run: Device, log, checkpoints.

    Returns:
        The start with a patched encoder and no head: give it each task's own, by
        ``ZeroShot().fit(model, task)``.

    Raises:
        AlphaError: An alpha is outside [0, 1].
        ModelError: There is no task, or alphas of another number; the start has no text tower.
    """
    paint = paint or Paint()
    amounts = [paint.alpha] * len(tasks) if alphas is None else [check_alpha(a) for a in alphas]
    if not tasks or len(tasks) != len(amounts):
        raise ModelError(
            f"{len(tasks)} tasks cannot be patched with {len(amounts)} alphas",
            expected="one or more tasks, one alpha each",
        )
    start.require_text("patching")
    run = run or RunContext()
    model, tuned = start.with_head(None), []
    for number, (task, alpha) in enumerate(zip(tasks, amounts, strict=True)):
        stage = run.staged(f"patch-{number}")
        if order == "sequential":
            model = replace(paint, alpha=alpha).fit(model, task, seed=seed, run=stage)
            model = model.with_head(None)
        else:
            own = paint.tune.fit(start, task, seed=seed, run=stage).with_head(None)
            tuned.append(own.to(start.device).state_dict())
    if order == "sequential":
        return model
    both = task_arithmetic(model.state_dict(), tuned, amounts)
    return merged(model, both, f"patched in parallel for {', '.join(t.name for t in tasks)}")
