"""The shared contract, over every registered method; and planted bad ones, each of them caught."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch

from surefoot.context import RunContext
from surefoot.data.dataset import Task
from surefoot.errors import ModelError
from surefoot.evals.predict import predict
from surefoot.methods.base import Method
from surefoot.methods.ft import FineTune
from surefoot.models.adapters import FiLMAdapter, insert
from surefoot.models.heads import random_head, zeros_head
from surefoot.models.load import load
from surefoot.models.model import Model
from surefoot.models.pairs import beside
from surefoot.registry import METHODS
from surefoot.testing import check_method, small_clip, small_task, small_vit
from surefoot.train import Schedule
from surefoot.weights.fingerprint import fingerprint

CLIP, VIT = "small CLIP", "small ViT"
QUICK = Schedule(epochs=1, batch_size=12, lr=1e-3)
TUNE = FineTune(schedule=QUICK)
BARE = FineTune(head="zeros", schedule=QUICK)
PROBE: dict[str, Any] = {"c_path": (0.01, 0.1), "max_iter": 30}

Fields = dict[str, Any]


def probe(**fields: Any) -> Method:
    return METHODS.get("lp")(**PROBE, **fields)  # type: ignore[no-any-return]


def inner(**fields: Any) -> tuple[Fields, Fields]:
    """For methods around another one: as they are on tiny-clip, and on a model without text."""
    return {"inner": TUNE, **fields}, {"inner": BARE, **fields}


def tune(**fields: Any) -> tuple[Fields, Fields]:
    return {"tune": TUNE, **fields}, {"tune": BARE, **fields}


def head(**fields: Any) -> tuple[Fields, Fields]:
    return {"schedule": QUICK, **fields}, {"schedule": QUICK, "head": "zeros", **fields}


LPFT: Fields = {
    "probe": probe(),
    "tune": FineTune(head="keep", schedule=QUICK, eval_mode=True),
}
ENCODER: Fields = {"schedule": QUICK}

# Constructor arguments on tiny-clip, and on a vision transformer without text (None: it must be
# refused, because the method needs a text tower).
TABLE: dict[str, tuple[Fields | None, Fields | None]] = {
    "zero-shot": ({}, None),
    "lp": (PROBE, PROBE),
    "ft": head(),
    "lp-ft": (LPFT, LPFT),
    "wise-ft": inner(alpha=0.3),
    "uniform-soup": inner(seeds=2),
    "greedy-soup": inner(seeds=2, lr_factors=(1.0,)),
    "model-stock": inner(seeds=2),
    "lines": inner(),
    "fisher": inner(images=6),
    "output-ensemble": inner(),
    "encoder-ft": (ENCODER, None),
    "task-arithmetic": inner(scale=0.5),
    "ties": inner(seeds=2),
    "paint": ({"tune": METHODS.get("encoder-ft")(**ENCODER)}, None),
    "flyp": ({"schedule": QUICK}, None),
    "flyp-ce": ({"schedule": QUICK}, None),
    "l2-sp": tune(),
    "ema": tune(),
    "swa": tune(),
    "gradual": tune(),
    "head-only": head(),
    "last-blocks": tune(),
    "norm-only": tune(),
    "bias-only": tune(),
    "film": head(),
    "film-all": head(),
    "token-replay": head(m=3),
    "lora": head(rank=2),
    "side-tuning": head(),
    "language": (
        {"schedule": QUICK, "text": "random:16"},
        {"schedule": QUICK, "text": "random:16"},
    ),
}


@pytest.fixture(scope="module", autouse=True)
def _no_garbage() -> Iterator[None]:
    """Every training ends with a garbage collection, which need not look at all of torch."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="module")
def starts() -> dict[str, Model]:
    return {CLIP: small_clip(), VIT: small_vit()}


@pytest.fixture(scope="module")
def task() -> Task:
    return small_task(24)


def test_the_table_has_every_registered_method() -> None:
    """A new method needs a row: what makes it quick, and what it does without a text tower."""
    assert sorted(TABLE) == METHODS.names()


@pytest.mark.parametrize("name", METHODS.names())
def test_every_method_keeps_the_contract(name: str, starts: dict[str, Model], task: Task) -> None:
    for fields, (kind, start) in zip(TABLE[name], starts.items(), strict=True):
        if fields is None:
            method = METHODS.get(name)(**(TABLE[name][0] or {}))
            with pytest.raises(AssertionError, match=r"takes none of the starts.*no text tower"):
                check_method(method, [start], task)
        else:
            assert check_method(METHODS.get(name)(**fields), [start], task).fitted == (kind,)


