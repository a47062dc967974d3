"""Claim 9: what every method costs in time and memory, side by side, on the CPU.

Memory: each method in a process of its own, after a fit on a few images, so that nobody pays for
imports. Time: all methods one after the other in one process, round after round; medians over the
rounds. WiSE-FT and fine-tuning also take turns, so that their ratio is paired. Beside the time by
the clock stands the processor's, in one thread, which other work on the machine hardly lengthens.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from ..records import write_atomic
from ..registry import METHODS
from .meter import PeakMemory
from .timing import (
    method_for,
    one_thread,
    task_for,
    time_round,
    warm_up,
    wise_against_ft,
    with_head,
)

__all__ = ["LIMIT", "cost_of", "cost_table", "judge_cost", "measure_cost"]

LIMIT = 1.05
"""Ratios below this count as "nothing extra"."""


def cost_of(name: str, *, train: int, epochs: int) -> dict[str, Any]:
    """Peak memory of one fit in this process, and how large its result is.

    Returns:
        method, peak_mb (MiB of the process at its highest during the fit above what it held
        before; None where the system does not tell), parameters (that a forward pass holds).
    """
    from ..context import RunContext
    from ..models.load import load

    task, start, method = task_for(train), load("tiny-clip"), method_for(name, epochs)
    with one_thread():
        warm_up(method, start, task)
        memory = PeakMemory()
        model = method.fit(start, task, seed=0, run=RunContext(device="cpu", validate=False))
        peak = memory.mebibytes()
    model = with_head(model, task)
    used = sum(p.numel() for p in model.encoder.parameters())
    used += sum(p.numel() for p in model.require_head().parameters())
    return {"method": name, "peak_mb": peak, "parameters": used}


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
    for size in sizes:
        if "failed" in size:
            say(f"cost: {size['method']} failed and is not timed: {size['failed']}")
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
    context = _context()
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_measure, args=(sender, name, train, epochs), daemon=True)
    child.start()
    sender.close()
    found: dict[str, Any]
    try:
        found = receiver.recv()
    except EOFError:
        child.join()
        found = {"method": name, "failed": f"its process ended with exit code {child.exitcode}"}
    child.join()
    return found


@cache
def _context() -> Any:
    """How children begin: where it can be, as copies of a process that has imported everything."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["surefoot.claims.imported"])
    return context


def _measure(sender: Any, name: str, train: int, epochs: int) -> None:
    """In the child."""
    try:
        found = cost_of(name, train=train, epochs=epochs)
    except Exception as error:  # one method that fails does not take the others with it
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        found = {"method": name, "failed": first}
    sender.send(found)


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
