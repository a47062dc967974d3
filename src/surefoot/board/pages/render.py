"""From plain data to HTML: one environment, autoescape on, for the site and the server."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from inspect import isroutine
from pathlib import Path
from typing import Any, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ...drawing import script, stylesheet
from .links import Links, web
from .words import KIND_WORDS, clean, count, day, detail, plural, signed, tidy

__all__ = ["ASSETS", "POLICY", "Chrome", "asset", "environment", "prepare", "render"]

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


class Chrome(Protocol):
    """What stands around every page: a :class:`~.page_context.PageContext`, or less."""

    @property
    def links(self) -> Links:
        """Of the page."""

    @property
    def live(self) -> bool:
        """Served, not written."""

    @property
    def writable(self) -> bool:
        """Whether results can be submitted here."""


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
    for used in (count, day, signed, tidy, web):
        made.filters[used.__name__] = used
    made.globals |= {"detail": detail, "kind_words": KIND_WORDS, "plural": plural}
    return made


def prepare() -> None:
    """Compile every template now, a third of a second, so that the first reader does not wait."""
    for name in environment().list_templates():
        environment().get_template(name)


def _shown(value: Any) -> Any:
    """Every text that a template shows goes through here before it is escaped."""
    if type(value) is str:
        return clean(value)
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
    context: Chrome, template: str, data: Mapping[str, Any], *, section: str = "", title: str = "",
    robots: bool = True,
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
        nav=[(words, links(part), part == section) for words, part in _NAV],
        home=links(),
        title_words=title,
        policy=Markup(POLICY.format(file=" file:")) if not context.live else "",
        robots=robots,
    )
