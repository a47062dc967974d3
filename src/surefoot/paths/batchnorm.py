"""BatchNorm on a path: average statistics belong to neither network in between.

The statistics of mixed weights are not the mix of the statistics; re-estimating them on training
images is what SWA does for averaged weights (arXiv 1803.05407, section 3.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..models.model import Model

__all__ = ["chunks", "estimate", "statistics_names"]

# timm's fused BatchNormAct2d and SyncBatchNorm are subclasses.
_BatchNorm = nn.modules.batchnorm._BatchNorm

_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")


def _batch_norms(module: nn.Module) -> dict[str, _BatchNorm]:
    """Every BatchNorm layer that keeps running statistics, by name."""
    return {
        name: layer
        for name, layer in module.named_modules()
        if isinstance(layer, _BatchNorm) and layer.running_mean is not None
    }


def statistics_names(module: nn.Module) -> set[str]:
    """Names of the buffers with running statistics, as ``state_dict`` has them."""
    layers = _batch_norms(module)
    dotted = (f"{name}." if name else "" for name in layers)
    return {f"{prefix}{b}" for prefix in dotted for b in _BUFFERS} & set(module.state_dict())


def estimate(
    model: Model,
    batches: Iterable[Tensor],
    write: Callable[[float], None],
    alphas: Sequence[float],
    *,
    budget: int = 16 * 2**20,
) -> dict[float, dict[str, Tensor]]:
    """Running statistics at every alpha, from one pass over the images.

    Means and variances are averaged over batches with equal weight (momentum None). A last,
    smaller batch is left out unless it is the only one.

    Args:
        model: A working copy; changed.
        batches: Images (b, 3, h, w), decoded as they are asked for.
        write: Writes the weights at an alpha into the model.
        alphas: Strictly inside the path.
        budget: Bytes of images held at a time.

    Returns:
        alpha -> name as ``state_dict`` has it -> tensor.
    """
    kept: dict[float, dict[str, Tensor]] = {}
    size = 0
    for chunk in chunks(batches, budget):
        size = max(size, *map(len, chunk))
        whole = [b for b in chunk if len(b) == size]
        for alpha in alphas if whole else ():
            write(alpha)
            if alpha in kept:
                _restore(model, kept[alpha])
            else:
                _reset(model)
            _observe(model, whole)
            kept[alpha] = _statistics(model)
    return kept


def chunks(batches: Iterable[Tensor], budget: int) -> Iterator[list[Tensor]]:
    """Join batches into lists of at most ``budget`` bytes, or of one batch where it is larger."""
    held: list[Tensor] = []
    room = budget
    for batch in batches:
        if held and batch.nbytes > room:
            yield held
            held, room = [], budget
        held.append(batch)
        room -= batch.nbytes
    if held:
        yield held


def _statistics(model: Model) -> dict[str, Tensor]:
    state = model.state_dict()
    return {name: state[name].clone() for name in sorted(statistics_names(model))}


def _restore(model: Model, kept: dict[str, Tensor]) -> None:
    state = model.state_dict()
    for name, tensor in kept.items():
        state[name].copy_(tensor)


def _reset(model: Model) -> None:
    for layer in _batch_norms(model).values():
        layer.reset_running_stats()


@contextmanager
def _observing(model: Model) -> Iterator[None]:
    """BatchNorm layers in training mode with cumulative averages, everything else in eval."""
    modes = {layer: layer.training for layer in model.modules()}
    layers = list(_batch_norms(model).values())
    momenta = [layer.momentum for layer in layers]
    model.eval()
    for layer in layers:
        layer.train()
        layer.momentum = None  # the plain mean over batches
    try:
        yield
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        for module, training in modes.items():
            module.training = training


def _observe(model: Model, batches: Iterable[Tensor]) -> None:
    device = model.device
    with _observing(model), torch.no_grad():
        for images in batches:
            model.features(images.to(device))
