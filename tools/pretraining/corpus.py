"""The pretraining corpus in memory, and batches drawn from it evenly over the styles."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from torch import Tensor


@dataclass(frozen=True)
class Corpus:
    """Images with what their names say.

    Attributes:
        images: (n, 32, 32, 3) uint8, on white.
        words: Plain words of each name; equal words are one concept.
        keywords: Comma-separated, "" where there are none.
        category: Comma-separated, likewise.
        domain: Style family of each image.
        concept: (n,) int64, equal for equal words.
        weight: (n,) float64, the chance of each image, up to a factor.
    """

    images: Tensor
    words: list[str]
    keywords: list[str]
    category: list[str]
    domain: list[str]
    concept: Tensor
    weight: Tensor

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Indices (count,) of distinct images, by weight."""
        return torch.multinomial(self.weight, count, replacement=False, generator=generator)

    def pixels(self, chosen: Tensor, device: torch.device) -> Tensor:
        """Images (b, 32, 32, 3) uint8 of the indices ``chosen`` (b,), on a device."""
        return self.images[chosen.to(self.images.device)].to(device)


def load_corpus(folder: Path, *, curation: float = 0.0, device: str = "cpu") -> Corpus:
    """Read ``images.npy`` and ``rows.parquet``.

    Args:
        folder: Holds both.
        device: Where the images wait; a GPU has room for the 600 MB and no patience for copies.
        curation: Exponent of the weight by how many icon sets know a name; 0: all names alike.
    """
    columns = ["words", "keywords", "category", "domain", "set"]
    rows = pq.read_table(folder / "rows.parquet", columns=columns).to_pydict()
    images = torch.from_numpy(np.load(folder / "images.npy"))
    number = {words: i for i, words in enumerate(dict.fromkeys(rows["words"]))}
    return Corpus(
        images=images.to(device),
        words=rows["words"],
        keywords=[k or "" for k in rows["keywords"]],
        category=[c or "" for c in rows["category"]],
        domain=rows["domain"],
        concept=torch.tensor([number[w] for w in rows["words"]]),
        weight=_even(rows["domain"]) * _shared(rows["words"], rows["set"]) ** curation,
    )


def _even(domains: list[str]) -> Tensor:
    """Weights that make a domain's share grow with the square root of its size.

    Outline icons are two fifths of the corpus and emoji a thirtieth; the square root is the usual
    middle between copying that (rare styles unlearnt) and equal shares (rare images repeated
    hundreds of times).
    """
    names, inverse, counts = np.unique(domains, return_inverse=True, return_counts=True)
    assert len(names) > 0
    return torch.from_numpy(1.0 / np.sqrt(counts)[inverse])


def _shared(words: list[str], sets: list[str]) -> Tensor:
    """Weights that grow with the number of icon sets that know a name, up to eight.

    Half of the names ("box outer light left stipple") occur in one set; what many designers draw
    is what a small model can learn in a short time. CLIP chose its 500,000 queries likewise, by
    how often they occur (arXiv 2103.00020, section 2.2).
    """
    knowing: dict[str, set[str]] = {}
    for word, name in zip(words, sets, strict=True):
        knowing.setdefault(word, set()).add(name)
    return torch.tensor([min(len(knowing[w]), 8) / 8 for w in words], dtype=torch.float64)
