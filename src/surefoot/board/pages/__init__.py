"""The board's pages: from the store to HTML, for a static site and a live server. No torch here.

Views (``*_view.py``, ``lists.py``, ``things.py``, ``others.py``) turn rows of the store into plain
data; ``templates/`` turn these into HTML with autoescape on; ``links.py`` knows the addresses of
both faces. Every text of the store may come from a stranger: views make it one line of printable
characters, templates escape it, and an address becomes a link only where it is http or https.
"""

from __future__ import annotations

from .face import Face
from .links import Links
from .ranked import Cache
from .site import Site, export_site

__all__ = ["Cache", "Face", "Links", "Site", "export_site"]