@pytest.fixture(scope="module")
def tiny_clip() -> Model:
    return load("tiny-clip")


@pytest.mark.parametrize("name", METHODS.names())
def test_every_method_runs_on_tiny_clip_itself(name: str, tiny_clip: Model) -> None:
    """The contract is held on its small double, which is quicker."""
    before, few = fingerprint(tiny_clip), small_task(6)
    method = METHODS.get(name)(**(TABLE[name][0] or {}))
    tuned = method.fit(tiny_clip, few, seed=0, run=RunContext(device="cpu"))
    assert fingerprint(tiny_clip) == before
    if tuned.head is not None:
        assert tuned.head.class_names == few.class_names
        assert np.isfinite(predict(tuned, few.test).logits).all()


def test_by_itself_it_brings_both_starts_and_says_which_it_took() -> None:
    checked = check_method(TUNE)
    assert checked.fitted == ("tiny-clip",)
    assert list(checked.refused) == [VIT]
    assert "no text tower" in checked.refused[VIT]


@dataclass(frozen=True)
class Planted(Method):
    """A method that can break each rule. Nobody and others, arXiv 2401.00001.

    Attributes:
        breaks: Which rule.
        tune: How it fits otherwise.
    """

    name: ClassVar[str] = "planted"
    paper: ClassVar[str] = "Nobody and others, arXiv 2401.00001"

    breaks: str = ""
    tune: FineTune = BARE

    def fit(self, start: Model, task: Task, *, seed: int = 0, run: Any = None) -> Model:
        if self.breaks == "refuses":
            raise ModelError("this start has no sockets")
        if self.breaks == "reads the test set":
            task.test.images[0]
        if self.breaks == "global random numbers":
            torch.rand(1)
        model = self.tune.fit(start, task, seed=seed, run=run)
        return self.spoilt(model, start, task)

    def spoilt(self, model: Model, start: Model, task: Task) -> Model:
        with torch.no_grad():
            if self.breaks == "changes the start":
                next(start.encoder.parameters()).add_(1.0)
            if self.breaks == "freezes the start":
                start.requires_grad_(False)
            if self.breaks == "heads the start":
                start.head = model.head
            if self.breaks == "unseeded":
                rng = np.random.default_rng()
                model.require_head().bias.add_(float(rng.uniform(1, 2)))
            if self.breaks == "not finite":
                model.require_head().bias[0] = float("nan")
        if self.breaks == "shares":
            next(iter(model.encoder.parameters())).data = next(
                iter(start.encoder.parameters())
            ).data
        if self.breaks == "training mode":
            return model.train()
        if self.breaks == "other classes":
            return model.with_head(random_head(model, ("a", "b"), seed=0))
        if self.breaks == "no model":
            return model.encoder  # type: ignore[return-value]
        if self.breaks == "off the path":
            side = beside(model, "small", share=0.5, seed=0)
            side.head = zeros_head(side, task.class_names)
            return side.eval()
        if self.breaks == "cannot be rebuilt":
            return model.with_spec(builder={"kind": "mystery"})
        if self.breaks == "forgets a setting":
            model.spec = replace(model.spec, builder=deeper(model))
        if self.breaks == "unfolded film":
            return insert(model, FiLMAdapter()).requires_grad_(True).eval()
        return model


def deeper(model: Model) -> dict[str, Any]:
    """A record of the same shapes that computes something else: heads of another number."""
    args = {**model.spec.builder["args"], "num_heads": 1}
    return {**model.spec.builder, "args": args}


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS._table, "planted", Planted)


@pytest.mark.usefixtures("planted")
def test_the_planted_method_itself_is_good(task: Task) -> None:
    assert check_method(Planted(), [small_vit()], task).fitted == (VIT,)


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize(
    ("breaks", "message"),
    [
        ("changes the start", r"fit changed the start \(weights\); work on start.clone"),
        ("freezes the start", r"fit changed the start \(requires_grad\)"),
        ("heads the start", r"fit changed the start \(weights, head"),
        ("shares", "the result shares encoder.cls_token with the start"),
        ("unseeded", "two fits with seed 1 differ in head.bias"),
        ("global random numbers", "moved torch's global random numbers"),
        ("reads the test set", "looked at an image of 'test'"),
        ("training mode", "the model is in training mode"),
        ("other classes", r"the head's classes are \('a', 'b'\)"),
        ("no model", "returned VisionTransformer, not a Model"),
        ("off the path", "no path of weights leads from the start to the result"),
        ("cannot be rebuilt", "cannot be rebuilt from what was saved of it"),
        ("forgets a setting", "computes other features after loading"),
        ("refuses", "takes none of the starts: small ViT: this start has no sockets"),
    ],
)
def test_a_planted_violation_is_caught(breaks: str, message: str, task: Task) -> None:
    with pytest.raises(AssertionError, match=message):
        check_method(Planted(breaks), [small_vit()], task)


