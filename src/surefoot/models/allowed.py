"""What a file may say to other libraries: closed lists of names, each with its type and bounds.

Metadata of a weights file and configurations of a folder are a stranger's. :mod:`.foreign` hands
them to open_clip, timm, transformers and tokenizers only as they come out of here. A name that is
not listed is refused; where a format is another project's (``config.json``,
``tokenizer_config.json``) and holds much that no constructor needs, it is left out instead.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from ..errors import ModelError

__all__ = [
    "ClipConfig",
    "TimmArgs",
    "TimmRecord",
    "TinyImage",
    "TinyText",
    "TokenizerKwargs",
    "listed",
    "plain_values",
    "refuse_code",
]

Count = Annotated[int, Field(ge=0, le=2**24)]
Number = Annotated[float, Field(ge=-1e6, le=1e6, allow_inf_nan=False)]
Counts = Annotated[list[Count], Field(max_length=64)]
Numbers = Annotated[list[Number], Field(max_length=64)]
Word = Annotated[str, StringConstraints(pattern=r"^[\w.+-]{0,100}$")]
HubId = Annotated[str, StringConstraints(pattern=r"^\w[\w.-]{0,95}(/\w[\w.-]{0,95})?$")]
"""``name`` or ``organisation/name``: never a path, never another scheme."""


class _Closed(BaseModel):
    """Every name is listed; nothing is converted (a text is no number)."""

    model_config = ConfigDict(extra="forbid", strict=True)


class TokenizerKwargs(_Closed):
    """Of open_clip's tokenizers."""

    clean: Literal["canonicalize", "lower", "whitespace"] = "lower"
    strip_sep_token: bool = False


class _Approximate(_Closed):
    approximate: Literal["none", "tanh"] = "none"


class _Epsilon(_Closed):
    eps: Number = 1e-5


class _Blocks(_Closed):
    """What open_clip's two transformers share."""

    mlp_ratio: Number = 4.0
    ls_init_value: Number | None = None
    final_ln_after_pool: bool = False
    output_tokens: bool = False
    act_kwargs: _Approximate | None = None
    norm_kwargs: _Epsilon | None = None
    block_type: Literal["default", "custom"] | None = None
    qk_norm: bool = False
    scaled_cosine_attn: bool = False
    scale_heads: bool = False
    scale_attn_inner: bool = False
    scale_attn: bool = False
    scale_fc: bool = False


class _ClipVision(_Blocks):
    layers: Count | Counts = 12
    width: Count = 768
    head_width: Count = 64
    patch_size: Count | None = 16
    image_size: Count | Counts = 224
    patch_dropout: Number = 0.0
    attentional_pool: bool | Literal["parallel", "cascade"] = False
    attn_pooler_queries: Count = 256
    attn_pooler_heads: Count = 8
    no_ln_pre: bool = False
    pos_embed_type: Literal["learnable", "sin_cos_2d"] = "learnable"
    pool_type: Literal["tok", "avg", "none"] = "tok"
    timm_model_name: Word | None = None
    timm_model_pretrained: bool = False
    timm_pool: Literal["", "avg", "token", "map", "abs_attn", "rot_attn", "avgmax", "max"] = "avg"
    timm_proj: Literal["", "linear", "mlp", "none"] | None = "linear"
    timm_proj_bias: bool = False
    timm_drop: Number = 0.0
    timm_drop_path: Number | None = None


class _ClipText(_Blocks):
    context_length: Count | None = 77
    vocab_size: Count = 49408
    width: Count = 512
    heads: Count = 8
    layers: Count = 12
    embed_cls: bool = False
    pad_id: Count = 0
    eos_id: Count = 2
    no_causal_mask: bool = False
    pool_type: Literal["first", "last", "argmax", "eos", "none"] = "argmax"
    proj_bias: bool = False
    proj_type: Literal["linear", "none"] = "linear"
    tokenizer_mode: Literal["clips"] | None = None
    tokenizer_kwargs: TokenizerKwargs | None = None
    hf_tokenizer_name: HubId | None = None
    hf_model_name: HubId | None = None
    hf_model_pretrained: bool = True
    hf_proj_type: Literal["linear", "mlp"] | None = "mlp"
    hf_pooler_type: Literal["mean_pooler", "max_pooler", "cls_pooler", "cls_last_hidden_state_pooler"] | None = None  # fmt: skip  # noqa: E501


class _ClipDecoder(_ClipText):
    dim_head: Count = 64
    n_queries: Count = 256
    attn_pooler_heads: Count = 8


class ClipConfig(_Closed):
    """Of an open_clip model, as ``open_clip_config.json`` has it under ``model_cfg``."""

    embed_dim: Count
    vision_cfg: _ClipVision
    text_cfg: _ClipText
    multimodal_cfg: _ClipDecoder | None = None
    custom_text: bool = False
    quick_gelu: bool = False
    init_logit_scale: Number | None = None
    init_logit_bias: Number | None = None
    nonscalar_logit_scale: bool = False


