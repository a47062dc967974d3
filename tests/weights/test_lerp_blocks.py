"""The line in files is the line in memory, bit for bit; its number formats are torch's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from surefoot.weights import Lerp, LinesRule, Weights, layer_depths, merge
from surefoot.weights.dtypes import KINDS, Stored, narrow, widen
from surefoot.weights.lerp_blocks import lerp_stored
from surefoot.weights.ops import lerp_tensor
from surefoot.weights.scratch import Scratch

ALPHAS = (1e-3, 0.1, 0.25, 0.3, np.nextafter(0.5, 0), 0.5, 0.7, 0.999, 1.5, -0.5)


def stored(numbers: np.ndarray, kind: str = "F32") -> Stored:
    return Stored(kind, numbers.view(np.uint8).reshape(-1))


def line(x: np.ndarray, y: np.ndarray, alpha: float) -> np.ndarray:
    return lerp_stored(stored(x), stored(y), alpha, "F32", Scratch()).array


def draw(kind: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of float32: as weights are; whole numbers times powers of two; of any exponent; and
    below the smallest normal number."""
    if kind == "weights":
        x = rng.normal(size=n)
        pair = x, x + 10.0 ** rng.integers(-8, 3) * rng.normal(size=n)
    elif kind == "short":
        at = rng.integers(-30, 30, size=n)
        whole = rng.integers(-(2**24), 2**24, size=(2, n))
        pair = np.ldexp(whole[0], at), np.ldexp(whole[1], at + rng.integers(-30, 30, size=n))
    else:
        bits = rng.integers(0, 2**24 if kind == "subnormal" else 2**31, size=(2, n))
        found = np.nan_to_num(bits.astype(np.uint32).view(np.float32), posinf=1.0)
        return found[0], found[1]
    return pair[0].astype(np.float32), pair[1].astype(np.float32)


@pytest.mark.parametrize("kind", ["weights", "short", "any", "subnormal"])
@pytest.mark.parametrize("alpha", ALPHAS)
def test_equals_the_line_in_memory_bit_for_bit(kind, alpha):
    rng = np.random.default_rng(3)
    for n in (1, 7, 600_001):  # torch computes the last in pieces
        x, y = draw(kind, n, rng)
        with np.errstate(all="raise", over="ignore", under="ignore"):
            got = line(x, y, alpha)
        want = lerp_tensor(torch.from_numpy(x), torch.from_numpy(y), alpha).numpy()
        assert np.array_equal(got.view(np.uint32), want.view(np.uint32))


@pytest.mark.parametrize("alpha", ALPHAS)
def test_each_step_is_rounded_by_itself(alpha):
    """As single numbers of numpy do, which no library can fuse."""
    x, y = draw("weights", 500, np.random.default_rng(5))
    share = np.float32(alpha)
    want = []
    for a, b in zip(x, y, strict=True):
        delta = b - a
        want.append(a + delta * share if abs(share) < 0.5 else b + delta * (share - np.float32(1)))
    assert np.array_equal(line(x, y, alpha), np.array(want, dtype=np.float32))


@settings(max_examples=300, deadline=None)
@given(
    x=st.floats(-1e6, 1e6, width=32),
    y=st.floats(-1e6, 1e6, width=32),
    alpha=st.floats(0.0009765625, 0.9990234375, width=32),
)
def test_the_error_stays_within_one_and_a_half_units_in_the_last_place(x, y, alpha):
    got = line(np.array([x], np.float32), np.array([y], np.float32), alpha)[0]
    share = Fraction(float(np.float32(alpha)))
    exact = (1 - share) * Fraction(x) + share * Fraction(y)
    unit = Fraction(2) ** -23 * max(abs(Fraction(x)), abs(Fraction(y))) + Fraction(2) ** -148
    assert abs(Fraction(float(got)) - exact) <= Fraction(3, 2) * unit


@pytest.mark.parametrize("kind", ["F16", "BF16"])
def test_every_half_is_widened_and_every_float_rounded_as_torch_does(kind):
    half = Stored(kind, np.arange(2**16, dtype=np.uint16).view(np.uint8))
    wide = widen(half, Stored("F32", np.empty(4 * 2**16, dtype=np.uint8)))
    assert np.array_equal(wide, half.tensor().float().numpy(), equal_nan=True)
    rng = np.random.default_rng(1)
    # Every half, what lies exactly between two, one bit beside that, and any number.
    near = [half.tensor().float().numpy().view(np.uint32) + np.uint32(d)
            for d in (0, 0x0FFF, 0x1000, 0x1001, 0x7FFF, 0x8000, 0x8001)]  # fmt: skip
    any_bits = rng.integers(0, 2**32, size=2**16, dtype=np.uint32)
    numbers = np.concatenate([*near, any_bits]).view(np.float32)
    into = Stored(kind, np.empty(2 * len(numbers), dtype=np.uint8))
    narrow(stored(numbers), into, np.empty(len(numbers), dtype=np.uint32))
    want = torch.from_numpy(numbers).to(getattr(torch, KINDS[kind].name))
    assert torch.equal(into.tensor().isnan(), want.isnan())
    fine = ~want.isnan()
    assert torch.equal(into.tensor()[fine].view(torch.int16), want[fine].view(torch.int16))


