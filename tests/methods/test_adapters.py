"""FiLM and Token Replay as methods: what trains, what stays, and the paths that lead to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path as File

import numpy as np
import pytest
import torch

from surefoot.data.dataset import Task
from surefoot.errors import ModelError, RecipeError
from surefoot.evals.predict import predict
from surefoot.methods.base import Method, as_dict
from surefoot.methods.film import FiLM, FiLMAll
from surefoot.methods.ft import FineTune
from surefoot.methods.parse import method_from
from surefoot.methods.token_replay import TokenReplay
from surefoot.methods.wise_ft import WiseFT
from surefoot.methods.zero_shot import ZeroShot
from surefoot.models.adapters import (
    FiLMAdapter,
    TokenReplayAdapter,
    adapter_names,
    adapter_of,
    find_sites,
    insert,
)
from surefoot.models.load import load
from surefoot.models.model import Model, ModelSpec
from surefoot.models.save import load_saved, save_model
from surefoot.paths import Path
from surefoot.registry import METHODS
from surefoot.train import Schedule
from surefoot.weights.fingerprint import fingerprint

from ..conftest import CLASSES, drawn_split, toy_model
from ..models.vits import timm_spec, vit

SMALL = timm_spec(depth=2)
QUICK = Schedule(epochs=2, batch_size=16, lr=1e-2, weight_decay=0.01)
FILMS: dict[str, FiLM] = {
    "film": FiLM(schedule=QUICK),
    "film-all": FiLMAll(schedule=QUICK),
}
REPLAYS: dict[str, TokenReplay] = {
    "token-replay": TokenReplay(m=4, schedule=QUICK),
    "own": TokenReplay(m=2, share=False, schedule=QUICK),
    "two passes": TokenReplay(m=2, two_pass=True, schedule=QUICK),
    "replay loss": TokenReplay(m=4, replay_loss=1.0, schedule=QUICK),
}
METHODS_HERE: dict[str, Method] = {**FILMS, **REPLAYS}
each_method = pytest.mark.parametrize("method", METHODS_HERE.values(), ids=METHODS_HERE)


@pytest.fixture(scope="module")
def clip() -> Model:
    return load("tiny-clip")


def draw_task() -> Task:
    """What the fixture ``task`` gives, for a fixture of the module."""
    train, val, test = (
        drawn_split(use, n, seed, use=use)
        for seed, (use, n) in enumerate((("train", 45), ("val", 30), ("test", 30)))
    )
    return Task(name="shapes", train=train, val=val, test=test, shifts=(), class_names=CLASSES)


Fitted = Callable[[Method], Model]


@pytest.fixture(scope="module")
def fitted(clip: Model) -> Fitted:
    """Each method fitted once to tiny-clip, seed 1; the drawn task is always the same."""
    done: dict[Method, Model] = {}

    def fit(method: Method) -> Model:
        if method not in done:
            done[method] = method.fit(clip, draw_task(), seed=1)
        return done[method].clone()

    return fit


def on_random_head(method: Method) -> Method:
    return replace(method, head="random")  # type: ignore[type-var]


def logits(model: Model, task: Task, split: str = "test") -> np.ndarray:
    return predict(model, task.scored()[split]).logits


@each_method
def test_the_text_tower_and_the_scale_stay(method: Method, clip: Model, fitted: Fitted) -> None:
    before = fingerprint(clip)
    tuned = fitted(method)
    assert fingerprint(clip) == before
    assert "adapter" not in clip.spec.builder
    assert clip.head is None
    assert all(p.requires_grad for p in clip.parameters())
    assert fingerprint(tuned.text) == fingerprint(clip.text)
    assert torch.equal(tuned.logit_scale, clip.logit_scale)


@each_method
def test_the_start_is_left_untouched_and_the_seed_decides(method: Method, task: Task) -> None:
    start = vit(SMALL)
    before = fingerprint(start)
    method = on_random_head(method)
    first, again, other = (method.fit(start, task, seed=seed) for seed in (1, 1, 2))
    assert fingerprint(start) == before
    assert fingerprint(first) == fingerprint(again) != fingerprint(other)
    assert first.require_head().class_names == task.class_names
    assert not first.training
    assert all(p.requires_grad for p in first.parameters())
    assert task.test.images.decoded == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "kind", [SMALL, "open_clip", "tiny-dino"], ids=("timm", "open_clip", "tiny-dino")
)
def test_film_changes_the_norms_and_the_head_alone(kind: str | ModelSpec, task: Task) -> None:
    start = vit(kind)
    tuned = on_random_head(FILMS["film"]).fit(start, task)
    assert tuned.spec.builder == start.spec.builder
    norms = {id(p) for n in find_sites(tuned.encoder).norms() for p in n.parameters()}
    theirs = start.encoder.state_dict()
    for name, parameter in tuned.encoder.named_parameters():
        assert torch.equal(parameter, theirs[name]) == (id(parameter) not in norms), name
    assert set(tuned.encoder.state_dict()) == set(theirs)


@pytest.mark.parametrize(
    "kind", [SMALL, "open_clip", "tiny-dino"], ids=("timm", "open_clip", "tiny-dino")
)
@pytest.mark.parametrize("method", REPLAYS.values(), ids=REPLAYS)
def test_token_replay_changes_its_own_parameters_and_the_head_alone(
    method: TokenReplay, kind: str | ModelSpec, task: Task
) -> None:
    start = vit(kind)
    tuned = on_random_head(method).fit(start, task, seed=3)
    for name, tensor in start.encoder.state_dict().items():
        assert torch.equal(tuned.encoder.state_dict()[name], tensor), name
    first = dict(insert(start, method.adapter(seed=3)).named_parameters())
    after = dict(tuned.named_parameters())
    assert adapter_names(tuned)
    for name in adapter_names(tuned):
        assert not torch.equal(after[name], first[name]), name
    assert any("our reading" in note for note in tuned.spec.notes)


@each_method
def test_training_fits(method: Method, clip: Model, task: Task, fitted: Fitted) -> None:
    """The loss on the training images ends below a zero-shot head's."""

    def loss(model: Model) -> float:
        transform = model.spec.transform.eval()
        images = torch.stack([transform(task.train.images[i]) for i in range(len(task.train))])
        labels = torch.as_tensor(task.train.labels)
        with torch.no_grad():
            return float(torch.nn.functional.cross_entropy(model(images), labels))

    assert loss(fitted(method)) < loss(ZeroShot().fit(clip, task))


