"""FLYP: the loss is the paper's, however few texts are encoded and however small the parts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from surefoot.context import RunContext
from surefoot.data.dataset import Task
from surefoot.errors import ModelError
from surefoot.evals.zero_shot import task_head
from surefoot.gradient_cache import cached_backward
from surefoot.methods.base import Method, as_dict
from surefoot.methods.flyp import FLYP, ImagesAndPrompts, both_towers
from surefoot.methods.flyp_ce import FLYPCE, _ImagesAndClasses
from surefoot.methods.parse import method_from
from surefoot.methods.wise_ft import WiseFT
from surefoot.models.load import load
from surefoot.models.model import Model
from surefoot.models.open_clip import towers as open_clip_loading
from surefoot.testing.samples import small_clip
from surefoot.train import Schedule
from surefoot.weights.fingerprint import fingerprint

from ..conftest import toy_model
from ..models import clips

TEMPLATES = ("a photo of a {}.", "a drawing of a {}", "{}")
QUICK = Schedule(epochs=1, batch_size=16, lr=1e-4, clip=None)
PLAIN = Schedule(epochs=1, batch_size=16, lr=1e-3, optimizer="sgd", weight_decay=0.0, clip=None)
METHODS: dict[str, Method] = {
    "flyp": FLYP(schedule=QUICK),
    "flyp-average": FLYP(schedule=QUICK, templates="average", multi_positive=True),
    "flyp-ce": FLYPCE(schedule=QUICK),
    "wise-ft": WiseFT(inner=FLYP(schedule=QUICK), alpha=0.3),
}


@pytest.fixture(scope="module")
def clip() -> Model:
    return load("tiny-clip")


@pytest.fixture
def prompted(task: Task) -> Task:
    return replace(task, templates=TEMPLATES)


def batch_of(task: Task, model: Model, n: int = 12) -> dict[str, torch.Tensor]:
    transform = model.spec.transform.eval()
    images = torch.stack([transform(task.train.images[i]) for i in range(n)])
    rng = np.random.default_rng(5)
    return {
        "image": images.to(next(model.encoder.parameters()).dtype),
        "label": torch.from_numpy(task.train.require_labels()[:n]),
        "index": torch.arange(n),
        "draw": torch.from_numpy(rng.integers(0, 2**62, n)),
    }


def gradients(model: Model) -> dict[str, torch.Tensor]:
    return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


def naive_texts(model: Model, task: Task, batch: Any, templates: str) -> torch.Tensor:
    """Every item's own prompts, encoded one item at a time."""
    rows = []
    for label, draw in zip(batch["label"].tolist(), batch["draw"].tolist(), strict=True):
        name = task.names_in_prompts[label]
        texts = [t.format(name) for t in task.templates]
        if templates == "random":
            texts = [texts[draw % len(texts)]]
        embedded = F.normalize(model.text(model.text.tokenize(texts)), dim=-1)
        rows.append(F.normalize(embedded.mean(dim=0), dim=-1))
    return torch.stack(rows)


