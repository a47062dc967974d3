"""Merging files equals merging in memory, in bounded memory, and writes whole or not at all."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from surefoot.errors import AlphaError, WeightsError
from surefoot.weights import Weights, lerp, merge_files, open_tensors, write_safetensors


def sets(dtype: torch.dtype = torch.float32) -> tuple[dict, dict]:
    torch.manual_seed(0)
    a = {"w": torch.randn(9, 11).to(dtype), "z.bias": torch.randn(5), "n": torch.tensor(3),
         "h": torch.randn(7).half(), "e": torch.empty(0)}  # fmt: skip
    b = {k: torch.randn(t.shape).to(t.dtype) for k, t in a.items()} | {"n": torch.tensor(8)}
    return a, b


@pytest.fixture
def files(tmp_path):
    a, b = sets()
    write_safetensors(tmp_path / "a.safetensors", a, {"from": "a"})
    write_safetensors(tmp_path / "b.safetensors", b, {"from": "b", "model": "vit"})
    return tmp_path / "a.safetensors", tmp_path / "b.safetensors", tmp_path / "out.safetensors"


@pytest.mark.parametrize("alpha", [0, 0.3, 0.5, 1])
@pytest.mark.parametrize("block", [16, 1 << 20])
def test_equals_lerp_in_memory_bit_for_bit(files, alpha, block):
    a, b = sets()
    merge_files(*files, alpha, block_bytes=block)
    assert Weights(load_file(files[2])) == Weights(lerp(a, b, alpha))


def test_metadata_say_where_it_came_from(files):
    returned = merge_files(*files, 0.25, integers="start")
    kept = open_tensors(files[2]).metadata
    assert kept == returned
    assert kept["from"] == "b"
    assert kept["model"] == "vit"
    assert kept["surefoot.merge.alpha"] == "0.25"
    assert kept["surefoot.merge.start"] == "a.safetensors"
    digest = hashlib.sha256(files[1].read_bytes()).hexdigest()
    assert kept["surefoot.merge.end.sha256"] == digest
    assert load_file(files[2])["n"].item() == 3


def test_progress_ends_at_the_total(files):
    seen: list[tuple[int, int]] = []
    merge_files(*files, 0.5, block_bytes=64, progress=lambda *at: seen.append(at))
    assert seen[-1][0] == seen[-1][1] == 9 * 11 * 4 + 5 * 4 + 7 * 2 + 8
    assert [d for d, _ in seen] == sorted(d for d, _ in seen)


def test_pt_input_and_output_over_an_input(files):
    a, b = sets()
    torch.save(a, files[0].with_suffix(".pt"))
    merge_files(files[0].with_suffix(".pt"), files[1], files[1], 0.5)
    assert Weights(load_file(files[1])) == Weights(lerp(a, b, 0.5))


def test_every_misfit_is_listed_and_nothing_is_written(files):
    a, _ = sets()
    a["w"], a["extra"], a["h"] = torch.zeros(1, 11), torch.ones(1), a["h"].float()
    write_safetensors(files[0], a)
    with pytest.raises(WeightsError) as caught:
        merge_files(*files, 0.5)
    for part in (
        "'w' has the shape (1, 11) in the start and (9, 11) in the end",
        "'extra' (1,) is in the start only",
        "'h' is float32 in the start and float16 in the end",
    ):
        assert part in str(caught.value)
    assert {p.name for p in files[2].parent.iterdir()} == {"a.safetensors", "b.safetensors"}


def test_nan_is_found_wherever_it_is_and_nothing_is_written(files):
    a, b = sets()
    a["w"][8, 10] = math.nan
    b["z.bias"][0] = math.inf
    write_safetensors(files[0], a)
    write_safetensors(files[1], b)
    for alpha in (0, 0.5, 1):
        with pytest.raises(WeightsError) as caught:
            merge_files(*files, alpha, block_bytes=16)
        assert "'w' holds NaN or Inf in the start" in str(caught.value)
        assert "'z.bias' holds NaN or Inf in the end" in str(caught.value)
    assert {p.name for p in files[2].parent.iterdir()} == {"a.safetensors", "b.safetensors"}


def test_mixed_dtypes_need_a_policy(files):
    a, b = sets(), sets(torch.float16)
    write_safetensors(files[0], a[0])
    write_safetensors(files[1], b[1])
    with pytest.raises(WeightsError, match="--dtype"):
        merge_files(*files, 0.5)
    merge_files(*files, 0.5, dtypes="end")
    got = load_file(files[2])["w"]
    assert got.dtype == torch.float16
    exact = (a[0]["w"].double() + b[1]["w"].double()) / 2
    assert (got.double() - exact).abs().max() <= 1e-3
    merge_files(*files, 0, dtypes="start")
    assert torch.equal(load_file(files[2])["w"], a[0]["w"])


def test_an_integer_against_a_float_is_never_mixed(files):
    a, _ = sets()
    write_safetensors(files[0], {**a, "n": torch.tensor(3.0)})
    with pytest.raises(WeightsError, match="'n' is float32 in the start and int64 in the end"):
        merge_files(*files, 0.5, dtypes="end")


def test_alpha_outside(files):
    with pytest.raises(AlphaError, match="--extrapolate"):
        merge_files(*files, 1.5)
    assert not files[2].exists()
    merge_files(*files, 1.5, extrapolate=True)
    a, b = sets()
    assert Weights(load_file(files[2])) == Weights(lerp(a, b, 1.5, extrapolate=True))


needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

PEAK = """
import sys
from surefoot.weights import merge_files
# The process's own high-water mark: ru_maxrss of a child begins at its parent's.
mib = lambda: next(int(s.split()[1]) for s in open("/proc/self/status") if "VmHWM" in s) / 1024
merge_files(*sys.argv[1:4], 0.5, block_bytes=2**20)
before = mib()
merge_files(*sys.argv[4:7], 0.5, block_bytes=2**20)
print(mib() - before)
"""


@needs_proc
def test_memory_is_bounded_by_blocks_not_by_tensors(tmp_path):
    names = []
    for size in (2**10, 12 * 2**20):  # the larger tensor: 48 MiB in each file
        for side in "ab":
            path = tmp_path / f"{side}{size}.safetensors"
            write_safetensors(path, {"w": torch.ones(size)})
            names.append(str(path))
        names.append(str(tmp_path / "out.safetensors"))
    done = subprocess.run([sys.executable, "-c", PEAK, *names], capture_output=True, text=True,
                          check=True)  # fmt: skip
    assert float(done.stdout) < 24, "MiB above the peak for a tensor of 4 KiB"
