"""The board's pages: from the store to HTML, for a static site and a live server. No torch here.

Views (``*_view.py``, ``lists.py``, ``entities.py``, ``others.py``) turn rows of the store into
plain data; ``templates/`` turn these into HTML with autoescape on; ``links.py`` knows the addresses
of the site and of the server. Every text of the store may come from a stranger: views make it one
line of printable characters, templates escape it, and an address becomes a link only where it is
http or https.
"""
