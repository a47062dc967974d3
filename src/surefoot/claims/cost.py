"""Claim 9: what every method costs in time and memory, side by side.

Each method is fitted in a child process of its own, so that peak memory is its own; WiSE-FT and
fine-tuning take turns in one process, so that their times can be paired.

    python -m surefoot.claims.cost METHOD --train 320 --epochs 1
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..registry import METHODS
from ..stats import mean_interval_over_seeds

__all__ = ["LIMIT", "cost_of", "cost_table", "judge_cost", "wise_against_ft"]

LIMIT = 1.05
"""Ratios below this count as "nothing extra"."""

_LEFT_OUT = {"wise-ft"}
"""Measured apart, beside fine-tuning."""


def _task(train: int) -> Any:
    from ..data.builtin import pictograms

    return pictograms().subset(train=train, evaluation=256, seed=0)


def _method(name: str, epochs: int) -> Any:
    from ..recipes.auto_lr import with_schedule

    built = METHODS.get(name)()
    return with_schedule(built, epochs=epochs, batch_size=64, lr=1e-4, warmup_steps=None)


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def cost_of(name: str, *, train: int, epochs: int) -> dict[str, Any]:
    """Seconds and peak memory of one fit in this process, and what its result costs to use.

    Returns:
        fit_seconds, peak_mb (MiB of the process above what it held before the fit),
        predict_ms (per image, one thread's wall time), parameters (that a forward pass holds),
        trained (parameters that got a gradient step, where the method trains at all).
    """
    import torch

    from ..context import cap_threads
    from ..data.dataset import Shift
    from ..evals.predict import predict
    from ..methods.base import pretrained_end
    from ..models.load import load

    cap_threads()
    task = _task(train)
    start = load("tiny-clip")
    with torch.inference_mode():
        predict(pretrained_end(start, task), Shift("test", task.test), batch_size=64)  # warm-up
    before = _megabytes()
    began = time.perf_counter()
    model = _method(name, epochs).fit(start, task, seed=0)
    seconds = time.perf_counter() - began
    peak = _megabytes() - before
    began = time.perf_counter()
    predict(model, Shift("test", task.test), batch_size=64)
    spent = time.perf_counter() - began
    used = sum(p.numel() for p in model.encoder.parameters())
    used += sum(p.numel() for p in model.require_head().parameters())
    return {
        "method": name,
        "fit_seconds": seconds,
        "peak_mb": peak,
        "predict_ms": 1000 * spent / len(task.test),
        "parameters": used,
    }


def cost_table(*, train: int, epochs: int) -> list[dict[str, Any]]:
    """:func:`cost_of` for every registered method, each in a process of its own."""
    rows = []
    for name in METHODS.names():
        if name in _LEFT_OUT:
            continue
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
    """WiSE-FT and fine-tuning in turns: ratios of training and prediction time, and the mixing."""
    from ..data.dataset import Shift
    from ..evals.predict import predict
    from ..methods.wise_ft import WiseFT, wise_path
    from ..models.load import load

    task = _task(train)
    start = load("tiny-clip")
    inner = _method("ft", epochs)
    inner.fit(start, task, seed=0)  # warm-up
    fit, use, mix = [], [], []
    same = True
    for _ in range(repeats):
        began = time.perf_counter()
        tuned = inner.fit(start, task, seed=0)
        plain = time.perf_counter() - began
        began = time.perf_counter()
        wise = WiseFT(inner).fit(start, task, seed=0)
        fit.append((time.perf_counter() - began) / plain)
        path = wise_path(start, tuned, task)
        began = time.perf_counter()
        path.at(0.5)
        mix.append(time.perf_counter() - began)
        spent = []
        for model in (tuned, wise):
            began = time.perf_counter()
            predict(model, Shift("test", task.test), batch_size=64)
            spent.append(time.perf_counter() - began)
        use.append(spent[1] / spent[0])
        shapes = [{k: v.shape for k, v in m.state_dict().items()} for m in (tuned, wise)]
        same = same and shapes[0] == shapes[1]
    return {
        "repeats": repeats,
        "same_architecture": same,
        "fit_ratio": _ratio(fit),
        "predict_ratio": _ratio(use),
        "mix_seconds": float(np.median(mix)),
    }


def _ratio(values: list[float]) -> dict[str, float]:
    """The geometric mean of ratios and its 95 % interval over repeats."""
    found = mean_interval_over_seeds(np.log(values))
    return {
        "mean": math.exp(found.mean),
        "low": math.exp(found.interval.low),
        "high": math.exp(found.interval.high),
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
