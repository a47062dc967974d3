"""Tuning the last blocks on images that stay the same: surefoot beside timm's pieces.

    python benchmarks/frozen_prefix.py [--arch vit_tiny_patch16_224] [--images 320] [--epochs 5]
        [--k 2] [--repeats 5]

JPEGs of 256 pixels in class folders, random weights, a head of zeros, AdamW, one order of images:
``last-blocks`` with ``augment: false``, which runs the frozen blocks once and stores their tokens;
the same with ``store: false``; and a plain loop of torchvision's ImageFolder and timm's model,
transform, ``freeze``, optimiser and clipping, whose frozen blocks run in every epoch but are not
differentiated. The losses of every epoch must agree before anything is timed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))

from common import RESULTS, Contender, contest, table, write
from towers import timm_pair

from surefoot.context import RunContext
from surefoot.methods.ft import FineTune
from surefoot.methods.partial import LastBlocks
from surefoot.recipes.recipe import DataSpec
from surefoot.recipes.tasks import task_of
from surefoot.train import Schedule, learning_rate
from surefoot.train.schedule import epoch_order

OURS = "surefoot last-blocks, stored tokens"
CLASSES, BATCH = 10, 32


def photos(root: Path, images: int) -> None:
    """Smooth noise with a colour for each class, as JPEGs."""
    rng = np.random.default_rng(0)
    for i in range(images):
        label = i % CLASSES
        coarse = rng.integers(0, 120, (16, 16, 3), dtype=np.uint8)
        coarse[..., label % 3] += np.uint8(10 * label)
        smooth = Image.fromarray(coarse).resize((256, 256), Image.Resampling.BICUBIC)
        folder = root / f"class {label}"
        folder.mkdir(exist_ok=True)
        smooth.save(folder / f"{i:04d}.jpg", quality=90)


class Work:
    """What all contenders share: model, schedule, data."""

    def __init__(self, root: str, arch: str, epochs: str, k: str) -> None:
        torch.manual_seed(0)
        self.root, self.k = root, int(k)
        self.model, self.theirs = timm_pair(arch, CLASSES, torch.device("cpu"))
        for parameter in self.theirs.get_classifier().parameters():
            nn.init.zeros_(parameter)
        self.schedule = Schedule(epochs=int(epochs), batch_size=BATCH, lr=1e-3, warmup_steps=0)
        self.task = task_of(DataSpec(train=root, val=root, test=root))

    def ours(self, store: bool) -> dict[str, Any]:
        """The method as a recipe makes it."""
        rows: list[Any] = []
        tune = FineTune(head="zeros", schedule=self.schedule)
        method = LastBlocks(k=self.k, tune=tune, augment=False, store=store)
        run = RunContext(device="cpu", validate=False, workers=0, log=rows.append)
        method.fit(self.model, self.task, seed=0, run=run)
        found = {r["epoch"]: r["loss"] for r in rows if "loss" in r and "images_per_second" in r}
        return {"losses": [found[e] for e in sorted(found)]}

    def timm(self) -> dict[str, Any]:
        """A plain loop."""
        from timm.data import create_transform, resolve_model_data_config
        from timm.optim import create_optimizer_v2
        from timm.utils import dispatch_clip_grad, freeze
        from torchvision.datasets import ImageFolder

        model, schedule = self.theirs, self.schedule
        frozen = len(model.blocks) - self.k
        freeze(model, ["patch_embed", *(f"blocks.{i}" for i in range(frozen))])
        model.pos_embed.requires_grad_(False)
        model.cls_token.requires_grad_(False)
        config = resolve_model_data_config(model)
        images = ImageFolder(self.root, create_transform(**config, is_training=False))
        trained = [p for p in model.parameters() if p.requires_grad]
        optimizer = create_optimizer_v2(trained, opt="adamw", lr=schedule.lr,
                                        weight_decay=schedule.weight_decay, betas=schedule.betas,
                                        eps=schedule.eps)  # fmt: skip
        criterion, losses, done = nn.CrossEntropyLoss(), [], 0
        each = -(-len(images) // BATCH)
        model.train()
        for epoch in range(schedule.epochs):
            order = epoch_order(len(images), schedule, seed=0, epoch=epoch, rank=0, world=1)
            loader = torch.utils.data.DataLoader(images, batch_sampler=[o.tolist() for o in order])
            total = 0.0
            for batch, labels in loader:
                loss = criterion(model(batch), labels)
                loss.backward()
                lr = learning_rate(schedule, done, total=each * schedule.epochs, per_epoch=each)
                for group in optimizer.param_groups:
                    group["lr"] = lr
                dispatch_clip_grad(trained, schedule.clip, mode="norm")
                optimizer.step()
                optimizer.zero_grad()
                total, done = total + float(loss.detach()) * len(labels), done + 1
            losses.append(total / len(images))
        return {"losses": losses}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", default="vit_tiny_patch16_224")
    parser.add_argument("--images", type=int, default=320)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--k", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    imports = (
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from frozen_prefix import Work; work = Work(*sys.argv[1:])"
    )
    contenders = [
        Contender(OURS, imports, "facts = work.ours(True)", ours=True),
        Contender("surefoot last-blocks, every block anew", imports, "facts = work.ours(False)"),
        Contender("timm, a plain loop, frozen blocks", imports, "facts = work.timm()"),
    ]
    seen: list[float] = []

    def equal(who: str, facts: dict[str, Any]) -> None:
        seen.extend(facts["losses"] if not seen else [])
        apart = max(abs(a - b) for a, b in zip(facts["losses"], seen, strict=True))
        print(f"{who}: losses of {len(seen)} epochs within {apart:.1e} nats of ours", flush=True)
        if apart > 0.02:
            raise SystemExit(f"{who} learns otherwise: {facts['losses']}; nothing was timed")

    with tempfile.TemporaryDirectory() as root:
        photos(Path(root), options.images)
        arguments = [root, options.arch, str(options.epochs), str(options.k)]
        rows = contest(contenders, arguments, repeats=options.repeats, threads=options.threads,
                       equal=equal)  # fmt: skip
    facts = {k: getattr(options, k) for k in ("arch", "images", "epochs", "k", "threads")}
    table(f"last {options.k} blocks of {options.arch}, {options.images} images, "
          f"{options.epochs} epochs", rows, OURS)  # fmt: skip
    write("frozen_prefix", rows, facts, options.out or RESULTS / "frozen_prefix.json")


if __name__ == "__main__":
    main()
