"""Sets of prompt templates, by name or from a file of one's own."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from ..errors import DataError, UnknownName
from ..registry import import_optional, nearest

__all__ = [
    "FMOW_TEMPLATES",
    "IWILDCAM_TEMPLATES",
    "PICTOGRAM_TEMPLATES",
    "SINGLE",
    "TEMPLATE_SETS",
    "check_templates",
    "read_names",
    "says_nothing",
    "templates",
    "wordnet_names",
]

SINGLE = ("a photo of a {}.",)
"""One plain template: the first that CLIP's paper tries (arXiv 2103.00020, section 3.1.4)."""

PICTOGRAM_TEMPLATES = (
    "{}",
    "a {} icon",
    "an icon of a {}",
    "a pictogram of a {}",
    "a drawing of a {}",
    "a simple symbol of a {}",
)
"""How pictograms are called; no template names a style, so that none favours a domain."""

IWILDCAM_TEMPLATES = ("a photo of {}.", "{} in the wild.")
"""The two of WiSE-FT and FLYP: github.com/mlfoundations/wise-ft, src/templates."""

_PLACES = ("", "", *(f" in {c}" for c in ("asia", "africa", "the americas", "europe", "oceania")))
FMOW_TEMPLATES = (
    *(f"{kind} photo of a {{}}{where}." for where in _PLACES for kind in ("satellite", "aerial")),
    "a photo of a {}.",
    "{}.",
)
"""The 16 of WiSE-FT and FLYP: github.com/mlfoundations/wise-ft, src/templates.

The first two stand twice: there the second pair writes "an" before a vowel, which a template with
one place for the name cannot.
"""

_OWN = {
    "fmow": FMOW_TEMPLATES,
    "iwildcam": IWILDCAM_TEMPLATES,
    "pictograms": PICTOGRAM_TEMPLATES,
    "single": SINGLE,
}
_OPEN_CLIP = {
    "openai_imagenet": "OPENAI_IMAGENET_TEMPLATES",
    "simple": "SIMPLE_IMAGENET_TEMPLATES",
}
_CLIP_BENCHMARK = "clip_benchmark:"
_CLIP_BENCHMARK_FILE = "en_zeroshot_classification_templates.json"

TEMPLATE_SETS = tuple(sorted((*_OWN, *_OPEN_CLIP)))
"""``openai_imagenet`` (80) and ``simple`` (7) are read from the installed open_clip;
``clip_benchmark:NAME`` (cars, dtd, food101, ...: OpenAI's set for each) from the installed package
of that name."""


def templates(name_or_path: str | os.PathLike[str]) -> tuple[str, ...]:
    """The templates of a set, or of a text file with one template a line.

    Args:
        name_or_path: "single", "pictograms", "iwildcam", "fmow", "openai_imagenet" (open_clip's
            80), "simple" (open_clip's 7), "clip_benchmark:NAME" (that package's set for a data
            set), or a file; empty lines and lines that begin with # are left out.

    Raises:
        UnknownName: Neither a set nor a file; the nearest names are given.
        DataError: The file holds no template, or one without ``{}``.
        MissingDependency: The set is open_clip's or clip_benchmark's, which is not installed.
    """
    name = os.fspath(name_or_path)
    if name in _OWN:
        return _OWN[name]
    if name in _OPEN_CLIP:
        return _open_clip(name)
    if name.startswith(_CLIP_BENCHMARK):
        return _clip_benchmark(name.removeprefix(_CLIP_BENCHMARK))
    path = Path(name)
    if path.is_file():
        return _from_file(path)
    known = list(TEMPLATE_SETS)
    raise UnknownName("template set or template file", name, known, nearest(name, known))


def _open_clip(name: str) -> tuple[str, ...]:
    """open_clip keeps them as functions; a marker in the place of the name gives the text."""
    library = import_optional(
        "open_clip", needed_for=f"the template set {name!r}", package="open_clip_torch"
    )
    return tuple(write("{}") for write in getattr(library, _OPEN_CLIP[name]))


