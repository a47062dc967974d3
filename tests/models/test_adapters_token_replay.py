"""Token Replay, our reading: nothing at first, and afterwards what a slow plain reference says."""

from __future__ import annotations

import math
from pathlib import Path as File
from typing import Any

import pytest
import timm
import torch
from torch import Tensor

from surefoot.errors import ModelError
from surefoot.models.adapters import (
    FiLMAdapter,
    TokenReplayAdapter,
    adapter_names,
    adapter_of,
    as_initialised,
    features_and_replay_loss,
    fold,
    insert,
    without_replay,
)
from surefoot.models.heads import zeros_head
from surefoot.models.model import Model
from surefoot.models.save import load_saved, save_model
from surefoot.paths import Path
from surefoot.weights.fingerprint import fingerprint

from ..conftest import toy_model
from .vits import KINDS, adapter_size, features, pixels, stir_adapter, timm_spec, vit

ADAPTERS = {
    "shared": TokenReplayAdapter(m=4),
    "own": TokenReplayAdapter(m=3, share=False),
    "two passes": TokenReplayAdapter(m=4, two_pass=True),
    "two passes, own": TokenReplayAdapter(m=2, share=False, two_pass=True),
}
each_adapter = pytest.mark.parametrize("adapter", ADAPTERS.values(), ids=ADAPTERS)


@pytest.mark.parametrize("kind", KINDS)
@each_adapter
def test_gates_of_0_are_exactly_the_pretrained_model(
    kind: str, adapter: TokenReplayAdapter
) -> None:
    model = vit(kind)
    before = fingerprint(model)
    adapted = insert(model, adapter)
    assert torch.equal(features(adapted), features(model))
    for name, parameter in adapted.named_parameters():
        if name.endswith("tokens"):
            torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(0))
    assert torch.equal(features(adapted), features(model))
    assert fingerprint(model) == before
    assert any("our reading" in note for note in adapted.spec.notes)


# The reference: one image, one head, one query and one bank token at a time.


def reference(model: Model, adapter: TokenReplayAdapter, image: Tensor) -> Tensor:
    """Features (d,) of one image (3, h, w), in plain loops over the model's own tensors."""
    root: Any = model.encoder
    if hasattr(root, "transformer"):
        blocks, x = root.transformer.resblocks, root._embeds(image[None])[0]
    else:
        blocks, x = root.blocks, root.norm_pre(root._pos_embed(root.patch_embed(image[None])))[0]
    tokens = _stack(root, blocks, x, adapter, fed=None)
    if adapter.two_pass:
        tokens = _stack(root, blocks, x, adapter, fed=tokens)
    if hasattr(root, "transformer"):
        pooled: Tensor = root.ln_post(tokens)[0] @ root.proj
        return pooled
    out: Tensor = root.forward_head(root.norm(tokens)[None])[0]
    return out


def _stack(
    root: Any, blocks: Any, x: Tensor, adapter: TokenReplayAdapter, fed: Tensor | None
) -> Tensor:
    for block in blocks:
        owner = root.replay if adapter.share else block.attn.replay
        bank = list(owner.bank.tokens) + ([] if fed is None else list(fed))
        norm1, norm2 = (getattr(block, n, None) or getattr(block, o)
                        for n, o in (("norm1", "ln_1"), ("norm2", "ln_2")))  # fmt: skip
        normed, bank = [norm1(t) for t in x], [norm1(t) for t in bank]
        x = x + _attention(block.attn, normed, bank)
        x = x + block.mlp(norm2(x))
    return x


def _attention(attn: Any, tokens: list[Tensor], bank: list[Tensor]) -> Tensor:
    if isinstance(attn, torch.nn.MultiheadAttention):
        weight, bias, project = attn.in_proj_weight, attn.in_proj_bias, attn.out_proj
    else:
        weight, bias, project = attn.qkv.weight, attn.qkv.bias, attn.proj
    d, heads = weight.shape[1], attn.num_heads
    size = d // heads

    def part(which: int, head: int, token: Tensor) -> Tensor:
        rows = slice(which * d + head * size, which * d + (head + 1) * size)
        out: Tensor = weight[rows] @ token + bias[rows]
        norm = {0: "q_norm", 1: "k_norm"}.get(which, "")
        return getattr(attn, norm)(out) if hasattr(attn, norm) else out

    def look(head: int, query: Tensor, others: list[Tensor]) -> Tensor:
        scores = [float(query @ part(1, head, o)) / math.sqrt(size) for o in others]
        odds = [math.exp(s - max(scores)) for s in scores]
        values = [part(2, head, o) for o in others]
        return sum(w / sum(odds) * v for w, v in zip(odds, values, strict=True))  # type: ignore

    rows = []
    for token in tokens:
        found = []
        for head in range(heads):
            query = part(0, head, token)
            gate = attn.replay.gate[head]
            found.append(look(head, query, tokens) + gate * look(head, query, bank))
        rows.append(project(torch.cat(found)))
    return torch.stack(rows)


