"""Reads the splits of one task; files of all of them that are no images are told together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Literal

from ..errors import BadImages, DataError
from ..inventory import Note
from .brightness import settle
from .check import Progress, check_images, know_images, require_good
from .dataset import Domain, Split, Use
from .source import Source

__all__ = ["Check", "SplitReader"]

Check = bool | Literal["quick"]


class SplitReader:
    """Reads splits and has their images decoded once.

    Args:
        skip_bad: Leave bad images out of each split as it is read, instead of stopping.
        check: Decode images at all; "quick" looks at headers only.
        workers: Threads of the check.
        progress: Called by the check with (done, all), split after split.

    Attributes:
        notes: What the images of all splits together said.
    """

    def __init__(
        self,
        *,
        skip_bad: bool = False,
        check: Check = True,
        workers: int = 0,
        progress: Progress | None = None,
    ) -> None:
        self.skip_bad, self.check = skip_bad, check
        self._workers, self._progress = workers, progress
        self._due: list[Split] = []
        self._known: list[Split] = []
        self._good: list[Split] = []
        self.notes: list[Note] = []
        self._bad: dict[str, tuple[str, list[tuple[str, str]]]] = {}

    @contextmanager
    def together(self) -> Iterator[SplitReader]:
        """Inside, splits are read; at its end their images are looked at, all of them.

        What costs nothing comes first: a class that does not exist ends it before any image is
        decoded.

        Raises:
            BadImages: Files of any split are missing or cannot be decoded; they are counted by
                split.
        """
        try:
            yield self
        except BadImages as error:  # of a set that cannot be read without the missing files
            if not self._bad:
                raise
            self._note("", error.where, error.bad)
            raise self._error() from error
        except DataError as error:
            # Where files are missing, classes can be too, and that is not what is to be mended.
            if self._bad:
                raise self._error() from error
            raise
        for split in self._due:
            bad = check_images(
                split, workers=self._workers, progress=self._progress, quick=self.check == "quick"
            )
            self._note(split.name, split.source, bad)
        if self._bad:
            raise self._error()
        for split in self._known:
            know_images(split, workers=self._workers, progress=self._progress)
        self.notes = settle((*self._good, *self._due))

    def read(
        self,
        source: Source,
        name: str,
        domain: Domain,
        use: Use,
        class_names: Sequence[str] | None = None,
    ) -> Split:
        """One split; the arguments are those of :meth:`Source.read`."""
        read = partial(source.read, name=name, domain=domain, use=use, class_names=class_names)
        try:
            split = read(skip_missing=self.skip_bad)
        except BadImages as error:  # files that a table names are not there
            if self.skip_bad:
                raise
            split = read(skip_missing=True)
            self._note(name, error.where, error.bad)
        return self.checked(split, source)

    def checked(self, split: Split, source: Source) -> Split:
        """The split, its images decoded once: now to leave bad ones out, else in the end."""
        quick = self.check == "quick"
        if not self.check or source.kind == "pictograms":
            return split
        if self.skip_bad:
            self._good.append(require_good(split, True, workers=self._workers,
                                           progress=self._progress, quick=quick))  # fmt: skip
            return self._good[-1]
        (self._due if source.checked else self._known).append(split)
        return split

    def _note(self, name: str, source: str, bad: Sequence[tuple[str, str]]) -> None:
        """Keep what is bad of a split."""
        if bad:
            self._bad.setdefault(name, (source, []))[1].extend(bad)

    def _error(self) -> BadImages:
        """All that is bad; files of a set that serves as two splits count once."""
        same: dict[tuple[str, tuple[tuple[str, str], ...]], list[str]] = {}
        for name, (source, bad) in self._bad.items():
            same.setdefault((source, tuple(bad)), []).append(name)
        return BadImages.of_splits(
            [(" and ".join(names), source, bad) for (source, bad), names in same.items()]
        )
