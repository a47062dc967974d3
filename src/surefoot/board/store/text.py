"""Names as the board compares and addresses them."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from datetime import datetime, timezone
from typing import Any

__all__ = ["arxiv_id", "canonical", "digest", "fold", "now", "slugify"]

_NOT_WORD = re.compile(r"[^\w]+", re.UNICODE)
_ENCODE = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=float
).encode  # Decimal is all that JSON readers give beyond JSON
_ARXIV = re.compile(
    r"(?:arxiv\.org/(?:abs|pdf)/|^arxiv:|^)"
    r"(\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v\d+)?(?:\.pdf)?$",
    re.IGNORECASE,
)


def fold(name: str) -> str:
    """The form in which names are compared: NFKC, case folded, blanks collapsed."""
    plain = name.lower() if name.isascii() else unicodedata.normalize("NFKC", name).casefold()
    return " ".join(plain.split())


def slugify(name: str, limit: int = 80) -> str:
    """The form in which names stand in addresses: letters and digits joined by "-".

    A name without any (only signs) becomes "x-" and eight digits of its SHA-256.
    """
    if name.isascii():
        plain = name.casefold()
    else:
        plain = unicodedata.normalize("NFKD", name).casefold()
        plain = "".join(c for c in plain if not unicodedata.combining(c))
    slug = _NOT_WORD.sub("-", plain).replace("_", "-").strip("-")[:limit].rstrip("-")
    return slug or f"x-{digest(name)[:8]}"


def canonical(data: Any) -> str:
    """JSON that is equal where the data are: keys sorted, no blanks."""
    return _ENCODE(data)


def digest(*parts: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of the parts."""
    raw = canonical(list(parts)).encode("utf-8", "surrogatepass")
    return hashlib.sha256(raw).hexdigest()


def arxiv_id(text: str | None) -> str | None:
    """The arXiv number, without version, in an address or a number; None if there is none."""
    found = _ARXIV.search(text.strip()) if text else None
    return found.group(1).lower() if found else None


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
