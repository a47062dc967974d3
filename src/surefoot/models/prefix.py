"""Where training begins in an encoder, and how to go on from there.

Blocks below the first one that trains give the same tokens for the same pixels, epoch after epoch.
Nothing is cut out of the network: a hook takes the tokens before the first block that trains, and
later puts stored ones in their place while the blocks below pass their input on. Whether a network
stands that is tried, not looked up: its features must come out the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from .blocks import block_names, layers
from .model import Model

__all__ = ["FrozenPrefix", "frozen_prefix"]

WORTH = 0.25
"""Share of the blocks that must be frozen for a cache to be worth its disk."""


class _Reached(Exception):
    """Ends a forward pass at the cut."""


class FrozenPrefix:
    """The blocks below a cut.

    Attributes:
        block: Name of the first block behind the cut.
        frozen: Names of the blocks before it.
        shape: Of one image's tokens, without the batch.
    """

    def __init__(self, model: Model, frozen: list[str], block: str) -> None:
        self.model, self.frozen, self.block = model, frozen, block
        self.shape: tuple[int, ...] = ()

    def tokens(self, images: Tensor) -> Tensor:
        """What reaches the cut: images (b, 3, h, w) -> (b, *shape)."""
        held: list[Tensor] = []

        def take(_: nn.Module, args: tuple[Any, ...]) -> None:
            held.append(args[0])
            raise _Reached

        hook = self._cut().register_forward_pre_hook(take)
        try:
            self.model.features(images)
        except _Reached:
            pass
        finally:
            hook.remove()
        return held[0]

    @contextlib.contextmanager
    def resumed(self, tokens: Tensor) -> Iterator[Tensor]:
        """Inside, the model goes on from tokens (b, *shape), whatever images it is given.

        Yields:
            Images to give it: (b, 3, h, w) of zeros.
        """

        def put(
            _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
        ) -> tuple[tuple[Any, ...], dict[str, Any]]:
            return (tokens, *args[1:]), kwargs

        below = [self.model.encoder.get_submodule(name) for name in self.frozen]
        hook = self._cut().register_forward_pre_hook(put, with_kwargs=True)
        for module in below:
            module.__dict__["forward"] = _pass_on
        height, width = self.model.spec.transform.size
        try:
            yield tokens.new_zeros(1, 3, height, width).expand(len(tokens), -1, -1, -1)
        finally:
            hook.remove()
            for module in below:
                module.__dict__.pop("forward", None)

    def _cut(self) -> nn.Module:
        return self.model.encoder.get_submodule(self.block)

    def stands(self, images: Tensor) -> bool:
        """Whether stored tokens of these images lead to the features of the images.

        To be asked of a model in eval mode. A network that is no chain of blocks does not stand.
        """
        try:
            with torch.no_grad():
                whole, tokens = self.model.features(images), self.tokens(images)
                with self.resumed(tokens) as blank:
                    found = self.model.features(blank)
        except (RuntimeError, TypeError, ValueError, AttributeError, IndexError):
            return False
        self.shape = tuple(tokens.shape[1:])
        fits = len(tokens) == len(images) and tokens.dtype == torch.float32
        return fits and torch.allclose(whole, found, atol=1e-5)

    def steady(self, images: Tensor, mode: bool, objective: nn.Module) -> bool:
        """Whether the frozen part gives in training what it gives in eval mode.

        Random layers (dropout, stochastic depth) in it do not.

        Args:
            images: (b, 3, h, w).
            mode: Of ``objective.train``.
            objective: What is to be trained.
        """
        with torch.no_grad():
            objective.eval()
            kept = self.tokens(images)
            objective.train(mode)
            return all(torch.equal(self.tokens(images), kept) for _ in range(2))


def _pass_on(first: Any, *_: Any, **__: Any) -> Any:
    """The forward pass of a block that is not needed."""
    return first


def frozen_prefix(model: Model) -> FrozenPrefix | None:
    """The blocks of the encoder below the first parameter that trains.

    Args:
        model: ``requires_grad`` says what trains.

    Returns:
        None where less than a quarter of the blocks would be saved.
    """
    names, depth = block_names(model.encoder), layers(model.encoder)
    trained = [depth[n] for n, p in model.encoder.named_parameters()
               if p.requires_grad and n in depth]  # fmt: skip
    # Layer 0 lies before the blocks; where nothing but the head trains the last block is the cut.
    cut = min([*trained, len(names)])
    if cut < 1 or cut - 1 < WORTH * len(names):
        return None
    return FrozenPrefix(model, names[: cut - 1], names[cut - 1])
