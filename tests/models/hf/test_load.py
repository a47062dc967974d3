"""transformers folders against transformers' own features, tokens and image processors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from torch import nn

from surefoot.errors import CheckpointError, DownloadUnavailable, ModelError
from surefoot.models.heads import zero_shot_head
from surefoot.models.hf.transform import read_transform, write_transform
from surefoot.models.load import load
from surefoot.models.save import load_saved, save_model
from surefoot.transforms import TransformSpec

from .. import clips

VISION: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 32,
    "patch_size": 16,
}
TEXT: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "vocab_size": 99,
    "max_position_embeddings": 12,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
KINDS = ["clip", "siglip", "align", "dinov2", "dinov3_vit"]
IDS = torch.tensor([[1, 5, 6, 2] + [0] * 8, [1, 7, 2] + [0] * 9])


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    level = hf.utils.logging.get_verbosity()
    hf.utils.logging.set_verbosity_error()
    yield
    hf.utils.logging.set_verbosity(level)


def peer_of(kind: str, **vision: Any) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return _make(kind, {**VISION, **vision}).eval()


def _make(kind: str, vision: dict[str, Any]) -> nn.Module:
    act = {"hidden_act": vision["hidden_act"]} if "hidden_act" in vision else {}
    text = {**TEXT, **act}
    if kind == "clip":
        return hf.CLIPModel(hf.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8))
    if kind == "siglip":
        return hf.SiglipModel(hf.SiglipConfig(text_config=text, vision_config=vision))
    if kind == "align":
        tower = {
            "image_size": 32,
            "width_coefficient": 0.1,
            "depth_coefficient": 0.1,
            "hidden_dim": 16,
            "kernel_sizes": [3],
            "in_channels": [8],
            "out_channels": [8],
            "strides": [1],
            "num_block_repeats": [1],
            "expand_ratios": [1],
            "depthwise_padding": [],
        }
        return hf.AlignModel(
            hf.AlignConfig(text_config=text, vision_config=tower, projection_dim=8)
        )
    if kind == "dinov2":
        return hf.Dinov2Model(hf.Dinov2Config(**vision))
    return hf.DINOv3ViTModel(hf.DINOv3ViTConfig(**vision))


def image_features(peer: Any, x: torch.Tensor) -> torch.Tensor:
    out = peer.get_image_features(x) if hasattr(peer, "get_image_features") else peer(x)
    features: torch.Tensor = out if isinstance(out, torch.Tensor) else out.pooler_output
    return features


@pytest.mark.parametrize("kind", KINDS)
def test_features_scale_and_round_trip(kind: str, tmp_path: Path) -> None:
    peer: Any = peer_of(kind)
    peer.save_pretrained(tmp_path / "m")
    model = load(tmp_path / "m")
    x = clips.pixels()
    with torch.no_grad():
        features = image_features(peer, x)
        assert torch.equal(model.features(x), features)
    assert model.feature_dim == features.shape[1]
    save_model(model, tmp_path / "m.safetensors")
    assert clips.same(load_saved(tmp_path / "m.safetensors"), model)
    if kind.startswith("dino"):
        assert model.text is None
        assert not model.spec.normalize
        return
    assert model.text is not None
    mask = {"attention_mask": (IDS != 0).long()} if kind == "align" else {}
    with torch.no_grad():
        text = peer.get_text_features(IDS, **mask)
        text = text if isinstance(text, torch.Tensor) else text.pooler_output
        assert torch.equal(model.text(IDS), text)
        offset = model.text.logit_offset
        assert (offset is None) == (kind != "siglip")
        assert offset is None or torch.equal(offset, peer.logit_bias)
        scale = 1 / float(peer.temperature) if kind == "align" else float(peer.logit_scale.exp())
    assert model.scale() == pytest.approx(scale, rel=1e-5)


def test_the_configurations_activation_decides(tmp_path: Path) -> None:
    outputs = {}
    for act in ("quick_gelu", "gelu"):
        peer = peer_of("clip", hidden_act=act)
        for parameter in peer.parameters():
            parameter.data.mul_(5) if parameter.ndim > 1 else None
        peer.save_pretrained(tmp_path / act)
        model = load(tmp_path / act)
        with torch.no_grad():
            outputs[act] = model.features(clips.pixels())
            assert torch.equal(outputs[act], image_features(peer, clips.pixels()))
    assert (outputs["gelu"] - outputs["quick_gelu"]).abs().max() > 1e-4


def with_tokenizer(folder: Path) -> Any:
    """A word-level tokenizer for the small CLIP, saved into its folder."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = ["<pad>", "<s>", "</s>", "<unk>", "a", "photo", "of", "cat", "dog", "."]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    fast = hf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
    )
    fast.save_pretrained(folder)
    return fast


