"""Against forged requests: a token in the form that belongs to a cookie."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

__all__ = ["COOKIE", "Tokens", "foreign"]

COOKIE = "surefoot-form"


class Tokens:
    """Makes and checks tokens; the key lives as long as the server does."""

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
