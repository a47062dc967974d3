"""Write a folder of drawings with the mess that exported folders have, for docs and tests.

    python tools/messy_drawings.py DIR

DIR/train, DIR/test and DIR/pencil hold class folders of generated drawings: other sizes and modes
side by side, files that are no images, one damaged file, an image beside the class folders, a
drawing that is in train and in test, and a shifted set that lacks a class.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ("circle", "house", "star", "tree")
MODES = ("RGB", "RGBA", "L", "P")


def drawing(kind: str, seed: int, *, pencil: bool = False) -> Image.Image:
    """One drawing on a white sheet of its own size; by pencil in grey and without filling."""
    rng = np.random.default_rng([CLASSES.index(kind), seed])
    size = int(rng.choice([96, 128, 200]))
    sheet = Image.new("RGB", (size, size), (255, 255, 255))
    pen = ImageDraw.Draw(sheet)
    x, y = (int(v) for v in rng.integers(size // 3, size // 2, 2))
    r = int(rng.integers(12, size // 4))
    line = (90, 90, 90) if pencil else (0, 0, 0)
    fill = None if pencil else tuple(int(v) for v in rng.integers(40, 220, 3))
    if kind == "circle":
        pen.ellipse((x - r, y - r, x + r, y + r), fill, line)
    elif kind == "house":
        pen.rectangle((x - r, y, x + r, y + r), fill, line)
        pen.polygon([(x - r, y), (x + r, y), (x, y - r)], fill, line)
    elif kind == "star":
        pen.regular_polygon((x, y, r), 3, 0, fill, line)
        pen.regular_polygon((x, y, r), 3, 180, fill, line)
    else:
        pen.rectangle((x - 2, y, x + 2, y + r), fill, line)
        pen.ellipse((x - r, y - r, x + r, y), fill, line)
    return sheet


def write(root: Path, counts: dict[str, int], start: int, *, pencil: bool = False) -> None:
    """Class folders with so many drawings each, in mixed modes."""
    for kind, n in counts.items():
        (root / kind).mkdir(parents=True, exist_ok=True)
        for i in range(n):
            mode = "L" if pencil else MODES[(i // 5) % len(MODES) if i % 5 == 0 else 0]
            drawing(kind, start + i, pencil=pencil).convert(mode).save(root / kind / f"{i:03}.png")


def make(root: Path) -> None:
    """The whole folder."""
    write(root / "train", {"circle": 40, "house": 32, "star": 36, "tree": 21}, 0)
    write(root / "test", dict.fromkeys(CLASSES, 12), 1000)
    write(root / "pencil", dict.fromkeys(CLASSES[:3], 10), 2000, pencil=True)
    (root / "train" / "star" / "Thumbs.db").write_bytes(b"\0" * 64)
    (root / "train" / "tree" / "notes.txt").write_text("scanned in May\n")
    drawing("tree", 5000).save(root / "train" / "overview.png")
    whole = (root / "train" / "house" / "007.png").read_bytes()
    (root / "train" / "house" / "007.png").write_bytes(whole[: len(whole) // 2])
    shutil.copy(root / "train" / "circle" / "001.png", root / "test" / "circle" / "copy.png")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
