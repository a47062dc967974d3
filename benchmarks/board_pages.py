"""How fast a board with many rows opens, on both faces.

    python benchmarks/board_pages.py --out benchmarks/results/board_pages.json

Makes a board of 10,000 rows (seeded) and measures: the static page from its file in headless
Chromium (until `load` and until the first sort of all rows is drawn), and the live page as first
asked for and as asked for again (server in this process, on loopback). Prints; asserts nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient

from surefoot.board import Board, Entry, Source, Store
from surefoot.board.entries import make_result
from surefoot.board.pages import Cache, Face, Links
from surefoot.board.pages.render import ASSETS, asset
from surefoot.board.pages.site import _rows
from surefoot.board.pages.views import board_html, rows_file
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
    face = Face(store, Links(False, depth=1), Cache())
    seconds, (html, pages) = timed(lambda: board_html(face, board.slug))
    rows_seconds, rows = timed(lambda: _rows(face, board.slug))
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


def opened(folder: Path, board: Board, times: int) -> dict[str, float]:
    """In headless Chromium, medians; {} where there is none."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        return {}
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    loads, sorts = [], []
    with sync_playwright() as player:
        window = player.chromium.launch(executable_path=found, args=flags)
        for _ in range(times):
            page = window.new_page()
            address = (folder / f"boards/{board.slug}.html").as_uri()
            loads.append(timed(lambda p=page, a=address: p.goto(a, wait_until="load"))[0])
            button = page.locator("th[data-sort='model'] button")

            def sort(page: Any = page, button: Any = button) -> None:
                button.click()
                page.wait_for_selector("th[data-sort='model'][aria-sort='ascending']")
                page.locator(".pager button").nth(1).wait_for()

            sorts.append(timed(sort)[0])
            page.close()
        window.close()
    return {
        "static_open_s": statistics.median(loads),
        "static_first_sort_of_all_rows_s": statistics.median(sorts),
    }


def live(path: Path, board: Board, times: int) -> dict[str, float]:
    """Through the ASGI application, without a network."""
    many = Limits(reads=1e9, read_burst=10**9)
    client = TestClient(create_app(path, limits=many), base_url="http://127.0.0.1")
    address = f"/boards/{board.slug}"
    first, answer = timed(lambda: client.get(address))
    again = [timed(lambda: client.get(address))[0] for _ in range(times)]
    sort = [
        timed(lambda: client.get(f"{address}?sort=value&q=vit&page=3"))[0] for _ in range(times)
    ]
    return {
        "live_first_s": first,
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
            "command": f"python benchmarks/board_pages.py --rows {options.rows}",
            "python": platform.python_version(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, shared with other work",
        }
        write_atomic(options.out, json.dumps({**about, **facts}, indent=1) + "\n")


if __name__ == "__main__":
    main()
