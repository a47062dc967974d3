"""Peak memory and time of FLYP's step at a large batch, with and without gradient caching.

    python benchmarks/flyp_memory.py [--clip ViT-B-16 ViT-L-14] [--batch 512] [--repeats 5]
        [--micro 512 128 64] [--seconds 60]

The step of surefoot's own loop (forward, backward, AdamW) over a global batch in which every image
has a prompt of its own, in parts of ``--micro`` images, and a plain step at a batch of the
smallest part: the memory that caching should come near to. Random weights, bf16 where there is a
GPU. The gradients of every part size are compared with those of the whole batch: first in fp32 on a
batch of ``--check`` images, at the end in the precision that is timed, where rounding differs from
kernel to kernel.
What does not fit is named, and so is the part size that the loop then came down to by itself.

Peak memory is what torch allocated on a GPU (weights, optimiser and batch included); on a CPU the
largest size of the process.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch
from torch import Tensor

try:
    from . import on_device as dev
    from . import towers
    from .training_step import Ours
except ImportError:
    import on_device as dev  # type: ignore[no-redef]
    import towers  # type: ignore[no-redef]
    from training_step import Ours  # type: ignore[no-redef]

from surefoot.context import RunContext
from surefoot.train import Schedule


def made(model: Any, batch: Any, micro: int, device: torch.device, precision: Any) -> Ours:
    """A step over a batch in parts of ``micro`` images."""
    size = len(batch["index"])
    schedule = Schedule(epochs=1, batch_size=size, lr=1e-5, clip=None, micro_batch=micro)
    run = RunContext(device=str(device), precision=precision)
    return Ours(towers.flyp(model, size), batch, schedule, run, run.accelerator())


def gradient(model: Any, batch: Any, micro: int, device: torch.device, precision: Any) -> Any:
    """The gradient by parameter, and the part size that fitted."""
    one = made(model, batch, micro, device, precision)
    one.loop.backward(one.batch, one.size)
    found = {k: p.grad.detach().clone() for k, p in model.named_parameters()
             if p.grad is not None}  # fmt: skip
    one.loop.distributed.optimizer.zero_grad(set_to_none=True)
    return found, one.loop.micro


def apart(a: dict[str, Tensor], b: dict[str, Tensor]) -> float:
    """|a - b| / |b| over all parameters together."""
    over = sum(float((a[k] - v).double().square().sum()) for k, v in b.items())
    below = sum(float(v.double().square().sum()) for v in b.values())
    return float((over / below) ** 0.5)


def checked(arch: str, batch: int, micros: list[int], options: Any, precision: Any) -> Any:
    """Relative errors of the gradients, by part size."""
    device = options.device
    model, _, pixels = towers.clip_pair(arch, device, peer=False)
    data = towers.batch_on(device, batch, pixels, batch)
    whole, fitted = gradient(model, data, batch, device, precision)
    rows: dict[str, Any] = {"compared_with_parts_of": fitted}
    for micro in micros:
        if micro >= fitted:
            continue
        found, used = gradient(model, data, micro, device, precision)
        rows[str(used)] = apart(found, whole)
        print(f"   parts of {used:4d}: gradients {rows[str(used)]:.1e} from those of parts of "
              f"{fitted}", flush=True)  # fmt: skip
    return rows


def measured(arch: str, batch: int, micro: int, options: Any) -> Any:
    """Peak memory and seconds of a step."""
    device = options.device
    dev.reset_peak(device)
    model, _, pixels = towers.clip_pair(arch, device, peer=False)
    data = towers.batch_on(device, batch, pixels, batch)
    one = made(model, data, micro, device, "auto")
    loss = float(one.run(options.warm))
    used = one.loop.micro
    dev.let_go(device)
    dev.reset_peak(device)
    times = [dev.timed(lambda: one.run(1), device) for _ in range(options.repeats)]
    row = {
        "loss": loss,
        "micro_used": used,
        "peak_mb": dev.peak_mb(device),
        "state_mb": one.state_mb(),
        "seconds_per_step": dev.spread_of(times),
        "images_per_second": dev.spread_of([batch / t for t in times]),
    }
    note = "" if used == micro else f"   memory ran out: the loop came down to parts of {used}"
    print(
        f"   batch {batch:4d} in parts of {micro:4d}: {row['peak_mb']:9.0f} MB "
        f"{row['seconds_per_step']['median']:8.4f} s a step "
        f"({min(times):.4f} to {max(times):.4f}), "
        f"{row['images_per_second']['median']:7.1f} img/s{note}",
        flush=True,
    )
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clip", nargs="+", default=["ViT-B-16", "ViT-L-14"])
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--micro", type=int, nargs="+", default=[512, 128, 64])
    parser.add_argument("--check", type=int, default=64, help="images of the check in fp32")
    parser.add_argument("--warm", type=int, default=2)
    options = dev.options_of(parser)
    if options.tiny:
        options.clip, options.batch, options.micro = ["tiny"], 32, [32, 8, 4]
        options.check, options.warm, options.repeats = 16, 1, 2
    bf16 = options.device.type == "cuda"
    facts = {"batch": options.batch, "precision": "bf16" if bf16 else "fp32"}
    report = dev.Report("flyp_memory", options, facts)
    least = min(options.micro)
    for number, arch in enumerate(options.clip):
        if number == 0:
            parts = [options.check // 2, options.check // 4]
            report.case(
                f"{arch}, gradients in fp32, batch {options.check}",
                lambda a=arch, p=parts: checked(a, options.check, p, options, "fp32"),
            )
        for size, micro in [*((options.batch, m) for m in options.micro), (least, least)]:
            report.case(f"{arch}, batch {size}, parts of {micro}",
                        lambda a=arch, n=size, m=micro: measured(a, n, m, options))  # fmt: skip
        if number == 0:
            title = f"{arch}, gradients in the precision timed, batch {options.batch}"
            report.case(
                title, lambda a=arch: checked(a, options.batch, options.micro, options, "auto")
            )
    report.close()


if __name__ == "__main__":
    main()
