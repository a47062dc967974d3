"""Towers, tokenizer, zero-shot classifier, transform and activation against open_clip itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot import hub
from surefoot.errors import CheckpointError, DownloadUnavailable, ModelError, UnknownName
from surefoot.models.activation import decide
from surefoot.models.heads import zero_shot_head
from surefoot.models.load import load
from surefoot.models.open_clip.records import sibling
from surefoot.models.open_clip.towers import preprocess_of, to_open_clip_state, transform_of
from surefoot.models.save import load_saved, save_model

from .. import clips

NAMES = ["tabby cat", "golden retriever", "fire engine"]
TEMPLATES = ["a photo of a {}.", "a drawing of a {}.", "itap of a {}."]


@pytest.fixture(autouse=True)
def own_registry() -> Iterator[None]:
    with clips.registry():
        yield


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, torch.nn.Module]:
    """An open_clip checkpoint in open_clip's training format, GELU."""
    clips.register(tmp_path)
    model = clips.clip(quick_gelu=False)
    state = {f"module.{k}": v for k, v in model.state_dict().items()}
    path = tmp_path / "epoch_1.pt"
    torch.save({"epoch": 1, "name": "run", "state_dict": state}, path)
    return path, model


def test_towers_tokenizer_and_scale_are_open_clips(saved: tuple[Path, torch.nn.Module]) -> None:
    path, peer = saved
    model = load(f"open_clip:{clips.NAME}@{path}")
    x = clips.pixels()
    tokens = open_clip.get_tokenizer(clips.NAME)(NAMES)
    assert model.text is not None
    assert torch.equal(model.text.tokenize(NAMES), tokens)
    with torch.no_grad():
        assert torch.equal(model.features(x), peer.encode_image(x))
        assert torch.equal(model.text(tokens), peer.encode_text(tokens))
    assert model.scale() == pytest.approx(float(peer.logit_scale.detach().exp()))
    assert model.feature_dim == 24
    assert model.spec.normalize
    assert model.spec.saw_text
    encoder = {p.untyped_storage().data_ptr() for p in model.encoder.parameters()}
    assert not encoder & {p.untyped_storage().data_ptr() for p in model.text.parameters()}


def test_zero_shot_head_equals_open_clips_classifier(saved: tuple[Path, torch.nn.Module]) -> None:
    path, peer = saved
    model = load(f"open_clip:{clips.NAME}@{path}")
    theirs = open_clip.build_zero_shot_classifier(
        peer,
        tokenizer=open_clip.get_tokenizer(clips.NAME),
        classnames=NAMES,
        templates=[lambda c, t=t: t.format(c) for t in TEMPLATES],
    )
    ours = zero_shot_head(model, NAMES, TEMPLATES)
    torch.testing.assert_close(ours.weight.T, theirs * peer.logit_scale.exp().detach())


@pytest.mark.slow
def test_full_size_vit_b_16_random_weights(tmp_path: Path) -> None:
    model = load("open_clip:ViT-B-16/random?seed=4")
    again = open_clip.create_model("ViT-B-16")
    again.load_state_dict(to_open_clip_state(model))
    again.eval()
    x = clips.pixels(224, n=2)
    theirs = open_clip.build_zero_shot_classifier(
        again,
        tokenizer=open_clip.get_tokenizer("ViT-B-16"),
        classnames=NAMES[:2],
        templates=[lambda c: f"a photo of a {c}."],
    )
    model.head = zero_shot_head(model, NAMES[:2], TEMPLATES[:1])
    with torch.no_grad():
        features = again.encode_image(x)
        assert torch.equal(model.features(x), features)
        logits = again.logit_scale.exp() * torch.nn.functional.normalize(features) @ theirs
        torch.testing.assert_close(model(x), logits, rtol=1e-5, atol=1e-5)
    assert model.spec.transform.resize == 224


