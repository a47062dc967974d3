"""``check_method``: the contract of a Method, on a model with text and on one without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from ..context import RunContext
from ..data.dataset import Task
from ..errors import ModelError, WeightsError
from ..evals.predict import predict
from ..evals.zero_shot import pretrained_end
from ..methods.base import Method
from ..models.adapters import as_initialised
from ..models.load import load
from ..models.model import Model
from ..paths import Path
from ..weights.fingerprint import fingerprint
from .declarations import check_declaration, check_recipe
from .models import check_saved, pixels, shared_tensors
from .samples import require, small_task, small_vit, unread

__all__ = ["Checked", "check_method"]


@dataclass(frozen=True)
class Checked:
    """What a method was checked on.

    Attributes:
        fitted: Names of the starts that it was fitted to.
        refused: Name of a start -> why the method does not take it (an explained ModelError).

    Example:
        >>> sf.testing.check_method(sf.ZeroShot(), [model], task).fitted
        ('small CLIP',)
    """

    fitted: tuple[str, ...]
    refused: Mapping[str, str] = field(default_factory=dict)


def check_method(
    method: Method,
    starts: Sequence[Model] | None = None,
    task: Task | None = None,
    *,
    seed: int = 1,
) -> Checked:
    """Check that a method keeps the contract of :class:`surefoot.Method`.

    - It is a frozen dataclass whose docstring names its paper and describes every field.
    - It goes through a recipe (plain data) and back.
    - ``fit`` leaves the start, the task and the global random numbers as they were, shares no
      tensor with the start, and never looks at the test set or a shift.
    - The same seed gives the same weights.
    - The result is a Model in evaluation mode, with a head for the task's classes (or none), whose
      logits are finite, and which is the same after saving and loading.
    - With ``on_path``: at alpha = 0 of the path is the start, bit for bit (of an adapter that
      stays, as it is initialised), at alpha = 1 the result.

    Args:
        method: With a schedule short enough for a test.
        starts: tiny-clip and a small DINO-like vision transformer when left out. A start that the
            method refuses by a ModelError does not count against it; one must be taken.
        task: :func:`surefoot.testing.small_task` when left out.
        seed: Of the fits; each start is fitted twice.

    Returns:
        Which starts it took.

    Raises:
        AssertionError: Says what was broken.

    Example:
        >>> checked = sf.testing.check_method(sf.ZeroShot(), [model], task)
    """
    check_declaration(method)
    check_recipe(method)
    task = task or small_task()
    fitted, refused = [], {}
    for start in (load("tiny-clip"), small_vit()) if starts is None else starts:
        try:
            _check_fit(method, start, task, seed)
        except ModelError as error:
            refused[start.spec.name] = error.wrong
        else:
            fitted.append(start.spec.name)
    why = "; ".join(f"{name}: {wrong}" for name, wrong in refused.items())
    require(bool(fitted), f"{method.name} takes none of the starts: {why}")
    return Checked(tuple(fitted), refused)


def _check_fit(method: Method, start: Model, task: Task, seed: int) -> None:
    name = f"{method.name} on {start.spec.name}"
    before, random = _facts(start), torch.get_rng_state()
    context = RunContext(device="cpu")
    tuned = method.fit(start, unread(task), seed=seed, run=context)
    _check_start(name, start, before)
    same = torch.equal(torch.get_rng_state(), random)
    require(same, f"{name}: fit moved torch's global random numbers; draw from a generator of its "
            "own, or inside torch.random.fork_rng()")  # fmt: skip
    _check_result(name, start, tuned, task)
    first = fingerprint(tuned)
    again = method.fit(start, unread(task), seed=seed, run=context)
    require(fingerprint(again) == first, f"{name}: two fits with seed {seed} differ in "
            f"{_differing(tuned, again)}; draw every random number from the seed")  # fmt: skip
    _check_start(name, start, before)
    check_saved(tuned, name=f"{name}: its result")
    if method.on_path:
        _check_path(name, start, tuned, task)


def _facts(model: Model) -> dict[str, object]:
    """All that fit must leave as it was."""
    return {
        "weights": fingerprint(model),
        "spec": model.spec,
        "head": model.head,
        "training mode": [m.training for m in model.modules()],
        "requires_grad": [p.requires_grad for p in model.parameters()],
        "gradients": [p.grad is None for p in model.parameters()],
        "modules": [type(m) for m in model.modules()],
        "hooks": [(len(m._forward_hooks), len(m._forward_pre_hooks)) for m in model.modules()],
    }


def _check_start(name: str, start: Model, before: Mapping[str, object]) -> None:
    after = _facts(start)
    changed = [what for what in before if after[what] != before[what]]
    require(not changed, f"{name}: fit changed the start ({', '.join(changed)}); work on "
            "start.clone()")  # fmt: skip


def _check_result(name: str, start: Model, tuned: Model, task: Task) -> None:
    require(isinstance(tuned, Model), f"{name}: fit returned {type(tuned).__name__}, not a Model")
    shared = shared_tensors(start, tuned)
    require(not shared, f"{name}: the result shares {shared} with the start, so training it "
            "further would change the start")  # fmt: skip
    modes = [n or "the model" for n, m in tuned.named_modules() if m.training]
    require(not modes, f"{name}: {', '.join(modes[:1])} is in training mode; return model.eval()")
    if tuned.head is not None:
        names = tuned.head.class_names
        require(names == task.class_names, f"{name}: the head's classes are {names}, the task's "
                f"{task.class_names}")  # fmt: skip
        predict(tuned, task.val, device="cpu")  # raises where a logit is not finite


def _check_path(name: str, start: Model, tuned: Model, task: Task) -> None:
    try:
        path = Path.between(start, tuned, task)
    except WeightsError as error:
        raise AssertionError(
            f"{name}: on_path is True, but no path of weights leads from the start to the result "
            f"({error.wrong}); keep the architecture, or set on_path = False"
        ) from error
    first = start.with_head(None) if tuned.head is None else pretrained_end(start, task)
    begin = as_initialised(first, tuned)
    zero, one = path.at(0.0), path.at(1.0)
    parts = [(p, getattr(zero, p), getattr(begin, p)) for p in ("encoder", "text", "head")]
    for part, ours, theirs in parts:
        if theirs is not None:
            require(fingerprint(ours) == fingerprint(theirs), f"{name}: the {part} at alpha = 0 is "
                    "not the start's")  # fmt: skip
    require(fingerprint(one) == fingerprint(tuned), f"{name}: alpha = 1 is not the result")
    images = pixels(start)
    with torch.no_grad():
        off = float((zero.features(images) - start.features(images)).abs().max())
    size = float(start.features(images).detach().abs().max())
    require(off <= 1e-5 * max(size, 1.0), f"{name}: at alpha = 0 features are {off:.2g} away from "
            "the start's; an adapter must be the identity as it is initialised")  # fmt: skip


def _differing(a: Model, b: Model) -> str:
    """The first tensors in which two models differ."""
    left, right = a.state_dict(), b.state_dict()
    names = [k for k in left if k not in right or not torch.equal(left[k], right[k])]
    return ", ".join(names[:3]) or "their parts"
