"""WiSE-FT's published sweeps over alpha."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from .files import rows_of

__all__ = ["Sweep", "sweep", "sweeps"]

_SWEEP = "wise_ft_alpha_sweep.csv"
_SWEEP_COLUMNS = ("IN", "V2", "R", "Sketch", "ObjectNet", "A", "avg_shifts")


@dataclass(frozen=True)
class Sweep:
    """A published sweep of WiSE-FT over alpha.

    Attributes:
        model: The encoder, "ViT-B/16".
        mode: "e2e": the whole model was tuned.
        alphas: As printed.
        values: Column ("IN", "V2", ..., "avg_shifts") -> value as printed, one per alpha.
        file: Of this package.
    """

    model: str
    mode: str
    alphas: tuple[str, ...]
    values: dict[str, tuple[str, ...]] = field(hash=False)
    file: str


@lru_cache(maxsize=1)
def sweeps() -> tuple[Sweep, ...]:
    """Every published sweep, in the file's order."""
    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in rows_of(_SWEEP):
        groups.setdefault((row["model"], row["mode"]), []).append(row)
    return tuple(
        Sweep(
            model,
            mode,
            tuple(r["alpha"] for r in rows),
            {c: tuple(r[c] for r in rows) for c in rows[0] if c in _SWEEP_COLUMNS},
            _SWEEP,
        )
        for (model, mode), rows in groups.items()
    )


def sweep(model: str, column: str) -> dict[float, float]:
    """WiSE-FT's published sweep: alpha -> points of a hundred; empty where none is transcribed.

    Args:
        model: "ViT-L/14@336" or "ViT-B/16", with or without "CLIP ".
        column: "IN", "V2", "R", "Sketch", "ObjectNet", "A" or "avg_shifts".
    """
    return {
        float(alpha): float(value)
        for one in sweeps()
        if one.model == model.removeprefix("CLIP ")
        for alpha, value in zip(one.alphas, one.values.get(column, ()), strict=False)
        if value
    }
