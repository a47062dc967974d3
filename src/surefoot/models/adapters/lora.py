"""LoRA's places in a vision transformer: peft wraps the linear layers, and merges them again.

peft's own wrapper of ``nn.MultiheadAttention`` adds and subtracts the update around every forward
pass, which lets the frozen weights drift by rounding, and leaves them unfit for training when a
pass ran without gradients. So such an attention is opened into two linear layers for the time
of the training, and closed afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ...errors import ModelError
from ..foreign import lora_model
from .sites import Sites, attend, find_sites, fused_qkv, no_place, packed_qkv

__all__ = ["LoraWrapped", "OpenAttention", "Places", "wrap"]

Places = Literal["attention", "all"]


class OpenAttention(nn.Module):
    """``nn.MultiheadAttention`` on itself, with its two linear layers as modules.

    Args:
        attn: Its tensors are used, not copied.
    """

    def __init__(self, attn: nn.MultiheadAttention) -> None:
        super().__init__()
        self.qkv = _linear(attn.in_proj_weight, attn.in_proj_bias)
        self.proj = _linear(attn.out_proj.weight, attn.out_proj.bias)
        self.num_heads, self.head_dim = attn.num_heads, attn.head_dim
        self.batch_first, self.dropout = attn.batch_first, attn.dropout

    def forward(self, query: Tensor, *unused: Any, **settings: Any) -> tuple[Tensor, None]:
        """Tokens (b, n, d), or (n, b, d) without ``batch_first`` -> the same, and None."""
        mask = settings.get("attn_mask")
        return attend(self, query, self.qkv, self.proj, mask=mask, what="LoRA")


class LoraWrapped:
    """An encoder with LoRA in it, and the way back.

    Args:
        encoder: Changed in place.
        tuner: peft's ``LoraModel`` around it.
        opened: Name of an opened attention -> the attention.
    """

    def __init__(
        self, encoder: nn.Module, tuner: Any, opened: dict[str, nn.MultiheadAttention]
    ) -> None:
        self.encoder, self.tuner, self.opened = encoder, tuner, opened

    def size(self) -> int:
        """How many parameters LoRA has."""
        return sum(p.numel() for n, p in self.encoder.named_parameters() if "lora_" in n)

    @torch.no_grad()
    def merge(self) -> None:
        """W + scale * B A into the encoder's own weights, in place; its keys are as before."""
        self.tuner.merge_and_unload()
        for name, attn in self.opened.items():
            open_: Any = self.encoder.get_submodule(name)
            attn.in_proj_weight.copy_(open_.qkv.weight)
            attn.out_proj.weight.copy_(open_.proj.weight)
            _put(self.encoder, name, attn.train(open_.training))


def wrap(
    encoder: nn.Module,
    *,
    rank: int,
    scale: float,
    places: Places,
    seed: int,
    name: str = "the model",
    last: int | None = None,
) -> LoraWrapped:
    """Put LoRA around the linear layers of every block, in place; only LoRA has gradients.

    Args:
        encoder: A vision transformer of timm or open_clip.
        rank: Columns of B, rows of A.
        scale: Factor of B A (alpha / r in the paper).
        places: "attention" (qkv and output projection of every block) or "all" (its MLP too).
        seed: Of A's draw; B is zero.
        name: Of the model, for messages.
        last: Only so many blocks, the last ones; None: all.

    Raises:
        ModelError: The encoder has no such layers, fewer blocks than ``last``, or layers that
            cannot be reached.
        MissingDependency: The package peft is not installed.
    """
    sites = find_sites(encoder, name=name)
    if last is not None:
        if last > len(sites.blocks):
            raise ModelError(
                f"the last {last} blocks of {name} cannot be adapted: it has {len(sites.blocks)}",
                expected=f"from 1 to {len(sites.blocks)}",
            )
        sites = replace(sites, blocks=sites.blocks[-last:])
    opened = _open(encoder, sites, name)
    names = {m: n for n, m in encoder.named_modules()}
    chosen = [re.escape(names[layer]) for layer in _linears(encoder, sites, opened, places)]
    encoder.requires_grad_(False)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        tuner = lora_model(encoder, rank=rank, alpha=scale * rank, layers="|".join(chosen))
    return LoraWrapped(encoder, tuner, opened)


def _open(encoder: nn.Module, sites: Sites, name: str) -> dict[str, nn.MultiheadAttention]:
    """Open every ``nn.MultiheadAttention``; all others must be timm's plain attention."""
    names = {m: n for n, m in encoder.named_modules()}
    for block in sites.blocks:
        attn: Any = block.attn
        if not fused_qkv(attn) and not packed_qkv(attn):
            raise no_place(name, attn, "has linear layers that LoRA cannot reach")
    opened = {names[b.attn]: b.attn for b in sites.blocks if not fused_qkv(b.attn)}
    for place, attn in opened.items():
        assert isinstance(attn, nn.MultiheadAttention)
        _put(encoder, place, OpenAttention(attn).train(attn.training))
    return opened  # type: ignore[return-value]


def _linears(
    encoder: nn.Module, sites: Sites, opened: dict[str, nn.MultiheadAttention], places: Places
) -> Iterator[nn.Linear]:
    """The layers to wrap."""
    now = {attn: encoder.get_submodule(place) for place, attn in opened.items()}
    for block in sites.blocks:
        attn: Any = now.get(block.attn, block.attn)  # type: ignore[call-overload]
        yield from (attn.qkv, attn.proj)
        if places == "all":
            yield from (m for m in block.mlp.modules() if isinstance(m, nn.Linear))


def _linear(weight: Any, bias: Any) -> nn.Linear:
    """A linear layer on these very tensors."""
    rows, columns = weight.shape
    linear = nn.Linear(columns, rows, bias=bias is not None, device="meta")
    linear.weight, linear.bias = weight, bias
    return linear


def _put(encoder: nn.Module, name: str, module: nn.Module) -> None:
    """Replace a submodule, in its place among its siblings."""
    parent, _, child = name.rpartition(".")
    setattr(encoder.get_submodule(parent), child, module)
