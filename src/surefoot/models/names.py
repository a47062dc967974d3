"""What `surefoot.load` was given, taken apart: scheme, name, tag, file, options. No torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ModelError

__all__ = ["Source", "parse"]

SCHEMES = ("open_clip", "timm", "hf-hub")
_OPTIONS = {"activation": ("gelu", "quickgelu"), "seed": None}


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
        allowed = _OPTIONS[key]
        right = value in allowed if allowed else value.isdecimal()
        if not right:
            raise ModelError(
                f"{key}={value!r} in {text!r} is not possible",
                expected=f"one of {', '.join(allowed)}" if allowed else "a whole number",
            )
    return body, options