@pytest.mark.usefixtures("planted")
def test_logits_that_are_not_finite_are_refused(task: Task) -> None:
    with pytest.raises(AssertionError, match=r"takes none of the starts.*not finite"):
        check_method(Planted("not finite"), [small_vit()], task)


def undeclared(**changes: Any) -> type[Method]:
    """A class like Planted with something about its declaration changed."""
    facts = {"__doc__": Planted.__doc__, "name": "planted", "paper": Planted.paper, **changes}
    return type("Planted", (Planted,), facts)


@dataclass(frozen=True)
class Wordless(Planted):
    pass


@dataclass(frozen=True)
class Secretive(Planted):
    """A method with one field too many. Nobody and others, arXiv 2401.00001."""

    secret: float = 0.0


@dataclass
class Soft(Method):
    """Nobody and others, arXiv 2401.00001."""

    name: ClassVar[str] = "planted"
    paper: ClassVar[str] = "Nobody and others, arXiv 2401.00001"

    def fit(self, start: Model, task: Task, *, seed: int = 0, run: Any = None) -> Model:
        return start.clone()


class Plain(Method):
    """Nobody and others, arXiv 2401.00001."""

    name: ClassVar[str] = "planted"
    paper: ClassVar[str] = "Nobody and others, arXiv 2401.00001"

    def fit(self, start: Model, task: Task, *, seed: int = 0, run: Any = None) -> Model:
        return start.clone()


@dataclass(frozen=True)
class Callback(Planted):
    """A method that plain data cannot hold. Nobody and others, arXiv 2401.00001.

    Attributes:
        hook: A function.
    """

    hook: Any = print


@dataclass(frozen=True)
class Choosy(Planted):
    """A method whose field takes less than it holds. Nobody and others, arXiv 2401.00001.

    Attributes:
        kind: A word.
    """

    kind: Literal["a", "b"] = "c"  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Plain, "Plain is no dataclass"),
        (Soft, "Soft is not frozen"),
        (Wordless, "Wordless has no docstring"),
        (Secretive, "does not describe the fields secret"),
        (undeclared(name=""), "has no name: give it as a ClassVar"),
        (undeclared(paper=" "), "has no paper: give it as a ClassVar"),
        (undeclared(paper="Else, arXiv 2402.00002"), "does not name its paper: '2402.00002'"),
        (undeclared(paper="Someone et al., ICML 2001"), "does not name its paper: 'Someone'"),
        (undeclared(label=lambda self: ""), r"Planted.label\(\) is empty"),
        (Callback, "planted does not become plain data for a recipe"),
        (Choosy, "planted does not come back from a recipe: planted.kind: Input should be 'a' or"),
    ],
)
def test_a_bad_declaration_is_caught(
    kind: type[Method], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS._table, "planted", kind)
    with pytest.raises(AssertionError, match=message):
        check_method(kind(), [])


def test_a_method_must_be_registered_under_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError, match="'planted' is not registered: add an entry point"):
        check_method(Planted(), [])
    monkeypatch.setitem(METHODS._table, "planted", FineTune)
    with pytest.raises(AssertionError, match="belongs to another method, FineTune"):
        check_method(Planted(), [])


@pytest.mark.usefixtures("planted")
def test_an_adapter_that_is_not_the_identity_is_caught(
    task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = Planted("unfolded film")
    check_method(method, [small_vit()], task)
    honest = FiLMAdapter.attach

    def loud(self: Any, encoder: Any, *, name: str = "") -> None:
        honest(self, encoder, name=name)
        for module in encoder.modules():
            if type(module).__name__ == "Film":
                module.delta.data.add_(0.5)

    monkeypatch.setattr(FiLMAdapter, "attach", loud)
    with pytest.raises(AssertionError, match="must be the identity as it is initialised"):
        check_method(method, [small_vit()], task)


def test_the_task_can_be_learnt() -> None:
    """What the checks run on is a task, not noise."""
    few = small_task(48)
    tuned = METHODS.get("lp")().fit(load("tiny-clip"), few)
    assert predict(tuned, few.test).correct().mean() > 0.6
