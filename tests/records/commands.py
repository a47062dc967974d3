"""``surefoot ...`` in this process, which carries out a migration where the command asks for it."""

from __future__ import annotations

import io
import re
import shlex
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple

from surefoot.cli.main import main

__all__ = ["Said", "surefoot"]

_FIX = re.compile(r"^ *to fix:.*?`surefoot ([^`]+)`", re.MULTILINE)


class Said(NamedTuple):
    """Exit status, stdout, stderr."""

    status: int
    out: str
    err: str


def surefoot(*words: object, typed: Callable[[list[str]], Said] | None = None) -> Said:
    """Run a command that must succeed.

    A later version may refuse what an earlier one wrote if its message names the command that
    migrates it: that one is run, and then the first must succeed.

    Args:
        words: As typed after ``surefoot``.
        typed: Instead of the command line, in tests.
    """
    typed = typed or _typed
    command = [str(word) for word in words]
    said = typed(command)
    named = _FIX.search(said.err) if said.status else None
    if named is not None:
        migrated = typed(shlex.split(named[1]))
        assert migrated.status == 0, f"surefoot {named[1]}: {migrated}"
        said = typed(command)
    assert said.status == 0, f"surefoot {' '.join(command)}: exit {said.status}\n{said.err}"
    return said


def _typed(command: list[str]) -> Said:
    out, err, status = io.StringIO(), io.StringIO(), 0
    sys.argv[:] = ["surefoot", *command]  # a run keeps the command as it was typed
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main(command)
        except SystemExit as stop:
            status = int(stop.code or 0)
    return Said(status, out.getvalue(), err.getvalue())
