"""``surefoot ...`` in a process of its own that need not import torch first.

One waiting process has done the imports; every command is a fork of it with arguments, folder,
environment and output of its own, and ends as any Python process does. Importing takes several
times as long as what most commands of the tests do.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["surefoot"]

_BEFOREHAND = ("torch", "torchvision", "timm", "open_clip", "accelerate", "sklearn.linear_model",
               "transformers", "surefoot.recipes.study", "surefoot.report", "surefoot.models.load",
               "surefoot.cli.runs", "surefoot.cli.look", "surefoot.cli.files")  # fmt: skip

_waiting: subprocess.Popen[str] | None = None


def surefoot(
    *arguments: object, cwd: Path | None = None, code: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run the command as typed in ``cwd``; fail with its output unless it exits with ``code``."""
    typed = ["surefoot", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    if hasattr(os, "fork"):
        done = _forked(typed, cwd or Path.cwd(), environment)
    else:
        command = [sys.executable, "-m", *typed]
        done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment,
                              check=False)  # fmt: skip
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def _forked(
    typed: list[str], cwd: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    global _waiting
    if _waiting is None or _waiting.poll() is not None:
        _waiting = subprocess.Popen([sys.executable, __file__], env=environment, text=True,
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
        atexit.register(_waiting.terminate)
    assert _waiting.stdin is not None
    assert _waiting.stdout is not None
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        asked = {"typed": typed, "cwd": str(cwd), "environment": dict(environment),
                 "out": str(out), "err": str(err)}  # fmt: skip
        _waiting.stdin.write(json.dumps(asked) + "\n")
        _waiting.stdin.flush()
        answer = _waiting.stdout.readline()
        assert answer, "the waiting process has ended"
        return subprocess.CompletedProcess(typed, int(answer), out.read_text(), err.read_text())


def _wait() -> None:
    """Read commands and fork; comes back in the child, as the command."""
    import importlib

    for name in _BEFOREHAND:
        importlib.import_module(name)
    commands = sys.stdin.buffer.raw  # type: ignore[attr-defined]  # nothing is read ahead
    while line := commands.readline():
        asked = json.loads(line)
        child = os.fork()
        if not child:
            break
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    else:
        os._exit(0)
    for place, to in ((os.devnull, 0), (asked["out"], 1), (asked["err"], 2)):
        opened = os.open(place, os.O_RDONLY if to == 0 else os.O_WRONLY | os.O_CREAT)
        os.dup2(opened, to)
        os.close(opened)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.path[0] = asked["cwd"]  # as with -m
    sys.argv[:] = asked["typed"]


if __name__ == "__main__":
    del sys.path[0]  # this folder
    sys.path.insert(0, "")
    _wait()
    import runpy

    runpy.run_module("surefoot", run_name="__main__", alter_sys=True)
