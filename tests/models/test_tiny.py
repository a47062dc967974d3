"""tiny-clip and tiny-dino: shapes, files, tokenizer, names of the blocks."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from timm.models.vision_transformer import VisionTransformer
from torch import nn

from surefoot.data.prompts import PICTOGRAM_TEMPLATES
from surefoot.errors import CheckpointError, ModelError
from surefoot.models import tiny
from surefoot.models.heads import zero_shot_head
from surefoot.models.model import Model, ModelSpec
from surefoot.models.save import load_saved, save_model
from surefoot.registry import MODELS

ODD = ["", " ", "camera", "日本語 😀", "\x00\n\t", "A" * 500, "x " * 100, "É\u0301", "<pad>[PAD]"]


@pytest.fixture(scope="module")
def clip() -> Model:
    return tiny.load_tiny_clip()


@pytest.fixture(scope="module")
def dino() -> Model:
    return tiny.load_tiny_dino()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_the_registry_knows_both() -> None:
    assert MODELS.get("tiny-clip") is tiny.load_tiny_clip
    assert MODELS.get("tiny-dino") is tiny.load_tiny_dino


def test_shapes(clip: Model, dino: Model, images: torch.Tensor) -> None:
    with torch.no_grad():
        assert clip.features(images).shape == (3, 256) == (3, clip.feature_dim)
        assert dino.features(images).shape == (3, 192) == (3, dino.feature_dim)
    text = clip.require_text("a test")
    assert text.tokenize(["one", "two"]).shape == (2, 16)
    assert text.encode(["one", "two"]).shape == (2, 256)


def test_sizes(clip: Model, dino: Model) -> None:
    for model in (clip, dino):
        assert 2_000_000 <= parameters(model) <= 6_000_000
    assert 2_000_000 <= parameters(clip.encoder) <= 6_000_000
    files = [tiny.BUILTIN / f"tiny_{name}.safetensors" for name in ("clip", "dino")]
    assert sum(f.stat().st_size for f in files) <= 18 * 10**6


def test_weights_are_float32_in_memory_and_half_on_disk(clip: Model, dino: Model) -> None:
    for model, name in ((clip, "clip"), (dino, "dino")):
        assert {p.dtype for p in model.parameters()} == {torch.float32}
        assert not model.training
        with safe_open(str(tiny.BUILTIN / f"tiny_{name}.safetensors"), "pt") as file:
            assert {file.get_slice(k).get_dtype() for k in file.keys()} == {"F16"}  # noqa: SIM118
        assert all(torch.isfinite(p).all() for p in model.parameters())


def test_round_trip_keeps_every_bit(clip: Model, dino: Model, tmp_path) -> None:
    for model in (clip, dino):
        tiny.save_tiny(model, tmp_path / "m.safetensors")
        again = load_saved(tmp_path / "m.safetensors").float()
        # The packaged weights are halves already, so nothing is lost the second time.
        for (name, one), (_, two) in zip(
            model.state_dict().items(), again.state_dict().items(), strict=True
        ):
            assert torch.equal(one, two), name
        assert again.spec == model.spec


def test_saved_as_any_model(clip: Model, images: torch.Tensor, tmp_path) -> None:
    head = zero_shot_head(clip, ["camera", "house"], PICTOGRAM_TEMPLATES)
    model = clip.with_head(head)
    save_model(model, tmp_path / "m.safetensors")
    again = load_saved(tmp_path / "m.safetensors")
    with torch.no_grad():
        assert torch.equal(again(images), model(images))


def test_spec_survives_json(clip: Model, dino: Model) -> None:
    for model in (clip, dino):
        assert ModelSpec.from_json(json.loads(json.dumps(model.spec.to_json()))) == model.spec
    assert clip.spec == tiny.clip_spec()
    assert dino.spec == tiny.dino_spec()


def test_features_do_not_depend_on_chance_or_company(clip: Model, dino: Model, images) -> None:
    for model in (clip, dino):
        with torch.no_grad():
            together = model.features(images)
            assert torch.equal(together, model.features(images))
            alone = torch.cat([model.features(image[None]) for image in images])
        torch.testing.assert_close(alone, together, atol=1e-4, rtol=1e-4)


def test_timm_names_for_adapters(clip: Model, dino: Model) -> None:
    for model in (clip, dino):
        assert isinstance(model.encoder, VisionTransformer)
        names = dict(model.encoder.named_modules())
        for i in range(6):
            for part in ("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2"):
                assert f"blocks.{i}.{part}" in names
        assert isinstance(names["norm"], nn.LayerNorm)
        kinds = {type(m).__name__ for m in model.modules()}
        assert not any("BatchNorm" in kind for kind in kinds)
    assert isinstance(clip.encoder.head, nn.Linear)
    assert isinstance(dino.encoder.head, nn.Identity)


@pytest.mark.parametrize("text", ODD)
def test_any_string_has_an_embedding(clip: Model, text: str) -> None:
    tower = clip.require_text("a test")
    tokens = tower.tokenize([text])
    assert tokens.dtype == torch.int64
    assert tokens.shape == (1, 16)
    assert int(tokens.min()) >= 0
    assert int(tokens.max()) < 4096
    embedded = tower.encode([text])
    torch.testing.assert_close(embedded.norm(dim=-1), torch.ones(1))


def test_case_does_not_matter_and_padding_neither(clip: Model) -> None:
    tower = clip.require_text("a test")
    assert torch.equal(tower.tokenize(["Camera"]), tower.tokenize(["camera"]))
    together = tower.encode(["key", "a rather long caption of a washing machine with a cat"])
    torch.testing.assert_close(tower.encode(["key"])[0], together[0], atol=1e-5, rtol=1e-4)


def test_long_captions_keep_their_end_mark(clip: Model) -> None:
    tower = clip.require_text("a test")
    short, long = tower.tokenize(["key"])[0], tower.tokenize(["key " * 50])[0]
    assert int(long[-1]) == int(short[short != 0][-1])


def test_a_copy_shares_no_tensor_but_the_tokenizer(clip: Model) -> None:
    copy = clip.clone()
    assert copy.text is not None
    assert clip.text is not None
    assert copy.text.shared is clip.text.shared
    with torch.no_grad():
        copy.text.proj.weight.zero_()
        copy.encoder.norm.weight.zero_()
    assert clip.text.proj.weight.abs().sum() > 0
    assert clip.encoder.norm.weight.abs().sum() > 0


def test_zero_shot_head(clip: Model, dino: Model, images: torch.Tensor) -> None:
    names = ["camera", "house", "tree"]
    head = zero_shot_head(clip, names, PICTOGRAM_TEMPLATES)
    with torch.no_grad():
        logits = clip.with_head(head)(images)
    assert logits.shape == (3, 3)
    rows = head.weight.detach().norm(dim=1)
    torch.testing.assert_close(rows, torch.full((3,), clip.scale()), atol=1e-3, rtol=1e-4)
    with pytest.raises(ModelError, match="no text tower"):
        zero_shot_head(dino, names, PICTOGRAM_TEMPLATES)


def test_gradients_reach_every_parameter(clip: Model, images: torch.Tensor) -> None:
    model = clip.clone()
    tower = model.require_text("a test")
    out = model.features(images).sum() + tower(tower.tokenize(["camera", "a key"])).sum()
    out.backward()
    idle = [n for n, p in model.named_parameters() if p.grad is None and n != "logit_scale"]
    assert idle == []


def test_missing_weights_say_so(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tiny, "BUILTIN", tmp_path)
    with pytest.raises(CheckpointError, match=r"tiny_clip\.safetensors are not in this"):
        tiny.load_tiny_clip()
    with pytest.raises(CheckpointError, match="pretrain_tiny_dino"):
        tiny.load_tiny_dino()
    with pytest.raises(CheckpointError, match="tokenizer"):
        tiny.build({**clip_builder(), "tokenizer": ""})


def test_another_tokenizer_is_refused() -> None:
    with pytest.raises(CheckpointError, match="not the one"):
        tiny.build({**clip_builder(), "tokenizer": "0" * 16})


def clip_builder() -> dict[str, object]:
    return dict(replace(tiny.clip_spec()).builder)


def test_cards_lie_beside_the_weights() -> None:
    for name in ("clip", "dino"):
        card = (tiny.BUILTIN / f"tiny_{name}.md").read_text(encoding="utf-8")
        for word in ("licence", "seed", "parameters", "interval", "not"):
            assert word in card.lower(), (name, word)
