"""Every merge method from files equals the one in memory; interrupted, it leaves nothing."""

from __future__ import annotations

import hashlib
import json
import math
import signal
import subprocess
import sys
import time

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from surefoot.errors import CheckpointError, UnknownName, WeightsError
from surefoot.weights import (
    MERGE_METHODS,
    FisherRule,
    Lerp,
    LinesRule,
    Mean,
    ModelStockRule,
    TaskArithmetic,
    Ties,
    Weights,
    fisher_merge,
    lerp,
    lines,
    make_rule,
    mean,
    merge,
    model_stock,
    task_arithmetic,
    ties,
    weighted_mean,
    write_safetensors,
)

NAMES = ("blocks.0.w", "blocks.1.w", "norm.w", "head.w")


def models(count: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> list[dict]:
    g = torch.Generator().manual_seed(seed)
    start = {n: torch.randn(7, 5 + i, generator=g) for i, n in enumerate(NAMES)}
    mask = torch.full((3, 3), -math.inf).triu(1)
    out = []
    for i in range(count):
        step = {n: t + 0.1 * i * torch.randn(t.shape, generator=g) for n, t in start.items()}
        own = {n: t.to(dtype) for n, t in step.items()}
        half = own["norm.w"].half().clone()
        out.append({**own, "blocks.0.half": half, "blocks.1.n": torch.tensor(i),
                    "blocks.0.mask": mask, "blocks.1.none": torch.empty(0)})  # fmt: skip
    return out


def fishers(count: int) -> list[dict]:
    g = torch.Generator().manual_seed(9)
    return [{n: torch.rand(7, 5 + i, generator=g) for i, n in enumerate(NAMES[:2])}
            for _ in range(count)]  # fmt: skip


def written(folder, sets, stem="m"):
    files = [folder / f"{stem}{i}.safetensors" for i in range(len(sets))]
    for file, weights in zip(files, sets, strict=True):
        write_safetensors(file, weights)
    return files


CASES = {
    "lerp": (2, lambda f: Lerp(alpha=0.3), lambda m: lerp(*m, 0.3)),
    "lerp end": (2, lambda f: Lerp(alpha=1.0), lambda m: lerp(*m, 1)),
    "lines": (2, lambda f: LinesRule(alpha=0.2, beta=0.5), lambda m: lines(*m, alpha=0.2)),
    "mean": (3, lambda f: Mean(), mean),
    "weighted": (3, lambda f: Mean(weights=(1, 0, 2)), lambda m: weighted_mean(m, [1, 0, 2])),
    "tasks": (
        3,
        lambda f: TaskArithmetic(scales=(0.5, -0.25), integers="start"),
        lambda m: task_arithmetic(m[0], m[1:], [0.5, -0.25], integers="start"),
    ),
    "one task": (
        3,
        lambda f: TaskArithmetic(scales=(0, 1)),
        lambda m: task_arithmetic(m[0], m[1:], [0, 1]),
    ),
    "ties": (3, lambda f: Ties(density=0.2), lambda m: ties(m[0], m[1:])),
    "ties all": (3, lambda f: Ties(density=1), lambda m: ties(m[0], m[1:], density=1)),
    "ties by tensor": (
        4,
        lambda f: Ties(density=0.35, scale=0.7, per_tensor=True),
        lambda m: ties(m[0], m[1:], density=0.35, scale=0.7, per_tensor=True),
    ),
    "fisher": (
        3,
        lambda f: FisherRule(fishers=tuple(f), weights=(1, 2, 3), floor=0.3),
        lambda m: fisher_merge(m, fishers(3), [1, 2, 3], floor=0.3),
    ),
    "fisher normalised": (
        3,
        lambda f: FisherRule(fishers=tuple(f), weights=(1, 2, 3), floor=0.3, normalize=True),
        lambda m: fisher_merge(m, fishers(3), [1, 2, 3], floor=0.3, normalize=True),
    ),
}


@pytest.mark.parametrize("block", [24, 1 << 20])
@pytest.mark.parametrize("case", CASES)
def test_equals_the_operation_in_memory_bit_for_bit(tmp_path, case, block):
    count, rule, plain = CASES[case]
    sets = models(count)
    extra = written(tmp_path, fishers(count), "f")
    merge(written(tmp_path, sets), tmp_path / "out.safetensors", rule(extra), block_bytes=block,
          threads=3)  # fmt: skip
    assert Weights(load_file(tmp_path / "out.safetensors")) == Weights(plain(sets))


@pytest.mark.parametrize("block", [24, 1 << 20])
def test_model_stock_equals_up_to_the_order_of_a_sum(tmp_path, block):
    sets = models(4)
    merge(written(tmp_path, sets), tmp_path / "out.safetensors", ModelStockRule(),
          block_bytes=block)  # fmt: skip
    got, want = load_file(tmp_path / "out.safetensors"), model_stock(sets[0], sets[1:])
    assert set(got) == set(want)
    for name, tensor in want.items():
        torch.testing.assert_close(got[name], tensor, rtol=1e-6, atol=1e-7)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 99),
    density=st.floats(0.01, 1),
    decimals=st.integers(0, 3),
    block=st.integers(4, 90),
)
def test_thresholds_of_ties_are_exact_with_equal_magnitudes_too(
    tmp_path, seed, density, decimals, block
):
    sets = [{k: t.round(decimals=decimals) if t.dtype == torch.float32 else t
             for k, t in m.items()} for m in models(3, seed)]  # fmt: skip
    merge(written(tmp_path, sets), tmp_path / "o.safetensors", Ties(density=density),
          block_bytes=block, threads=2, hashes=False)  # fmt: skip
    want, got = ties(sets[0], sets[1:], density=density), load_file(tmp_path / "o.safetensors")
    assert all(torch.equal(got[k], t) for k, t in want.items())  # but for the sign of zeros


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("case", ["lerp", "mean", "ties", "tasks"])
def test_half_precision_is_computed_wide_as_in_memory(tmp_path, case, dtype):
    count, rule, plain = CASES[case]
    sets = models(count, dtype=dtype)
    merge(written(tmp_path, sets), tmp_path / "o.safetensors", rule([]), block_bytes=10)
    assert Weights(load_file(tmp_path / "o.safetensors")) == Weights(plain(sets))


