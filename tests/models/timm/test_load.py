"""Features, transforms and classifiers against timm itself."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.errors import DownloadUnavailable, ModelError, UnknownName
from surefoot.models.heads import Head
from surefoot.models.load import load
from surefoot.models.states import Checked
from surefoot.models.timm import load as timm_load
from surefoot.models.timm.encoder import classifier_state, transform_of

from .. import clips

SMALL = [
    "test_vit",
    "test_resnet",
    "test_convnext",
    "test_efficientnet",
    "test_vit2",
    "test_byobnet",
]


@pytest.mark.parametrize("name", SMALL)
def test_features_are_timms_before_the_classifier(name: str, tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        peer = timm.create_model(name, num_classes=5).eval()
    path = tmp_path / "w.pth"
    torch.save({"state_dict": peer.state_dict()}, path)
    model = load(f"timm:{name}@{path}")
    x = clips.pixels(model.spec.transform.size[0], n=2)
    with torch.no_grad():
        features = peer.forward_head(peer.forward_features(x), pre_logits=True)
        assert torch.equal(model.features(x), features)
        assert model.feature_dim == features.shape[1]
        classifier = peer.get_classifier()
        head = Head(classifier.weight, classifier.bias, normalize=False, class_names=list("abcde"))
        torch.testing.assert_close(head(model.features(x)), peer(x))
        model.head = head
    back = timm.create_model(name, num_classes=5)
    back.load_state_dict(classifier_state(model)[0])
    assert clips.same(back, peer)
    assert any("head was left out" in note for note in model.spec.notes)


@pytest.mark.slow
def test_full_size_dino_features(tmp_path: Path) -> None:
    model = load("timm:vit_base_patch16_224.dino/random")
    peer = timm.create_model("vit_base_patch16_224.dino", num_classes=0)
    peer.load_state_dict(classifier_state(model)[0])
    x = clips.pixels(224, n=1)
    with torch.no_grad():
        cls = peer.eval().forward_features(x)[:, 0]
        assert torch.equal(model.features(x), cls)
    assert model.feature_dim == 768
    assert model.spec.transform.mean == (0.485, 0.456, 0.406)


@pytest.mark.parametrize(
    "name",
    ["vit_base_patch16_224.dino", "resnet50.a1_in1k", "vit_base_patch16_siglip_224", "test_vit"],
)
@settings(max_examples=15, deadline=None)
@given(width=st.integers(20, 500), height=st.integers(20, 500))
def test_eval_transform_equals_timms(name: str, width: int, height: int) -> None:
    data = timm.data.resolve_data_config({}, pretrained_cfg=timm.get_pretrained_cfg(name).to_dict())
    spec, notes = transform_of(data)
    picture = clips.image(width, height)
    theirs = timm.data.create_transform(**data, is_training=False)(picture)
    assert torch.equal(spec.eval()(picture), theirs)
    assert notes == ()


def test_a_transform_that_the_spec_cannot_say_is_noted() -> None:
    data = {
        "input_size": (3, 32, 32),
        "crop_pct": 1.0,
        "crop_mode": "border",
        "mean": (0.5,) * 3,
        "std": (0.5,) * 3,
        "interpolation": "bicubic",
    }
    assert "cropped" in transform_of(data)[1][0]
    wide = {**data, "crop_mode": "center", "input_size": (3, 32, 64)}
    assert "squashed" in transform_of(wide)[1][0]


def test_random_weights_are_the_same_for_one_seed() -> None:
    one, same, other = (load(f"timm:test_vit/random?seed={s}") for s in (0, 0, 1))
    assert clips.same(one, same)
    assert not clips.same(one, other)


def test_the_global_generator_is_left_as_it_was() -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    load("timm:test_vit/random")
    assert torch.equal(torch.rand(1), expected)


def test_openais_image_tower_gets_quick_gelu(tmp_path: Path, monkeypatch: Any) -> None:
    name = "vit_base_patch32_clip_224"
    path = tmp_path / "w.pth"
    torch.save({"norm.weight": torch.zeros(768)}, path)
    monkeypatch.setattr(timm_load, "_hub_weights", lambda record, instead, full: path)
    monkeypatch.setattr(timm_load, "fill", lambda *given, **settings: Checked({}))
    with torch.device("meta"):
        quick = load(f"timm:{name}.openai", device="meta")
        plain = load(f"timm:{name}.openai?activation=gelu", device="meta")
    assert quick.spec.builder["name"] == "vit_base_patch32_clip_quickgelu_224"
    assert quick.spec.saw_text
    acts = [{type(m).__name__ for m in one.encoder.modules()} for one in (quick, plain)]
    assert "QuickGELU" in acts[0]
    assert "QuickGELU" not in acts[1]
    with pytest.raises(ModelError, match="GELU or with QuickGELU"):
        load(f"timm:{name}@{path}")


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("timm:vit_bse_patch16_224", UnknownName, "Did you mean 'vit_base_patch16_224'"),
        ("timm:vit_base_patch16_224.dinoo", UnknownName, "Did you mean 'dino'"),
        ("timm:vit_base_patch16_224.dino", DownloadUnavailable, "timm/vit_base_patch16_224.dino"),
        ("timm:vit_wee_patch16_reg1_gap_256", DownloadUnavailable, "model.safetensors"),
        ("timm:vit_tiny_patch16_384/randm", ModelError, "random"),
    ],
)
def test_wrong_names_teach(name: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=re.escape(says)):
        load(name)
