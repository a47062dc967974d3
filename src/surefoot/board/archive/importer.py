"""Import of the Papers with Code archive: gzipped JSON lists, streamed, in bounded memory.

One record is in memory at a time. What cannot be taken in goes into quarantine with its JSON path
and the reason. Importing a file again does nothing (SHA-256); importing a file with the same rows
adds none (row keys). Everything that comes from the archive carries its licence, CC-BY-SA-4.0, and
the number of its import, so that it stays separable.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...registry import import_optional
from ..errors import BoardError
from ..store.rows import ImportRecord
from ..store.store import Store
from .fields import Rejected
from .format import LICENCE
from .handlers import DatasetHandler, LinkHandler, MethodHandler, PaperHandler
from .records import Handler, relink
from .tables import TableHandler

__all__ = ["ImportReport", "import_file", "kind_of"]

HANDLERS: dict[str, type[Handler]] = {
    "papers-with-abstracts": PaperHandler,
    "links-between-papers-and-code": LinkHandler,
    "evaluation-tables": TableHandler,
    "datasets": DatasetHandler,
    "methods": MethodHandler,
}
"""Kind of file -> what takes its records in."""

READER = 2
"""Of what a file yields; it grows where more of a record is taken in than before."""

_BATCH = 5_000
_WITH_PAPERS = ("papers-with-abstracts", "links-between-papers-and-code")
_BROKEN = (EOFError, OSError, zlib.error, UnicodeError)

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ImportReport:
    """What an import did.

    Attributes:
        record: The import as the board keeps it.
        records: Records read from the file.
        reasons: Reason -> how many records are in quarantine for it.
        seconds: Wall time.
        skipped: The very file was imported before, completely: nothing was read.
        problem: Why the file could not be read to its end; "" where it could.
    """

    record: ImportRecord
    records: int
    reasons: Mapping[str, int]
    seconds: float
    skipped: bool = False
    problem: str = ""

    def text(self) -> str:
        """For people."""
        r = self.record
        if self.skipped:
            return f"{r.file}: imported before (number {r.id}, {r.finished}); nothing to do"
        lines = [
            f"{r.file}: {self.records} records in {self.seconds:.1f} s"
            + (f" ({self.records / self.seconds:.0f} per second)" if self.seconds > 0 else ""),
            f"  added {r.added}, updated {r.updated}, unchanged {r.unchanged}, "
            f"in quarantine {r.quarantined}",
        ]
        lines += [f"    {n} x {why}" for why, n in self.reasons.items()]
        if self.problem:
            lines.append(f"  stopped early: {self.problem}")
        return "\n".join(lines)


def kind_of(path: str | Path) -> str | None:
    """Which of the archive's files this is, by its name; None where the name does not say."""
    name = Path(path).name.lower()
    return next((k for k in HANDLERS if name.startswith(k)), None)


def import_file(
    store: Store,
    path: str | Path,
    *,
    kind: str | None = None,
    licence: str = LICENCE,
    progress: Progress | None = None,
) -> ImportReport:
    """Import one file of the archive.

    Args:
        store: Where to.
        path: JSON, gzipped or not.
        kind: One of :data:`HANDLERS`; by default the file's name or its first record tells.
        licence: Of the rows.
        progress: Called now and then with (records, bytes of the file read so far).

    Raises:
        BoardError: No such file, no JSON list, or of no known kind. A file that breaks off is no
            error: what came before is kept and the report says so.
        MissingDependency: ijson is not installed.
    """
    file = Path(path)
    if not file.is_file():
        raise BoardError(f"there is no file {file}", expected="one of the archive's .json.gz files")
    began = time.perf_counter()
    sha256 = _sha256(file)
    kind = kind or kind_of(file) or _kind_by_content(file)
    if kind not in HANDLERS:
        raise BoardError(f"{kind!r} is no kind of archive file", expected=", ".join(HANDLERS))
    before = store.imports.find(sha256=sha256, kind=kind)
    if before is not None and before.complete and before.reader >= READER:
        return ImportReport(before, 0, store.imports.reasons(before.id), 0.0, skipped=True)
    record = store.imports.begin(file.name, sha256, kind, licence, READER)
    run = _Run(store, HANDLERS[kind](store, record, licence, file), record.id)
    run.read(file, progress)
    if kind in _WITH_PAPERS:
        relink(store)
    done = store.imports.finish(
        record.id,
        complete=not run.problem,
        note=run.problem,
        **{name: run.handler.counts[name] for name in ("added", "updated", "unchanged")},
    )
    reasons = store.imports.reasons(record.id)
    seconds = time.perf_counter() - began
    return ImportReport(done, run.records, reasons, seconds, problem=run.problem)


