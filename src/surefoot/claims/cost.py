"""Claim 9: what every method costs in time and memory, side by side, on the CPU.

Each method is fitted in a process of its own, so that peak memory is its own, and once on a few
images before, so that nobody pays for imports; WiSE-FT and fine-tuning also take turns in one
process, so that their times can be paired.

    python -m surefoot.claims.cost METHOD --train 320 --epochs 1
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ..registry import METHODS
from ..stats import mean_interval_over_seeds
from .meter import PeakMemory

__all__ = ["LIMIT", "cost_of", "cost_table", "judge_cost", "wise_against_ft"]

LIMIT = 1.05
"""Ratios below this count as "nothing extra"."""

_BATCH = 64
_THREADS = "OMP_NUM_THREADS"
_PREDICTIONS = 5
"""Passes over the test images whose median counts."""


def _task(train: int) -> Any:
    from ..data.builtin import pictograms

    return pictograms().subset(train=train, evaluation=256, seed=0)


def _few(task: Any) -> Any:
    """The task for a warm-up: an image of every class, and some to validate on."""
    firsts = np.unique(task.train.require_labels(), return_index=True)[1]
    val = task.val.take(range(min(32, len(task.val))))
    return dataclasses.replace(task, train=task.train.take(firsts), val=val)


def _method(name: str, epochs: int) -> Any:
    from ..recipes.auto_lr import with_schedule

    built = METHODS.get(name)()
    return with_schedule(built, epochs=epochs, batch_size=_BATCH, lr=1e-4, warmup_steps=None)


def cost_of(name: str, *, train: int, epochs: int) -> dict[str, Any]:
    """Seconds and peak memory of one fit in this process, and what its result costs to use.

    Returns:
        method, fit_seconds, step_ms (of the training loop, over all trainings that the method
        does; None where it does none), peak_mb (MiB of the process at its highest during the fit
        above what it held before; None where the system does not tell), predict_ms (wall time per
        image, median of five passes), parameters (that a forward pass holds).
    """
    from ..context import RunContext, cap_threads
    from ..methods.base import pretrained_end
    from ..models.load import load

    cap_threads()
    task = _task(train)
    few = _few(task)
    start = load("tiny-clip")
    method = _method(name, epochs)
    method.fit(start, few, seed=0, run=RunContext(device="cpu"))
    rows: list[Mapping[str, Any]] = []
    memory = PeakMemory()
    began = time.perf_counter()
    model = method.fit(start, task, seed=0, run=RunContext(device="cpu", log=rows.append))
    seconds, peak = time.perf_counter() - began, memory.mebibytes()
    if model.head is None:  # an encoder alone: its text tower writes the head, as at the start
        model = pretrained_end(model, task)
    spent = [_seconds_to_predict(model, task, time.perf_counter) for _ in range(_PREDICTIONS)]
    used = sum(p.numel() for p in model.encoder.parameters())
    used += sum(p.numel() for p in model.require_head().parameters())
    return {
        "method": name,
        "fit_seconds": seconds,
        "step_ms": _step_ms(rows),
        "peak_mb": peak,
        "predict_ms": 1000 * float(np.median(spent)) / len(task.test),
        "parameters": used,
    }


def _step_ms(rows: list[Mapping[str, Any]]) -> float | None:
    """Milliseconds per optimiser step, out of what the training loop logs after each epoch."""
    epochs = [row for row in rows if "images_per_second" in row]
    steps = sum(row["step"] / row["epoch"] for row in epochs)
    return 1000 * sum(row["seconds"] for row in epochs) / steps if steps else None


def _seconds_to_predict(model: Any, task: Any, clock: Callable[[], float]) -> float:
    from ..data.dataset import Shift
    from ..evals.predict import predict

    began = clock()
    predict(model, Shift("test", task.test), batch_size=_BATCH, device="cpu")
    return clock() - began


def cost_table(*, train: int, epochs: int) -> list[dict[str, Any]]:
    """:func:`cost_of` for every registered method, each in a process of its own."""
    rows = []
    for name in METHODS.names():
        command = [sys.executable, "-m", "surefoot.claims.cost", name]
        command += ["--train", str(train), "--epochs", str(epochs)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            rows.append({"method": name, "failed": last})
        else:
            rows.append(json.loads(done.stdout.splitlines()[-1]))
    return rows


def wise_against_ft(*, train: int, epochs: int, repeats: int) -> dict[str, Any]:
    """WiSE-FT and fine-tuning in turns: ratios of what training and prediction take.

    Time here is the processor's, in one thread: other work on the machine does not lengthen it as
    it does the time by the clock, or that of threads which wait for each other. Who comes first
    alternates.

    Returns:
        repeats, same_architecture, fit_ratio and predict_ratio (mean, low, high, and each
        repeat's), mix_seconds (by the clock).
    """
    with _one_thread():
        return _in_turns(train, epochs, repeats)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Inside, torch has one thread, also where a training asks the environment how many."""
    import torch

    asked, threads = os.environ.get(_THREADS), torch.get_num_threads()
    os.environ[_THREADS] = "1"
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        del os.environ[_THREADS]
        if asked is not None:
            os.environ[_THREADS] = asked


def _in_turns(train: int, epochs: int, repeats: int) -> dict[str, Any]:
    from ..context import RunContext
    from ..methods.wise_ft import WiseFT, wise_path
    from ..models.load import load

    task, start = _task(train), load("tiny-clip")
    inner = _method("ft", epochs)
    both = {"ft": inner, "wise": WiseFT(inner)}
    inner.fit(start, task, seed=0, run=RunContext(device="cpu"))  # warm-up
    fit, use, mix = [], [], []
    same = True
    for turn in range(repeats):
        order = ["ft", "wise"] if turn % 2 == 0 else ["wise", "ft"]
        seconds, made = {}, {}
        for name in order:
            began = time.process_time()
            made[name] = both[name].fit(start, task, seed=0, run=RunContext(device="cpu"))
            seconds[name] = time.process_time() - began
        fit.append(seconds["wise"] / seconds["ft"])
        passes: dict[str, list[float]] = {name: [] for name in order}
        for _ in range(_PREDICTIONS):
            for name in order:
                passes[name].append(_seconds_to_predict(made[name], task, time.process_time))
        use.append(float(np.median(passes["wise"]) / np.median(passes["ft"])))
        path = wise_path(start, made["ft"], task)
        clock = time.perf_counter()
        path.at(0.5)
        mix.append(time.perf_counter() - clock)
        shapes = [{k: v.shape for k, v in m.state_dict().items()} for m in made.values()]
        same = same and shapes[0] == shapes[1]
    return {
        "repeats": repeats,
        "same_architecture": same,
        "fit_ratio": _ratio(fit),
        "predict_ratio": _ratio(use),
        "mix_seconds": float(np.median(mix)),
    }


def _ratio(values: list[float]) -> dict[str, Any]:
    """The geometric mean of ratios and its 95 % interval over repeats, and the ratios."""
    found = mean_interval_over_seeds(np.log(values))
    return {
        "mean": math.exp(found.mean),
        "low": math.exp(found.interval.low),
        "high": math.exp(found.interval.high),
        "each": values,
    }


def judge_cost(found: Mapping[str, Any]) -> str:
    """The verdict of claim 9.

    Holds where the mixed model has the tuned one's architecture and both ratios' intervals lie
    below 1.05; does not hold where the architecture differs or an interval lies above 1.05.
    """
    ratios = [found["fit_ratio"], found["predict_ratio"]]
    if not found["same_architecture"] or any(r["low"] > LIMIT for r in ratios):
        return "does not hold"
    return "holds" if all(r["high"] < LIMIT for r in ratios) else "not significant"


def main() -> None:
    """Measure one method and print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("method")
    parser.add_argument("--train", type=int, default=320)
    parser.add_argument("--epochs", type=int, default=1)
    given = parser.parse_args()
    print(json.dumps(cost_of(given.method, train=given.train, epochs=given.epochs)))


if __name__ == "__main__":
    main()
