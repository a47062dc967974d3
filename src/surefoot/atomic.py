"""Files that are written whole or not at all. No torch here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any, Literal, overload

__all__ = ["file_stem", "replaced", "write_atomic", "written"]


def file_stem(name: str) -> str:
    """What a file of something so named may be called everywhere."""
    return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)


def write_atomic(path: str | os.PathLike[str], data: bytes | str) -> None:
    """Write a file whole or not at all: temporary file in the same folder, fsync, rename."""
    with written(path, "wb") as out:
        out.write(data.encode() if isinstance(data, str) else data)


@overload
def written(
    path: str | os.PathLike[str], mode: Literal["w"] = "w"
) -> AbstractContextManager[IO[str]]: ...
@overload
def written(
    path: str | os.PathLike[str], mode: Literal["wb"]
) -> AbstractContextManager[IO[bytes]]: ...
def written(path: str | os.PathLike[str], mode: Any = "w") -> Any:
    """As :func:`write_atomic`, piece by piece: an open file, UTF-8 as it is given or binary."""
    return _written(Path(path), mode)


@contextmanager
def _written(target: Path, mode: str) -> Iterator[IO[Any]]:
    text = {} if "b" in mode else {"encoding": "utf-8", "newline": ""}
    with replaced(target) as partial, open(partial, mode, **text) as out:  # type: ignore[call-overload]
        yield out


@contextmanager
def replaced(path: str | os.PathLike[str]) -> Iterator[Path]:
    """As :func:`write_atomic`, by a library that wants a path: one beside, flushed and renamed.

    The file is as readable by others as any new one (the umask decides), whatever the library
    makes of it.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        partial.touch()
        mode = partial.stat().st_mode
        yield partial
        partial.chmod(mode)
        with open(partial, "rb+") as out:
            os.fsync(out.fileno())
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