class _Run:
    """Reads one file in batches, each of which is one transaction."""

    def __init__(self, store: Store, handler: Handler, number: int) -> None:
        self.store, self.handler, self.number = store, handler, number
        self.records, self.problem = 0, ""

    def read(self, file: Path, progress: Progress | None) -> None:
        with open(file, "rb") as raw, self.store.db.bulk(self.number):
            items = records(raw)
            while self._batch(items):
                if progress is not None:
                    progress(self.records, raw.tell())

    def _batch(self, items: Iterator[Any]) -> bool:
        with self.store.transaction():
            for _ in range(_BATCH):
                try:
                    item = next(items)
                except StopIteration:
                    return False
                except (*_BROKEN, _json_error()) as error:
                    self.problem = f"after {self.records} records: {_why(error)}"
                    return False
                self._one(item)
        return True

    def _one(self, item: Any) -> None:
        path = f"$[{self.records}]"
        self.records += 1
        try:
            with self.store.db.savepoint():
                self.handler.take(item, path)
        except Rejected as why:
            self.store.imports.quarantine(self.number, path, str(why), item)
        except (UnicodeEncodeError, OverflowError) as error:
            why_not = f"cannot be stored: {_why(error)}"
            self.store.imports.quarantine(self.number, path, why_not, item)


def records(raw: io.BufferedReader) -> Iterator[Any]:
    """The elements of a JSON list, one at a time.

    Args:
        raw: Bytes, gzipped or not, at their beginning.

    Raises:
        BoardError: The first character is not "[".
        MissingDependency: ijson is not installed.
    """
    ijson = import_optional("ijson", needed_for="importing archive files")
    zipped = raw.peek(2).startswith(b"\x1f\x8b")
    stream = io.BufferedReader(gzip.GzipFile(fileobj=raw)) if zipped else raw
    try:
        start = stream.peek(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    except _BROKEN as error:
        raise BoardError(f"the file cannot be read: {_why(error)}") from error
    if start != b"[":
        raise BoardError(
            f"the file begins with {start!r}, not with a JSON list",
            expected="a .json or .json.gz file of the archive: [{...}, ...]",
        )
    # Not use_float: with it an integer of more than 64 bits would end the reading.
    items: Iterator[Any] = ijson.items(stream, "item", buf_size=1 << 18)
    return items


def _json_error() -> type[Exception]:
    error: type[Exception] = import_optional("ijson", needed_for="importing").JSONError
    return error


def _why(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with open(file, "rb") as raw:
        while block := raw.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


_TELLING: dict[str, frozenset[str]] = {
    "papers-with-abstracts": frozenset({"abstract", "authors"}),
    "links-between-papers-and-code": frozenset({"repo_url"}),
    "evaluation-tables": frozenset({"task", "datasets"}),
    "datasets": frozenset({"name", "modalities"}),
    "methods": frozenset({"name", "collections"}),
}


def _kind_by_content(file: Path) -> str:
    with open(file, "rb") as raw:
        try:
            first = next(records(raw), None)
        except (*_BROKEN, _json_error()) as error:
            raise BoardError(f"{file} cannot be read as JSON: {_why(error)}") from error
    keys = frozenset(first) if isinstance(first, Mapping) else frozenset()
    for kind, telling in _TELLING.items():
        if telling <= keys:
            return kind
    raise BoardError(
        f"what kind of archive file {file.name} is cannot be told from its name or first record",
        expected=f"one of {', '.join(HANDLERS)}",
        fix="say so with --kind",
    )
