"""Real models at 224 px on a CPU: evaluation and training, ours beside a plain PyTorch loop.

    python benchmarks/laptop.py [--models efficientnet_lite0 resnet50 vit_small_patch16_224]
        [--images 256] [--train-images 96] [--threads 2] [--repeats 5]

Random weights, the same for all; JPEGs of 256 x 256 on the disk. *Ours* is ``surefoot.predict`` (or
one epoch of the method ``ft``) at its defaults, under the memory policy that our commands set.
*Plain* is what a script does: a DataLoader with the same transform, the model as timm builds it,
``inference_mode`` (or fused AdamW); evaluated at batch 256 and 32, trained at batch 32 like ours.
Answers are held equal before any time is taken; trainings draw other crops and are held to a
finite loss.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

try:
    from .common import RESULTS, Contender, contest, table, write
except ImportError:
    from common import RESULTS, Contender, contest, table, write  # type: ignore[no-redef]

MODELS = ("efficientnet_lite0", "resnet50", "vit_small_patch16_224")
CLASSES = 4

_COMMON = """
sys.path.insert(0, {sources!r})
if {ours}:
    from surefoot.allocator import keep_pages
    keep_pages()
import torch
torch.set_num_threads({threads})
import surefoot as sf
from surefoot.data.folder import from_folder
from surefoot.models.heads import Head
model = sf.load("timm:{name}/random?seed=0")
split = from_folder(sys.argv[1], name="test", domain="ID", use="{use}")
weight = torch.linspace(-1, 1, 4 * model.feature_dim).reshape(4, -1)
model.head = Head(weight, torch.zeros(4), normalize=False, class_names=split.class_names)
"""

_LOADER = """
from torch.utils.data import DataLoader, Dataset
transform = model.spec.transform.{side}()
class Folder(Dataset):
    def __len__(self): return len(split)
    def __getitem__(self, i): return transform(split.images[i]), int(split.labels[i])
network = torch.nn.Sequential(model.encoder, model.head)
"""

_OURS_EVAL = """
said = sf.predict(model, split).logits
facts = {"mean": float(said.mean()), "top1": said.argmax(1).tolist()}
"""

_PLAIN_EVAL = """
network.eval()
with torch.inference_mode():
    said = torch.cat([network(images) for images, _ in DataLoader(Folder(), {batch})])
facts = {{"mean": float(said.mean()), "top1": said.argmax(1).tolist()}}
"""

_OURS_TRAIN = """
from surefoot.methods.base import Classify
from surefoot.train import Schedule, train
rows = train(Classify(model), split, model.spec.transform.train(),
             Schedule(epochs=1, batch_size=32, lr=1e-5, warmup_steps=0))
facts = {"loss": rows[-1]["loss"]}
"""

_PLAIN_TRAIN = """
network.train()
optimizer = torch.optim.AdamW(network.parameters(), lr=1e-5, fused=True)
for images, labels in DataLoader(Folder(), 32, shuffle=True):
    loss = torch.nn.functional.cross_entropy(network(images), labels)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
facts = {"loss": float(loss)}
"""


def contenders(name: str, use: str, threads: int) -> list[Contender]:
    """Ours first."""

    def opened(ours: bool) -> str:
        sources = str(Path(__file__).resolve().parents[1] / "src")
        return _COMMON.format(sources=sources, ours=ours, threads=threads, name=name, use=use)

    side = "eval" if use == "test" else "train"
    plain = opened(False) + _LOADER.format(side=side)
    if use == "train":
        return [
            Contender("surefoot ft, batch 32", opened(True), _OURS_TRAIN, ours=True),
            Contender("plain loop, batch 32", plain, _PLAIN_TRAIN),
        ]
    return [
        Contender("surefoot predict, its own batch", opened(True), _OURS_EVAL, ours=True),
        *(Contender(f"plain loop, batch {b}", plain, _PLAIN_EVAL.format(batch=b))
          for b in (256, 32)),
    ]  # fmt: skip


def drawn(folder: Path, count: int) -> Path:
    """Class folders of JPEGs."""
    rng = np.random.default_rng(0)
    for number in range(count):
        file = folder / f"class {number % CLASSES}" / f"{number}.jpg"
        file.parent.mkdir(exist_ok=True, parents=True)
        small = Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8))
        small.resize((256, 256), Image.Resampling.BICUBIC).save(file, quality=90)
    return folder


class Equal:
    """All contenders answer the same for every image but exact ties."""

    def __init__(self) -> None:
        self.first: dict[str, Any] | None = None

    def __call__(self, who: str, facts: dict[str, Any]) -> None:
        if "loss" in facts:
            assert np.isfinite(facts["loss"]), (who, facts["loss"])
            return
        self.first = self.first or facts
        same = np.mean(np.array(self.first["top1"]) == np.array(facts["top1"]))
        print(f"{who}: {100 * same:.1f} % of the answers equal, mean logit {facts['mean']:.6f}")
        assert same == 1, f"{who} answers otherwise"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=MODELS)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--train-images", type=int, default=96)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        for use, count in (("test", options.images), ("train", options.train_images)):
            folder = drawn(Path(place) / use, count)
            for name in options.models:
                found = contest(
                    contenders(name, use, options.threads), [str(folder)],
                    repeats=options.repeats, threads=options.threads, equal=Equal(),
                )  # fmt: skip
                what = "evaluation" if use == "test" else "training"
                table(f"{name}, {what} of {count} images", found, next(iter(found)))
                for who, runs in found.items():
                    kept = [{k: v for k, v in run.items() if k != "top1"} for run in runs]
                    rows[f"{name}, {what}: {who}"] = kept
    facts = {"threads": options.threads, "images": options.images,
             "train_images": options.train_images}  # fmt: skip
    write("laptop", rows, facts, options.out or RESULTS / "laptop.json")


if __name__ == "__main__":
    main()
