"""Icon names to plain words: style suffixes, sizes and serial numbers are taken off."""

from __future__ import annotations

import re

# Words that say how an icon is drawn, never what it shows.
STYLE: dict[str, str] = {
    "outline": "outline", "outlined": "outline", "linear": "outline", "broken": "outline",
    "fill": "solid", "filled": "solid", "solid": "solid",
    "duotone": "duotone", "twotone": "duotone", "two-tone": "duotone", "remix": "duotone",
}  # fmt: skip

# Suffixes that are style in some sets only ("chart-line" is a line chart elsewhere).
SET_STYLE: dict[str, dict[str, str]] = {
    "ant-design": {"outlined": "outline"},
    "basil": {},
    "boxicons": {},
    "clarity": {"line": "outline"},
    "fluent": {"regular": "outline", "light": "outline"},
    "glyphs": {"bold": "solid", "duo": "duotone"},
    "ic": {"baseline": "solid", "round": "solid", "sharp": "solid"},
    "iconamoon": {"bold": "outline", "light": "outline", "thin": "outline"},
    "iconmind": {"thin": "", "regular": "", "bold": ""},
    "jam": {"f": "solid"},
    "keyline-icons": {"sharp": ""},
    "lets-icons": {"line": "outline", "light": "outline", "alt": ""},
    "majesticons": {"line": "outline"},
    "material-symbols": {"rounded": "", "sharp": ""},
    "material-symbols-light": {"rounded": "", "sharp": ""},
    "famicons": {"sharp": ""},
    "ion": {"sharp": ""},
    "mingcute": {"line": "outline"},
    "ph": {"thin": "outline", "light": "outline", "bold": "outline"},
    "ri": {"line": "outline"},
    "si": {"line": "outline"},
    "solar": {"bold": "solid"},
    "stash": {"light": "outline"},
    "streamline-ultimate": {"bold": "solid"},
    "streamline-color": {"flat": ""},
    "streamline-plump-color": {"flat": ""},
    "streamline-flex-color": {"flat": ""},
    "streamline-sharp-color": {"flat": ""},
    "streamline-kameleon-color": {"duo": ""},
    "streamline-stickies-color": {"duo": ""},
    "token": {},
}

# Numbers after these words are part of the meaning.
_COUNTED = (
    "number filter looks level counter dice timer exposure hexagon square circle rating h heading "
    "g ipv mp page plus minus column columns grid battery signal"
)
COUNTED = frozenset(_COUNTED.split())
SIZE = re.compile(r"^\d+(px|x\d+)?$")


def clean(prefix: str, icon: str) -> tuple[str, str]:
    """Plain words of an icon name, and the style its name declares ("" when it says none)."""
    local = SET_STYLE.get(prefix, {})
    tokens = [t for t in re.split(r"[-_]+", icon.replace("two-tone", "twotone")) if t]
    style = ""
    first = tokens[0]
    if prefix == "ic" and len(tokens) > 1:
        style = local.get(first) or STYLE.get(first, "")
        tokens = tokens[1:]
    while len(tokens) > 1:
        last = tokens[-1]
        if last in local or last in STYLE:
            found = local[last] if last in local else STYLE[last]
            style = _stronger(style, found)
        elif not (SIZE.match(last) and tokens[-2] not in COUNTED):
            break
        tokens = tokens[:-1]
    return " ".join(tokens), style


def _stronger(one: str, two: str) -> str:
    """The style that decides when a name carries two: duotone over solid over outline."""
    order = ["", "outline", "solid", "duotone"]
    return max(one, two, key=order.index)


HEADS = frozenset({"ios", "md", "bxs", "fruit"})
TAILS = frozenset({"alt", "one", "two", "three", "four", "five", "f", "sharp"})


def core(words: str) -> str:
    """Words without the serial words that some sets add: "cake one", "ios camera"."""
    tokens = words.split()
    while len(tokens) > 1 and tokens[-1] in TAILS:
        tokens.pop()
    if len(tokens) > 1 and tokens[0] in HEADS:
        tokens.pop(0)
    return " ".join(tokens)