@each_method
def test_the_network_trains_in_evaluation_mode(method: Method, task: Task) -> None:
    """Dropout in a frozen network would be noise; the fit does not see it."""
    tuned = [
        on_random_head(method).fit(vit(timm_spec(depth=2, proj_drop_rate=rate)), task)
        for rate in (0.0, 0.5)
    ]
    assert fingerprint(tuned[0]) == fingerprint(tuned[1])


@each_method
def test_its_path_goes_from_the_pretrained_end_to_the_tuned_one(
    method: Method, clip: Model, task: Task, fitted: Fitted
) -> None:
    tuned, start = fitted(method), ZeroShot().fit(clip, task)
    path = Path.between(clip, tuned, task)
    assert fingerprint(path.at(1)) == fingerprint(tuned)
    np.testing.assert_array_equal(logits(path.at(0), task), logits(start, task))
    adapter = adapter_of(tuned)
    start = start if adapter is None else insert(start, adapter)
    assert fingerprint(path.at(0)) == fingerprint(start)
    mixed = path.at(0.4).state_dict()
    for name, theta0 in start.state_dict().items():
        expected = 0.6 * theta0.double() + 0.4 * tuned.state_dict()[name].double()
        torch.testing.assert_close(mixed[name].double(), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["film", "token-replay"])
def test_wise_ft_takes_it_as_its_inner_method(
    name: str, clip: Model, task: Task, fitted: Fitted
) -> None:
    method = METHODS_HERE[name]
    mixed = WiseFT(inner=method, alpha=0.4).fit(clip, task, seed=1)
    assert fingerprint(mixed) == fingerprint(Path.between(clip, fitted(method), task).at(0.4))


