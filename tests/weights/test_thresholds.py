"""TIES' thresholds over files: exact, in one pass where a sample shows the way."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from surefoot.weights import open_tensors
from surefoot.weights.streaming import Blocks, workers
from surefoot.weights.thresholds import thresholds
from surefoot.weights.ties import threshold

SHAPES = {"wide": (300, 200), "bias": (200,), "empty": (0,), "one": ()}


def normal(seed: int, scale: float = 1.0) -> dict[str, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    return {k: torch.randn(shape, generator=g) * scale for k, shape in SHAPES.items()}


def found(folder, sets, density, block=1 << 14):
    """Thresholds and how often the files were read from end to end."""
    files = []
    for i, weights in enumerate(sets):
        files.append(folder / f"{i}.safetensors")
        save_file(weights, files[-1])
    sources = [open_tensors(f) for f in files]
    numbers = 0
    with workers(2) as pool:
        blocks = Blocks(sources, pool, threads=2, memory=1 << 26, temporaries=20, block_bytes=block)

        def read(names, function):
            nonlocal numbers
            for part, result in blocks(names, function):
                numbers += part.stop - part.start
                yield part, result

        least = thresholds(sources, read, sources[0].computed(), density)
    return least, numbers / sum(t.numel() for t in sets[0].values())


def plain(sets, density, *, without=()):
    own = [k for k in sets[0] if k not in without]
    return [threshold([t[k].float() - sets[0][k].float() for k in own], density) for t in sets[1:]]


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 99),
    density=st.floats(0.02, 0.9),
    scales=st.lists(st.sampled_from([1e-30, 1e-3, 1.0, 1e20]), min_size=1, max_size=3),
    block=st.integers(1000, 1 << 18),
)
def test_one_pass_finds_them(tmp_path, seed, density, scales, block):
    start = {k: torch.zeros(shape) for k, shape in SHAPES.items()}
    sets = [start, *(normal(seed + i, s) for i, s in enumerate(scales))]
    least, passes = found(tmp_path, sets, density, block)
    assert least == plain(sets, density)
    assert passes == 1


def test_an_ordinary_merge_is_counted_once(tmp_path):
    sets = [normal(0), normal(1), normal(2)]
    assert found(tmp_path, sets, 0.2) == (plain(sets, 0.2), 1)


def test_a_sample_that_misleads_costs_two_passes_more(tmp_path, monkeypatch):
    """Every run that is sampled lies where the tuned model has moved least."""
    monkeypatch.setattr("surefoot.weights.thresholds._SAMPLED", (4096, 4096))
    sets = [normal(0), normal(0)]
    moved = sets[1]["wide"].view(-1)
    moved += torch.linspace(1, 2, len(moved)) * torch.where(moved > 0, 1, -1)
    for i in range(4):
        at = (len(moved) - 1024) * (2 * i + 1) // 8
        sets[0]["wide"].view(-1)[at : at + 1024] = 0
        moved[at : at + 1024] = torch.logspace(-6, -3, 1024)
    assert found(tmp_path, sets, 0.5) == (plain(sets, 0.5), 3)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_many_equal_magnitudes_are_counted_by_digits(tmp_path, dtype):
    start = {k: t.to(dtype) for k, t in normal(0).items()}
    tuned = {k: (t.float() * (1 + 2**-8)).to(dtype) for k, t in start.items()}
    tuned["wide"] = start["wide"].clone()
    tuned["wide"][::2] += 1  # half of the numbers move alike
    sets = [start, tuned]
    assert found(tmp_path, sets, 0.4) == (plain(sets, 0.4), 2)


def test_a_model_that_hardly_moved_has_the_threshold_zero(tmp_path):
    sets = [normal(0), normal(0)]
    sets[1]["bias"] += 1
    assert found(tmp_path, sets, 0.5) == ([0.0], 2)


def test_a_mask_does_not_count(tmp_path):
    sets = [normal(0), normal(1)]
    for weights in sets:
        weights["mask"] = torch.full((9, 9), -math.inf).triu(1)
    least, passes = found(tmp_path, sets, 0.3)
    assert least == plain(sets, 0.3, without=["mask"])
    assert 2 <= passes <= 3


def test_a_tensor_of_two_names_counts_once(tmp_path):
    one = [open_tensors(f) for f in _tied(tmp_path)]
    with workers(1) as pool:
        blocks = Blocks(one, pool, threads=1, memory=1 << 26, temporaries=20)
        least = thresholds(one, blocks, one[0].computed(), 0.5)
    loaded = [torch.load(s.path, weights_only=True) for s in one]
    assert least == plain(loaded, 0.5, without=["twin"])


def _tied(folder):
    for seed in (0, 1):
        weights = normal(seed)
        weights["twin"] = weights["wide"]
        torch.save(weights, folder / f"{seed}.pt")
    return [folder / "0.pt", folder / "1.pt"]
