"""Checkpoints merged into one file, by any rule, in bounded memory, checked against float64."""

from __future__ import annotations

import hashlib
import importlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from ..errors import WeightsError
from .classes import same_classes, unnamed
from .dtypes import COMPUTED_KINDS, KINDS, Bytes, Stored, common_kind
from .layout import INTEGERS_DIFFER, listed, misfits
from .mapped import CAN_MAP, MappedFile
from .mixable import is_variance
from .mixing import Mixer, Part
from .prefixes import bare
from .rules import FisherRule, Rule
from .scratch import room_for
from .streaming import Blocks, Sink, default_threads, workers
from .tensor_file import TensorFile, open_tensors

__all__ = ["DTYPE_POLICIES", "Accuracy", "Check", "Merged", "file_hash", "merge"]

Check = Literal["none", "sampled", "full"]

DTYPE_POLICIES = ("error", "start", "end", "widest", "float16", "bfloat16", "float32", "float64")
"""What becomes of floating dtypes: refuse to mix them, take one side's, the widest, or this one."""

_EPSILON = {"F64": 2.0**-52, "F32": 2.0**-23, "F16": 2.0**-10, "BF16": 2.0**-7}

_EVERY = 32
"""One block in so many is compared with float64 when the check is sampled; the first always is.

So is one number in so many, and 64 or all, at the beginning of every tensor, where the method works
number by number: most tensors are one small block.
"""

_PIECE = 1 << 21
"""Bytes that are hashed at once."""

_COMPARED = 1 << 13
"""Numbers that are compared with float64 at once."""


@dataclass(frozen=True)
class Accuracy:
    """The result against the same formula in float64, on the numbers that were compared.

    Attributes:
        compared: How many numbers.
        of: Out of how many.
        largest: Largest absolute difference.
        ulps: Largest difference in units of the result dtype's epsilon times the largest operand
            in size; rounding the exact result alone costs up to 0.5.

    Example:
        >>> both = ["start.safetensors", "end.safetensors"]
        >>> done = sf.weights.merge(both, "a.safetensors", sf.weights.Lerp(alpha=0.5))
        >>> done.accuracy.compared, done.accuracy.largest
        (2, 0.0)
    """

    compared: int = 0
    of: int = 0
    largest: float = 0.0
    ulps: float = 0.0

    def __str__(self) -> str:
        return (
            f"largest error against float64 {self.largest:.2e} ({self.ulps:.2f} eps of the "
            f"largest operand), on {self.compared:,} of {self.of:,} numbers"
        )


@dataclass(frozen=True)
class Merged:
    """What :func:`merge` wrote.

    Attributes:
        path: The file.
        metadata: In its header.
        accuracy: Against float64; ``compared`` is 0 where nothing was checked.
        notes: Which of several networks in a file was taken, which prefix left out, which head's
            rows put into another order.

    Example:
        >>> both = ["start.safetensors", "end.safetensors"]
        >>> done = sf.weights.merge(both, "b.safetensors", sf.weights.Mean())
        >>> done.path.name
        'b.safetensors'
    """

    path: Path
    metadata: Mapping[str, str]
    accuracy: Accuracy
    notes: tuple[str, ...] = ()


