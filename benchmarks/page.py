"""The tables of docs/speed.md, written from the results.

    python benchmarks/page.py            # writes them into the page
    python benchmarks/page.py --check    # fails where the page says something else

A table stands between ``<!-- NAME -->`` and ``<!-- end -->``. What has no result yet is named.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "speed.md"

Rows = Mapping[str, Sequence[Mapping[str, Any]]]

CONTESTS = {
    "merge": "Two files of 1.72 GB (float32), lerp",
    "merge-memory": "The same with all files in memory (tmpfs), no disk in the way",
    "merge-bf16": "Two files of 0.86 GB (bfloat16), lerp",
    "merge-ties": "TIES, a start and two tuned ends, 1.72 GB each",
    "knn": "kNN: bank {bank:,} x {dim}, {queries:,} queries, {classes:,} classes, four k",
    "linear_probe": "Linear probe: {images:,} x {dim}, {classes} classes, {cs} values of C",
    "sweep-500x400": "The alpha curve: {alphas} alphas, {model}, 3 x {images} JPEGs of 500 x 400",
    "flyp_step": "FLYP: {steps} training steps of {arch}, batch {batch}, one prompt a class",
    "frozen_prefix": "Frozen blocks: last {k} of {arch}, {images} images, {epochs} epochs",
    "threads": "Threads that wait: {steps} steps of {model}, batch {batch}, {threads} cores",
    "startup": "A command line answers",
}
"""File of results -> what was done, with facts of the file; the first contender is ours."""


def read(name: str) -> dict[str, Any] | None:
    """A file of results, if it is there."""
    file = HERE / "results" / f"{name}.json"
    found: dict[str, Any] | None = json.loads(file.read_text()) if file.is_file() else None
    return found


def contests() -> list[str]:
    """Contenders that took turns in processes of their own, on a CPU."""
    lines = [
        "| | median s | least to most | × ours | as a command, s | × ours | memory above, MB |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, title in CONTESTS.items():
        found = read(name)
        if found is None:
            plain = title.split(":")[0]
            lines.append(f"| **{plain}** | not measured | | | | | |")
            continue
        title = title.format(**{k: v for k, v in found.items() if k != "rows"})
        rows: Rows = found["rows"]
        repeats = max(len(runs) for runs in rows.values())
        lines.append(f"| **{title}** ({repeats} repeats) | | | | | | |")
        first = next(iter(rows.values()))
        for who, runs in rows.items():
            typed = _as_a_command(runs, first) if name.startswith("merge") else "| "
            lines.append(_contender(who, runs, statistics.median(_seconds(first)), typed))
    return lines


def _seconds(runs: Sequence[Mapping[str, Any]], key: str = "seconds") -> list[float]:
    return [run[key] for run in runs if key in run]


def _as_a_command(runs: Sequence[Mapping[str, Any]], ours: Sequence[Mapping[str, Any]]) -> str:
    """The whole process, with start-up and imports, and its ratio."""
    own, first = _seconds(runs, "whole_seconds"), _seconds(ours, "whole_seconds")
    if not own or not first:
        return "| "
    middle = statistics.median(own)
    return f"{_short(middle)} | {middle / statistics.median(first):.2f}"


def _contender(who: str, runs: Sequence[Mapping[str, Any]], ours: float, typed: str) -> str:
    times = _seconds(runs)
    if not times:
        return f"| {who} | missing | | | | | |"
    middle = statistics.median(times)
    above = [r["peak_mb"] - r["base_mb"] for r in runs if "peak_mb" in r]
    memory = f"{max(above):.0f}" if above else ""
    return (
        f"| {who} | {_short(middle)} | {_short(min(times))} to {_short(max(times))} "
        f"| {middle / ours:.2f} | {typed} | {memory} |"
    )


def _short(seconds: float) -> str:
    return (
        f"{seconds:.3f}"
        if seconds < 0.1
        else f"{seconds:.2f}"
        if seconds < 10
        else f"{seconds:.1f}"
    )


def prompts() -> list[str]:
    """FLYP with each distinct prompt encoded once."""
    found = read("flyp_distinct_prompts")
    if found is None:
        return ["Not measured."]
    lines = [
        f"{found['model']}, batch {found['cases'][0]['batch']}, {found['device']}, "
        f"{found['threads']} threads, {found['repeats']} pairs:",
        "",
        "| classes | templates | distinct prompts | every prompt, s | distinct, s | gain |",
        "|---|---|---|---|---|---|",
    ]
    for row in found["cases"]:
        lines.append(
            f"| {row['classes']} | {row['templates']} | {row['distinct_prompts']} | "
            f"{row['plain_seconds']:.2f} | {row['distinct_seconds']:.2f} | {row['gain']:.2f} |"
        )
    return lines


def gpu() -> list[str]:
    """Training steps, FLYP's memory, weights on a device."""
    steps, memory, device = (read(n) for n in ("training_step", "flyp_memory", "device_sweep"))
    if steps is None or memory is None or device is None:
        return ["Not measured."]
    lines = [f"One {steps['gpu']}, torch {steps['torch_build']}, driver {steps['driver']}.", ""]
    lines += ["| a step, bf16 | images/s | least to most | × surefoot | peak, MB |"]
    lines += ["|---|---|---|---|---|"]
    loops = {k: r for k, r in steps["rows"].items() if k.startswith("loop")}
    loops |= (read("training_step-loop") or {"rows": {}})["rows"]
    for case, rows in steps["rows"].items():
        if case in loops:
            continue
        lines.append(f"| **{case}** | {_left_out(rows)} | | | |")
        for who, row in rows.items():
            if isinstance(row, Mapping) and "images_per_second" in row:
                speed, ratio = row["images_per_second"], row["speed_of_surefoot"]["median"]
                lines.append(
                    f"| {who} | {speed['median']:.0f} | {speed['min']:.0f} to {speed['max']:.0f} "
                    f"| {ratio:.3f} | {row['peak_mb']:.0f} |"
                )
    lines += ["", "| with data loading, bf16 | images/s | least to most | waits for images |"]
    lines += ["|---|---|---|---|"]
    for case, rows in loops.items():
        lines.append(f"| **{case}** | {_left_out(rows)} | | |")
        for who, row in rows.items():
            if isinstance(row, Mapping) and "share_waiting" in row:
                speed, waits = row["images_per_second"], row["share_waiting"]["median"]
                lines.append(
                    f"| {who} | {speed['median']:.0f} | {speed['min']:.0f} to {speed['max']:.0f} "
                    f"| {waits:.0%} |"
                )
    lines += ["", "| FLYP's step, bf16 | peak, MB | s a step | images/s |", "|---|---|---|---|"]
    for case, row in memory["rows"].items():
        if "seconds_per_step" in row:
            used = "" if row["micro_used"] == _asked(case) else (
                f"; did not fit, the loop came down to {row['micro_used']}"
            )  # fmt: skip
            lines.append(
                f"| {case}{used} | {row['peak_mb']:.0f} | {row['seconds_per_step']['median']:.3f} "
                f"| {row['images_per_second']['median']:.0f} |"
            )
    lines += ["", "| weights on the device | median s | × ours |", "|---|---|---|"]
    for case, rows in device["rows"].items():
        lines.append(f"| **{case}** | {_left_out(rows)} | |")
        for who, row in rows.items():
            if isinstance(row, Mapping) and "median" in row:
                lines.append(f"| {who} | {row['median']:.4f} | {row['times_ours']:.1f} |")
    return lines


def _asked(case: str) -> int:
    return int(case.rsplit(" ", 1)[1])


def _left_out(rows: Mapping[str, Any]) -> str:
    return "not measured: no time was left" if "left_out" in rows else ""


TABLES = {"contests": contests, "prompts": prompts, "gpu": gpu}


def filled(text: str) -> str:
    """The page with every table anew."""
    for name, make in TABLES.items():
        block = f"<!-- {name} -->\n" + "\n".join(make()) + "\n<!-- end -->"
        pattern = re.compile(rf"<!-- {name} -->\n.*?<!-- end -->", re.DOTALL)
        if not pattern.search(text):
            raise SystemExit(f"{PAGE.name} has no place for the table {name}")
        text = pattern.sub(lambda _, block=block: block, text)
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    before = PAGE.read_text(encoding="utf-8")
    after = filled(before)
    if options.check:
        if before != after:
            print(f"{PAGE.name} is not what the results say: python benchmarks/page.py")
        return int(before != after)
    PAGE.write_text(after, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
