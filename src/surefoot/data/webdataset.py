"""Reads WebDataset shards: tar files whose members share a key, indexed for random access."""

from __future__ import annotations

import glob
import json
import os
import re
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..inventory import Note
from .building import Found, built
from .dataset import Domain, Split, Use
from .grouping import listed_classes
from .images import RangeImages
from .strings import Strings
from .tar_index import PICTURES, TarIndex

__all__ = ["from_webdataset", "shards"]

_KEY = re.compile(r"^((?:.*/|)[^./]+)[.]([^/]*)$")
"""The key ends at the first dot of the base name: the rule of the webdataset package."""

_WHOLE = re.compile(r"-?[0-9]+")

_EXPECTED = (
    "uncompressed tar shards, such as 'shards/{000..009}.tar' or 'shards/*.tar', with members "
    "KEY.jpg (or png, webp), KEY.cls (number or name), KEY.txt (caption), KEY.json (metadata)"
)


def from_webdataset(
    pattern: str | os.PathLike[str],
    *,
    name: str,
    domain: Domain,
    use: Use,
    class_names: Sequence[str] | None = None,
) -> Split:
    """A split from local shards. Members are indexed once; pixels are read straight from the tar.

    Class names come from ``classes.txt`` or ``classnames.txt`` beside the first shard or
    ``classnames.txt`` one folder higher (one a line, for numbers in ``.cls``), else from
    ``class_name`` in the members' JSON, else they are the numbers. Samples are members with one
    key that are neighbours, as the webdataset package has it.

    Args:
        pattern: A path with ``{000..009}``, ``{a,b}`` or ``*``.
        name: Of the split.
        domain: "ID" or "OOD".
        use: "train", "val" or "test".
        class_names: The label order wanted (that of the training set).

    Raises:
        DataError: No shard there, a compressed or damaged one, no images, a sample of several
            images, labels apart from their images, or some samples with a label and some without.
        ClassMismatch: A class that ``class_names`` does not have.
    """
    files = shards(pattern)
    index = TarIndex()
    notes = [note for number, file in enumerate(files) for note in _scan(file, number, index)]
    if not len(index.offsets):
        raise DataError(f"the shards {pattern} hold no images", expected=_EXPECTED)
    index.require_whole(str(pattern))
    found = Found(
        RangeImages(
            files,
            np.frombuffer(index.which, dtype=np.int32),
            np.frombuffer(index.offsets, dtype=np.int64),
            np.frombuffer(index.sizes, dtype=np.int64),
            Strings(index.ids()),
        ),
        f"wds:{pattern}",
        captions=index.texts(),
        metadata=index.columns(),
        notes=notes,
        left_out={
            f"{n} {what}{'s' * (n != 1)} {how} of {pattern} {'is' if n == 1 else 'are'} left out": n
            for (what, how), n in index.left_out.items()
        },
    )
    if index.classes.any():
        found.codes, values = index.classes.done(len(index.offsets))
        found.values, found.order = _names(values, index, listed_classes(Path(files[0]).parent))
    return built(found, name=name, domain=domain, use=use, class_names=class_names,
                 where=str(pattern))  # fmt: skip


def shards(pattern: str | os.PathLike[str]) -> list[str]:
    """The files behind a pattern with braces and wildcards, in order.

    Raises:
        DataError: A remote address, or a file that is missing.
    """
    text = os.fspath(pattern)
    if re.match(r"^(\w{2,}://|pipe:)", text):
        raise DataError(
            f"the shards {text} are not on this machine",
            expected="local files: random access needs them",
            fix="download them first",
        )
    found: list[str] = []
    for one in _braces(text):
        hits = sorted(glob.glob(one)) if glob.has_magic(one) else [one]
        missing = not hits or not all(os.path.isfile(h) for h in hits)
        if missing:
            raise DataError(
                f"no shard matches {one} (looked at {os.path.abspath(one)})", expected=_EXPECTED
            )
        found += hits
    return found


def _braces(text: str) -> Iterator[str]:
    """``a{0..2}b`` and ``a{x,y}b`` written out, as a shell does."""
    hit = re.search(r"\{([^{}]*)\}", text)
    if hit is None:
        yield text
        return
    span = re.fullmatch(r"(\d+)\.\.(\d+)", hit[1])
    if span is not None:
        first, last = int(span[1]), int(span[2])
        padded = any(len(s) > 1 and s[0] == "0" for s in span.groups())
        width = max(map(len, span.groups())) if padded else 0
        step = 1 if last >= first else -1
        parts = [str(i).zfill(width) for i in range(first, last + step, step)]
    else:
        parts = hit[1].split(",")
    for part in parts:
        yield from _braces(text[: hit.start()] + part + text[hit.end() :])


