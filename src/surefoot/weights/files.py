"""Weights in files: read, written whole or not at all, and two of them mixed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from safetensors.torch import save_file
from torch import Tensor

from ..records import replaced
from .alpha import Side, check_alpha
from .merging import merge
from .rules import Lerp
from .tensor_file import open_tensors
from .weights import Weights

__all__ = ["merge_files", "read_safetensors", "write_safetensors"]


def read_safetensors(path: str | os.PathLike[str]) -> Weights:
    """Every tensor of a checkpoint that :func:`open_tensors` opens.

    Raises:
        CheckpointError: As there.

    Example:
        >>> sf.weights.read_safetensors("start.safetensors")
        Weights(1 tensors, 2 numbers)
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

    Example:
        >>> sf.weights.write_safetensors("mine.safetensors", start, {"made": "by hand"})
        >>> sf.weights.open_tensors("mine.safetensors").metadata
        {'made': 'by hand'}
    """
    with replaced(path) as partial:
        save_file(_separate(weights), partial, metadata=dict(metadata) if metadata else None)


def _separate(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous tensors that share no memory, as the format demands (tied weights twice)."""
    seen: set[int] = set()
    own = {}
    for name, value in weights.items():
        tensor = value.detach().cpu().contiguous()
        at = tensor.untyped_storage().data_ptr()
        whole = tensor.untyped_storage().nbytes() == tensor.nbytes
        own[name] = tensor if whole and at not in seen else tensor.clone()
        seen.add(at)
    return own


def merge_files(
    start: str | os.PathLike[str],
    end: str | os.PathLike[str],
    out: str | os.PathLike[str],
    alpha: float,
    *,
    integers: Side = "end",
    dtypes: str = "error",
    extrapolate: bool = False,
    block_bytes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, str]:
    """Write (1 - alpha) start + alpha end (WiSE-FT, arXiv 2109.01903, section 3) to a file.

    :func:`~surefoot.weights.merge` with :class:`~surefoot.weights.Lerp`: in bounded memory,
    written whole or not at all. At alpha 0 and 1 the tensors are those of the start and of the
    end bit for bit.

    Args:
        start: A checkpoint that :func:`~surefoot.weights.open_tensors` opens.
        end: Likewise; same names and shapes. Its metadata are kept.
        out: A ``.safetensors`` file.
        alpha: From 0 to 1.
        integers: Whose integer tensors are taken strictly between the ends.
        dtypes: What to do where dtypes differ: one of :data:`~.merging.DTYPE_POLICIES`.
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

    Example:
        >>> both = "start.safetensors", "end.safetensors"
        >>> about = sf.weights.merge_files(*both, "half.safetensors", 0.5)
        >>> sf.weights.read_safetensors("half.safetensors")["w"]
        tensor([1., 2.])
    """
    rule = Lerp(integers=integers, alpha=check_alpha(alpha, extrapolate=extrapolate),
                extrapolate=extrapolate)  # fmt: skip
    done = merge([start, end], out, rule, dtype=dtypes, check="none", block_bytes=block_bytes,
                 progress=progress)  # fmt: skip
    return dict(done.metadata)
