"""One rule for the heads of a path, wherever two models are joined.

FLYP's head (arXiv 2212.00638, section 3) comes from the tuned text tower, so the model at
theta(alpha) has two candidates: the mix of both ends' heads, or what the mixed text tower writes.
Both agree at the ends.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from ..evals.zero_shot import Prompts, pretrained_end
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
    begin, notes = _with_classes_of(start, end.head.class_names, prompts)
    if asked == "auto":
        served = begin.head is not None and begin.head.class_names == end.head.class_names
        asked = "interpolate" if served else "end"
    return Joined(begin, asked, prompts, notes)


def _with_classes_of(
    start: Model, names: tuple[str, ...], prompts: Prompts | None
) -> tuple[Model, tuple[str, ...]]:
    """The start with a head for these classes, where it has or can write one; what was done."""
    own, name = start.head, start.spec.name
    if own is not None and own.serves(names):
        same = own.class_names == names
        told = () if same else (f"the rows of {name}'s head are put into the order of the end's",)
        return (start if same else start.with_head(own.ordered(names))), told
    if start.text is None or prompts is None:
        why = "no text tower" if start.text is None else "no prompts"
        return start, (f"{name} has no head for the end's classes and {why} to write one: the "
                       "end's head serves the whole path",)  # fmt: skip
    other = "the start's head is for other classes: alpha 0 has a zero-shot head"
    return pretrained_end(start, prompts), (() if own is None else (other,))


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
