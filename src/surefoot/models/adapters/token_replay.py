"""Token Replay adapters, our reading: learnt tokens that every block can attend to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...errors import ModelError
from .base import Adapter, AdapterModule
from .sites import BlockSites, Sites, find_sites, fused_qkv, no_place, packed_qkv

__all__ = ["Replay", "ReplayStack", "TokenReplayAdapter"]


class TokenBank(AdapterModule):
    """The learnable tokens P (m, d): no position, and no block changes them.

    Args:
        m: How many.
        like: (d,), gives d, dtype and device.
        generator: Of the draw.
    """

    def __init__(self, m: int, like: Tensor, generator: torch.Generator) -> None:
        super().__init__()
        drawn = torch.empty(m, like.shape[0])
        nn.init.trunc_normal_(drawn, std=0.02, generator=generator)
        self.tokens = nn.Parameter(drawn.to(device=like.device, dtype=like.dtype))


class Replay(AdapterModule):
    """One block's access to the bank: its queries attend to P, and a raw gate per head adds it.

    Args:
        site: The block; its ``norm1`` and attention are used, and belong to the encoder.
        bank: P.
        own: The bank is this block's alone.
    """

    def __init__(self, site: BlockSites, bank: TokenBank, *, own: bool) -> None:
        super().__init__()
        attn: Any = site.attn
        self.heads, self.head_dim = int(attn.num_heads), int(attn.head_dim)
        like = next(attn.parameters())
        # Raw, not tanh: alpha times the gate is alpha times what it adds.
        self.gate = nn.Parameter(torch.zeros(self.heads, dtype=like.dtype, device=like.device))
        self.bank = bank if own else None
        # In a tuple these are used without becoming children.
        self._used = (site.norm1, attn, bank)
        self.off = False
        self.fed: Tensor | None = None
        self._queries: Tensor | None = None

    def hang(self) -> None:
        """Hang on the attention."""
        attn: Any = self._used[1]
        attn.add_module("replay", self)
        if isinstance(attn, nn.MultiheadAttention):
            attn.register_forward_hook(self.beside)
        else:
            attn.qkv.register_forward_hook(self.take)
            attn.proj.register_forward_pre_hook(self.give)

    def read(self, queries: Tensor) -> Tensor:
        """What queries (b, n, heads * head_dim) find in the bank, gated; the same shape."""
        attn: Any = self._used[1]
        b, n, _ = queries.shape
        q = queries.reshape(b, n, self.heads, self.head_dim).transpose(1, 2)
        q = getattr(attn, "q_norm", _same)(q)
        k, v = self._keys_and_values()
        found = nn.functional.scaled_dot_product_attention(
            q, k.expand(b, -1, -1, -1).to(q.dtype), v.expand(b, -1, -1, -1).to(q.dtype)
        )
        gated = found * self.gate[:, None, None]
        return gated.transpose(1, 2).flatten(2).to(queries.dtype)

    def _keys_and_values(self) -> tuple[Tensor, Tensor]:
        """Frozen norm1 and qkv applied to the bank: each (1 or b, heads, m, head_dim)."""
        norm, attn, bank = self._used
        tokens: Tensor = bank.tokens[None]
        if self.fed is not None:
            tokens = torch.cat([tokens.expand(len(self.fed), -1, -1), self.fed], dim=1)
        weight, bias = _qkv(attn)
        width = self.heads * self.head_dim
        both = nn.functional.linear(
            norm(tokens), weight[width:], None if bias is None else bias[width:]
        )
        split = both.reshape(*both.shape[:2], 2, self.heads, self.head_dim)
        k, v = split.permute(2, 0, 3, 1, 4)
        return getattr(attn, "k_norm", _same)(k), v

    def take(self, layer: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
        """Behind timm's ``qkv``: note the queries."""
        self._queries = None if self.off else output[..., : self.heads * self.head_dim]

    def give(self, layer: nn.Module, args: tuple[Any, ...]) -> Any:
        """Before timm's ``proj``: add what was found to the heads (b, n, heads * head_dim)."""
        queries, self._queries = self._queries, None
        return None if queries is None else (args[0] + self.read(queries), *args[1:])

    def beside(self, attn: Any, args: tuple[Any, ...], output: Any) -> Any:
        """Behind ``nn.MultiheadAttention``, which is closed: proj(a + r) = proj(a) + W r."""
        if self.off:
            return None
        x = args[0] if attn.batch_first else args[0].transpose(0, 1)
        weight, bias = _qkv(attn)
        width = self.heads * self.head_dim
        queries = nn.functional.linear(x, weight[:width], None if bias is None else bias[:width])
        more = nn.functional.linear(self.read(queries), attn.out_proj.weight)
        more = more if attn.batch_first else more.transpose(0, 1)
        return (output[0] + more, *output[1:])


