"""Sets of prompt templates, by name or from a file of one's own."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import DataError, UnknownName
from ..registry import import_optional, nearest

__all__ = ["PICTOGRAM_TEMPLATES", "SINGLE", "TEMPLATE_SETS", "check_templates", "templates"]

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

TEMPLATE_SETS = ("openai_imagenet", "pictograms", "simple", "single")
"""``openai_imagenet`` (80) and ``simple`` (7) are read from the installed open_clip."""


def templates(name_or_path: str | os.PathLike[str]) -> tuple[str, ...]:
    """The templates of a set, or of a text file with one template a line.

    Args:
        name_or_path: "single", "pictograms", "openai_imagenet" (open_clip's 80), "simple"
            (open_clip's 7), or a file; empty lines and lines that begin with # are left out.

    Raises:
        UnknownName: Neither a set nor a file; the nearest names are given.
        DataError: The file holds no template, or one without ``{}``.
        MissingDependency: The set is open_clip's, which is not installed.
    """
    name = os.fspath(name_or_path)
    if name == "single":
        return SINGLE
    if name == "pictograms":
        return PICTOGRAM_TEMPLATES
    if name in ("openai_imagenet", "simple"):
        return _open_clip(name)
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
    table = {"openai_imagenet": "OPENAI_IMAGENET_TEMPLATES", "simple": "SIMPLE_IMAGENET_TEMPLATES"}
    return tuple(write("{}") for write in getattr(library, table[name]))


def _from_file(path: Path) -> tuple[str, ...]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"the template file {path} cannot be read ({error})",
            expected="a text file (UTF-8) with one template a line",
        ) from error
    lines = [line.strip() for line in text.splitlines()]
    return check_templates(
        [line for line in lines if line and not line.startswith("#")], where=str(path)
    )


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
