"""What encoding each distinct prompt once saves in FLYP, with few and with many classes.

    python benchmarks/flyp_distinct_prompts.py [--batch 512] [--model tiny-clip] [--repeats 5]

Both sides do one forward and backward pass of FLYP's loss on the same batch, with labels and
templates drawn at random. *Plain* encodes the prompt of every image; *distinct* encodes each
different prompt once and copies its embedding. They take turns; the result is the median of the
paired ratios. The saving depends on how many of the batch's prompts differ, which depends on
classes x templates against the batch, so several cases are shown. A model other than tiny-clip is
an open_clip architecture with random weights (``--model ViT-B-32``): the numbers in the weights do
not matter to the time.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from surefoot.context import cap_threads, pick_device
from surefoot.losses import contrastive
from surefoot.methods.prompts import PromptTable
from surefoot.models.load import load
from surefoot.models.model import Model
from surefoot.models.open_clip import towers as open_clip_loading
from surefoot.transforms import TransformSpec

CASES = ((10, 1), (10, 80), (100, 1), (100, 80), (1000, 1), (1000, 80))
"""Classes and templates."""


def build(name: str) -> tuple[Any, int]:
    """Both towers and the image size."""
    if name == "tiny-clip":
        model: Model = load(name)
        return model, model.spec.transform.size[0]
    import open_clip

    config = open_clip.get_model_config(name)
    kept = {k: config[k] for k in ("embed_dim", "vision_cfg", "text_cfg")}
    builder = {"arch": name, "config": kept}
    parts = open_clip_loading.split(open_clip_loading.whole(builder), builder)
    spec = load("tiny-clip").spec
    size = int(kept["vision_cfg"]["image_size"])
    transform = TransformSpec(size=(size, size), mean=(0.5,) * 3, std=(0.5,) * 3)
    return parts.model(spec).with_spec(transform=transform), size


def timed(step: Callable[[], torch.Tensor], model: torch.nn.Module) -> tuple[float, float]:
    """Seconds of one forward and backward pass, and the loss."""
    model.zero_grad(set_to_none=True)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    began = time.perf_counter()
    loss = step()
    loss.backward()
    value = float(loss.detach())
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - began, value


def measure(model: Any, size: int, batch: int, case: tuple[int, int], repeats: int) -> Any:
    """Median seconds of both sides and the median of their ratios."""
    classes, templates = case
    device = model.device
    generator = torch.Generator().manual_seed(0)
    table = PromptTable(
        model.text,
        [f"thing number {i}" for i in range(classes)],
        [f"a photo of a {{}}, version {t}." for t in range(templates)],
    ).to(device)
    images = torch.randn(batch, 3, size, size, generator=generator).to(device)
    labels = torch.randint(classes, (batch,), generator=generator)
    draw = torch.randint(2**31, (batch,), generator=generator)
    rows = table.rows[labels, draw % templates]

    def plain() -> torch.Tensor:
        texts = table.encode(model.text, rows, part=None)
        return contrastive(model.features(images), texts, model.logit_scale.exp())

    def distinct() -> torch.Tensor:
        texts = table.one(model.text, labels, draw, part=None)
        return contrastive(model.features(images), texts, model.logit_scale.exp())

    timed(plain, model)  # warm-up
    pairs = []
    for turn in range(repeats):
        order = (plain, distinct) if turn % 2 == 0 else (distinct, plain)
        seconds = {step.__name__: timed(step, model) for step in order}
        assert abs(seconds["plain"][1] - seconds["distinct"][1]) < 1e-3
        pairs.append((seconds["plain"][0], seconds["distinct"][0]))
    return {
        "classes": classes,
        "templates": templates,
        "batch": batch,
        "distinct_prompts": len(rows.unique()),
        "plain_seconds": statistics.median(a for a, _ in pairs),
        "distinct_seconds": statistics.median(b for _, b in pairs),
        "gain": statistics.median(a / b for a, b in pairs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tiny-clip", help="tiny-clip or an open_clip name")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cases", nargs="+", help="such as 10x1 1000x80; all of them left out")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    threads = cap_threads()
    model, size = build(options.model)
    model = model.to(pick_device("auto")).train()
    given = [tuple(int(n) for n in c.split("x")) for c in options.cases or ()]
    results = []
    print("classes  templates  distinct of batch   plain s  distinct s   gain")
    for case in given or CASES:
        row = measure(model, size, options.batch, case, options.repeats)
        results.append(row)
        print(
            f"{row['classes']:7d}  {row['templates']:9d}  {row['distinct_prompts']:8d} of "
            f"{row['batch']:<5d}  {row['plain_seconds']:8.3f}  {row['distinct_seconds']:10.3f}  "
            f"{row['gain']:5.2f}",
            flush=True,
        )
    if options.out is not None:
        facts = {
            "model": options.model, "device": str(model.device), "threads": threads,
            "processor": platform.processor() or platform.machine(),
            "torch": torch.__version__, "repeats": options.repeats,
        }  # fmt: skip
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps({**facts, "cases": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
