"""Linear evaluation: multinomial logistic regression on features, along a path of C.

The path of C and the choice on validation are those of LP-FT's linear probe (arXiv 2202.10054,
section 4): from strong to weak regularisation, each start warm from the last. As in its code
(log_reg_sk.py) features are standardised first, so that a probe does not depend on their units, and
the fit is folded back into weights for the features themselves. The objective is scikit-learn's;
:mod:`surefoot.evals.logistic` reaches its optimum in fewer passes over the data (the tests hold
scikit-learn's own solver beside it).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ..data.dataset import Split, Task
from ..errors import DataError
from ..features import extract
from ..inventory import Note
from ..metrics import log_softmax
from ..models.heads import Head
from ..models.model import Model
from ..threads import cores
from .logistic import Logistic

__all__ = ["C_PATH", "LinearFit", "fit_linear", "head_inputs", "linear", "linear_head",
           "require_classes", "unseen"]  # fmt: skip

Floats = NDArray[np.float32]

C_PATH: tuple[float, ...] = tuple(float(c) for c in np.logspace(-7, 2, 50))
"""Inverse strengths of the L2 penalty, from strong to weak."""


_SMALL = 1 << 28
"""Multiplications of one pass (images x width x classes) below which one thread is best."""


class LinearFit(NamedTuple):
    """A fitted linear classifier and how its C was chosen.

    Attributes:
        weight: (classes, d).
        bias: (classes,).
        c: The chosen C, of standardised features.
        table: One row per C: "c", "val" (top-1), "val_nll", "iterations", "converged".
        absent: Classes without a training image, whose rows are zeros.
    """

    weight: Floats
    bias: Floats
    c: float
    table: tuple[dict[str, Any], ...]
    absent: tuple[int, ...] = ()

    @property
    def converged(self) -> bool:
        """Whether the fit at the chosen C did."""
        return next(bool(row["converged"]) for row in self.table if row["c"] == self.c)


def fit_linear(
    features: Floats,
    labels: NDArray[np.int64],
    *,
    classes: int,
    val_features: Floats,
    val_labels: NDArray[np.int64],
    c_path: Sequence[float] = C_PATH,
    max_iter: int = 1000,
    tol: float = 1e-4,
    patience: int | None = None,
    seed: int = 0,
    threads: int | None = None,
) -> LinearFit:
    """Logistic regression over a path of C, chosen by top-1 on validation, ties by likelihood.

    LP-FT's code standardises by one mean and one standard deviation of all numbers of the training
    features: z = (x - mean) / sd. With a free intercept, weights w on z under the penalty
    |w|^2 / 2 are weights w / sd on x under sd^2 |w / sd|^2 / 2: the same fit as that of x itself
    at C / sd^2, which is what is solved here, without a copy of the features.

    A class without training images keeps a row of zeros, as that code pads it (pad_head): its
    logit is 0 for every image, and the others', whose mean is 0, have one that is no lower, so it
    is never predicted where all classes count as answers.

    Args:
        features: (n, d), as the linear layer sees them.
        labels: (n,), of two classes or more.
        classes: How many.
        val_features: (m, d).
        val_labels: (m,).
        c_path: Tried in ascending order; of equals on validation the one that gives its labels the
            highest likelihood is taken, of those the smallest C.
        max_iter: L-BFGS iterations per C; the table says which fits did not converge.
        tol: What "converged" means: the gradient's norm in variables of unit curvature, so that
            the mean objective is an estimated tol^2 / 2 nats or less above its minimum (under weak
            penalties the truth was up to twenty times tol^2).
        patience: Stop when neither top-1 nor the likelihood on validation has improved for so
            many C; None: the whole path. Top-1 alone stays level at the strong end of the path,
            where the classifier is that of the class means, and would stop too early.
        seed: Unused by L-BFGS, which draws nothing; recorded by callers.
        threads: Of the linear algebra. Left out: one for small problems, where threads that wait
            for each other cost up to thirty times the work on a busy machine; all processors of
            this process for large ones.

    Raises:
        DataError: Shapes differ, fewer than two classes have images, a feature is not finite, or a
            C is not positive.
    """
    _check(features, labels, classes, val_features, val_labels, c_path)
    present, labels = np.unique(labels, return_inverse=True)
    table: list[dict[str, Any]] = []
    best: LinearFit | None = None
    top, lowest, since, first = -1.0, np.inf, 0, (-1.0, -np.inf)
    threads = threads or (1 if features.size * classes < _SMALL else cores())
    # Ours gives each thread a block of its own. Threads inside a product of two blocks wait for
    # each other: two of them took twice the time of one.
    with threadpool_limits(limits=1):
        model = Logistic(features, labels, len(present), threads=threads)
        for c in sorted(c_path):
            # scikit-learn fits two classes by one row w, and penalises |w|^2 / 2 where two rows
            # +-w/2 would cost half of that.
            here = c / model.variance / (2 if len(present) == 2 else 1)
            converged = model.fit(here, tol=tol, max_iter=max_iter)
            weight, bias = _padded(model, present, classes)
            val, nll = _validate(weight, bias, val_features, val_labels)
            table.append({"c": c, "val": val, "val_nll": nll, "converged": converged,
                          "iterations": model.iterations})  # fmt: skip
            since = 0 if val > top or nll < lowest else since + 1
            if (val, -nll) > first:
                best, first = LinearFit(weight, bias, c, ()), (val, -nll)
            top, lowest = max(top, val), min(lowest, nll)
            if patience is not None and since >= patience:
                break
    assert best is not None
    absent = np.setdiff1d(np.arange(classes), present)
    return best._replace(table=tuple(table), absent=tuple(absent.tolist()))


def _padded(model: Logistic, present: NDArray[np.int64], classes: int) -> tuple[Floats, Floats]:
    """Weights (classes, d) and biases (classes,): rows of zeros for classes without images."""
    if len(present) == classes:
        return model.weight.astype(np.float32), model.bias.astype(np.float32)
    weight = np.zeros((classes, model.weight.shape[1]), dtype=np.float32)
    bias = np.zeros(classes, dtype=np.float32)
    # What all rows have in common changes nothing between them, and would against zeros.
    weight[present] = model.weight - model.weight.mean(axis=0)
    bias[present] = model.bias - model.bias.mean()
    return weight, bias


def _validate(
    weight: Floats, bias: Floats, features: Floats, labels: NDArray[np.int64]
) -> tuple[float, float]:
    """Top-1 and mean negative log likelihood, in blocks of rows."""
    right, loss = 0, 0.0
    for at in range(0, len(labels), 4096):
        y = labels[at : at + 4096]
        logits = features[at : at + 4096] @ weight.T + bias
        right += int((logits.argmax(axis=1) == y).sum())
        loss -= float(log_softmax(logits)[np.arange(len(y)), y].sum())
    return right / len(labels), loss / len(labels)


def require_classes(train: Split) -> None:
    """Raise where a probe cannot be fitted: fewer than two classes have an image.

    Raises:
        DataError: There are no labels, or of one class only.
    """
    there = set(train.require_labels().tolist())
    if len(there) > 1:
        return
    limits = [n.say for n in map(Note.of, train.notes) if n.short == "limit"]
    raise DataError(
        f"the training set has images of one class only, {train.class_names[there.pop()]}",
        expected="training images of two classes or more",
        fix=" or ".join([*limits, "add images of other classes"]),
    )


def _check(
    features: Floats,
    labels: NDArray[np.int64],
    classes: int,
    val_features: Floats,
    val_labels: NDArray[np.int64],
    c_path: Sequence[float],
) -> None:
    pairs = ((features, labels, "training"), (val_features, val_labels, "validation"))
    for x, y, name in pairs:
        if x.ndim != 2 or len(x) != len(y) or not len(x) or x.shape[1] != features.shape[1]:
            raise DataError(
                f"{name} features of shape {x.shape} with labels of shape {np.shape(y)}",
                expected=f"(n, {features.shape[-1]}) and (n,), n at least 1",
            )
        if not all(np.isfinite(x[at : at + 4096]).all() for at in range(0, len(x), 4096)):
            raise DataError(f"{name} features are not finite", expected="finite numbers")
    present = np.unique(labels)
    if len(present) < 2 or present[0] < 0 or present[-1] >= classes:
        what = "one class only has training images" if len(present) < 2 else "labels do not fit"
        raise DataError(
            f"{what} ({len(present)} classes in the labels, {classes} asked)",
            expected="training images of two classes or more, labels from 0 on",
            fix="add images, or leave the classes without any out of the task",
        )
    if not c_path or min(c_path) <= 0:
        raise DataError(f"C runs from {min(c_path, default='nothing')}", expected="positive Cs")


def head_inputs(model: Model, features: Floats) -> Floats:
    """Features (n, d) as a probe sees them: of unit norm for models that normalise, else raw.

    The logit scale of a contrastive model does not matter: features are standardised.
    """
    if not model.spec.normalize:
        return features
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    unit: Floats = features / np.maximum(norms, np.float32(1e-12))
    return unit


def linear_head(model: Model, fit: LinearFit, class_names: Sequence[str]) -> Head:
    """The head that gives ``fit`` on the model's own features."""
    head = Head(
        torch.from_numpy(fit.weight),
        torch.from_numpy(fit.bias),
        normalize=model.spec.normalize,
        class_names=class_names,
    )
    return head.to(model.device)


