"""Tensors read block by block, by several threads, in bounded memory; one file written whole."""

from __future__ import annotations

import json
import math
import os
import shutil
import struct
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from ..errors import WeightsError
from ..threads import cores
from .dtypes import KINDS, Bytes, Stored
from .mixing import Part
from .scratch import Scratch
from .tensor_file import TensorFile

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Blocks", "Sink", "default_threads", "workers"]

T = TypeVar("T")

_FLUSH = 1 << 26
"""Bytes written after which the disk is set to work, so that it does not begin at the end."""

_BLOCK = 1 << 18
"""Numbers in a block at most: what stays in a core's cache while it is checked and mixed."""


def default_threads() -> int:
    """As many as this process has cores, up to four: by then the disk is what one waits for."""
    return min(cores(), 4)


@contextmanager
def workers(threads: int) -> Iterator[ThreadPoolExecutor]:
    """A pool whose threads compute alone: torch's own would contend with each other."""
    torch = sys.modules.get("torch")  # what needs it has imported it by now
    if torch is None:
        pool = ThreadPoolExecutor(threads)
    else:
        own = torch.get_num_threads()
        pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        if torch is not None:
            torch.set_num_threads(own)


class Blocks:
    """Reads the same numbers of several checkpoints, part by part.

    Args:
        sources: Compatible ones.
        pool: Threads that read and compute.
        threads: How many.
        memory: Bytes that all blocks in flight may take together.
        temporaries: Blocks of 8 bytes a number that the work on a part needs besides.
        block_bytes: Instead of what ``memory`` allows: bytes of the first checkpoint's block.
        mapped: Blocks may be the files' own pages, read-only, instead of copies. Not for torch,
            which would write to them unawares.
    """

    def __init__(
        self,
        sources: Sequence[TensorFile],
        pool: ThreadPoolExecutor,
        *,
        threads: int,
        memory: int,
        temporaries: int,
        block_bytes: int | None = None,
        mapped: bool = False,
    ) -> None:
        self.sources, self.threads, self.mapped = sources, threads, mapped
        self._pool = pool
        self._bytes = block_bytes
        # At 8 bytes a number, whatever the dtype: every input, widened, and its delta; the result.
        each = 8 * (3 * len(sources) + 1 + temporaries)
        self._numbers = max(1024, min(_BLOCK, memory // (each * threads)))
        self._scratch = Scratch()

    def step(self, name: str) -> int:
        """Numbers per part of a tensor."""
        if self._bytes is None:
            return self._numbers
        return max(1, self._bytes // KINDS[self.sources[0].kind(name)].size)

    def splits(self, name: str) -> bool:
        """Is this tensor read in more than one part?"""
        return self.sources[0].numel(name) > self.step(name)

    def parts(self, names: Iterable[str]) -> Iterator[Part]:
        """The parts of these tensors, in order; an empty tensor has none."""
        number = 0
        for name in names:
            numel, step = self.sources[0].numel(name), self.step(name)
            for at in range(0, numel, step):
                yield Part(name, at, min(at + step, numel), numel, number)
                number += 1

    def stored(
        self, names: Iterable[str], function: Callable[[Part, list[Stored]], T]
    ) -> Iterator[tuple[Part, T]]:
        """(part, function(part, one block per source)) in order; a few parts are ahead.

        The blocks are buffers of the thread: the function must not keep them.
        """
        waiting: deque[tuple[Part, Future[T]]] = deque()

        def work(part: Part) -> T:
            return function(part, self._read(part))

        for part in self.parts(names):
            waiting.append((part, self._pool.submit(work, part)))
            if len(waiting) > 2 * self.threads:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()

    def __call__(
        self, names: Iterable[str], function: Callable[[Part, list[Tensor]], T]
    ) -> Iterator[tuple[Part, T]]:
        """The same with tensors, (n,) each."""
        return self.stored(names, lambda part, blocks: function(part, [b.tensor() for b in blocks]))

    def alone(
        self, names: Iterable[str], function: Callable[[Part, list[Tensor]], T]
    ) -> Iterator[tuple[Part, T]]:
        """As a call, all by the thread that asks."""
        for part in self.parts(names):
            yield part, function(part, [block.tensor() for block in self._read(part)])

    def each(self, names: Sequence[str], function: Callable[[str], T]) -> Iterator[T]:
        """``function`` of every name, in order, by several threads: it may read :meth:`alone`."""
        return self._pool.map(function, names)

    def _read(self, part: Part) -> list[Stored]:
        return [self._block(i, source, part) for i, source in enumerate(self.sources)]

    def _block(self, slot: int, source: TensorFile, part: Part) -> Stored:
        found = source.view(part.name, part.start, part.stop) if self.mapped else None
        if found is not None:
            return found
        size = (part.stop - part.start) * KINDS[source.kind(part.name)].size
        room = self._scratch(slot, size, source.offset(part.name, part.start))
        return source.read(part.name, part.start, part.stop, room)


class Sink:
    """A safetensors file under way: parts in any order, by any thread; then it is there, whole.

    A context: unless :meth:`finish` was reached nothing is left behind, and a file that was there
    before is untouched.

    Args:
        path: The file to be.
        kinds: Name -> number format of every tensor.
        shapes: Name -> shape.
        metadata: Text -> text; :meth:`finish` may replace it by another of the same length.

    Raises:
        WeightsError: The disk has no room.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        kinds: Mapping[str, str],
        shapes: Mapping[str, tuple[int, ...]],
        metadata: Mapping[str, str],
    ) -> None:
        self.path = Path(path)
        self._partial = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self._sizes = {name: KINDS[kind].size for name, kind in kinds.items()}
        # Wide formats first keeps every tensor aligned.
        self.order = sorted(kinds, key=lambda name: (-self._sizes[name], name))
        self._kinds, self._shapes = dict(kinds), dict(shapes)
        self._at: dict[str, int] = {}
        end = 0
        for name in self.order:
            self._at[name] = end
            end += math.prod(shapes[name]) * self._sizes[name]
        self.total = end
        self._base = len(self._header(metadata))
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._out: BinaryIO | None = None
        self._flusher = ThreadPoolExecutor(1)
        self._flushing: Future[None] | None = None
        self._fresh = 0
        self._require_room()

    def __enter__(self) -> Sink:
        self._out = open(self._partial, "w+b", buffering=0)
        self._out.truncate(self._base + self.total)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._out is not None
        self._flusher.shutdown(wait=True)
        self._out.close()
        self._partial.unlink(missing_ok=True)

    def write(self, name: str, start: int, data: Bytes) -> None:
        """Bytes of a tensor, from its number ``start`` on."""
        at = self._base + self._at[name] + start * self._sizes[name]
        self._put(data.data, at)
        self._flush(len(data))

    def _flush(self, size: int) -> None:
        """Now and then send to the disk what is written, while the rest is being mixed."""
        if not hasattr(os, "fdatasync"):
            return
        with self._lock:
            self._fresh += size
            if self._fresh < _FLUSH or not (self._flushing is None or self._flushing.done()):
                return
            assert self._out is not None
            self._fresh = 0
            if self._flushing is not None:
                self._flushing.result()  # a disk that fails stops the merge here
            self._flushing = self._flusher.submit(os.fdatasync, self._out.fileno())

    def finish(self, metadata: Mapping[str, str]) -> None:
        """Header, fsync, rename: now the file is there."""
        assert self._out is not None
        header = self._header(metadata)
        assert len(header) == self._base, "the metadata may not change their length"
        self._put(memoryview(header), 0)
        if self._flushing is not None:
            self._flushing.result()
        os.fsync(self._out.fileno())
        os.replace(self._partial, self.path)

    def _put(self, data: memoryview, at: int) -> None:
        assert self._out is not None
        done = 0
        # One at a time: the system lets one thread write to a file, and others would spin.
        with self._writing:
            while done < len(data):
                if hasattr(os, "pwrite"):
                    done += os.pwrite(self._out.fileno(), data[done:], at + done)
                else:  # Windows
                    self._out.seek(at + done)
                    done += self._out.write(data[done:])

    def _header(self, metadata: Mapping[str, str]) -> bytes:
        head: dict[str, object] = {"__metadata__": dict(metadata)}
        for name in self.order:
            at = self._at[name]
            size = math.prod(self._shapes[name]) * self._sizes[name]
            head[name] = {"dtype": self._kinds[name], "shape": list(self._shapes[name]),
                          "data_offsets": [at, at + size]}  # fmt: skip
        text = json.dumps(head, separators=(",", ":")).encode()
        text += b" " * (-(len(text) + 8) % 64)  # where mixed blocks are copied from: see scratch
        return struct.pack("<Q", len(text)) + text

    def _require_room(self) -> None:
        free = shutil.disk_usage(self.path.parent).free
        needed = self._base + self.total
        if needed > free:
            raise WeightsError(
                f"{self.path.name} needs {needed / 1e9:.2f} GB, and {free / 1e9:.2f} GB are free "
                "beside it",
                expected="room for the whole result, even where it replaces a file",
                fix="free some space, or write to another disk",
            )
