"""From plain data to HTML: one environment, autoescape on, for the site and the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from inspect import isroutine
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ...drawing import script, stylesheet
from . import words
from .links import Links, prose, web
from .page_context import PageContext

__all__ = ["ASSETS", "POLICY", "Plain", "asset", "environment", "prepare", "render"]

_HERE = Path(__file__).parent
ASSETS = ("board.css", "board.js", "search.js")
"""Files that every page may ask for."""

POLICY = (
    "default-src 'none'; style-src 'self'{file}; script-src 'self'{file}; img-src 'self'{file} "
    "data:; form-action 'self'{file}; base-uri 'none'"
)
"""Nothing but our own files; ``{file}`` lets a site that is opened from a disk load them."""

_NAV = (
    ("Tasks", "tasks"),
    ("SotA", "sota"),
    ("Data sets", "datasets"),
    ("Methods", "methods"),
    ("Papers", "papers"),
    ("Submit", "submit"),
    ("About", "about"),
)


@dataclass(frozen=True)
class Plain:
    """What pages that need no store are made with, in place of a context: errors of the server."""

    writable: bool
    links: Links = field(default_factory=lambda: Links(True))
    live: bool = True


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The templates. Every text is escaped; a name that a view forgot is an error."""
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        finalize=_shown,
    )
    made.filters |= {"prose": prose, "web": web}
    for name in ("count", "day", "signed", "tidy"):
        made.filters[name] = getattr(words, name)
    for name in ("alpha_words", "detail", "interval", "number", "plural"):
        made.globals[name] = getattr(words, name)
    made.globals["kind_words"] = words.KIND_WORDS
    return made


def prepare() -> None:
    """Compile every template now, a third of a second, so that the first reader does not wait."""
    for name in environment().list_templates():
        environment().get_template(name)


def _shown(value: Any) -> Any:
    """Every text that a template shows goes through here before it is escaped."""
    if type(value) is str:
        return words.clean(value)
    if isroutine(value):
        raise TypeError(f"a template shows {value!r}: a key has the name of a method")
    return value


@lru_cache(maxsize=8)
def asset(name: str) -> str:
    """A style sheet or script as text."""
    text = (_HERE / "assets" / name).read_text(encoding="utf-8")
    shared = {"board.css": stylesheet, "board.js": script}.get(name)
    return text if shared is None else shared() + text


def render(
    context: PageContext | Plain, template: str, data: Mapping[str, Any], *, section: str = "",
    title: str = "", robots: bool = True,
) -> str:  # fmt: skip
    """One page as HTML.

    Args:
        context: Of the page.
        template: Name without its ending.
        data: From a view.
        section: Which part of the site it belongs to.
        title: In the browser's tab.
        robots: Whether search engines may list it.
    """
    links = context.links
    page = environment().get_template(f"{template}.html.j2")
    return page.render(
        **data,
        links=links,
        live=context.live,
        writable=context.writable,
        nav=[(name, links(part), part == section) for name, part in _NAV],
        home=links(),
        title_words=title,
        policy=Markup(POLICY.format(file=" file:")) if not context.live else "",
        robots=robots,
    )