@pytest.mark.parametrize("method", ["lerp", "mean", "ties", "model-stock"])
def test_shards_give_what_one_file_gives(tmp_path, method):
    sets = models(2 if method == "lerp" else 3)
    files = written(tmp_path, sets)
    folder = tmp_path / "sharded"
    folder.mkdir()
    names = sorted(sets[1])
    table = {n: f"model-{i % 3}.safetensors" for i, n in enumerate(names)}
    for shard in set(table.values()):
        save_file({n: sets[1][n] for n in names if table[n] == shard}, folder / shard)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": table}))
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    merge(files, one, make_rule(method), block_bytes=24)
    done = merge([files[0], folder, *files[2:]], two, make_rule(method), block_bytes=24)
    assert Weights(load_file(one)) == Weights(load_file(two))
    label = "end" if method == "lerp" else "input2"
    assert done.metadata[f"surefoot.merge.{label}.sha256"].startswith("model-0.safetensors:")


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("block", [64, 1 << 20])
def test_hashes_made_piece_by_piece_are_those_of_the_files(tmp_path, threads, block):
    g = torch.Generator().manual_seed(0)
    sets = [{f"w{i}": torch.randn(300, 50 + 400 * i, generator=g) for i in range(4)} for _ in "abc"]
    files = written(tmp_path, sets)
    shards = tmp_path / "sharded"
    shards.mkdir()
    for i in range(4):
        save_file({f"w{i}": sets[1][f"w{i}"]}, shards / f"s{i}.safetensors")
    table = {f"w{i}": f"s{i}.safetensors" for i in range(4)}
    (shards / "m.safetensors.index.json").write_text(json.dumps({"weight_map": table}))
    done = merge([files[0], shards, files[2]], tmp_path / "o.safetensors", Mean(), threads=threads,
                 block_bytes=block << 8)  # fmt: skip
    own = [hashlib.sha256(f.read_bytes()).hexdigest() for f in files]
    assert done.metadata["surefoot.merge.input1.sha256"] == own[0]
    assert done.metadata["surefoot.merge.input3.sha256"] == own[2]
    several = [f"s{i}.safetensors:" + hashlib.sha256((shards / f"s{i}.safetensors").read_bytes())
               .hexdigest() for i in range(4)]  # fmt: skip
    assert done.metadata["surefoot.merge.input2.sha256"] == " ".join(several)
    assert (
        "surefoot.merge.input1.sha256"
        not in merge(files, tmp_path / "o.safetensors", Mean(), hashes=False).metadata
    )


