"""LiNeS, and the depth of a parameter by its name in every library's own naming."""

from __future__ import annotations

import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.errors import AlphaError, WeightsError
from surefoot.weights import layer_depths, lerp, lines

from .test_combine import FLOATS, SEEDS, same

NAMES = ("stem.w", "blocks.0.w", "blocks.1.w", "blocks.2.w", "norm.w", "head.w")
DEPTHS = (0.0, 0.0, 0.5, 1.0, 1.0, 1.0)


def network(seed: int, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    floats = {name: torch.randn(3, generator=g).to(dtype) for name in NAMES}
    return {**floats, "blocks.1.count": torch.tensor(seed)}


@given(SEEDS, st.floats(0, 1), st.floats(0, 1), st.sampled_from(FLOATS))
@settings(max_examples=60, deadline=None)
def test_lines_is_the_formula(seed, low, high, dtype) -> None:
    start, end = network(seed, dtype), network(seed + 1, dtype)
    got = lines(start, end, alpha=low, beta=high - low)
    for name, depth in zip(NAMES, DEPTHS, strict=True):
        scale = low + (high - low) * depth
        expected = start[name].double() + scale * (end[name].double() - start[name].double())
        eps = 4 * torch.finfo(dtype).eps
        torch.testing.assert_close(got[name].double(), expected, rtol=eps, atol=eps)
        assert got[name].dtype == dtype


@given(SEEDS, st.floats(0, 1), st.sampled_from(FLOATS), st.sampled_from(["start", "end"]))
@settings(max_examples=40, deadline=None)
def test_equal_scales_are_wise_ft_bit_for_bit(seed, alpha, dtype, integers) -> None:
    start, end = network(seed, dtype), network(seed + 1, dtype)
    expected = lerp(start, end, alpha, integers=integers)
    assert same(lines(start, end, alpha=alpha, beta=0.0, integers=integers), expected)


def test_from_0_to_1_the_stem_is_the_starts_and_the_head_the_ends() -> None:
    start, end = network(0), network(1)
    got = lines(start, end, alpha=0.0, beta=1.0)
    assert same({k: got[k] for k in NAMES[:2]}, {k: start[k] for k in NAMES[:2]})
    assert same({k: got[k] for k in NAMES[3:]}, {k: end[k] for k in NAMES[3:]})


def test_the_blocks_have_the_scales_of_the_authors_code() -> None:
    """Theirs: alpha + beta * (layer / (blocks - 1)) for a name that holds ``.layer.``."""
    names = [f"model.visual.transformer.resblocks.{i}.mlp.c_fc.weight" for i in range(12)]
    depths = layer_depths([*names, "model.visual.conv1.weight"])
    assert [depths[n] for n in names] == pytest.approx([i / 11 for i in range(12)])
    assert depths["model.visual.conv1.weight"] == 0


def test_scales_outside_need_leave() -> None:
    start, end = network(0), network(1)
    with pytest.raises(AlphaError, match=r"alpha is 1\.5"):
        lines(start, end, alpha=0.5, beta=1.0)
    got = lines(start, end, alpha=0.0, beta=2.0, extrapolate=True)
    torch.testing.assert_close(got["head.w"], 2 * end["head.w"] - start["head.w"])


def test_depths_can_be_given_and_must_be_complete() -> None:
    start, end = (
        {"a": torch.zeros(1), "b": torch.zeros(1)},
        {"a": torch.ones(1), "b": torch.ones(1)},
    )
    got = lines(start, end, depths={"a": 0.0, "b": 1.0})
    assert (got["a"].item(), got["b"].item()) == (0.5, 1.0)
    with pytest.raises(WeightsError, match="no depth is given for 'b'"):
        lines(start, end, depths={"a": 0.0})


def test_names_without_blocks_are_refused_with_a_way_out() -> None:
    with pytest.raises(WeightsError, match="cannot be told from the names 'w'") as caught:
        lines({"w": torch.zeros(1)}, {"w": torch.ones(1)})
    assert "give depths" in str(caught.value)


@pytest.mark.parametrize(
    ("architecture", "shallow", "middle", "deep"),
    [
        ("vit_tiny_patch16_224", "patch_embed.proj.weight", ("blocks.5.attn.qkv.weight", 5 / 11),
         "norm.weight"),
        ("resnet18", "conv1.weight", ("layer2.1.conv1.weight", 3 / 7), "layer4.1.bn2.running_mean"),
        ("convnext_atto", "stem.0.weight", ("stages.1.blocks.0.mlp.fc1.weight", 3 / 14),
         "head.norm.weight"),
        ("swin_tiny_patch4_window7_224", "patch_embed.norm.weight",
         ("layers.2.blocks.3.attn.qkv.weight", 9 / 14), "norm.bias"),
    ],
)  # fmt: skip
def test_depths_of_timm_networks(architecture, shallow, middle, deep) -> None:
    with torch.device("meta"):
        names = timm.create_model(architecture, num_classes=0).state_dict()
    depths = layer_depths(f"encoder.{name}" for name in names)
    assert depths[f"encoder.{shallow}"] == 0
    assert depths[f"encoder.{middle[0]}"] == pytest.approx(middle[1])
    assert depths[f"encoder.{deep}"] == 1
    assert set(depths.values()) >= {0.0, 1.0}


@pytest.mark.parametrize(
    ("name", "depth"),
    [
        ("encoder.class_embedding", 0.0),
        ("encoder.ln_pre.weight", 0.0),
        ("encoder.transformer.resblocks.0.ln_1.weight", 0.0),
        ("encoder.transformer.resblocks.2.ln_1.weight", 1.0),
        ("encoder.ln_post.weight", 1.0),
        ("encoder.proj", 1.0),
        ("head.weight", 1.0),
        ("logit_scale", 1.0),
        ("text.token_embedding.weight", 0.0),
        ("text.transformer.resblocks.1.ln_1.weight", 1.0),
        ("text.text_projection", 1.0),
    ],
)
def test_depths_of_clip_each_tower_by_itself(name: str, depth: float) -> None:
    blocks = [f"encoder.transformer.resblocks.{i}.ln_1.weight" for i in range(3)]
    blocks += [f"text.transformer.resblocks.{i}.ln_1.weight" for i in range(2)]
    assert layer_depths({*blocks, name})[name] == depth


@pytest.mark.parametrize("layer", ["encoder.layer", "encoder.layers", "v.encoder.layers"])
def test_depths_of_transformers_networks(layer: str) -> None:
    names = [f"{layer}.{i}.attention.output.dense.weight" for i in range(3)]
    depths = layer_depths([*names, "embeddings.layernorm.weight", "layernorm.weight",
                           "vision_model.embeddings.patch_embedding.weight"])  # fmt: skip
    assert [depths[n] for n in names] == [0, 0.5, 1]
    assert depths["layernorm.weight"] == 1
    assert depths["embeddings.layernorm.weight"] == 0
    assert depths["vision_model.embeddings.patch_embedding.weight"] == 0