@pytest.mark.parametrize("kind", ["test_vit", "qk_norm", "open_clip"])
@each_adapter
def test_it_equals_the_plain_reference(kind: str, adapter: TokenReplayAdapter) -> None:
    args = {"qk_norm": kind == "qk_norm", "depth": 2}
    model = vit("open_clip" if kind == "open_clip" else timm_spec(img_size=16, **args)).double()
    adapted = insert(model, adapter)
    stir_adapter(adapted, size=1.0)
    images = torch.randn(
        2, 3, *((32, 32) if kind == "open_clip" else (16, 16)), dtype=torch.float64,
        generator=torch.Generator().manual_seed(3),
    )  # fmt: skip
    with torch.no_grad():
        expected = torch.stack([reference(adapted, adapter, image) for image in images])
    got = features(adapted, images)
    torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)
    assert (got - features(model, images)).abs().max() > 1e-3


def test_vit_b_16_has_7680_and_144_parameters() -> None:
    with torch.device("meta"):
        encoder = timm.create_model("vit_base_patch16_224", num_classes=0)
    model = Model(encoder, spec=timm_spec(), feature_dim=768)
    adapted = insert(model, TokenReplayAdapter())
    assert adapter_size(adapted) == 7_680 + 144
    assert "Token Replay adapters (our reading), 7,824 parameters" in adapted.spec.notes
    assert adapter_size(insert(model, TokenReplayAdapter(share=False))) == 12 * 7_680 + 144


