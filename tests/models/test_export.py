"""What is exported is loaded back by the library that it is for, and gives the same outputs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import open_clip
import pytest
import timm
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file

from surefoot.errors import ModelError
from surefoot.models.export import export
from surefoot.models.heads import random_head, zero_shot_head
from surefoot.models.load import load
from surefoot.models.model import Model

from . import clips
from .hf.test_load import image_features, peer_of

NAMES = ["cat", "dog", "owl"]


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    level = transformers.utils.logging.get_verbosity()
    transformers.utils.logging.set_verbosity_error()
    with clips.registry():
        yield
    transformers.utils.logging.set_verbosity(level)


@pytest.fixture
def clip(tmp_path: Path) -> Model:
    clips.register(tmp_path, quick_gelu=True)
    model = load(f"open_clip:{clips.NAME}/random")
    model.head = zero_shot_head(model, NAMES, ["a {}."])
    return model


def test_open_clip_loads_it_by_file_and_by_folder(clip: Model, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    written = export(clip, folder, "open_clip")
    assert {p.name for p in written} == {
        "open_clip_model.safetensors",
        "open_clip_config.json",
        "head.safetensors",
    }
    by_file = open_clip.create_model(clips.NAME, pretrained=str(written[0]))
    by_folder, _, transform = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    x = clips.pixels()
    assert clip.text is not None
    assert clip.head is not None
    ids = open_clip.get_tokenizer(clips.NAME)(NAMES)
    for peer in (by_file.eval(), by_folder.eval()):
        with torch.no_grad():
            assert torch.equal(peer.encode_image(x), clip.features(x))
            assert torch.equal(peer.encode_text(ids), clip.text(ids))
    picture = clips.image(50, 40)
    assert torch.equal(transform(picture), clip.spec.transform.eval()(picture))
    with safe_open(folder / "head.safetensors", framework="pt") as head:
        assert json.loads(head.metadata()["class_names"]) == NAMES
        assert json.loads(head.metadata()["normalize"]) is True
        assert torch.equal(head.get_tensor("weight"), clip.head.weight)
    again = load(folder)
    assert clips.same(again.encoder, clip.encoder)


@pytest.mark.parametrize("name", ["test_vit", "test_resnet", "test_convnext"])
def test_timm_loads_it_with_the_head(name: str, tmp_path: Path) -> None:
    model = load(f"timm:{name}/random")
    model.head = random_head(model, NAMES, seed=1)
    export(model, tmp_path / "out", "timm")
    peer = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True).eval()
    x = clips.pixels(model.spec.transform.size[0], n=2)
    with torch.no_grad():
        torch.testing.assert_close(peer(x), model(x))
    assert not (tmp_path / "out" / "head.safetensors").exists()
    assert clips.same(load(tmp_path / "out").encoder, model.encoder)


def test_a_head_on_normalised_features_lies_beside_a_timm_export(tmp_path: Path) -> None:
    model = load("timm:test_vit/random").with_spec(normalize=True)
    model.head = random_head(model, NAMES, seed=1)
    written = export(model, tmp_path / "out", "timm")
    peer = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True).eval()
    x = clips.pixels(model.spec.transform.size[0], n=2)
    with torch.no_grad():
        assert torch.equal(peer(x), model.features(x))
    assert tmp_path / "out" / "head.safetensors" in written


@pytest.mark.parametrize("kind", ["clip", "siglip", "align", "dinov2"])
def test_transformers_loads_it(kind: str, tmp_path: Path) -> None:
    peer_of(kind).save_pretrained(tmp_path / "in")
    model = load(tmp_path / "in")
    for parameter in model.parameters():
        parameter.data.mul_(1.01)
    export(model, tmp_path / "out", "hf")
    back = transformers.AutoModel.from_pretrained(tmp_path / "out").eval()
    with torch.no_grad():
        assert torch.equal(image_features(back, clips.pixels()), model.features(clips.pixels()))
    again = load(tmp_path / "out")
    assert again.spec.transform == model.spec.transform
    assert clips.same(again.encoder, model.encoder)
    assert again.scale() == pytest.approx(model.scale(), rel=1e-6)


def test_safetensors_is_complete(clip: Model, tmp_path: Path) -> None:
    (written,) = export(clip, tmp_path / "m.safetensors", "safetensors")
    assert clips.same(load(written), clip)
    plain = load_file(written)
    assert all(torch.equal(plain[k], v) for k, v in clip.state_dict().items())


def test_another_librarys_format_is_refused(clip: Model, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="which timm does not have"):
        export(clip, tmp_path / "out", "timm")
    with pytest.raises(ModelError, match="no export to 'onnx'"):
        export(clip, tmp_path / "out", "onnx")  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()
