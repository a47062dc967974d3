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


def _closed(
    name: str,
    *names_by_type: tuple[Any, tuple[str, ...]],
    base: type[_Closed] = _Closed,
    required: bool = False,
) -> type[_Closed]:
    """A schema from a table: each type, and the names that have it.

    Args:
        name: Of the schema.
        names_by_type: The table.
        base: A schema whose names it has besides.
        required: None of the names may be missing; else any may.
    """
    types = {n: kind for kind, names in names_by_type for n in names}
    unset: dict[str, Any] = {} if required else dict.fromkeys(types)
    body = {"__module__": __name__, "__annotations__": types, **unset}
    make: Any = type(_Closed)
    made: type[_Closed] = make(name, (base,), body)
    return made


class TokenizerKwargs(_Closed):
    """Of open_clip's tokenizers."""

    clean: Literal["canonicalize", "lower", "whitespace"] = "lower"
    strip_sep_token: bool = False


class _Approximate(_Closed):
    approximate: Literal["none", "tanh"] = "none"


class _Epsilon(_Closed):
    eps: Number = 1e-5


_Blocks = _closed(
    "_Blocks",
    (bool, ("final_ln_after_pool", "output_tokens", "qk_norm", "scaled_cosine_attn", "scale_heads",
            "scale_attn_inner", "scale_attn", "scale_fc")),
    (Number, ("mlp_ratio",)),
    (Number | None, ("ls_init_value",)),
    (_Approximate | None, ("act_kwargs",)),
    (_Epsilon | None, ("norm_kwargs",)),
    (Literal["default", "custom"] | None, ("block_type",)),
)  # fmt: skip
"""What open_clip's two transformers share."""

_ClipVision = _closed(
    "_ClipVision",
    (bool, ("no_ln_pre", "timm_model_pretrained", "timm_proj_bias")),
    (Count, ("width", "head_width", "attn_pooler_queries", "attn_pooler_heads")),
    (Count | None, ("patch_size",)),
    (Count | Counts, ("layers", "image_size")),
    (Number, ("patch_dropout", "timm_drop")),
    (Number | None, ("timm_drop_path",)),
    (Word | None, ("timm_model_name",)),
    (bool | Literal["parallel", "cascade"], ("attentional_pool",)),
    (Literal["learnable", "sin_cos_2d"], ("pos_embed_type",)),
    (Literal["tok", "avg", "none"], ("pool_type",)),
    (Literal["", "avg", "token", "map", "abs_attn", "rot_attn", "avgmax", "max"], ("timm_pool",)),
    (Literal["", "linear", "mlp", "none"] | None, ("timm_proj",)),
    base=_Blocks,
)

_ClipText = _closed(
    "_ClipText",
    (bool, ("embed_cls", "no_causal_mask", "proj_bias", "hf_model_pretrained")),
    (Count, ("vocab_size", "width", "heads", "layers", "pad_id", "eos_id")),
    (Count | None, ("context_length",)),
    (HubId | None, ("hf_tokenizer_name", "hf_model_name")),
    (Literal["first", "last", "argmax", "eos", "none"], ("pool_type",)),
    (Literal["linear", "none"], ("proj_type",)),
    (Literal["linear", "mlp"] | None, ("hf_proj_type",)),
    (Literal["mean_pooler", "max_pooler", "cls_pooler", "cls_last_hidden_state_pooler"] | None,
     ("hf_pooler_type",)),
    (Literal["clips"] | None, ("tokenizer_mode",)),
    (TokenizerKwargs | None, ("tokenizer_kwargs",)),
    base=_Blocks,
)  # fmt: skip

_ClipDecoder = _closed(
    "_ClipDecoder", (Count, ("dim_head", "n_queries", "attn_pooler_heads")), base=_ClipText
)

_ClipParts = _closed(
    "_ClipParts",
    (Count, ("embed_dim",)),
    (_ClipVision, ("vision_cfg",)),
    (_ClipText, ("text_cfg",)),
    required=True,
)

ClipConfig = _closed(
    "ClipConfig",
    (bool, ("custom_text", "quick_gelu", "nonscalar_logit_scale")),
    (Number | None, ("init_logit_scale", "init_logit_bias")),
    (_ClipDecoder | None, ("multimodal_cfg",)),
    base=_ClipParts,
)
"""Of an open_clip model, as ``open_clip_config.json`` has it under ``model_cfg``."""

TimmArgs = _closed(
    "TimmArgs",
    (bool, ("qkv_bias", "qkv_fused", "qk_norm", "proj_bias", "scale_attn_norm", "scale_attn_inner",
            "scale_mlp_norm", "scale_mlp", "swiglu_mlp", "conv_mlp", "conv_bias", "use_grn",
            "use_abs_pos_emb", "use_rot_pos_emb", "use_post_norm", "use_pre_transformer_norm",
            "class_token", "no_embed_class", "pre_norm", "final_norm", "dynamic_img_size",
            "dynamic_img_pad", "strict_img_size")),
    (bool | None, ("use_fc_norm", "fc_norm")),
    (Count, ("in_chans", "num_reg_tokens", "reg_tokens", "output_stride")),
    (Count | None, ("depth",)),
    (Counts | None, ("depths", "dims")),
    (Count | Counts, ("kernel_sizes",)),
    (Count | Counts | None, ("img_size", "patch_size", "embed_dim", "num_heads", "window_size")),
    (Number, ("head_init_scale", "drop_rate", "pos_drop_rate", "patch_drop_rate", "proj_drop_rate",
              "attn_drop_rate")),
    (Number | None, ("init_values", "ls_init_value", "norm_eps", "drop_path_rate")),
    (Number | Numbers | None, ("mlp_ratio",)),
    (Literal["", "none", "learn"], ("pos_embed",)),
    (Literal["", "avg", "avgmax", "max", "catavgmax", "fast", "token", "map"], ("global_pool",)),
    (Literal["relu", "gelu", "gelu_tanh", "quick_gelu", "silu", "swish"] | None, ("act_layer",)),
)  # fmt: skip
"""Of ``timm.create_model``: sizes and switches, and no name of code but of activations."""

TimmRecord = _closed(
    "TimmRecord",
    (bool, ("fixed_input_size",)),
    (Count, ("num_classes",)),
    (Annotated[list[Count], Field(min_length=3, max_length=3)], ("input_size",)),
    (Counts | None, ("test_input_size", "min_input_size", "pool_size", "test_pool_size")),
    (Number, ("crop_pct",)),
    (Number | None, ("test_crop_pct",)),
    (Numbers, ("mean", "std")),
    (Literal["bicubic", "bilinear", "nearest", "lanczos", "random"], ("interpolation",)),
    (Literal["center", "squash", "border"], ("crop_mode",)),
    (str | list[str] | None, ("first_conv", "classifier")),
    (str | None, ("license",)),
    (Word | None, ("tag",)),
)
"""Of timm's ``pretrained_cfg``: how images are shown to a model, and its licence."""

TinyImage = _closed(
    "TinyImage",
    (Count, ("size", "dim", "depth", "heads")),
    (Annotated[list[Count], Field(min_length=2, max_length=2)], ("channels",)),
    required=True,
)
"""The image tower of the built-in models."""

TinyText = _closed(
    "TinyText", (Count, ("vocab", "context", "dim", "depth", "heads")), required=True
)
"""The text tower of tiny-clip."""


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
