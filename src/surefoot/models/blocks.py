"""How deep a parameter lies: the blocks of an encoder, in order, whatever library it is from.

No table of architectures: the blocks are the kind of layer that is repeated most in a
``Sequential`` or ``ModuleList`` (transformer blocks, bottlenecks, ConvNeXt blocks).
"""

from __future__ import annotations

from collections import Counter

from torch import nn

from ..errors import ModelError
from .model import Model

__all__ = ["block_names", "layer_scales", "layers"]

_LAST = frozenset({"proj", "text_projection"})
"""Bare parameters of CLIP's towers that are registered first and used last."""


def block_names(module: nn.Module) -> list[str]:
    """Names of the blocks, from the input on.

    A network without repeated composite layers has its layers with parameters as blocks.
    """
    found: dict[str, nn.Module] = {}
    for name, parent in module.named_modules():
        if isinstance(parent, (nn.Sequential, nn.ModuleList)):
            found |= _composite(name, parent)
    kind = _repeated(found)
    if kind is None:  # blocks as plain attributes (timm's RegNet): the first brothers of one kind
        for name, parent in module.named_modules():
            found = _composite(name, parent)
            kind = _repeated(found)
            if kind is not None:
                break
    if kind is not None:
        return [name for name, child in found.items() if type(child) is kind]
    return [n for n, m in module.named_modules() if any(True for _ in m.parameters(recurse=False))]


def _composite(name: str, parent: nn.Module) -> dict[str, nn.Module]:
    """Children made of layers, by full name; Sequentials are stages or parts of a block."""
    return {
        f"{name}.{key}" if name else key: child
        for key, child in parent.named_children()
        if type(child) is not nn.Sequential
        and any(True for c in child.children() for _ in c.parameters())
    }


def _repeated(found: dict[str, nn.Module]) -> type[nn.Module] | None:
    """The most frequent class, if there are two of it at least."""
    counts = Counter(type(child) for child in found.values()).most_common(1)
    return counts[0][0] if counts and counts[0][1] >= 2 else None


def layers(module: nn.Module) -> dict[str, int]:
    """Parameter name -> layer: 0 before the blocks, 1 to L the blocks, L + 1 behind them.

    What lies between two blocks (downsampling) counts to the later one.
    """
    blocks = [f"{name}." for name in block_names(module)]
    last, current = len(blocks), 0
    out: dict[str, int] = {}
    for name, _ in module.named_parameters():
        inside = [i for i, prefix in enumerate(blocks, 1) if name.startswith(prefix)]
        if inside:
            out[name] = current = inside[-1]
        elif name.split(".")[-1] in _LAST:
            out[name] = last + 1
        elif current == 0 or ("embed" in name and "pool" not in name):
            out[name] = 0
        else:
            out[name] = current + 1
    return out


def layer_scales(module: nn.Module, decay: float) -> dict[nn.Parameter, float]:
    """Parameter -> factor of the learning rate: decay ** (L + 1 - layer), 1 for the head.

    Args:
        module: An objective that holds one Model.
        decay: In (0, 1].

    Raises:
        ModelError: It holds none.
    """
    model = next((m for m in module.modules() if isinstance(m, Model)), None)
    if model is None:
        raise ModelError(
            f"{type(module).__name__} holds no Model, so its layers have no depth",
            expected="an objective around a surefoot Model",
            fix="set layer_decay to 1",
        )
    scales: dict[nn.Parameter, float] = {}
    for tower in (model.encoder, model.text):
        if tower is None:
            continue
        depth = layers(tower)
        top = len(block_names(tower)) + 1
        scales |= {p: decay ** (top - depth[n]) for n, p in tower.named_parameters()}
    return scales
