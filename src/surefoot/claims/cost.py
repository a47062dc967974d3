"""Claim 9: what every method costs in time and memory, side by side, on the CPU.

Memory: each method in a process of its own, after a fit on a few images, so that nobody pays for
imports. Time: all methods one after the other in one process, round after round; medians over the
rounds. WiSE-FT and fine-tuning also take turns, so that their ratio is paired. Beside the time by
the clock stands the processor's, in one thread, which other work on the machine hardly lengthens.

    python -m surefoot.claims.cost METHOD --train 320 --epochs 1
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binom

from ..records import write_atomic
from ..registry import METHODS
from .meter import PeakMemory

__all__ = ["LIMIT", "cost_of", "cost_table", "judge_cost", "measure_cost", "time_round",
           "wise_against_ft"]  # fmt: skip

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
    """Peak memory of one fit in this process, and how large its result is.

    Returns:
        method, peak_mb (MiB of the process at its highest during the fit above what it held
        before; None where the system does not tell), parameters (that a forward pass holds).
    """
    from ..context import RunContext
    from ..models.load import load

    task, start, method = _task(train), load("tiny-clip"), _method(name, epochs)
    with _one_thread():
        method.fit(start, _few(task), seed=0, run=RunContext(device="cpu"))  # imports, once
        memory = PeakMemory()
        model = method.fit(start, task, seed=0, run=RunContext(device="cpu"))
        peak = memory.mebibytes()
    model = _with_head(model, task)
    used = sum(p.numel() for p in model.encoder.parameters())
    used += sum(p.numel() for p in model.require_head().parameters())
    return {"method": name, "peak_mb": peak, "parameters": used}


def time_round(names: Sequence[str], *, train: int, epochs: int) -> dict[str, dict[str, Any]]:
    """Every method fitted and asked once, one after the other, in one process and thread.

    Args:
        names: In this order; rounds of different orders make up for what gets slower or faster
            meanwhile.
        train: Images.
        epochs: Of a fit.

    Returns:
        Method -> seconds of the fit and of one look at the test images, by the clock and of the
        processor, and milliseconds of the processor per optimiser step (None where it takes none).
    """
    from ..context import RunContext
    from ..models.load import load

    task, start = _task(train), load("tiny-clip")
    found = {}
    with _one_thread():
        for name in names:
            method = _method(name, epochs)
            method.fit(start, _few(task), seed=0, run=RunContext(device="cpu"))
            rows: list[Mapping[str, Any]] = []
            clock, processor = time.perf_counter(), time.process_time()
            model = method.fit(start, task, seed=0, run=RunContext(device="cpu", log=rows.append))
            wall, spent = time.perf_counter() - clock, time.process_time() - processor
            model = _with_head(model, task)
            _seconds_to_predict(model, task, time.perf_counter)
            clock, processor = time.perf_counter(), time.process_time()
            _seconds_to_predict(model, task, time.perf_counter)
            step = _step_ms(rows)
            found[name] = {
                "fit_seconds": wall,
                "fit_cpu_seconds": spent,
                "step_cpu_ms": None if step is None else step * spent / wall,
                "predict_ms": 1000 * (time.perf_counter() - clock) / len(task.test),
                "predict_cpu_ms": 1000 * (time.process_time() - processor) / len(task.test),
            }
    return found


def _with_head(model: Any, task: Any) -> Any:
    """An encoder alone gets the head that its text tower writes, as at the start."""
    from ..methods.base import pretrained_end

    return pretrained_end(model, task) if model.head is None else model


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


def measure_cost(
    out: Path,
    *,
    train: int,
    epochs: int,
    repeats: int,
    rounds: int,
    say: Callable[[str], None] = lambda line: None,
    jobs: int = 1,
) -> dict[str, Any]:
    """All of claim 9; each piece is kept in a file, and a piece that is there is not repeated.

    Args:
        out: Folder for the pieces.
        train: Images of a fit.
        epochs: Likewise.
        repeats: Of WiSE-FT against fine-tuning.
        rounds: Of the times of all methods.
        say: Told what is done.
        jobs: Processes at once where memory is measured; what is timed runs alone.

    Returns:
        train, epochs, rounds, wise (of :func:`wise_against_ft`), table (of :func:`cost_table`).
    """
    settings = {"train": train, "epochs": epochs}
    names = METHODS.names()
    wise = _kept(out / "wise.json", lambda: wise_against_ft(**settings, repeats=repeats))
    say(f"cost: WiSE-FT and fine-tuning in turns, {repeats} times")
    children = [partial(_in_a_child, name, **settings) for name in names]
    with ThreadPoolExecutor(jobs) as pool:
        sizes = list(pool.map(_kept, [out / f"size-{n}.json" for n in names], children))
    say("cost: memory of every method")
    turns = []
    able = [size["method"] for size in sizes if "failed" not in size]
    for turn in range(rounds):
        first = turn * len(able) // rounds
        order = [*able[first:], *able[:first]]
        work = partial(time_round, order, **settings)
        turns.append(_kept(out / f"round-{turn}.json", work))
        say(f"cost: round {turn + 1} of {rounds}")
    return {**settings, "rounds": rounds, "wise": wise, "table": cost_table(sizes, turns)}


def _kept(file: Path, work: Callable[[], Any]) -> Any:
    """What a file holds; where it is missing, the work is done and written there."""
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        found = work()
        if "failed" in found:  # to be tried again next time
            return found
        write_atomic(file, json.dumps(found) + "\n")
    return json.loads(file.read_text(encoding="utf-8"))


def _in_a_child(name: str, *, train: int, epochs: int) -> dict[str, Any]:
    """:func:`cost_of` in a process of its own."""
    command = [sys.executable, "-m", "surefoot.claims.cost", name]
    command += ["--train", str(train), "--epochs", str(epochs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"method": name, "failed": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def cost_table(
    sizes: Sequence[Mapping[str, Any]], rounds: Sequence[Mapping[str, Mapping[str, Any]]]
) -> list[dict[str, Any]]:
    """One row per method: sizes, and medians over the rounds of every time.

    ``fit_ratio`` is the median over rounds of processor time as a multiple of fine-tuning's in the
    same round; ``fit_cpu_each`` holds every round's, so that the spread can be seen.
    """
    table = []
    for size in sizes:
        row = dict(size)
        turns = [r[row["method"]] for r in rounds if row["method"] in r]
        for key in turns[0] if turns else ():
            values = [t[key] for t in turns if t[key] is not None]
            row[key] = float(np.median(values)) if values else None
        if turns:
            row["fit_cpu_each"] = [t["fit_cpu_seconds"] for t in turns]
            base = [r["ft"]["fit_cpu_seconds"] for r in rounds]
            row["fit_ratio"] = float(np.median(np.divide(row["fit_cpu_each"], base)))
        table.append(row)
    return table


def wise_against_ft(*, train: int, epochs: int, repeats: int) -> dict[str, Any]:
    """WiSE-FT and fine-tuning in turns: ratios of what training and prediction take.

    Time here is the processor's, in one thread: other work on the machine does not lengthen it as
    it does the time by the clock, or that of threads which wait for each other. Who comes first
    alternates.

    Returns:
        repeats, same_architecture, fit_ratio and predict_ratio (median, low, high, and each
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


def _ratio(values: Sequence[float]) -> dict[str, Any]:
    """The median of ratios and its interval of 95 % or more, and the ratios.

    The interval lies between two of the ratios, by the sign test (order statistics), so that one
    repeat which other work disturbed does not widen it. Fewer than six repeats cannot give one.
    """
    ordered = sorted(values)
    n = len(ordered)
    # The median lies below the rank-th smallest with a probability of at most 2.5 %.
    rank = int(sum(binom.cdf(k, n, 0.5) <= 0.025 for k in range(n)))
    return {
        "median": float(np.median(ordered)),
        "low": ordered[rank - 1] if rank else None,
        "high": ordered[n - rank] if rank else None,
        "each": list(values),
    }


def judge_cost(found: Mapping[str, Any]) -> str:
    """The verdict of claim 9.

    Holds where the mixed model has the tuned one's architecture and both ratios' intervals lie
    below 1.05; does not hold where the architecture differs or an interval lies above 1.05.
    """
    ratios = [found["fit_ratio"], found["predict_ratio"]]
    known = [r for r in ratios if r["low"] is not None]
    if not found["same_architecture"] or any(r["low"] > LIMIT for r in known):
        return "does not hold"
    small = len(known) == len(ratios) and all(r["high"] < LIMIT for r in known)
    return "holds" if small else "not significant"


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
