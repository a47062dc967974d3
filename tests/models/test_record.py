"""Records: what weights want, where it was read, what is refused, what the user may say."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import transformers as hf
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from surefoot.cli.main import cli
from surefoot.errors import CheckpointError, ModelError, UnknownName
from surefoot.models.checkpoints import Checkpoint
from surefoot.models.load import load
from surefoot.models.model import ModelSpec
from surefoot.models.names import parse
from surefoot.models.open_clip.records import preprocess_of_file
from surefoot.models.record import ModelRecord, settle
from surefoot.models.save import load_saved, save_model
from surefoot.models.states import Checked
from surefoot.models.timm import load as timm_load
from surefoot.models.timm.records import quick_gelu, text_fact, training_arguments
from surefoot.testing import small_clip

from . import clips

RECORDS: dict[str, dict[str, Any]] = {
    "a": {"mean": (0.5,) * 3, "std": (0.5,) * 3, "mode": "x"},
    "b": {"mean": 0.5, "std": [0.5], "mode": "x"},
    "c": {"mean": (0.4,) * 3, "std": (0.2,) * 3, "mode": "x"},
}
FIELDS = ("mean", "std", "mode")


def settled(options: dict[str, str], *tags: str) -> tuple[dict[str, Any], str]:
    return settle("lib:net", {tag: RECORDS[tag] for tag in tags or "abc"}, FIELDS, options)


@pytest.mark.parametrize(
    ("options", "tags", "mean", "std", "said"),
    [
        ({}, "ab", 0.5, 0.5, "the 2 records of lib:net, which agree"),
        ({}, "c", 0.4, 0.2, "the record of lib:net/c"),
        ({"tag": "c"}, "abc", 0.4, 0.2, "the record of lib:net/c"),
        # One record's deviation goes with the mean that was asked for.
        ({"mean": "0.4"}, "abc", 0.4, 0.2, "mean as asked for, the rest from"),
        ({"mean": "0.3", "std": "0.1,0.1,0.1"}, "abc", 0.3, 0.1, "mean and std as asked for"),
    ],
)
def test_what_records_and_the_user_settle(
    options: dict[str, str], tags: str, mean: float, std: float, said: str
) -> None:
    values, where = settled(options, *tags)
    assert values == {"mean": (mean,) * 3, "std": (std,) * 3, "mode": "x"}
    assert said in where


@pytest.mark.parametrize("options", [{}, {"mean": "0.3"}, {"std": "0.1"}])
def test_what_nothing_settles_is_refused_with_the_choices(options: dict[str, str]) -> None:
    with pytest.raises(ModelError) as caught:
        settled(options)
    assert "?tag=TAG" in caught.value.fix
    assert "a, b" in str(caught.value)


def test_a_tag_that_does_not_exist() -> None:
    with pytest.raises(UnknownName, match="'d'"):
        settled({"tag": "d"})


def test_siglips_agree_among_themselves_and_differ_from_openai() -> None:
    source = parse("open_clip:ViT-B-16-SigLIP@w.pt")
    values, where = preprocess_of_file("ViT-B-16-SigLIP", source, {}, quick=False)
    assert values["mean"] == values["std"] == (0.5,) * 3
    assert values["resize_mode"] == "squash"
    assert "open_clip:ViT-B-16-SigLIP/webli" in where


def test_tags_of_one_clip_that_differ_are_refused_until_one_is_named() -> None:
    plain = parse("open_clip:ViT-L-14@w.pt")
    with pytest.raises(ModelError, match="laion2b_s32b_b82k"):
        preprocess_of_file("ViT-L-14", plain, {}, quick=False)
    # Those that were trained with QuickGELU agree, and so does OpenAI's own format.
    assert preprocess_of_file("ViT-L-14", plain, {}, quick=True)[0]["mean"][0] > 0.48
    asked = parse("open_clip:ViT-L-14@w.pt?tag=laion2b_s32b_b82k")
    assert preprocess_of_file("ViT-L-14", asked, {}, quick=False)[0]["mean"] == (0.5,) * 3
    quick = parse("open_clip:ViT-H-14@w.pt?mean=0.5&std=0.5")
    with pytest.raises(ModelError, match="resize_mode"):
        preprocess_of_file("ViT-H-14", quick, {}, quick=True)
    beside = {"mean": [0.1] * 3, "std": [0.2] * 3}
    values, where = preprocess_of_file("ViT-L-14", plain, beside, quick=False)
    assert values["mean"] == (0.1,) * 3
    assert where == "open_clip_config.json beside the weights"


def test_a_tag_settles_activation_and_transform_of_a_file(tmp_path: Path) -> None:
    state = clips.clip(quick_gelu=False).state_dict()
    torch.save(state, tmp_path / "w.pt")
    with clips.registry():
        clips.register(tmp_path, "ViT-L-14")
        name = f"open_clip:ViT-L-14@{tmp_path / 'w.pt'}"
        one, other = (load(f"{name}?tag={tag}") for tag in ("dfn2b", "laion2b_s32b_b82k"))
        with pytest.raises(ModelError, match="GELU"):
            load(name)
        torch.save(clips.openai_state(clips.clip(quick_gelu=True)), tmp_path / "w.pt")
        assert load(name).spec.transform.mean[0] > 0.48
        with pytest.raises(ModelError, match="OpenAI's format"):
            load(f"{name}?tag=laion2b_s32b_b82k")
    assert one.spec.builder["config"]["quick_gelu"] is True
    assert other.spec.builder["config"]["quick_gelu"] is False
    assert other.spec.transform.mean == (0.5,) * 3
    assert other.spec.record is not None
    assert other.spec.record.activation.value == "GELU"
    assert "ViT-L-14/laion2b_s32b_b82k" in other.spec.record.activation.source


def vit(path: Path, **settings: Any) -> Any:
    """timm's smallest plain ViT, random weights, as a file."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        peer = timm.create_model("vit_tiny_patch16_224", **{"num_classes": 3, **settings}).eval()
    torch.save(peer.state_dict(), path)
    return peer


