"""A recipe: everything that a run is, as plain data that validates before anything starts."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from ..data.units import check_unit
from ..errors import RecipeError
from ..methods.base import Method, as_dict
from ..methods.own import OWN, own_problems
from ..methods.parse import build_method
from ..metrics import get_metric, no_probabilities
from ..records import write_atomic
from ..registry import nearest
from .values import alphas_on_path, distinct_seeds, known_metric

__all__ = [
    "DataSpec",
    "PathSpec",
    "Recipe",
    "RecipeSpec",
    "TuneSpec",
    "load_recipe",
    "parse_recipe",
]

_PLACES = ("root", "chosen_on_test")
"""What a recipe says about its data that changes no number."""

Rule = Literal["fixed", "id_val", "one_se", "oracle"]

_STRICT = ConfigDict(extra="forbid", frozen=True)


class DataSpec(BaseModel):
    """Where the images are; each value is a folder, table, shards, hf:... or a built-in name.

    ``root`` is the folder that holds published data sets (imagenet, objectnet, ...); without it
    the environment variable SUREFOOT_DATA names it. ``metric`` is that of the training set where
    it is left out, else top1. ``unit`` says which images hang together: a column of the metadata
    or a level of folders (folder:1); left out, what a set brings, else every image is taken as
    independent.

    ``few_shot: k`` keeps k training and k validation images per class, drawn by the run's seed
    (FLYP, arXiv 2212.00638, section 4); ``repeats: n`` is the seeds 0 to n - 1. Then validation
    that is not given is half of ``train`` unless ``val_fraction`` says: it is thinned anyway.

    ``chosen_on_test: true`` allows validation that is made of test images; every output says so.
    """

    model_config = _STRICT

    train: str
    val: str | None = None
    test: str | None = None
    shifts: dict[str, str] = Field(default_factory=dict)
    class_maps: dict[str, str] = Field(default_factory=dict)
    templates: str | list[str] | None = None
    prompt_names: list[str] | dict[str, str] | None = None
    metric: Annotated[str | None, AfterValidator(known_metric)] = None
    unit: Annotated[str, AfterValidator(check_unit)] | None = None
    root: str | None = None
    chosen_on_test: bool = False
    val_fraction: float = Field(default=0.1, gt=0, lt=1)
    skip_bad: bool = False
    limit_train: int | None = Field(default=None, ge=1)
    limit_eval: int | None = Field(default=None, ge=1)
    few_shot: int | None = Field(default=None, ge=1)
    repeats: int | None = Field(default=None, ge=1)
    seed: int = 0

    @model_validator(mode="before")
    @classmethod
    def _halve(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and data.get("few_shot") is not None:
            return {"val_fraction": 0.5, **data}
        return data


class PathSpec(BaseModel):
    """The interpolation path of every tuned model, and how alpha is chosen on it.

    ``head: text`` has the mixed text tower write the head at every alpha, for methods whose head
    the tuned text tower wrote (FLYP); the heads of the others are mixed.
    """

    model_config = _STRICT

    alphas: Annotated[int | list[float], AfterValidator(alphas_on_path)] = 11
    head: Literal["auto", "interpolate", "end", "text"] = "auto"
    batchnorm: Literal["interpolate", "keep", "recalibrate"] = "interpolate"
    rules: list[Rule] = ["fixed", "id_val", "one_se", "oracle"]
    fixed: float = Field(default=0.5, ge=0, le=1)


class TuneSpec(BaseModel):
    """The search for a learning rate on ID validation, with its budget."""

    model_config = _STRICT

    lr: list[float] | Literal["auto"] = "auto"
    epochs: int = Field(default=2, ge=1)


class RecipeSpec(BaseModel):
    """The file, field by field."""

    model_config = _STRICT

    surefoot: Literal[1] = 1
    name: str = "run"
    model: str
    data: DataSpec
    methods: list[dict[str, Any] | str] = Field(min_length=1)
    path: PathSpec | None = PathSpec()
    tune: TuneSpec | None = None
    evaluate: list[Literal["head", "knn"]] = ["head"]
    seeds: Annotated[list[int], AfterValidator(distinct_seeds)] = Field(default=[0], min_length=1)
    device: str = "auto"
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    batch_size: int | None = Field(default=None, ge=1)
    # Processes that load images; "auto": none on a CPU and for few images, else the spare cores.
    workers: Annotated[int, Field(ge=0)] | Literal["auto"] = "auto"
    compile: bool = False
    # Name -> sha256 of the file, of methods in a file that the user named on the command line.
    own_methods: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _repeat(cls, data: Any) -> Any:
        """``data.repeats: n`` writes ``seeds`` out."""
        part = data.get("data") if isinstance(data, Mapping) else None
        repeats = part.get("repeats") if isinstance(part, Mapping) else None
        if not isinstance(repeats, int) or repeats < 1:
            return data
        return {"seeds": list(range(repeats)), **data}

    @model_validator(mode="after")
    def _agree(self) -> RecipeSpec:
        metric = self.data.metric
        if metric is not None and "knn" in self.evaluate and get_metric(metric).probabilities:
            raise ValueError(f"evaluate: {no_probabilities(metric).wrong}, so knn has no {metric}")
        n = self.data.repeats
        if n is not None and self.seeds != list(range(n)):
            raise ValueError(
                f"data.repeats is {n}, which means the seeds 0 to {n - 1}, but seeds are "
                f"{self.seeds}: give one of the two"
            )
        return self


@dataclass(frozen=True)
class Recipe:
    """A validated recipe.

    Attributes:
        spec: The plain part.
        methods: Built from ``spec.methods``.
    """

    spec: RecipeSpec
    methods: tuple[Method, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data that validates to this recipe again, with every default written out."""
        plain = {**self.spec.model_dump(), "methods": [as_dict(m) for m in self.methods]}
        if not self.spec.own_methods:
            del plain["own_methods"]
        if self.spec.data.unit is None:  # as recipes of before there were units have it
            del plain["data"]["unit"]
        if not self.spec.data.chosen_on_test:
            del plain["data"]["chosen_on_test"]
        return plain

    def at(self, root: str | None) -> Recipe:
        """The same recipe with published data sets below another folder; None: as it is."""
        if root is None:
            return self
        data = self.spec.data.model_copy(update={"root": root})
        return replace(self, spec=self.spec.model_copy(update={"data": data}))

    def hash(self) -> str:
        """16 hexadecimal digits over everything that can change a number: not where data lie."""
        plain = {k: v for k, v in self.to_dict().items() if k not in ("name", "workers", "compile")}
        plain["data"] = {k: v for k, v in plain["data"].items() if k not in _PLACES}
        text = json.dumps(plain, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def save(self, path: str | Path) -> None:
        """Write YAML, atomically, and beside it in code/ a copy of every method of one's own."""
        for name in self.spec.own_methods:
            copy = Path(path).parent / "code" / f"{name}.py"
            copy.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(copy, OWN[name].source)
        write_atomic(path, yaml.safe_dump(self.to_dict(), sort_keys=False, allow_unicode=True))


def parse_recipe(data: Any, *, where: str = "the recipe") -> Recipe:
    """Plain data -> recipe.

    Raises:
        RecipeError: With every problem at once.

    Example:
        >>> data = {"train": "photos/train"}
        >>> recipe = sf.parse_recipe({"model": "tiny-clip", "data": data, "methods": ["lp-ft"]})
        >>> recipe.methods[0].tune.schedule.epochs
        20
    """
    problems: list[str] = []
    if not isinstance(data, Mapping):
        raise RecipeError([f"a mapping is expected, not {type(data).__name__}"], where=where)
    problems += _code(data)
    spec = None
    try:
        spec = RecipeSpec.model_validate(dict(data))
    except ValidationError as error:
        problems += [_sentence(p) for p in error.errors()]
    methods = []
    listed = data.get("methods")
    for i, entry in enumerate(listed if isinstance(listed, list) else []):
        plain = {"name": entry} if isinstance(entry, str) else entry
        if isinstance(plain, Mapping) and not _code(plain):
            methods.append(build_method(plain, f"methods[{i}]", problems))
    problems += own_problems(list(spec.own_methods.items()) if spec is not None else [])
    if problems or spec is None:
        raise RecipeError(problems, where=where)
    return Recipe(spec, tuple(m for m in methods if m is not None))


_PYTHON = re.compile(r"\.pyw?(:\w+)?\s*$", re.IGNORECASE)


def _code(value: Any, where: str = "", seen: set[int] | None = None) -> list[str]:
    """Every place that names a file of Python: only the command line may."""
    seen = set() if seen is None else seen
    if isinstance(value, str) and _PYTHON.search(value):
        said = "is a file of Python, which a recipe cannot name: it is data and runs no code"
        return [f"{where}: {value!r} {said}"]
    if not isinstance(value, (Mapping, list)) or id(value) in seen:
        return []
    seen.add(id(value))  # YAML may put one list into another many times, or into itself
    if isinstance(value, Mapping):
        inner = [(f"{where}.{k}" if where else str(k), v) for k, v in value.items()]
    else:
        inner = [(f"{where}[{i}]", v) for i, v in enumerate(value)]
    return [problem for at, v in inner for problem in _code(v, at, seen)]


def load_recipe(path: str | Path) -> Recipe:
    """Read a YAML file.

    Raises:
        RecipeError: It cannot be read, is not YAML, or does not validate (every problem listed).

    Example:
        >>> sf.load_recipe("runs/demo/recipe.yaml").spec.model
        'tiny-clip'
    """
    try:
        data = yaml.safe_load(Path(path).read_text())
    except OSError as error:
        raise RecipeError([f"it cannot be read: {error.strerror}"], where=str(path)) from error
    except yaml.YAMLError as error:
        raise RecipeError([f"it is not YAML: {error}"], where=str(path)) from error
    return parse_recipe(data, where=str(path))


_MODELS: dict[str, type[BaseModel]] = {"data": DataSpec, "path": PathSpec, "tune": TuneSpec}


def _sentence(problem: Any) -> str:
    """One pydantic error as a sentence that names the place and the nearest key."""
    where = ".".join(str(p) for p in problem["loc"])
    if problem["type"] == "extra_forbidden":
        model = _MODELS.get(str(problem["loc"][0]), RecipeSpec)
        near = nearest(str(problem["loc"][-1]), list(model.model_fields))
        guess = f"; did you mean {near[0]!r}?" if near else ""
        return f"{where}: there is no such key{guess}"
    if problem["type"] == "missing":
        return f"{where}: this key is missing"
    if problem["type"] == "value_error":
        said = str(problem["ctx"]["error"])
        return f"{where}: {said}" if where else said
    return f"{where}: {problem['msg']}, not {problem['input']!r}"
