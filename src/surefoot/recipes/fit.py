"""``surefoot.fit``: what the command line's ``fit`` does, from Python."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from ..data.dataset import Task
from ..data.prompts import read_names
from ..errors import RecipeError
from ..methods.base import Method, Scheduled, as_dict
from ..methods.own import OWN, register_class
from ..models.model import Model
from ..progress import watched
from ..registry import METHODS
from ..runs import Study
from . import experiment
from .recipe import Recipe, parse_recipe

__all__ = ["default_folder", "fit", "recipe_of"]

Spec = str | os.PathLike[str]


def fit(
    *,
    model: str | Model,
    method: str | Method | Sequence[str | Method],
    train: Spec | None = None,
    val: Spec | None = None,
    test: Spec | None = None,
    shifts: Mapping[str, Spec] | None = None,
    class_maps: Mapping[str, Spec] | None = None,
    templates: str | Sequence[str] | None = None,
    names: Spec | Mapping[str, str] | Sequence[str] | None = None,
    metric: str | None = None,
    unit: str | None = None,
    data_root: Spec | None = None,
    val_fraction: float | None = None,
    skip_bad: bool = False,
    chosen_on_test: bool = False,
    strict: bool = False,
    limit: int | None = None,
    task: Task | None = None,
    wise: bool = True,
    head: Literal["zero_shot", "random", "zeros"] | None = None,
    epochs: int | None = None,
    lr: float | Literal["auto"] | None = None,
    batch_size: int | None = None,
    decayed: Literal["all", "matrices"] | None = None,
    few_shot: int | None = None,
    repeats: int | None = None,
    knn: bool = False,
    alphas: int | Sequence[float] = 11,
    seeds: int | Sequence[int] = 0,
    out: Spec | None = None,
    resume: bool = False,
    keep_going: bool = False,
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto",
    compile: bool = False,  # noqa: A002 - as the command line calls it
    device: str = "auto",
    eval_batch_size: int | None = None,
    workers: int | Literal["auto"] = "auto",
    progress: bool | None = None,
    say: Callable[[str], None] | None = None,
) -> Study:
    """Fit one or more methods: check the data, train, sweep the path, choose alpha, score.

    The folder keeps everything: recipe, environment, log, predictions, scores with intervals, both
    ends of the path. :func:`surefoot.render` writes its report.

    Args:
        model: "tiny-clip", "open_clip:ARCH/TAG", "timm:NAME", a file, a run; or a Model.
        method: Names (:data:`surefoot.registry.METHODS`) or methods, one or several.
        train: Training images: a folder of class folders, a table, "hf:NAME", "wds:SHARDS", or the
            name of a data set.
        val: ID validation; without it a stratified cut of ``train``.
        test: ID test; without it a stratified cut of ``train``.
        shifts: Name -> shifted test set. None: synthetic corruptions.
        class_maps: Name of a shift -> YAML file of ``shift class: task class``.
        templates: Prompt templates, or the name of a set, or a text file.
        names: What prompts call the classes: class -> name, one per class, or a file of either.
        metric: Of the ID splits; None: the data set's own, or top1.
        unit: What says which images hang together: a column of the metadata, or "folder:1", the
            folder of each file. None: what a set brings, else each image is independent.
        data_root: Holds published data sets; None: the environment variable SUREFOOT_DATA.
        val_fraction: Share of each class that a missing val or test is cut from; None: a tenth.
        skip_bad: Leave unreadable images out.
        chosen_on_test: Allow validation that is made of test images; every output names it.
        strict: Refuse whatever would be guessed about data and model.
        limit: At most so many images per split, stratified, seeded.
        task: Instead of everything about data above.
        wise: Sweep the WiSE-FT path from the pretrained to the tuned model.
        head: Where trained heads start; "zero_shot" needs a text tower.
        epochs: Passes over the training images, for every schedule.
        lr: Peak learning rate, or "auto": chosen on ID validation.
        batch_size: Images per optimiser step.
        decayed: What weight decay pulls: "all" that trains, or "matrices": not norms and biases.
            None: as the method has it.
        few_shot: Keep so many training and validation images per class, drawn by the seed.
        repeats: Runs of each method, with the seeds 0 to n - 1.
        knn: Also score kNN on the features of each end.
        alphas: How many positions on the path, or which.
        seeds: One or more.
        out: A new folder; None: runs/MODEL-METHOD.
        resume: Go on in a folder that is there.
        keep_going: Where one method fails, the others run all the same; the study names it.
        precision: Of the forward and backward passes.
        compile: Compile the training step (torch.compile): a minute at first, faster after.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        eval_batch_size: Images per forward pass in evaluation; None: by device and image size.
        workers: Processes that load images.
        progress: Bars; None: where somebody watches, in a terminal or a notebook.
        say: Takes lines for people; None keeps quiet.

    Returns:
        The study, which shows itself; ``.runs`` has a run per method and seed.

    Raises:
        RecipeError: With every problem of the arguments.
        DataError: Images, labels or class maps.
        ModelError: The model lacks what a method needs.
        RunError: The folder exists, and ``resume`` was not asked for.

    Example:
        >>> data = {"train": "photos/train", "shifts": {"night": "photos/night"}, "limit": 9}
        >>> study = sf.fit(model="tiny-clip", method="ft", epochs=1, **data, alphas=2)
        >>> [(run.facts["method"], run.status) for run in study.runs]
        [('ft', 'trial')]
    """
    recipe = recipe_of(locals(), where="the arguments of fit")
    return experiment.run_recipe(
        recipe,
        Path(out or default_folder(recipe)),
        resume=resume,
        progress=watched() if progress is None else progress,
        task=None if task is None else task.subset(train=limit, evaluation=limit),
        start=None if isinstance(model, str) else model,
        say=say,
        strict=strict,
        keep_going=keep_going,
    )


def recipe_of(asked: Mapping[str, Any], *, where: str) -> Recipe:
    """The recipe of what :func:`fit` was asked.

    Args:
        asked: Its arguments, by name.
        where: Who asked, for messages.

    Raises:
        RecipeError: With every problem of the arguments.
    """
    method, model, task, lr = (asked[name] for name in ("method", "model", "task", "lr"))
    several = [method] if isinstance(method, (str, Method)) else list(method)
    named = model if isinstance(model, str) else model.spec.source or model.spec.name
    rates = {} if lr is None or lr == "auto" else {"lr": lr}
    sizes = {name: asked[name] for name in ("epochs", "batch_size", "decayed")}
    changes = {**{k: v for k, v in sizes.items() if v is not None}, **rates}
    methods = [_plain(m, changes, asked["head"]) for m in several]
    names = [str(m["name"]) for m in methods]
    templates, alphas = asked["templates"], asked["alphas"]
    repeats, seeds = asked["repeats"], asked["seeds"]
    grid = alphas if isinstance(alphas, int) else list(alphas)
    called = asked["names"]
    called = read_names(called) if isinstance(called, (str, os.PathLike)) else called
    data = {
        "train": _text(asked["train"]) if task is None else task.name,
        "val": _text(asked["val"]),
        "test": _text(asked["test"]),
        "shifts": {k: _text(v) for k, v in (asked["shifts"] or {}).items()},
        "class_maps": {k: _text(v) for k, v in (asked["class_maps"] or {}).items()},
        "templates": list(templates) if isinstance(templates, tuple) else templates,
        "prompt_names": list(called) if isinstance(called, tuple) else called,
        "metric": asked["metric"],
        "unit": asked["unit"],
        "root": _text(asked["data_root"]),
        "skip_bad": asked["skip_bad"],
        "limit_train": asked["limit"],
        "limit_eval": asked["limit"],
        "few_shot": asked["few_shot"],
        "repeats": repeats,
        "chosen_on_test": asked["chosen_on_test"],
        **({} if asked["val_fraction"] is None else {"val_fraction": asked["val_fraction"]}),
    }
    plain: dict[str, Any] = {
        "name": " and ".join(names) + f" of {named}",
        "model": named,
        "data": data,
        "methods": methods,
        "path": {"alphas": grid} if asked["wise"] else None,
        "evaluate": ["head", "knn"] if asked["knn"] else ["head"],
        **({} if repeats and seeds == 0 else {"seeds": _listed(seeds)}),
        "device": asked["device"],
        "precision": asked["precision"],
        "batch_size": asked["eval_batch_size"],
        "workers": asked["workers"],
        "compile": asked["compile"],
        **({"tune": {"lr": "auto"}} if lr == "auto" else {}),
        **_own(methods),
    }
    if (task is None) == (asked["train"] is None):
        raise RecipeError(["data.train: give train (with val, test, shifts), or task"], where=where)
    return parse_recipe(plain, where=where)


def default_folder(recipe: Recipe) -> str:
    """Where the run goes unless it is said: "runs/MODEL-METHOD"."""
    names = [str(as_dict(method)["name"]) for method in recipe.methods]
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", "-".join([recipe.spec.model, *names]))
    return "runs/" + slug.strip("-").lower()


def _text(spec: Spec | None) -> str | None:
    return None if spec is None else os.fspath(spec)


def _listed(seeds: int | Sequence[int]) -> list[int]:
    return [seeds] if isinstance(seeds, int) else list(seeds)


def _own(methods: Sequence[Any]) -> dict[str, Any]:
    """The files of methods of one's own, nested ones too, as a recipe records them."""
    found: dict[str, str] = {}

    def walk(value: Any) -> None:
        if isinstance(value, Mapping):
            if value.get("name") in OWN:
                found[value["name"]] = OWN[value["name"]].sha256
            for inner in value.values():
                walk(inner)

    for method in methods:
        walk(method)
    return {"own_methods": found} if found else {}


def _plain(method: str | Method, changes: Mapping[str, Any], head: str | None) -> dict[str, Any]:
    """A method with the options that apply to it: its schedules and its heads, nested ones too."""
    if isinstance(method, Method):
        register_class(type(method))
        if changes and isinstance(method, Scheduled):
            method = replace(method, **changes)
        plain = as_dict(method)
        _set(plain, {} if isinstance(method, Scheduled) else changes, head)
        return plain
    if method not in METHODS or not (changes or head):
        return {"name": method}  # a wrong name is said with all other problems of the recipe
    plain = as_dict(METHODS.get(method)())
    _set(plain, changes, head)
    return plain


def _set(plain: dict[str, Any], schedule: Mapping[str, Any], head: str | None) -> None:
    """Write options into every schedule, and into every head that is drawn or written anew."""
    for key, value in plain.items():
        if key == "schedule":
            value.update(schedule)
        elif isinstance(value, dict):
            _set(value, schedule, head)
        elif key == "head" and head and value in ("zero_shot", "random", "zeros"):
            plain[key] = head
