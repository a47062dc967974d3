"""Pages of a file in place of copies: the same bytes, handed back as one goes on."""

from __future__ import annotations

import hashlib
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from surefoot.errors import CheckpointError
from surefoot.weights import Lerp, merge, merging, open_tensors, tensor_file
from surefoot.weights.mapped import CAN_MAP, MappedFile

pytestmark = pytest.mark.skipif(not CAN_MAP, reason="pages cannot be handed back here")

MIB = 1 << 20


def resident(path: Path) -> int:
    """Bytes of a file that this process has mapped and looked at, by the system's own count."""
    found, ours = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(" ", 1)[0] and not line.split(" ", 1)[0].endswith(":"):
            ours = line.endswith(str(path))
        elif ours and line.startswith("Rss:"):
            found += 1024 * int(line.split()[1])
    return found


@settings(max_examples=30, deadline=None)
@given(
    cuts=st.lists(st.tuples(st.integers(0, 99_999), st.integers(0, 99_999)), min_size=1),
    seed=st.integers(0, 9),
)
def test_any_piece_in_any_order_is_the_files(
    cuts: list[tuple[int, int]], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = np.random.default_rng(seed).bytes(100_000)
    path = tmp_path_factory.mktemp("mapped") / "file"
    path.write_bytes(data)
    mapped = MappedFile(path)
    for pair in cuts:
        start, stop = sorted(pair)
        assert mapped.piece(start, stop).tobytes() == data[start:stop]
    assert b"".join(p.tobytes() for p in mapped.pieces(777)) == data


def test_an_empty_file_has_no_pieces(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert list(MappedFile(tmp_path / "file").pieces(10)) == []
    assert merging.file_hash([tmp_path / "file"]) == hashlib.sha256().hexdigest()


def test_nobody_can_write_to_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    with pytest.raises(ValueError, match="read-only"):
        MappedFile(tmp_path / "file").piece(0, 3)[0] = 7


@pytest.mark.parametrize("jumps", [False, True])
def test_memory_stays_small_however_large_the_file(jumps: bool, tmp_path: Path) -> None:
    path = tmp_path / "file"
    count = 96
    with open(path, "wb") as out:
        for i in range(count):
            out.write(bytes([i]) * MIB)
    mapped = MappedFile(path)
    order = [i * 37 % count for i in range(count)] if jumps else range(count)
    largest: list[int] = []

    def look(i: int) -> None:
        piece = mapped.piece(i * MIB, (i + 1) * MIB)
        assert int(piece.max()) == int(piece.min()) == i
        largest.append(resident(path))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(look, order))
    assert 0 < max(largest) <= 32 * MIB


def checkpoints(folder: Path) -> list[Path]:
    generator = torch.Generator().manual_seed(0)
    paths = []
    for name in ("a", "b"):
        state: dict[str, Any] = {
            f"w{i}": torch.randn(n, generator=generator) for i, n in enumerate((5, 700, 3, 4096))
        }
        state["half"] = torch.randn(64, generator=generator).half()
        state["count"] = torch.tensor([3, 4])
        paths.append(folder / f"{name}.safetensors")
        save_file(state, paths[-1])
    return paths


def test_a_merge_is_the_same_with_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = checkpoints(tmp_path)
    assert open_tensors(ends[0]).view("w1", 0, 7) is not None
    merge(ends, tmp_path / "mapped.safetensors", Lerp(alpha=0.3), block_bytes=512)
    for module in (merging, tensor_file):
        monkeypatch.setattr(module, "CAN_MAP", False)
    assert open_tensors(ends[0]).view("w1", 0, 7) is None
    merge(ends, tmp_path / "read.safetensors", Lerp(alpha=0.3), block_bytes=512)
    one, other = (tmp_path / f"{name}.safetensors" for name in ("mapped", "read"))
    assert one.read_bytes() == other.read_bytes()


def test_numbers_at_odd_addresses_are_read(tmp_path: Path) -> None:
    """Headers need not be padded; numbers would lie between two that the processor can load."""
    values = np.arange(6, dtype="<f4")
    for name, pad in (("even", 0), ("odd", 3)):
        head = b'{"w":{"dtype":"F32","shape":[6],"data_offsets":[0,24]}}'
        head += b" " * (-len(head) % 8 + pad)
        file = tmp_path / f"{name}.safetensors"
        file.write_bytes(struct.pack("<Q", len(head)) + head + values.tobytes())
    assert open_tensors(tmp_path / "even.safetensors").view("w", 0, 6) is not None
    assert open_tensors(tmp_path / "odd.safetensors").view("w", 0, 6) is None
    ends = [tmp_path / "even.safetensors", tmp_path / "odd.safetensors"]
    merge(ends, tmp_path / "out.safetensors", Lerp(alpha=0.5))
    assert torch.equal(open_tensors(tmp_path / "out.safetensors")["w"], torch.arange(6.0))


def test_a_file_that_was_cut_since_is_named(tmp_path: Path) -> None:
    ends = checkpoints(tmp_path)
    opened = open_tensors(ends[0])
    ends[0].write_bytes(ends[0].read_bytes()[:-4000])
    last = max(opened, key=lambda name: opened.offset(name, 0))
    with pytest.raises(CheckpointError, match=rf"a\.safetensors ends inside of '{last}'"):
        opened.view(last, 0, opened.numel(last))
