"""The loop of both scripts: a budget of time or steps, checkpoints, exact resumption."""

from __future__ import annotations

import argparse
import math
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn


@dataclass
class Randomness:
    """Every source of chance of a run, so that a checkpoint can hold it."""

    seed: int
    torch_: torch.Generator = field(default_factory=torch.Generator)
    python: random.Random = field(default_factory=random.Random)

    def __post_init__(self) -> None:
        self.torch_.manual_seed(self.seed)
        self.python.seed(self.seed)

    def state(self) -> dict[str, Any]:
        return {"torch": self.torch_.get_state(), "python": self.python.getstate()}

    def restore(self, state: dict[str, Any]) -> None:
        self.torch_.set_state(state["torch"])
        version, numbers, gauss = state["python"]
        self.python.setstate((version, tuple(numbers), gauss))


def arguments(description: str | None, *, batch: int, lr: float) -> argparse.ArgumentParser:
    """The options that both scripts have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("corpus", type=Path, help="folder with images.npy and rows.parquet")
    parser.add_argument("checkpoints", type=Path, help="folder for the checkpoint")
    parser.add_argument("--export", type=Path, help="write the model here at the end")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    parser.add_argument("--hours", type=float, help="budget of training time, over all sittings")
    parser.add_argument("--steps", type=int, help="budget of steps instead")
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--piece", type=int, default=64, help="images at a time on a CPU thread")
    parser.add_argument("--lr", type=float, default=lr)
    parser.add_argument("--weight-decay", type=float, default=0.1)
    parser.add_argument("--warmup", type=float, default=0.03, help="part of the budget")
    parser.add_argument("--save-minutes", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser


@dataclass
class Progress:
    """How far a run is."""

    step: int = 0
    images: int = 0
    seconds: float = 0.0

    def part(self, args: argparse.Namespace) -> float:
        """Of the budget, 0 to 1."""
        if args.steps is not None:
            return self.step / args.steps if args.steps else 1.0
        return self.seconds / (args.hours * 3600) if args.hours else 1.0


def optimizer_of(module: nn.Module, args: argparse.Namespace) -> torch.optim.AdamW:
    """AdamW; vectors, positions and scalars do not decay."""
    matrices = [p for n, p in module.named_parameters() if p.ndim >= 2 and "pos_embed" not in n]
    others = [p for n, p in module.named_parameters() if p.ndim < 2 or "pos_embed" in n]
    groups = [
        {"params": matrices, "weight_decay": args.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=args.lr, betas=(0.9, 0.98), fused=True)


def train(
    module: nn.Module,
    step: Callable[[], float],
    chance: Randomness,
    args: argparse.Namespace,
    after_step: Callable[[], None] = lambda: None,
) -> Progress:
    """Train until the budget is spent: cosine after a linear warm-up (arXiv 1608.03983).

    Args:
        module: What is trained and saved.
        step: Fills the gradients from one batch and returns the loss.
        chance: Saved with the checkpoint, so that a resumed run draws what it would have drawn.
        args: Budget, rates and folders, from :func:`arguments`.
        after_step: Called after every update.
    """
    optimizer = optimizer_of(module, args)
    progress = Progress()
    file = args.checkpoints / "last.pt"
    if args.resume:
        progress = _read(file, module, optimizer, chance)
    module.train()
    started, base, saved = time.monotonic(), progress.seconds, time.monotonic()
    recent: list[float] = []
    while (part := progress.part(args)) < 1:
        rate = args.lr * min(1.0, part / args.warmup if progress.step else 1e-3)
        rate *= 0.5 * (1 + math.cos(math.pi * part))
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = step()
        nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        after_step()
        recent.append(loss)
        progress.step += 1
        progress.images += args.batch
        progress.seconds = base + time.monotonic() - started
        if progress.step % 50 == 0:
            _tell(progress, part, recent, rate)
            recent.clear()
        if time.monotonic() - saved > args.save_minutes * 60:
            _write(file, module, optimizer, chance, progress, args)
            saved = time.monotonic()
    if progress.seconds > base or not file.exists():
        _write(file, module, optimizer, chance, progress, args)
    module.eval()
    return progress


def _tell(progress: Progress, part: float, losses: list[float], rate: float) -> None:
    speed = progress.images / max(progress.seconds, 1e-9)
    print(
        f"step {progress.step}  {part:6.1%}  loss {sum(losses) / len(losses):.4f}  "
        f"lr {rate:.2e}  {speed:.0f} images/s  {progress.images} images  "
        f"{progress.seconds / 60:.1f} min",
        flush=True,
    )


def _write(
    file: Path,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    chance: Randomness,
    progress: Progress,
    args: argparse.Namespace,
) -> None:
    """A checkpoint, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".part")
    state = {
        "module": module.state_dict(),
        "optimizer": optimizer.state_dict(),
        "chance": chance.state(),
        "progress": vars(progress),
        "settings": {k: str(v) for k, v in vars(args).items()},
    }
    with open(partial, "wb") as out:
        torch.save(state, out)
        out.flush()
        os.fsync(out.fileno())
    os.replace(partial, file)


def _read(
    file: Path, module: nn.Module, optimizer: torch.optim.Optimizer, chance: Randomness
) -> Progress:
    state = torch.load(file, map_location="cpu", weights_only=True)
    module.load_state_dict(state["module"])
    optimizer.load_state_dict(state["optimizer"])
    chance.restore(state["chance"])
    return Progress(**state["progress"])
