"""The two towers of the tiny models: timm's vision transformer on a conv stem, and a text tower."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn

from ..errors import CheckpointError
from .foreign import tokenizer_of_json
from .model import TextTower

__all__ = ["PAD", "ConvStem", "TinyText", "image_tower"]

PAD = 0
"""The id of the padding token, by construction of the vocabulary."""

_MARKS = 3
"""Ids below this one are padding, start and end."""


class ConvStem(nn.Module):
    """Three 3 x 3 convolutions of stride 2 in the place of timm's patch embedding.

    "Early convolutions help transformers see better" (arXiv 2106.14881): 32 px become 16 tokens,
    a quarter of what 4 px patches would cost, and no BatchNorm, so that weight averages need no
    new statistics.

    Args:
        img_size: Height and width of the input, a multiple of 8.
        patch_size: Ignored (timm passes it); the stride is always 8.
        in_chans: Channels of the input.
        embed_dim: d, channels of the tokens.
        bias: Of the last convolution.
        channels: Of the first two convolutions.
    """

    def __init__(
        self,
        img_size: int = 32,
        patch_size: int = 8,
        in_chans: int = 3,
        embed_dim: int = 192,
        bias: bool = True,
        channels: tuple[int, int] = (32, 64),
    ) -> None:
        super().__init__()
        first, second = channels
        self.patch_size = (8, 8)
        self.grid_size = (img_size // 8, img_size // 8)
        self.num_patches = self.grid_size[0] * self.grid_size[1]
        self.conv1 = nn.Conv2d(in_chans, first, 3, stride=2, padding=1)
        self.norm1 = nn.GroupNorm(1, first)
        self.conv2 = nn.Conv2d(first, second, 3, stride=2, padding=1)
        self.norm2 = nn.GroupNorm(1, second)
        self.proj = nn.Conv2d(second, embed_dim, 3, stride=2, padding=1, bias=bias)
        self.act = nn.GELU()

    def forward(self, images: Tensor) -> Tensor:
        """Images (b, 3, h, w) -> tokens (b, h/8 * w/8, d)."""
        hidden = self.act(self.norm1(self.conv1(images)))
        hidden = self.act(self.norm2(self.conv2(hidden)))
        tokens: Tensor = self.proj(hidden).flatten(2).transpose(1, 2)
        return tokens


def image_tower(
    *, size: int, dim: int, depth: int, heads: int, out: int, channels: Sequence[int]
) -> VisionTransformer:
    """A timm VisionTransformer: images (b, 3, size, size) -> features (b, out or dim).

    Tokens are averaged after the final LayerNorm (no class token). ``out`` > 0 puts timm's
    ``head`` behind it, the projection into the joint space, as timm's own CLIP towers do.
    """

    def embed(**settings: int) -> ConvStem:
        kept = {k: v for k, v in settings.items() if k in ("in_chans", "embed_dim", "bias")}
        return ConvStem(size, channels=(channels[0], channels[1]), **kept)  # type: ignore[arg-type]

    tower = VisionTransformer(
        img_size=size,
        patch_size=8,
        num_classes=out,
        embed_dim=dim,
        depth=depth,
        num_heads=heads,
        class_token=False,
        global_pool="avg",
        fc_norm=False,
        embed_layer=embed,
    )
    _unfuse(tower.blocks)
    return tower


def _unfuse(blocks: nn.Sequential) -> None:
    """Plain attention: for 16 tokens the fused kernel's backward pass on CPUs costs a quarter."""
    for block in blocks.children():
        attention: Any = block.attn
        attention.fused_attn = False


class TinyText(TextTower):
    """A transformer over byte-level BPE tokens, both directions, averaged over the words.

    Args:
        tokenizer: JSON file of the `tokenizers` library; id 0 pads, every text gets two marks.
        content: What that file holds, where it travels with the weights; then it is not read.
        vocab: Size of the vocabulary.
        context: Longest text in tokens, marks included; longer ones are cut.
        dim: Width of the transformer.
        depth: Blocks.
        heads: Attention heads.
        out: d of the joint space.
    """

    def __init__(
        self,
        tokenizer: Path,
        *,
        content: str | None = None,
        vocab: int,
        context: int,
        dim: int,
        depth: int,
        heads: int,
        out: int,
    ) -> None:
        content = _content(tokenizer) if content is None else content
        # Saved with the model, so that its file is enough to rebuild it.
        super().__init__({tokenizer.name: content})
        self.shared.value = _read_tokenizer(content, context)
        self.embed = nn.Embedding(vocab, dim, padding_idx=PAD)
        self.pos_embed = nn.Parameter(torch.empty(1, context, dim))
        self.blocks = nn.Sequential(*(Block(dim, heads, qkv_bias=True) for _ in range(depth)))
        _unfuse(self.blocks)
        self.norm = nn.LayerNorm(dim)
        self.proj = nn.Linear(dim, out, bias=False)
        self._init()

    def _init(self) -> None:
        """Tokens are wide enough to outweigh the blocks at first: a bag of words to begin with."""
        nn.init.normal_(self.embed.weight, std=0.5)
        nn.init.normal_(self.pos_embed, std=0.02)
        nn.init.normal_(self.proj.weight, std=self.proj.in_features**-0.5)

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        """Texts -> token ids (n, context), int64, on the CPU; any string has at least two."""
        ids = [e.ids for e in self.tokenizer.encode_batch([str(t) for t in texts])]
        return torch.tensor(ids, dtype=torch.int64).reshape(len(ids), self.pos_embed.shape[1])

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids (n, context) -> embeddings (n, d), not normalised.

        Columns that only pad are cut first: most captions fill half of the context.
        """
        real = tokens != PAD
        longest = int(real.sum(dim=1).max()) if len(tokens) else 1
        tokens, real = tokens[:, :longest], real[:, :longest]
        hidden = self.embed(tokens) + self.pos_embed[:, :longest]
        mask = torch.zeros_like(real, dtype=hidden.dtype).masked_fill_(~real, -1e4)
        mask = mask[:, None, None, :]
        for block in self.blocks:
            hidden = block(hidden, attn_mask=mask)
        words = tokens >= _MARKS
        # A text without any token is the mean of its two marks.
        words = torch.where(words.any(dim=1, keepdim=True), words, real)
        weight = words.unsqueeze(-1).to(hidden.dtype)
        mean = (self.norm(hidden) * weight).sum(dim=1) / weight.sum(dim=1)
        embedded: Tensor = self.proj(mean)
        return embedded


def _content(file: Path) -> str:
    """What a tokenizer's file holds.

    Raises:
        CheckpointError: The file is not there.
    """
    if not file.is_file():
        raise CheckpointError(
            f"the tokenizer {file.name} is not beside the weights",
            expected="the JSON file that the package ships",
            fix="install surefoot again, or train one with tools/pretrain_tiny_clip.py",
        )
    return file.read_bytes().decode("utf-8")


def _read_tokenizer(content: str, context: int) -> Any:
    """A tokenizer from its JSON, cutting and padding to ``context``."""
    tokenizer = tokenizer_of_json(content)
    tokenizer.enable_truncation(context)
    tokenizer.enable_padding(pad_id=PAD, length=context)
    return tokenizer
