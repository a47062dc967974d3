"""Virtual checkpoints: a few lines of JSON instead of a merged file, materialised when read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..records import write_atomic
from .merging import Merged, file_hash, merge
from .rules import FisherRule, Rule, make_rule
from .tensor_file import open_tensors

__all__ = ["FORMAT", "Virtual", "is_virtual", "materialise", "read_virtual", "write_virtual"]

FORMAT = 1
"""Version of the JSON; readers accept this and everything older."""

_KIND = "virtual checkpoint"
_LONGEST = 1 << 20


@dataclass(frozen=True)
class Virtual:
    """A merge that has not been carried out.

    Attributes:
        path: The JSON file.
        rule: How the checkpoints are merged.
        dtype: The policy for dtypes that differ.
        checkpoints: The inputs, absolute or relative to the working folder.
        hashes: Their sha256 when this was written.

    Example:
        >>> both = ["start.safetensors", "end.safetensors"]
        >>> made = sf.weights.write_virtual("v.json", both, sf.weights.Lerp(alpha=0.5))
        >>> sf.weights.read_virtual("v.json").rule
        Lerp(integers='end', alpha=0.5, extrapolate=False)
    """

    path: Path
    rule: Rule
    dtype: str
    checkpoints: tuple[Path, ...]
    hashes: tuple[str, ...]

    def require_unchanged(self) -> None:
        """Raise unless every input is there and is the one that was named.

        Raises:
            CheckpointError: Names those that are not.
        """
        for path, wanted in zip(self.checkpoints, self.hashes, strict=True):
            if file_hash(open_tensors(path).files) != wanted:
                raise CheckpointError(
                    f"{path} has changed since the virtual checkpoint {self.path} was written: "
                    "its sha256 differs",
                    expected=f"sha256 {wanted[:16]}...",
                    fix="restore that file, or write the virtual checkpoint again",
                )


def write_virtual(
    out: str | os.PathLike[str],
    checkpoints: Sequence[str | os.PathLike[str]],
    rule: Rule,
    *,
    dtype: str = "error",
) -> Virtual:
    """Write what a merge would be: names and hashes of the inputs, method, options.

    Paths are stored relative to the file, so that a folder moves as a whole. A Fisher file is an
    input like the checkpoints: it is hashed too.

    Args:
        out: A ``.json`` file, replaced where it exists.
        checkpoints: What :func:`~surefoot.weights.merge` takes.
        rule: Likewise.
        dtype: Likewise.

    Raises:
        CheckpointError: An input cannot be read, or the name does not end in .json.

    Example:
        >>> both = ["start.safetensors", "end.safetensors"]
        >>> made = sf.weights.write_virtual("w.json", both, sf.weights.Lerp(alpha=0.5))
        >>> sf.weights.is_virtual("w.json")
        True
    """
    target = Path(out)
    if target.suffix != ".json":
        raise CheckpointError(f"a virtual checkpoint cannot be named {target.name}",
                              expected="a name that ends in .json")  # fmt: skip
    options = dict(vars(rule))
    fishers = [Path(f) for f in options.pop("fishers", ())]
    inputs = [_input(Path(c), target.parent) for c in checkpoints]
    about = {
        "surefoot": _KIND,
        "format": FORMAT,
        "method": rule.name,
        "options": options,
        "dtype": dtype,
        "checkpoints": inputs,
        "fishers": [_input(f, target.parent) for f in fishers],
    }
    write_atomic(target, json.dumps(about, indent=1) + "\n")
    return read_virtual(target)


def read_virtual(path: str | os.PathLike[str]) -> Virtual:
    """Read one; the inputs are not looked at.

    Raises:
        CheckpointError: It is no virtual checkpoint, or of a newer format.

    Example:
        >>> both = ["start.safetensors", "end.safetensors"]
        >>> made = sf.weights.write_virtual("r.json", both, sf.weights.Mean())
        >>> [path.name for path in sf.weights.read_virtual("r.json").checkpoints]
        ['start.safetensors', 'end.safetensors']
    """
    path = Path(path)
    about = _about(path)
    if about is None:
        raise CheckpointError(f"{path} is not a virtual checkpoint",
                              expected="a file that `surefoot merge --virtual` wrote")  # fmt: skip
    if about.get("format", FORMAT) > FORMAT:
        raise CheckpointError(f"{path} has the format {about['format']}",
                              expected=f"at most {FORMAT}", fix="update surefoot")  # fmt: skip
    try:
        options = dict(about["options"])
        fishers = [path.parent / entry["path"] for entry in about["fishers"]]
        if fishers:
            options["fishers"] = fishers
        inputs = [*about["checkpoints"], *about["fishers"]]
        return Virtual(
            path,
            make_rule(about["method"], **options),
            str(about["dtype"]),
            tuple(path.parent / entry["path"] for entry in inputs),
            tuple(entry["sha256"] for entry in inputs),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} is damaged ({type(error).__name__}: {error})",
            expected="a file that `surefoot merge --virtual` wrote",
            fix="write it again",
        ) from error


def is_virtual(path: str | os.PathLike[str]) -> bool:
    """Is this file a virtual checkpoint? Never raises; a large file is not read.

    Example:
        >>> sf.weights.is_virtual("start.safetensors")
        False
    """
    return _about(Path(path)) is not None


def materialise(
    virtual: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Merged:
    """Carry the merge out.

    Args:
        virtual: The JSON file.
        out: A ``.safetensors`` file.
        progress: As in :func:`~surefoot.weights.merge`.
        **options: ``memory``, ``threads``, ``check`` of :func:`~surefoot.weights.merge`.

    Raises:
        CheckpointError: An input is missing or has changed.
        WeightsError: The inputs do not fit together.

    Example:
        >>> both = ["start.safetensors", "end.safetensors"]
        >>> made = sf.weights.write_virtual("m.json", both, sf.weights.Mean())
        >>> sf.weights.materialise("m.json", "m.safetensors").path.name
        'm.safetensors'
    """
    found = read_virtual(virtual)
    found.require_unchanged()
    rule = found.rule
    count = len(found.checkpoints) - (len(rule.fishers) if isinstance(rule, FisherRule) else 0)
    return merge(found.checkpoints[:count], out, rule, dtype=found.dtype, hashes=False,
                 progress=progress, **options)  # fmt: skip


def _input(path: Path, folder: Path) -> dict[str, str]:
    opened = open_tensors(path)
    try:
        where = os.path.relpath(path, folder)
    except ValueError:  # another drive
        where = str(path.resolve())
    return {"path": Path(where).as_posix(), "sha256": file_hash(opened.files)}


def _about(path: Path) -> dict[str, Any] | None:
    try:
        if path.suffix != ".json" or path.stat().st_size > _LONGEST:
            return None
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return about if isinstance(about, dict) and about.get("surefoot") == _KIND else None
