"""Feature extraction, streamed; a cache addressed by content.

A key holds the encoder's weights and construction, the transform, the identity of every image
(its content, whatever holds it and whatever it is called) and the dtype: features never go stale
when any of them changes, and the same images elsewhere find them again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor, nn

from . import processes
from .cache import cache_folder, used, wrote
from .context import InParts, convolutional
from .data.brightness import white_of
from .data.dataset import Split
from .data.loading import images_at_once, make_loader
from .errors import DataError, ModelError
from .models.model import Model
from .transforms import TransformSpec
from .weights import fingerprint

__all__ = ["IN_MEMORY", "cache_key", "encoder_fingerprint", "extract", "inference", "rows_of"]

Progress = Callable[[int, int], None]
Features = NDArray[np.float32]

IN_MEMORY = 64 << 20
"""Bytes; larger results are memory-mapped files."""

_BLOCK = 8 << 20
"""Bytes after which a cache file is flushed to disk, so that a kill costs no more than that."""


@contextlib.contextmanager
def inference(model: nn.Module, device: torch.device | str | None = None) -> Iterator[torch.device]:
    """Eval mode and no gradients, on a device; everything is put back afterwards.

    Yields the device. On a CPU a network of convolutions lies by pixels meanwhile, which is 1.5 to
    4 times as fast there. Every submodule gets back its own training flag, and the model returns
    to the device and the memory layout it came from.
    """
    home = next(model.parameters()).device
    where = home if device is None else torch.device(device)
    flags = {module: module.training for module in model.modules()}
    by_pixels = where.type == "cpu" and convolutional(model)
    try:
        model.to(where)
        if by_pixels:
            model.to(memory_format=torch.channels_last)
        model.eval()
        with torch.inference_mode():
            yield where
    finally:
        if by_pixels:
            model.to(memory_format=torch.contiguous_format)
        model.to(home)
        for module, flag in flags.items():
            module.training = flag


def encoder_fingerprint(model: Model) -> str:
    """SHA-256 over the encoder's weights and its build.

    The build counts because weights alone do not say which activation they go with.
    """
    build = json.dumps(dict(model.spec.builder), sort_keys=True, default=str)
    digest = hashlib.sha256(
        f"{build}\x1e{model.encoder!r}\x1e{fingerprint(model.encoder)}".encode()
    )
    return digest.hexdigest()


def cache_key(model: Model, split: Split, transform: TransformSpec) -> str:
    """64 hexadecimal digits that name these features."""
    parts = {
        "encoder": encoder_fingerprint(model),
        "transform": transform.to_json(),
        "images": hashlib.sha256(split.identities.tobytes()).hexdigest(),
        "dtype": "float32",
        "format": 2,
    }
    if white_of(split.images):
        parts["white"] = dict(white_of(split.images))
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def extract(
    model: Model,
    split: Split,
    *,
    transform: TransformSpec | None = None,
    batch_size: int | None = None,
    device: torch.device | str | None = None,
    workers: int = 0,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Features:
    """Features (n, d) of a split, as the encoder gives them.

    Args:
        model: Left as it was.
        split: The images; labels are not needed.
        transform: Instead of the model's own; its evaluation side is used.
        batch_size: Images at once; None: by device and image size (``images_at_once``).
        device: Where to compute; where the model is when left out.
        workers: Processes that decode images.
        cache_dir: Keep the result there, and take it from there when nothing has changed; else
            ``SUREFOOT_CACHE`` names the folder (see :mod:`surefoot.cache`). A run that was killed
            goes on where it stopped; of several runs one computes and the others wait. Processes
            of one run compute a part each.
        progress: Called with (images done, images in all).

    Returns:
        In memory up to 64 MiB, read-only memory-mapped above.

    Raises:
        ModelError: A feature is not finite, or of another width than ``model.feature_dim``.
        DataError: An image cannot be decoded.
    """
    spec = transform or model.spec.transform

    def features(images: Tensor) -> Features:
        return _checked(model.features(images).float().cpu().numpy(), model, split)

    return rows_of(
        model,
        split,
        features,
        width=model.feature_dim,
        transform=spec,
        key=lambda: cache_key(model, split, spec),
        batch_size=batch_size,
        device=device,
        workers=workers,
        cache_dir=cache_dir,
        progress=progress,
    )


def rows_of(
    model: Model,
    split: Split,
    function: Callable[[Tensor], Features],
    *,
    width: int,
    transform: TransformSpec,
    key: Callable[[], str],
    batch_size: int | None = None,
    device: torch.device | str | None = None,
    workers: int = 0,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Features:
    """What a function of the model gives for every image of a split, (n, width).

    Args:
        model: In eval mode while this runs.
        split: The images.
        function: Images (b, 3, h, w) on the device -> float32 (b, width).
        width: Of a row.
        transform: Its evaluation side is used.
        key: 64 hexadecimal digits for the cache; everything that the rows depend on.
        batch_size: As :func:`extract`, and so are the others.
        device: Likewise.
        workers: Likewise.
        cache_dir: Likewise.
        progress: Likewise.
    """

    def blocks(start: int) -> Iterator[Features]:
        with inference(model, device) as where:
            step = images_at_once(transform.size, where, batch_size)
            plan = _Plan(split, transform, width, start, step, workers, where)
            for block in plan.blocks(function):
                yield block
                if progress is not None:
                    start += len(block)
                    progress(start, len(split))

    shape = (len(split), width)
    folder = cache_folder() if cache_dir is None else Path(cache_dir)
    if folder is not None:
        about = {"model": model.spec.name, "split": split.name, "shape": list(shape)}
        return _cached(folder / f"{key()}.npy", shape, blocks, about)
    if 4 * shape[0] * shape[1] <= IN_MEMORY:
        return _filled(shape, blocks(0))
    # An unnamed file: it goes when the last array on it does, however the process ends.
    with tempfile.TemporaryFile(prefix="surefoot-features-") as out:
        for block in blocks(0):
            out.write(block.tobytes())
        out.flush()
        mapped: Features = np.memmap(out, dtype=np.float32, mode="r", shape=shape)
    return mapped


class _Plan:
    """Which images this process looks at, block by block; of each block every process a part."""

    def __init__(
        self,
        split: Split,
        spec: TransformSpec,
        width: int,
        start: int,
        batch_size: int,
        workers: int,
        device: torch.device,
    ) -> None:
        step = batch_size * processes.world()
        self.ends = [(at, min(at + step, len(split))) for at in range(start, len(split), step)]
        self.mine = []
        for at, stop in self.ends:
            share = processes.share(stop - at)
            self.mine.append(np.arange(at + share.start, at + share.stop))
        plan = [rows for rows in self.mine if len(rows)]
        self.loader = make_loader(split, spec.eval(), batches=plan, workers=workers, device=device)
        self.width = width

    def blocks(self, function: Callable[[Tensor], Features]) -> Iterator[Features]:
        """Whole blocks, in order, in every process."""
        loader, function = iter(self.loader), InParts(function, np.concatenate)
        for (at, stop), rows in zip(self.ends, self.mine, strict=True):
            own = np.empty((0, self.width), dtype=np.float32)
            if len(rows):
                own = function(next(loader)["image"])
            yield processes.joined(own, stop - at)


def _checked(block: Features, model: Model, split: Split) -> Features:
    if block.ndim != 2 or block.shape[1] != model.feature_dim:
        raise ModelError(
            f"the encoder of {model.spec.name} gives features of shape {block.shape}",
            expected=f"(images, {model.feature_dim}), as its feature_dim says",
        )
    if not np.isfinite(block).all():
        raise ModelError(
            f"{model.spec.name} gives features of {split.name!r} that are not finite",
            expected="finite numbers",
            fix="check the checkpoint (surefoot check) and the training's learning rate",
        )
    return block


def _filled(shape: tuple[int, int], blocks: Iterator[Features]) -> Features:
    out, done = np.empty(shape, dtype=np.float32), 0
    for block in blocks:
        out[done : done + len(block)] = block
        done += len(block)
    return out


def _cached(
    path: Path,
    shape: tuple[int, int],
    blocks: Callable[[int], Iterator[Features]],
    about: Mapping[str, Any],
) -> Features:
    main = processes.is_main()
    if main:
        path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    with lock if main else contextlib.nullcontext():
        if processes.agreed(lambda: _load(path, shape) is not None):
            fresh = False
        else:
            fresh = True
            _compute(path, shape, blocks)
    found = _load(path, shape)
    if found is None:
        raise DataError(
            f"the feature file {path} cannot be read back",
            expected="a cache folder that all processes see",
            fix="remove the file, or put SUREFOOT_CACHE on storage that every node shares",
        )
    if main:
        wrote(path, about) if fresh else used(path)
    return found


def _compute(
    path: Path, shape: tuple[int, int], blocks: Callable[[int], Iterator[Features]]
) -> None:
    """Write a cache file: the main process writes, all compute."""
    if not processes.is_main():
        for _ in blocks(processes.agreed(None)):
            pass
    else:
        partial = path.with_name(f".{path.name}.part")
        with open(partial, "r+b" if partial.exists() else "w+b") as out:
            _append(out, shape, lambda done: blocks(processes.agreed(lambda: done)))
        os.replace(partial, path)
    processes.agreed(lambda: None)  # nobody reads before the file has its name


def _append(
    out: BinaryIO, shape: tuple[int, int], blocks: Callable[[int], Iterator[Features]]
) -> None:
    """Write rows after those that are there already, and flush to disk block by block."""
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(out, header)
    first, row = out.tell(), 4 * shape[1]
    done = max(0, min(shape[0], (out.seek(0, os.SEEK_END) - first) // row))
    out.truncate(first + done * row)
    out.seek(0, os.SEEK_END)
    pending = 0
    for block in blocks(done):
        pending += out.write(block.astype("<f4", copy=False).tobytes())
        if pending >= _BLOCK:
            out.flush()
            os.fsync(out.fileno())
            pending = 0
    out.flush()
    os.fsync(out.fileno())


def _load(path: Path, shape: tuple[int, int]) -> Features | None:
    """The array of a finished cache file; None where it is missing or spoilt."""
    small = 4 * shape[0] * shape[1] <= IN_MEMORY
    try:
        found: Features = np.load(path, mmap_mode=None if small else "r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.shape == shape else None
