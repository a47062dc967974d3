"""What the server's routes share: the file, the cache, the tokens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import BoardError
from ..pages import Cache, Links, PageContext
from ..store.store import Store
from ..store.submit import CheckRecipe
from .tokens import Tokens

__all__ = ["AppState", "Plain"]


@dataclass(frozen=True)
class Plain:
    """The chrome of pages that need no store: errors."""

    writable: bool
    links: Links = field(default_factory=lambda: Links(True))
    live: bool = True


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
