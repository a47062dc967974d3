"""The loader that training, evaluation and feature extraction share.

The caller owns the order: it hands over batches of indices. What is random about an image depends
on (seed, epoch, index) alone, so that workers, processes and batch sizes change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..errors import DataError
from ..transforms import PixelTransform, Transform
from .dataset import Split
from .images import many_may_read, reason
from .prefetch import prefetch, threads_for
from .rng import kept_rng, mix

__all__ = ["Batch", "Loader", "images_at_once", "make_loader"]

_FINISHES = ("cuda",)
"""Devices that normalise images themselves, with the same numbers as the CPU."""

Batches = Iterable[NDArray[np.int64]] | Iterable[tuple[int, NDArray[np.int64]]]
"""Indices, or pairs of an epoch and indices."""

Batch = dict[str, Tensor]
"""``image`` float32 (b, 3, h, w), ``label`` int64 (b,), -1 without labels, ``index`` int64 (b,)."""


_AT_ONCE = 256
"""Images of a forward pass in evaluation on a device with memory of its own."""

_PIXELS = 32 * 224 * 224
"""Pixels of a forward pass on a CPU: what its layers write then stays near its caches, and glibc
need not fetch it from the kernel anew (docs/speed.md)."""


def images_at_once(
    size: tuple[int, int], device: torch.device | str | None, asked: int | None = None
) -> int:
    """Images of one forward pass in evaluation: as asked, else by device and image size.

    256 on an accelerator; on a CPU as many as hold 1.6 million pixels (32 of 224 x 224), at least
    8 and at most 256. Predictions do not depend on it, logits only by rounding.

    Args:
        size: Height and width of the network's input.
        device: None is the CPU.
        asked: Stays as it is.
    """
    if asked is not None:
        return asked
    if torch.device("cpu" if device is None else device).type != "cpu":
        return _AT_ONCE
    return max(8, min(_AT_ONCE, _PIXELS // (size[0] * size[1])))


def make_loader(
    split: Split,
    transform: Transform,
    *,
    batches: Batches | None = None,
    batch_size: int = 256,
    seed: int = 0,
    epoch: int = 0,
    workers: int = 0,
    device: torch.device | str | None = None,
) -> Loader:
    """Batches of a split, decoded on demand.

    Args:
        split: Where images and labels come from.
        transform: RGB image -> float32 (3, h, w). Those of ``TransformSpec`` are fastest: their
            second half is done for the whole batch. Randomness must come from torch's global
            generator, as torchvision's does.
        batches: Index batches in the order wanted; every process passes its own share. Pairs
            (epoch, index batch) draw each as that epoch does, so that one loader, with its
            workers, serves a whole training. None: the whole split in order, ``batch_size`` at a
            time.
        batch_size: Used without ``batches``.
        seed: Of the random transforms.
        epoch: Likewise; another epoch draws other crops. Of batches that name none.
        workers: Processes that decode ahead, two batches each; 0 decodes in this one, larger
            images by as many threads as torch may use.
        device: Where the images are wanted; the CPU when left out. On a CUDA device the second
            half of a ``TransformSpec``'s transform is done there: a quarter of the bytes goes
            from workers to this process and to the device, and the numbers are the same.

    Returns:
        A loader of dictionaries ``image`` float32 (b, 3, h, w) on the device, ``label`` int64
        (b,), -1 without labels, and ``index`` int64 (b,), both on the CPU. ``len`` is the number
        of batches, where theirs has one; it can be iterated again.
        The global random state of the caller is left as it was.

    Raises:
        DataError: While iterating, for an image that cannot be decoded; it is named.
    """
    plan: Iterable[Any] = _InOrder(len(split), batch_size) if batches is None else batches
    where = torch.device("cpu" if device is None else device)
    finish: Callable[[Tensor], Tensor] | None = None
    if isinstance(transform, PixelTransform) and where.type in _FINISHES:
        finish = transform.normalised
    loader: DataLoader[Any] = DataLoader(
        _Batches(split, transform, seed, epoch, later=finish is not None),
        batch_size=None,  # the sampler gives whole batches
        sampler=plan,
        num_workers=workers,
        collate_fn=_same,
        # Without a generator of its own the loader draws a seed from the caller's global one.
        generator=torch.Generator().manual_seed(seed & 0x7FFFFFFFFFFFFFFF),
        persistent_workers=workers > 0,
        prefetch_factor=2 if workers > 0 else None,
        pin_memory=torch.cuda.is_available(),
    )
    return Loader(loader, where, finish)


class Loader:
    """Batches whose images come to a device; see :func:`make_loader`."""

    def __init__(
        self,
        loader: DataLoader[Any],
        device: torch.device,
        finish: Callable[[Tensor], Tensor] | None,
    ) -> None:
        self.loader, self.device, self.finish = loader, device, finish

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.loader:
            images = batch["image"].to(self.device, non_blocking=True)
            batch["image"] = images if self.finish is None else self.finish(images)
            yield batch


def _same(batch: Any) -> Any:
    return batch


class _InOrder:
    """0 .. n-1 in batches, made when asked for."""

    def __init__(self, n: int, size: int) -> None:
        if size < 1:
            raise DataError(f"the batch size is {size}", expected="1 or more")
        self.n, self.size = n, size

    def __len__(self) -> int:
        return -(-self.n // self.size)

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        for start in range(0, self.n, self.size):
            yield np.arange(start, min(start + self.size, self.n), dtype=np.int64)


class _Batches(Dataset[Batch]):
    """Index batch -> dictionary of tensors."""

    def __init__(
        self, split: Split, transform: Transform, seed: int, epoch: int, *, later: bool
    ) -> None:
        # Not the split itself: captions and metadata need not travel to the workers.
        self.images, self.labels, self.name = split.images, split.labels, split.name
        self.shared = many_may_read(split.images)
        self.transform, self.seed, self.epoch, self.later = transform, seed, epoch, later

    def __getitem__(self, wanted: Any) -> Batch:
        epoch, indices = wanted if isinstance(wanted, tuple) else (self.epoch, wanted)
        at = np.asarray(indices, dtype=np.int64)
        labels = np.full(len(at), -1, np.int64) if self.labels is None else self.labels[at]
        with kept_rng() as generator:
            images = self._tensors(at, epoch, generator)
        return {
            "image": images,
            "label": torch.from_numpy(np.array(labels, dtype=np.int64)),
            "index": torch.from_numpy(at.copy()),
        }

    def _tensors(self, at: NDArray[np.int64], epoch: int, generator: torch.Generator) -> Tensor:
        transform = self.transform
        if not isinstance(transform, PixelTransform):
            return torch.stack([transform(image) for image in self._seeded(at, epoch, generator)])
        pixels: Iterator[Image.Image]
        if not transform.random:
            pixels = self._decoded(at, transform.pixels)
        else:
            pixels = map(transform.pixels, self._seeded(at, epoch, generator))
        return transform.stack(pixels, len(at)) if self.later else transform.batch(pixels, len(at))

    def _seeded(
        self, at: NDArray[np.int64], epoch: int, generator: torch.Generator
    ) -> Iterator[Image.Image]:
        """Images one by one; each leaves the generator seeded for its own transform."""
        seeds = mix(at, self.seed, epoch).tolist()
        for image, seed in zip(self._decoded(at, _same), seeds, strict=True):
            generator.manual_seed(seed)
            yield image

    def _decoded(
        self, at: NDArray[np.int64], then: Callable[[Image.Image], Image.Image]
    ) -> Iterator[Image.Image]:
        """What ``then`` makes of each image, by threads where the first shows that it pays."""
        indices: list[int] = at.tolist()
        for index in indices[:1]:
            first = self._decode(index)
            threads = threads_for(first) if self.shared else 1
            yield then(first)
            yield from prefetch(lambda i: then(self._decode(i)), indices[1:], threads)

    def _decode(self, index: int) -> Image.Image:
        try:
            return self.images[index]
        except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
            # One positional argument only: a worker's exception is rebuilt from its text.
            raise DataError(
                f"{self.images.id(index)} of the split {self.name!r} cannot be decoded: "
                f"{reason(error)}",
                expected="files that Pillow can decode",
                fix="`surefoot check` lists all of them; --skip-bad goes on without them",
            ) from error