@pytest.mark.parametrize("templates", ["random", "average"])
@pytest.mark.parametrize("part", [None, 2])
def test_distinct_prompts_give_the_naive_loss_and_gradients(
    templates: Any, part: int | None, clip: Model, prompted: Task
) -> None:
    model = both_towers(clip, prompted).double()
    objective = ImagesAndPrompts(model, prompted, templates=templates, multi_positive=False)
    objective.micro = part
    batch = batch_of(prompted, model)
    loss = objective(batch)
    loss.backward()
    ours = gradients(model)

    plain = both_towers(clip, prompted).double()
    images = F.normalize(plain.features(batch["image"]), dim=-1)
    logits = plain.logit_scale.exp() * images @ naive_texts(plain, prompted, batch, templates).T
    own = torch.arange(len(logits))
    naive = (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
    naive.backward()
    theirs = gradients(plain)

    torch.testing.assert_close(loss, naive, rtol=1e-12, atol=0)
    assert ours.keys() == theirs.keys() == dict(model.named_parameters()).keys()
    for name, gradient in theirs.items():
        torch.testing.assert_close(ours[name], gradient, rtol=1e-8, atol=1e-12, msg=name)


def test_each_distinct_prompt_is_encoded_once(clip: Model, prompted: Task) -> None:
    model = both_towers(clip, prompted)
    objective = ImagesAndPrompts(model, prompted, templates="random", multi_positive=False)
    seen: list[int] = []
    model.text.register_forward_pre_hook(lambda module, given: seen.append(len(given[0])))
    batch = batch_of(prompted, model)
    objective(batch)
    chosen = set(zip(batch["label"].tolist(), (batch["draw"] % 3).tolist(), strict=True))
    assert seen == [len(chosen)]
    assert len(chosen) < len(batch["label"])


def test_numbers_are_looked_at_where_the_loader_left_them(clip: Model, prompted: Task) -> None:
    """Not in the device's columns: the device would have to finish its work before it answers."""
    model = both_towers(clip, prompted)
    objective = ImagesAndPrompts(model, prompted, templates="random", multi_positive=False)
    accelerator = RunContext(device="cpu").accelerator()
    batch = batch_of(prompted, model)
    elsewhere = {**batch, "label": torch.zeros_like(batch["label"])}
    options = {"micro": 12, "size": 12, "accelerator": accelerator}
    expected = cached_backward(objective, batch, **options)
    assert cached_backward(objective, elsewhere, **options, host=batch) == expected
    assert "image" not in objective.host
    assert cached_backward(objective, elsewhere, **options) != expected


def test_the_loop_hands_over_what_the_loader_gave(
    clip: Model, prompted: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    said = ImagesAndPrompts.prompts
    monkeypatch.setattr(
        ImagesAndPrompts,
        "prompts",
        lambda self, label, draw: seen.append((self.host, label, draw)) or said(self, label, draw),
    )
    METHODS["flyp"].fit(clip, prompted)
    assert seen
    for host, label, draw in seen:
        assert set(host) == {"label", "index", "draw"}
        assert host["label"] is label
        assert host["draw"] is draw


def test_classes_of_one_name_share_their_prompts(clip: Model, prompted: Task) -> None:
    twins = replace(prompted, prompt_names=("circle", "circle", "bar"))
    objective = ImagesAndPrompts(
        both_towers(clip, twins), twins, templates="random", multi_positive=False
    )
    assert len(objective.table.tokens) == 6
    assert torch.equal(objective.table.rows[0], objective.table.rows[1])


def test_multi_positive_spreads_the_target_over_the_class(clip: Model, prompted: Task) -> None:
    model = both_towers(clip, prompted).double()
    objective = ImagesAndPrompts(model, prompted, templates="random", multi_positive=True)
    batch = batch_of(prompted, model)
    with torch.no_grad():
        images = F.normalize(model.features(batch["image"]), dim=-1)
        texts = naive_texts(model, prompted, batch, "random")
        logits = model.logit_scale.exp() * images @ texts.T
        same = batch["label"][:, None] == batch["label"][None, :]
        both = [
            -(side.log_softmax(dim=1) * same).sum(dim=1) / same.sum(dim=1)
            for side in (logits, logits.T)
        ]
        torch.testing.assert_close(objective(batch), (both[0] + both[1]).mean() / 2)


def test_flyp_ce_is_cross_entropy_over_class_prompts(clip: Model, prompted: Task) -> None:
    model = both_towers(clip, prompted).double()
    objective = _ImagesAndClasses(model, prompted, "average", 0.0)
    batch = batch_of(prompted, model)
    with torch.no_grad():
        head = task_head(model.float(), prompted).double()
        model.double()
        expected = F.cross_entropy(head(model.features(batch["image"])), batch["label"])
        torch.testing.assert_close(objective(batch), expected, rtol=1e-5, atol=1e-6)


def test_flyp_ce_draws_a_template_per_class_and_step(clip: Model, prompted: Task) -> None:
    model = both_towers(clip, prompted)
    objective = _ImagesAndClasses(model, prompted, "random", 0.0)
    batch = batch_of(prompted, model)
    with torch.no_grad():
        losses = [
            float(objective({**batch, "draw": torch.full((12,), step)})) for step in (1, 2, 3, 1)
        ]
    assert losses[0] == losses[3]
    assert len(set(losses)) > 1


@pytest.mark.parametrize("name", METHODS)
def test_the_contract(name: str, clip: Model, prompted: Task) -> None:
    before = fingerprint(clip)
    method = METHODS[name]
    first = method.fit(clip, prompted, seed=1)
    assert fingerprint(clip) == before
    assert clip.head is None
    assert fingerprint(first) == fingerprint(method.fit(clip, prompted, seed=1))
    assert fingerprint(first) != fingerprint(method.fit(clip, prompted, seed=2))
    assert first.require_head().class_names == prompted.class_names
    assert all(p.requires_grad for p in first.parameters())
    assert not first.training
    assert prompted.test.images.decoded == 0  # type: ignore[attr-defined]
    assert method_from(as_dict(method)) == method


@pytest.mark.parametrize("name", ["flyp", "flyp-ce"])
def test_both_towers_move_and_the_tuned_text_tower_writes_the_head(
    name: str, clip: Model, prompted: Task
) -> None:
    tuned = METHODS[name].fit(clip, prompted)
    for part in ("encoder", "text"):
        assert fingerprint(getattr(tuned, part)) != fingerprint(getattr(clip, part))
    assert not torch.equal(tuned.logit_scale, clip.logit_scale)
    assert fingerprint(tuned.head) == fingerprint(task_head(tuned, prompted))
    assert tuned.head.kind == "zero_shot"


@pytest.mark.parametrize("kind", [FLYP, FLYPCE])
def test_gradient_caching_does_not_change_the_result(
    kind: Any, clip: Model, prompted: Task
) -> None:
    whole = kind(schedule=PLAIN).fit(clip, prompted)
    parts = kind(schedule=replace(PLAIN, micro_batch=5)).fit(clip, prompted)
    moved = 0.0
    for name, tensor in whole.state_dict().items():
        torch.testing.assert_close(parts.state_dict()[name], tensor, rtol=1e-4, atol=1e-6)
        start = clip.state_dict().get(name)
        moved += 0.0 if start is None else float((tensor - start).abs().max())
    assert moved > 1e-3


def test_it_learns(clip: Model, prompted: Task) -> None:
    rows: list[Any] = []
    FLYPCE(schedule=replace(QUICK, epochs=4, lr=1e-3)).fit(
        clip, prompted, run=RunContext(log=rows.append)
    )
    losses = [r["loss"] for r in rows if "val" in r]
    assert losses[-1] < 0.5 * losses[0]
    assert {r["stage"] for r in rows} == {"flyp-ce"}


def test_open_clips_towers(prompted: Task) -> None:
    parts = open_clip_loading.split(clips.clip(quick_gelu=False), {"config": clips.CONFIG})
    spec = replace(load("tiny-clip").spec, name="small-open-clip")
    start = parts.model(spec)
    tuned = FLYP(schedule=QUICK).fit(start, prompted)
    assert tuned.head.weight.shape == (3, 24)
    assert fingerprint(tuned.text) != fingerprint(start.text)


@pytest.mark.parametrize("method", [FLYP(), FLYPCE()], ids=["flyp", "flyp-ce"])
def test_without_a_text_tower_it_says_so(method: Method, task: Task) -> None:
    with pytest.raises(ModelError, match="no text tower"):
        method.fit(toy_model(), task)


def test_the_defaults_are_the_papers_for_imagenet() -> None:
    for method in (FLYP(), FLYPCE()):
        s = method.schedule
        assert (s.lr, s.weight_decay, s.batch_size, s.epochs, s.clip) == (1e-5, 0.1, 512, 10, None)
        assert s.warmup(1_281_167 // 512 * 10) == 500
        assert method.templates == "random"


def siglip() -> Model:
    """The small CLIP as if the sigmoid loss had pretrained it: with a logit bias."""
    model = small_clip()
    model.text.logit_bias = torch.nn.Parameter(torch.tensor([-4.0]))
    return model


@pytest.mark.parametrize("templates", ["random", "average"])
def test_a_siglip_is_tuned_by_its_own_loss(templates: Any, prompted: Task) -> None:
    """Pair by pair, as arXiv 2303.15343, algorithm 1, has it; the bias trains too."""
    model = both_towers(siglip(), prompted).double()
    objective = ImagesAndPrompts(model, prompted, templates=templates, multi_positive=False)
    batch = batch_of(prompted, model)
    loss = objective(batch)
    loss.backward()
    ours = gradients(model)

    plain = both_towers(siglip(), prompted).double()
    images = F.normalize(plain.features(batch["image"]), dim=-1)
    texts = naive_texts(plain, prompted, batch, templates)
    pairs = []
    for i, image in enumerate(images):
        for j, text in enumerate(texts):
            logit = plain.logit_scale.exp() * (image @ text) + plain.text.logit_bias
            pairs.append(F.softplus(-logit if i == j else logit))
    naive = torch.stack(pairs).sum() / len(images)
    naive.backward()
    theirs = gradients(plain)

    torch.testing.assert_close(loss, naive, rtol=1e-12, atol=0)
    assert "text.logit_bias" in ours
    assert ours.keys() == theirs.keys() == dict(model.named_parameters()).keys()
    for name, gradient in theirs.items():
        torch.testing.assert_close(ours[name], gradient, rtol=1e-8, atol=1e-12, msg=name)


def test_the_sigmoid_loss_goes_through_the_gradient_cache(prompted: Task) -> None:
    accelerator = RunContext(device="cpu").accelerator()
    found = []
    for micro in (12, 5):
        model = both_towers(siglip(), prompted).double()
        objective = ImagesAndPrompts(model, prompted, templates="random", multi_positive=True)
        loss = cached_backward(objective, batch_of(prompted, model), micro=micro, size=12,
                               accelerator=accelerator)  # fmt: skip
        found.append((loss, gradients(model)))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-12)
    for name, gradient in found[0][1].items():
        torch.testing.assert_close(found[1][1][name], gradient, rtol=1e-8, atol=1e-12, msg=name)


def test_which_loss_is_recorded_and_can_be_chosen(clip: Model, prompted: Task) -> None:
    def said(model: Model, loss: Any) -> tuple[str, Model]:
        told: list[str] = []
        method = FLYP(schedule=QUICK, loss=loss)
        tuned = method.fit(model, prompted, run=RunContext(tell=told.append))
        return " ".join(told), tuned

    start = siglip()
    words, tuned = said(start, "pretraining")
    assert "loss: sigmoid" in words
    assert tuned.text.logit_bias != start.text.logit_bias
    words, tuned = said(start, "softmax")
    assert "loss: symmetric InfoNCE" in words
    assert "loss: symmetric InfoNCE" in said(clip, "pretraining")[0]
    with pytest.raises(ModelError, match="no logit bias, which the sigmoid loss needs"):
        said(clip, "sigmoid")


def test_the_logit_bias_is_found_in_open_clips_towers() -> None:
    import open_clip

    biased = open_clip.CLIP(**clips.CONFIG, init_logit_bias=-10.0)
    parts = open_clip_loading.split(biased, {"config": clips.CONFIG})
    assert float(parts.text.logit_offset.detach()) == -10.0
    plain = open_clip_loading.split(clips.clip(quick_gelu=False), {"config": clips.CONFIG})
    assert plain.text.logit_offset is None
