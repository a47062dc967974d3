"""transformers' CLIP, ALIGN, SigLIP, DINOv2 and DINOv3: towers, tokenizer, transform, way back.

The activation is the configuration's (``hidden_act``): a transformers folder leaves no doubt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ...errors import ModelError
from ..build import Parts
from ..foreign import hf_model, hf_tokenizer
from ..model import Model, TextTower
from ..tokenizer_files import pack_tokenizer, read_files

__all__ = ["IMAGE_ONLY", "HFImage", "HFText", "build", "split", "to_hf_state"]

IMAGE_ONLY = ("dinov2", "dinov3_vit")


class HFImage(nn.Module):
    """The image tower of a transformers model.

    Args:
        model: The whole model.
        model_type: Of its configuration.
        pooling: "token", or "avg" of the patches' tokens; image-only models can do both.
    """

    def __init__(self, model: nn.Module, model_type: str, pooling: str = "token") -> None:
        super().__init__()
        self.pooling = pooling
        if model_type in IMAGE_ONLY:
            self.model = model
        else:
            self.vision_model = model.vision_model
            if model_type == "clip":
                self.visual_projection = model.visual_projection

    def forward(self, images: Tensor) -> Tensor:
        """Images (b, 3, h, w) -> features (b, d), as ``get_image_features`` or the final CLS."""
        inner: Any = self.model if hasattr(self, "model") else self.vision_model
        out = inner(pixel_values=images)
        pooled: Tensor = out.pooler_output
        if self.pooling == "avg":
            prefix = 1 + getattr(inner.config, "num_register_tokens", 0)
            pooled = out.last_hidden_state[:, prefix:].mean(dim=1)
        if hasattr(self, "visual_projection"):
            project: Any = self.visual_projection
            pooled = project(pooled)
        return pooled


class HFText(TextTower):
    """The text tower of a transformers model, with the tokenizer of its folder.

    Args:
        model: The whole model.
        config: Its configuration, a dictionary.
        folder: Where its tokenizer lies, if anywhere.
        files: Packed tokenizer files instead.
    """

    def __init__(
        self,
        model: nn.Module,
        config: Mapping[str, Any],
        *,
        folder: Path | None = None,
        files: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(files)
        self.folder = folder
        self.model_type = str(config["model_type"])
        self.context = int(config["text_config"].get("max_position_embeddings") or 64)
        self.context = min(self.context, 64) if self.model_type == "align" else self.context
        self.pad = int(config["text_config"].get("pad_token_id") or 0)
        self.text_model: Any = model.text_model
        if self.model_type in ("clip", "align"):
            self.text_projection: Any = model.text_projection
        if self.model_type == "siglip":
            bias: Any = model.logit_bias
            self.logit_bias = nn.Parameter(bias.detach().clone())

    @property
    def files(self) -> dict[str, str]:
        """The tokenizer's files, name -> content; empty where the folder had none."""
        if not self._files:
            try:
                self._files = pack_tokenizer(self.tokenizer)
            except ModelError:
                return {}
        return self._files

    def make_tokenizer(self) -> Any:
        """From the packed files, or from those of the folder.

        Raises:
            ModelError: The folder has none.
        """
        where = str(self.folder or "the file")
        if self._files:
            return hf_tokenizer(self._files, where)
        if self.folder is not None and any(self.folder.glob("*token*")):
            return hf_tokenizer(read_files(self.folder), where)
        raise ModelError(
            f"there is no tokenizer in {where}, so texts cannot be encoded",
            expected="tokenizer.json beside config.json",
            fix="copy the tokenizer's files of the model into the folder",
        )

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Texts -> token ids (n, context), int64, on the CPU."""
        found = self.tokenizer(
            list(texts),
            padding="max_length",
            truncation=True,
            max_length=self.context,
            return_tensors="pt",
        )
        ids: Tensor = found["input_ids"]
        return ids

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids (n, context) -> embeddings (n, d), as ``get_text_features``."""
        if self.model_type == "align":
            out = self.text_model(input_ids=tokens, attention_mask=(tokens != self.pad).long())
            embedded: Tensor = self.text_projection(out[0][:, 0])
            return embedded
        embedded = self.text_model(input_ids=tokens).pooler_output
        return self.text_projection(embedded) if self.model_type == "clip" else embedded


def build(builder: Mapping[str, Any], *, files: Mapping[str, str] | None = None) -> Parts:
    """The modules of ``{"kind": "hf", "config": {...}}``, fresh weights.

    Raises:
        ModelError: A model type that is not understood, or a configuration that wants code.
    """
    pooling = str(builder.get("pooling", "token"))
    return split(hf_model(builder["config"]), builder["config"], None, files, pooling=pooling)


def split(
    model: Any,
    config: Mapping[str, Any],
    folder: Path | None,
    files: Mapping[str, str] | None = None,
    *,
    pooling: str = "token",
) -> Parts:
    """A transformers model taken apart; its parameters go into the two towers, uncopied."""
    kind = str(config["model_type"])
    encoder = HFImage(model, kind, pooling)
    if kind in IMAGE_ONLY:
        return Parts(encoder, int(config["hidden_size"]))
    vision = config["vision_config"]
    joint = config.get("projection_dim") if kind in ("clip", "align") else None
    text = HFText(model, config, folder=folder, files=files)
    # ALIGN divides by a temperature; our scale is the logarithm of its inverse.
    scale = -model.temperature.log() if kind == "align" else model.logit_scale
    return Parts(encoder, int(joint or vision["hidden_size"]), text, scale.detach())


def to_hf_state(model: Model) -> dict[str, Tensor]:
    """The state dict of a transformers model in transformers' keys."""
    kind = model.spec.builder["config"]["model_type"]
    state = {k.removeprefix("model."): v for k, v in model.encoder.state_dict().items()}
    if model.text is not None and model.logit_scale is not None:
        state.update(model.text.state_dict())
        scale = model.logit_scale.detach()
        if kind == "align":
            state["temperature"] = (-scale).exp()
        else:
            state["logit_scale"] = scale.reshape((1,) if kind == "siglip" else ())
    return {k: v.detach() for k, v in state.items()}
