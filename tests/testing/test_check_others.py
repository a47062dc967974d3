"""check_model, check_shift and check_eval: what is good passes, what is planted is caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from surefoot.data.dataset import Shift, Split, Task
from surefoot.evals.evaluate import EVALUATORS, evaluate
from surefoot.evals.score import score
from surefoot.evals.zero_shot import pretrained_end
from surefoot.models.heads import zeros_head
from surefoot.models.load import load
from surefoot.models.model import Model
from surefoot.testing import check_eval, check_model, check_shift, small_clip, small_task, small_vit

from ..models.vits import KINDS, vit


@pytest.fixture(scope="module")
def task() -> Task:
    return small_task(24)


def shift_of(task: Task, **changes: Any) -> Shift:
    split = replace(task.shifts[0].split, source="memory", licence="CC0-1.0")
    return replace(task.shifts[0], split=replace(split, **changes))


# models


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_model_is_good(kind: str) -> None:
    check_model(vit(kind))


@pytest.mark.parametrize("make", [small_clip, small_vit, lambda: load("tiny-dino")])
def test_the_samples_and_the_built_in_models_are_good(make: Callable[[], Model]) -> None:
    model = make()
    check_model(model)
    check_model(model.with_head(zeros_head(model, ("a", "b"))))


class Mean(torch.nn.Module):
    """Features that depend on the whole batch."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.inner(images)
        return features - features.mean(dim=0)


