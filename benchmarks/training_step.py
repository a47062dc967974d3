"""Images per second of a training step: surefoot beside timm and open_clip, on one GPU.

    python benchmarks/training_step.py [--parts classify contrastive loop compiled]
        [--timm vit_base_patch16_224:256 vit_large_patch14_clip_224:128]
        [--clip ViT-B-16:256 ViT-L-14:128] [--repeats 5] [--steps 10] [--seconds 120]

Random weights, the same on both sides; batches that lie on the device; bf16 where there is a GPU,
fp32 on a CPU; AdamW (fused on a GPU) on both sides. Contenders live in one process and take turns
of ``--steps`` steps. The losses of the first three steps must agree before anything is timed.

* ``classify``: the step of surefoot's own loop (``backward`` and ``update``, as ``train`` calls
  them: channels-last, clipping, schedule) beside timm's pieces in the order of its train script:
  autocast, loss, backward, ``dispatch_clip_grad``, ``create_optimizer_v2``.
* ``compiled``: the same, both through torch.compile.
* ``contrastive``: FLYP's step, every image with a prompt of its own, beside open_clip's own
  ``train_one_epoch`` on the same images and texts; and once more with 100 classes of one prompt
  each, where surefoot encodes each distinct prompt once (the peers encode all).
* ``loop``: the whole of ``train`` with data loading, from 256-pixel JPEGs in memory, beside
  torchvision, a DataLoader and timm's step with as many workers. The first epoch is not counted.

Peak memory is that of a step alone with its own weights and optimiser state, without the others'.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn

try:
    from . import on_device as dev
    from . import towers
except ImportError:
    import on_device as dev  # type: ignore[no-redef]
    import towers  # type: ignore[no-redef]

from surefoot.context import RunContext, pick_workers
from surefoot.data.dataset import Split
from surefoot.threads import cores
from surefoot.train import Schedule, learning_rate, train
from surefoot.train.checkpoint import Training
from surefoot.train.distributed import distribute
from surefoot.train.epoch_log import DataStall
from surefoot.train.loop import backward, update

OURS = "surefoot"
PLENTY = 10_000
"""Steps of the schedule, of which a few are made."""


def autocast(device: torch.device) -> Any:
    """bf16 where surefoot's precision "auto" takes it."""
    if device.type != "cuda":
        return nullcontext()
    return torch.autocast("cuda", dtype=torch.bfloat16)


class Ours:
    """A step of the training loop, made as :func:`surefoot.train.train` makes it."""

    def __init__(
        self,
        objective: nn.Module,
        batch: Any,
        schedule: Schedule,
        run: RunContext,
        accelerator: Any,
    ) -> None:
        place: Any = {}
        if run.channels_last_on(accelerator):
            place = {"memory_format": torch.channels_last}
        objective.to(accelerator.device, **place).train()
        self.batch = {**batch, "image": batch["image"].to(**place)} if place else batch
        # As the loop has it: the columns come from the loader, on the CPU.
        self.host = {k: v.cpu() for k, v in batch.items() if k != "image"}
        self.size = len(batch["index"])
        self.objective = objective
        distributed = distribute(objective, schedule, accelerator, run, watched=False)
        micro = min(schedule.micro_batch or self.size, self.size)
        self.loop = Training(distributed, schedule, run, micro, self.size * PLENTY)

    def run(self, steps: int) -> Any:
        for _ in range(steps):
            loss = backward(self.loop, self.batch, self.size, host=self.host)
            update(self.loop)
        return loss

    def state_mb(self) -> float:
        return dev.state_mb(self.objective, self.loop.distributed.optimizer)


