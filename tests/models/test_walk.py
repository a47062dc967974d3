"""Every tag of the installed open_clip and timm: our record against theirs, no weights allocated.

What a tag of open_clip or timm wants is read from their records, by the code that ``load`` uses,
and held against the pipeline that they build from the same record. Where the two differ on purpose,
the exception stands here with its reason.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import Any

import open_clip
import pytest
import timm
import torch
from torchvision import transforms as tv

from surefoot.errors import ModelError
from surefoot.models.activation import activation_of
from surefoot.models.allowed import TimmRecord, listed
from surefoot.models.foreign import timm_model
from surefoot.models.names import Source
from surefoot.models.open_clip.load import _builder
from surefoot.models.open_clip.records import (
    preprocess_of_file,
    preprocess_of_tag,
    records_of,
    tag_says,
)
from surefoot.models.open_clip.towers import transform_of as clip_transform
from surefoot.models.record import settle
from surefoot.models.timm.encoder import pooling_fact, transform_of
from surefoot.models.timm.records import names, quick_gelu, record_of, text_fact
from surefoot.transforms import TransformSpec

TAGS = open_clip.list_pretrained()
TIMM = timm.list_pretrained()


def pipeline(spec: TransformSpec) -> tuple[Any, ...]:
    """Resize, crop, mean and deviation of ours."""
    if spec.resize_mode == "squash":
        height, width = spec.size
        resize: Any = (spec.resize, round((spec.resize or 0) * width / height))
    else:
        resize = spec.resize
    return resize, spec.interpolation, spec.size, *digits(spec.mean, spec.std)


def digits(*values: Any) -> tuple[tuple[float, ...], ...]:
    """Rounded, as timm keeps some of them in single precision."""
    return tuple(tuple(round(float(v), 5) for v in one) for one in values)


def theirs(steps: Any) -> tuple[Any, ...]:
    """The same of a torchvision pipeline that open_clip or timm made."""
    resize, crop, mean = None, None, None
    for step in steps.transforms:
        if type(step).__name__ in ("Resize", "ResizeKeepRatio"):
            size = step.size
            resize = tuple(size) if isinstance(size, (list, tuple)) else size
            resize = resize[0] if isinstance(resize, tuple) and len(resize) == 1 else resize
            how = step.interpolation.value
        elif type(step).__name__ in ("CenterCrop", "CenterCropOrPad"):
            crop = tuple(step.size)
        elif isinstance(step, tv.Normalize):
            mean = digits(step.mean, step.std)
    assert mean is not None
    return resize, how, crop or resize, *mean


def test_every_tag_of_open_clip_is_shown_images_as_open_clip_shows_them() -> None:
    for arch, tag in TAGS:
        record = open_clip.get_pretrained_cfg(arch, tag)
        vision = open_clip.get_model_config(arch)["vision_cfg"]
        size = vision.get("image_size", 224)
        preprocess, where = preprocess_of_tag(Source("", "open_clip", arch, tag))
        ours = clip_transform({**preprocess, "size": size}, name=arch)
        merged = open_clip.transform.merge_preprocess_dict(
            open_clip.transform.PreprocessCfg(), {**record, "size": size}
        )
        config = open_clip.transform.PreprocessCfg(**merged)
        peer = open_clip.transform.image_transform_v2(config, is_train=False)
        assert pipeline(ours) == theirs(peer), (arch, tag)
        assert where == f"the record of open_clip:{arch}/{tag}"


def test_every_tag_of_open_clip_gets_the_activation_of_its_record() -> None:
    silent = set()
    for arch, tag in TAGS:
        said = open_clip.get_pretrained_cfg(arch, tag).get("quick_gelu")
        fixed = open_clip.get_model_config(arch).get("quick_gelu")
        source = Source(f"open_clip:{arch}/{tag}", "open_clip", arch, tag)
        builder, why = _builder(source, says=tag_says(arch, tag))
        quick = builder["config"]["quick_gelu"]
        if quick is not bool(said):
            silent.add((arch, tag))
            assert said is None
            assert fixed
        assert why
    assert silent == {("roberta-ViT-B-32", "laion2b_s12b_b32k")}
    # Its record has no word about it, and the configuration that it was trained with has QuickGELU.


DIFFER = {"ViT-H-14": {False}, "ViT-H-14-quickgelu": set(), "ViT-L-14": {True}}
"""Architectures of open_clip whose tags are shown images in several ways, and the activations
(QuickGELU or not) whose tags agree: OpenAI's mean or 0.5 for ViT-L-14 with GELU, a shorter side of
the right size or both sides squashed for ViT-H-14 with QuickGELU."""


def test_a_file_of_an_open_clip_architecture_gets_what_its_tags_agree_on() -> None:
    for arch in sorted({arch for arch, _ in TAGS}):
        records = records_of(arch)
        for quick in sorted({bool(r.get("quick_gelu")) for r in records.values()}):
            source = Source("", "open_clip", arch)
            if arch in DIFFER and quick not in DIFFER[arch]:
                with pytest.raises(ModelError, match=r"published ones differ"):
                    preprocess_of_file(arch, source, {}, quick=quick)
                continue
            preprocess, _ = preprocess_of_file(arch, source, {}, quick=quick)
            same = [r for r in records.values() if bool(r.get("quick_gelu")) is quick]
            assert all(preprocess["resize_mode"] == r["resize_mode"] for r in same), arch
            assert all(preprocess["mean"] == tuple(r["mean"]) for r in same), arch


def test_every_pretrained_configuration_of_timm_is_shown_images_as_timm_shows_them() -> None:
    padded, stretched = set(), set()
    for full in TIMM:
        name, _, tag = full.partition(".")
        record = record_of(name, tag)
        data, where = settle(f"timm:{name}", {tag: record}, ("mean", "std"), {})
        config = timm.data.resolve_data_config(data, pretrained_cfg=record)
        ours, notes = transform_of(config)
        assert where == f"the record of timm:{name}/{tag}"
        assert listed(TimmRecord, record, full, leave_out=True)["mean"] == list(record["mean"])
        if config["crop_mode"] == "border":
            padded.add(name)
            assert notes
            continue
        if config["input_size"][1] != config["input_size"][2] and config["crop_mode"] != "squash":
            stretched.add(name)
            assert notes
            continue
        assert pipeline(ours) == theirs(pipeline_of_timm(tuple(sorted(config.items())))), full
    assert padded == PADDED
    assert not stretched


PADDED = {"deepseek_vit_412m", "deepseek_vit_412m_align", "deepseek_vit_412m_enc"}
"""timm pads their images to a square, which a TransformSpec cannot say; a note does."""


@cache
def pipeline_of_timm(config: tuple[tuple[str, Any], ...]) -> Any:
    return timm.data.create_transform(**dict(config), is_training=False)


def test_both_registries_on_quick_gelu() -> None:
    """timm notes it; where it is silent, open_clip's record of the same weights is taken."""
    silent = set()
    for full in TIMM:
        name, _, tag = full.partition(".")
        noted = any("QuickGELU" in note for note in timm.get_pretrained_cfg(full).notes or ())
        quick, _ = quick_gelu(name, tag)
        if noted:
            assert quick, full
        elif quick:
            silent.add(full)
    assert silent == SILENT


