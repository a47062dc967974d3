"""What a stranger's recipe may name: built-in and published models and data, nothing else.

Not a file, not a folder, not an address, not a repository that anybody can make. Files and folders
are the reader's own; a repository's are as safe as surefoot's readers, and one reason fewer to
look. What is left is decided by names alone: nothing is loaded, nothing is imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..data.known.find import parse_known
from ..data.prompts import TEMPLATE_SETS
from ..errors import DataError, RecipeError
from ..methods.base import as_dict
from ..models.foreign import open_clip
from ..models.names import parse
from ..registry import MODELS
from .recipe import DataSpec, Recipe

__all__ = ["fetched", "plan", "require_harmless"]

_OPTION = (
    r"(activation=(quick)?gelu|seed=\d{1,9}|(mean|std)=[\d.,]{1,40}|img_size=\d{1,4}|"
    r"global_pool=[a-z]{1,9})"
)
_PUBLISHED = re.compile(
    rf"(open_clip:[\w.+-]+/[\w.+-]+|timm:[\w.-]+(/random)?)(\?{_OPTION}(&{_OPTION})*)?", re.ASCII
)
"""Models that the installed open_clip and timm list; their readers look the names up."""

_RANDOM_TEXT = re.compile(r"random(:\d{1,6}){0,2}", re.ASCII)
_WORD = re.compile(r"[\w+-]*", re.ASCII)

_PUBLIC = "a built-in model (tiny-clip, tiny-dino), open_clip:ARCH/TAG or timm:NAME.TAG"


def require_harmless(recipe: Recipe, *, where: str) -> None:
    """Refuse a recipe that names more than built-in and published things.

    Args:
        recipe: Somebody else's.
        where: For the message.

    Raises:
        RecipeError: With every such name.
    """
    problems = [*_model("model", recipe.spec.model), *_data(recipe.spec.data)]
    for i, method in enumerate(recipe.methods):
        problems += _method(f"methods[{i}]", as_dict(method))
    if problems:
        raise RecipeError(problems, where=where)


def _model(key: str, name: str) -> Iterator[str]:
    if name not in MODELS and not _PUBLISHED.fullmatch(name):
        yield (f"{key}: {name!r} is not taken from a stranger: not a file, a folder, an address or "
               f"a hub repository, but {_PUBLIC}")  # fmt: skip


def _data(data: DataSpec) -> Iterator[str]:
    specs = {"train": data.train, "val": data.val, "test": data.test}
    specs |= {f"shifts.{name}": spec for name, spec in data.shifts.items()}
    for key, spec in specs.items():
        if spec is not None and not _published_data(spec):
            yield (f"data.{key}: {spec!r} is not taken from a stranger: not a folder, a table, an "
                   "address or a hub repository, but pictograms or a published set")  # fmt: skip
    if data.root is not None:
        yield "data.root: where data sets lie is for the one who runs it to say; leave it out"
    if data.class_maps:
        yield "data.class_maps: a stranger's recipe names no files; published shifts bring theirs"
    named = data.templates
    if isinstance(named, str) and named not in TEMPLATE_SETS and not (
        named.startswith("clip_benchmark:") and _WORD.fullmatch(named.partition(":")[2])
    ):  # fmt: skip
        yield f"data.templates: {named!r} is no set; name one of {', '.join(TEMPLATE_SETS)}"


def _published_data(spec: str) -> bool:
    """Is this the built-in set, or a published one without a place behind it?"""
    if re.fullmatch(r"pictograms(:[\w-]*){0,2}", spec, re.ASCII):
        return True
    try:
        known = parse_known(spec)
    except DataError:
        return False
    return known is not None and known.place is None


def _method(key: str, value: Any) -> Iterator[str]:
    """Every text in a method is a word, but for its text encoder, which is a model."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name == "text" and isinstance(inner, str):
                if not _RANDOM_TEXT.fullmatch(inner):
                    yield from _model(f"{key}.text", inner)
            else:
                yield from _method(f"{key}.{name}", inner)
    elif isinstance(value, (list, tuple)):
        for i, inner in enumerate(value):
            yield from _method(f"{key}[{i}]", inner)
    elif isinstance(value, str) and not _WORD.fullmatch(value):
        yield f"{key}: {value!r} is not taken from a stranger: it may name a file"


def plan(recipe: Recipe, out: str) -> str:
    """What running a recipe would do, for somebody to read before it is done."""
    spec = recipe.spec
    data = {"train": spec.data.train, "val": spec.data.val, "test": spec.data.test,
            **spec.data.shifts}  # fmt: skip
    named = ", ".join(f"{key} {value}" for key, value in data.items() if value is not None)
    methods = ", ".join(str(as_dict(m)["name"]) for m in recipe.methods)
    seeds = ", ".join(map(str, spec.seeds))
    return f"model {spec.model}\ndata {named}\nmethods {methods}; seeds {seeds}\ninto {out}"


def fetched(recipe: Recipe) -> list[str]:
    """The models whose weights or tokenizers come from the hub where they are not cached."""
    texts = (t for m in recipe.methods for t in _texts(as_dict(m)))
    named = {recipe.spec.model, *texts}
    return sorted(n for n in named if _PUBLISHED.fullmatch(n) and _has_files(n))


def _texts(value: Any) -> Iterator[str]:
    """The text encoders of a method and of those inside it."""
    if isinstance(value, Mapping):
        if isinstance(text := value.get("text"), str):
            yield text
        for inner in value.values():
            yield from _texts(inner)


def _has_files(name: str) -> bool:
    """Does anything of a published model lie on the hub?

    With random weights, a text tower or a tokenizer that is not open_clip's own still does.
    """
    source = parse(name)
    if source.tag != "random":
        return True
    if source.scheme != "open_clip":
        return False
    config = open_clip(name).get_model_config(source.name) or {}
    text = config.get("text_cfg", {})
    return bool(text.get("hf_model_name") or text.get("hf_tokenizer_name"))
