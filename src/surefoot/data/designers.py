"""Who drew the pictograms: several sets of icons may have one designer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["FAMILIES", "designers"]

_STREAMLINE = (
    "streamline streamline-block streamline-color streamline-cyber streamline-cyber-color "
    "streamline-emojis streamline-flex streamline-flex-color streamline-freehand "
    "streamline-freehand-color streamline-kameleon-color streamline-pixel streamline-plump "
    "streamline-plump-color streamline-sharp streamline-sharp-color streamline-stickies-color "
    "streamline-ultimate streamline-ultimate-color guidance covid"
)
FAMILIES: Mapping[str, tuple[str, ...]] = {
    designer: tuple(sets.split())
    for designer, sets in {
        "boxicons": "boxicons bx bxs",
        "gerrit-halfmann": "majesticons pixelarticons",
        "glyphs": "glyphs glyphs-poly",
        "icon-park": "icon-park icon-park-outline icon-park-solid icon-park-twotone",
        "ionicons": "ion famicons",
        "noto": "noto noto-v1",
        "pinhead": "pinhead maki temaki",
        "praveen-juge": "mynaui vadivam",
        "streamline": _STREAMLINE,
        "unicons": "uil uim uis uit",
    }.items()
}
"""Designer -> sets, where there are several; any other set is one designer's.

The families of ``tools/pictograms/allocation.py``, which a test compares. The column ``author`` is
whom a licence names, and something else: Google is named for Noto and for QuickDraw's sketches.
"""

_SKETCHES = "quickdraw"
_DESIGNER = {name: designer for designer, sets in FAMILIES.items() for name in sets}


def designers(sets: ArrayLike, ids: ArrayLike) -> NDArray[np.str_]:
    """The designer of every image, (n,), called the same in every split.

    A sketch of QuickDraw was drawn by one of millions of players, whose names are not published:
    each is taken for another person's, and is its own designer.

    Args:
        sets: (n,) names of icon sets.
        ids: (n,) names of the images.

    Example:
        >>> sf.data.designers.designers(["noto-v1", "ri"], ["noto-v1:bell", "ri:bell"]).tolist()
        ['noto', 'ri']
    """
    rows = zip(np.asarray(sets).tolist(), np.asarray(ids).tolist(), strict=True)
    return np.array([i if s == _SKETCHES else _DESIGNER.get(s, s) for s, i in rows], np.str_)
