"""Training from stored tokens, where everything below the first block that trains is frozen.

No paper: what is not trained, on images that do not change, need not be computed again.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .. import processes
from ..cache import cache_folder
from ..context import RunContext, pick_device
from ..data.dataset import Split, Task
from ..data.loading import make_loader
from ..data.sequence import Images, content
from ..features import cache_key, rows_of
from ..models.model import Model
from ..models.prefix import FrozenPrefix, frozen_prefix
from ..train import Schedule, train
from ..transforms import Transform
from .ft import validator

__all__ = ["StoredRows", "as_it_is", "stored_prefix", "train_on_fixed"]


class StoredRows(Images):
    """Stored tokens or features in the place of images; names are the images' own.

    Args:
        rows: (n, width), memory-mapped or not.
        shape: Of one row as the network takes it; width is its product.
        images: Whose rows these are.
    """

    def __init__(self, rows: NDArray[np.float32], shape: tuple[int, ...], images: Images) -> None:
        self.rows, self.shape, self.images = rows, shape, images

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Any:
        return torch.from_numpy(np.array(self.rows[index]).reshape(self.shape))

    def id(self, index: int) -> str:
        """As the images' own."""
        return self.images.id(index)

    def content(self, index: int) -> bytes:
        """Who the image is, not what is stored of it."""
        return content(self.images, index)


class _FromTokens(nn.Module):
    """An objective that goes on from stored tokens."""

    def __init__(self, objective: nn.Module, prefix: FrozenPrefix) -> None:
        super().__init__()
        self.objective, self.prefix = objective, prefix

    def forward(self, batch: Mapping[str, Tensor]) -> Tensor:
        """Batch of image, here tokens (b, ...), and label (b,) -> scalar, nats."""
        with self.prefix.resumed(batch["image"]) as blank:
            loss: Tensor = self.objective({**batch, "image": blank})
        return loss


def as_it_is(row: Any) -> Any:
    """The transform of stored rows: none."""
    return row


def stored_prefix(
    objective: nn.Module, model: Model, split: Split, run: RunContext, *, eval_mode: bool
) -> tuple[nn.Module, Split, Transform] | None:
    """Run the frozen blocks once over the training images and keep what comes out.

    The file holds n * tokens * width * 4 bytes; it lies in ``SUREFOOT_CACHE`` where that is set,
    else in the temporary folder until training ends.

    Args:
        objective: What is to be trained, around ``model``.
        model: ``requires_grad`` says what trains.
        split: Training images; they are seen through the evaluation transform.
        run: Told what is stored, or why nothing is.
        eval_mode: Whether the training keeps the network in eval mode.

    Returns:
        Objective, split and transform for :func:`surefoot.train.train`; None where nothing would
        be saved, the network is not a chain of blocks, something in the frozen part is random, the
        step is to be compiled, or the disk has no room.
    """
    prefix = frozen_prefix(model)
    if prefix is None or run.compile is True:
        return None
    device = pick_device(run.device)
    spec = model.spec.transform
    few = split.take(np.arange(min(4, len(split))))
    images = next(iter(make_loader(few, spec.eval(), device=device)))["image"]
    model.to(device)
    objective.eval()
    if not (prefix.stands(images) and prefix.steady(images, not eval_mode, objective)):
        run.say(note="frozen blocks are computed anew in every epoch: stored ones do not fit in")
        return None
    width = int(np.prod(prefix.shape))
    size = 4 * width * len(split)
    # Decided once: machines may differ, and every process must train the same way.
    free = processes.agreed(lambda: shutil.disk_usage(cache_folder() or tempfile.gettempdir()).free)
    part = f"{len(prefix.frozen)} frozen blocks"
    if size > free / 2:
        run.say(note=f"{part} are computed anew: storing them takes {size / 1e9:.1f} GB, "
                f"{free / 1e9:.1f} GB are free")  # fmt: skip
        return None
    run.say(note=f"{part} run once over {len(split)} images; {size / 1e9:.2f} GB of tokens")

    def key() -> str:
        text = f"{cache_key(model, split, spec)} tokens before {prefix.block}"
        return hashlib.sha256(text.encode()).hexdigest()

    rows = rows_of(
        model,
        split,
        lambda images: prefix.tokens(images).reshape(len(images), width).cpu().numpy(),
        width=width,
        transform=spec,
        key=key,
        batch_size=128,
        device=device,
        workers=run.workers,
    )
    stored = replace(split, images=StoredRows(rows, prefix.shape, split.images))
    wrapped = _FromTokens(objective, prefix)
    wrapped.shardable = getattr(objective, "shardable", False)  # type: ignore[assignment]
    return wrapped, stored, as_it_is


def train_on_fixed(
    objective: nn.Module,
    model: Model,
    task: Task,
    schedule: Schedule,
    *,
    seed: int,
    run: RunContext,
    eval_mode: bool,
    store: bool,
) -> Model:
    """Train on images as the model evaluates them, from stored tokens where that saves work.

    Args:
        objective: Around ``model``.
        model: ``requires_grad`` says what trains.
        task: Its training split; ID validation for the log.
        schedule: How long and how fast.
        seed: Of the order.
        run: Device, log, checkpoints.
        eval_mode: Keep the network in eval mode.
        store: False computes every block in every epoch.

    Returns:
        ``model``, tuned; the same with and without stored tokens, to rounding.
    """
    plain = (objective, task.train, model.spec.transform.eval())
    stored = None
    if store:
        stored = stored_prefix(objective, model, task.train, run, eval_mode=eval_mode)
    what, split, transform = stored or plain
    train(what, split, transform, schedule, seed=seed, run=run, eval_mode=eval_mode,
          validate=validator(model, task, run.workers))  # fmt: skip
    return model.requires_grad_(True).eval()