class TimmArgs(_Closed):
    """Of ``timm.create_model``: sizes and switches, and no name of code but of activations."""

    img_size: Count | Counts | None = None
    patch_size: Count | Counts | None = None
    in_chans: Count = 3
    embed_dim: Count | Counts | None = None
    depth: Count | None = None
    depths: Counts | None = None
    dims: Counts | None = None
    num_heads: Count | Counts | None = None
    mlp_ratio: Number | Numbers | None = None
    qkv_bias: bool = True
    qkv_fused: bool = True
    qk_norm: bool = False
    proj_bias: bool = True
    scale_attn_norm: bool = False
    scale_attn_inner: bool = False
    scale_mlp_norm: bool = False
    scale_mlp: bool = False
    swiglu_mlp: bool = False
    init_values: Number | None = None
    ls_init_value: Number | None = None
    head_init_scale: Number = 1.0
    norm_eps: Number | None = None
    kernel_sizes: Count | Counts = 7
    conv_mlp: bool = False
    conv_bias: bool = True
    use_grn: bool = False
    pos_embed: Literal["", "none", "learn"] = "learn"
    use_abs_pos_emb: bool = True
    use_rot_pos_emb: bool = False
    use_post_norm: bool = False
    use_pre_transformer_norm: bool = False
    use_fc_norm: bool | None = None
    num_reg_tokens: Count = 0
    class_token: bool = True
    reg_tokens: Count = 0
    no_embed_class: bool = False
    pre_norm: bool = False
    final_norm: bool = True
    fc_norm: bool | None = None
    global_pool: Literal["", "avg", "avgmax", "max", "catavgmax", "fast", "token", "map"] = "avg"
    dynamic_img_size: bool = False
    dynamic_img_pad: bool = False
    strict_img_size: bool = True
    window_size: Count | Counts | None = None
    output_stride: Count = 32
    drop_rate: Number = 0.0
    pos_drop_rate: Number = 0.0
    patch_drop_rate: Number = 0.0
    proj_drop_rate: Number = 0.0
    attn_drop_rate: Number = 0.0
    drop_path_rate: Number | None = 0.0
    act_layer: Literal["relu", "gelu", "gelu_tanh", "quick_gelu", "silu", "swish"] | None = None


class TimmRecord(_Closed):
    """Of timm's ``pretrained_cfg``: how images are shown to a model, and its licence."""

    input_size: Counts = Field(default=[3, 224, 224], min_length=3, max_length=3)
    test_input_size: Counts | None = None
    min_input_size: Counts | None = None
    fixed_input_size: bool = False
    interpolation: Literal["bicubic", "bilinear", "nearest", "lanczos", "random"] = "bicubic"
    crop_pct: Number = 0.875
    test_crop_pct: Number | None = None
    crop_mode: Literal["center", "squash", "border"] = "center"
    mean: Numbers = [0.485, 0.456, 0.406]
    std: Numbers = [0.229, 0.224, 0.225]
    num_classes: Count = 1000
    pool_size: Counts | None = None
    test_pool_size: Counts | None = None
    first_conv: str | list[str] | None = None
    classifier: str | list[str] | None = None
    license: str | None = None
    tag: Word | None = None


class TinyImage(_Closed):
    """The image tower of the built-in models."""

    size: Count
    dim: Count
    depth: Count
    heads: Count
    channels: Annotated[list[Count], Field(min_length=2, max_length=2)]


class TinyText(_Closed):
    """The text tower of tiny-clip."""

    vocab: Count
    context: Count
    dim: Count
    depth: Count
    heads: Count


def listed(
    schema: type[_Closed], given: Any, what: str, *, leave_out: bool = False
) -> dict[str, Any]:
    """Plain data that a schema takes, as it was given; its defaults are not written in.

    Args:
        schema: Which names, types and bounds.
        given: A mapping.
        what: Whose it is, for the message.
        leave_out: Names that are not listed are left out, where they would be refused.

    Raises:
        ModelError: With every name that is not listed and every value that does not fit.
    """
    try:
        plain = json.loads(json.dumps(given, allow_nan=False))  # tuples are lists from here on
        if leave_out and isinstance(plain, dict):
            plain = {k: v for k, v in plain.items() if k in schema.model_fields}
        return schema.model_validate(plain).model_dump(exclude_unset=True)
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:12]]
    except (TypeError, ValueError, RecursionError) as error:
        wrong = [str(error)]
    raise ModelError(
        f"surefoot does not pass on all of {what}:" + "".join(f"\n    {w}" for w in wrong),
        expected="names and values of its list (models/allowed.py), so that no file runs code",
        fix="do not use this file, or update surefoot if you trust who made it",
    )


_CODE = ("auto_map", "trust_remote_code", "custom_pipelines", "quantization_config")


def refuse_code(about: Any, where: str) -> None:
    """Refuse a configuration of transformers that wants code of its own to be run.

    Raises:
        ModelError: It names some, or is no mapping.
    """
    if not isinstance(about, Mapping):
        raise ModelError(f"{where} holds no JSON object", expected="names and values")
    named = [key for key in _CODE if about.get(key)]
    if named:
        raise ModelError(
            f"{where} wants code to be run that is no part of transformers ({', '.join(named)})",
            expected="a model that the installed transformers has by itself",
            fix="use another model; surefoot runs no code of a model's author",
        )


def plain_values(value: Any, where: str, *, deep: int = 3) -> Any:
    """A value of a configuration if it is plain: numbers, switches, short texts, lists of them.

    Raises:
        ModelError: It is something else.
    """
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str) and len(value) <= 500:
        return value
    if deep and isinstance(value, (list, tuple)):
        return [plain_values(v, where, deep=deep - 1) for v in value]
    if deep and isinstance(value, Mapping):
        return {k: plain_values(v, where, deep=deep - 1) for k, v in value.items()}
    raise ModelError(
        f"{where} is no plain value", expected="numbers, switches, short texts, and lists of them"
    )