SILENT = {"vit_base_patch16_clip_224.dfn2b"}
"""timm's record lacks the note, which its records of DFN's other networks have; open_clip's record
of the same weights says QuickGELU."""


def test_who_saw_text_is_known_of_nearly_all_of_timm() -> None:
    found = defaultdict(list)
    for full in TIMM:
        name, _, tag = full.partition(".")
        found[text_fact(name, tag).value].append(full)
    assert len(found["yes"]) > 300
    assert len(found["unknown"]) < 0.1 * len(TIMM), found["unknown"]


def families() -> list[str]:
    """An architecture of each module of timm."""
    first: dict[str, str] = {}
    for name in names():
        first.setdefault(timm.models.model_entrypoint(name).__module__, name)
    return sorted(first.values())


def told(name: str) -> None:
    """Pooling and activation of an architecture are told, and it takes the image size it is for."""
    record = record_of(name)
    with torch.device("meta"):
        encoder = timm_model(name)
        if record.get("fixed_input_size"):
            timm_model(name, {"img_size": record["input_size"][1]})
    assert activation_of(encoder) != "unknown"
    assert pooling_fact(encoder, asked=False).value != "unknown"


@pytest.mark.parametrize("name", families()[::5])
def test_some_families_of_timm_on_the_meta_device(name: str) -> None:
    told(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", families())
def test_every_family_of_timm_on_the_meta_device(name: str) -> None:
    told(name)