class ReplayStack(AdapterModule):
    """What all blocks have in common: the shared bank, and the second pass.

    Args:
        replays: Of every block.
        bank: P, where it is shared.
        two_pass: Run the blocks twice.
    """

    def __init__(
        self, replays: tuple[Replay, ...], bank: TokenBank | None, *, two_pass: bool
    ) -> None:
        super().__init__()
        self.bank = bank
        self.replays = replays  # in a tuple: used, and no children
        self.two_pass = two_pass
        self._again = False

    def second(self, stack: nn.Module, args: tuple[Any, ...], output: Tensor) -> Any:
        """Behind the blocks: run them again on their input, their output (b, n, d) in the bank."""
        if self._again or self.replays[0].off:
            return None
        self._again = True
        try:
            for replay in self.replays:
                replay.fed = output
            return stack(*args)
        finally:
            self._again = False
            for replay in self.replays:
                replay.fed = None


@dataclass(frozen=True)
class TokenReplayAdapter(Adapter):
    """A bank of m learnt tokens that is replayed in every block. Our reading.

    No public definition of token replay was found; this is our reading of it. In each block the
    frozen norm1 and qkv are applied to the bank; all tokens (CLS, registers, patches) attend to
    it in a softmax of its own; the result is added per head, times a gate that starts at 0,
    before the frozen output projection. In ViT-B/16: 7,680 + 144 parameters. Gates of 0 are the
    pretrained model exactly, whatever the bank. It cannot be folded.

    With ``two_pass`` the blocks run twice on their input, and in the second pass the bank is P
    and the tokens that came out of the first (before the final norm): fed back once, as in TOAST
    (Shi et al., arXiv 2305.15542), through the same gates. It costs twice the time.

    Attributes:
        m: Tokens in the bank.
        share: One bank for all blocks, or one each.
        two_pass: Feed the output tokens back once.
        seed: Of the bank, a normal of 0.02 truncated at +-2.
    """

    kind: ClassVar[str] = "token-replay"
    foldable: ClassVar[bool] = False

    m: int = 10
    share: bool = True
    two_pass: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.m < 1:
            raise ModelError(f"a bank of {self.m} tokens", expected="m of at least 1")

    def attach(self, encoder: nn.Module, *, name: str = "the model") -> None:
        """Draw the bank, and hang it on every attention with gates of 0.

        Raises:
            ModelError: No vision transformer with pre-norm blocks and plain attention.
        """
        sites = find_sites(encoder, name=name)
        _require_plain(sites, name)
        if self.two_pass and getattr(sites.root, "grad_checkpointing", False):
            raise no_place(name, encoder, "checkpoints its blocks, which two_pass cannot run twice")
        generator = torch.Generator().manual_seed(self.seed)
        likes: list[Any] = [b.norm1.weight for b in sites.blocks]
        bank = TokenBank(self.m, likes[0], generator) if self.share else None
        replays = []
        for site, like in zip(sites.blocks, likes, strict=True):
            tokens = TokenBank(self.m, like, generator) if bank is None else bank
            replays.append(Replay(site, tokens, own=bank is None))
            replays[-1].hang()
        common = ReplayStack(tuple(replays), bank, two_pass=self.two_pass)
        sites.root.add_module("replay", common)
        if self.two_pass:
            sites.stack.register_forward_hook(common.second)

    def merge(self, encoder: nn.Module, *, name: str = "the model") -> None:
        """Always raises: an attention to more tokens is no change of weights."""
        raise ModelError(
            f"the token replay adapter of {name} cannot be folded into its weights",
            expected="an adapter that is linear in its layer, such as FiLM",
            fix="keep it: save_model and load_saved carry it along",
        )

    def note(self, encoder: nn.Module) -> str:
        """How many parameters, and that it is our reading."""
        parts = [m for m in encoder.modules() if isinstance(m, (Replay, ReplayStack))]
        size = sum({p: p.numel() for part in parts for p in part.parameters()}.values())
        return f"Token Replay adapters (our reading), {size:,} parameters"


def _require_plain(sites: Sites, name: str) -> None:
    for site in sites.blocks:
        attn: Any = site.attn
        if not site.pre_norm:
            raise no_place(name, site.block, "is not known to be x + attn(norm1(x))")
        if packed_qkv(attn):
            continue
        plain = isinstance(getattr(attn, "norm", nn.Identity()), nn.Identity)
        if not fused_qkv(attn) or not plain or getattr(attn, "gate", None) is not None:
            raise no_place(name, attn, "is not plain attention: qkv, softmax, projection")


def _qkv(attn: Any) -> tuple[Tensor, Tensor | None]:
    """Weight (3 * width, d) and bias (3 * width,) of the input projection."""
    if isinstance(attn, nn.MultiheadAttention):
        return attn.in_proj_weight, attn.in_proj_bias
    return attn.qkv.weight, attn.qkv.bias


def _same(x: Tensor) -> Tensor:
    return x