def test_an_encoder_without_text_has_the_tuned_head_along_its_path(task: Task) -> None:
    start = vit("tiny-dino")
    tuned = on_random_head(REPLAYS["token-replay"]).fit(start, task)
    at0 = Path.between(start, tuned, task).at(0.0)
    assert torch.equal(at0.require_head().weight, tuned.require_head().weight)
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(at0.features(x), start.features(x))


def test_the_replay_loss_holds_the_tokens(task: Task) -> None:
    start = vit(SMALL)
    x = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))

    fast = Schedule(epochs=6, batch_size=45, lr=5e-2, weight_decay=0.0, warmup_steps=0)

    def drift(weight: float) -> float:
        method = TokenReplay(head="random", replay_loss=weight, schedule=fast)
        tuned = method.fit(start, task)
        with torch.no_grad():
            return float((tuned.features(x) - start.features(x)).square().mean())

    assert drift(100.0) < 0.5 * drift(0.0)


def test_a_tuned_token_replay_model_is_saved_whole(
    fitted: Fitted, task: Task, tmp_path: File
) -> None:
    tuned = fitted(REPLAYS["two passes"])
    save_model(tuned, tmp_path / "end.safetensors")
    again = load_saved(tmp_path / "end.safetensors")
    np.testing.assert_array_equal(logits(again, task), logits(tuned, task))
    assert adapter_of(again) == TokenReplayAdapter(m=2, two_pass=True, seed=1)


@each_method
def test_a_method_goes_through_a_recipe_and_back(method: Method) -> None:
    assert method_from(as_dict(method)) == method
    assert method_from(method.name) == METHODS.get(method.name)()
    assert METHODS.get(method.name) is type(method)
    assert "arXiv" in method.paper
    assert "arXiv" in (type(method).__doc__ or "")


def test_film_all_is_film_of_that_variant(task: Task) -> None:
    variant = FiLM(variant="film_all", head="zeros", schedule=QUICK)
    assert method_from(as_dict(variant)) == variant
    other = replace(FILMS["film-all"], head="zeros")
    start = vit(SMALL)
    assert fingerprint(variant.fit(start, task)) == fingerprint(other.fit(start, task))
    with pytest.raises(ModelError, match="film-all with the variant 'film'"):
        FiLMAll(variant="film")


def test_labels_say_what_they_are() -> None:
    assert [m.label() for m in (FiLM(), FiLM(variant="film_all"), FiLMAll())] == [
        "FiLM", "FiLM-all (SSF)", "FiLM-all (SSF)",
    ]  # fmt: skip
    assert TokenReplay().label() == "Token Replay (our reading)"
    assert "our reading" in TokenReplay.paper.lower()
    assert "our reading" in (TokenReplay.__doc__ or "").lower()
    assert "our reading" in (TokenReplayAdapter.__doc__ or "").lower()


@each_method
def test_other_encoders_and_missing_text_are_refused(method: Method, task: Task) -> None:
    with pytest.raises(ModelError, match="toy takes no such adapter"):
        method.fit(toy_model(), task)
    with pytest.raises(ModelError, match="no text tower"):
        method.fit(vit("tiny-dino"), task)
    with pytest.raises(ModelError, match="carries a film adapter already"):
        method.fit(insert(vit("tiny-dino"), FiLMAdapter()), task)


def test_bad_fields_are_named() -> None:
    with pytest.raises(RecipeError, match=r"variant.*'film' or 'film_all'"):
        method_from({"name": "film", "variant": "all"})
    with pytest.raises(RecipeError, match="0 tokens"):
        method_from({"name": "token-replay", "m": 0})
    with pytest.raises(RecipeError, match="replay_loss is -1"):
        method_from({"name": "token-replay", "replay_loss": -1})


def test_fine_tuning_after_token_replay_trains_the_rest(task: Task) -> None:
    tuned = on_random_head(REPLAYS["token-replay"]).fit(vit(SMALL), task)
    further = FineTune(head="keep", schedule=QUICK).fit(tuned, task)
    assert adapter_of(further) == adapter_of(tuned)
    assert all(
        not torch.equal(p, dict(tuned.named_parameters())[n])
        for n, p in further.named_parameters()
        if n.startswith("encoder.blocks") and n.endswith("weight")
    )