class Timm:
    """A step of timm's own pieces, in the order of its train script."""

    def __init__(
        self, model: nn.Module, batch: Any, schedule: Schedule, device: torch.device, backend: Any
    ) -> None:
        from timm.optim import create_optimizer_v2

        self.device, self.schedule, self.done = device, schedule, 0
        self.raw = model.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        fused = {"fused": True} if device.type == "cuda" else {}
        self.optimizer = create_optimizer_v2(
            self.raw, opt="adamw", lr=schedule.lr, weight_decay=schedule.weight_decay,
            filter_bias_and_bn=False, betas=schedule.betas, eps=schedule.eps, **fused,
        )  # fmt: skip
        self.model: Any = torch.compile(self.raw, backend=backend) if backend else self.raw
        self.criterion = nn.CrossEntropyLoss()
        if batch is not None:
            self.images = batch["image"].to(memory_format=torch.channels_last)
            self.labels = batch["label"]

    def step(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        from timm.utils import dispatch_clip_grad

        with autocast(self.device):
            loss = self.criterion(self.model(images), labels)
        loss.backward()
        lr = learning_rate(self.schedule, self.done, total=PLENTY, per_epoch=PLENTY)
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        dispatch_clip_grad(self.raw.parameters(), self.schedule.clip, mode="norm")
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.done += 1
        kept: torch.Tensor = loss.detach()
        return kept

    def run(self, steps: int) -> Any:
        for _ in range(steps):
            loss = self.step(self.images, self.labels)
        return loss

    def state_mb(self) -> float:
        return dev.state_mb(self.raw, self.optimizer)


class OpenClip:
    """open_clip's own ``train_one_epoch`` over the same batch again and again."""

    def __init__(
        self, model: Any, images: torch.Tensor, texts: torch.Tensor, schedule: Schedule,
        device: torch.device,
    ) -> None:  # fmt: skip
        import open_clip
        from open_clip_train.scheduler import cosine_lr
        from open_clip_train.train import train_one_epoch

        self.train_one_epoch, self.model = train_one_epoch, model.to(device)
        self.images, self.texts = images, texts
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=schedule.lr, weight_decay=schedule.weight_decay,
            betas=schedule.betas, eps=schedule.eps, fused=device.type == "cuda" or None,
        )  # fmt: skip
        self.scheduler = cosine_lr(self.optimizer, schedule.lr, 0, PLENTY)
        self.args = SimpleNamespace(
            device=str(device), precision="amp_bf16" if device.type == "cuda" else "fp32",
            distill=False, accum_freq=1, skip_scheduler=False, horovod=False, grad_clip_norm=None,
            rank=0, local_rank=0, world_size=1, log_every_n_steps=10**9, batch_size=len(images),
            wandb=False,
        )  # fmt: skip

        class Kept(open_clip.ClipLoss):  # type: ignore[misc, name-defined]
            last: Any = None

            def forward(self, *args: Any, **named: Any) -> Any:
                found = super().forward(*args, **named)
                self.last = found["contrastive_loss"].detach()
                return found

        self.loss = Kept()

    def run(self, steps: int) -> Any:
        loader = _Again(self.images, self.texts, steps)
        data = {"train": SimpleNamespace(dataloader=loader, set_epoch=lambda epoch: None)}
        self.train_one_epoch(self.model, data, self.loss, 0, self.optimizer, None, self.scheduler,
                             None, self.args)  # fmt: skip
        # Its next step would let them go only then, and they would count as held before.
        self.optimizer.zero_grad(set_to_none=True)
        return self.loss.last

    def state_mb(self) -> float:
        return dev.state_mb(self.model, self.optimizer)


class _Again:
    """One batch, so many times, as open_clip's loaders say it."""

    def __init__(self, images: torch.Tensor, texts: torch.Tensor, steps: int) -> None:
        self.pair, self.num_batches, self.num_samples = (images, texts), steps, steps * len(images)

    def __iter__(self) -> Any:
        return iter([self.pair] * self.num_batches)


def contest(contenders: dict[str, Any], alike: list[str], options: Any, images: int) -> Any:
    """First losses compared, then turns; rows by contender, paired ratios to surefoot."""
    device, rows = options.device, {}
    for name, one in contenders.items():
        first: list[float] = []
        began = dev.timed(lambda one=one, first=first: first.append(float(one.run(1))), device)
        first += [float(one.run(1)) for _ in range(2)]
        one.run(options.warm)
        rows[name] = {"losses": first, "first_step_seconds": began, "peak_mb": 0.0}
    bound = 2e-2 if device.type == "cuda" else 1e-4
    for name in alike[1:]:
        pairs = zip(rows[name]["losses"], rows[alike[0]]["losses"], strict=True)
        apart = max(abs(a - b) / abs(b) for a, b in pairs)
        rows[name]["losses_apart"] = apart
        print(
            f"   {name}: losses of the first steps within {apart:.1e} of {alike[0]}'s", flush=True
        )
        if not apart <= bound:
            raise ValueError(f"{name} does other work: losses {rows}")
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(options.repeats):
        order = list(contenders) if turn % 2 == 0 else list(contenders)[::-1]
        for name in order:
            dev.reset_peak(device)
            held = dev.held_mb(device)
            seconds = dev.timed(lambda name=name: contenders[name].run(options.steps), device)
            times[name].append(seconds / options.steps)
            peak = dev.peak_mb(device) - (held if device.type == "cuda" else 0)
            rows[name]["peak_mb"] = max(rows[name]["peak_mb"], peak)
    for name, one in contenders.items():
        if device.type == "cuda":
            rows[name]["peak_mb"] += one.state_mb()
        rows[name]["state_mb"] = one.state_mb()
        rows[name]["micro"] = getattr(getattr(one, "loop", None), "micro", None)
        rows[name]["seconds_per_step"] = times[name]
        rows[name]["images_per_second"] = dev.spread_of([images / t for t in times[name]])
        ratios = [b / a for a, b in zip(times[name], times[alike[0]], strict=True)]
        rows[name]["speed_of_surefoot"] = dev.spread_of(ratios)
        show(name, rows[name])
    return rows


