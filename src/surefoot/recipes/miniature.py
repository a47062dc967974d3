"""Any recipe in seconds: generated miniatures of its data sets, a tiny model, one epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..data.known.base import KnownDataset
from ..data.known.facts import miniature_mark
from ..data.known.find import parse_known
from ..errors import RecipeError
from .recipe import Recipe, parse_recipe

__all__ = ["miniature", "write_miniatures"]

SEED = 0

_TUNED = {"epochs": 1, "batch_size": 16, "warmup_steps": 0}
_PROBED = {"c_path": [0.01, 1.0], "max_iter": 20}
_IMAGES = 32
"""Training images; few-shot recipes have one of each class instead, and probes need them all."""

_TRIED = 2
"""Learning rates that a search keeps."""


def miniature(recipe: Recipe, root: str | Path) -> Recipe:
    """The same experiment on generated data with a tiny model, so that it ends in seconds.

    What is kept: methods, what of them trains and how, splits, shifts, class maps, metrics, rules.
    What shrinks: images, model, epochs, batches, prompts (one), alphas (three), seeds (one), the
    search for a learning rate and the probe's path of C.

    Args:
        recipe: Whose data sets are all published ones.
        root: An empty or new folder; the miniatures are written there.

    Raises:
        RecipeError: A split is no published data set, so it has no miniature.
    """
    write_miniatures(recipe, Path(root))
    plain = recipe.to_dict()
    plain["name"] = f"miniature of {recipe.spec.name}"
    plain["model"] = "tiny-clip" if _has_text(recipe) else "tiny-dino"
    plain["methods"] = [_small(m) for m in plain["methods"]]
    few = plain["data"].get("few_shot")
    plain["data"] |= {
        "root": str(root), "templates": "single", "val_fraction": 0.5, "repeats": None,
        "chosen_on_test": True,  # generated pictures repeat
        "few_shot": None if few is None else 1,
        "limit_train": None if few is not None or _probes(recipe) else _IMAGES,
    }  # fmt: skip
    if recipe.spec.data.val is None and not _can_be_cut(recipe, Path(root)):
        plain["data"]["val"] = plain["data"]["test"]
    plain["seeds"] = plain["seeds"][:1]
    plain["batch_size"], plain["workers"] = 32, 0
    if plain["path"] is not None:
        plain["path"]["alphas"] = [0.0, recipe.spec.path.fixed if recipe.spec.path else 0.5, 1.0]
    if plain["tune"] is not None:
        rates = plain["tune"]["lr"]
        plain["tune"] = {"lr": rates if rates == "auto" else rates[:_TRIED], "epochs": 1}
    return parse_recipe(plain, where=plain["name"])


def write_miniatures(recipe: Recipe, root: Path) -> None:
    """Write a miniature of every data set that a recipe names, where there is none yet.

    Raises:
        RecipeError: A split is no published data set.
    """
    problems: list[str] = []
    for place, spec in _specs(recipe):
        known = parse_known(spec)
        if known is None:
            problems.append(f"{place}: {spec} is no published data set, so it has no miniature")
            continue
        _write(known.known, root)
        control = parse_known(known.known.control or "")
        if known.split == "control" and control is not None:
            _write(control.known, root)
    if problems:
        raise RecipeError(problems, where=recipe.spec.name)


def _write(known: KnownDataset, root: Path) -> None:
    """Once each, also where two data sets share a folder."""
    folder = root / known.folders[0]
    if known.name not in (miniature_mark(folder) or {}):
        known.miniature(folder, SEED)


def _specs(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """(place in the recipe, spec) of every split."""
    data = recipe.spec.data
    for role in ("train", "val", "test"):
        if spec := getattr(data, role):
            yield f"data.{role}", spec
    for name, spec in data.shifts.items():
        yield f"data.shifts.{name}", spec


def _probes(recipe: Recipe) -> bool:
    """Does a method fit a linear probe, which wants an image of every class?"""
    return any("lp" in method.name.split("-") for method in recipe.methods)


def _can_be_cut(recipe: Recipe, root: Path) -> bool:
    """Has the miniature of the training set two images of a class, as validation needs?"""
    spec = parse_known(recipe.spec.data.train)
    mark = miniature_mark(root / spec.known.folders[0]) if spec is not None else None
    if spec is None or mark is None:
        return True
    counts = mark[spec.known.name]["splits"].get(spec.split_for("train"), {})
    images, classes = counts.get("images"), counts.get("classes")
    return not (images and classes and images <= classes)


def _has_text(recipe: Recipe) -> bool:
    """A tiny model with a text tower in the place of one; timm's encoders have none."""
    return not recipe.spec.model.startswith("timm:") and recipe.spec.model != "tiny-dino"


def _small(value: Any) -> Any:
    """A method's plain data with short schedules, short probes and the tiny text encoder."""
    if isinstance(value, list):
        return [_small(v) for v in value]
    if not isinstance(value, Mapping):
        return value
    out = {key: _small(v) for key, v in value.items()}
    if "batch_size" in out and "epochs" in out:
        out |= _TUNED
    if "c_path" in out:
        out |= _PROBED
    if "text" in out and isinstance(out["text"], str):
        out["text"] = "tiny-clip"
    return out
