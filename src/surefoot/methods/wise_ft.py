"""WiSE-FT: mix the pretrained weights with the tuned ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from ..context import RunContext
from ..data.dataset import Task
from ..errors import AlphaError
from ..models.model import Model
from ..paths import Path
from .base import Method, Scheduled, needs_path
from .ft import FineTune

__all__ = ["WiseFT"]


@dataclass(frozen=True)
class WiseFT(Scheduled):
    """theta(alpha) = (1 - alpha) * pretrained + alpha * tuned, over any other method.

    Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR 2022, arXiv 2109.01903,
    section 3. With ``inner=FineTune()`` it is the end-to-end variant, with ``LinearProbe()`` the
    linear classifier's. alpha = 0 gives back the pretrained end, alpha = 1 the tuned one, bit for
    bit.

    Attributes:
        inner: The method that makes the tuned end.
        alpha: In [0, 1]; the paper recommends 0.5 where nothing better is known.
        head: "auto" mixes the heads of both ends; "text" has the mixed text tower write it, for
            inner methods whose head the tuned text tower wrote (FLYP).

    Example:
        >>> tuned = sf.WiseFT(alpha=0.5, epochs=1, batch_size=8).fit(model, task)
        >>> tuned.spec.notes[-1]
        'weights at alpha 0.5 from small CLIP to small CLIP'
    """

    name: ClassVar[str] = "wise-ft"
    paper: ClassVar[str] = "Wortsman et al., CVPR 2022, arXiv 2109.01903"

    inner: Method = FineTune()
    alpha: float = 0.5
    head: Literal["auto", "text"] = "auto"

    def _check_fields(self) -> None:
        needs_path(self, self.inner)
        if not 0 <= self.alpha <= 1:
            raise AlphaError(
                f"alpha is {self.alpha}",
                expected="a number in [0, 1]",
                fix="outside lies extrapolation: use Path(..., extrapolate=True)",
            )

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """Fit the inner method, then mix."""
        tuned = self.inner.fit(start, task, seed=seed, run=run)
        return Path.between(start, tuned, task, head=self.head, run=run).at(self.alpha)

    def label(self) -> str:
        """How reports name it."""
        return f"WiSE-FT of {self.inner.label()}, α = {self.alpha:g}"
