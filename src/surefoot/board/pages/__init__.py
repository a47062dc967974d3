"""The board's pages: from the store to HTML, for a static site and a live server. No torch here.

Views (``*_view.py``, ``lists.py``, ``entities.py``, ``others.py``) turn rows of the store into
plain data; ``templates/`` turn these into HTML with autoescape on; ``links.py`` knows the addresses
of the site and of the server. Every text of the store may come from a stranger: views make it one
line of printable characters, templates escape it, and an address becomes a link only where it is
http or https.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...contents import lazy

_WHERE = {
    "Cache": "ranked",
    "Links": "links",
    "PageContext": "page_context",
    "Site": "site",
    "export_site": "site",
}

__all__ = sorted(_WHERE)

if TYPE_CHECKING:
    from .links import Links as Links
    from .page_context import PageContext as PageContext
    from .ranked import Cache as Cache
    from .site import Site as Site
    from .site import export_site as export_site

__getattr__ = lazy(__name__, _WHERE)


def __dir__() -> list[str]:
    return __all__
