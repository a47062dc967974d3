"""How long methods take: all of them in rounds, and WiSE-FT and fine-tuning in turns.

Everything in one process and one thread. Beside the time by the clock stands the processor's, which
other work on the machine hardly lengthens.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import binom

from ..registry import METHODS

__all__ = ["median_ratio", "method_for", "one_thread", "task_for", "time_round", "warm_up",
           "wise_against_ft", "with_head"]  # fmt: skip

_BATCH = 64
_THREADS = "OMP_NUM_THREADS"
_WARM: set[str] = set()
"""Methods that this process has fitted."""

_PREDICTIONS = 5
"""Passes over the test images whose median counts."""


def task_for(train: int) -> Any:
    """Pictograms with so many training images, and as many, 256 at most, in every other split.

    A class that would be left without a training image gets one more: methods that learn a head
    need every class.
    """
    from ..data.builtin import pictograms

    whole = pictograms()
    task = whole.subset(train=train, evaluation=min(train, 256), seed=0)
    labels = whole.train.require_labels()
    empty = np.setdiff1d(labels, task.train.require_labels())
    if not len(empty):
        return task
    drawn = {task.train.images.id(i) for i in range(len(task.train))}
    kept = [i for i in range(len(whole.train)) if whole.train.images.id(i) in drawn]
    more = [int(np.flatnonzero(labels == label)[0]) for label in empty]
    return dataclasses.replace(task, train=whole.train.take(sorted(kept + more)))


def few_images(task: Any) -> Any:
    """The task for a warm-up: an image of every class, and some to validate on."""
    firsts = np.unique(task.train.require_labels(), return_index=True)[1]
    val = task.val.take(range(min(32, len(task.val))))
    return dataclasses.replace(task, train=task.train.take(firsts), val=val)


def method_for(name: str, epochs: int) -> Any:
    """A method by its name, with one schedule for all."""
    from ..recipes.auto_lr import with_schedule

    built = METHODS.get(name)()
    return with_schedule(built, epochs=epochs, batch_size=_BATCH, lr=1e-4, warmup_steps=None)


def warm_up(method: Any, start: Any, task: Any) -> None:
    """Fit once on a few images, so that nothing that is timed pays for imports."""
    from ..context import RunContext

    _short(method).fit(start, few_images(task), seed=0, run=RunContext(device="cpu"))


def _short(method: Any) -> Any:
    """A copy whose linear probes, nested ones too, have one C instead of a path."""
    from ..methods.lp import LinearProbe

    if isinstance(method, LinearProbe):
        return dataclasses.replace(method, c_path=method.c_path[:1])
    if not dataclasses.is_dataclass(method) or isinstance(method, type):
        return method
    parts = {f.name: getattr(method, f.name) for f in dataclasses.fields(method)}
    return dataclasses.replace(method, **{name: _short(part) for name, part in parts.items()})


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

    task, start = task_for(train), load("tiny-clip")
    found = {}
    with one_thread():
        for name in names:
            method = method_for(name, epochs)
            if name not in _WARM:
                warm_up(method, start, task)
                _WARM.add(name)
            rows: list[Mapping[str, Any]] = []
            clock, processor = time.perf_counter(), time.process_time()
            model = method.fit(
                start, task, seed=0, run=RunContext(device="cpu", validate=False, log=rows.append)
            )
            wall, spent = time.perf_counter() - clock, time.process_time() - processor
            model = with_head(model, task)
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


def with_head(model: Any, task: Any) -> Any:
    """An encoder alone gets the head that its text tower writes, as at the start."""
    from ..evals.zero_shot import pretrained_end

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


def wise_against_ft(*, train: int, epochs: int, repeats: int) -> dict[str, Any]:
    """WiSE-FT and fine-tuning in turns: ratios of what training and prediction take.

    Time here is the processor's, in one thread: other work on the machine does not lengthen it as
    it does the time by the clock, or that of threads which wait for each other. Who comes first
    alternates.

    Returns:
        repeats, same_architecture, fit_ratio and predict_ratio (median, low, high, and each
        repeat's), mix_seconds (by the clock).
    """
    with one_thread():
        return _in_turns(train, epochs, repeats)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
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
    from ..methods.wise_ft import WiseFT
    from ..models.load import load
    from ..paths import Path as WeightPath

    task, start = task_for(train), load("tiny-clip")
    inner = method_for("ft", epochs)
    both = {"ft": inner, "wise": WiseFT(inner)}
    quiet = RunContext(device="cpu", validate=False)
    warm_up(both["wise"], start, task)
    fit, use, mix = [], [], []
    same = True
    for turn in range(repeats):
        order = ["ft", "wise"] if turn % 2 == 0 else ["wise", "ft"]
        seconds, made = {}, {}
        for name in order:
            began = time.process_time()
            made[name] = both[name].fit(start, task, seed=0, run=quiet)
            seconds[name] = time.process_time() - began
        fit.append(seconds["wise"] / seconds["ft"])
        passes: dict[str, list[float]] = {name: [] for name in order}
        for _ in range(_PREDICTIONS):
            for name in order:
                passes[name].append(_seconds_to_predict(made[name], task, time.process_time))
        use.append(float(np.median(passes["wise"]) / np.median(passes["ft"])))
        path = WeightPath.between(start, made["ft"], task)
        clock = time.perf_counter()
        path.at(0.5)
        mix.append(time.perf_counter() - clock)
        shapes = [{k: v.shape for k, v in m.state_dict().items()} for m in made.values()]
        same = same and shapes[0] == shapes[1]
    return {
        "repeats": repeats,
        "same_architecture": same,
        "fit_ratio": median_ratio(fit),
        "predict_ratio": median_ratio(use),
        "mix_seconds": float(np.median(mix)),
    }


def median_ratio(values: Sequence[float]) -> dict[str, Any]:
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
