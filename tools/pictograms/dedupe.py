"""Near duplicates: the same drawing up to place, size and a little anti-aliasing."""

from __future__ import annotations

import numpy as np
from PIL import Image

SIDE = 16
THRESHOLD = 0.95
CHUNK = 2048


def signatures(images: np.ndarray) -> np.ndarray:
    """(n, 768) of (n, 32, 32, 3) uint8 images, for `nearest`.

    The ink is cropped to its box and shrunk to 16 x 16 RGB, then centred, at unit length.
    """
    out = np.empty((len(images), SIDE * SIDE * 3), np.float32)
    for row, image in enumerate(images):
        ink = 255 - image
        mask = ink.max(axis=2) > 40
        ys, xs = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if len(ys) == 0:
            ys = xs = np.arange(32)
        side = max(ys[-1] - ys[0], xs[-1] - xs[0]) + 1
        top = (ys[0] + ys[-1] + 1 - side) // 2
        left = (xs[0] + xs[-1] + 1 - side) // 2
        box = (int(left), int(top), int(left + side), int(top + side))
        crop = Image.fromarray(ink).crop(box).resize((SIDE, SIDE), Image.Resampling.BOX)
        out[row] = np.asarray(crop, np.float32).ravel()
    out -= out.mean(axis=1, keepdims=True)
    return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6)


def nearest(queries: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Highest correlation of every query (n, d) to the keys (m, d), and where it is."""
    best, where = np.full(len(queries), -1, np.float32), np.zeros(len(queries), np.int64)
    for start in range(0, len(queries), CHUNK):
        scores = queries[start : start + CHUNK] @ keys.T
        where[start : start + CHUNK] = scores.argmax(axis=1)
        best[start : start + CHUNK] = scores.max(axis=1)
    return best, where


def first_of_each(vectors: np.ndarray, threshold: float = THRESHOLD) -> np.ndarray:
    """Mask (n,) that keeps a row unless an earlier kept row is as close as `threshold`."""
    kept = np.zeros(len(vectors), bool)
    for start in range(0, len(vectors), CHUNK):
        block = vectors[start : start + CHUNK]
        earlier = vectors[:start][kept[:start]]
        free = nearest(block, earlier)[0] < threshold if len(earlier) else np.ones(len(block), bool)
        close = block @ block.T >= threshold
        for row in range(len(block)):
            copied = (close[row, :row] & kept[start : start + row]).any()
            kept[start + row] = free[row] and not copied
    return kept
