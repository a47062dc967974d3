"""SVG bodies to 32 x 32 RGB on white."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import resvg_py
from PIL import Image

SIDE = 32
ANIMATED = re.compile(r"<(animate|set[ >/])")


@dataclass(frozen=True, slots=True)
class Job:
    """One icon to draw: its SVG body and view box."""

    body: str
    left: float
    top: float
    width: float
    height: float


def job(icon: dict, defaults: dict) -> Job | None:
    """The drawing job of an Iconify entry; None when it is animated."""
    if ANIMATED.search(icon["body"]):
        return None

    def value(key: str, default: float) -> float:
        return icon.get(key, defaults.get(key, default))

    return Job(icon["body"], value("left", 0), value("top", 0), value("width", 16),
               value("height", 16))  # fmt: skip


def draw(one: Job) -> np.ndarray | None:
    """(32, 32, 3) uint8, or None when rendering fails or leaves (almost) no ink."""
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{SIDE}" height="{SIDE}" viewBox="{one.left} {one.top} {one.width} '
        f'{one.height}" color="#000000">{one.body.replace("currentColor", "#000000")}</svg>'
    )
    try:
        png = resvg_py.svg_to_bytes(svg_string=svg, width=SIDE, height=SIDE)
    except BaseException as error:  # a Rust panic is no Exception
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        return None
    picture = Image.open(io.BytesIO(bytes(png))).convert("RGBA")
    if picture.size != (SIDE, SIDE):
        return None
    white = Image.new("RGBA", picture.size, "white")
    pixels = np.asarray(Image.alpha_composite(white, picture).convert("RGB"))
    return pixels if (255.0 - pixels).mean() > 1.5 else None


def draw_all(jobs: Iterable[Job | None]) -> list[np.ndarray | None]:
    """`draw` over many jobs (one process; about 1 ms an icon)."""
    return [draw(one) if one is not None else None for one in jobs]


def sketch(values: np.ndarray) -> np.ndarray:
    """A QuickDraw drawing, (784,) in 0..1 with ink at 1, on a (32, 32, 3) white page."""
    page = np.full((SIDE, SIDE), 255, np.uint8)
    page[2:30, 2:30] = np.round(255 * (1 - np.clip(values.reshape(28, 28), 0, 1)))
    return np.repeat(page[:, :, None], 3, axis=2)
