"""What every text encoder is, and embeddings of captions: computed once, kept by content.

A key holds the encoder (weights, tokenizer, construction) and every text in order: embeddings
never go stale when any of them changes.
"""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray

from ..atomic import written

__all__ = ["Device", "Embeddings", "TextEncoder", "embed_texts", "text_key"]

Device: TypeAlias = "torch.device | str | None"
"""Where to compute; the CPU when left out."""

Embeddings = NDArray[np.float32]
"""(n, dim), l2-normalised."""


class TextEncoder(ABC):
    """Texts -> unit vectors; nothing of it ever trains.

    Attributes:
        name: As the user gave it, for reports.
        dim: Width of an embedding.
        saw_images: It was trained together with images. What an encoder learns from such a
            teacher is image supervision at second hand, so reports flag it
            (``text_saw_images``).
    """

    name: str
    dim: int
    saw_images: bool

    @abstractmethod
    def encode(
        self, texts: Sequence[str], *, batch_size: int = 256, device: Device = None
    ) -> Embeddings:
        """Texts -> l2-normalised embeddings (n, dim), float32.

        Args:
            texts: Any number; any string.
            batch_size: Texts at once.
            device: Where to compute; the CPU when left out.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """64 hexadecimal digits that change whenever an embedding could."""

    def note(self) -> str:
        """One sentence for reports."""
        seen = "trained together with images (text_saw_images)" if self.saw_images else "text only"
        return f"text encoder {self.name}: {seen}, frozen, {self.dim} numbers per caption"


def text_key(encoder: TextEncoder, texts: Sequence[str]) -> str:
    """64 hexadecimal digits that name these embeddings."""
    digest = hashlib.sha256(f"text\x1f1\x1f{encoder.fingerprint()}\x1e".encode())
    for text in texts:
        raw = text.encode("utf-8", "surrogateescape")
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return digest.hexdigest()


def embed_texts(
    encoder: TextEncoder,
    texts: Sequence[str],
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    device: Device = None,
) -> Embeddings:
    """Embeddings (n, dim) of texts, each distinct one encoded once.

    Args:
        encoder: Frozen.
        texts: Any number, repeats allowed.
        cache_dir: Keep the result there, and take it from there when nothing has changed. Of
            several processes one computes and the others wait.
        device: Where to compute.
    """

    def compute() -> Embeddings:
        distinct = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        rows = np.array([distinct[text] for text in texts], dtype=np.int64)
        encoded = encoder.encode(list(distinct), device=device)
        return np.ascontiguousarray(encoded[rows], dtype=np.float32)

    if cache_dir is None:
        return compute()
    path = Path(cache_dir) / f"text-{text_key(encoder, texts)}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = (len(texts), encoder.dim)
    with FileLock(path.with_name(f".{path.name}.lock")):
        kept = _load(path, shape)
        if kept is not None:
            return kept
        made = compute()
        with written(path, "wb") as out:
            np.save(out, made, allow_pickle=False)
    return made


def _load(path: Path, shape: tuple[int, int]) -> Embeddings | None:
    """A finished cache file; None where it is missing or spoilt."""
    try:
        found: Embeddings = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.shape == shape and found.dtype == np.float32 else None
