"""FiLM: the identity at first, folded exactly afterwards, on every family of encoder."""

from __future__ import annotations

from pathlib import Path as File

import pytest
import timm
import torch
from torch import nn

from surefoot.errors import ModelError
from surefoot.models.adapters import (
    FiLMAdapter,
    adapter_names,
    adapter_of,
    find_sites,
    fold,
    insert,
)
from surefoot.models.heads import zeros_head
from surefoot.models.model import Model
from surefoot.models.save import load_saved, save_model
from surefoot.paths import Path
from surefoot.weights.fingerprint import fingerprint

from ..conftest import toy_model
from .vits import (
    KINDS,
    adapter_size,
    features,
    open_clip_spec,
    pixels,
    stir_adapter,
    timm_spec,
    vit,
)

VARIANTS = ("film", "film_all")


def close(a: torch.Tensor, b: torch.Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_inserted_it_is_the_identity(kind: str, variant: str) -> None:
    model = vit(kind)
    before = fingerprint(model)
    adapted = insert(model, FiLMAdapter(variant))
    if kind == "open_clip" and variant == "film_all":
        close(features(adapted), features(model))  # another kernel does the attention
    else:
        assert torch.equal(features(adapted), features(model))
    assert fingerprint(model) == before
    assert "adapter" not in model.spec.builder
    assert set(model.state_dict()) < set(adapted.state_dict())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_folded_it_computes_the_same_in_the_plain_architecture(kind: str, variant: str) -> None:
    model = vit(kind)
    adapted = insert(model, FiLMAdapter(variant))
    stir_adapter(adapted)
    folded = fold(adapted)
    assert (features(adapted) - features(model)).abs().max() > 0.01
    close(features(folded), features(adapted))
    assert set(folded.state_dict()) == set(model.state_dict())
    assert folded.spec.builder == model.spec.builder
    assert [type(m) for m in folded.modules()] == [type(m) for m in model.modules()]
    assert not any(m._forward_hooks for m in folded.modules())
    assert adapter_of(folded) is None
    assert adapter_of(adapted) == FiLMAdapter(variant)
    # What has no site is the start's, bit for bit.
    sites = {f"encoder.{n}" for n in _site_tensors(adapted)}
    for name, tensor in model.state_dict().items():
        assert torch.equal(folded.state_dict()[name], tensor) == (name not in sites)


def _site_tensors(adapted: Model) -> set[str]:
    """The tensors that a site is folded into, by the names of the sites alone."""
    found = set()
    for name in adapter_names(adapted):
        layer, _, _ = name.removeprefix("encoder.").rpartition(".film.")
        state = adapted.encoder.state_dict()
        found |= {f"{layer}.{t}" for t in ("weight", "in_proj_weight") if f"{layer}.{t}" in state}
        found |= {f"{layer}.{t}" for t in ("bias", "in_proj_bias") if f"{layer}.{t}" in state}
    return found


@pytest.mark.parametrize("kind", ["test_vit", "open_clip"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_interpolating_it_is_interpolating_the_folded_weights(kind: str, variant: str) -> None:
    model = vit(kind)
    adapted = insert(model, FiLMAdapter(variant))
    stir_adapter(adapted)
    for alpha in (0.0, 0.3, 1.0):
        inside = insert(model, FiLMAdapter(variant))
        named, ends = dict(inside.named_parameters()), dict(adapted.named_parameters())
        with torch.no_grad():
            for name in adapter_names(inside):
                named[name].mul_(1 - alpha).add_(alpha * ends[name])
        outside = Path(model, fold(adapted)).at(alpha)
        theirs = outside.encoder.state_dict()
        for name, tensor in fold(inside).encoder.state_dict().items():
            torch.testing.assert_close(theirs[name], tensor, rtol=1e-5, atol=1e-6)
        # A path between a plain start and an unfolded end mixes the adapters themselves.
        mixed = Path(model, adapted).at(alpha)
        close(features(mixed), features(outside))


def test_on_a_path_alpha_0_is_the_pretrained_model() -> None:
    model = vit("test_vit")
    adapted = insert(model, FiLMAdapter())
    stir_adapter(adapted)
    assert fingerprint(Path(model, fold(adapted)).at(0)) == fingerprint(model)
    assert torch.equal(features(Path(model, adapted).at(0)), features(model))


def test_vit_b_16_has_25_sites_and_38400_parameters() -> None:
    with torch.device("meta"):
        encoder = timm.create_model("vit_base_patch16_224", num_classes=0)
    model = Model(encoder, spec=timm_spec(), feature_dim=768)
    adapted = insert(model, FiLMAdapter())
    assert adapter_size(adapted) == 38_400
    assert len(adapter_names(adapted)) == 2 * 25
    assert len(find_sites(encoder).norms()) == 25
    assert "FiLM adapters at 25 sites, 38,400 parameters" in adapted.spec.notes
    # SSF on ViT-B/16, without the head: 2 (768 * (4 + 3 + 4) * 12 + 768 + 768).
    assert adapter_size(insert(model, FiLMAdapter("film_all"))) == 205_824


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_every_number_of_it_and_nothing_else(kind: str, variant: str) -> None:
    model = vit(kind, text=kind in ("open_clip", "tiny-clip"))
    model.head = zeros_head(model, ("a", "b"))
    adapted = insert(model, FiLMAdapter(variant))
    torch.nn.init.normal_(adapted.head.weight, generator=torch.Generator().manual_seed(0))
    adapted(pixels()).square().sum().backward()
    reached = {n for n, p in adapted.named_parameters() if p.grad is not None}
    assert reached == {*adapter_names(adapted), "head.weight", "head.bias"}
    assert reached == {n for n, p in adapted.named_parameters() if p.requires_grad}
    for name, parameter in adapted.named_parameters():
        # A shift of all keys alike leaves a softmax as it was: a third of qkv's betas.
        if name in reached and not name.endswith(("qkv.film.beta", "attn.film.beta")):
            assert (parameter.grad != 0).any(dim=-1).all(), name


def test_decay_pulls_gamma_to_1_and_beta_to_0() -> None:
    adapted = insert(vit("test_vit"), FiLMAdapter())
    stir_adapter(adapted)
    own = [dict(adapted.named_parameters())[n] for n in adapter_names(adapted)]
    decay = torch.optim.SGD(own, lr=1.0, weight_decay=1.0)
    for parameter in own:
        parameter.grad = torch.zeros_like(parameter)
    decay.step()
    assert torch.equal(features(adapted), features(vit("test_vit")))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_file_brings_it_back_unfolded(kind: str, variant: str, tmp_path: File) -> None:
    adapted = insert(vit(kind), FiLMAdapter(variant))
    stir_adapter(adapted)
    save_model(adapted, tmp_path / "m.safetensors")
    again = load_saved(tmp_path / "m.safetensors")
    assert fingerprint(again) == fingerprint(adapted)
    assert torch.equal(features(again), features(adapted))
    assert again.spec.to_json() == adapted.spec.to_json()
    close(features(fold(again)), features(adapted))
    save_model(fold(again), tmp_path / "plain.safetensors")
    assert fingerprint(load_saved(tmp_path / "plain.safetensors")) == fingerprint(fold(adapted))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("args", [
    {"init_values": 0.1},
    {"qkv_bias": False, "pre_norm": True},
    {"class_token": False, "global_pool": "avg", "reg_tokens": 2},
    {"qk_norm": True, "scale_attn_norm": True},
])  # fmt: skip
def test_other_vision_transformers_of_timm(args: dict[str, object], variant: str) -> None:
    model = vit(timm_spec(**args))
    adapted = insert(model, FiLMAdapter(variant))
    assert torch.equal(features(adapted), features(model))
    stir_adapter(adapted)
    close(features(fold(adapted)), features(adapted))


@pytest.mark.parametrize("vision", [
    {"ls_init_value": 0.1},
    {"attentional_pool": True, "attn_pooler_heads": 2},
    {"final_ln_after_pool": True, "pool_type": "avg"},
])  # fmt: skip
def test_other_image_towers_of_open_clip(vision: dict[str, object]) -> None:
    adapted = insert(vit(open_clip_spec(**vision)), FiLMAdapter())
    stir_adapter(adapted)
    close(features(fold(adapted)), features(adapted))


def test_half_precision_is_folded_without_a_detour() -> None:
    adapted = insert(vit("test_vit").to(torch.bfloat16), FiLMAdapter())
    stir_adapter(adapted)
    folded = fold(adapted)
    assert {p.dtype for p in folded.parameters()} == {torch.bfloat16}
    norm = adapted.encoder.blocks[0].norm1
    expected = (norm.weight.double() * (1 + norm.film.delta.double())).to(torch.bfloat16)
    assert torch.equal(folded.encoder.blocks[0].norm1.weight, expected)


def test_layers_without_a_bias_are_only_scaled() -> None:
    model = vit("open_clip")
    adapted = insert(model, FiLMAdapter("film_all"))
    assert model.encoder.conv1.bias is None
    assert "encoder.conv1.film.delta" in adapter_names(adapted)
    assert "encoder.conv1.film.beta" not in adapter_names(adapted)


def test_folding_a_plain_model_copies_it() -> None:
    model = vit("test_vit")
    folded = fold(model)
    assert fingerprint(folded) == fingerprint(model)
    assert folded is not model


@pytest.mark.parametrize(
    ("encoder", "variant", "says"),
    [
        (lambda: toy_model().encoder, "film", "has no transformer blocks"),
        (lambda: timm.create_model("test_resnet", num_classes=0), "film", "no transformer blocks"),
        (lambda: _eva(), "film_all", "film_all cannot reach"),
        (lambda: _affineless(), "film", "no weight that a scale"),
    ],
)
def test_encoders_without_a_place_are_refused(encoder: object, variant: str, says: str) -> None:
    model = Model(encoder(), spec=timm_spec(), feature_dim=4)  # type: ignore[operator]
    before = fingerprint(model)
    with pytest.raises(ModelError, match=says) as caught:
        insert(model, FiLMAdapter(variant))
    assert "vision transformer of timm or open_clip" in str(caught.value)
    assert fingerprint(model) == before


def _eva() -> nn.Module:
    return timm.models.eva.Eva(
        img_size=32, patch_size=16, embed_dim=32, depth=1, num_heads=2, num_classes=0
    )


def _affineless() -> nn.Module:
    encoder = vit("test_vit").encoder
    encoder.norm = nn.LayerNorm(64, elementwise_affine=False)
    return encoder


def test_eva_takes_film_after_its_norms() -> None:
    encoder = _eva().eval()
    model = Model(encoder, spec=timm_spec(), feature_dim=32)
    adapted = insert(model, FiLMAdapter())
    stir_adapter(adapted)
    close(features(fold(adapted)), features(adapted))


def test_a_second_adapter_and_strange_records_are_refused(tmp_path: File) -> None:
    adapted = insert(vit("test_vit"), FiLMAdapter())
    with pytest.raises(ModelError, match="carries a film adapter already"):
        insert(adapted, FiLMAdapter())
    with pytest.raises(ModelError, match="no FiLM variant 'all'"):
        FiLMAdapter("all")  # type: ignore[arg-type]
    for record in ({"kind": "filn"}, {"kind": "film", "width": 3}):
        adapted.spec = timm_spec()
        adapted.spec.builder["adapter"] = record  # type: ignore[index]
        with pytest.raises(ModelError, match=r"cannot be built[\s\S]*film, token-replay"):
            adapter_of(adapted)