@pytest.mark.parametrize("new_format", [True, False])
def test_torch_files_of_both_formats(tmp_path, new_format):
    sets = models(2)
    torch.save({"state_dict": sets[1]}, tmp_path / "m.pt",
               _use_new_zipfile_serialization=new_format)  # fmt: skip
    first = written(tmp_path, sets)[0]
    merge([first, tmp_path / "m.pt"], tmp_path / "o.safetensors", Lerp(alpha=0.3))
    assert Weights(load_file(tmp_path / "o.safetensors")) == Weights(lerp(*sets, 0.3))


def test_dtypes_that_differ_need_a_policy_and_are_rounded_once(tmp_path):
    a, b = models(2)[1], models(2, 1, torch.float16)[1]
    files, out = written(tmp_path, [a, b]), tmp_path / "o.safetensors"
    with pytest.raises(WeightsError, match=r"float32 in the start and float16 in the end.*"):
        merge(files, out, Mean())
    want = {"start": torch.float32, "end": torch.float16, "widest": torch.float32,
            "float64": torch.float64, "bfloat16": torch.bfloat16}  # fmt: skip
    for policy, dtype in want.items():
        for rule in (Lerp(alpha=0.5), Mean()):
            merge(files, out, rule, dtype=policy)
            got = load_file(out)
            exact = (a["head.w"].double() + b["head.w"].double()) / 2
            assert got["head.w"].dtype == dtype
            near = exact.float().to(dtype) if isinstance(rule, Lerp) else exact.to(dtype)
            torch.testing.assert_close(got["head.w"], near, rtol=2e-7, atol=1e-7)
            assert got["blocks.1.n"].dtype == torch.int64
    with pytest.raises(WeightsError, match="no dtype policy 'float8'"):
        merge(files, out, Mean(), dtype="float8")


def test_conversion_alone_rounds_once_and_overflow_is_refused(tmp_path):
    a, b = models(2)
    a["head.w"][0, 0] = b["head.w"][0, 0] = 70000.0
    files, out = written(tmp_path, [a, b]), tmp_path / "o.safetensors"
    with pytest.raises(WeightsError, match=r"'head\.w' overflows when mixed"):
        merge(files, out, Lerp(alpha=0), dtype="float16")
    assert not out.exists()
    merge(files, out, Lerp(alpha=0), dtype="bfloat16")
    assert torch.equal(load_file(out)["norm.w"], a["norm.w"].bfloat16())


def test_accuracy_against_float64_is_reported(tmp_path):
    sets = models(3)
    files, out = written(tmp_path, sets), tmp_path / "o.safetensors"
    found = merge(files, out, Mean(), check="full").accuracy
    numbers = sum(t.numel() for k, t in sets[0].items() if t.is_floating_point())
    assert (found.compared, found.of) == (numbers - 9, numbers)  # the mask is copied
    exact = {k: sum(m[k].double() for m in sets) / 3 for k in NAMES}
    worst = max(float((load_file(out)[k].double() - exact[k]).abs().max()) for k in NAMES)
    assert 0 < worst <= found.largest < 1e-3  # the half-precision tensor has the largest
    assert 0 < found.ulps <= 0.5000001
    sampled = merge(files, out, Mean(), check="sampled", block_bytes=4).accuracy
    assert 0 < sampled.compared < numbers / 8
    assert merge(files, out, Mean(), check="none").accuracy.compared == 0
    few = written(tmp_path, [{"n": torch.tensor(3), "w": torch.rand(5)} for _ in "ab"], "few")
    assert merge(few, out, Lerp()).accuracy.compared == 5, "an integer is not the first block"
    assert "against float64" in str(found)