def _clip_benchmark(name: str) -> tuple[str, ...]:
    """clip_benchmark (MIT) keeps them in one JSON file, with {c} where the name goes."""
    import_optional("clip_benchmark", needed_for=f"the template set {_CLIP_BENCHMARK}{name}")
    file = resources.files("clip_benchmark") / "datasets" / _CLIP_BENCHMARK_FILE
    table = json.loads(file.read_text(encoding="utf-8"))
    # Where prompts differ by class (waffle and language-model prompts) they are no plain list.
    sets = {k: v for k, v in table.items() if isinstance(v, list)}
    if name not in sets:
        raise UnknownName("template set of clip_benchmark", name, sorted(sets),
                          nearest(name, sorted(sets)))  # fmt: skip
    written = [str(t).replace("{c}", "{}") for t in sets[name]]
    return check_templates(written, where=f"{_CLIP_BENCHMARK}{name}")


def _from_file(path: Path) -> tuple[str, ...]:
    found = _lines(path, "template", "a text file (UTF-8) with one template a line")
    return check_templates(found, where=str(path))


def _lines(path: Path, kind: str, expected: str) -> list[str]:
    """Lines of a text file that are neither empty nor comments."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        said = f"the {kind} file {path} cannot be read ({error})"
        raise DataError(said, expected=expected) from error
    lines = [line.strip() for line in text.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


_NUMBERED = re.compile(r"((class|label|category|cat|cls|id|group|folder|c|n|y)[\W_]*)?\d+|\w")
"""Names that are numbers, with a word for "class" before them or not, or one letter."""

_WNID = re.compile(r"n\d{8}")


def says_nothing(name: str) -> bool:
    """Whether a class's name in prompts is a mark and no word: "3", "class_3", "n01440764"."""
    return _NUMBERED.fullmatch(name.strip().lower()) is not None


def wordnet_names(classes: Sequence[str]) -> dict[str, str]:
    """Class -> name, of classes that are WordNet ids of nouns.

    ImageNet's 1,000 are called as open_clip's curated list calls them, others by the first word of
    their synset (timm's list of 21,844).
    """
    ids = [c for c in classes if _WNID.fullmatch(c)]
    if not ids:
        return {}
    from .known.wordnet import imagenet_names, imagenet_wnids, lemmas

    curated = imagenet_names() if not set(ids).isdisjoint(imagenet_wnids()) else {}
    known = {**{w: text.split(",")[0] for w, text in lemmas().items()}, **curated}
    return {c: known[c] for c in ids if c in known}


def read_names(path: str | os.PathLike[str]) -> dict[str, str] | list[str]:
    """What classes are called in prompts, from a file: a line ``class: name`` each, or the names.

    Args:
        path: A text file (UTF-8); empty lines and lines that begin with # are left out. Where not
            every line has a colon, a line is the name of one class, in the order of the classes.

    Raises:
        DataError: It cannot be read, holds nothing, or names a class twice.
    """
    lines = _lines(Path(path), "names", "a line `class: name` for each class, or one name a line")
    if not all(": " in line for line in lines):
        return lines
    rows = [line.split(": ", 1) for line in lines]
    found = {key.strip(): name.strip() for key, name in rows}
    if len(found) < len(rows):
        raise DataError(f"{path} names a class twice", expected="a line for each class")
    return found


def check_templates(found: Sequence[str], *, where: str) -> tuple[str, ...]:
    """The templates, if there is one at least and each has one ``{}``.

    Raises:
        DataError: Otherwise; the first wrong one is shown.
    """
    wrong = [t for t in found if t.count("{}") != 1]
    if wrong or not found:
        raise DataError(
            f"the template {wrong[0]!r} in {where} has {wrong[0].count('{}')} places for the name"
            if wrong
            else f"{where} holds no template",
            expected="sentences with one {} each, such as 'a photo of a {}.'",
            fix="correct the templates, or name a set: " + ", ".join(TEMPLATE_SETS),
        )
    return tuple(found)