@pytest.mark.parametrize("kind", ["test_vit", "open_clip", "tiny-dino"])
@each_adapter
def test_gradients_reach_only_the_adapter_and_the_head(
    kind: str, adapter: TokenReplayAdapter
) -> None:
    model = vit(kind)
    model.head = zeros_head(model, ("a", "b"))
    adapted = insert(model, adapter)
    stir_adapter(adapted)
    torch.nn.init.normal_(adapted.head.weight, generator=torch.Generator().manual_seed(0))
    adapted(pixels()).square().sum().backward()
    reached = {n for n, p in adapted.named_parameters() if p.grad is not None and p.grad.any()}
    assert reached == {*adapter_names(adapted), "head.weight", "head.bias"}
    assert reached == {n for n, p in adapted.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("kind", ["test_vit", "open_clip"])
@each_adapter
def test_gradients_are_those_of_finite_differences(kind: str, adapter: TokenReplayAdapter) -> None:
    adapted = insert(vit(kind).double(), adapter)
    stir_adapter(adapted)
    images = pixels(2).double()
    named = dict(adapted.named_parameters())
    generator = torch.Generator().manual_seed(5)
    names = adapter_names(adapted)
    away = {n: torch.randn(named[n].shape, generator=generator).double() for n in names}

    def value(t: float) -> Tensor:
        with torch.no_grad():
            for n in names:
                named[n].add_(t * away[n])
        out = adapted.features(images).square().sum()
        with torch.no_grad():
            for n in names:
                named[n].sub_(t * away[n])
        return out

    adapted.features(images).square().sum().backward()
    slope = sum(float((named[n].grad * away[n]).sum()) for n in names)
    with torch.no_grad():
        measured = float(value(1e-5) - value(-1e-5)) / 2e-5
    assert slope == pytest.approx(measured, rel=1e-5)


@each_adapter
def test_the_pretrained_end_of_a_path_is_the_adapter_as_initialised(
    adapter: TokenReplayAdapter,
) -> None:
    model = vit("test_vit")
    tuned = insert(model, adapter)
    stir_adapter(tuned)
    path = Path(model, tuned)
    start = insert(model, adapter)
    assert fingerprint(path.at(0)) == fingerprint(start)
    assert torch.equal(features(path.at(0)), features(model))
    assert fingerprint(path.at(1)) == fingerprint(tuned)
    mixed, zero, one = (dict(m.named_parameters()) for m in (path.at(0.4), start, tuned))
    for name in mixed:
        expected = 0.6 * zero[name].double() + 0.4 * one[name].double()
        torch.testing.assert_close(mixed[name].double(), expected, rtol=1e-5, atol=1e-7)
    gates = [n for n in mixed if n.endswith("gate")]
    assert len(gates) == len(model.encoder.blocks)
    assert all(torch.allclose(mixed[n], 0.4 * one[n]) for n in gates)
    assert as_initialised(tuned, tuned) is tuned
    assert as_initialised(model, model) is model


@pytest.mark.parametrize("kind", KINDS)
@each_adapter
def test_a_file_brings_it_back(kind: str, adapter: TokenReplayAdapter, tmp_path: File) -> None:
    adapted = insert(vit(kind), adapter)
    stir_adapter(adapted)
    save_model(adapted, tmp_path / "m.safetensors")
    again = load_saved(tmp_path / "m.safetensors")
    assert fingerprint(again) == fingerprint(adapted)
    assert torch.equal(features(again), features(adapted))
    assert adapter_of(again) == adapter
    assert again.spec.to_json() == adapted.spec.to_json()


def test_the_shared_bank_is_one_tensor_in_file_and_copy(tmp_path: File) -> None:
    adapted = insert(vit("test_vit"), TokenReplayAdapter())
    save_model(adapted, tmp_path / "m.safetensors")
    for model in (adapted, adapted.clone(), load_saved(tmp_path / "m.safetensors")):
        banks = [n for n in model.state_dict() if n.endswith("tokens")]
        assert banks == ["encoder.replay.bank.tokens"]
        stir_adapter(model)
        before = features(model)
        with torch.no_grad():
            model.encoder.replay.bank.tokens.add_(1.0 * torch.arange(64) / 64)
        assert not torch.equal(features(model), before)


def test_copies_share_nothing() -> None:
    adapted = insert(vit("test_vit"), ADAPTERS["two passes"])
    stir_adapter(adapted)
    before = features(adapted)
    copy = adapted.clone()
    stir_adapter(copy, seed=7)
    for parameter in copy.encoder.parameters():
        parameter.data.mul_(1.1)
    assert torch.equal(features(adapted), before)


def test_the_seed_draws_the_bank() -> None:
    def bank(seed: int) -> Tensor:
        return insert(vit("test_vit"), TokenReplayAdapter(seed=seed)).encoder.replay.bank.tokens

    state = torch.random.get_rng_state()
    assert torch.equal(bank(1), bank(1))
    assert not torch.equal(bank(1), bank(2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert 0.015 < float(bank(3).detach().std()) < 0.025


@pytest.mark.parametrize("kind", ["test_vit", "open_clip", "tiny-dino"])
@each_adapter
def test_the_replay_loss_is_0_at_the_start_and_then_the_drift_of_the_tokens(
    kind: str, adapter: TokenReplayAdapter
) -> None:
    model = vit(kind).double()
    adapted = insert(model, adapter)
    images = pixels().double()
    _, loss = features_and_replay_loss(adapted, images)
    assert float(loss.detach()) < 1e-12
    stir_adapter(adapted)
    seen, loss = features_and_replay_loss(adapted, images)
    torch.testing.assert_close(seen.detach(), features(adapted, images))
    tuned, kept = _tokens(adapted, images), _tokens(model, images)
    expected = ((tuned - kept) ** 2).mean()
    torch.testing.assert_close(loss.detach().double(), expected, rtol=1e-5, atol=0)
    loss.backward()
    reached = {n for n, p in adapted.named_parameters() if p.grad is not None and p.grad.any()}
    assert reached == set(adapter_names(adapted))


def _tokens(model: Model, images: Tensor) -> Tensor:
    """The tokens after the blocks, each with mean 0 and variance 1 over its channels."""
    root: Any = model.encoder
    with torch.no_grad():
        if hasattr(root, "transformer"):
            tokens = root.transformer(root._embeds(images))
        else:
            tokens = root.blocks(root.norm_pre(root._pos_embed(root.patch_embed(images))))
    centred = tokens - tokens.mean(dim=-1, keepdim=True)
    return centred / (centred.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt()


def test_without_replay_is_the_pretrained_model_for_a_while() -> None:
    model = vit("test_vit")
    adapted = insert(model, ADAPTERS["two passes"])
    stir_adapter(adapted)
    before = features(adapted)
    with without_replay(adapted.encoder):
        assert torch.equal(features(adapted), features(model))
    assert torch.equal(features(adapted), before)


def test_a_failed_pass_leaves_no_trace() -> None:
    adapted = insert(vit("test_vit"), ADAPTERS["two passes"])
    stir_adapter(adapted)
    before = features(adapted)

    def fail(*_: object) -> None:
        raise RuntimeError("out of memory")

    last = adapted.encoder.blocks[-1]
    handle = last.attn.proj.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        features(adapted)
    handle.remove()
    assert torch.equal(features(adapted), before)


def test_what_does_not_fit_is_refused() -> None:
    eva = timm.models.eva.Eva(
        img_size=32, patch_size=16, embed_dim=32, depth=1, num_heads=2, num_classes=0
    )
    for encoder, says in (
        (toy_model().encoder, "no transformer blocks"),
        (eva, r"not known to be x \+ attn"),
        (vit(timm_spec(scale_attn_norm=True)).encoder, "not plain attention"),
    ):
        with pytest.raises(ModelError, match=says):
            insert(Model(encoder, spec=timm_spec(), feature_dim=4), TokenReplayAdapter())
    adapted = insert(vit("test_vit"), TokenReplayAdapter())
    with pytest.raises(ModelError, match="cannot be folded") as caught:
        fold(adapted)
    assert "save_model" in str(caught.value)
    with pytest.raises(ModelError, match="carries a token-replay adapter already") as caught:
        insert(adapted, FiLMAdapter())
    assert "start from the plain model" in str(caught.value)
    with pytest.raises(ModelError, match="0 tokens"):
        TokenReplayAdapter(m=0)


def test_two_passes_and_checkpointed_blocks_do_not_go_together() -> None:
    model = vit("test_vit")
    model.encoder.set_grad_checkpointing(True)
    with pytest.raises(ModelError, match="two_pass cannot run twice"):
        insert(model, ADAPTERS["two passes"])
