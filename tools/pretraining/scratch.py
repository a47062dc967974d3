"""The comparison that pretraining has to beat: the same network from nothing, on one style."""

from __future__ import annotations

import argparse
import copy
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from surefoot.data.dataset import Split
from surefoot.models.heads import random_head
from surefoot.models.model import Model
from surefoot.models.tiny import build, dino_spec

from .augment import CLIP, view
from .loop import optimizer_of

# The crops of fine-tuning; colours and strokes stay as they are drawn.
PLAIN = replace(CLIP, thickness=0.0, grey=0.0, recolour=0.0, invert=0.0)
VIEWS = {"plain": PLAIN, "as in pretraining": CLIP}


@dataclass(frozen=True)
class Scratch:
    """A network trained from nothing.

    Attributes:
        model: At its best epoch.
        epoch: Which one, by accuracy on ``val``.
        val: That accuracy.
    """

    model: Model
    epoch: int
    val: float


def pixels_of(split: Split) -> Tensor:
    """All images of a split, (n, 32, 32, 3) uint8."""
    return torch.from_numpy(np.stack([np.asarray(split.images[i]) for i in range(len(split))]))


def from_scratch(
    train: Split, val: Split, *, views: str, epochs: int, seed: int, batch: int = 128
) -> Scratch:
    """AdamW, cosine, the image tower with a linear head on its 192 features.

    Args:
        train: What is learnt.
        val: Chooses the epoch.
        views: Key of :data:`VIEWS`.
        epochs: Passes over ``train``.
        seed: Of weights, order and views.
        batch: Images a step.
    """
    torch.manual_seed(seed)
    spec = dino_spec()
    model = build(spec.builder).model(spec)
    model.head = random_head(model, train.class_names, seed=seed)
    images, labels = pixels_of(train), torch.from_numpy(np.array(train.require_labels()))
    args = argparse.Namespace(lr=1e-3, weight_decay=0.1)
    optimizer = optimizer_of(model, args)
    steps = epochs * (len(images) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.lr, total_steps=steps)
    chance = torch.Generator().manual_seed(seed)
    best = Scratch(model, -1, -1.0)
    for epoch in range(epochs):
        model.train()
        order = torch.randperm(len(images), generator=chance)
        for part in order.split(batch):
            if len(part) < batch:
                break
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = model(view(images[part], VIEWS[views], chance))
            loss = F.cross_entropy(logits.float(), labels[part], label_smoothing=0.1)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            schedule.step()
        if epoch % 3 == 2 or epoch == epochs - 1:
            score = float((predictions(model, val) == val.require_labels()).mean())
            print(f"scratch ({views}) epoch {epoch + 1}: val {score:.3f}", flush=True)
            if score > best.val:
                best = Scratch(copy.deepcopy(model).eval(), epoch + 1, score)
    return best


def predictions(model: Model, split: Split) -> np.ndarray:
    """Predicted labels (n,)."""
    pixels = pixels_of(split).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    model.eval()
    with torch.inference_mode():
        return torch.cat([model(p).argmax(dim=1) for p in pixels.split(256)]).numpy()
