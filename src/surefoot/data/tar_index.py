"""An index over tar shards: where each picture lies, and what its neighbours say about it."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .grouping import metadata_column
from .strings import Strings

__all__ = ["Column", "TarIndex"]


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
        """One sample; without a picture it is left out, as it has nothing to show."""
        if "picture" not in sample:
            return
        at = len(self.offsets)
        self.which.append(number)
        self.offsets.append(sample["picture"][0])
        self.sizes.append(sample["picture"][1])
        self.keys += f"{shard}/{key}".encode("utf-8", "surrogateescape") + b"\0"
        if "cls" in sample:
            self.classes.put(at, sample["cls"].decode(errors="replace").strip())
        self.captioned = self.captioned or "txt" in sample
        self.captions += sample.get("txt", b"").replace(b"\0", b" ").strip() + b"\0"
        for name, value in sample.get("json", {}).items():
            if value is not None and isinstance(value, (str, int, float, bool)):
                self.meta.setdefault(name, Column()).put(at, value)


def _lines(joined: bytearray) -> Iterator[str]:
    start = 0
    while (end := joined.find(b"\0", start)) >= 0:
        yield joined[start:end].decode("utf-8", "surrogateescape")
        start = end + 1