def show(name: str, row: Any) -> None:
    speed, ratio = row["images_per_second"], row.get("speed_of_surefoot", {})
    ratio = ratio.get("median", float("nan"))
    print(
        f"   {name:42}{speed['median']:9.1f} img/s ({speed['min']:.1f} to {speed['max']:.1f})"
        f"{row.get('peak_mb', float('nan')):9.0f} MB   x surefoot {ratio:.3f}",
        flush=True,
    )


def classified(arch: str, size: int, options: Any, *, compiled: bool) -> Any:
    """Our step and timm's."""
    device = options.device
    model, theirs = towers.timm_pair(arch, options.classes, device)
    batch = towers.batch_on(device, size, model.spec.transform.size[0], options.classes)
    schedule = Schedule(epochs=1, batch_size=size, warmup_steps=0)
    run = RunContext(
        device=str(device), compile=compiled or "auto", compile_backend=options.backend
    )
    ours = Ours(towers.classify(model), batch, schedule, run, run.accelerator())
    backend = options.backend if compiled else None
    peer = Timm(theirs, batch, schedule, device, backend)
    rows = contest({OURS: ours, "timm": peer}, [OURS, "timm"], options, size)
    if compiled:
        torch._dynamo.reset()
    return rows


def contrasted(arch: str, size: int, options: Any) -> Any:
    """FLYP's step and open_clip's."""
    device = options.device
    model, theirs, pixels = towers.clip_pair(arch, device)
    schedule = Schedule(epochs=1, batch_size=size, warmup_steps=0, lr=1e-5, clip=None)
    run = RunContext(device=str(device))
    accelerator = run.accelerator()
    batch = towers.batch_on(device, size, pixels, size)
    objective = towers.flyp(model, size)
    rows = objective.table.rows[batch["label"].cpu(), 0]
    texts = objective.table.tokens.to(device)[rows.to(device)]
    few = min(options.classes, 100)
    repeated = {**batch, "label": torch.randint(few, (size,), device=device)}
    shared = towers.flyp(model.clone(), few)
    distinct = f"surefoot, {len(repeated['label'].unique())} distinct prompts"
    contenders: dict[str, Any] = {OURS: Ours(objective, batch, schedule, run, accelerator)}
    try:
        contenders["open_clip"] = OpenClip(theirs, batch["image"], texts, schedule, device)
    except ImportError as error:
        print(f"missing: open_clip's training script: {error}", flush=True)
    alike = list(contenders)
    contenders[distinct] = Ours(shared, repeated, schedule, run, accelerator)
    return contest(contenders, alike, options, size)


class Jpegs:
    """Encoded images in memory, decoded when asked for."""

    def __init__(self, count: int, pixels: int = 256, different: int = 64) -> None:
        rng = np.random.default_rng(0)
        self.files = []
        for _ in range(different):
            coarse = rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)
            smooth = Image.fromarray(coarse).resize((pixels, pixels), Image.Resampling.BICUBIC)
            noisy = np.asarray(smooth, np.float32) + rng.normal(0, 8, (pixels, pixels, 3))
            out = io.BytesIO()
            Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(out, "JPEG", quality=90)
            self.files.append(out.getvalue())
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Image.Image:
        return Image.open(io.BytesIO(self.files[index % len(self.files)])).convert("RGB")

    def id(self, index: int) -> str:
        return str(index)


class Plain(torch.utils.data.Dataset[Any]):
    """The same images by torchvision's transforms."""

    def __init__(self, images: Jpegs, labels: Any, spec: Any) -> None:
        from torchvision import transforms as tv

        self.images, self.labels = images, labels
        crop = tv.RandomResizedCrop(
            spec.size, scale=spec.train_scale, interpolation=tv.InterpolationMode.BICUBIC
        )
        self.transform = tv.Compose([crop, tv.ToTensor(), tv.Normalize(spec.mean, spec.std)])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Any:
        return self.transform(self.images[index]), int(self.labels[index])


def plain_loop(peer: Timm, data: Plain, size: int, workers: int, epochs: int) -> list[Any]:
    """A plain loop over a DataLoader that keeps its workers; a row per epoch."""
    more: Any = {"persistent_workers": True} if workers else {}
    loader = torch.utils.data.DataLoader(
        data, batch_size=size, shuffle=True, num_workers=workers,
        pin_memory=peer.device.type == "cuda", **more,
    )  # fmt: skip
    rows = []
    for _ in range(epochs):
        began, total = time.perf_counter(), torch.zeros((), device=peer.device)
        waiting = DataStall(peer.device)
        for images, labels in loader:
            waiting.end()
            images = images.to(peer.device, non_blocking=True)
            images = images.to(memory_format=torch.channels_last)
            total += peer.step(images, labels.to(peer.device, non_blocking=True))
            waiting.begin()
        float(total)
        seconds = time.perf_counter() - began
        rows.append({"images_per_second": len(data) / seconds, "seconds": seconds,
                     "data_wait_seconds": waiting.seconds()})  # fmt: skip
    return rows


