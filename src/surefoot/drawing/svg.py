"""A small tree of SVG nodes; every text and attribute is escaped on the way out. No torch here."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

__all__ = ["Child", "Node", "clip", "el", "figure", "num", "path"]


@dataclass(frozen=True)
class Node:
    """One element.

    Attributes:
        tag: Its name.
        attributes: Name -> value, in order; None leaves the attribute out.
        children: Nodes, or text.
    """

    tag: str
    attributes: dict[str, str | float | None] = field(default_factory=dict)
    children: tuple[Node | str, ...] = ()

    def render(self) -> str:
        """The markup, with everything escaped."""
        pairs = "".join(
            f" {name}={quoteattr(clean(num(value) if isinstance(value, (int, float)) else value))}"
            for name, value in self.attributes.items()
            if value is not None
        )
        inner = "".join(
            c.render() if isinstance(c, Node) else escape(clean(c)) for c in self.children
        )
        return f"<{self.tag}{pairs}>{inner}</{self.tag}>" if inner else f"<{self.tag}{pairs}/>"

    def __html__(self) -> str:
        """Lets templates with autoescape take the markup as it is."""
        return self.render()


Child = Node | str | None | Iterable["Child"]


def clean(text: str) -> str:
    """Text without the control characters that XML forbids."""
    return "".join(c for c in text if c >= " " or c in "\n\t")


def num(value: float) -> str:
    """A short decimal: one digit after the point, none where it is zero.

    Raises:
        ValueError: The number is not finite; a chart never draws one.
    """
    if not math.isfinite(value):
        raise ValueError(f"{value} cannot be drawn")
    return (
        f"{value:.1f}".removesuffix(".0").replace("-0", "0")
        if abs(value) < 0.05
        else (f"{value:.1f}".removesuffix(".0"))
    )


def el(tag: str, *children: Child, **attributes: str | float | None) -> Node:
    """One node. ``class_`` becomes ``class`` and ``stroke_width`` becomes ``stroke-width``."""
    named = {k.rstrip("_").replace("_", "-"): v for k, v in attributes.items()}
    return Node(tag, named, tuple(_flatten(children)))


def _flatten(children: Iterable[Child]) -> Iterable[Node | str]:
    for child in children:
        if child is None:
            continue
        if isinstance(child, (Node, str)):
            yield child
        else:
            yield from _flatten(child)


def path(points: Iterable[tuple[float, float]], *, close: bool = False) -> str:
    """Path data through points (x, y)."""
    steps = " ".join(f"{num(x)},{num(y)}" for x, y in points)
    return f"M{steps}{'Z' if close else ''}"


def clip(name: str, left: float, top: float, right: float, bottom: float) -> Node:
    """A clipping rectangle; use it with ``clip_path=f"url(#{name})"``."""
    box = el("rect", x=left, y=top, width=right - left, height=bottom - top)
    return el("defs", el("clipPath", box, id=name))


def figure(
    name: str, width: float, height: float, title: str, desc: str, *children: Child, style: str = ""
) -> Node:
    """The ``<svg>`` around a chart, with its title and description for screen readers.

    Args:
        name: Unique on the page; ids are made of it.
        width: Of the drawing, in CSS pixels at scale 1.
        height: Likewise.
        title: What it is.
        desc: What it shows, in words and numbers.
        children: The drawing.
        style: Further classes.
    """
    return el(
        "svg",
        el("title", title, id=f"{name}-title"),
        el("desc", desc, id=f"{name}-desc"),
        *children,
        class_=f"chart {style}".strip(),
        viewBox=f"0 0 {num(width)} {num(height)}",
        width=width,
        height=height,
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
        xmlns="http://www.w3.org/2000/svg",
    )