@pytest.mark.parametrize("mode", ["shortest", "squash", "longest"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@settings(max_examples=25, deadline=None)
@given(width=st.integers(8, 120), height=st.integers(8, 120))
def test_eval_transform_equals_image_transform(
    mode: str, interpolation: str, width: int, height: int
) -> None:
    preprocess = {
        "size": 32,
        "mean": (0.4, 0.5, 0.6),
        "std": (0.2, 0.3, 0.25),
        "interpolation": interpolation,
        "resize_mode": mode,
        "fill_color": 0,
    }
    picture = clips.image(width, height)
    theirs = open_clip.image_transform(
        32,
        is_train=False,
        mean=preprocess["mean"],
        std=preprocess["std"],
        interpolation=interpolation,
        resize_mode=mode,
    )
    ours = transform_of(preprocess, name="x")
    assert torch.equal(ours.eval()(picture), theirs(picture))
    assert transform_of(preprocess_of(ours), name="x") == ours


@pytest.mark.parametrize("size", [(300, 200), (1024, 333), (224, 224), (225, 224), (50, 60)])
def test_eval_transform_at_clips_own_size(size: tuple[int, int]) -> None:
    clip = {"mean": open_clip.OPENAI_DATASET_MEAN, "std": open_clip.OPENAI_DATASET_STD}
    theirs = open_clip.image_transform(224, is_train=False, **clip)
    picture = clips.image(*size)
    assert torch.equal(
        transform_of({"size": 224, **clip}, name="x").eval()(picture), theirs(picture)
    )


def test_a_size_that_the_spec_cannot_say_is_refused() -> None:
    with pytest.raises(ModelError, match="24 x 48"):
        transform_of({"size": (24, 48), "mean": (0.5,) * 3, "std": (0.5,) * 3}, name="x")


def test_state_goes_back_through_create_model(
    saved: tuple[Path, torch.nn.Module], tmp_path: Path
) -> None:
    path, peer = saved
    model = load(f"open_clip:{clips.NAME}@{path}")
    out = tmp_path / "back.pt"
    torch.save(to_open_clip_state(model), out)
    back = open_clip.create_model(clips.NAME, pretrained=str(out))
    assert clips.same(back, peer)


@pytest.mark.parametrize(
    "changes",
    [
        {"custom_text": True, "init_logit_bias": -10.0},
        {
            "custom_text": True,
            "nonscalar_logit_scale": True,
            "vision_cfg": {"timm_model_name": "test_vit", "timm_pool": "avg", "image_size": 160},
        },
        {
            "custom_text": True,
            "vision_cfg": {
                **clips.VISION,
                "attentional_pool": True,
                "output_tokens": True,
                "attn_pooler_heads": 2,
            },
            "text_cfg": {
                **clips.TEXT,
                "context_length": 76,
                "embed_cls": True,
                "output_tokens": True,
            },
            "multimodal_cfg": {
                "context_length": 76,
                "vocab_size": 49408,
                "width": 24,
                "heads": 2,
                "layers": 1,
            },
        },
        {"vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "patch_size": None}},
    ],
    ids=["sigmoid", "timm-tower", "coca", "resnet"],
)
def test_every_kind_of_open_clip_model(tmp_path: Path, changes: dict[str, Any]) -> None:
    name = clips.register(tmp_path, "surefoot-test-kind", **changes)
    model = load(f"open_clip:{name}/random")
    peer = open_clip.create_model(name)
    state = to_open_clip_state(model)
    assert set(state) == set(peer.state_dict())
    peer.load_state_dict(state)
    peer.eval()
    x = clips.pixels(model.spec.transform.size[0], n=2)
    assert model.text is not None
    tokens = open_clip.get_tokenizer(name)(NAMES)
    with torch.no_grad():
        normal = torch.nn.functional.normalize
        torch.testing.assert_close(
            normal(model.features(x)), normal(peer.encode_image(x)), rtol=0, atol=1e-6
        )
        ours = model.text(model.text.tokenize(NAMES))
        torch.testing.assert_close(
            normal(ours), normal(peer.encode_text(tokens)), rtol=0, atol=1e-6
        )
    save_model(model, tmp_path / "m.safetensors")
    assert clips.same(load_saved(tmp_path / "m.safetensors"), model)


def test_quick_gelu_changes_the_logits_and_openai_weights_get_it(tmp_path: Path) -> None:
    clips.register(tmp_path)
    peer = clips.clip(quick_gelu=True)
    path = tmp_path / "openai.pt"
    torch.save(clips.openai_state(peer), path)
    x = clips.pixels()
    ours = load(f"open_clip:{clips.NAME}@{path}")
    wrong = load(f"open_clip:{clips.NAME}@{path}?activation=gelu")
    peer.load_state_dict(to_open_clip_state(ours))
    with torch.no_grad():
        right = peer.encode_image(x)
        assert torch.equal(ours.features(x), right)
        assert (wrong.features(x) - right).abs().max() > 1e-3
    head = zero_shot_head(ours, NAMES, TEMPLATES)
    other = zero_shot_head(wrong, NAMES, TEMPLATES)
    with torch.no_grad():
        gap = head(ours.features(x)) - other(wrong.features(x))
    assert gap.abs().max() > 1e-2
    assert any("OpenAI's format" in note for note in ours.spec.notes)


def test_a_plain_vit_b_16_file_is_refused_until_the_activation_is_known() -> None:
    assert sibling("ViT-B-16") == "ViT-B-16-quickgelu"
    with pytest.raises(ModelError) as caught:
        decide("ViT-B-16", fixed=None, asked=None, sibling="ViT-B-16-quickgelu", where="w.pt")
    assert "ViT-B-16-quickgelu" in caught.value.fix
    assert "activation=gelu" in caught.value.fix


@pytest.mark.parametrize(
    ("given_", "quick"),
    [
        ({"asked": "gelu", "tag_says": True}, False),
        ({"asked": "quickgelu"}, True),
        ({"tag_says": True}, True),
        ({"tag_says": False}, False),
        ({"evidence": (True, "it")}, True),
        ({"evidence": (False, "it")}, False),
        ({"fixed": True}, True),
        ({"sibling": ""}, False),
        ({"fixed": False, "evidence": (True, "it")}, True),
    ],
)
def test_the_order_of_evidence(given_: dict[str, Any], quick: bool) -> None:
    facts: dict[str, Any] = {"fixed": None, "asked": None, "sibling": "A-quickgelu", **given_}
    found, why = decide("A", where="w.pt", **facts)
    assert found is quick
    assert why


def test_evidence_against_the_architecture_is_refused() -> None:
    with pytest.raises(ModelError, match="was trained with GELU"):
        decide(
            "A-quickgelu", fixed=True, asked=None, evidence=(False, "it"), sibling="", where="w.pt"
        )


@pytest.mark.parametrize("tag", ["openai", "dfn2b", "metaclip_400m", "laion2b_s34b_b88k"])
def test_a_tags_own_record_decides(tag: str, tmp_path: Path, monkeypatch: Any) -> None:
    """The builder that ARCH/TAG chooses, with the download replaced by a local file."""
    from surefoot.models.open_clip import load as open_clip_load

    clips.register(tmp_path, "ViT-B-16", quick_gelu=False)
    state = clips.clip(quick_gelu=False).state_dict()
    path = tmp_path / "weights.pt"
    torch.save(state, path)
    monkeypatch.setattr(open_clip_load, "_weights_of", lambda record, source: path)
    model = load(f"open_clip:ViT-B-16/{tag}")
    quick = bool(open_clip.get_pretrained_cfg("ViT-B-16", tag).get("quick_gelu"))
    assert model.spec.builder["config"]["quick_gelu"] is quick
    assert quick is (tag != "laion2b_s34b_b88k")
    kinds = {type(m).__name__ for m in model.encoder.modules()}
    assert ("QuickGELU" in kinds) is quick


def test_open_clips_training_name_is_evidence(tmp_path: Path) -> None:
    clips.register(tmp_path, "ViT-B-16")
    state = clips.clip(quick_gelu=True).state_dict()
    path = tmp_path / "epoch_9.pt"
    torch.save({"name": "2025-model_ViT-B-16-quickgelu-lr_0.1-b_9", "state_dict": state}, path)
    assert load(f"open_clip:ViT-B-16@{path}").spec.builder["config"]["quick_gelu"] is True
    # A name without the ending tells nothing: --force-quick-gelu is not in it.
    for facts in ({}, {"name": "2025-model_ViT-B-16-lr_0.1-b_9"}):
        torch.save({"state_dict": state, **facts}, path)
        with pytest.raises(ModelError, match=r"nothing in epoch_9\.pt tells"):
            load(f"open_clip:ViT-B-16@{path}")
    asked = load(f"open_clip:ViT-B-16@{path}?activation=quickgelu")
    assert asked.spec.builder["config"]["quick_gelu"] is True


def test_a_local_folder_of_open_clip(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    peer = clips.clip(quick_gelu=True)
    config = {
        "model_cfg": {**clips.CONFIG, "quick_gelu": True},
        "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3, "resize_mode": "squash"},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    torch.save(peer.state_dict(), folder / "open_clip_pytorch_model.bin")
    model = load(folder)
    x = clips.pixels()
    with torch.no_grad():
        assert torch.equal(model.features(x), peer.encode_image(x))
    assert model.spec.transform.resize_mode == "squash"
    assert model.spec.name == "mine"


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("open_clip:ViT-B-61/openai", UnknownName, "Did you mean 'ViT-B-16'"),
        ("open_clip:ViT-B-16/opnai", UnknownName, "Did you mean 'openai'"),
        ("open_clip:ViT-B-16", ModelError, "not which weights"),
        ("open_clip:ViT-B-16/openai?activaton=gelu", ModelError, "does not exist"),
        ("open_clip:ViT-B-16/openai?activation=relu", ModelError, "is not possible"),
        ("open_clip:ViT-B-16@nowhere.pt", CheckpointError, "there is no file nowhere.pt"),
        ("open_clip:", ModelError, "names no architecture"),
    ],
)
def test_wrong_names_teach(name: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=re.escape(says)):
        load(name)


def test_no_network_says_which_file_from_where_and_what_to_do(monkeypatch: Any) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(DownloadUnavailable) as caught:
        load("open_clip:ViT-B-16/openai")
    text = str(caught.value)
    assert "open_clip_model.safetensors" in text
    assert open_clip.get_pretrained_cfg("ViT-B-16", "openai")["hf_hub"].strip("/") in text
    assert "open_clip:ViT-B-16@FILE?activation=quickgelu" in text


def test_a_hub_that_does_not_answer_is_asked_once(monkeypatch: Any) -> None:
    asked: list[str] = []

    def silent(endpoint: str) -> bool:
        asked.append(endpoint)
        return False

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(hub, "_reachable", silent)
    with pytest.raises(DownloadUnavailable, match="does not answer"):
        load("open_clip:ViT-B-16/openai")
    assert len(asked) == 1
