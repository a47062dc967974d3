"""What the server's routes share: the file, the cache, and tokens against forged requests."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import HTTPException, Request

from ..errors import BoardError
from ..pages.links import Links
from ..pages.page_context import PageContext
from ..pages.ranked import Cache
from ..store.store import Store
from ..store.submit import CheckRecipe

__all__ = ["COOKIE", "AppState", "Tokens", "foreign", "state", "writable"]

COOKIE = "surefoot-form"


class Tokens:
    """Makes and checks tokens in forms, each of which belongs to a cookie.

    The key lives as long as the server does.
    """

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def visitor(self, cookie: str | None) -> str:
        """The visitor's cookie, or a new one."""
        good = cookie is not None and len(cookie) == 43 and cookie.isascii()
        return cookie if good and cookie is not None else secrets.token_urlsafe(32)

    def token(self, visitor: str) -> str:
        """The token of a visitor's forms."""
        return hmac.new(self._key, visitor.encode(), hashlib.sha256).hexdigest()

    def good(self, cookie: str | None, token: str) -> bool:
        """Whether a form came from a page that we gave to this visitor."""
        if not cookie or len(cookie) > 200:
            return False
        told = token.encode("utf-8", "replace")
        return hmac.compare_digest(self.token(cookie).encode(), told)


@dataclass
class AppState:
    """One served board.

    A store belongs to one thread: every request opens its own, for reading unless it writes.

    Attributes:
        path: The board's file.
        read_only: Whether submissions are refused.
        secure: Whether cookies are for https only.
        check_recipe: Reads a submitted recipe; None: recipes are not looked at.
    """

    path: Path
    read_only: bool = False
    secure: bool = False
    check_recipe: CheckRecipe | None = None
    cache: Cache = field(default_factory=Cache)
    tokens: Tokens = field(default_factory=Tokens)

    @contextmanager
    def context(self) -> Iterator[PageContext]:
        """A context over a store that is open for reading."""
        try:
            seen = self.path.stat()
        except OSError as error:
            raise BoardError(f"the board's file cannot be read ({error.strerror})") from error
        self.cache.at((seen.st_mtime_ns, seen.st_size, seen.st_ino))
        with Store.open(self.path, read_only=True) as store:
            yield PageContext(store, Links(True), self.cache, True, not self.read_only)

    @contextmanager
    def writing(self) -> Iterator[Store]:
        """A store that is open for writing."""
        with Store.open(self.path, who="web") as store:
            yield store


def state(request: Request) -> AppState:
    """The served board."""
    found: AppState = request.app.state.board
    return found


def writable(request: Request) -> AppState:
    """The served board, for a request that sends something to it.

    Raises:
        HTTPException: It is read-only, or another site's page sent the request.
    """
    at, told = state(request), request.headers
    if at.read_only:
        raise HTTPException(403, "this board is read-only")
    if foreign(told.get("origin"), told.get("sec-fetch-site"), told.get("host")):
        raise HTTPException(403, "this was sent from another site's page")
    return at


def foreign(origin: str | None, site: str | None, host: str | None) -> bool:
    """Whether a browser says that a request was made by another site.

    Args:
        origin: The header Origin.
        site: The header Sec-Fetch-Site.
        host: The header Host.
    """
    if site not in (None, "same-origin", "none"):
        return True
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != (host or "").lower()
    except ValueError:
        return True
