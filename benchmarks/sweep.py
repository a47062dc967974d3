"""The alpha curve: surefoot's sweep, whole and adaptive, beside wise-ft's own loop.

    python benchmarks/sweep.py --wise-ft COPY_OF_WISE_FT [--size 500x400] [--images 200]
        [--alphas 11] [--repeats 5]

JPEGs of one size in class folders (ID validation, ID test, one shift), tiny-clip, and a tuned end
that is the pretrained one, disturbed. wise-ft's loop is its own code: ``_merge``, ``save`` and
``evaluate``, which builds every data set again for each alpha; its data sets are these folders
(torchvision's ImageFolder), its encoder and head are the same weights. Without its copy the same
steps are done by surefoot's functions, and the row says so. "Forward only" runs the model as many
times on tensors in memory: what no tool can avoid. All accuracies are checked equal first, and the
adaptive sweep must choose the same alphas.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

try:
    from .common import RESULTS, Contender, contest, table, write
except ImportError:
    from common import RESULTS, Contender, contest, table, write  # type: ignore[no-redef]

OURS = "surefoot sweep"
THEIRS = "wise-ft, its own loop"
FORWARD = "forward only"

SETUP = """
import tempfile, torch, surefoot
from surefoot.evals.evaluate import evaluate
from surefoot.evals.zero_shot import pretrained_end
from surefoot.paths import Path, alpha_grid, sweep
from surefoot.recipes.recipe import DataSpec
from surefoot.recipes.tasks import task_of
from surefoot.select import select
name, root, alphas = sys.argv[1], sys.argv[2], alpha_grid(int(sys.argv[3]))
task = task_of(DataSpec(train=root + "/val", val=root + "/val", test=root + "/test",
                        shifts={"shift": root + "/shift"}))
start = pretrained_end(surefoot.load(name), task)
end = start.clone()
torch.manual_seed(0)
with torch.no_grad():
    for p in end.encoder.parameters():
        p.add_(0.05 * p.std(unbiased=False) * torch.randn_like(p))
rules = lambda c: {r: select(c, r).alpha for r in ("fixed", "id_val", "one_se")}
"""

WHOLE = """
curve = sweep(Path(start, end), task, alphas=alphas)
facts = {"chosen": rules(curve), "values": {k: list(map(float, curve.values(k)))
                                            for k in curve.scores}}
"""

ADAPTIVE = """
found = sweep(Path(start, end), task, alphas=alphas, adaptive=True)
facts = {"chosen": rules(found), "passes": found.search.passes, "full": found.search.full}
"""

TENSORS = """
from surefoot.data.loading import make_loader
transform = start.spec.transform.eval()
held = [b["image"] for s in task.scored().values() for b in make_loader(s.split, transform)]
"""

PASSES = """
with torch.inference_mode():
    for alpha in alphas:
        for images in held:
            end(images)
"""

PER_ALPHA = """
from surefoot.models.save import load_saved, save_model
values = {}
with tempfile.TemporaryDirectory() as folder:
    x, y = start.state_dict(), end.state_dict()
    for alpha in alphas:
        model = end.clone()
        model.load_state_dict({k: (1 - alpha) * v + alpha * y[k] if v.is_floating_point() else y[k]
                               for k, v in x.items()})
        save_model(model, folder + "/m.safetensors")
        model = load_saved(folder + "/m.safetensors")
        for split, shift in task.scored().items():
            [(_, score)] = evaluate(model, {split: shift})
            values.setdefault(split, []).append(score.value)
facts = {"values": values}
"""

WISE_FT = """
missing = set()
sys.path.insert(0, sys.argv[4])
import contextlib, importlib.util, io, types
from unittest import mock
for name in ("imagenetv2_pytorch", "wilds", "wilds.common", "wilds.common.data_loaders",
             "wilds.datasets", "wilds.datasets.wilds_dataset"):
    if name.split(".")[0] in missing or importlib.util.find_spec(name) is None:
        missing.add(name)  # readers of data sets that are not asked for here
        sys.modules[name] = mock.MagicMock()
import src.datasets as datasets
from torchvision.datasets import ImageFolder
from src.models.eval import evaluate as their_evaluate
from src.models.modeling import ClassificationHead, ImageClassifier
from src.wise_ft import _merge

class Encoder(torch.nn.Module):
    def __init__(self, encoder, transform):
        super().__init__()
        self.model, self.train_preprocess, self.val_preprocess = encoder, transform, transform
    def forward(self, images):
        return self.model(images)

def folder(part):
    class Folder:
        def __init__(self, preprocess, location, batch_size, **_):
            self.test_dataset = ImageFolder(location + "/" + part, transform=preprocess)
            self.test_loader = torch.utils.data.DataLoader(self.test_dataset, batch_size=batch_size)
            self.classnames = self.test_dataset.classes
    return Folder

for part in ("val", "test", "shift"):
    setattr(datasets, part, folder(part))

def classifier(model):
    head = model.require_head()
    made = ClassificationHead(True, head.weight.data, None)
    return ImageClassifier(Encoder(model.encoder, model.spec.transform.eval()), made)