def _scan(file: str, number: int, index: TarIndex) -> tuple[Note, ...]:
    """Walk one shard; neighbours with the same key are one sample. What is strange of its end."""
    shard, last = os.path.basename(file), ""
    try:
        with tarfile.open(file, mode="r:") as tar:
            key, sample = "", dict[str, Any]()
            for member in tar:
                last = member.name
                tar.members = []  # type: ignore[attr-defined]  # tarfile keeps every header otherwise: memory would grow
                hit = _KEY.match(member.name) if member.isreg() else None
                if hit is None or os.path.basename(member.name).startswith("__"):
                    index.left_out["member", "without an extension"] += member.isreg() and not hit
                    continue
                if hit[1] != key:
                    index.add(shard, number, key, sample)
                    key, sample = hit[1], {}
                _take(tar, member, hit[2].lower(), sample, where=f"{file}, {member.name}")
            index.add(shard, number, key, sample)
            return _end(file, tar.offset, last)
    except tarfile.TarError as error:
        with open(file, "rb") as raw:
            packed = raw.read(2) in (b"\x1f\x8b", b"BZ", b"\xfd7", b"\x28\xb5")
        raise DataError(
            f"the shard {file} "
            + ("is compressed" if packed else f"is no tar file or is damaged ({error})"),
            expected=_EXPECTED,
            fix="unpack it to a plain .tar: images are compressed already" if packed else "",
        ) from error


def _end(file: str, at: int, last: str) -> tuple[Note, ...]:
    """Whether a shard ends where its members do: tarfile ends at a broken header without a word.

    Raises:
        DataError: Something lies behind the last member: the rest of a shard, or another one.
    """
    with open(file, "rb") as raw:
        size = raw.seek(0, os.SEEK_END)
        raw.seek(at)
        more = any(block.strip(b"\0") for block in iter(lambda: raw.read(1 << 20), b""))
    if more:
        raise DataError(
            f"the shard {file} is cut off or damaged behind {last}: what follows is no member",
            expected=_EXPECTED,
            fix="copy or write it again; of several shards in one file (cat) give each by itself",
        )
    if size > at:
        return ()
    said = f"WARNING: the shard {file} lacks the mark of a tar's end: it may be cut off behind"
    return (Note(f"{said} {last}", "warning"),)


def _take(
    tar: tarfile.TarFile, member: tarfile.TarInfo, kind: str, sample: dict[str, Any], *, where: str
) -> None:
    """Put one member into its sample; what it holds is told by its last extension."""
    last = kind.rsplit(".", 1)[-1]
    if last in PICTURES:
        sample[kind] = (member.offset_data, member.size)
        return
    if last not in ("cls", "txt", "json"):
        return
    stream = tar.extractfile(member)
    data = b"" if stream is None else stream.read()
    if last != "json":
        sample[kind] = data
        return
    try:
        sample[kind] = json.loads(data)
    except ValueError as error:
        raise DataError(f"{where} is not JSON ({error})", expected=_EXPECTED) from error
    if not isinstance(sample[kind], dict):
        raise DataError(f"{where} is no JSON object", expected=_EXPECTED)


def _names(
    values: list[str], index: TarIndex, listed: Path | None
) -> tuple[list[str], list[str] | None]:
    """What the values of ``.cls`` are called, and the label order (None: sorted)."""
    if not all(_WHOLE.fullmatch(v) for v in values):
        return values, None
    values = ["" if v.startswith("-") else v for v in values]  # -1 says "no label"
    known = [v for v in values if v]
    if listed is not None:
        text = listed.read_text(encoding="utf-8-sig").rstrip()
        names = [line.strip() for line in text.splitlines()]
        beyond = [v for v in known if int(v) >= len(names)]
        if beyond or len(set(names)) < len(names):
            raise DataError(
                f"{listed} lists {len(names)} classes, and a sample has class {beyond[0]}"
                if beyond
                else f"{listed} lists a class twice",
                expected="one distinct name a line, the first for class 0",
            )
        return [names[int(v)] if v else "" for v in values], names
    if "class_name" not in index.meta:
        return values, None
    named = _by_json(values, index)
    order = sorted((int(v), named[i]) for i, v in enumerate(values) if v)
    return named, [name for _, name in order]


def _by_json(values: list[str], index: TarIndex) -> list[str]:
    """The name that the samples of each number carry; they must agree."""
    n = len(index.offsets)
    codes, _ = index.classes.done(n)
    name_codes, names = index.meta["class_name"].done(n)
    table: dict[int, int] = {}
    for code, name in sorted(set(zip(codes.tolist(), name_codes.tolist(), strict=True))):
        if code >= 0 and name >= 0 and table.setdefault(code, name) != name:
            raise DataError(
                f"samples of class {values[code]} are called {names[table[code]]!r} and "
                f"{names[name]!r}",
                expected="one class_name for each class number",
            )
    return [str(names[table[i]]) if i in table else v for i, v in enumerate(values)]
