"""Linear probe: only the head, on features of the pretrained encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..context import RunContext, pick_device
from ..data.dataset import Task
from ..evals.linear import (
    LinearFit,
    fit_linear,
    head_inputs,
    linear_head,
    require_classes,
    unseen,
)
from ..features import extract
from ..models.model import Model
from ..weights.weights import Weights
from .base import Method

__all__ = ["LinearProbe", "logspace"]


def logspace(low: float, high: float, n: int) -> tuple[float, ...]:
    """N numbers evenly spaced in logarithm from 10**low to 10**high."""
    return tuple(float(c) for c in np.logspace(low, high, n))


@dataclass(frozen=True)
class LinearProbe(Method):
    """Multinomial logistic regression by L-BFGS over a path of C, chosen on ID validation.

    Kumar et al., "Fine-tuning can distort pretrained features and underperform
    out-of-distribution", ICLR 2022, arXiv 2202.10054, section 4; the path is theirs.
    As in its code features are standardised by one mean and one deviation before the path of C,
    and the fit is folded into a head for the features themselves, so that no probe depends on the
    units of its encoder. The head of a contrastive model sees features of unit norm, as its
    zero-shot head does, and these are what is standardised; heads of other models see raw
    features. A class without training images keeps a row of zeros.

    Attributes:
        c_path: Inverse strengths of the L2 penalty, ascending; each start warm from the last.
        max_iter: L-BFGS iterations per C.
        patience: Stop the path when ID validation has not improved for so many C; None: all.

    Example:
        >>> sf.LinearProbe(c_path=(0.01, 1.0)).fit(model, task).head
        Head(linear: 3 classes, 24 features, normalised features)
    """

    name: ClassVar[str] = "lp"
    paper: ClassVar[str] = "Kumar et al., ICLR 2022, arXiv 2202.10054"

    c_path: tuple[float, ...] = logspace(-7, 2, 50)
    max_iter: int = 1000
    patience: int | None = None

    def check(self, start: Model, task: Task) -> None:
        """Training images of two classes or more; labels in ID validation."""
        task.val.require_labels()
        require_classes(task.train)

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """The start with the best head of the path; the encoder is unchanged."""
        run = (run or RunContext()).staged("lp")
        model = start.clone()
        key = self._key(model, task)
        fitted = run.memo.get(key)
        if fitted is None:
            fitted = run.memo[key] = self._fit(model, task, seed, run)
        for row in fitted.table:
            run.say(**row)
        run.say(note=_said(fitted))
        if note := unseen(fitted, task.class_names):
            run.say(note=note)
        model.head = linear_head(model, fitted, task.class_names)
        return model

    def _fit(self, model: Model, task: Task, seed: int, run: RunContext) -> LinearFit:
        """Features of both splits, then the path of C."""
        train, val = (
            head_inputs(
                model,
                extract(model, split, device=pick_device(run.device), workers=run.workers),
            )
            for split in (task.train, task.val)
        )
        return fit_linear(
            train,
            task.train.require_labels(),
            classes=len(task.class_names),
            val_features=val,
            val_labels=task.val.require_labels(),
            c_path=self.c_path,
            max_iter=self.max_iter,
            patience=self.patience,
            seed=seed,
        )

    def _key(self, model: Model, task: Task) -> str:
        """Names this very fit, so that LP-FT after LP in one study does not repeat it."""
        encoder = Weights.of(model.encoder).fingerprint()
        data = (fact for s in (task.train, task.val) for fact in s.manifest().facts)
        return "/".join((encoder, *data, repr(self)))

    def label(self) -> str:
        """How reports name it."""
        return "LP"


def _said(fit: LinearFit) -> str:
    """Which C was chosen, out of which, and whether it lies at an end of them."""
    tried = {row["c"]: row["val"] for row in fit.table}
    cs, c = list(tried), f"C = {fit.c:.3g}"
    if len(cs) == 1:
        return f"{c}, the only one tried: {100 * tried[fit.c]:.1f} % on ID validation"
    if fit.c not in (cs[0], cs[-1]):
        return (
            f"{c}, the best on ID validation ({100 * tried[fit.c]:.1f} %) of {len(cs)} from "
            f"{cs[0]:.3g} to {cs[-1]:.3g}"
        )
    # How far ahead it is tells whether the end matters or one image decided.
    end, beyond, beside = (
        ("largest", "larger", cs[-2]) if fit.c == cs[-1] else ("smallest", "smaller", cs[1])
    )
    return (
        f"{c}, the {end} of {len(cs)} tried: {100 * tried[fit.c]:.1f} % on ID validation, "
        f"{100 * tried[beside]:.1f} % at C = {beside:.3g} beside it; a {beyond} one might do better"
    )
