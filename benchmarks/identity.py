"""What it costs to know every image by its content, beside reading and decoding it.

    python benchmarks/identity.py [--folder DIR] [--images 400] [--size 500x400] [--repeats 9]

The check before a run reads and decodes every image; beside that it hashes the bytes that it read
(SHA-256) and notes 32 bytes an image. The four steps are timed one by one, in turns, in one process
and one thread, on JPEG files of noisy gradients (or those of a folder of class folders) that are in
the page cache, so that reading is as cheap as it can be. Times are of the processor, not of the
clock, and the least of the repeats counts, since other work shares the machine. The bar is 5 %.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from surefoot.data.folder import from_folder
from surefoot.data.images import FileImages, decode
from surefoot.data.sequence import keep_identity, underlying
from surefoot.records import write_atomic

RESULTS = Path(__file__).parent / "results"


def draw(folder: Path, images: int, size: tuple[int, int]) -> None:
    """JPEG files, quality 90, of a smooth gradient with noise: about as large as photographs."""
    width, height = size
    (folder / "one").mkdir(parents=True)
    for i in range(images):
        rng = np.random.default_rng(i)
        corners = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
        smooth = np.asarray(corners.resize((width, height), Image.Resampling.BICUBIC), np.int16)
        noisy = smooth + rng.integers(-12, 13, (height, width, 3))
        picture = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
        picture.save(folder / "one" / f"{i}.jpg", quality=90)


def steps(images: FileImages, rows: list[int]) -> dict[str, Callable[[], object]]:
    """What is timed: every step does its part for all images."""
    data = [images.read(row) for row in rows]
    digest = hashlib.sha256(b"").digest()
    return {
        "read": lambda: [images.read(row) for row in rows],
        "decode": lambda: [decode(part) for part in data],
        "hash": lambda: [hashlib.sha256(part).digest() for part in data],
        "note": lambda: [keep_identity(images, row, digest) for row in rows],
    }


def seconds(step: Callable[[], object]) -> float:
    """Of the processor."""
    began = time.process_time()
    step()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="A folder of class folders; else drawn ones.")
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--size", default="500x400")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    with tempfile.TemporaryDirectory(prefix="surefoot-identity-") as place:
        folder = options.folder or Path(place) / "drawn"
        if options.folder is None:
            draw(folder, options.images, (width, height))
        split = from_folder(folder, name="x", domain="ID", use="test")
        split = split.subset(options.images, seed=0)
        source, rows = underlying(split.images, np.arange(len(split)))
        assert isinstance(source, FileImages)
        timed = steps(source, rows.tolist())
        turns = [{k: seconds(step) for k, step in timed.items()} for _ in range(options.repeats)]
        size = statistics.mean(len(source.read(row)) for row in rows.tolist())
    least = {k: 1e6 * min(turn[k] for turn in turns) / len(rows) for k in timed}
    share = (least["hash"] + least["note"]) / (least["read"] + least["decode"])
    found: dict[str, Any] = {
        "command": "python benchmarks/identity.py"
        + (f" --folder {options.folder.name}" if options.folder else f" --size {options.size}")
        + f" --images {options.images} --repeats {options.repeats}",
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, shared with other work; times of the processor",
        "images": len(rows),
        "bytes_an_image": round(size),
        "least_us_an_image": {k: round(v, 2) for k, v in least.items()},
        "share": share,
        "bytes_kept_an_image": 33,
    }
    text = json.dumps(found, indent=1) + "\n"
    write_atomic(options.out or RESULTS / "identity.json", text)
    print(f"identity costs {100 * share:.1f} % of reading and decoding, {size:,.0f} bytes an image")


if __name__ == "__main__":
    main()
