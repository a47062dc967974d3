"""One rule for the heads of a path, wherever two models are joined.

FLYP's head (arXiv 2212.00638, section 3) comes from the tuned text tower, so the model at
theta(alpha) has two candidates: the mix of both ends' heads, or what the mixed text tower writes.
Both agree at the ends.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch

from ..evals.zero_shot import Prompts, task_head
from ..models.heads import Head
from ..models.model import Model

__all__ = ["HeadPolicy", "Joined", "settle", "text_heads_that_differ"]

HeadPolicy = Literal["interpolate", "end", "text"]


class Joined(NamedTuple):
    """What :func:`settle` found.

    Attributes:
        start: The start, with the head that it has at alpha 0.
        head: The policy of the path.
        prompts: What "text" writes heads from.
        notes: What a reader of the numbers must know, in sentences.
    """

    start: Model
    head: HeadPolicy
    prompts: Prompts | None
    notes: tuple[str, ...]


def settle(
    start: Model, end: Model, prompts: Prompts | None, asked: Literal["auto"] | HeadPolicy
) -> Joined:
    """Which heads a path has, by one rule.

    The end's classes are the path's. A start with a head for them keeps it (its rows are put into
    the end's order), one without gets the zero-shot head for them, where it has a text tower and
    prompts are given; a head for other classes is replaced by that, which is said. Where the start
    has no head for these classes, "auto" means that the end's head serves the whole path. An end
    without a head (language supervision) makes a path without one, for nearest neighbours.

    Args:
        start: The pretrained model.
        end: The tuned one.
        prompts: Of the task; classes that it lacks are called by their names.
        asked: "auto", or a policy of :class:`~.path.Path`.
    """
    if end.head is None:
        lost = f"the end has no head, so that of {start.spec.name} is left out"
        told = () if start.head is None else (lost,)
        return Joined(start.with_head(None), "end", prompts, told)
    prompts = None if prompts is None else prompts.over(end.head.class_names)
    if asked == "end":
        return Joined(start, "end", prompts, ())
    begin, notes = _with_classes_of(start, end.head, prompts)
    if asked == "auto":
        same = begin.head is not None and begin.head.class_names == end.head.class_names
        asked = "interpolate" if same else "end"
    return Joined(begin, asked, prompts, notes)


def _with_classes_of(
    start: Model, head: Head, prompts: Prompts | None
) -> tuple[Model, tuple[str, ...]]:
    """The start with a head for the classes of another head, where it has or can write one."""
    own, names = start.head, head.class_names
    if own is not None and own.class_names == names:
        return start, ()
    name = start.spec.name
    if own is not None and sorted(own.class_names) == sorted(names):
        return start.with_head(_in_order(own, head)), (
            f"the head of {name} has the end's classes in another order: put into the end's",
        )
    if start.text is None or prompts is None:
        why = "no text tower" if start.text is None else "no prompts"
        return start, (f"{name} has no head for the end's classes and {why} to write one: the "
                       "end's head serves the whole path",)  # fmt: skip
    told = () if own is None else (
        f"the head of {name} is for other classes than the end's: at alpha 0 stands the zero-shot "
        "head for those",
    )  # fmt: skip
    return start.with_head(task_head(start, prompts)), told


def _in_order(own: Head, like: Head) -> Head:
    """The same rows in the order of another head's classes."""
    rows = torch.tensor([own.class_names.index(name) for name in like.class_names])
    rows = rows.to(own.weight.device)
    return Head(own.weight[rows], own.bias[rows], normalize=own.normalize,
                class_names=like.class_names, kind=own.kind)  # fmt: skip


def text_heads_that_differ(start: Model, end: Model, prompts: Prompts | None) -> list[str]:
    """Everything that keeps the text tower from writing the heads of a path; [] if it can."""
    if prompts is None:
        return ["head='text' needs the prompts of the task: Path(..., prompts=Prompts.of(task))"]
    if start.text is None or end.text is None:
        return ["head='text' needs a text tower in both ends"]
    return [
        f"head='text': the head of the {which} is not what its text tower writes"
        for which, model in (("start", start), ("end", end))
        if (model.head is not None or which == "end") and not prompts.wrote(model)
    ]