zeroshot, finetuned = classifier(start), classifier(end)
"""

THEIR_LOOP = """
values = {}
with tempfile.TemporaryDirectory() as out, contextlib.redirect_stdout(io.StringIO()):
    theta_0 = {k: v.clone() for k, v in zeroshot.state_dict().items()}
    theta_1 = {k: v.clone() for k, v in finetuned.state_dict().items()}
    args = types.SimpleNamespace(eval_datasets=["val", "test", "shift"], data_location=root,
                                 batch_size=256, workers=0, device="cpu", results_db=None,
                                 freeze_encoder=False)
    for alpha in alphas:
        args.alpha = alpha
        finetuned.load_state_dict(_merge(alpha, theta_0, theta_1, None, 0))
        finetuned.save(f"{out}/wise_ft_alpha={alpha:.3f}.pt")
        found = their_evaluate(finetuned, args)
        for part in args.eval_datasets:
            values.setdefault(part, []).append(found[f"{part}:top1"])
facts = {"values": values}
"""


def photos(root: Path, images: int, size: tuple[int, int]) -> None:
    """Drawn icons blown up on a noisy ground, so that a JPEG has something to decode."""
    import surefoot

    task = surefoot.pictograms()
    parts = {"val": task.val, "test": task.test, "shift": task.shifts[0].split}
    chosen = set(range(0, len(task.class_names), max(1, len(task.class_names) // 20)))
    rng = np.random.default_rng(0)
    for part, split in parts.items():
        labels = split.require_labels()
        rows = [i for i in range(len(split)) if int(labels[i]) in chosen]
        for i in rng.permutation(rows)[:images]:
            folder = root / part / task.class_names[int(labels[i])]
            folder.mkdir(parents=True, exist_ok=True)
            image = np.asarray(split.images[int(i)].resize(size, Image.Resampling.BICUBIC))
            noisy = np.clip(image + rng.normal(0, 12, image.shape), 0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(folder / f"{i}.jpg", quality=90)
    names = sorted({p.name for part in parts for p in (root / part).iterdir()})
    for part in parts:  # every folder has every class, as both readers want it
        for name in names:
            if not (root / part / name).exists():
                (root / part / name).mkdir()
                first = next((root / part).glob("*/*.jpg"))
                (root / part / name / "filler.jpg").write_bytes(first.read_bytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tiny-clip")
    parser.add_argument("--size", default="500x400", help="pixels of the JPEGs")
    parser.add_argument("--images", type=int, default=200, help="images per split")
    parser.add_argument("--alphas", type=int, default=11)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--wise-ft", help="folder of a copy of wise-ft")
    parser.add_argument("--peers-python", default=sys.executable)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    seen: dict[str, Any] = {}

    def equal(who: str, facts: dict[str, Any]) -> None:
        seen.setdefault("values", facts.get("values"))
        seen.setdefault("chosen", facts.get("chosen"))
        if "values" in facts:
            apart = max(abs(a - b) for k, row in facts["values"].items()
                        for a, b in zip(row, seen["values"][k], strict=True))  # fmt: skip
            print(f"{who}: accuracies differ from ours by at most {apart:.5f}", flush=True)
            # Rounding in the mixed weights may turn a single image.
            if apart > 1.5 / options.images:
                raise SystemExit(f"{who} scores otherwise; nothing was timed")
        if "chosen" in facts and facts["chosen"] != seen["chosen"]:
            raise SystemExit(f"{who} chooses {facts['chosen']}, not {seen['chosen']}")
        if "passes" in facts:
            print(f"{who}: {facts['passes']} of {facts['full']} forward passes", flush=True)

    theirs = Contender(THEIRS, SETUP + WISE_FT, THEIR_LOOP, options.peers_python)
    if not options.wise_ft:
        theirs = Contender("the same steps by surefoot's functions", SETUP, PER_ALPHA)
    contenders = [
        Contender(OURS, SETUP, WHOLE, ours=True),
        Contender("surefoot sweep --adaptive", SETUP, ADAPTIVE, ours=True),
        theirs,
        Contender(FORWARD, SETUP + TENSORS, PASSES),
    ]
    with tempfile.TemporaryDirectory() as root:
        photos(Path(root), options.images, (width, height))
        arguments = [options.model, root, str(options.alphas), str(options.wise_ft)]
        rows = contest(contenders, arguments, repeats=options.repeats, threads=options.threads,
                       equal=equal)  # fmt: skip
    table(f"{options.alphas} alphas, {options.model}, JPEGs of {options.size}", rows, OURS)
    middle = {k: statistics.median(r["seconds"] for r in v) for k, v in rows.items()
              if "seconds" in v[0]}  # fmt: skip
    if {theirs.name, FORWARD} <= set(middle):
        beyond = {k: middle[k] - middle[FORWARD] for k in middle if k != FORWARD}
        for name in (OURS, "surefoot sweep --adaptive"):
            print(
                f"{name}: {middle[name] / middle[theirs.name]:.0%} of {theirs.name}; beyond the "
                f"forward passes {beyond[name]:.1f} s, {beyond[name] / beyond[theirs.name]:.0%}"
            )
    facts = {k: getattr(options, k) for k in ("model", "size", "images", "alphas", "threads")}
    write("sweep", rows, facts, options.out or RESULTS / f"sweep-{options.size}.json")


if __name__ == "__main__":
    main()
