"""Weights in files: read, written whole or not at all, and merged in little memory."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, Literal

import torch
from safetensors.torch import save_file
from torch import Tensor

from ..errors import WeightsError
from .audit import COMPUTED, audit, finite, listed
from .fingerprint import raw_bytes
from .ops import Side, check_alpha, lerp_tensor
from .tensor_file import DTYPES, TensorFile, open_tensors
from .weights import Weights

__all__ = ["DtypePolicy", "merge_files", "read_safetensors", "write_safetensors"]

DtypePolicy = Literal["error", "start", "end"]

_NAMES = {dtype: name for name, dtype in DTYPES.items()}


def read_safetensors(path: str | os.PathLike[str]) -> Weights:
    """Every tensor of a checkpoint that :func:`open_tensors` opens.

    Raises:
        CheckpointError: As there.
    """
    return Weights(dict(open_tensors(path)))


def write_safetensors(
    path: str | os.PathLike[str],
    weights: Mapping[str, Tensor],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a safetensors file whole or not at all: temporary file, fsync, rename.

    Tied tensors are written once per name, non-contiguous ones in row-major order.

    Args:
        path: The file; an existing one is replaced.
        weights: Name -> tensor.
        metadata: Text -> text, kept in the header.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    seen: set[int] = set()
    own: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        flat = tensor.detach().cpu().contiguous()
        # The library refuses tensors that share memory; a copy costs less than an error.
        address = flat.untyped_storage().data_ptr()
        own[name] = flat.clone() if address in seen else flat
        seen.add(address)
    try:
        save_file(own, partial, metadata=dict(metadata) if metadata else None)
        with open(partial, "rb+") as written:
            os.fsync(written.fileno())
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def merge_files(
    start: str | os.PathLike[str],
    end: str | os.PathLike[str],
    out: str | os.PathLike[str],
    alpha: float,
    *,
    integers: Side = "end",
    dtypes: DtypePolicy = "error",
    extrapolate: bool = False,
    block_bytes: int = 64 * 2**20,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, str]:
    """Write (1 - alpha) start + alpha end (WiSE-FT, arXiv 2109.01903, section 3) to a file.

    The files are read, mixed and written block by block, so that memory stays at a few blocks
    whatever their size (a ``.pt`` is mapped; its non-contiguous tensors are read whole). At alpha
    0 and 1 the tensors are those of the start and of the end bit for bit.

    Args:
        start: A checkpoint that :func:`~surefoot.weights.open_tensors` opens.
        end: Likewise; same names and shapes. Its metadata are kept.
        out: A ``.safetensors`` file; written whole or not at all.
        alpha: From 0 to 1.
        integers: Whose integer tensors are taken strictly between the ends.
        dtypes: What to do where dtypes differ: refuse, or write those of the start or the end.
        extrapolate: Allow alpha outside [0, 1].
        block_bytes: Size of a block as it is read.
        progress: Called with (bytes written, bytes in all) after each block.

    Returns:
        The metadata written: the end's, and ``surefoot.merge.*`` with alpha, the policies, and
        name and sha256 of both inputs.

    Raises:
        AlphaError: alpha is not finite, or outside [0, 1] without leave.
        CheckpointError: A file cannot be read.
        WeightsError: The files do not fit together: every problem at once; nothing is written.
    """
    alpha = check_alpha(alpha, extrapolate=extrapolate)
    a, b = open_tensors(start), open_tensors(end)
    target = _dtypes(a, b, dtypes)
    side: Side = "start" if alpha == 0 else "end" if alpha == 1 else integers
    facts = {"alpha": repr(alpha), "integers": integers, "dtypes": dtypes}
    for label, source in (("start", a), ("end", b)):
        facts |= {label: source.path.name, f"{label}.sha256": _sha256(source.files)}
    metadata = {**b.metadata, **{f"surefoot.merge.{k}": v for k, v in facts.items()}}

    goal = Path(out)
    partial = goal.with_name(f".{goal.name}.{os.getpid()}.part")
    try:
        with open(partial, "wb") as sink:
            order, total = _write_header(sink, b, target, metadata)
            problems: list[str] = []
            done = 0
            for name in order:
                step = max(1, block_bytes // target[name].itemsize)
                bad: dict[str, None] = {}
                for at in range(0, b.numel(name), step):
                    stop = min(at + step, b.numel(name))
                    x, y = a.block(name, at, stop), b.block(name, at, stop)
                    mixed, why = _mix(x, y, alpha, side, target[name])
                    bad |= dict.fromkeys(why)
                    done += sink.write(raw_bytes(mixed))
                    if progress is not None:
                        progress(done, total)
                problems += [f"{name!r} {why}" for why in bad]
            _refuse(problems)
            sink.flush()
            os.fsync(sink.fileno())
        os.replace(partial, goal)
    finally:
        partial.unlink(missing_ok=True)
    return metadata


def _dtypes(a: TensorFile, b: TensorFile, policy: DtypePolicy) -> dict[str, torch.dtype]:
    """The dtype of every output tensor, after an audit of names, shapes and dtypes."""
    left, right = a.outline(), b.outline()
    if policy != "error":
        # Floating dtypes may differ then; a float against an integer still may not.
        for name in left.keys() & right.keys():
            if left[name].dtype in COMPUTED and right[name].dtype in COMPUTED:
                left[name] = left[name].to(right[name].dtype)
    found = audit(left, right, values=False)
    _refuse([p.replace("the first set", "the start").replace("the second set", "the end")
             for p in found])  # fmt: skip
    chosen = a if policy == "start" else b
    return {name: chosen.dtype(name) for name in b}


def _refuse(problems: list[str]) -> None:
    if problems:
        raise WeightsError(
            "the two checkpoints do not fit together:" + listed(problems),
            expected="the same names, shapes and dtypes, and finite values",
            fix="take two checkpoints of one architecture; where only floating dtypes differ, "
            "choose one side's with dtypes='start' or 'end' (--dtypes)",
        )


def _mix(
    x: Tensor, y: Tensor, alpha: float, side: Side, dtype: torch.dtype
) -> tuple[Tensor, list[str]]:
    """One block of the output, and what is wrong with the numbers that went in or came out."""
    if x.dtype not in COMPUTED:
        return (x if side == "start" else y), []
    if x.dtype != y.dtype:
        wide = torch.promote_types(x.dtype, y.dtype)
        wide = torch.float32 if wide in (torch.float16, torch.bfloat16) else wide
        mixed = (x if alpha == 0 else y if alpha == 1 else
                 lerp_tensor(x.to(wide), y.to(wide), alpha)).to(dtype)  # fmt: skip
    else:
        mixed = lerp_tensor(x, y, alpha).to(dtype)
    # Inf equal on both sides is a stored mask: it is copied.
    fine = [finite(t) for t in (x, y, mixed)]
    mask = not any(fine) and torch.equal(x, y)
    where = ("in the start", "in the end", "after mixing: it overflows")
    bad = [] if mask else [f"holds NaN or Inf {w}" for w, ok in zip(where, fine, strict=True)
                           if not ok]  # fmt: skip
    return mixed, bad[:2]


def _write_header(
    sink: BinaryIO, b: TensorFile, target: Mapping[str, torch.dtype], metadata: Mapping[str, str]
) -> tuple[list[str], int]:
    """Write the safetensors header; the order of the tensors, and how many bytes follow."""
    order = sorted(b, key=lambda name: (-target[name].itemsize, name))  # keeps them aligned
    head: dict[str, object] = {"__metadata__": dict(metadata)}
    at = 0
    for name in order:
        size = b.numel(name) * target[name].itemsize
        head[name] = {"dtype": _NAMES[target[name]], "shape": list(b.shape(name)),
                      "data_offsets": [at, at + size]}  # fmt: skip
        at += size
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    sink.write(struct.pack("<Q", len(text)) + text)
    return order, at


def _sha256(files: tuple[Path, ...]) -> str:
    """sha256 of a file; of several, their names and hashes, joined by blanks."""
    hashes = []
    for path in files:
        digest = hashlib.sha256()
        with open(path, "rb") as source:
            while piece := source.read(2**20):
                digest.update(piece)
        hashes.append(digest.hexdigest())
    if len(files) == 1:
        return hashes[0]
    return " ".join(f"{f.name}:{h}" for f, h in zip(files, hashes, strict=True))
