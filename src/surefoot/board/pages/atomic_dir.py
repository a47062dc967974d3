"""A folder that changes at once: written beside the old one, which it then replaces.

Until everything is written, the old folder is as it was; an error, Ctrl-C or a full disk on the way
leaves it so. Other people's files in it move along.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["replaced"]


@contextmanager
def replaced(target: Path, ours: Collection[str]) -> Iterator[Path]:
    """Give an empty folder to write into; at the end it stands in place of ``target``.

    A folder that cannot be renamed (a mount point, the working folder of this process) gets its
    new files one by one instead, after all of them are written.

    Args:
        target: New, or a folder with files that are replaced.
        ours: Names of files in it, relative to it, that go; all others stay.
    """
    target = target.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    before = target.with_name(f".{target.name}.before")
    if before.is_dir() and not target.exists():  # killed between the two renames below
        before.rename(target)
    fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.new-", dir=target.parent))
    try:
        yield fresh
        if not target.exists():
            _usual_rights(fresh)
            fresh.rename(target)
        elif target in (Path.cwd(), *Path.cwd().parents) or target.is_mount():
            _move_files(fresh, target, ours)
        else:
            shutil.copymode(target, fresh)
            _bring_others(target, fresh, ours)
            _swap(target, fresh, before)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _usual_rights(folder: Path) -> None:
    """Rights as of any new folder; a temporary one is its owner's alone."""
    mask = os.umask(0)
    os.umask(mask)
    folder.chmod(0o777 & ~mask)


def _others(target: Path, ours: Collection[str]) -> Iterator[Path]:
    """Files of other people, and their empty folders."""
    for folder, below, names in os.walk(target):
        place = Path(folder)
        links = [n for n in below if (place / n).is_symlink()]
        for name in (*names, *links):
            if (place / name).relative_to(target).as_posix() not in ours:
                yield place / name
        if not names and not below and place != target:
            yield place


def _bring_others(target: Path, fresh: Path, ours: Collection[str]) -> None:
    """Other people's files into the new folder, where nothing of that name was written."""
    for path in _others(target, ours):
        new = fresh / path.relative_to(target)
        if os.path.lexists(new):
            continue
        if path.is_dir() and not path.is_symlink():
            new.mkdir(parents=True)
            continue
        new.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(path, new, follow_symlinks=False)
        except OSError:  # a file system without links
            shutil.copy2(path, new, follow_symlinks=False)


def _swap(target: Path, fresh: Path, before: Path) -> None:
    shutil.rmtree(before, ignore_errors=True)
    target.rename(before)
    try:
        fresh.rename(target)
    except OSError:
        before.rename(target)
        raise
    shutil.rmtree(before, ignore_errors=True)


def _move_files(fresh: Path, target: Path, ours: Collection[str]) -> None:
    """New files over the old ones, then away with what is no longer written."""
    written = {p.relative_to(fresh).as_posix() for p in fresh.rglob("*") if p.is_file()}
    for name in sorted(written):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(fresh / name, target / name)
    for name in sorted(set(ours) - written):
        (target / name).unlink(missing_ok=True)
