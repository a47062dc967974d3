"""Writes a large archive file and imports it; run as a process of its own, so that memory counts.

Prints one JSON object: records, seconds, peak resident memory before and after, MB.
"""

from __future__ import annotations

import json
import resource
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

from surefoot.board import Store
from surefoot.board.archive.importer import import_file

BLOCK = 2000


def record(i: int) -> str:
    """One paper as JSON."""
    title = "null" if i % 1000 == 999 else f'"Paper {i} \u2014 on things"'
    return (
        f'{{"paper_url":"https://paperswithcode.com/paper/p-{i}","arxiv_id":null,"title":{title},'
        f'"abstract":"Short words on subject {i % 97}.","authors":["Ada A{i % 500}"],'
        f'"tasks":["Task {i % 300}"],"date":"2020-01-{i % 28 + 1:02d}","methods":[]}}'
    )


def lines(count: int) -> Iterator[bytes]:
    """The file's text, some records at a time. One in 1,000 has no title."""
    yield b"["
    for start in range(0, count, BLOCK):
        rows = (record(i) for i in range(start, min(start + BLOCK, count)))
        yield (",\n" if start else "\n").encode() + ",\n".join(rows).encode()
    yield b"\n]\n"


def write(path: Path, count: int) -> None:
    """Gzip on the way: the text is never whole in memory."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    with open(path, "wb") as out:
        for block in lines(count):
            out.write(packer.compress(block))
        out.write(packer.flush())


def peak() -> float:
    """Peak resident memory of this process, MB."""
    unit = 1024 if sys.platform != "darwin" else 1024 * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def main(folder: Path, count: int) -> None:
    """Write, import, say what it took."""
    file = folder / "papers-with-abstracts.json.gz"
    write(file, count)
    before = peak()
    with Store.open(folder / "board.db", create=True) as store:
        report = import_file(store, file)
        facts = {
            "records": report.records,
            "seconds": report.seconds,
            "papers": store.papers.count(),
            "quarantined": report.record.quarantined,
            "reasons": dict(report.reasons),
            "found": [h.title for h in store.search(f"paper {count - 2}", kinds=["paper"])],
        }
    print(json.dumps({**facts, "before": before, "after": peak()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
