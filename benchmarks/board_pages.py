"""How fast a board with many rows opens, on both faces.

    python benchmarks/board_pages.py --out benchmarks/results/board_pages.json

Makes a board of 10,000 rows (seeded) and measures, in headless Chromium until `load`: the static
page from its file, with its first sort of all rows, and the live page from a server of its own,
when the board has just changed (nothing is kept) and when it has not. The answers of the server
alone are timed too, in this process. Prints; asserts nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from surefoot.board import Board, Entry, Source, Store
from surefoot.board.pages.links import Links
from surefoot.board.pages.page_context import PageContext
from surefoot.board.pages.ranked import Cache
from surefoot.board.pages.render import ASSETS, asset
from surefoot.board.pages.site import _rows
from surefoot.board.pages.views import board_html, rows_file
from surefoot.board.store.entries import make_result
from surefoot.board.web.app import create_app
from surefoot.board.web.limits import Limits
from surefoot.records import write_atomic


def fill(store: Store, rows: int, seed: int = 0) -> Board:
    """One board with rows of 400 papers over nine years."""
    rng = random.Random(seed)
    with store.transaction():
        task, data = store.tasks.ensure("Image Classification"), store.datasets.ensure("Large")
        board = store.boards.ensure(task.id, data.id, "test", "large")
        for i in range(rows):
            year, month = 2015 + i % 9, rng.randint(1, 12)
            store.entries.add(
                Entry(
                    board.id,
                    "published",
                    f"Model {rng.randint(1, 3000)}",
                    Source("archive", file="evaluation-tables.json.gz", json_path=f"$[0].{i}"),
                    row_key=f"row {i}",
                    backbone=rng.choice(["ViT-B/16", "ViT-L/14", "RN50", "ConvNeXt-B"]),
                    setting=rng.choice(["", "end to end", "linear probe"]),
                    paper_title=f"A paper on robust fine-tuning, number {i % 400}",
                    paper_url=f"https://arxiv.org/abs/{i % 400:04d}.00001",
                    paper_date=f"{year}-{month:02d}-01",
                    code_links=[{"title": "code", "url": f"https://example.org/{i % 400}"}],
                    extra_data=rng.choice(["yes", "no", "unknown"]),
                    results=(make_result("Top-1 Accuracy", f"{rng.gauss(70, 8):.1f}"),),
                )
            )
    return store.boards.by_id(board.id)


def timed(call: Any) -> tuple[float, Any]:
    """Seconds, and what came back."""
    start = time.perf_counter()
    made = call()
    return time.perf_counter() - start, made


def static(store: Store, board: Board, folder: Path) -> dict[str, float]:
    """Write the board's first page and its rows."""
    context = PageContext(store, Links(False, depth=1), Cache())
    seconds, (html, pages) = timed(lambda: board_html(context, board.slug))
    rows_seconds, rows = timed(lambda: _rows(context, board.slug))
    for name, text in (
        (f"boards/{board.slug}.html", html),
        (rows_file(board.slug), rows),
        *((f"assets/{name}", asset(name)) for name in ASSETS),
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return {
        "static_page_made_s": seconds,
        "static_rows_made_s": rows_seconds,
        "static_page_kB": len(html.encode()) / 1000,
        "static_rows_kB": len(rows.encode()) / 1000,
        "static_pages": pages,
    }


_SERVE = "import sys; from surefoot.board.web import serve; serve(sys.argv[1], port=0, ready=print)"


@contextmanager
def served(path: Path) -> Iterator[str]:
    """The address of a server in a process of its own."""
    command = [sys.executable, "-u", "-c", _SERVE, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


def opened(folder: Path, board: Board, times: int) -> dict[str, float]:
    """In headless Chromium, medians; {} where there is none."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        return {}
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    loads, sorts = [], []
    fresh, again = [], []
    path = folder / "board.db"
    with sync_playwright() as player, served(path) as address:
        window = player.chromium.launch(executable_path=found, args=flags)
        window.new_page().goto(f"{address}about")  # the browser's own start is not ours
        for i in range(2 * times):
            if i % 2 == 0:
                os.utime(path)  # as after a change: the server works everything out anew
            page = window.new_context().new_page()
            live = f"{address}boards/{board.slug}"
            took = timed(lambda p=page, a=live: p.goto(a, wait_until="load"))[0]
            (again if i % 2 else fresh).append(took)
            page.context.close()
        for _ in range(times):
            page = window.new_page()
            file = (folder / f"boards/{board.slug}.html").as_uri()
            loads.append(timed(lambda p=page, a=file: p.goto(a, wait_until="load"))[0])
            button = page.locator("th[data-sort='model'] button")

            def sort(page: Any = page, button: Any = button) -> None:
                button.click()
                page.wait_for_selector("th[data-sort='model'][aria-sort='ascending']")
                page.locator(".pager button").nth(1).wait_for()

            sorts.append(timed(sort)[0])
            page.close()
        window.close()
    return {
        "live_open_after_a_change_s": statistics.median(fresh),
        "live_open_after_a_change_worst_s": max(fresh),
        "live_open_again_s": statistics.median(again),
        "static_open_s": statistics.median(loads),
        "static_first_sort_of_all_rows_s": statistics.median(sorts),
    }


def live(path: Path, board: Board, times: int) -> dict[str, float]:
    """Through the ASGI application, without a network."""
    many = Limits(reads=1e9, read_burst=10**9)
    client = TestClient(create_app(path, limits=many), base_url="http://127.0.0.1")
    address = f"/boards/{board.slug}"
    used = time.process_time()
    first, answer = timed(lambda: client.get(address))
    used = time.process_time() - used
    again = [timed(lambda: client.get(address))[0] for _ in range(times)]
    sort = [
        timed(lambda: client.get(f"{address}?sort=value&q=vit&page=3"))[0] for _ in range(times)
    ]
    return {
        "live_first_s": first,
        "live_first_cpu_s": used,
        "live_again_s": statistics.median(again),
        "live_sorted_and_filtered_s": statistics.median(sort),
        "live_page_kB": len(answer.content) / 1000,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--out", type=Path, help="also write the figures as JSON")
    options = parser.parse_args()
    load = [round(n, 2) for n in os.getloadavg()]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "board.db"
        with Store.open(path, create=True) as store:
            board = fill(store, options.rows)
            facts: dict[str, float] = {"rows": options.rows, **static(store, board, Path(folder))}
        facts |= live(path, board, options.times)
        facts |= opened(Path(folder), board, options.times)
    facts = {k: round(v, 3) if isinstance(v, float) else v for k, v in facts.items()}
    for name, value in facts.items():
        print(f"{name:34} {value}")
    if options.out:
        about = {
            "command": f"python benchmarks/board_pages.py --rows {options.rows} "
            f"--times {options.times}",
            "python": platform.python_version(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, shared with other work",
            "load_average_before": load,
            "load_average_after": [round(n, 2) for n in os.getloadavg()],
        }
        write_atomic(options.out, json.dumps({**about, **facts}, indent=1) + "\n")


if __name__ == "__main__":
    main()
