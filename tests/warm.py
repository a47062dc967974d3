"""``python -m surefoot ...`` and the like, in processes that need not import torch first.

One waiting process has done the imports; every command is a fork of it with arguments, folder,
environment and output of its own, and runs its exit functions. Importing takes several times as
long as what most commands of the tests do.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

__all__ = ["Started", "start", "surefoot"]

_BEFOREHAND = ("torch", "torchvision", "timm", "open_clip", "accelerate", "sklearn.linear_model",
               "transformers", "surefoot.recipes.experiment", "surefoot.report",
               "surefoot.models.load", "surefoot.cli.runs", "surefoot.cli.eval",
               "surefoot.cli.sweep", "surefoot.cli.files")  # fmt: skip

_waiting: subprocess.Popen[str] | None = None


def surefoot(
    *arguments: object, cwd: Path | None = None, code: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run the command as typed in ``cwd``; fail with its output unless it exits with ``code``."""
    typed = ["-m", "surefoot", *map(str, arguments)]
    with tempfile.TemporaryDirectory() as folder:
        started = start(typed, Path(folder), cwd=cwd, PYTHONWARNINGS="ignore", OMP_NUM_THREADS="1")
        status, out, err = started.end()
    assert status == code, f"exit {status}\n{out}\n{err}"
    return subprocess.CompletedProcess(typed, code, out, err)


class Started:
    """A process under way; what it says is in two files."""

    def __init__(self, process: int | subprocess.Popen[bytes], out: Path, err: Path) -> None:
        self._process, self._out, self._err = process, out, err

    def wait(self, seconds: float | None = None) -> int | None:
        """The exit status; None when it still runs then."""
        if isinstance(self._process, int):
            return _asked({"wait": self._process, "seconds": seconds})
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def terminate(self) -> None:
        """Ask it to end."""
        pid = self._process if isinstance(self._process, int) else self._process.pid
        os.kill(pid, 15)

    def end(self, seconds: float | None = None) -> tuple[int, str, str]:
        """Exit status, stdout and stderr; after ``seconds`` it is asked to end."""
        status = self.wait(seconds)
        if status is None:
            self.terminate()
            status = self.wait()
        assert status is not None
        return status, self._out.read_text(), self._err.read_text()


def start(
    command: Sequence[str], folder: Path, *, cwd: Path | None = None, **variables: str
) -> Started:
    """Begin ``python COMMAND``, where the command is -m MODULE or -c CODE, and arguments.

    Args:
        command: What follows ``python``.
        folder: Where its output is kept.
        cwd: Its folder.
        variables: Of the environment, beside this process's.
    """
    descriptor, name = tempfile.mkstemp(dir=folder)
    os.close(descriptor)
    out, err = Path(name), Path(f"{name}.err")
    place = str(cwd or Path.cwd())
    environment = {**os.environ, **variables}
    if not hasattr(os, "fork"):
        with open(out, "wb") as said, open(err, "wb") as complained:
            return Started(subprocess.Popen([sys.executable, *command], cwd=place, env=environment,
                                            stdout=said, stderr=complained), out, err)  # fmt: skip
    pid = _asked({"command": list(command), "cwd": place, "environment": environment,
                  "out": str(out), "err": str(err)})  # fmt: skip
    assert pid is not None
    return Started(pid, out, err)


def _asked(what: Mapping[str, Any]) -> int | None:
    """The waiting process's answer."""
    global _waiting
    if _waiting is None:
        alone = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        _waiting = subprocess.Popen([sys.executable, __file__], env=alone, text=True,
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE)  # fmt: skip
        atexit.register(_waiting.kill)
    assert _waiting.stdin is not None
    assert _waiting.stdout is not None
    _waiting.stdin.write(json.dumps(what) + "\n")
    _waiting.stdin.flush()
    answer = _waiting.stdout.readline()
    assert answer, "the waiting process has ended"
    found: int | None = json.loads(answer)
    return found


def _serve() -> list[str]:
    """Answer until there is nothing more to answer; in a child, come back with its command."""
    for name in _BEFOREHAND:
        importlib.import_module(name)
    gc.freeze()  # what is there already is not looked through again in every child
    for line in iter(sys.stdin.buffer.raw.readline, b""):  # type: ignore[attr-defined]
        asked = json.loads(line)
        if "wait" in asked:
            print(json.dumps(_status(asked["wait"], asked["seconds"])), flush=True)
            continue
        child = os.fork()
        if not child:
            return _become(asked)
        print(child, flush=True)
    os._exit(0)


def _status(child: int, seconds: float | None) -> int | None:
    end = None if seconds is None else time.monotonic() + seconds
    while True:
        ended, status = os.waitpid(child, 0 if end is None else os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if end is not None and time.monotonic() > end:
            return None
        time.sleep(0.02)


def _become(asked: Mapping[str, Any]) -> list[str]:
    for place, to in ((os.devnull, 0), (asked["out"], 1), (asked["err"], 2)):
        opened = os.open(place, os.O_RDONLY if to == 0 else os.O_WRONLY | os.O_CREAT)
        os.dup2(opened, to)
        os.close(opened)
    os.chdir(asked["cwd"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    further = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:0] = [asked["cwd"], *(p for p in further if p and p not in sys.path)]
    command: list[str] = asked["command"]
    return command


def _run(command: Sequence[str]) -> None:
    how, what, *arguments = command
    sys.argv[:] = [how if how == "-c" else what, *arguments]
    if how == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})


def _end(status: int) -> NoReturn:
    """What Python does at its end, but for taking apart every module: that takes two seconds."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    del sys.path[0]  # this folder
    given = _serve()
    try:
        _run(given)
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code, file=sys.stderr)
        _end(stop.code if isinstance(stop.code, int) else int(stop.code is not None))
    except BaseException:
        traceback.print_exc()
        _end(1)
    _end(0)