def merge(
    checkpoints: Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    rule: Rule,
    *,
    dtype: str = "error",
    memory: int = 64 * 2**20,
    threads: int | None = None,
    check: Check = "sampled",
    hashes: bool = True,
    block_bytes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Merged:
    """Merge checkpoints into one safetensors file, block by block.

    Blocks are read, mixed and written by several threads. Memory stays within ``memory`` besides
    the interpreter, its libraries and some 4 MB for every file that is being hashed (up to four at
    once), and by lerp and LiNeS for every file and thread, whatever the size of the files: that is
    the system's cache, looked at instead of copied. TIES takes 2 MB more for each tuned checkpoint
    (by tensor, in each thread). Of a ``.pt``, pages that are mapped come on top, which the system
    takes back when it needs them. The numbers are those of the in-memory operations:
    bit for bit for lerp, LiNeS, means, task arithmetic, TIES and Fisher, up to the order of a sum
    for Model Stock on tensors larger than a block (and up to the sign of zeros that are equal in
    all checkpoints).

    Args:
        checkpoints: What :func:`~surefoot.weights.open_tensors` opens; same names and shapes, but
            for prefixes that ``surefoot.load`` strips too. The metadata of the last are kept; rows
            of a head are matched by the classes that the metadata name.
        out: A ``.safetensors`` file; written whole or not at all.
        rule: How they are merged, such as ``Lerp(alpha=0.5)``.
        dtype: One of :data:`DTYPE_POLICIES`. "error" refuses checkpoints of different dtypes.
        memory: Bytes for all blocks in flight.
        threads: That read, compute and write; as many as cores, up to four, when left out.
        check: Compare with float64 on one block in 32 and the beginning of every tensor (of TIES,
            Model Stock and Fisher the blocks alone), on all numbers, or not.
        hashes: Read every input once more to note its sha256 in the metadata.
        block_bytes: Size of a block, instead of what ``memory`` allows.
        progress: Called with (bytes written, bytes in all), from this thread.

    Raises:
        AlphaError: A coefficient is outside its range without leave.
        CheckpointError: A file cannot be read.
        WeightsError: The files do not fit together, or hold what is no weight: every problem at
            once; nothing is written.

    Example:
        >>> both = ["start.safetensors", "end.safetensors"]
        >>> done = sf.weights.merge(both, "c.safetensors", sf.weights.Lerp(alpha=0.25))
        >>> sf.weights.read_safetensors(done.path)["w"]
        tensor([0.5000, 2.0000])
    """
    _require_name(Path(out))
    sources = _aligned([open_tensors(path) for path in checkpoints])
    if isinstance(rule, FisherRule) and any(source.notes for source in sources):
        raise _unaligned(sources)
    target = _kinds(sources, dtype)
    threads = threads or default_threads()
    metadata = _metadata(sources, rule, dtype, hashes)
    shapes = {name: sources[0].shape(name) for name in target}
    if rule.by_torch:
        importlib.import_module("torch")  # before there are threads, which see whether it is there
    # The pool goes first when something fails: no thread may write to a file that is closed.
    with Sink(out, target, shapes, metadata) as sink, workers(threads) as pool:
        blocks = Blocks(sources, pool, threads=threads, memory=memory,
                        temporaries=rule.temporaries, block_bytes=block_bytes,
                        mapped=not rule.by_torch)  # fmt: skip
        mixer = rule.mixer(sources, blocks)
        with _Hashes(sources if hashes else []) as digests:
            accuracy = _stream(blocks, sink, mixer, target, check, progress)
            for label, digest in zip(_labels(len(sources)), digests.results(), strict=False):
                metadata[f"surefoot.merge.{label}.sha256"] = digest
        sink.finish(metadata)
    notes = (*(note for source in sources for note in source.notes), *unnamed(sources))
    return Merged(Path(out), metadata, accuracy, notes)


def _require_name(out: Path) -> None:
    if out.suffix != ".safetensors":
        raise WeightsError(
            f"a merge cannot be written to {out.name}: by that name no reader takes it for "
            "safetensors",
            expected="a name that ends in .safetensors",
        )


def _aligned(sources: Sequence[TensorFile]) -> list[TensorFile]:
    """The checkpoints under the same names where only prefixes differ, heads in one order."""
    out = []
    for source, names in zip(sources, bare(sources), strict=True):
        gone = {k.removesuffix(v) if k.endswith(v) else "_orig_mod." for k, v in names.items()}
        said = [f"{source.path.name}: {', '.join(map(repr, sorted(gone - {''})))} is left out of "
                "the names"] if gone != {""} else []  # fmt: skip
        out.append(source.renamed(names, *said))
    return same_classes(out)


def _unaligned(sources: Sequence[TensorFile]) -> WeightsError:
    return WeightsError(
        "the checkpoints have other names or orders, in which their Fishers may not be:"
        + listed([note for source in sources for note in source.notes]),
        expected="checkpoints saved the same way, each with its Fisher",
        fix="save them under the same names, the heads' rows in the same order",
    )


class _Hashes:
    """Hashes of the inputs, made meanwhile; given up as soon as the merge fails."""

    def __init__(self, sources: Sequence[TensorFile]) -> None:
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(default_threads())
        self._futures = [self._pool.submit(file_hash, s.files, self._stop) for s in sources]

    def __enter__(self) -> _Hashes:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def results(self) -> list[str]:
        """One per input, in order."""
        return [future.result() for future in self._futures]


def _stream(
    blocks: Blocks,
    sink: Sink,
    mixer: Mixer,
    target: Mapping[str, str],
    check: Check,
    progress: Callable[[int, int], None] | None,
) -> Accuracy:
    """Mix and write every part; refuse where a number is not finite."""
    labels = _messages(blocks.sources)
    # Integers come first where they are wide, and are not compared.
    first = next((name for name in sink.order if target[name] in COMPUTED_KINDS), None)

    def compared(part: Part, size: int) -> int:
        """How many numbers of the part's beginning are compared with float64."""
        if check == "none":
            return 0
        chosen = part.number % _EVERY == 0 or (part.name == first and part.start == 0)
        if check == "full" or chosen:
            return size
        return min(size, max(64, size // _EVERY)) if mixer.pointwise and part.start == 0 else 0

    def work(part: Part, stored: list[Stored]) -> _Seen:
        kind = target[part.name]
        if kind not in COMPUTED_KINDS:
            sink.write(part.name, part.start, stored[mixer.integers(part.name)].data)
            counter = kind == "BOOL" or part.numel == 1
            same = counter or all(stored[0].equals(other) for other in stored[1:])
            return _Seen([] if same else [INTEGERS_DIFFER])
        mixed = mixer.mix(part, stored, kind)
        seen = _look(stored, mixed, labels, carries=mixer.carries(part.name))
        if is_variance(part.name):
            seen.bad += [f"has a negative variance {where}"
                         for where, one in zip([*(f"in {label}" for label in labels), "when mixed"],
                                               [*stored, mixed], strict=True)
                         if one.widened().min() < 0]  # fmt: skip
        size = compared(part, len(mixed))
        if size and not seen.bad and not seen.infinite:
            seen.accuracy = _compare(mixer, part, stored, mixed, size)
        sink.write(part.name, part.start, mixed.data)
        return seen

    of = sum(blocks.sources[0].numel(k) for k, kind in target.items() if kind in COMPUTED_KINDS)
    done, total = 0, _Seen()
    bad: dict[str, dict[str, None]] = {}
    masks: dict[str, list[bool]] = {}
    for part, seen in blocks.stored(sink.order, work):
        done += (part.stop - part.start) * KINDS[target[part.name]].size
        if progress is not None:
            progress(done, sink.total)
        if seen.bad:
            bad.setdefault(part.name, {}).update(dict.fromkeys(seen.bad))
        flags = masks.setdefault(part.name, [False, False])
        flags[0] |= seen.infinite
        flags[1] |= seen.differs
        total.accuracy = _joined(total.accuracy, seen.accuracy)
    problems = [f"{name!r} {why}" for name, whys in bad.items() for why in whys]
    problems += [f"{name!r} holds Inf, and is not the same in all of them"
                 for name, (infinite, differs) in masks.items()
                 if infinite and differs and name not in bad]  # fmt: skip
    _refuse(problems)
    return Accuracy(total.accuracy.compared, of, total.accuracy.largest, total.accuracy.ulps)


@dataclass
class _Seen:
    """What one block showed."""

    bad: list[str] = field(default_factory=list)
    infinite: bool = False
    differs: bool = False
    accuracy: Accuracy = field(default_factory=Accuracy)


def _look(
    stored: Sequence[Stored], mixed: Stored, labels: Sequence[str], *, carries: bool = False
) -> _Seen:
    """Is every number finite? Inf that is equal in all of them is a stored mask."""
    first = stored[0]
    differs = not all(first.equals(other) for other in stored[1:])
    if carries and mixed.finite():
        return _Seen([], False, differs)
    fine = [one.finite() for one in stored]
    if all(fine):
        return _Seen([] if mixed.finite() else ["overflows when mixed"], False, differs)
    if not differs and not first.holds_nan():
        return _Seen([], True, False)
    bad = [f"holds NaN or Inf in {where}" for where, ok in zip(labels, fine, strict=True) if not ok]
    return _Seen(bad, False, differs)


def _compare(
    mixer: Mixer, part: Part, stored: Sequence[Stored], mixed: Stored, size: int
) -> Accuracy:
    """The first ``size`` numbers; in pieces where that can be: float64 takes fresh memory."""
    found = Accuracy()
    step = _COMPARED if mixer.pointwise else size
    for at in range(0, size, step):
        to = min(at + step, size)
        piece = replace(part, start=part.start + at, stop=part.start + to)
        wide = [one.part(at, to).widened("F64") for one in stored]
        error = float(np.abs(mixed.part(at, to).widened("F64") - mixer.exact(piece, wide)).max())
        unit = _EPSILON[mixed.kind] * max(float(np.abs(one).max()) for one in wide)
        ulps = error / unit if unit > 0 else 0.0
        found = _joined(found, Accuracy(to - at, 0, error, ulps))
    return found


def _joined(a: Accuracy, b: Accuracy) -> Accuracy:
    return Accuracy(a.compared + b.compared, 0, max(a.largest, b.largest), max(a.ulps, b.ulps))


def _kinds(sources: Sequence[TensorFile], policy: str) -> dict[str, str]:
    """The number format of every output tensor, after an audit of names, shapes and formats."""
    if policy not in DTYPE_POLICIES:
        raise WeightsError(f"there is no dtype policy {policy!r}",
                           expected=f"one of {', '.join(DTYPE_POLICIES)}")  # fmt: skip
    if not sources:
        raise WeightsError("there are no checkpoints to merge", expected="one or more")
    outlines = [source.outline() for source in sources]
    if policy != "error":
        # Floating formats may differ then; a float against an integer still may not.
        for outline in outlines[1:]:
            for name in outline.keys() & outlines[0].keys():
                if {outline[name].kind, outlines[0][name].kind} <= COMPUTED_KINDS:
                    outline[name] = replace(outline[name], kind=outlines[0][name].kind)
    labels = _messages(sources)
    problems = []
    for label, outline in zip(labels[1:] or labels, outlines[1:] or outlines, strict=True):
        problems += [p.replace("the first set", labels[0]).replace("the second set", label)
                     for p in misfits(outlines[0], outline)]  # fmt: skip
    _refuse(problems)
    return {name: _chosen(sources, name, policy) for name in sources[-1]}


def _chosen(sources: Sequence[TensorFile], name: str, policy: str) -> str:
    own = sources[0 if policy == "start" else -1].kind(name)
    if own not in COMPUTED_KINDS or policy in ("error", "start", "end"):
        return own
    if policy == "widest":
        return common_kind([s.kind(name) for s in sources])
    return next(kind for kind in COMPUTED_KINDS if KINDS[kind].name == policy)


def _refuse(problems: list[str]) -> None:
    if problems:
        raise WeightsError(
            "the checkpoints do not fit together:" + listed(problems),
            expected="the same names, shapes and dtypes, and finite values",
            fix="take checkpoints of one architecture; where only floating dtypes differ, "
            "choose one with dtype='end', 'widest' or 'float32' (--dtype)",
        )


def _metadata(
    sources: Sequence[TensorFile], rule: Rule, dtype: str, hashes: bool
) -> dict[str, str]:
    """The last checkpoint's, and where the numbers came from; hashes of the right length."""
    facts = {"method": rule.name, "dtype": dtype}
    facts |= {k: v if isinstance(v, str) else repr(v) for k, v in rule.options().items()}
    for label, source in zip(_labels(len(sources)), sources, strict=True):
        facts[label] = source.path.name
        if hashes:
            empty = "0" * 64
            several = " ".join(f"{f.name}:{empty}" for f in source.files)
            facts[f"{label}.sha256"] = empty if len(source.files) == 1 else several
    return {**sources[-1].metadata, **{f"surefoot.merge.{k}": v for k, v in facts.items()}}


def _labels(count: int) -> list[str]:
    """Names of the inputs in the metadata."""
    return ["start", "end"] if count == 2 else [f"input{i}" for i in range(1, count + 1)]


def _messages(sources: Sequence[TensorFile]) -> list[str]:
    """Names of the inputs in messages."""
    if len(sources) == 2:
        return ["the start", "the end"]
    return [f"checkpoint {i} ({s.path.name})" for i, s in enumerate(sources, 1)]


def file_hash(files: Sequence[Path], stop: threading.Event | None = None) -> str:
    """sha256 of a file; of several, their names and hashes, joined by blanks; "" when stopped."""
    hashes = []
    for path in files:
        digest = hashlib.sha256()
        for piece in _pieces(path):
            if stop is not None and stop.is_set():
                return ""
            digest.update(piece.data)
        hashes.append(digest.hexdigest())
    if len(files) == 1:
        return hashes[0]
    return " ".join(f"{f.name}:{h}" for f, h in zip(files, hashes, strict=True))


def _pieces(path: Path) -> Iterator[Bytes]:
    """A file, piece by piece; large ones: other threads hold the lock between two."""
    if CAN_MAP:
        yield from MappedFile(path).pieces(_PIECE)
        return
    room = room_for(_PIECE)  # one: fresh ones cost as much as the reading
    with open(path, "rb", buffering=0) as source:
        while count := source.readinto(room.data):
            yield room[:count]
