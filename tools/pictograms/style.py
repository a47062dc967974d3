"""Outline or solid, by looking: how much of the ink lies deep inside a shape."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
from PIL import Image

from .catalogue import Row

# Share of deep ink (2.5 px of ink on every side at 32 px) above which a drawing is not outline.
THICK = 0.10
# A solid drawing needs some deep ink where most solid drawings of its concept have this share.
MASSIVE = 0.15
REACH = 5  # pixels at double size


def deep_share(image: np.ndarray) -> float:
    """Share of the ink of (32, 32, 3) that has ink all around it, 0 for thin lines."""
    grey = Image.fromarray(255 - image).convert("L").resize((64, 64), Image.Resampling.BILINEAR)
    ink = np.pad(np.asarray(grey) > 110, REACH)
    deep = ink.copy()
    for dy in range(-REACH, REACH + 1):
        for dx in range(-REACH, REACH + 1):
            if dx * dx + dy * dy <= REACH * REACH:
                deep &= np.roll(ink, (dy, dx), (0, 1))
    return float(deep.sum() / max(ink.sum(), 1))


def corrected(rows: list[Row]) -> list[Row]:
    """Thick "outline" icons become solid; lines among the solids of massive concepts leave."""
    shares = {r.id: deep_share(r.image) for r in rows if r.domain in ("outline", "solid")}
    rows = [
        replace(r, domain="solid") if r.domain == "outline" and shares[r.id] > THICK else r
        for r in rows
    ]
    by_concept = defaultdict(list)
    for row in rows:
        if row.domain == "solid":
            by_concept[row.concept].append(shares[row.id])
    massive = {c for c, values in by_concept.items() if np.median(values) >= MASSIVE}
    return [
        r for r in rows
        if r.domain != "solid" or r.concept not in massive or shares[r.id] > 0
    ]  # fmt: skip