@pytest.mark.parametrize(
    "rule", [Lerp(alpha=0.3), LinesRule(alpha=0.2), Mean(), TaskArithmetic(scales=(0.3,))]
)
def test_the_beginning_of_every_tensor_is_compared_however_few_blocks_there_are(tmp_path, rule):
    sizes = {f"blocks.{i}.w": n for i, n in enumerate([1, 63, 64, 65, 2048, 6400])}
    files = written(tmp_path, [{k: torch.randn(n) for k, n in sizes.items()} for _ in "ab"])
    found = merge(files, tmp_path / "o.safetensors", rule).accuracy
    # The first block is compared whole: one number. Of the others 64, or one in 32.
    assert found.compared == 1 + 63 + 64 + 64 + 64 + 200
    assert found.largest > 0


def test_bad_numbers_are_named_and_nothing_is_written(tmp_path):
    sets = models(3)
    sets[1]["blocks.1.w"][6, 5] = math.nan
    sets[2]["norm.w"][0, 0] = math.inf
    files = written(tmp_path, sets)
    before = {p.name for p in tmp_path.iterdir()}
    for rule in (Mean(), Ties(), ModelStockRule(), TaskArithmetic()):
        with pytest.raises(WeightsError) as caught:
            merge(files, tmp_path / "o.safetensors", rule, block_bytes=24)
        text = str(caught.value)
        assert "'blocks.1.w' holds NaN or Inf in checkpoint 2 (m1.safetensors)" in text
        assert "'norm.w' holds NaN or Inf in checkpoint 3 (m2.safetensors)" in text
    assert {p.name for p in tmp_path.iterdir()} == before


def test_a_mask_must_be_equal_everywhere_whatever_the_block(tmp_path):
    a, b = models(2)
    b["blocks.0.mask"] = b["blocks.0.mask"].clone()
    b["blocks.0.mask"][2, 0] = 1.0
    files = written(tmp_path, [a, b])
    for block in (4, 1 << 20):
        with pytest.raises(WeightsError, match=r"'blocks\.0\.mask' holds .*Inf"):
            merge(files, tmp_path / "o.safetensors", Lerp(alpha=0.5), block_bytes=block)


@pytest.mark.parametrize(
    ("rule", "count", "message"),
    [
        (Lerp(), 3, "lerp was given 3 checkpoints"),
        (LinesRule(), 1, "lines was given 1 checkpoint"),
        (ModelStockRule(), 2, "Model Stock was given 2 checkpoints"),
        (Mean(weights=(1.0,)), 2, r"2 sets of weights cannot be averaged"),
        (TaskArithmetic(scales=(math.nan,)), 2, "cannot be added with the scales"),
        (Ties(density=0.0), 2, "density 0"),
        (FisherRule(), 2, "2 models with 0 Fishers"),
    ],
)
def test_rules_say_what_they_need(tmp_path, rule, count, message):
    files = written(tmp_path, models(count))
    with pytest.raises(WeightsError, match=message):
        merge(files, tmp_path / "o.safetensors", rule)
    assert len(list(tmp_path.iterdir())) == count


def test_fishers_that_do_not_fit(tmp_path):
    files, good = written(tmp_path, models(2)), fishers(2)
    bad = {**good[1], "extra": torch.ones(1)}
    two = tuple(written(tmp_path, [good[0], bad], "f"))
    with pytest.raises(WeightsError, match=r"Fisher 2 \(f1.safetensors\) does not fit in 'extra'"):
        merge(files, tmp_path / "o.safetensors", FisherRule(fishers=two))
    good[1]["blocks.0.w"][0, 0] = -1.0
    two = tuple(written(tmp_path, good, "f"))
    with pytest.raises(WeightsError, match=r"a number below 0 in 'blocks\.0\.w'"):
        merge(files, tmp_path / "o.safetensors", FisherRule(fishers=two))


