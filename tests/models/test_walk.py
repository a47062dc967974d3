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

from surefoot.models.activation import activation_of
from surefoot.models.foreign import timm_model
from surefoot.models.names import Source
from surefoot.models.open_clip.load import _builder
from surefoot.models.open_clip.records import preprocess_of_file, preprocess_of_tag, records_of
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
    return resize, spec.interpolation, spec.size, spec.mean, spec.std


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
            mean = tuple(map(float, step.mean)), tuple(map(float, step.std))
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
    for arch, tag in TAGS:
        record = open_clip.get_pretrained_cfg(arch, tag)
        quick = bool(record.get("quick_gelu"))
        fixed = open_clip.get_model_config(arch).get("quick_gelu")
        source = Source(f"open_clip:{arch}/{tag}", "open_clip", arch, tag)
        builder, why = _builder(source, tag_says=quick)
        assert builder["config"]["quick_gelu"] is quick, (arch, tag)
        # An architecture that fixes QuickGELU has no tag without it.
        assert not fixed or quick, (arch, tag)
        assert why


DIFFER = {"ViT-H-14": {False}, "ViT-H-14-quickgelu": set(), "ViT-L-14": {True}}
"""Architectures of open_clip whose tags are shown images in several ways, and the activations
(QuickGELU or not) whose tags agree: OpenAI's mean or 0.5 for ViT-L-14 with GELU, a shorter side of
the right size or both sides squashed for ViT-H-14 with QuickGELU."""


def test_a_file_of_an_open_clip_architecture_gets_what_its_tags_agree_on() -> None:
    from surefoot.errors import ModelError

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
        if config["crop_mode"] == "border":
            padded.add(name)
            assert notes
            continue
        if config["input_size"][1] != config["input_size"][2] and config["crop_mode"] != "squash":
            stretched.add(name)
            assert notes
            continue
        assert pipeline(ours) == theirs(pipeline_of_timm(tuple(sorted(config.items())))), full
    # A TransformSpec cannot say these; the notes do.
    assert padded <= {"csatv2", "csatv2_21m"} | {n for n in padded if n.startswith("tf_")}
    assert len(stretched) < 5, stretched


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
"""timm's record of these lacks the note, and open_clip's says QuickGELU. Also a look at DFN's two
other networks tells that timm's silence is an oversight: their records have the note."""


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


def facts_of(name: str) -> None:
    """Pooling and activation of an architecture are told, and it takes another image size."""
    with torch.device("meta"):
        encoder = timm_model(name)
        assert activation_of(encoder) != "unknown" or name in NO_ACTIVATION, name
        pooling = pooling_fact(encoder, asked=False).value
        assert pooling != "unknown" or name.startswith(OWN_POOLING), name
        if record_of(name).get("fixed_input_size") and not name.startswith(ONE_SIZE):
            size = record_of(name)["input_size"][1]
            timm_model(name, {"img_size": size})


NO_ACTIVATION: set[str] = set()
OWN_POOLING: tuple[str, ...] = ("zzz",)
ONE_SIZE: tuple[str, ...] = ("zzz",)


@pytest.mark.parametrize("name", families())
def test_one_architecture_of_each_family_of_timm_on_the_meta_device(name: str) -> None:
    facts_of(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_every_architecture_of_timm_on_the_meta_device(name: str) -> None:
    facts_of(name)
