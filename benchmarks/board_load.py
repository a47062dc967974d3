"""What a served board bears on loopback, bounded in time and in connections.

    python benchmarks/board_load.py --out benchmarks/results/board_load.json

Serves the package's board (uvicorn, one process of its own) and asks it for a mix of pages and API
answers from a few connections for some seconds, first without a rate limit, then with the usual
one. Prints requests per second and latencies; asserts nothing.
"""

from __future__ import annotations

import argparse
import collections
import json
import multiprocessing
import os
import platform
import socket
import statistics
import tempfile
import threading
import time
from pathlib import Path

import httpx
import uvicorn

from surefoot.board import Store
from surefoot.board.seed import fill
from surefoot.board.web.app import create_app
from surefoot.board.web.limits import Limits
from surefoot.records import write_atomic

MIX = (
    "/",
    "/boards/image-classification-on-objectnet",
    "/boards/image-classification-on-imagenet?sort=value&q=wise",
    "/papers/robust-fine-tuning-of-zero-shot-models",
    "/methods/wise-ft",
    "/search?q=robust",
    "/api/boards/image-classification-on-objectnet",
    "/api/papers",
)


def served(path: str, port: int, free: bool) -> None:
    """The server's process."""
    limits = Limits(reads=1e9, read_burst=10**9) if free else Limits()
    uvicorn.run(create_app(path, limits=limits), port=port, log_level="error")


def ask(port: int, until: float, start: int, seen: collections.Counter[int],
        times: list[float]) -> None:  # fmt: skip
    """One connection: the mix, over and over."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        i = start
        while time.monotonic() < until:
            begun = time.perf_counter()
            answer = client.get(MIX[i % len(MIX)])
            times.append(time.perf_counter() - begun)
            seen[answer.status_code] += 1
            i += 1


def load(path: Path, seconds: float, connections: int, *, free: bool) -> dict[str, float]:
    """Figures of one round."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = multiprocessing.Process(target=served, args=(str(path), port, free), daemon=True)
    server.start()
    try:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        seen: collections.Counter[int] = collections.Counter()
        times: list[float] = []
        until = time.monotonic() + seconds
        threads = [threading.Thread(target=ask, args=(port, until, i, seen, times))
                   for i in range(connections)]  # fmt: skip
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    finally:
        server.terminate()
        server.join()
    times.sort()
    good = seen[200]
    return {
        "requests": len(times),
        "answers_per_s": round(good / seconds, 1),
        "refused_429": seen[429],
        "errors_5xx": sum(n for code, n in seen.items() if code >= 500),
        "median_ms": round(1000 * statistics.median(times), 1),
        "p95_ms": round(1000 * times[int(0.95 * (len(times) - 1))], 1),
        "p99_ms": round(1000 * times[int(0.99 * (len(times) - 1))], 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--out", type=Path, help="also write the figures as JSON")
    options = parser.parse_args()
    seconds, connections = min(options.seconds, 60.0), min(options.connections, 64)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "board.db"
        with Store.open(path, create=True) as store:
            fill(store)
        facts = {
            "without_rate_limit": load(path, seconds, connections, free=True),
            "with_usual_limits": load(path, seconds, connections, free=False),
        }
    print(json.dumps(facts, indent=1))
    if options.out:
        about = {
            "command": f"python benchmarks/board_load.py --seconds {seconds:g} "
            f"--connections {connections}",
            "python": platform.python_version(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, shared with other work",
        }
        write_atomic(options.out, json.dumps({**about, **facts}, indent=1) + "\n")


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
