"""What it costs to know every image by its content: the check before a run, with it and without.

    python benchmarks/identity.py [--folder DIR] [--images 400] [--size 500x400] [--repeats 7]

The check reads and decodes every image; beside that it hashes the bytes that it read (SHA-256) and
notes 32 bytes an image. Both ways take turns, repeat by repeat, in one process and one thread, on
JPEG files of noisy gradients (or those of a folder of class folders) that are in the page cache, so
that reading is as cheap as it can be. Times are of the processor, not of the clock, since other
work shares the machine. The bar is 1.05.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from surefoot.data import check as checking
from surefoot.data.folder import from_folder
from surefoot.data.images import FileImages, decode
from surefoot.data.sequence import underlying
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


def seconds(folder: Path, images: int, *, known: bool) -> float:
    """Of the processor, for one check of the images, read anew."""
    split = from_folder(folder, name="x", domain="ID", use="test")
    split = split.subset(images, seed=0)
    source, rows = underlying(split.images, np.arange(len(split)))
    assert isinstance(source, FileImages)
    began = time.process_time()
    if known:
        assert not checking.check_images(split, workers=1)
    else:
        for row in rows.tolist():
            decode(source.read(row))
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="A folder of class folders; else drawn ones.")
    parser.add_argument("--images", type=int, default=400)
    parser.add_argument("--size", default="500x400")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    with tempfile.TemporaryDirectory(prefix="surefoot-identity-") as place:
        folder = options.folder or Path(place) / "drawn"
        if options.folder is None:
            draw(folder, options.images, (width, height))
        seconds(folder, options.images, known=True)  # into the page cache
        pairs = [
            (seconds(folder, options.images, known=False), seconds(folder, options.images,
                                                                   known=True))
            for _ in range(options.repeats)
        ]  # fmt: skip
        files = [p for p in folder.rglob("*") if p.is_file()]
        size = statistics.mean(p.stat().st_size for p in files)
    ratios = sorted(known / plain for plain, known in pairs)
    found: dict[str, Any] = {
        "command": "python benchmarks/identity.py"
        + (f" --folder {options.folder.name}" if options.folder else f" --size {options.size}")
        + f" --images {options.images} --repeats {options.repeats}",
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, shared with other work; times of the processor",
        "images": options.images,
        "bytes_an_image": round(size),
        "plain_ms_an_image": [1000 * plain / options.images for plain, _ in pairs],
        "known_ms_an_image": [1000 * known / options.images for _, known in pairs],
        "ratio_median": statistics.median(ratios),
        "ratio_range": [ratios[0], ratios[-1]],
        "bytes_kept_an_image": 33,
    }
    text = json.dumps(found, indent=1) + "\n"
    write_atomic(options.out or RESULTS / "identity.json", text)
    print(f"reading and decoding with identity: {found['ratio_median']:.3f} times as long "
          f"({ratios[0]:.3f} to {ratios[-1]:.3f}), {size:,.0f} bytes an image")  # fmt: skip


if __name__ == "__main__":
    main()
