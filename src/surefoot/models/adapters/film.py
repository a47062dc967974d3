"""FiLM adapters: a scale and a shift per channel, folded into the encoder's weights afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from ...errors import ModelError
from .base import Adapter, AdapterModule
from .sites import Sites, attend, find_sites, fused_qkv, no_place, packed_qkv

__all__ = ["FiLMAdapter", "Film", "FilmVariant"]

FilmVariant = Literal["film", "film_all"]


class Film(AdapterModule):
    """y = gamma * x + beta per channel; gamma = 1 + delta, so that weight decay pulls it to 1.

    Args:
        weight: Of the layer that it follows: (channels, ...); gives dtype and device.
        shift: Have a beta: the layer has a bias that it can be folded into.
        axis: Of the channels in x: -1, or 1 behind a convolution.
    """

    def __init__(self, weight: Tensor, *, shift: bool, axis: int = -1) -> None:
        super().__init__()
        zeros = torch.zeros(weight.shape[0], dtype=weight.dtype, device=weight.device)
        self.delta = nn.Parameter(zeros)
        self.beta = nn.Parameter(zeros.clone()) if shift else None
        self.axis = axis
        self.handle: Any = None

    def forward(self, x: Tensor) -> Tensor:
        """X (..., channels), or (b, channels, h, w) for axis 1 -> the same shape and dtype."""
        shape = (-1, 1, 1) if self.axis == 1 else (-1,)
        y = x * (1 + self.delta).reshape(shape)
        if self.beta is not None:
            y = y + self.beta.reshape(shape)
        return y.to(x.dtype)

    def follow(self, layer: nn.Module) -> None:
        """Hang on a layer, and change what it returns."""
        layer.add_module("film", self)
        self.handle = layer.register_forward_hook(self.after)

    def after(self, layer: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
        """The forward hook."""
        changed: Tensor = self(output)
        return changed

    @torch.no_grad()
    def fold(self, layer: nn.Module, weight: str = "weight", bias: str = "bias") -> None:
        """(gamma * w, gamma * b + beta) into the layer, whose child this is no longer."""
        gamma = 1 + self.delta.cpu().double()
        w, b = getattr(layer, weight), getattr(layer, bias)
        w.copy_(w.cpu().double() * gamma.reshape(-1, *[1] * (w.ndim - 1)))
        if b is not None:
            b.copy_(b.cpu().double() * gamma + (0 if self.beta is None else self.beta.cpu()))
        if self.handle is not None:
            self.handle.remove()
        del layer.film


class _FilmedAttention(nn.MultiheadAttention):
    """``nn.MultiheadAttention`` on itself, written out so that FiLM reaches its two linears.

    An attention becomes one by a change of class, so its tensors keep their names.
    """

    film: Film

    def forward(self, query: Tensor, *unused: Any, **settings: Any) -> Any:
        """Tokens (b, n, d), or (n, b, d) without ``batch_first`` -> the same, and None."""
        mask = settings.get("attn_mask")
        return attend(self, query, self._qkv, self.out_proj, mask=mask, what="film_all")

    def _qkv(self, x: Tensor) -> Tensor:
        changed: Tensor = self.film(nn.functional.linear(x, self.in_proj_weight, self.in_proj_bias))
        return changed


@dataclass(frozen=True)
class FiLMAdapter(Adapter):
    """FiLM after every norm, or after every linear layer too; everything else is frozen.

    y = gamma * x + beta per channel (Perez et al., "FiLM", AAAI 2018, arXiv 1709.07871), not
    conditioned on anything, gamma = 1 and beta = 0 at the start, the backbone frozen with its
    LayerNorms' affine (Shysheya et al., "FiT", ICLR 2023, arXiv 2206.08671). In ViT-B/16: 25
    sites, 38,400 parameters. Folded, it is (gamma * w, gamma * b + beta) of the norm: an ordinary
    checkpoint, and interpolating the adapter is interpolating the folded weights.

    "film_all" is SSF (Lian et al., "Scaling & shifting your features", NeurIPS 2022, arXiv
    2210.08823, section 3.2): besides the norms after the patch embedding and, in each block, after
    qkv, the attention's output projection and the MLP's linear layers. In ViT-B/16: 205,824
    parameters. A layer without a bias (CLIP's patch embedding) is scaled only, so that it can be
    folded. The head and the projection into a joint space have no site.

    Attributes:
        variant: Which of the two.
    """

    kind: ClassVar[str] = "film"
    foldable: ClassVar[bool] = True

    variant: FilmVariant = "film"

    def __post_init__(self) -> None:
        if self.variant not in ("film", "film_all"):
            raise ModelError(
                f"there is no FiLM variant {self.variant!r}", expected='"film" or "film_all"'
            )

    def attach(self, encoder: nn.Module, *, name: str = "the model") -> None:
        """Add FiLM at every site, as the identity.

        Raises:
            ModelError: No vision transformer; a norm without weight, or (film_all) an attention
                whose linear layers cannot be reached.
        """
        sites = find_sites(encoder, name=name)
        layers = list(self._layers(sites, name))
        for layer in layers:
            weight, bias = _tensors(layer)
            if getattr(layer, weight, None) is None:
                raise no_place(name, layer, "has no weight that a scale could be folded into")
        for layer in layers:
            weight, bias = _tensors(layer)
            film = Film(
                getattr(layer, weight),
                shift=getattr(layer, bias, None) is not None,
                axis=1 if isinstance(layer, nn.Conv2d) else -1,
            )
            if isinstance(layer, nn.MultiheadAttention):
                layer.__class__ = _FilmedAttention
                layer.add_module("film", film)
            else:
                film.follow(layer)

    def merge(self, encoder: nn.Module, *, name: str = "the model") -> None:
        """Fold every site into its layer, exactly but for rounding to the layer's dtype."""
        for layer in list(encoder.modules()):
            film = getattr(layer, "film", None)
            if isinstance(film, Film):
                film.fold(layer, *_tensors(layer))
            if isinstance(layer, _FilmedAttention):
                layer.__class__ = nn.MultiheadAttention  # type: ignore[assignment]

    def note(self, encoder: nn.Module) -> str:
        """How many sites and parameters."""
        films = [m for m in encoder.modules() if isinstance(m, Film)]
        size = sum(p.numel() for film in films for p in film.parameters())
        kind = "FiLM" if self.variant == "film" else "FiLM-all (SSF)"
        return f"{kind} adapters at {len(films)} sites, {size:,} parameters"

    def _layers(self, sites: Sites, name: str) -> Iterator[nn.Module]:
        """Every layer that gets a site."""
        yield from sites.norms()
        if self.variant == "film":
            return
        if sites.embed is not None:
            yield sites.embed
        for block in sites.blocks:
            attn = block.attn
            if packed_qkv(attn):
                yield attn
            elif not fused_qkv(attn):
                raise no_place(name, attn, "has linear layers that film_all cannot reach")
            for part in (attn, block.mlp):
                yield from (m for m in part.modules() if isinstance(m, nn.Linear))


def _tensors(layer: nn.Module) -> tuple[str, str]:
    """What a site behind this layer is folded into."""
    if isinstance(layer, nn.MultiheadAttention):
        return "in_proj_weight", "in_proj_bias"
    return "weight", "bias"