def before(peer: Any, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images, and timm's features of them before the classifier."""
    x = clips.pixels(size, n=1)
    with torch.no_grad():
        features: torch.Tensor = peer.forward_head(peer.forward_features(x), pre_logits=True)
    return x, features


def test_timm_tags_with_other_means_are_refused_until_one_is_named(tmp_path: Path) -> None:
    peer = timm.create_model("vit_small_patch16_224", num_classes=0)
    path = tmp_path / "mine.pth"
    torch.save(peer.state_dict(), path)
    with pytest.raises(ModelError) as caught:
        load(f"timm:vit_small_patch16_224@{path}")
    for part in ("0.485", "0.5", "dino", "augreg_in1k"):
        assert part in str(caught.value)
    dino = load(f"timm:vit_small_patch16_224@{path}?tag=dino")
    assert dino.spec.transform.mean == (0.485, 0.456, 0.406)
    assert dino.spec.saw_text is False
    other = load(f"timm:vit_small_patch16_224@{path}?mean=0.5")
    assert other.spec.transform.std == (0.5,) * 3


def test_timms_training_checkpoint_says_how_it_was_trained(tmp_path: Path) -> None:
    peer = timm.create_model("vit_small_patch16_224", num_classes=3)
    average = {k: v + 1 for k, v in peer.state_dict().items()}
    args = argparse.Namespace(model="vit_small_patch16_224", mean=[0.1, 0.2, 0.3], std=None)
    value = {"epoch": 3, "arch": args.model, "args": args, "state_dict": peer.state_dict(),
             "state_dict_ema": average}  # fmt: skip
    torch.save(value, tmp_path / "last.pth.tar")
    model = load(tmp_path / "last.pth.tar")
    assert model.spec.transform.mean == (0.1, 0.2, 0.3)
    assert model.spec.transform.std == (0.5,) * 3  # that of timm's default for it
    assert torch.equal(model.encoder.norm.weight, average["norm.weight"])
    assert any("moving average" in note for note in model.spec.notes)
    record = model.spec.record
    assert record is not None
    assert record.transform.source == "the training arguments in last.pth.tar"
    assert record.architecture == ("vit_small_patch16_224", "architecture vit_small_patch16_224, "
                                   "as last.pth.tar says")  # fmt: skip
    assert "head.weight" in record.head.value


def test_only_timms_own_arguments_are_training_arguments() -> None:
    dino = {"args": {"arch": "vit_tiny", "mean": [0.1] * 3}}
    assert training_arguments(Checkpoint({}, "torch", facts=dino)) is None
    ours = {"arch": "resnet18", "args": {"img_size": 96, "mean": None}}
    found = training_arguments(Checkpoint({}, "torch", facts=ours))
    assert found == {"input_size": [3, 96, 96]}


@pytest.mark.parametrize("size", [96, 384])
def test_an_images_size_is_read_off_the_position_embedding(size: int, tmp_path: Path) -> None:
    peer = vit(tmp_path / "w.pth", img_size=size)
    model = load(f"timm:vit_tiny_patch16_224@{tmp_path / 'w.pth'}")
    assert model.spec.transform.size == (size, size)
    x, features = before(peer, size)
    with torch.no_grad():
        assert torch.equal(model.features(x), features)
    assert model.spec.record is not None
    assert "position embedding" in model.spec.record.transform.source
    save_model(model, tmp_path / "m.safetensors")
    assert clips.same(load_saved(tmp_path / "m.safetensors"), model)


def test_another_size_that_was_asked_for_is_resampled_as_timm_does(tmp_path: Path) -> None:
    peer = vit(tmp_path / "w.pth")
    model = load(f"timm:vit_tiny_patch16_224@{tmp_path / 'w.pth'}?img_size=96")
    other = timm.create_model("vit_tiny_patch16_224", num_classes=3, img_size=96).eval()
    change = timm.models.vision_transformer.checkpoint_filter_fn
    other.load_state_dict(change(peer.state_dict(), other))
    x, features = before(other, 96)
    with torch.no_grad():
        assert torch.equal(model.features(x), features)
    assert model.spec.transform.size == (96, 96)


def test_a_convolutional_network_takes_any_size() -> None:
    model = load("timm:test_resnet/random?img_size=96")
    assert model.spec.transform.size == (96, 96)
    assert model.features(clips.pixels(96, n=1)).shape == (1, model.feature_dim)


def test_mean_pooling_is_read_off_the_norm_or_asked_for(tmp_path: Path) -> None:
    peer = vit(tmp_path / "w.pth", global_pool="avg")
    model = load(f"timm:vit_tiny_patch16_224@{tmp_path / 'w.pth'}")
    x, features = before(peer, 224)
    with torch.no_grad():
        assert torch.equal(model.features(x), features)
    assert model.spec.record is not None
    assert model.spec.record.pooling == ("mean of patch tokens", "fc_norm in w.pth")
    asked = load("timm:test_vit/random?global_pool=avg")
    assert asked.spec.record is not None
    assert asked.spec.record.pooling == ("mean", "as asked for")
    assert asked.spec.builder["args"]["global_pool"] == "avg"


def test_another_pooling_than_the_weights_were_trained_with(tmp_path: Path) -> None:
    """The norm stays where it was: before the mean of a token-pooled ViT, after the class token."""
    for pool, other in (("token", "avg"), ("avg", "token")):
        peer = vit(tmp_path / "w.pth", global_pool=pool)
        model = load(f"timm:vit_tiny_patch16_224@{tmp_path / 'w.pth'}?global_pool={other}")
        x = clips.pixels(224, n=1)
        with torch.no_grad():
            tokens = peer.forward_features(x)
            mean, first = tokens[:, 1:].mean(dim=1), peer.fc_norm(tokens[:, 0])
            torch.testing.assert_close(model.features(x), mean if other == "avg" else first)
        save_model(model, tmp_path / "m.safetensors")
        assert clips.same(load_saved(tmp_path / "m.safetensors"), model)


def test_a_clip_of_another_size(tmp_path: Path) -> None:
    """Read off the position embedding; or resampled, where another was asked for."""
    with clips.registry():
        clips.register(tmp_path)
        clips.register(tmp_path, "large", vision_cfg={**clips.VISION, "image_size": 64})
        torch.save(clips.clip(quick_gelu=False).state_dict(), tmp_path / "w.pt")
        read = load(f"open_clip:large@{tmp_path / 'w.pt'}")
        asked = load(f"open_clip:{clips.NAME}@{tmp_path / 'w.pt'}?img_size=64")
    assert read.spec.transform.size == (32, 32)
    assert asked.spec.transform.size == (64, 64)
    assert read.features(clips.pixels(32)).shape == asked.features(clips.pixels(64)).shape


@pytest.mark.parametrize("kind", ["dinov2", "dinov3_vit"])
def test_two_poolings_of_a_transformers_model(kind: str, tmp_path: Path) -> None:
    from .hf.test_load import peer_of

    peer: Any = peer_of(kind)
    peer.save_pretrained(tmp_path / "m")
    class_token = load(tmp_path / "m")
    averaged = load(f"{tmp_path / 'm'}?global_pool=avg&img_size=64")
    assert averaged.spec.transform.size == (64, 64)
    x = clips.pixels(64)
    with torch.no_grad():
        out = peer(x)
        assert torch.equal(class_token.features(x), out.pooler_output)
        prefix = out.last_hidden_state.shape[1] - 16
        assert prefix == 1 + getattr(peer.config, "num_register_tokens", 0)
        expected = out.last_hidden_state[:, prefix:].mean(dim=1)
        assert torch.equal(averaged.features(x), expected)
    assert class_token.spec.record is not None
    assert "?global_pool=avg" in class_token.spec.record.pooling.source
    save_model(averaged, tmp_path / "a.safetensors")
    with torch.no_grad():
        assert torch.equal(load(tmp_path / "a.safetensors").features(x), expected)


def test_timms_mean_of_patches_is_said() -> None:
    with torch.device("meta"):
        model = load("timm:vit_small_patch16_dinov3/random", device="meta")
    assert model.spec.record is not None
    assert model.spec.record.pooling.value == "mean of patch tokens"
    assert any("?global_pool=token" in note for note in model.spec.notes)


def test_open_clips_record_goes_before_timms_silence(tmp_path: Path, monkeypatch: Any) -> None:
    quick, why = quick_gelu("vit_base_patch16_clip_224", "dfn2b")
    assert quick
    assert "ViT-B-16/dfn2b" in why
    torch.save({"norm.weight": torch.zeros(1)}, tmp_path / "w.pth")
    monkeypatch.setattr(timm_load, "_hub_weights", lambda record, instead, full: tmp_path / "w.pth")
    monkeypatch.setattr(timm_load, "fill", lambda *given, **settings: Checked({}))
    with torch.device("meta"):
        model = load("timm:vit_base_patch16_clip_224.dfn2b", device="meta")
        plain = load("timm:vit_base_patch16_clip_224.dfn2b?activation=gelu", device="meta")
    assert model.spec.record is not None
    assert model.spec.record.activation == ("QuickGELU", why)
    assert any("ViT-B-16/dfn2b" in note for note in model.spec.notes)
    assert model.spec.licence == "apple-ascl"
    assert plain.spec.record is not None
    assert plain.spec.record.activation == ("GELU", "as asked for")


@pytest.mark.parametrize(
    ("name", "tag", "saw"),
    [
        ("vit_base_patch16_clip_224", "openai_ft_in1k", "yes"),
        ("vit_pe_core_base_patch16_224", "fb", "yes"),
        ("vit_base_patch14_reg1_tipsv2", "webli", "yes"),
        ("aimv2_large_patch14_224", "apple_pt", "yes"),
        ("vit_base_patch16_radio_v3", "nvidia", "yes"),
        ("vit_base_patch16_224", "dino", "no"),
        ("resnet50", "a1_in1k", "no"),
        ("resnet50", "", "unknown"),
    ],
)
def test_who_saw_text(name: str, tag: str, saw: str) -> None:
    assert text_fact(name, tag).value == saw


def test_an_option_that_does_nothing_is_refused(tmp_path: Path) -> None:
    save_model(small_clip(), tmp_path / "m.safetensors")
    for name, option in (
        ("tiny-clip", "mean=0.5"),
        (f"{tmp_path / 'm.safetensors'}", "tag=openai"),
        ("open_clip:ViT-B-32/random", "global_pool=avg"),
    ):
        with pytest.raises(ModelError, match=option.partition("=")[0]):
            load(f"{name}?{option}")
    for option in ("mean=a", "mean=1,2", "img_size=0", "global_pool=best"):
        with pytest.raises(ModelError, match="is not possible"):
            load(f"timm:test_vit/random?{option}")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_a_saved_model_of_another_format_is_float32_and_says_so(
    dtype: torch.dtype, tmp_path: Path
) -> None:
    model = small_clip()
    save_model(model.clone().to(dtype), tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    assert {p.dtype for p in again.parameters()} == {torch.float32}
    assert any(str(dtype).removeprefix("torch.") in note for note in again.spec.notes)
    assert again.features(clips.pixels(again.spec.transform.size[0])).isfinite().all()
    save_model(model, tmp_path / "n.safetensors")
    assert load(tmp_path / "n.safetensors").spec.notes == model.spec.notes


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_saved_model_with_a_broken_weight_is_refused(value: float, tmp_path: Path) -> None:
    from safetensors import safe_open

    path = tmp_path / "m.safetensors"
    save_model(small_clip(), path)
    with safe_open(path, framework="pt") as opened:
        about = opened.metadata()
    state = load_file(path)
    key = next(k for k in state if k.startswith("encoder."))
    state[key].view(-1)[0] = value
    save_file(state, path, about)
    with pytest.raises(CheckpointError, match="NaN or infinite") as caught:
        load(path)
    assert key in str(caught.value)


def test_a_record_goes_through_json_and_takes_eight_lines(tmp_path: Path) -> None:
    model = load("timm:test_vit/random")
    record = model.spec.record
    assert record is not None
    assert ModelRecord.from_json(record.to_json()) == record
    assert ModelSpec.from_json(model.spec.to_json()) == model.spec
    save_model(model, tmp_path / "m.safetensors")
    assert load(tmp_path / "m.safetensors").spec.record == record
    assert len(record.lines()) <= 8
    shown = CliRunner().invoke(cli, ["show", "timm:test_vit/random"])
    assert shown.output.splitlines() == record.lines()
    shown = CliRunner().invoke(cli, ["show", str(tmp_path / "m.safetensors")])
    assert shown.output.splitlines() == record.lines()


def test_a_transformers_head_is_left_out_and_said(tmp_path: Path) -> None:
    config = hf.Dinov2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                             image_size=32, patch_size=16, num_labels=3)  # fmt: skip
    hf.Dinov2ForImageClassification(config).save_pretrained(tmp_path / "m")
    model = load(tmp_path / "m")
    assert model.spec.record is not None
    assert "classifier.weight" in model.spec.record.head.value
    assert any("left out" in note for note in model.spec.notes)
