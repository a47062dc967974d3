"""The C library's memory policy: ours in our commands, the user's where there is one."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import sys

import pytest

from surefoot import allocator

_BLOCKS = """
import ctypes, resource, sys
from surefoot.allocator import keep_pages
if sys.argv[1] == "kept":
    assert keep_pages()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    block = libc.malloc(64 << 20)
    ctypes.memset(block, 1, 64 << 20)
    libc.free(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _plain() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_TUN"))}


def _glibc() -> bool:
    return hasattr(ctypes.CDLL(None), "gnu_get_libc_version")


def _faults(how: str) -> int:
    command = [sys.executable, "-c", _BLOCKS, how]
    out = subprocess.run(command, env=_plain(), check=True, capture_output=True, text=True)
    return int(out.stdout)


@pytest.mark.skipif(not _glibc(), reason="needs glibc")
def test_blocks_that_come_again_are_not_filled_with_zeros_again() -> None:
    """Twenty blocks of 64 MiB, one after the other: pages come from the kernel once."""
    assert _faults("kept") < _faults("plain") / 10


@pytest.mark.parametrize("name", ["MALLOC_ARENA_MAX", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"])
def test_the_users_policy_stays(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda _: pytest.fail("the library was asked"))
    monkeypatch.setenv(name, "1")
    assert not allocator.keep_pages()


@pytest.mark.parametrize("library", ["musl", "none"])
def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    """Without glibc's own name in it nothing is called; without any library nothing fails."""

    class Musl:
        def mallopt(self, name: int, value: int) -> int:
            pytest.fail("mallopt's numbers are glibc's")

    def found(_: None) -> Musl:
        if library == "none":
            raise TypeError("no library of that name")
        return Musl()

    for variable in [v for v in os.environ if v.startswith("MALLOC_")]:
        monkeypatch.delenv(variable)
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    monkeypatch.setattr(allocator.ctypes, "CDLL", found)
    assert not allocator.keep_pages()


@pytest.mark.parametrize(("words", "called"), [
    (["eval", "--help"], True), (["fit", "--help"], True), (["merge", "--help"], False),
    (["--help"], False), (["ls"], False),
])  # fmt: skip
def test_only_commands_that_run_networks_ask_for_it(
    monkeypatch: pytest.MonkeyPatch, words: list[str], called: bool
) -> None:
    from surefoot.cli import main as module

    asked: list[bool] = []
    monkeypatch.setattr(module, "keep_pages", lambda: asked.append(True))
    with contextlib.suppress(SystemExit):
        module.main(words)
    assert bool(asked) == called
