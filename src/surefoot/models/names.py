"""What `surefoot.load` was given, taken apart: scheme, name, tag, file, options. No torch."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ModelError, UnknownName
from ..registry import nearest

__all__ = ["Source", "parse", "unknown_name"]

SCHEMES = ("open_clip", "timm", "hf-hub")
_NUMBERS = r"-?\d*\.?\d+(,-?\d*\.?\d+){2}|-?\d*\.?\d+"
_OPTIONS = {
    "activation": ("gelu|quickgelu", "gelu or quickgelu"),
    "seed": (r"\d+", "a whole number"),
    "tag": (r"[\w.+-]+", "a pretrained tag of the architecture"),
    "mean": (_NUMBERS, "one number, or three with commas"),
    "std": (_NUMBERS, "one number, or three with commas"),
    "img_size": (r"[1-9]\d{0,4}", "a number of pixels"),
    "global_pool": ("avg|token|map|max|avgmax", "avg, token, map, max or avgmax"),
}
"""Option -> what it may be, as a pattern and in words."""


@dataclass(frozen=True)
class Source:
    """One model name, taken apart.

    Attributes:
        text: As given, for ``spec.source``.
        scheme: "open_clip", "timm", "hf-hub", or "" for a registered name or a path.
        name: Architecture, hub id, registered name or path.
        tag: After "/", or "".
        file: After "@", or None.
        options: After "?", such as ``{"activation": "gelu"}``.
    """

    text: str
    scheme: str
    name: str
    tag: str = ""
    file: Path | None = None
    options: dict[str, str] = field(default_factory=dict)

    def allow(self, *names: str, what: str) -> None:
        """Refuse options that do nothing here.

        Args:
            names: Options that are understood.
            what: What the name stands for, for the message.

        Raises:
            ModelError: With every option that is not understood.
        """
        strange = sorted(set(self.options) - set(names))
        if strange:
            raise ModelError(
                f"{self.text!r} has the option {', '.join(strange)}, and {what} takes "
                + (f"only {', '.join(names)}" if names else "none"),
                fix="leave it out",
            )


def parse(text: str) -> Source:
    """``SCHEME:NAME[/TAG][@FILE][?option=value]`` taken apart.

    A "?" or "@" in a path that exists is part of the path.

    Raises:
        ModelError: An option is unknown, or has a value that it cannot have.
    """
    if Path(text).exists():
        return Source(text, "", text)
    body, options = _options(text)
    scheme, colon, rest = body.partition(":")
    if not colon or scheme not in SCHEMES:
        return Source(text, "", body, options=options)
    name, at, file = rest.partition("@")
    if scheme == "hf-hub":
        return Source(text, scheme, rest, options=options)
    name, _, tag = name.partition("/")
    if not name:
        raise ModelError(
            f"{text!r} names no architecture",
            expected=f"{scheme}:NAME, such as "
            + (
                "open_clip:ViT-B-16/openai"
                if scheme == "open_clip"
                else "timm:vit_base_patch16_224"
            ),
        )
    return Source(text, scheme, name, tag, Path(file).expanduser() if at else None, options)


def _options(text: str) -> tuple[str, dict[str, str]]:
    body, mark, tail = text.rpartition("?")
    if not mark or "=" not in tail or "/" in tail:
        return text, {}
    options = dict(pair.partition("=")[::2] for pair in tail.split("&"))
    for key, value in options.items():
        if key not in _OPTIONS:
            raise ModelError(
                f"{text!r} has the option {key!r}, which does not exist",
                expected=f"one of {', '.join(_OPTIONS)}",
            )
        pattern, words = _OPTIONS[key]
        if not re.fullmatch(pattern, value):
            raise ModelError(f"{key}={value!r} in {text!r} is not possible", expected=words)
    return body, options


def unknown_name(kind: str, name: str, known: Iterable[str], *, fix: str) -> UnknownName:
    """An UnknownName for a list too long to print: the nearest names, and how many exist."""
    names = list(known)
    near = nearest(name, names)
    error = UnknownName(kind, name, names, near)
    if len(names) > 40:
        error.expected = (
            f"one of {len(names)} names, of which the nearest: {', '.join(near) or '-'}"
        )
    error.fix = fix
    return error