class Noisy(Mean):
    """Features that are others each time."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.inner(images)
        return features + torch.randn_like(features)


class Wide(Mean):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.inner(images).repeat(1, 2)  # type: ignore[no-any-return]


def wrapped(kind: type[Mean]) -> Model:
    model = small_vit()
    model.encoder = kind(model.encoder)
    return model.eval()


def training() -> Model:
    return small_vit().train()


def mystery() -> Model:
    return small_vit().with_spec(builder={"kind": "mystery"})


def not_json() -> Model:
    model = small_vit()
    args = {**model.spec.builder["args"], "img_size": (32, 32)}
    return model.with_spec(builder={**model.spec.builder, "args": args})


def deaf() -> Model:
    model = small_clip()
    with torch.no_grad():
        for parameter in model.text.parameters():  # type: ignore[union-attr]
            parameter.zero_()
        model.text.norm.bias.fill_(1.0)  # type: ignore[union-attr]
        model.text.proj.weight.fill_(1.0)  # type: ignore[union-attr]
    return model


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (training, "comes in training mode"),
        (lambda: wrapped(Mean), "depend on the rest of its batch"),
        (lambda: wrapped(Noisy), "differ from one pass to the next"),
        (lambda: wrapped(Wide), r"are \(3, 128\), not \(images, feature_dim\) = \(3, 64\)"),
        (not_json, "changes on its way through JSON"),
        (mystery, "cannot be rebuilt from what was saved"),
        (deaf, "gives two texts one embedding"),
    ],
)
def test_a_bad_model_is_caught(make: Callable[[], Model], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_model(make())


# shifts


def test_a_good_shift_passes(task: Task) -> None:
    check_shift(shift_of(task))
    for metric in ("macro_f1", "per_class", "ece", "nll"):
        check_shift(replace(shift_of(task), metric=metric))


def test_the_shifts_of_the_pictograms_are_good() -> None:
    from surefoot.data.builtin import pictograms

    for shift in pictograms().shifts:
        check_shift(shift, decode=4)


class Flickering:
    """Images that are others each time."""

    def __init__(self, split: Split) -> None:
        self.split, self.calls = split, 0

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> Image.Image:
        self.calls += 1
        return Image.new("RGB", (8, 8), (self.calls % 256, 0, 0))

    def id(self, index: int) -> str:
        return f"f/{index}"


class Grey(Flickering):
    def __getitem__(self, index: int) -> Image.Image:
        return Image.new("L", (8, 8))


class Twins(Flickering):
    def id(self, index: int) -> str:
        return "one"


class Absolute(Flickering):
    def id(self, index: int) -> str:
        return f"/home/me/{index}.png"


def held(task: Task, kind: type[Flickering]) -> Shift:
    return shift_of(task, images=kind(task.shifts[0].split))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: shift_of(t, domain="ID"), "says domain 'ID'"),
        (lambda t: shift_of(t, use="val"), "says use 'val'"),
        (lambda t: shift_of(t, version="unversioned"), "states no version"),
        (lambda t: shift_of(t, source=""), "states no source"),
        (lambda t: replace(shift_of(t), name="test"), "reserved"),
        (lambda t: held(t, Flickering), "another one each time it is decoded"),
        (lambda t: held(t, Grey), "is not an RGB image"),
        (lambda t: held(t, Twins), "11 images .* have the id of another one"),
        (lambda t: held(t, Absolute), "are absolute paths"),
        (lambda t: shift_of(t, labels=None), "has no labels"),
        (lambda t: replace(shift_of(t), classes=(2, 1, 0)), "not ascending"),
        (lambda t: replace(shift_of(t), classes=(0, 1)), r"labels \[2\] .* are not among its"),
        (lambda t: replace(shift_of(t), classes=(0, 1, 2, 9)), "not among the 3 of the task"),
        (lambda t: replace(shift_of(t), metric="top9000"), "cannot be scored by 'top9000'"),
        (lambda t: replace(shift_of(t), metric="worst_group:site"), "cannot be scored by 'worst"),
    ],
)
def test_a_bad_shift_is_caught(change: Callable[[Task], Shift], message: str, task: Task) -> None:
    with pytest.raises(AssertionError, match=message):
        check_shift(change(task))


# evaluators


@pytest.mark.parametrize("evaluator", EVALUATORS)
def test_every_evaluator_is_good(evaluator: str, task: Task) -> None:
    check_eval(evaluator, pretrained_end(small_clip(), task), task)


def test_it_brings_a_model_and_a_task() -> None:
    check_eval("head")


Pairs = list[Any]


def peeking(model: Model, task: Task) -> Pairs:
    """Logits that lean towards the label of what is scored."""
    out = []
    for said, _ in evaluate(model, task):
        logits = said.logits.copy()
        logits[np.arange(len(logits)), said.labels] += 0.5
        leaning = replace(said, logits=logits)
        out.append((leaning, score(leaning)))
    return out


def forgetful(model: Model, task: Task) -> Pairs:
    return evaluate(model, task, splits=["val", "test"])


def flattering(model: Model, task: Task) -> Pairs:
    return [(p, replace(s, value=1.0, high=1.0)) for p, s in evaluate(model, task)]


def shuffled(model: Model, task: Task) -> Pairs:
    return [(replace(p, ids=p.ids[::-1]), s) for p, s in evaluate(model, task)]


def random_logits(model: Model, task: Task) -> Pairs:
    out = []
    for said, _ in evaluate(model, task):
        drawn = np.random.default_rng().normal(size=said.logits.shape).astype(np.float32)
        other = replace(said, logits=drawn)
        out.append((other, score(other)))
    return out


def training_on_the_side(model: Model, task: Task) -> Pairs:
    pairs = evaluate(model, task)
    with torch.no_grad():
        model.require_head().bias.add_(1.0)
    return pairs


@pytest.mark.parametrize(
    ("evaluator", "message"),
    [
        (peeking, "peeking looks at the labels of 'test'"),
        (forgetful, r"forgetful gives \['val', 'test'\], the task has"),
        (flattering, "its score is 1.0 on 12 images, its predictions say"),
        (shuffled, "shuffled on 'val': ids are not those of the split"),
        (random_logits, "says something else on 'val' the second time"),
        (training_on_the_side, "training_on_the_side changes the model"),
        ("heads", "there is no evaluator 'heads'"),
    ],
)
def test_a_bad_evaluator_is_caught(evaluator: Any, message: str, task: Task) -> None:
    with pytest.raises(AssertionError, match=message):
        check_eval(evaluator, pretrained_end(small_clip(), task), task)
