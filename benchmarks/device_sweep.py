"""The alpha curve and the merge of weights on a GPU: surefoot beside wise-ft's way and the CPU.

    python benchmarks/device_sweep.py [--parts mixing curve merge] [--images 1280] [--alphas 11]
        [--matmul high|highest] [--wise-ft COPY_OF_WISE_FT] [--repeats 5] [--seconds 90]

* ``mixing``: weights of one alpha put into the model on the device. wise-ft mixes two state dicts
  on the CPU and loads the result; its formula with both ends on the device is shown as well.
* ``merge``: two state dicts of ViT-L/14 (both towers) by ``surefoot.weights.lerp`` on the device
  and on the CPU, and two files of them by the streaming ``surefoot.weights.merge``.
* ``curve``: eleven alphas of ViT-B/16 over JPEGs that lie in memory (448 pixels square). surefoot's
  sweep decodes them once; wise-ft mixes and loads per alpha and builds its loader again. Its own
  ``_merge`` is used with ``--wise-ft``, else the same formula written here; its file per alpha is
  not written. "Forward only" is one pass of each alpha over tensors that lie on the device.

Random weights; all accuracies and predictions are compared first. ``--matmul high`` lets both sides
use TF32, as ``torch.set_float32_matmul_precision`` says; "highest" is torch's default.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch

try:
    from . import on_device as dev
    from . import towers
    from .training_step import Jpegs
except ImportError:
    import on_device as dev  # type: ignore[no-redef]
    import towers  # type: ignore[no-redef]
    from training_step import Jpegs  # type: ignore[no-redef]

from surefoot.context import pick_workers
from surefoot.data.dataset import Shift, Split
from surefoot.paths import Path as WeightPath
from surefoot.paths import alpha_grid, sweep
from surefoot.weights import Lerp, lerp, merge, write_safetensors

ALPHA = 0.3


_READERS = (
    *("imagenetv2_pytorch", "wilds", "wilds.common", "wilds.common.data_loaders"),
    *("wilds.datasets", "wilds.datasets.wilds_dataset"),
)


def formula(alpha: float, theta_0: Any, theta_1: Any, *_: Any) -> dict[str, torch.Tensor]:
    """That of wise-ft, without Fisher weights."""
    return {k: (1 - alpha) * theta_0[k] + alpha * theta_1[k] for k in theta_0}


def their_merge(options: Any) -> tuple[Callable[..., Any], str]:
    """The ``_merge`` of wise-ft from a local copy, or its formula."""
    if not options.wise_ft:
        return formula, "its formula, written here"
    sys.path.insert(0, options.wise_ft)
    for name in _READERS:  # of data sets that are not asked for here
        if name.split(".")[0] not in sys.modules and find_spec(name.split(".")[0]) is None:
            sys.modules.update({n: mock.MagicMock() for n in _READERS if n.startswith(name)})
    try:
        from src.wise_ft import _merge  # type: ignore[import-not-found]
    except ImportError as error:
        print(f"missing: wise-ft: {error}", flush=True)
        return formula, "its formula, written here"
    return _merge, "its own code"


def ends(options: Any) -> tuple[Any, Any]:
    """A classifier on the device, and the same one disturbed."""
    start, _ = towers.timm_pair(options.arch, options.classes, options.device)
    end = start.clone()
    generator = torch.Generator(device=options.device).manual_seed(0)
    with torch.no_grad():
        for p in end.parameters():
            noise = torch.randn(p.shape, generator=generator, device=p.device)
            p.add_(0.05 * p.std(unbiased=False) * noise + 1e-3 * noise)
    return start.eval(), end.eval()


def several(work: Callable[[], Any], options: Any, *, warm: bool = True) -> list[float]:
    """Seconds of each repeat, after one that is not counted."""
    if warm:
        work()
    return [dev.timed(work, options.device) for _ in range(options.repeats)]


def show(rows: dict[str, list[float]]) -> dict[str, Any]:
    """A line per contender; seconds and ratio to the first."""
    own = statistics.median(next(iter(rows.values())))
    out = {}
    for name, times in rows.items():
        middle = statistics.median(times)
        print(f"   {name:54}{middle:10.4f} s ({min(times):.4f} to {max(times):.4f})   "
              f"x ours {middle / own:8.2f}", flush=True)  # fmt: skip
        out[name] = {"seconds": times, **dev.spread_of(times), "times_ours": middle / own}
    return out


def mixing(options: Any) -> Any:
    """Weights of one alpha into a model on the device."""
    device = options.device
    start, end = ends(options)
    path = WeightPath(start, end).on(device)
    model, theirs = path.working_copy(), end.clone()
    on_cpu = [{k: v.cpu() for k, v in m.state_dict().items()} for m in (start, end)]
    there = [{k: v.clone() for k, v in m.state_dict().items()} for m in (start, end)]
    mix, whose = their_merge(options)
    path.mix_(model, ALPHA)
    theirs.load_state_dict(mix(ALPHA, *on_cpu, None, 0))
    pairs = zip(model.state_dict().values(), theirs.state_dict().values(), strict=True)
    worst = max(float((a - b).abs().max()) for a, b in pairs)
    print(f"   largest difference of a weight: {worst:.1e}", flush=True)
    if worst > 1e-5:
        raise ValueError(f"the weights differ by {worst}")
    rows = {
        "surefoot, mix in place on the device": several(lambda: path.mix_(model, ALPHA), options),
        f"wise-ft ({whose}), CPU, then load": several(
            lambda: theirs.load_state_dict(mix(ALPHA, *on_cpu, None, 0)), options
        ),
        "the same with both ends on the device": several(
            lambda: theirs.load_state_dict(mix(ALPHA, *there, None, 0)), options
        ),
    }
    return {"largest_difference": worst, **show(rows)}


def merging(options: Any) -> Any:
    """Two state dicts of both towers."""
    device = options.device
    model, _, _ = towers.clip_pair(options.merge_arch, device, peer=False)
    a = {k: v.detach() for k, v in model.state_dict().items() if v.is_floating_point()}
    b = {k: v + 1e-2 * torch.randn_like(v) for k, v in a.items()}
    x, y = ({k: v.cpu() for k, v in s.items()} for s in (a, b))
    found, plain = lerp(a, b, ALPHA), lerp(x, y, ALPHA)
    worst = max(float((found[k].cpu() - v).abs().max()) for k, v in plain.items())
    size = sum(v.numel() * v.element_size() for v in x.values())
    print(f"   {size / 1e9:.2f} GB each; device and CPU differ by at most {worst:.1e}", flush=True)
    if worst > 1e-5:
        raise ValueError(f"device and CPU differ by {worst}")
    rows = {"surefoot lerp on the device": several(lambda: lerp(a, b, ALPHA), options)}
    rows["surefoot lerp on the CPU"] = several(lambda: lerp(x, y, ALPHA), options)
    rows["to the device, lerp, back to the CPU"] = several(
        lambda: {k: v.cpu() for k, v in lerp(*({k: v.to(device) for k, v in s.items()}
                                               for s in (x, y)), ALPHA).items()},
        options,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("a.safetensors", "b.safetensors")]
        for file, state in zip(files, (x, y), strict=True):
            write_safetensors(file, state, {"format": "pt"})
        out = Path(folder) / "out.safetensors"
        rows["surefoot merge of files, hashed and checked"] = several(
            lambda: merge(files, out, Lerp(alpha=ALPHA)), options
        )
    return {"bytes": size, "largest_difference": worst, **show(rows)}


class _Plain(torch.utils.data.Dataset[Any]):
    """Images through a transform, one by one."""

    def __init__(self, images: Any, labels: Any, transform: Any) -> None:
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Any:
        return self.transform(self.images[index]), int(self.labels[index])


def curve(options: Any) -> Any:
    """The whole curve."""
    device, alphas = options.device, alpha_grid(options.alphas)
    start, end = ends(options)
    images = Jpegs(options.images, pixels=options.pixels)
    labels = np.arange(len(images)) % options.classes
    with torch.inference_mode():  # labels that some of the models get right
        few = torch.stack(
            [end.spec.transform.eval()(images[i]) for i in range(min(64, len(images)))]
        )
        labels = np.resize(end(few.to(device)).argmax(1).cpu().numpy(), len(images))
    split = Split("val", images, labels, end.require_head().class_names, "ID", "val")
    workers = pick_workers("auto", device, max(len(images), 10_000))  # few images get none
    mix, whose = their_merge(options)
    kept: dict[str, Any] = {}

    def ours() -> None:
        found = sweep(WeightPath(start, end), {"val": Shift("val", split)}, alphas=alphas,
                      device=device, workers=workers)  # fmt: skip
        kept["ours"] = [float(v) for v in found.values("val")]

    theta = [{k: v.cpu() for k, v in m.state_dict().items()} for m in (start, end)]
    theirs = end.clone()

    def wise_ft() -> None:
        values = []
        for alpha in alphas:
            theirs.load_state_dict(mix(alpha, *theta, None, 0))
            data = _Plain(images, labels, end.spec.transform.eval())
            loader = torch.utils.data.DataLoader(data, batch_size=256, num_workers=workers)
            right = 0.0
            with torch.no_grad():
                for x, y in loader:
                    said = theirs(x.to(device)).argmax(dim=1)
                    right += said.eq(y.to(device)).sum().item()
            values.append(right / len(data))
        kept["wise-ft"] = values

    first = torch.stack([end.spec.transform.eval()(images[i % 64]) for i in range(256)]).to(device)

    def forward() -> None:
        with torch.inference_mode():
            for _ in alphas:
                for at in range(0, len(images), 256):
                    theirs(first[: min(256, len(images) - at)])

    names = {"surefoot sweep": ours, f"wise-ft's way ({whose})": wise_ft, "forward only": forward}
    rows: dict[str, list[float]] = {name: [] for name in names}
    forward()
    for turn in range(options.turns or options.repeats):
        for name, work in names.items():
            rows[name].append(dev.timed(work, device))
        if turn == 0:
            apart = max(abs(a - b) for a, b in zip(kept["ours"], kept["wise-ft"], strict=True))
            print(f"   accuracies differ by at most {apart:.5f}; {workers} workers", flush=True)
            if apart > 0.01:
                raise ValueError(f"the curves differ: {kept}")
    found = show(rows)
    middle = [statistics.median(t) for t in rows.values()]
    beyond = (middle[0] - middle[2]) / (middle[1] - middle[2])
    print(f"   surefoot takes {middle[0] / middle[1]:.0%} of wise-ft's time; beyond the forward "
          f"passes {beyond:.0%}", flush=True)  # fmt: skip
    return {"workers": workers, "values": kept, "beyond_forward": beyond,
            "share_of_wise_ft": middle[0] / middle[1], **found}  # fmt: skip


PARTS: dict[str, Callable[[Any], Any]] = {"mixing": mixing, "curve": curve, "merge": merging}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--arch", default="vit_base_patch16_224", help="timm's name, for the curve")
    parser.add_argument("--merge-arch", default="ViT-L-14", help="open_clip's name, for the merge")
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--images", type=int, default=1280)
    parser.add_argument("--pixels", type=int, default=448, help="side of the JPEGs")
    parser.add_argument("--alphas", type=int, default=11)
    parser.add_argument("--matmul", choices=("high", "highest"), default="highest")
    parser.add_argument("--turns", type=int, help="repeats of the curve; --repeats if left out")
    parser.add_argument("--wise-ft", help="folder of a copy of wise-ft")
    options = dev.options_of(parser)
    if options.tiny:
        options.arch, options.merge_arch, options.classes = "vit_tiny_patch16_224", "tiny", 10
        options.images, options.alphas, options.repeats = 8, 3, 1
    torch.set_float32_matmul_precision(options.matmul)
    facts = {k: getattr(options, k) for k in ("arch", "merge_arch", "images", "pixels", "alphas",
                                              "matmul")}  # fmt: skip
    report = dev.Report("device_sweep", options, facts)
    for part in options.parts:
        report.case(part, lambda work=PARTS[part]: work(options))
    report.close()


if __name__ == "__main__":
    main()
