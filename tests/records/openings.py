"""What the artefacts say when they are opened, each by the commands that a user would type.

The working folder holds a copy of ``artefacts/``. Every command must succeed, at once or after
the migration that its message names (``commands.surefoot``).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from surefoot.board.store.store import Store
from surefoot.runs import open_study

from .commands import surefoot
from .reading import of_rows, of_study, of_weights

__all__ = ["OPENINGS", "SHAPES", "settle"]

SHAPES = ("--train", "shapes/train", "--val", "shapes/val", "--test", "shapes/test",
          "--shift", "recoloured=shapes/recoloured", "--device", "cpu")  # fmt: skip


def settle() -> None:
    """Give the images the time of change that they had when the artefacts were written."""
    for file in Path("shapes").rglob("*.png"):
        os.utime(file, (1_700_000_000, 1_700_000_000))


def _lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def _page(*folders: str) -> int:
    """Render a report; how many charts it has is no number of the run, so only that it is one."""
    file = Path(surefoot("report", *folders).out.strip())
    assert "<svg" in file.read_text(encoding="utf-8")
    return len(folders)


def run() -> dict[str, Any]:
    """A run with a path: read, shown, scored at a chosen alpha, asked, exported, left alone."""
    found: dict[str, Any] = {"read": of_study("run"), "pages": _page("run")}
    found["compare"] = of_rows(_lines(surefoot("compare", "run", "--json").out))
    for alpha in ("fixed", "id_val", "0.25"):
        said = surefoot("eval", "run", "--alpha", alpha, *SHAPES, "--json").out
        found[f"eval {alpha}"] = of_rows(_lines(said))
    found["predict"] = _lines(surefoot("predict", "run", "shapes/test/bar", "--json").out)
    surefoot("export", "run", "--to", "safetensors", "--alpha", 0.5, "-o", "again.safetensors")
    found["export"] = of_weights("again.safetensors")
    assert "finished already" in surefoot("fit", "run/recipe.yaml", "--out", "run", "--resume").err
    return found


def study() -> dict[str, Any]:
    """A study of three methods and two seeds, with images on which they disagree."""
    examples = [[e["split"], e["id"], e["predictions"]] for e in open_study("study").examples()]
    found = {"read": of_study("study"), "examples": examples, "pages": _page("study")}
    found["compare"] = of_rows(_lines(surefoot("compare", "study", "--json").out))
    surefoot("compare", "study", "run", "--out", "beside.html")
    return found


def aligned() -> dict[str, Any]:
    """A study of language supervision: adapters, a control, nearest neighbours."""
    facts = json.loads(Path("aligned", "align.json").read_text())
    return {"read": of_study("aligned"), "pairs": facts["pairs"], "pages": _page("aligned")}


def swept() -> dict[str, Any]:
    """What ``surefoot sweep --adaptive --out`` wrote."""
    return {"read": of_study("swept"), "pages": _page("swept")}


def interrupted() -> dict[str, Any]:
    """A run that was stopped in its last epoch, with its checkpoint: gone on with."""
    assert json.loads(Path("interrupted", "run.json").read_text())["status"] == "interrupted"
    said = surefoot("fit", "interrupted/recipe.yaml", "--out", "interrupted", "--resume").err
    assert "resumed after epoch 2 of 3" in said, said
    return {"read": of_study("interrupted")}


def board() -> dict[str, Any]:
    """A board with the rows of the run and the study: read, exported, added to."""
    again = surefoot("board", "add", "run", "study", "--board", "board.sqlite").out
    with Store.open("board.sqlite", read_only=True) as store:
        found: dict[str, Any] = {"totals": dict(store.totals())}
    surefoot("board", "export", "exported-board", "--board", "board.sqlite", "--data-only", "--toy")
    tables = json.loads(Path("exported-board", "evaluation-tables.json").read_text())
    return {**found, "again": again.splitlines(), "tables": _without_dates(tables)}


def _without_dates(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_dates(v) for k, v in value.items() if "date" not in k}
    return [_without_dates(v) for v in value] if isinstance(value, list) else value


def packed() -> dict[str, Any]:
    """A packed study, as ``board pack`` wrote it, onto the board."""
    said = surefoot("board", "add", "packed.json", "--board", "board.sqlite").out
    return {"said": said.splitlines()}


def cache() -> dict[str, Any]:
    """Cached features: listed; not taken up, since names and dates no longer say whose they are."""
    listed = _lines(surefoot("cache", "ls", "--dir", "cache", "--json").out)
    before = sorted(p.name for p in Path("cache").glob("*.npy"))
    os.environ["SUREFOOT_CACHE"] = str(Path("cache").resolve())
    try:
        said = surefoot("eval", "models/small-dino.safetensors", *SHAPES, "--evaluator", "knn",
                        "-k", 3, "--protocol", "model", "--json").out  # fmt: skip
    finally:
        del os.environ["SUREFOOT_CACHE"]
    after = sorted(p.name for p in Path("cache").glob("*.npy"))
    return {
        "listed": sorted([e["file"], e["bytes"], e["finished"], e["about"]] for e in listed),
        "computed anew": len(set(after) - set(before)),
        "knn": of_rows(_lines(said)),
    }


def files() -> dict[str, Any]:
    """Models in one file, a merged one, a recipe of a merge: loaded, scored, carried out."""
    places = [*sorted(map(str, Path("models").iterdir())), "exported.safetensors", "virtual.json"]
    found: dict[str, Any] = {place: of_weights(place) for place in places}
    surefoot("merge", "virtual.json", "-o", "carried-out.safetensors")
    found["carried out"] = of_weights("carried-out.safetensors")
    said = surefoot("eval", "exported.safetensors", *SHAPES, "--json").out
    return {**found, "eval": of_rows(_lines(said))}


def recipes() -> dict[str, Any]:
    """Recipes as a user writes them, and as runs store them: checked as ``fit`` checks them."""
    places = sorted([*Path("recipes").iterdir(), *Path().glob("*/recipe.yaml")])
    return {p.as_posix(): surefoot("check", p).status for p in places}


def claims() -> dict[str, Any]:
    """The answers of a study of the claims: its pages are made again."""
    surefoot("claims", "--from", "claims/claims.json", "--document", "claims.md")
    text = Path("claims.md").read_text(encoding="utf-8")
    assert "WiSE-FT costs nothing extra" in text
    return {"pictures": sorted(p.name for p in Path("claims").glob("*.svg"))}


OPENINGS: dict[str, Callable[[], dict[str, Any]]] = {
    opening.__name__: opening
    for opening in (
        run,
        study,
        aligned,
        swept,
        interrupted,
        board,
        packed,
        cache,
        files,
        recipes,
        claims,
    )
}
