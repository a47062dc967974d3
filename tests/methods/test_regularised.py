"""Regularised, averaged and partial fine-tuning: each against its definition written out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import nn

from surefoot.context import RunContext
from surefoot.data.dataset import Task
from surefoot.errors import ModelError
from surefoot.methods.base import Classify, Method, as_dict
from surefoot.methods.ema import EMA
from surefoot.methods.ft import FineTune
from surefoot.methods.gradual import GradualUnfreezing, _Opening
from surefoot.methods.l2_sp import L2SP, _Leashed
from surefoot.methods.parse import method_from
from surefoot.methods.partial import BiasOnly, LastBlocks, NormOnly
from surefoot.methods.swa import SWA
from surefoot.methods.wise_ft import WiseFT
from surefoot.methods.zero_shot import ZeroShot
from surefoot.models.blocks import block_names, layers
from surefoot.models.load import load
from surefoot.models.model import Model
from surefoot.train import Schedule
from surefoot.weights.fingerprint import fingerprint

from ..conftest import toy_model

QUICK = Schedule(epochs=1, batch_size=16, lr=1e-3)
FLAT = Schedule(epochs=4, batch_size=16, lr=1e-2, warmup_steps=0, decay="constant")
TUNE = FineTune(schedule=QUICK)
TOY = FineTune(head="random", schedule=FLAT)
METHODS: dict[str, Method] = {
    "l2-sp": L2SP(tune=TUNE, alpha=0.1),
    "ema": EMA(tune=TUNE, decay=0.7),
    "swa": SWA(tune=TUNE, every=1, start=0.3),
    "gradual": GradualUnfreezing(tune=TUNE),
    "last-blocks": LastBlocks(tune=TUNE, k=2),
    "norm-only": NormOnly(tune=TUNE),
    "bias-only": BiasOnly(tune=TUNE),
}


@pytest.fixture(scope="module")
def clip() -> Model:
    return load("tiny-clip")


def same(a: nn.Module, b: nn.Module, *, tolerance: float = 0.0) -> bool:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.allclose(x, y, rtol=tolerance, atol=tolerance) for x, y in pairs)


def changed(before: nn.Module, after: nn.Module) -> set[str]:
    """Names of parameters and buffers that are not bit for bit what they were."""
    now = after.state_dict()
    return {k for k, v in before.state_dict().items() if not torch.equal(v, now[k])}


def visited(task: Task, tune: FineTune = TOY, **model: Any) -> list[dict[str, torch.Tensor]]:
    """Weights at the start and after every step of plain fine-tuning."""
    tuned = tune.prepare(toy_model(**model), task, seed=0)

    def now() -> dict[str, torch.Tensor]:
        return {k: v.detach().clone() for k, v in tuned.state_dict().items()}

    seen = [now()]
    tune.train(
        Classify(tuned), tuned, task, seed=0, run=RunContext(),
        after_step=lambda step: seen.append(now()),
    )  # fmt: skip
    return seen


@pytest.mark.parametrize("name", METHODS)
def test_the_contract(name: str, clip: Model, task: Task) -> None:
    method, before = METHODS[name], fingerprint(clip)
    first = method.fit(clip, task, seed=1)
    assert fingerprint(clip) == before
    assert clip.head is None
    assert fingerprint(first) == fingerprint(method.fit(clip, task, seed=1))
    assert fingerprint(first.text) == fingerprint(clip.text)
    assert first.require_head().class_names == task.class_names
    assert all(p.requires_grad for p in first.parameters())
    assert not first.training
    assert task.test.images.decoded == 0  # type: ignore[attr-defined]
    assert method_from(as_dict(method)) == method
    assert method_from(name).name == name


@pytest.mark.parametrize("name", METHODS)
def test_wise_ft_goes_over_it(name: str, clip: Model, task: Task) -> None:
    mixed = WiseFT(inner=METHODS[name], alpha=0.0).fit(clip, task)
    assert fingerprint(mixed) == fingerprint(ZeroShot().fit(clip, task))


@pytest.mark.parametrize(
    "method",
    [
        L2SP(tune=TOY), EMA(tune=TOY), SWA(tune=TOY), GradualUnfreezing(tune=TOY),
        LastBlocks(tune=TOY), NormOnly(tune=TOY), BiasOnly(tune=TOY),
    ],
    ids=lambda m: m.name,
)  # fmt: skip
def test_models_without_text_or_library(method: Method, task: Task) -> None:
    tuned = method.fit(toy_model(batch_norm=True), task)
    assert tuned.require_head().weight.shape == (3, 12)


# L2-SP


def test_l2_sp_without_a_pull_is_fine_tuning(task: Task) -> None:
    assert same(L2SP(alpha=0.0, tune=TOY).fit(toy_model(), task), TOY.fit(toy_model(), task))


def test_l2_sp_stays_closer_the_stronger_it_pulls(task: Task) -> None:
    start = toy_model()

    def distance(alpha: float) -> float:
        tuned = L2SP(alpha=alpha, tune=TOY).fit(start, task)
        pairs = zip(tuned.encoder.parameters(), start.encoder.parameters(), strict=True)
        return sum(float((a - b).detach().square().sum()) for a, b in pairs)

    weak, middle, strong = (distance(a) for a in (0.0, 1.0, 100.0))
    assert strong < middle < weak


def test_l2_sp_is_its_formula(task: Task) -> None:
    model = TOY.prepare(toy_model(), task, seed=0)
    leashed = _Leashed(model, alpha=0.3, beta=0.2, label_smoothing=0.0)
    batch = {"image": torch.randn(4, 3, 16, 16), "label": torch.tensor([0, 1, 2, 0])}
    plain = Classify(model)(batch)
    head = model.head.weight.square().sum() + model.head.bias.square().sum()
    torch.testing.assert_close(leashed(batch), plain + 0.1 * head)
    with torch.no_grad():
        for p in model.encoder.parameters():
            p.add_(0.1)
    count = sum(p.numel() for p in model.encoder.parameters())
    expected = Classify(model)(batch) + 0.15 * 0.01 * count + 0.1 * head
    torch.testing.assert_close(leashed(batch), expected)


def test_l2_sps_penalty_does_not_depend_on_the_parts(task: Task) -> None:
    sgd = replace(FLAT, optimizer="sgd")
    whole, parts = (
        L2SP(alpha=1.0, tune=FineTune(head="random", schedule=s)).fit(toy_model(), task)
        for s in (sgd, replace(sgd, micro_batch=5))
    )
    assert same(whole, parts, tolerance=1e-5)


@pytest.mark.parametrize("field", ["alpha", "beta"])
def test_l2_sp_refuses_a_push(field: str) -> None:
    with pytest.raises(ModelError, match=field):
        L2SP(**{field: -1.0})


# Averages


@pytest.mark.parametrize("decay", [0.0, 0.6, 0.95])
def test_ema_is_its_recurrence(decay: float, task: Task) -> None:
    seen = visited(task)
    average = {k: v.double() for k, v in seen[0].items()}
    for weights in seen[1:]:
        average = {k: decay * average[k] + (1 - decay) * v.double() for k, v in weights.items()}
    tuned = EMA(decay=decay, tune=TOY).fit(toy_model(), task).state_dict()
    for name, value in average.items():
        torch.testing.assert_close(tuned[name].double(), value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("method", "taken"),
    [
        (SWA(tune=TOY), [12]),
        (SWA(start=0.5, tune=TOY), [9, 12]),
        (SWA(start=0.0, tune=TOY), [3, 6, 9, 12]),
        (SWA(start=0.5, every=2, tune=TOY), [8, 10, 12]),
    ],
)
def test_swa_is_the_mean_of_what_it_takes(method: SWA, taken: list[int], task: Task) -> None:
    seen = visited(task)
    tuned = method.fit(toy_model(), task).state_dict()
    for name, value in tuned.items():
        mean = torch.stack([seen[step][name].double() for step in taken]).mean(dim=0)
        torch.testing.assert_close(value.double(), mean, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", [SWA(start=0.0, tune=TOY), EMA(decay=0.5, tune=TOY)])
def test_an_average_gets_batch_norm_statistics_of_its_own(method: Method, task: Task) -> None:
    tuned = method.fit(toy_model(batch_norm=True), task)
    transform = tuned.spec.transform.eval()
    images = torch.stack([transform(task.train.images[i]) for i in range(len(task.train))])
    before = tuned.encoder.layers[0](images).detach()
    norm = tuned.encoder.layers[1]
    torch.testing.assert_close(norm.running_mean, before.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(norm.running_var, before.var(dim=(0, 2, 3)))


def test_in_eval_mode_an_average_keeps_the_statistics(task: Task) -> None:
    start = toy_model(batch_norm=True)
    tuned = EMA(tune=replace(TOY, eval_mode=True)).fit(start, task)
    assert torch.equal(tuned.encoder.layers[1].running_mean, start.encoder.layers[1].running_mean)


@pytest.mark.parametrize(
    "method",
    [EMA(decay=0.9, tune=TOY), SWA(start=0.0, tune=TOY), GradualUnfreezing(tune=TOY)],
    ids=lambda m: m.name,
)
def test_a_killed_run_resumes_to_the_same_weights(
    method: Method, task: Task, tmp_path: Path
) -> None:
    class Killed(Exception):
        pass

    def die(row: Any) -> None:
        if row.get("epoch") == 3 and "val" in row:
            raise Killed

    whole = method.fit(toy_model(), task)
    with pytest.raises(Killed):
        method.fit(toy_model(), task, run=RunContext(checkpoints=tmp_path, log=die))
    rows: list[Any] = []
    again = RunContext(checkpoints=tmp_path, resume=True, log=rows.append)
    assert same(method.fit(toy_model(), task, run=again), whole)
    assert rows[0]["note"] == "resumed after epoch 2 of 4"


def test_validation_during_an_average_is_of_the_average(task: Task) -> None:
    """With a decay of nearly 1 the average never leaves the start, so its top-1 never changes."""
    rows: list[Any] = []
    still = EMA(decay=1 - 1e-9, tune=TOY)
    still.fit(toy_model(), task, run=RunContext(log=rows.append))
    assert len({r["val"] for r in rows if "val" in r}) == 1


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (EMA, {"decay": 1.0}, "decay of EMA is 1.0"),
        (EMA, {"decay": -0.1}, "decay of EMA"),
        (SWA, {"start": 1.0}, "start of SWA"),
        (SWA, {"every": 0}, "every 0 steps"),
        (GradualUnfreezing, {"full_at": 0.0}, "full_at is 0.0"),
        (LastBlocks, {"k": -1}, "last -1 blocks"),
    ],
)
def test_values_that_make_no_sense_are_refused(kind: Any, fields: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        kind(**fields)


# Parts


def test_gradual_unfreezing_opens_from_the_head_down(task: Task) -> None:
    model = TOY.prepare(toy_model(), task, seed=0)
    opening = _Opening(model, steps=6, label_smoothing=0.0)
    batch = {"image": torch.randn(4, 3, 16, 16), "label": torch.tensor([0, 1, 2, 0])}
    trained = []
    for step in range(8):
        opening.count(step)
        opening(batch)
        trained.append(
            [n for n, p in model.named_parameters() if p.requires_grad and n.endswith("weight")]
        )
    head, top, all_of_it = (
        ["head.weight"],
        ["encoder.layers.4.weight", "head.weight"],
        ["encoder.layers.0.weight", "encoder.layers.4.weight", "head.weight"],
    )
    assert trained == [head, head, top, top, all_of_it, all_of_it, all_of_it, all_of_it]


def test_gradual_unfreezing_leaves_the_encoder_alone_at_first(task: Task) -> None:
    """One step of one: weight decay and momentum must not reach what is frozen either."""
    one = replace(FLAT, epochs=1, batch_size=45, weight_decay=0.5)
    start = toy_model()
    method = GradualUnfreezing(full_at=1.0, tune=FineTune(head="zeros", schedule=one))
    assert not changed(start.encoder, method.fit(start, task).encoder)
    full = method.fit(start, task)
    assert full.head.weight.abs().max() > 0


def test_last_blocks_leaves_the_rest_bit_for_bit(clip: Model, task: Task) -> None:
    tuned = METHODS["last-blocks"].fit(clip, task)
    moved = changed(clip.encoder, tuned.encoder)
    assert {n.rsplit(".", 1)[0].split(".")[0] for n in moved} == {"blocks", "norm", "head"}
    assert {n.split(".")[1] for n in moved if n.startswith("blocks")} == {"4", "5"}
    nothing = LastBlocks(tune=TUNE, k=0).fit(clip, task)
    assert {n.split(".")[0] for n in changed(clip.encoder, nothing.encoder)} == {"norm", "head"}


def test_frozen_batch_norm_keeps_its_statistics(task: Task) -> None:
    start = toy_model(batch_norm=True)
    tuned = LastBlocks(k=1, tune=TOY).fit(start, task)
    moved = changed(start.encoder, tuned.encoder)
    assert moved == {"layers.4.weight", "layers.4.bias"}


def test_norm_only_trains_norms_only(clip: Model, task: Task) -> None:
    tuned = METHODS["norm-only"].fit(clip, task)
    moved = changed(clip.encoder, tuned.encoder)
    norms = {n for n, _ in clip.encoder.named_parameters() if "norm" in n}
    assert moved == norms
    toy = toy_model(batch_norm=True)
    moved = changed(toy.encoder, NormOnly(tune=TOY).fit(toy, task).encoder)
    assert moved == {k for k in toy.encoder.state_dict() if k.startswith("layers.1.")}


def test_bias_only_trains_biases_only(clip: Model, task: Task) -> None:
    tuned = METHODS["bias-only"].fit(clip, task)
    moved = changed(clip.encoder, tuned.encoder)
    biases = {n for n, _ in clip.encoder.named_parameters() if n.endswith("bias")}
    assert moved == biases


def test_too_many_blocks_and_nothing_to_train_say_so(task: Task) -> None:
    with pytest.raises(ModelError, match=r"last 9 blocks of toy .* it has 2"):
        LastBlocks(k=9, tune=TOY).fit(toy_model(), task)
    with pytest.raises(ModelError, match="nothing in its encoder that norm-only would train"):
        NormOnly(tune=TOY).fit(toy_model(), task)


# Depth


@pytest.mark.parametrize(
    ("name", "count", "first", "last", "stem", "top"),
    [
        ("vit_tiny_patch16_224", 12, "blocks.0", "blocks.11", "patch_embed.proj.weight",
         "norm.weight"),
        ("resnet18", 8, "layer1.0", "layer4.1", "conv1.weight", None),
        ("convnext_atto", 12, "stages.0.blocks.0", "stages.3.blocks.1", "stem.0.weight",
         "head.norm.weight"),
        ("regnetx_002", 4, "s1", "s4", "stem.conv.weight", None),
    ],
)  # fmt: skip
def test_blocks_of_timm(
    name: str, count: int, first: str, last: str, stem: str, top: str | None
) -> None:
    encoder = timm.create_model(name, num_classes=0)
    blocks = block_names(encoder)
    assert (len(blocks), blocks[0], blocks[-1]) == (count, first, last)
    depth = layers(encoder)
    assert depth[stem] == 0
    assert set(depth) == {n for n, _ in encoder.named_parameters()}
    assert max(depth.values()) == count + (top is not None)
    assert top is None or depth[top] == count + 1
    if name == "convnext_atto":
        assert depth["stages.1.downsample.1.weight"] == depth["stages.1.blocks.0.conv_dw.weight"]


def test_blocks_of_clips_towers(clip: Model) -> None:
    from surefoot.models.open_clip.towers import split

    from ..models import clips

    parts = split(clips.clip(quick_gelu=False), {"config": clips.CONFIG})
    image, text = layers(parts.encoder), layers(parts.text)
    assert (image["class_embedding"], image["ln_pre.weight"], image["proj"]) == (0, 0, 3)
    assert text["model.token_embedding.weight"] == 0
    assert text["model.text_projection"] == text["model.ln_final.weight"] == 3
    assert layers(clip.text)["embed.weight"] == 0
    assert max(layers(clip.encoder).values()) == 7