@pytest.mark.parametrize("kind", ["F16", "BF16", "F32", "F64"])
def test_finite_and_equal_as_torch_says(kind):
    for bad in (0.0, np.nan, np.inf, -np.inf):
        tensor = torch.linspace(-3, 3, 201).to(getattr(torch, KINDS[kind].name))
        tensor[150] = bad
        block = Stored(kind, tensor.view(torch.uint8).numpy())
        again = Stored(kind, block.data.copy())
        assert block.finite() == bool(torch.isfinite(tensor).all())
        assert block.holds_nan() == bool(torch.isnan(tensor).any())
        assert block.equals(again) == (not np.isnan(bad))
        if bad == 0.0:
            again.tensor()[150] = -0.0
            assert block.equals(again)
            again.tensor()[199] = 5.0
            assert not block.equals(again)
    assert not block.equals(Stored("I64", block.data))
    assert Stored("I64", block.data).finite()


def pair(dtypes: tuple[torch.dtype, torch.dtype]) -> list[dict[str, torch.Tensor]]:
    g = torch.Generator().manual_seed(0)
    names = [f"blocks.{i}.w" for i in range(3)]
    a = {n: torch.randn(300, 7 + i, generator=g) for i, n in enumerate(names)}
    b = {n: t + 0.1 * torch.randn(t.shape, generator=g) for n, t in a.items()}
    same = {"blocks.0.same": torch.tensor([0.0, -0.0, 1.0]), "blocks.1.n": torch.tensor(4)}
    mask = {"blocks.2.mask": torch.full((3, 3), -torch.inf).triu(1)}
    empty = {"blocks.2.none": torch.empty(0)}
    return [{**{k: t.to(d) for k, t in m.items()}, **same, **mask, **empty}
            for m, d in zip((a, b), dtypes, strict=True)]  # fmt: skip


DTYPE: dict[str, Callable[[torch.dtype, torch.dtype], torch.dtype]] = {
    "error": lambda x, y: x, "start": lambda x, y: x, "end": lambda x, y: y,
    "widest": lambda x, y: torch.promote_types(x, y),
    **{k: lambda x, y, k=k: getattr(torch, k) for k in ("float16", "bfloat16", "float32")},
}  # fmt: skip


@pytest.mark.parametrize("block", [4096, 1 << 20])
@pytest.mark.parametrize(
    "rule",
    [
        Lerp(alpha=0.3),
        Lerp(alpha=0.0),
        Lerp(alpha=1.0),
        Lerp(alpha=1.5, extrapolate=True),
        LinesRule(alpha=0.2, beta=0.5),
    ],
)
@pytest.mark.parametrize("policy", ["error", "start", "end", "widest", "float16", "bfloat16"])
@pytest.mark.parametrize(
    "dtypes",
    [(torch.float16, torch.bfloat16), (torch.float32, torch.float16), (torch.bfloat16,) * 2,
     (torch.float32,) * 2, (torch.float64,) * 2, (torch.bfloat16, torch.float64)],
)  # fmt: skip
def test_files_are_merged_as_plain_torch_would(tmp_path, rule, policy, dtypes, block):
    if policy == "error" and dtypes[0] != dtypes[1]:
        policy = "float32"
    sets = pair(dtypes)
    files = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for file, weights in zip(files, sets, strict=True):
        save_file(weights, file)
    done = tmp_path / "done.safetensors"
    merge(files, done, rule, dtype=policy, block_bytes=block)
    merged = load_file(done)
    wide = torch.float64 if torch.float64 in dtypes else torch.float32
    alphas = dict.fromkeys(sets[0], getattr(rule, "alpha", 0.0))
    if isinstance(rule, LinesRule):
        alphas = {k: rule.alpha + rule.beta * d for k, d in layer_depths(sets[0]).items()}
    for name, x in sets[0].items():
        y, alpha = sets[1][name], alphas[name]
        if not x.is_floating_point():
            assert torch.equal(merged[name], x if alpha == 0 else y)
            continue
        same = x.dtype == y.dtype and torch.equal(x, y)
        want = x.to(wide) if same else lerp_tensor(x.to(wide), y.to(wide), alpha)
        assert merged[name].dtype == DTYPE[policy](x.dtype, y.dtype)
        # From float64 straight to a half; torch goes through float32, which rounds twice.
        want = torch.from_numpy(want.numpy().astype(np.float16)) if (
            merged[name].dtype == torch.float16) else want.to(merged[name].dtype)  # fmt: skip
        assert Weights({name: merged[name]}) == Weights({name: want})


TYPED = """
import sys
from surefoot.cli.main import main
for command in COMMANDS:
    main(command.split())
assert "torch" not in sys.modules and "accelerate" not in sys.modules, "torch was imported"
"""


def test_the_command_merges_two_files_without_importing_torch(tmp_path):
    for names, dtype in (("ab", torch.float32), ("cd", torch.float64)):
        for name, weights in zip(names, pair((dtype, dtype)), strict=True):
            save_file(weights, tmp_path / f"{name}.safetensors")
    commands = [
        "merge c.safetensors d.safetensors -o four.safetensors --alpha 0.7 --check full",
        "merge a.safetensors b.safetensors -o one.safetensors --alpha 0.3 --check full",
        "merge a.safetensors b.safetensors -o two.safetensors --method lines --dtype bfloat16",
        "merge a.safetensors b.safetensors -o v.json --alpha 0.3 --virtual",
        "merge v.json -o three.safetensors",
    ]
    code = TYPED.replace("COMMANDS", repr(commands))
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, timeout=300)
    one, three = (Weights(load_file(tmp_path / f"{n}.safetensors")) for n in ("one", "three"))
    assert one == three
    assert load_file(tmp_path / "two.safetensors")["blocks.0.w"].dtype == torch.bfloat16
    assert load_file(tmp_path / "four.safetensors")["blocks.0.w"].dtype == torch.float64