def test_the_folders_tokenizer_travels_with_the_saved_model(tmp_path: Path) -> None:
    peer_of("clip").save_pretrained(tmp_path / "m")
    fast = with_tokenizer(tmp_path / "m")
    model = load(tmp_path / "m")
    texts = ["a photo of a cat.", "dog"]
    assert model.text is not None
    ids = fast(texts, padding="max_length", max_length=12, return_tensors="pt")["input_ids"]
    assert torch.equal(model.text.tokenize(texts), ids)
    head = zero_shot_head(model, ["cat", "dog"], ["a photo of a {}."])
    save_model(model.with_head(head), tmp_path / "m.safetensors")
    for file in sorted((tmp_path / "m").iterdir()):
        file.unlink()
    back = load_saved(tmp_path / "m.safetensors")
    assert back.text is not None
    assert torch.equal(back.text.tokenize(texts), ids)
    again = zero_shot_head(back, ["cat", "dog"], ["a photo of a {}."])
    assert torch.equal(again.weight, head.weight)


def test_a_folder_without_tokenizer_loads_and_says_so_when_asked(tmp_path: Path) -> None:
    peer_of("clip").save_pretrained(tmp_path / "m")
    model = load(tmp_path / "m")
    assert model.text is not None
    with pytest.raises(ModelError, match="there is no tokenizer"):
        model.text.tokenize(["a cat"])


@pytest.mark.parametrize("size", [(64, 48), (40, 90), (32, 32), (200, 133)])
@pytest.mark.parametrize(
    "settings",
    [
        {"size": {"shortest_edge": 32}, "crop_size": 32, "do_center_crop": True, "resample": 3},
        {
            "size": {"shortest_edge": 40},
            "crop_size": {"height": 32, "width": 32},
            "do_center_crop": True,
            "resample": 2,
        },
        {"size": {"height": 32, "width": 32}, "do_center_crop": False, "resample": 3},
    ],
)
def test_transform_agrees_with_the_image_processor(
    settings: dict[str, Any], size: tuple[int, int], tmp_path: Path
) -> None:
    stats = {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.25]}
    processor = hf.CLIPImageProcessor(**settings, **stats)
    processor.save_pretrained(tmp_path)
    spec = read_transform(tmp_path, "clip", {"vision_config": {"image_size": 32}})
    picture = clips.image(*size)
    theirs = processor(picture, return_tensors="pt")["pixel_values"][0]
    ours = spec.eval()(picture)
    # Its resize runs on tensors, ours in Pillow: they differ by a grey level or two, rounded.
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() < 3 / 255 / 0.2
    assert (ours - theirs).abs().mean() < 0.5 / 255 / 0.2


def test_transform_written_is_read_back(tmp_path: Path) -> None:
    for spec in (
        TransformSpec(size=(32, 32), resize=36, interpolation="bilinear"),
        TransformSpec(size=(32, 32), resize=32, resize_mode="squash", mean=(0.5,) * 3),
    ):
        said = write_transform(spec, "siglip")
        (tmp_path / "preprocessor_config.json").write_text(json.dumps(said))
        assert read_transform(tmp_path, "siglip", {"image_size": 32}) == spec


def test_aligns_rescaling_offset(tmp_path: Path) -> None:
    said = {"do_normalize": False, "rescale_offset": True, "rescale_factor": 1 / 127.5}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(said))
    spec = read_transform(tmp_path, "align", {"vision_config": {"image_size": 32}})
    picture = clips.image(32, 32)
    expected = torch.from_numpy(np.asarray(picture, dtype=np.float32)).permute(2, 0, 1) / 127.5 - 1
    torch.testing.assert_close(spec.eval()(picture), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("broken", ["missing", "shape", "nan"])
def test_weights_that_do_not_fit_are_refused(broken: str, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    peer_of("clip").save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    state = load_file(file)
    if broken == "missing":
        del state["visual_projection.weight"]
    elif broken == "shape":
        state["visual_projection.weight"] = torch.zeros(3, 3)
    else:
        state["visual_projection.weight"][0, 0] = float("nan")
    save_file(state, file, metadata={"format": "pt"})
    with pytest.raises(CheckpointError, match=r"visual_projection\.weight"):
        load(tmp_path)


def test_other_model_types_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ModelError, match="'bert' are not understood"):
        load(tmp_path)


def test_a_hub_id_without_network_says_what_to_do() -> None:
    with pytest.raises(DownloadUnavailable, match="openai/clip-vit-base-patch32") as caught:
        load("hf-hub:openai/clip-vit-base-patch32")
    assert "surefoot.load('/folder" in caught.value.fix
