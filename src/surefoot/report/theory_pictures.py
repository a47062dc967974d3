"""The pictures of docs/theory.md as SVG files, from what ``theory.json`` holds. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..drawing.standalone import standalone_svg
from .theory_page import eps_figure, time_figures

__all__ = ["theory_pictures"]


def theory_pictures(result: Mapping[str, Any]) -> dict[str, str]:
    """Losses at the end against eps, and over time at every eps.

    Args:
        result: What ``surefoot.theory.run_study`` returned, or ``theory.json`` holds.

    Returns:
        File name -> SVG.
    """
    eps = result["setting"]["eps"]
    pairs = [time_figures(result["curves"], i, e) for i, e in enumerate(eps)]
    # A column per eps, OOD above ID.
    times = [pair[row] for row in range(2) for pair in pairs]
    return {
        "theory-ends.svg": standalone_svg(
            [eps_figure(result, loss) for loss in ("ood", "id")],
            "OOD and ID loss at the end against eps",
            columns=2,
        ),
        "theory-times.svg": standalone_svg(
            times, "OOD and ID loss over time at every eps", columns=len(eps), gap=(14, 20)
        ),
    }
