"""Where adapters go: the blocks, norms and attentions of a vision transformer.

timm's vision transformers (the towers of the tiny models are such), and open_clip's image towers,
its own ``VisionTransformer`` as well as those that it takes from timm.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ...errors import ModelError

__all__ = ["BlockSites", "Sites", "attend", "find_sites", "fused_qkv", "no_place", "packed_qkv"]

Layer = Callable[[Tensor], Tensor]

_TIMM_ATTENTION = ("timm.models.vision_transformer", "timm.layers.attention")
"""Modules of timm whose ``Attention`` has one linear layer before it and one behind."""


@dataclass(frozen=True)
class BlockSites:
    """One transformer block.

    Attributes:
        block: All of it.
        norm1: Before attention (for most).
        norm2: Before the MLP (for most).
        attn: timm's attention, or ``nn.MultiheadAttention``.
        mlp: The MLP.
    """

    block: nn.Module
    norm1: nn.Module
    norm2: nn.Module
    attn: nn.Module
    mlp: nn.Module

    @property
    def pre_norm(self) -> bool:
        """Is it x + attn(norm1(x)), then x + mlp(norm2(x)), for certain?"""
        return type(self.block).__name__ in ("Block", "ResidualAttentionBlock")


@dataclass(frozen=True)
class Sites:
    """A whole vision transformer.

    Attributes:
        root: The transformer: what has the blocks.
        stack: The module that runs all blocks: tokens (b, n, d) -> tokens (b, n, d).
        blocks: In order.
        final: The norm after the blocks, or None.
        embed: The convolution that makes patches tokens, or None.
    """

    root: nn.Module
    stack: nn.Module
    blocks: tuple[BlockSites, ...]
    final: nn.Module | None
    embed: nn.Conv2d | None

    def norms(self) -> tuple[nn.Module, ...]:
        """norm1 and norm2 of every block, then the final norm: 25 for ViT-B/16."""
        inner = [norm for b in self.blocks for norm in (b.norm1, b.norm2)]
        return (*inner, *(() if self.final is None else (self.final,)))


def find_sites(encoder: nn.Module, *, name: str = "the model") -> Sites:
    """The places of an image encoder.

    Args:
        encoder: Of a model: a timm model, open_clip's image tower, or a tiny tower.
        name: Of the model, for messages.

    Raises:
        ModelError: It is no vision transformer of timm or open_clip.
    """
    inner = getattr(encoder, "trunk", encoder)  # open_clip wraps timm's models
    root: Any = inner if isinstance(inner, nn.Module) else encoder
    if isinstance(getattr(root, "transformer", None), nn.Module) and hasattr(root, "ln_post"):
        blocks = _blocks(getattr(root.transformer, "resblocks", ()), "ln_1", "ln_2")
        stack, final, embed = root.transformer, root.ln_post, getattr(root, "conv1", None)
    else:
        blocks = _blocks(getattr(root, "blocks", ()), "norm1", "norm2")
        stack = getattr(root, "blocks", None)
        final = _final(root)
        embed = getattr(getattr(root, "patch_embed", None), "proj", None)
    if not blocks:
        raise no_place(name, encoder, "has no transformer blocks with two norms and attention")
    return Sites(root, stack, blocks, final, embed if isinstance(embed, nn.Conv2d) else None)


def fused_qkv(attn: nn.Module) -> bool:
    """Is it timm's plain attention: ``qkv``, softmax, ``proj``, each a module that is called?"""
    kind = type(attn)
    return kind.__name__ == "Attention" and kind.__module__ in _TIMM_ATTENTION


def packed_qkv(attn: Any) -> bool:
    """Is it ``nn.MultiheadAttention`` with one packed projection and nothing special?"""
    return (
        type(attn) is nn.MultiheadAttention
        and attn.in_proj_weight is not None
        and attn.bias_k is None
        and not attn.add_zero_attn
    )


def attend(
    attn: Any, query: Tensor, qkv: Layer, proj: Layer, *, mask: Tensor | None, what: str
) -> tuple[Tensor, None]:
    """``nn.MultiheadAttention`` on itself, written out so that its two linear layers are called.

    Args:
        attn: Has ``num_heads``, ``head_dim``, ``batch_first`` and ``dropout``.
        query: Tokens (b, n, d), or (n, b, d) without ``batch_first``.
        qkv: Tokens (b, n, d) -> queries, keys and values (b, n, 3 d).
        proj: The output projection.
        mask: Must be None.
        what: Of the adapter, for the message.

    Raises:
        ModelError: There is a mask.
    """
    if mask is not None:
        raise ModelError(f"{what} takes no attention mask", expected="an image encoder")
    x = query if attn.batch_first else query.transpose(0, 1)
    mixed: Any = qkv(x)
    q, k, v = mixed.unflatten(-1, (3, attn.num_heads, attn.head_dim)).permute(2, 0, 3, 1, 4)
    dropout = attn.dropout if attn.training else 0.0
    heads = nn.functional.scaled_dot_product_attention(q, k, v, dropout_p=dropout)
    out = proj(heads.transpose(1, 2).flatten(2))
    return (out if attn.batch_first else out.transpose(0, 1)), None


def no_place(name: str, module: nn.Module, why: str) -> ModelError:
    """The error for an encoder that an adapter does not fit."""
    return ModelError(
        f"{name} takes no such adapter: {type(module).__name__} {why}",
        expected="a vision transformer of timm or open_clip, tiny-clip or tiny-dino",
        fix="choose such an encoder, or tune all of it (ft, lp-ft)",
    )


def _blocks(modules: Any, norm1: str, norm2: str) -> tuple[BlockSites, ...]:
    """The sites of these blocks; none at all where one block lacks a part."""
    if not isinstance(modules, Iterable):
        return ()
    found = []
    for block in modules:
        named = [getattr(block, part, None) for part in (norm1, norm2, "attn", "mlp")]
        parts = [part for part in named if isinstance(part, nn.Module)]
        if len(parts) < len(named):
            return ()
        found.append(BlockSites(block, *parts))
    return tuple(found)


def _final(root: nn.Module) -> nn.Module | None:
    """The norm after the blocks, or the one after pooling, which replaces it in timm."""
    for part in ("norm", "fc_norm"):
        norm = getattr(root, part, None)
        if isinstance(norm, nn.Module) and not isinstance(norm, nn.Identity):
            return norm
    return None
