"""An index over tar shards: where each picture lies, and what its neighbours say about it."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import DataError
from .grouping import metadata_column
from .strings import Strings

__all__ = ["PICTURES", "Column", "TarIndex"]

PICTURES = ("jpg", "jpeg", "png", "webp", "bmp", "gif", "ppm", "tif", "tiff")
"""Last extension of members that are images."""


class Column:
    """Values by sample, dictionary-encoded while they come; absent ones are -1."""

    def __init__(self) -> None:
        self.seen: dict[Any, int] = {}
        self.codes = array("i")

    def put(self, at: int, value: Any) -> None:
        """The value of sample ``at``; samples come in order."""
        self.codes.extend([-1] * (at - len(self.codes)))
        key = (type(value), value)  # 1, 1.0 and True are three values
        self.codes.append(self.seen.setdefault(key, len(self.seen)))

    def any(self) -> bool:
        """Has any sample a value?"""
        return bool(self.seen)

    def done(self, n: int) -> tuple[Any, list[Any]]:
        """Codes (n,) int64 and the distinct values."""
        self.codes.extend([-1] * (n - len(self.codes)))
        codes = np.frombuffer(self.codes, dtype=np.int32).astype(np.int64)
        return codes, [value for _, value in self.seen]


@dataclass
class TarIndex:
    """What the shards hold: 16 bytes and the key for each image, values once."""

    which: array[int] = field(default_factory=lambda: array("i"))
    offsets: array[int] = field(default_factory=lambda: array("q"))
    sizes: array[int] = field(default_factory=lambda: array("q"))
    classes: Column = field(default_factory=Column)
    meta: dict[str, Column] = field(default_factory=dict)
    captions: bytearray = field(default_factory=bytearray)
    keys: bytearray = field(default_factory=bytearray)
    captioned: bool = False
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    lonely: set[str] = field(default_factory=set)

    def ids(self) -> Iterator[str]:
        """``shard.tar/key`` of each image."""
        return _lines(self.keys)

    def texts(self) -> Strings | None:
        """The captions, if any sample has one."""
        return Strings(_lines(self.captions)) if self.captioned else None

    def columns(self) -> dict[str, Any]:
        """Plain values of the members' JSON, one column per name."""
        n = len(self.offsets)
        return {k: metadata_column(*c.done(n)) for k, c in self.meta.items()}

    def add(self, shard: str, number: int, key: str, sample: dict[str, Any]) -> None:
        """One sample; without a picture it is left out, as it has nothing to show.

        Args:
            shard: Name of the file.
            number: Of the file.
            key: Of the sample in it.
            sample: Extension -> (offset, size) of pictures, else what the member holds.

        Raises:
            DataError: Several pictures, and nothing tells which is meant.
        """
        if not sample:  # the first key, or a sample of other kinds of members alone
            self.left_out["sample", "without a picture"] += bool(key)
            return
        kind = _picture(sample, f"{shard}/{key}")
        if kind is None:
            self.left_out["sample", "without a picture"] += 1
            self.lonely.add(f"{shard}/{key}")
            return
        further = sum(k.rsplit(".", 1)[-1] in PICTURES for k in sample) - 1
        self.left_out["further picture", "beside the one of its sample"] += further
        before = kind.removesuffix(kind.rsplit(".", 1)[-1])  # "0." of KEY.0.png and KEY.0.cls

        def own(last: str, default: Any = None) -> Any:
            return sample.get(last, sample.get(before + last, default))

        at = len(self.offsets)
        self.which.append(number)
        self.offsets.append(sample[kind][0])
        self.sizes.append(sample[kind][1])
        self.keys += f"{shard}/{key}".encode("utf-8", "surrogateescape") + b"\0"
        if own("cls") is not None:
            self.classes.put(at, own("cls").decode(errors="replace").strip())
        self.captioned = self.captioned or own("txt") is not None
        self.captions += own("txt", b"").replace(b"\0", b" ").strip() + b"\0"
        for name, value in own("json", {}).items():
            if value is not None and isinstance(value, (str, int, float, bool)):
                self.meta.setdefault(name, Column()).put(at, value)

    def require_whole(self, where: str) -> None:
        """Raise where what belongs to a picture lies apart from it.

        Raises:
            DataError: Then readers of such shards take it for samples without a picture.
        """
        apart = self.lonely.intersection(self.ids()) if self.lonely else ()
        if apart:
            raise DataError(
                f"{len(apart)} samples of {where} are torn: label, caption or metadata lie apart "
                f"from the picture ({min(apart)}, ...)",
                expected="the members of a sample side by side: 1.png 1.cls 2.png 2.cls, as "
                "webdataset reads them",
                fix="write the shard sorted by name: tar --sort=name -cf NEW.tar FOLDER",
            )


def _picture(sample: dict[str, Any], where: str) -> str | None:
    """The extension of the picture of a sample; a plain one goes before ``seg.png``."""
    found = [kind for kind in sample if kind.rsplit(".", 1)[-1] in PICTURES]
    plain = [kind for kind in found if "." not in kind]
    if len(found) > 1 and not plain:
        raise DataError(
            f"the sample {where} has several pictures: {', '.join(found[:6])}",
            expected="a key that ends at the first dot of the name, as webdataset has it, and one "
            "picture for each: 2_0.png and 2_5.png, not 2.0.png and 2.5.png",
            fix="write the shard with names without further dots",
        )
    return next(iter(plain or found), None)


def _lines(joined: bytearray) -> Iterator[str]:
    start = 0
    while (end := joined.find(b"\0", start)) >= 0:
        yield joined[start:end].decode("utf-8", "surrogateescape")
        start = end + 1