def looped(arch: str, size: int, options: Any) -> Any:
    """The whole of ``train``, and a plain loop."""
    device, count = options.device, options.images
    auto = pick_workers("auto", device, count)
    if auto == 0 and device.type == "cuda":
        count = min(count, 1024)  # shared memory is short here, and one process decodes slowly
        print(f"   no workers: {count} images instead of {options.images}", flush=True)
    images = Jpegs(count)
    labels = np.arange(len(images)) % options.classes
    names = tuple(f"class {i}" for i in range(options.classes))
    split = Split("train", images, labels, names, "ID", "train")
    schedule = Schedule(epochs=options.epochs, batch_size=size)
    rows: dict[str, Any] = {}

    def ours(workers: int) -> Callable[[], list[Any]]:
        def work() -> list[Any]:
            model, _ = towers.timm_pair(arch, options.classes, device)
            run = RunContext(device=str(device), workers=workers)
            return train(towers.classify(model), split, model.spec.transform.train(), schedule,
                         run=run)  # fmt: skip

        return work

    def theirs(workers: int) -> Callable[[], list[Any]]:
        def work() -> list[Any]:
            model, peer = towers.timm_pair(arch, options.classes, device)
            data = Plain(images, labels, model.spec.transform)
            step = Timm(peer, None, schedule, device, None)
            return plain_loop(step, data, size, workers, options.epochs)

        return work

    most = cores() - 1  # what a user may ask for by --workers
    kinds = {f"surefoot train, {auto} workers (auto)": ours(auto),
             f"timm + DataLoader, {auto} workers": theirs(auto)}  # fmt: skip
    if most != auto and device.type == "cuda":
        kinds[f"surefoot train, {most} workers"] = ours(most)
        kinds[f"timm + DataLoader, {most} workers"] = theirs(most)
    for name, work in kinds.items():
        try:
            found = work()[1:]
        except RuntimeError as error:  # a worker that died, say, must not cost the other rows
            rows[name] = {"failed": str(error)[:300]}
            print(f"   {name}: failed: {error}"[:400], flush=True)
            continue
        shares = [r["data_wait_seconds"] / r["seconds"] for r in found]
        rows[name] = {
            "images_per_second": dev.spread_of([r["images_per_second"] for r in found]),
            "share_waiting": dev.spread_of(shares),
            "epochs": len(found),
        }
        show(name, rows[name])
        print(f"   {'':42}waits for data {statistics.median(shares):.0%}", flush=True)
        dev.let_go(device)
    return rows


PARTS = ("classify", "contrastive", "loop", "compiled")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    both = ["vit_base_patch16_224:256", "vit_large_patch14_clip_224:128"]
    parser.add_argument("--timm", nargs="+", default=both, help="architecture:batch")
    parser.add_argument("--clip", nargs="+", default=["ViT-B-16:256", "ViT-L-14:128"])
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--warm", type=int, default=3)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--images", type=int, default=4096, help="of the whole loop")
    parser.add_argument("--epochs", type=int, default=6, help="likewise; the first is not counted")
    parser.add_argument("--backend", default="inductor", help="of torch.compile")
    options = dev.options_of(parser)
    if options.tiny:
        options.timm, options.clip, options.classes = ["vit_tiny_patch16_224:4"], ["tiny:8"], 10
        options.steps, options.warm, options.repeats = 1, 1, 2
        options.images, options.epochs, options.backend = 12, 2, "eager"
    facts = {
        "steps": options.steps,
        "precision": "bf16" if options.device.type == "cuda" else "fp32",
    }
    report = dev.Report("training_step", options, facts)
    named = {k: [(a, int(n)) for a, n in (w.rsplit(":", 1) for w in getattr(options, k))]
             for k in ("timm", "clip")}  # fmt: skip
    for part in options.parts:
        for arch, size in named["clip" if part == "contrastive" else "timm"]:
            title = f"{part}, {arch}, batch {size}"
            if part == "contrastive":
                report.case(title, lambda a=arch, n=size: contrasted(a, n, options))
            elif part == "loop":
                report.case(title, lambda a=arch, n=size: looped(a, n, options))
                break  # data loading is the same for a larger model, which waits less
            else:
                whole = part == "compiled"
                report.case(
                    title, lambda a=arch, n=size, c=whole: classified(a, n, options, compiled=c)
                )
    report.close()


if __name__ == "__main__":
    main()
