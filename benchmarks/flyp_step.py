"""FLYP's training step: surefoot beside the paper's own code, on the CPU.

    python benchmarks/flyp_step.py --flyp FOLDER [--arch ViT-B-32] [--batch 64] [--classes 10]
        [--steps 2] [--repeats 5]

FOLDER is a copy of the FLYP repository; its loss (``clip.loss.ClipLoss``) and its schedule are
used, in the order of its ``flyp_loss.py``, on open_clip's model, which that script takes for
ViT-B/16. Random weights, the same on both sides; the same images and prompts, one prompt for each
class; AdamW. surefoot encodes each distinct prompt of a batch once, the peer the prompt of every
image, so the fewer classes there are the more is saved. Once with each image in a class of its own
as well, where nothing can be saved. The losses of all steps must agree before anything is timed.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent))

from common import RESULTS, Contender, contest, table, write
from towers import batch_on, clip_pair, flyp
from training_step import PLENTY, Ours

from surefoot.context import RunContext
from surefoot.train import Schedule

OURS = "surefoot flyp, {} classes"


class Work:
    """What all contenders share: both models with the same weights, one batch."""

    def __init__(self, arch: str, batch: str, classes: str, steps: str) -> None:
        torch.manual_seed(0)
        cpu = torch.device("cpu")
        model, self.theirs, pixels = clip_pair(arch, cpu)
        size = int(batch)
        self.steps = int(steps)
        self.schedule = Schedule(epochs=1, batch_size=size, warmup_steps=0, lr=1e-5, clip=None)
        self.batch = batch_on(cpu, size, pixels, int(classes))
        self.objective = flyp(model, int(classes))
        rows = self.objective.table.rows[self.batch["label"], 0]
        self.texts = self.objective.table.tokens[rows]
        run = RunContext(device="cpu")
        self.stepper = Ours(self.objective, self.batch, self.schedule, run, run.accelerator())

    def ours(self) -> dict[str, Any]:
        """The training loop's own step."""
        return {"losses": [float(self.stepper.run(1)) for _ in range(self.steps)]}

    def flyp(self, folder: str) -> dict[str, Any]:
        """The peer's loss and schedule, in its order."""
        sys.path.insert(0, folder)
        from clip.loss import ClipLoss
        from src.models.utils import cosine_lr

        model, schedule = self.theirs, self.schedule
        model.output_dict = False
        model.train()
        loss_of = ClipLoss(local_loss=False, gather_with_grad=False, cache_labels=True,
                           rank=0, world_size=1, use_horovod=False)  # fmt: skip
        optimizer = torch.optim.AdamW(model.parameters(), lr=schedule.lr,
                                      weight_decay=schedule.weight_decay)  # fmt: skip
        scheduler = cosine_lr(optimizer, schedule.lr, 0, PLENTY)
        losses = []
        for step in range(self.steps):
            scheduler(step)
            optimizer.zero_grad()
            images, texts, scale = model(self.batch["image"], self.texts)
            loss = loss_of(images, texts, scale)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return {"losses": losses}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flyp", default="", help="a copy of the FLYP repository")
    parser.add_argument("--arch", default="ViT-B-32", help='open_clip\'s name, or "tiny"')
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows: dict[str, Any] = {}
    for classes in dict.fromkeys((options.classes, options.batch)):
        rows |= _turns(options, classes)
    facts = {k: getattr(options, k) for k in ("arch", "batch", "classes", "steps", "threads")}
    table(f"{options.steps} steps of {options.arch}, batch {options.batch}", rows,
          OURS.format(options.classes))  # fmt: skip
    write("flyp_step", rows, facts, options.out or RESULTS / "flyp_step.json")


def _turns(options: argparse.Namespace, classes: int) -> dict[str, Any]:
    imports = (
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from flyp_step import Work; work = Work(*sys.argv[2:])"
    )
    ours = OURS.format(classes)
    theirs = f"FLYP's own code, {classes} classes"
    contenders = [
        Contender(ours, imports, "facts = work.ours()", ours=True),
        Contender(theirs, imports, "facts = work.flyp(sys.argv[1])"),
    ]
    seen: list[float] = []

    def equal(who: str, facts: dict[str, Any]) -> None:
        seen.extend(facts["losses"] if not seen else [])
        apart = max(abs(a - b) / abs(b) for a, b in zip(facts["losses"], seen, strict=True))
        print(f"{who}: losses of {len(seen)} steps within {apart:.1e} of ours", flush=True)
        if apart > 1e-4:
            raise SystemExit(f"{who} does other work: {facts['losses']}; nothing was timed")

    arguments = [options.flyp, options.arch, str(options.batch), str(classes), str(options.steps)]
    return contest(contenders, arguments, repeats=options.repeats, threads=options.threads,
                   equal=equal)  # fmt: skip


if __name__ == "__main__":
    main()
