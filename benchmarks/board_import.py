"""How fast the board takes in the Papers with Code archive, and in how much memory.

    python benchmarks/board_import.py --papers 500000

A gzipped ``papers-with-abstracts`` file is generated (seeded; texts of the archive's median length
by default) and imported into a fresh board in this process. Prints the figures; asserts nothing.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import random
import resource
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from surefoot.board import Store
from surefoot.board.archive.importer import import_file
from surefoot.records import write_atomic

TEXT = """robust fine tuning vision transformer contrastive language image model shift weights
average ensemble layer attention kernel graph sample dataset learning deep network optimal bound
estimate adapt domain prompt token diffusion policy reward"""
WORDS = TEXT.split()


def papers(count: int, words: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Records in the archive's format, one at a time."""
    rng = random.Random(seed)
    texts = [" ".join(rng.choices(WORDS, k=words)) for _ in range(64)]
    for i in range(count):
        title = " ".join(rng.choices(WORDS, k=8)) + f" {i}"
        yield {
            "paper_url": f"https://paperswithcode.com/paper/{title.replace(' ', '-')}",
            "arxiv_id": f"{i // 100_000 + 1000:04d}.{i % 100_000:05d}" if i % 4 else None,
            "nips_id": None,
            "openreview_id": None,
            "title": title,
            "abstract": f"{texts[i % 64]} {i}",
            "short_abstract": None,
            "url_abs": f"http://arxiv.org/abs/{i}",
            "url_pdf": f"http://arxiv.org/pdf/{i}.pdf",
            "proceeding": "CVPR 2022 6" if i % 3 == 0 else None,
            "authors": [f"Ada Author {i % 5000}", "Émile Écrivain"],
            "tasks": [f"Task {i % 3000}", "Image Classification"],
            "date": f"20{i % 25:02d}-{i % 12 + 1:02d}-{i % 28 + 1:02d}",
            "conference": None,
            "methods": [{"name": f"Method {i % 2000}", "full_name": "", "description": ""}],
        }


def write(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    """A gzipped JSON list, written a row at a time."""
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as out:
        out.write("[")
        for i, row in enumerate(rows):
            out.write(",\n" if i else "\n")
            json.dump(row, out, ensure_ascii=False)
        out.write("\n]\n")


def peak_mb() -> float:
    """Peak resident memory of this process, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(count: int, words: int) -> dict[str, Any]:
    """Generate, import, import again."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "papers-with-abstracts.json.gz"
        began = time.perf_counter()
        write(file, papers(count, words))
        made = time.perf_counter() - began
        before = peak_mb()
        with Store.open(Path(folder) / "board.db", create=True) as store:
            report = import_file(store, file)
            again = import_file(store, file)
            kept = store.papers.count()
        return {
            "papers": count,
            "words_of_each_abstract": words,
            "file_mb": file.stat().st_size / 1e6,
            "generated_s": made,
            "imported_s": report.seconds,
            "papers_per_second": report.records / report.seconds,
            "papers_on_the_board": kept,
            "quarantined": report.record.quarantined,
            "peak_memory_mb": peak_mb(),
            "peak_memory_before_import_mb": before,
            "board_mb": (Path(folder) / "board.db").stat().st_size / 1e6,
            "same_file_again_is_skipped": again.skipped,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--papers", type=int, default=500_000)
    parser.add_argument("--words", type=int, default=150, help="of each abstract")
    parser.add_argument("--out", type=Path, help="also write the figures as JSON")
    options = parser.parse_args()
    facts = measure(options.papers, options.words)
    for name, value in facts.items():
        print(f"{name:32} {value:.1f}" if isinstance(value, float) else f"{name:32} {value}")
    if options.out:
        about = {
            "command": "python benchmarks/board_import.py "
            f"--papers {options.papers} --words {options.words}",
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, shared with other work",
        }
        write_atomic(options.out, json.dumps({**about, **facts}, indent=1) + "\n")


if __name__ == "__main__":
    main()
