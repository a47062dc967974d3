"""Addresses of pages, for the site and the server.

A page is known by its parts: ``("boards", slug)``. The live server has it at ``/boards/SLUG``; the
static site has it in the file ``boards/SLUG.html``, linked relatively, so that a copy opens from a
disk, a USB stick or any folder of a web server.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from markupsafe import Markup, escape

from ..store.rows import Paper
from ..store.text import digest
from .words import tidy

__all__ = ["Links", "file_of", "links_of", "prose", "web"]

Part = str | int
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_LINK = re.compile(r"\[([^\[\]]+)\]\(([^\s()]+)\)")
_STRONG = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
_EMPHASIS = re.compile(r"(?<!\w)([*_])(?=\S)(.+?)(?<=\S)\1(?!\w)")
_LONGEST = 180  # bytes; file systems stop at 255, and a page number is added


def web(address: object) -> str | None:
    """An address that may be linked: http or https with a host; None for everything else.

    Addresses come from archives and strangers; "javascript:" and its like never become links.
    """
    if not isinstance(address, str):
        return None
    text = address.strip()
    if any(c.isspace() or ord(c) < 32 for c in text) or len(text) > 2000:
        return None
    try:
        parts = urlsplit(text)
        good = parts.scheme.lower() in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return None
    return text if good else None


def links_of(data: Any) -> list[dict[str, str]]:
    """Addresses with their titles, of what an archive or a person gave as a list of links."""
    rows = data if isinstance(data, (list, tuple)) else ()
    found = [(web(c.get("url")), c.get("title")) for c in rows if isinstance(c, Mapping)]
    return [{"url": u, "title": tidy(t or u, 120)} for u, t in found if u]


def prose(text: str, limit: int = 0) -> Markup:
    """A description in Markdown or HTML: its links and emphasis, and nothing else of either.

    Args:
        text: A stranger's.
        limit: Characters, at most; 0: all.
    """
    plain = tidy(unescape(_TAG.sub(" ", text)), limit)
    first, *rest = _LINK.split(plain)
    found = [_emphasised(first)]
    for words, address, more in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
        url = web(address)
        link = Markup('<a href="{}" rel="noopener noreferrer nofollow">{}</a>')
        found += [link.format(url, words) if url else escape(words), _emphasised(more)]
    return Markup("").join(found)


def _emphasised(text: str) -> Markup:
    strong = _STRONG.sub(r"<strong>\2</strong>", str(escape(text)))
    return Markup(_EMPHASIS.sub(r"<em>\2</em>", strong))  # what is around the tags is escaped


def file_of(*parts: Part, page: int = 1) -> str:
    """The file of a page below the site's folder: ``boards/SLUG.html``, ``boards/SLUG.p2.html``."""
    names = [_short(str(p)) for p in parts] or ["index"]
    more = f".p{page}" if page > 1 else ""
    return "/".join(names) + f"{more}.html"


def _short(name: str) -> str:
    """A slug as a file name; slugs hold letters, digits and "-" only, but may be long."""
    if len(name.encode()) <= _LONGEST:
        return name
    cut = name.encode()[: _LONGEST - 10].decode(errors="ignore")
    return f"{cut}-{digest(name)[:8]}"


@dataclass(frozen=True)
class Links:
    """Makes addresses for the page at hand.

    Attributes:
        live: For the server; otherwise for files.
        depth: Of the page at hand below the site's folder (files only).
        papers: Ids of papers that have a page; None: all.
    """

    live: bool
    depth: int = 0
    papers: Collection[int] | None = None

    def __call__(self, *parts: Part, page: int = 1, **query: Part | None) -> str:
        """The address of a page; ``query`` is for the server only."""
        if self.live:
            path = "/" + "/".join(quote(str(p), safe="") for p in parts)
            asked = {k: v for k, v in query.items() if v not in (None, "")}
            if page > 1:
                asked["page"] = page
            return path + (f"?{urlencode(asked)}" if asked else "")
        return "../" * self.depth + quote(file_of(*parts, page=page))

    def asset(self, name: str) -> str:
        """The address of a style sheet or script."""
        return f"/assets/{name}" if self.live else f"{'../' * self.depth}assets/{name}"

    def file(self, name: str) -> str:
        """The address of any other file of the static site."""
        return "../" * self.depth + quote(name)

    def paper(self, paper_id: int, slug: str) -> str | None:
        """The address of a paper's page; None where it has none."""
        if self.papers is not None and paper_id not in self.papers:
            return None
        return self("papers", slug)

    def read(self, paper: Paper) -> str | None:
        """Where a reader finds a paper: its page here, else its own address."""
        return self.paper(paper.id, paper.slug) or web(paper.url_abs)
