"""What a run costs beyond the model's own work: loading, bookkeeping, logging, scoring.

    python benchmarks/overhead.py [--repeats 5] [--out benchmarks/results/overhead.json]

Both sides do the demo's fine-tuning run (the same images, steps and alphas). *Ours* is
``run_recipe``, from an empty folder to score rows. *Bare* is what no tool can avoid: the
same forward and backward passes and optimiser steps, and the same forward passes of the sweep, on
tensors that are in memory already. They take turns; the result is the median of the paired ratios.
Start-up of Python and its imports happens before either clock starts. The bar: ours is at most
10 % above bare.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from surefoot.context import cap_threads
from surefoot.data.loading import images_at_once, make_loader
from surefoot.evals.zero_shot import pretrained_end
from surefoot.methods.base import Classify
from surefoot.models.load import load
from surefoot.paths import Path as WeightPath
from surefoot.recipes.demo import demo_recipe
from surefoot.recipes.experiment import run_recipe
from surefoot.recipes.job import Look
from surefoot.recipes.recipe import parse_recipe
from surefoot.recipes.tasks import task_of
from surefoot.train import learning_rate
from surefoot.train.schedule import epoch_order


def tensors(split: Any, transform: Any) -> tuple[torch.Tensor, torch.Tensor]:
    batches = list(make_loader(split, transform, batch_size=256))
    return torch.cat([b["image"] for b in batches]), torch.cat([b["label"] for b in batches])


class Bare:
    """The model's own work, on tensors in memory."""

    def __init__(self, recipe: Any, start: Any, task: Any) -> None:
        self.method = recipe.methods[0]
        self.alphas = Look.of(recipe.spec).alphas
        self.batch = images_at_once(start.spec.transform.size, None, recipe.spec.batch_size)
        self.start = start
        self.task = task
        transform = start.spec.transform.eval()
        self.train = tensors(task.train, transform)
        self.scored = [tensors(s.split, transform)[0] for s in task.scored().values()]
        self.val = tensors(task.val, transform)[0]

    def run(self) -> float:
        began = time.perf_counter()
        model = pretrained_end(self.start, self.task).clone()
        begin = model.clone()
        model.text.requires_grad_(False)
        model.logit_scale.requires_grad_(False)
        self._fit(model)
        path = WeightPath(begin, model)
        mixed = path.working_copy()
        with torch.inference_mode():
            for alpha in self.alphas:
                path.mix_(mixed, alpha)
                for images in self.scored:
                    for part in images.split(self.batch):
                        mixed(part)
        return time.perf_counter() - began

    def _fit(self, model: Any) -> None:
        schedule = self.method.schedule
        objective = Classify(model).train()
        parameters = [p for p in objective.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(
            parameters, lr=schedule.lr, weight_decay=schedule.weight_decay, fused=True
        )
        images, labels = self.train
        per_epoch = schedule.steps_per_epoch(len(images))
        step = 0
        for epoch in range(schedule.epochs):
            for at in epoch_order(len(images), schedule, seed=0, epoch=epoch, rank=0, world=1):
                loss = objective({"image": images[at], "label": labels[at]})
                loss.backward()
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(
                        schedule, step, total=per_epoch * schedule.epochs, per_epoch=per_epoch
                    )
                torch.nn.utils.clip_grad_norm_(parameters, schedule.clip)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                step += 1
            with torch.inference_mode():
                for part in self.val.split(256):  # as the fit's own validation does
                    model(part)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    threads = cap_threads()
    plain = demo_recipe().to_dict()
    plain["methods"] = [m for m in plain["methods"] if m["name"] == "ft"]
    recipe = parse_recipe(plain)
    task = task_of(recipe.spec.data)
    bare = Bare(recipe, load("tiny-clip"), task)
    bare.run()  # warm-up, not counted
    rows = []
    for _ in range(arguments.repeats):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            run_recipe(recipe, Path(folder) / "run")
            ours = time.perf_counter() - began
        rows.append({"ours_s": ours, "bare_s": bare.run()})
        print(
            f"ours {rows[-1]['ours_s']:6.2f} s   bare {rows[-1]['bare_s']:6.2f} s   "
            f"ratio {rows[-1]['ours_s'] / rows[-1]['bare_s']:.3f}",
            flush=True,
        )
    ratios = [r["ours_s"] / r["bare_s"] for r in rows]
    summary = {
        "command": f"python benchmarks/overhead.py --repeats {arguments.repeats}",
        "median_ratio": statistics.median(ratios),
        "min_ratio": min(ratios),
        "max_ratio": max(ratios),
        "bar": 1.10,
        "repeats": rows,
        "threads": threads,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    print(f"median ratio {summary['median_ratio']:.3f} ({min(ratios):.3f} to {max(ratios):.3f})")
    if arguments.out:
        from surefoot.records import write_atomic

        write_atomic(arguments.out, json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    main()
