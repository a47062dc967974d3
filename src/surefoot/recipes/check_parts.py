"""What is wrong with the model and the data that a recipe names: all of it, and nothing is run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ..context import cap_threads
from ..data.check import check_images
from ..data.class_map import read_class_map
from ..data.dataset import Domain, Shift, Split, Use
from ..data.source import Source as DataSource
from ..data.units import with_unit
from ..errors import DataError, MissingDependency, ModelError, SurefootError, UnknownName
from ..models.names import Source, parse
from ..registry import MODELS, nearest
from .recipe import DataSpec

__all__ = ["data_problems", "model_problem"]


def model_problem(name: str, *, bring_files: bool = False) -> str:
    """What is wrong with the name of a model; "" where it can be loaded, or fetched.

    Args:
        name: As a recipe has it.
        bring_files: Checkpoints may be missing: the user brings them.
    """
    try:
        source = parse(name)
        if source.scheme in ("open_clip", "timm"):
            return _architecture(source) or _file(source, bring_files)
    except MissingDependency:
        return ""
    except ModelError as error:
        return error.wrong
    known = source.name in MODELS or source.name.replace("_", "-") in MODELS
    if source.scheme or known or Path(source.name).expanduser().exists():
        return ""
    return UnknownName("model", name, MODELS.names(), nearest(name, MODELS.names())).wrong


def _architecture(source: Source) -> str:
    """What is wrong with SCHEME:ARCH/TAG; "" where the library knows both."""
    if source.scheme == "timm":
        from ..models.timm.records import names

        plain, known = source.name.partition(".")[0], names()
        return "" if plain in known else _unknown("timm model", plain, known)
    from ..models.foreign import open_clip

    clip = open_clip(source.text)
    if source.name not in clip.list_models():
        return _unknown("open_clip architecture", source.name, clip.list_models())
    tags = [*clip.list_pretrained_tags_by_model(source.name), "random"]
    if source.file is None and source.tag not in tags:
        kind = f"pretrained tag of {source.name}"
        return (
            _unknown(kind, source.tag, tags)
            if source.tag
            else (
                f"{source.text} does not say which weights: append /TAG (one of {', '.join(tags)})"
            )
        )
    return ""


def _unknown(kind: str, name: str, known: Sequence[str]) -> str:
    return UnknownName(kind, name, [], nearest(name, list(known))).wrong


def _file(source: Source, bring_files: bool) -> str:
    missing = source.file is not None and not source.file.is_file()
    return f"there is no file {source.file}" if missing and not bring_files else ""


def data_problems(data: DataSpec) -> list[str]:
    """Every problem of the local data: paths, classes, class maps, images that do not decode.

    Published data sets and names on the hub are named rightly or wrongly; whether they are on
    this disk is not asked (`surefoot data check` does).
    """
    problems: list[str] = []
    train = _read(data, "data.train", data.train, "ID", "train", problems)
    classes = train.class_names if train is not None and train.labels is not None else None
    for use in ("val", "test"):
        split = _read(data, f"data.{use}", getattr(data, use), "ID", use, problems)
        if split is not None and classes is not None:
            foreign = [c for c in split.class_names if c not in classes]
            if foreign:
                problems.append(f"data.{use}: the training set has no class {', '.join(foreign)}")
    for name, spec in data.shifts.items():
        split = _read(data, f"data.shifts.{name}", spec, "OOD", "test", problems)
        problems += _joined(data, name, split, classes)
    for name in sorted(set(data.class_maps) - set(data.shifts)):
        problems.append(f"data.class_maps.{name}: there is no shift {name!r}")
        problems += _joined(data, name, None, classes)
    return problems


def _read(
    data: DataSpec, key: str, spec: str | None, domain: Domain, use: Use, problems: list[str]
) -> Split | None:
    """A local split, its images decoded once; None where there is none, or no reading it."""
    if spec is None:
        return None
    try:
        source = DataSource.parse(spec, data.root)
        if not source.local:  # the built-in set (which is good), the hub, published sets
            return None
        split = source.read(name=use, domain=domain, use=use, skip_missing=data.skip_bad)
        if data.unit is not None and (use != "train" or None in (data.val, data.test)):
            with_unit(split, data.unit)
    except SurefootError as error:
        problems.append(f"{key}: {error.wrong}")
        return None
    if not data.skip_bad:
        problems += [f"{key}: {image}: {why}" for image, why in _bad(split)]
    return split


def _bad(split: Split) -> Iterator[tuple[str, str]]:
    yield from check_images(split, workers=cap_threads() if cap_threads() > 2 else 0)


def _joined(
    data: DataSpec, name: str, split: Split | None, classes: tuple[str, ...] | None
) -> list[str]:
    """What is wrong between the classes of a shift and those of the task."""
    key, file = f"data.shifts.{name}", data.class_maps.get(name)
    try:
        class_map = read_class_map(file) if file is not None else None
    except DataError as error:
        return [f"data.class_maps.{name}: {error.wrong}"]
    if split is None or classes is None:
        return []
    try:
        Shift.of(split, classes, class_map=class_map)
    except DataError as error:
        where = f"data.class_maps.{name}" if class_map is not None else key
        return [f"{where}: {error.wrong}"]
    return []