def test_names_and_options_of_rules():
    assert set(MERGE_METHODS) == {"lerp", "mean", "task-arithmetic", "ties", "model-stock",
                                  "lines", "fisher"}  # fmt: skip
    assert make_rule("mean", weights=[1, 2]) == Mean(weights=(1, 2))
    with pytest.raises(UnknownName, match="Did you mean 'ties'"):
        make_rule("tise")
    with pytest.raises(WeightsError, match="lerp has no option density"):
        make_rule("lerp", density=1)
    with pytest.raises(CheckpointError, match="does not exist"):
        merge(["nowhere.pt", "nor.pt"], "o.safetensors", Lerp())


def test_no_room_on_the_disk_is_told_before_anything_is_read(tmp_path, monkeypatch):
    files = written(tmp_path, models(2))
    monkeypatch.setattr("shutil.disk_usage", lambda _: _Full())
    with pytest.raises(WeightsError, match=r"0\.00 GB are free"):
        merge(files, tmp_path / "o.safetensors", Lerp())


class _Full:
    free = 10


def test_an_error_midway_leaves_the_old_file_and_the_threads_of_torch(tmp_path):
    files = written(tmp_path, models(2))
    own = torch.get_num_threads()

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    before = files[1].read_bytes()
    with pytest.raises(KeyboardInterrupt):
        merge(files, files[1], Lerp(), block_bytes=8, progress=stop)
    assert files[1].read_bytes() == before
    assert {p.name for p in tmp_path.iterdir()} == {f.name for f in files}
    assert torch.get_num_threads() == own


SLOW = """
import sys, time
from surefoot.cli.main import main
import surefoot.weights.merging as m
look = m._look
def slowly(*a, **k):
    print("at work", flush=True)
    time.sleep(0.2)
    return look(*a, **k)
m._look = slowly
main(["merge", *sys.argv[1:3], "-o", sys.argv[3], "--force"])
"""


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing_behind(tmp_path, sent):
    files = written(tmp_path, [{f"w{i}": torch.ones(8) for i in range(300)} for _ in "ab"])
    command = [sys.executable, "-c", SLOW, *map(str, files), str(tmp_path / "o.safetensors")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert any(p.name.endswith(".part") for p in tmp_path.iterdir())
        child.send_signal(sent)
        for _ in range(600):
            if child.poll() is not None:
                break
            time.sleep(0.1)
        assert child.returncode not in (0, None)
    assert {p.name for p in tmp_path.iterdir()} == {f.name for f in files}


needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

PEAK = """
import sys
from surefoot.weights import make_rule, merge
# The process's own high-water mark: ru_maxrss of a child begins at its parent's.
mib = lambda: next(int(s.split()[1]) for s in open("/proc/self/status") if "VmHWM" in s) / 1024
method, small, large = sys.argv[1], sys.argv[2:5], sys.argv[5:8]
merge(small, sys.argv[8], make_rule(method), memory=2**24)
before = mib()
merge(large, sys.argv[8], make_rule(method), memory=2**24)
print(mib() - before)
"""


@needs_proc
@pytest.mark.parametrize("method", ["mean", "ties"])
def test_memory_is_bounded_by_the_budget(tmp_path, method):
    small = written(tmp_path, [{"w": torch.full((2**10,), float(i))} for i in range(3)], "s")
    large = written(tmp_path, [{"w": torch.full((10 * 2**20,), float(i))} for i in range(3)], "l")
    done = subprocess.run([sys.executable, "-c", PEAK, method, *map(str, [*small, *large]),
                           str(tmp_path / "o.safetensors")], capture_output=True, text=True,
                          check=True)  # fmt: skip
    assert float(done.stdout) < 60, "MiB above the peak for tensors of 4 KiB; the files have 120"


@pytest.mark.parametrize("length", [1, 7, 20, 63, 64, 65])
def test_numbers_begin_at_a_cache_line(tmp_path, length):
    files = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    for i, file in enumerate(files):
        save_file({"w" * length: torch.full((3,), float(i))}, file)
    out = tmp_path / "o.safetensors"
    merge(files, out, Lerp(alpha=0.5))
    assert (8 + int.from_bytes(out.read_bytes()[:8], "little")) % 64 == 0
    assert load_file(out)["w" * length].tolist() == [0.5] * 3
