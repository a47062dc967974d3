"""How long the static site of a whole archive takes to write, how large it is, in what memory.

    python benchmarks/board_site.py --papers 500000

All five files of a Papers with Code archive are generated (seeded, with the archive's proportions:
to 500,000 papers 11,000 boards with 150,000 rows, 15,000 data sets, 8,700 methods, 300,000 code
links) and imported into a board that ``init`` made; ``surefoot board export`` then writes the site
in a process of its own. With ``--keep`` the board stays. Prints the figures; asserts nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from board_import import WORDS, papers, write

from surefoot.board import Store
from surefoot.board.archive.importer import import_file
from surefoot.board.runs.add import start
from surefoot.records import write_atomic

_EXPORT = """
import sys
from surefoot.cli.main import main
try:
    main(sys.argv[1:])
finally:
    with open("/proc/self/status") as status:
        print(next(s for s in status if s.startswith("VmHWM")).split()[1], file=sys.stderr)
"""


def _paper(i: int) -> str:
    """The address of a paper of :func:`board_import.papers` that has an arXiv number."""
    i -= i % 4 == 0
    return f"https://arxiv.org/abs/{i // 100_000 + 1000:04d}.{i % 100_000:05d}"


def tables(count: int, rng: random.Random) -> Iterator[dict[str, Any]]:
    """``evaluation-tables`` for so many papers; few boards are large, most are small."""
    boards = max(1, count * 22 // 1000)
    sizes = [1 / (rank + 5) ** 0.75 for rank in range(boards)]
    scale = count * 0.3 / sum(sizes)
    for task in range(0, boards, 4):
        datasets = []
        for board in range(task, min(task + 4, boards)):
            metrics = [f"Accuracy {board % 3}", "F1", "Params"][: 1 + board % 3]
            rows = [_row(rng, count, metrics) for _ in range(max(1, round(sizes[board] * scale)))]
            datasets.append({
                "dataset": f"Data set {board % max(1, count // 33)}",
                "description": " ".join(rng.choices(WORDS, k=30)),
                "dataset_links": [], "dataset_citations": [], "subdatasets": [],
                "sota": {"metrics": metrics, "rows": rows},
            })  # fmt: skip
        yield {
            "task": f"Task {task // 4 % 3000}", "description": " ".join(rng.choices(WORDS, k=40)),
            "categories": ["Computer Vision"], "synonyms": [], "source_link": None, "subtasks": [],
            "datasets": datasets,
        }  # fmt: skip


def _row(rng: random.Random, count: int, metrics: list[str]) -> dict[str, Any]:
    # One paper in eight has results; each of these has about two and a half.
    number = rng.randrange(max(2, count // 8)) * 8 + 1
    return {
        "model_name": " ".join(rng.choices(WORDS, k=2)).title() + f" {rng.randrange(90)}",
        "paper_title": f"Paper {number}",
        "paper_url": _paper(number % count),
        "paper_date": f"20{rng.randrange(12, 25)}-{rng.randrange(1, 13):02d}-01",
        "code_links": [{"title": "code", "url": f"https://github.com/a/{number}"}],
        "model_links": [],
        "metrics": {m: f"{rng.gauss(70, 10):.2f}" for m in metrics},
        "uses_additional_data": rng.choice([None, True, False]),
    }


def _datasets(count: int, rng: random.Random) -> Iterator[dict[str, Any]]:
    for i in range(count * 3 // 100):
        yield {
            "url": f"https://paperswithcode.com/dataset/data-set-{i}", "name": f"Data set {i}",
            "full_name": "", "homepage": f"https://example.org/{i}",
            "description": " ".join(rng.choices(WORDS, k=60)), "introduced_date": "2019-01-01",
            "paper": None, "license_name": "CC BY 4.0", "license_url": None,
            "modalities": ["Images"], "tasks": [{"task": f"Task {i % 3000}", "url": ""}],
        }  # fmt: skip


def _methods(count: int, rng: random.Random) -> Iterator[dict[str, Any]]:
    for i in range(count * 174 // 10_000):
        yield {
            "url": f"https://paperswithcode.com/method/method-{i}", "name": f"Method {i}",
            "full_name": f"The method {i}", "description": " ".join(rng.choices(WORDS, k=80)),
            "paper": None, "introduced_year": 2019, "collections": [],
        }  # fmt: skip


def _links(count: int) -> Iterator[dict[str, Any]]:
    for i in range(1, count, 2):
        yield {
            "paper_url": "", "paper_title": "", "paper_url_abs": _paper(i), "paper_url_pdf": "",
            "paper_arxiv_id": _paper(i).rpartition("/")[2], "repo_url": f"https://github.com/b/{i}",
            "is_official": i % 3 == 0, "mentioned_in_paper": True, "mentioned_in_github": False,
            "framework": "pytorch",
        }  # fmt: skip


def fill(folder: Path, count: int) -> Path:
    """A board with such an archive; one that is there is taken."""
    path = folder / "board.db"
    if path.exists():
        return path
    rng = random.Random(1)
    files = {
        "papers-with-abstracts": papers(count, 150),
        "links-between-papers-and-code": _links(count),
        "methods": _methods(count, rng),
        "datasets": _datasets(count, rng),
        "evaluation-tables": tables(count, rng),
    }
    with Store.open(path, create=True) as store:
        start(store)
        for kind, records in files.items():
            file = folder / f"{kind}.json.gz"
            write(file, records)
            print(import_file(store, file).text(), flush=True)
            file.unlink()
    return path


def measure(board: Path, site: Path, options: list[str]) -> dict[str, Any]:
    """Export in a process of its own."""
    command = [sys.executable, "-c", _EXPORT, "board", "export", str(site), "--board", str(board)]
    began = time.perf_counter()
    done = subprocess.run([*command, *options], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          text=True, check=False)  # fmt: skip
    seconds = time.perf_counter() - began
    *said, peak = done.stderr.strip().splitlines()
    print("\n".join(said), flush=True)
    if done.returncode:
        raise SystemExit(done.returncode)
    files = [p for p in site.rglob("*") if p.is_file()]
    pages = [p for p in files if p.suffix == ".html"]
    searched = [p for p in files if p.parent.name == "search" or p.name == "search-index.js"]
    return {
        "exported_s": seconds,
        "pages": len(pages),
        "pages_per_second": len(pages) / seconds,
        "files": len(files),
        "site_mb": sum(p.stat().st_size for p in files) / 1e6,
        "search_index_mb": sum(p.stat().st_size for p in searched) / 1e6,
        "search_index_files": len(searched),
        "largest_search_file_kb": max(p.stat().st_size for p in searched) / 1e3,
        "peak_memory_mb": int(peak) / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--papers", type=int, default=500_000)
    parser.add_argument("--keep", type=Path, help="a folder for the board, used again")
    parser.add_argument("--out", type=Path, help="also write the figures as JSON")
    parser.add_argument("options", nargs="*", help="of the export, behind --")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = options.keep or Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        board = fill(home, options.papers)
        facts = {"papers": options.papers, "board_mb": board.stat().st_size / 1e6}
        try:
            facts |= measure(board, Path(folder) / "site", options.options)
        finally:
            shutil.rmtree(Path(folder) / "site", ignore_errors=True)
    for name, value in facts.items():
        print(f"{name:32} {value:.1f}" if isinstance(value, float) else f"{name:32} {value}")
    if options.out:
        about = {
            "command": " ".join(
                [f"python benchmarks/board_site.py --papers {options.papers}",
                 *(["--", *options.options] if options.options else [])]
            ),
            "python": platform.python_version(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, shared with other work",
            "load_average": [round(n, 2) for n in os.getloadavg()],
        }  # fmt: skip
        write_atomic(options.out, json.dumps({**about, **facts}, indent=1) + "\n")


if __name__ == "__main__":
    main()
