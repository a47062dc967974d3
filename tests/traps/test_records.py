"""What weights want: transform, activation and size by a record, or refused with the choices."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from surefoot.models.activation import decide
from surefoot.models.load import load
from surefoot.models.names import parse
from surefoot.models.open_clip.records import preprocess_of_file
from surefoot.models.record import settle
from surefoot.models.timm.records import quick_gelu

from .builders import refusal

HALF = {"mean": 0.5, "std": 0.5, "mode": "squash"}
THIRD = {"mean": (0.48, 0.46, 0.41), "std": (0.27, 0.26, 0.28), "mode": "shortest"}
FIELDS = ("mean", "std", "mode")


def settled(records: dict[str, dict[str, Any]], **options: str) -> dict[str, Any]:
    return settle("lib:net", records, FIELDS, options)[0]


def test_records_that_agree_settle_it() -> None:
    assert settled({"a": HALF, "b": {**HALF, "mean": [0.5]}})["mean"] == (0.5,) * 3


def test_records_that_differ_are_refused_with_the_choices() -> None:
    error = refusal("its published ones differ", lambda: settled({"a": HALF, "b": THIRD}))
    assert "?tag=" in (error.fix or "")
    assert "mean (0.5, 0.5, 0.5): a" in error.wrong


def test_the_user_says_which() -> None:
    assert settled({"a": HALF, "b": THIRD}, tag="b")["mode"] == "shortest"
    assert settled({"a": HALF, "b": THIRD}, mean="0.5")["std"] == (0.5,) * 3


def test_a_tag_that_does_not_exist_names_the_nearest() -> None:
    refusal("laion", lambda: settled({"laion": HALF}, tag="lion"))


@pytest.mark.parametrize(
    ("architecture", "mean", "mode"),
    [("ViT-B-16-SigLIP", 0.5, "squash"), ("ViT-B-16-SigLIP2", 0.5, "squash"),
     ("ViT-SO400M-14-SigLIP-384", 0.5, "squash")],
)  # fmt: skip
def test_a_file_of_a_siglip_is_shown_as_its_tag_says(
    architecture: str, mean: float, mode: str
) -> None:
    source = parse(f"open_clip:{architecture}@w.pt")
    values, where = preprocess_of_file(architecture, source, {}, quick=False)
    assert (values["mean"], values["resize_mode"]) == ((mean,) * 3, mode)
    assert "record" in where


def test_a_file_whose_tags_differ_is_refused() -> None:
    source = parse("open_clip:ViT-L-14@w.pt")
    refusal("?tag=TAG", lambda: preprocess_of_file("ViT-L-14", source, {}, quick=False))


def test_a_size_that_was_asked_for() -> None:
    model = load("timm:vit_tiny_patch16_224/random?img_size=96")
    assert model.spec.transform.size == (96, 96)


def test_another_pooling_that_was_asked_for() -> None:
    model = load("timm:vit_tiny_patch16_224/random?global_pool=avg&img_size=32")
    assert model.spec.record is not None
    assert "mean" in model.spec.record.pooling.value


@pytest.mark.parametrize("option", ["global_pol=avg", "size=96"])
def test_an_option_that_does_not_exist(option: str) -> None:
    refusal("option", lambda: load(f"timm:vit_tiny_patch16_224/random?{option}"))


def decided(**known: Any) -> tuple[bool, str]:
    given: dict[str, Any] = {"fixed": None, "asked": None, "sibling": "ViT-B-32-quickgelu"}
    return decide("ViT-B-32", where="model_ViT-B-32-lr_1e-5.pt", **{**given, **known})


def test_a_name_of_a_training_run_is_no_evidence_of_its_activation() -> None:
    error = refusal("GELU or with QuickGELU", decided)
    assert "ViT-B-32-quickgelu" in (error.fix or "")


@pytest.mark.parametrize(
    ("known", "quick"),
    [
        ({"asked": "gelu"}, False),
        ({"asked": "quickgelu"}, True),
        ({"tag_says": True}, True),
        ({"evidence": (True, "its config.json")}, True),
        ({"fixed": True}, True),
        ({"sibling": ""}, False),
    ],
)
def test_what_settles_an_activation(known: dict[str, Any], quick: bool) -> None:
    found, why = decided(**known)
    assert found is quick
    assert "gelu" in why


def test_a_record_and_a_file_that_disagree_about_an_activation() -> None:
    refusal("the record says", lambda: decided(tag_says=True, evidence=(False, "its args")))


def test_two_registries_that_disagree() -> None:
    quick, why = quick_gelu("vit_base_patch16_clip_224", "dfn2b")
    assert quick
    assert "ViT-B-16/dfn2b" in why


def test_a_mean_of_patches_is_said() -> None:
    with torch.device("meta"):
        model = load("timm:vit_small_patch16_dinov3/random", device="meta")
    assert model.spec.record is not None
    assert model.spec.record.pooling.value == "mean of patch tokens"
    assert any("?global_pool=token" in note for note in model.spec.notes)
