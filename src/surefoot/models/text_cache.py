"""Embeddings of captions: computed once, kept by content, as features are.

A key holds the encoder (weights, tokenizer, construction) and every text in order: embeddings
never go stale when any of them changes.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from filelock import FileLock

from .text_encoders import Embeddings, TextEncoder

__all__ = ["embed_texts", "text_key"]


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
    batch_size: int = 256,
    device: torch.device | str | None = None,
) -> Embeddings:
    """Embeddings (n, dim) of texts, each distinct one encoded once.

    Args:
        encoder: Frozen.
        texts: Any number, repeats allowed.
        cache_dir: Keep the result there, and take it from there when nothing has changed. Of
            several processes one computes and the others wait.
        batch_size: Texts at once.
        device: Where to compute.
    """

    def compute() -> Embeddings:
        distinct = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        rows = np.array([distinct[text] for text in texts], dtype=np.int64)
        encoded = encoder.encode(list(distinct), batch_size=batch_size, device=device)
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
        _write(path, made)
    return made


def _load(path: Path, shape: tuple[int, int]) -> Embeddings | None:
    """A finished cache file; None where it is missing or spoilt."""
    try:
        found: Embeddings = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.shape == shape and found.dtype == np.float32 else None


def _write(path: Path, embeddings: Embeddings) -> None:
    """Whole or not at all: another name, fsync, rename."""
    partial = path.with_name(f".{path.name}.part")
    with open(partial, "wb") as out:
        np.save(out, embeddings, allow_pickle=False)
        out.flush()
        os.fsync(out.fileno())
    os.replace(partial, path)
