"""open_clip's models: image tower, text tower, tokenizer, transform, and the way back.

The image tower is ``model.visual`` as it is; the text tower is the same model without it. So a
state dict in open_clip's own keys is ``visual.*`` from one and everything else from the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ...errors import DownloadUnavailable, ModelError
from ...transforms import TransformSpec
from ..build import Parts
from ..foreign import clip_model, clip_tokenizer
from ..model import Model, TextTower
from ..record import triple
from ..tokenizer_files import pack_tokenizer

__all__ = [
    "OpenClipText",
    "build",
    "preprocess_of",
    "split",
    "to_open_clip_state",
    "transform_of",
    "whole",
]


class OpenClipText(TextTower):
    """Everything of an open_clip model but the image tower and the logit scale.

    Args:
        model: The whole model; its image tower and logit scale are taken out.
        text_cfg: ``text_cfg`` of its configuration, which names the tokenizer.
        files: Packed tokenizer files, for tokenizers that live on the hub.
    """

    def __init__(
        self, model: nn.Module, text_cfg: Mapping[str, Any], files: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(files)
        model.visual = None  # type: ignore[assignment]
        model.logit_scale = None  # type: ignore[assignment]
        self.model = model
        self.text_cfg = dict(text_cfg)

    @property
    def files(self) -> dict[str, str]:
        """The tokenizer's files where it is not open_clip's own, name -> content."""
        if not self._files and self.text_cfg.get("hf_tokenizer_name"):
            try:
                self._files = pack_tokenizer(self.tokenizer.tokenizer)
            except DownloadUnavailable:
                return {}
        return self._files

    def make_tokenizer(self) -> Any:
        """open_clip's tokenizer for this architecture."""
        return clip_tokenizer(self.text_cfg, self._files)

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Texts -> token ids (n, context), int64, on the CPU."""
        tokens: Tensor = self.tokenizer(list(texts))
        return tokens

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids (n, context) -> embeddings (n, d), not normalised."""
        tower = getattr(self.model, "text", None)
        inner: Any = self.model
        embedded = inner.encode_text(tokens) if tower is None else tower(tokens)
        first: Tensor = embedded[0] if isinstance(embedded, tuple) else embedded
        return first


def build(builder: Mapping[str, Any], *, files: Mapping[str, str] | None = None) -> Parts:
    """The modules of ``{"kind": "open_clip", "arch": ..., "config": {...}}``, fresh weights.

    Raises:
        ModelError: The configuration says what is not passed on (:mod:`.allowed`), or is not one
            that this version of open_clip can build.
    """
    return split(whole(builder), builder, files)


def whole(builder: Mapping[str, Any]) -> nn.Module:
    """The whole open_clip model of a builder, fresh weights.

    Raises:
        ModelError: As :func:`build`.
        DownloadUnavailable: The text tower's configuration lives on the hub.
    """
    return clip_model(str(builder["arch"]), builder["config"])


def split(model: Any, builder: Mapping[str, Any], files: Mapping[str, str] | None = None) -> Parts:
    """An open_clip model taken apart; it is used up, no tensor is copied."""
    visual = model.visual
    if getattr(visual, "output_tokens", False):
        # CoCa's image tower also gives its tokens to the captioner, which we do not run.
        visual.output_tokens = False
    scale = model.logit_scale.detach()
    text = OpenClipText(model, builder["config"]["text_cfg"], files)
    return Parts(visual, int(builder["config"]["embed_dim"]), text, scale)


def to_open_clip_state(model: Model) -> dict[str, Tensor]:
    """An open_clip model's state dict in its own keys, for ``create_model(arch, pretrained=FILE)``.

    Raises:
        ModelError: Its text tower is gone.
    """
    text = model.text
    if not isinstance(text, OpenClipText):
        raise ModelError(
            f"{model.spec.name} is not an open_clip model",
            expected="a model that was loaded as open_clip:...",
            fix="export it to safetensors",
        )
    state = {f"visual.{k}": v.detach() for k, v in model.encoder.state_dict().items()}
    state.update({k: v.detach() for k, v in text.model.state_dict().items()})
    assert model.logit_scale is not None
    shape = (1,) if model.spec.builder["config"].get("nonscalar_logit_scale") else ()
    state["logit_scale"] = model.logit_scale.detach().reshape(shape)
    return state


def transform_of(preprocess: Mapping[str, Any], *, name: str) -> TransformSpec:
    """open_clip's preprocess configuration as a TransformSpec (equal to its image_transform).

    Raises:
        ModelError: The input is not square and not squashed, which open_clip resizes in a way
            that a TransformSpec cannot say.
    """
    size = preprocess.get("size", 224)
    height, width = (size, size) if isinstance(size, int) else tuple(size)
    mode: Any = preprocess.get("resize_mode") or "shortest"
    if height != width and mode != "squash":
        raise ModelError(
            f"{name} takes images of {height} x {width} pixels, resized by {mode!r}",
            expected="a square input, or resize_mode squash",
        )
    bilinear = preprocess.get("interpolation") == "bilinear"
    return TransformSpec(
        size=(int(height), int(width)),
        mean=triple(preprocess["mean"]),  # type: ignore[arg-type]
        std=triple(preprocess["std"]),  # type: ignore[arg-type]
        interpolation="bilinear" if bilinear else "bicubic",
        resize=int(height),
        resize_mode=mode,
        fill=int(preprocess.get("fill_color") or 0),
    )


def preprocess_of(transform: TransformSpec) -> dict[str, Any]:
    """The inverse of :func:`transform_of`, for ``open_clip_config.json``."""
    height, width = transform.size
    return {
        "size": height if height == width else [height, width],
        "mode": "RGB",
        "mean": list(transform.mean),
        "std": list(transform.std),
        "interpolation": transform.interpolation,
        "resize_mode": transform.resize_mode,
        "fill_color": transform.fill,
    }