def unseen(fit: LinearFit, class_names: Sequence[str]) -> str:
    """A note on classes without training images; "" where there is none."""
    names = [class_names[i] for i in fit.absent]
    if not names:
        return ""
    several = len(names) > 1
    return (
        f"{len(names)} class{'es have' if several else ' has'} no training image and "
        f"{'keep rows' if several else 'keeps a row'} of zeros, which no image is given to: "
        f"{', '.join(names[:8])}{', ...' * (len(names) > 8)}"
    )


def linear(
    model: Model,
    task: Task,
    *,
    c_path: Sequence[float] = C_PATH,
    max_iter: int = 1000,
    patience: int | None = None,
    seed: int = 0,
    **options: Any,
) -> Model:
    """A copy of the model with a linear head fitted on the task's training split.

    Args:
        model: Any encoder; left as it was.
        task: C is chosen on its validation split.
        c_path: See :func:`fit_linear`.
        max_iter: Likewise.
        patience: Likewise.
        seed: Likewise.
        **options: ``batch_size``, ``device``, ``workers``, ``cache_dir`` for extraction.

    Raises:
        DataError: A split has no labels, or fewer than two classes have training images.

    Warns:
        UserWarning: A class has no training image.
    """
    fit = fit_linear(
        head_inputs(model, extract(model, task.train, **options)),
        task.train.require_labels(),
        classes=len(task.class_names),
        val_features=head_inputs(model, extract(model, task.val, **options)),
        val_labels=task.val.require_labels(),
        c_path=c_path,
        max_iter=max_iter,
        patience=patience,
        seed=seed,
    )
    if note := unseen(fit, task.class_names):
        warnings.warn(note, UserWarning, stacklevel=2)
    return model.with_head(linear_head(model, fit, task.class_names))
