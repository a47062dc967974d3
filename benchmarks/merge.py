"""Two checkpoints become one: surefoot beside mergekit, fusion_bench and plain formulas.

    python benchmarks/merge.py [--rule lerp|ties] [--layers 34] [--repeats 5]
        [--peers-python VENV/bin/python] [--half] [--folder DIR]

Two safetensors files of random float32 with the names and shapes of a CLIP vision tower, ViT-L/14's
width and 34 layers (1.72 GB each, what the whole of ViT-L/14 takes; its own tower has 24), are
mixed at alpha 0.3, or tuned ends on a start by TIES. ``--half`` stores them in bfloat16. mergekit
and fusion_bench run under the interpreter of ``--peers-python``; a missing one is named. Every
result is compared with float64 on a sample before anything is timed. Every contender's clock stops
when its file is on the disk (fsync: ours does it by itself) and starts after its imports; the whole
process with start-up and imports is in the column "whole". Inputs are in the system's cache (warm).
``--folder /dev/shm`` keeps all files in memory: what is left when the disk does not set the pace.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

try:
    from .common import RESULTS, Contender, contest, table, write
except ImportError:
    from common import RESULTS, Contender, contest, table, write  # type: ignore[no-redef]

from surefoot.weights import open_tensors, write_safetensors

ALPHA = 0.3
DENSITY = 0.2
ON_DISK = "os.fsync(os.open({}, os.O_RDONLY))"
ARGS = "a, b, out = sys.argv[1:4]"
OURS = "surefoot merge (hashed, checked)"
FAST = "surefoot merge (no hashes, no check)"


def kit(work: str, options: str = "") -> tuple[str, str]:
    """Mergekit's own entry point: imports and work; ``work`` gives the configuration."""
    imports = (
        "import torch; from mergekit.config import MergeConfiguration\n"
        "from mergekit.merge import run_merge; from mergekit.options import MergeOptions"
    )
    return imports, (
        f"{ARGS}; folder = os.path.dirname\n"
        f"config = MergeConfiguration.model_validate({work})\n"
        "run_merge(config, out + '.mergekit', MergeOptions(copy_tokenizer=False,\n"
        f"  write_model_card=False, {options}))\n"
        "facts = {'out': out + '.mergekit/model.safetensors'}; " + ON_DISK.format("facts['out']")
    )


def lerp_contenders(peers: str, threads: int, dtype: str) -> list[Contender]:
    ours = "import surefoot.weights as w; w.merge, w.Lerp"  # imported when named
    call = f"{ARGS}; w.merge([a, b], out, w.Lerp(alpha={ALPHA}), threads={threads}"
    plain = "import torch; from safetensors.torch import load_file, save_file"
    load = f"{ARGS}; x, y = load_file(a), load_file(b)"
    config = (
        f"{{'merge_method': 'linear', 'dtype': '{dtype}', 'models': [\n"
        f"  {{'model': folder(p), 'parameters': {{'weight': w}}}}\n"
        f"  for p, w in ((a, {1 - ALPHA}), (b, {ALPHA}))]}}"
    )
    return [
        Contender(OURS, ours, call + ")", ours=True),
        Contender(FAST, ours, call + ", hashes=False, check='none')", ours=True),
        Contender(
            "wise-ft's formula, torch, save",
            plain,
            f"{load}; "
            f"save_file({{k: {1 - ALPHA} * v + {ALPHA} * y[k] for k, v in x.items()}}, out); "
            + ON_DISK.format("out"),
        ),
        Contender(
            "safetensors + torch.lerp",
            plain,
            f"{load}; save_file({{k: torch.lerp(v, y[k], {ALPHA}) for k, v in x.items()}}, out); "
            + ON_DISK.format("out"),
        ),
        Contender("mergekit linear", *kit(config), peers),
        Contender("mergekit linear, async write", *kit(config, "async_write=True"), peers),
        Contender(
            "fusion_bench state_dict_weighted_sum",
            "from fusion_bench.utils.state_dict_arithmetic import state_dict_weighted_sum\n"
            + plain,
            f"{load}; "
            f"save_file(dict(state_dict_weighted_sum([x, y], [{1 - ALPHA}, {ALPHA}])), out); "
            + ON_DISK.format("out"),
            peers,
        ),
    ]


def ties_contenders(peers: str, threads: int, dtype: str) -> list[Contender]:
    """One start and two tuned ends; mergekit trims each tensor by itself, so ours does as well."""
    ours = "import torch; import surefoot.weights as w; w.merge, w.Ties"
    rule = f"w.Ties(density={DENSITY}, scale=1.0, per_tensor=True)"
    call = f"{ARGS}; w.merge([sys.argv[4], a, b], out, {rule}, threads={threads}"
    config = (
        f"{{'merge_method': 'ties', 'dtype': '{dtype}', 'base_model': folder(sys.argv[4]),\n"
        f"  'models': [{{'model': folder(p), 'parameters': {{'weight': 1.0,\n"
        f"   'density': {DENSITY}}}}} for p in (a, b)], 'parameters': {{'normalize': True}}}}"
    )
    return [
        Contender(OURS, ours, call + ")", ours=True),
        Contender("mergekit ties", *kit(config), peers),
    ]


def inputs(folder: Path, layers: int, width: int, *, half: bool) -> list[Path]:
    """Three checkpoints in folders of their own: two tuned ends, and the start they came from."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    config = CLIPVisionConfig(
        hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers,
        num_attention_heads=width // 64, patch_size=14, projection_dim=768,
    )  # fmt: skip
    config.architectures = ["CLIPVisionModelWithProjection"]
    with torch.device("meta"):
        shapes = {k: v.shape for k, v in CLIPVisionModelWithProjection(config).state_dict().items()
                  if v.is_floating_point()}  # fmt: skip
    dtype = torch.bfloat16 if half else torch.float32
    files = []
    for seed, name in enumerate(("a", "b", "start")):
        generator = torch.Generator().manual_seed(seed)
        place = folder / name
        place.mkdir()
        weights = {k: torch.randn(s, generator=generator).to(dtype) for k, s in shapes.items()}
        files.append(place / "model.safetensors")
        write_safetensors(files[-1], weights, {"format": "pt"})
        config.save_pretrained(place)
    return files


def expected(rule: str, a: Tensor, b: Tensor, start: Tensor) -> Tensor:
    """The whole tensor in float64, by the plain formula."""
    if rule == "lerp":
        return (1 - ALPHA) * a.double() + ALPHA * b.double()
    deltas = []
    for end in (a, b):
        delta = end.double() - start.double()
        keep = int(DENSITY * delta.numel())
        least = delta.abs().flatten().kthvalue(delta.numel() - keep + 1).values
        deltas.append(torch.where(delta.abs() >= least, delta, 0))
    sign = sum(deltas).sign()  # type: ignore[union-attr]
    agree = [torch.where(d.sign() == sign, d, 0) for d in deltas]
    count = sum((d != 0).double() for d in agree)
    return start.double() + sum(agree) / torch.as_tensor(count).clamp(min=1)


def checker(files: list[Path], out: Path, options: argparse.Namespace) -> Any:
    """Compares some tensors of a result with float64; notes the largest error of each contender."""
    a, b, start = (open_tensors(f) for f in files)
    sample = [k for k in a if a.numel(k) <= 1 << 23][:: max(1, len(list(a)) // 12)]
    bound = 2e-2 if options.half else 1e-5

    def equal(who: str, facts: dict[str, Any]) -> None:
        merged = open_tensors(facts.get("out", out))
        worst, unequal, seen = 0.0, 0, 0
        for key in sample:
            size = a.numel(key)
            want = expected(options.rule, *(t.block(key, 0, size) for t in (a, b, start)))
            apart = (merged.block(key, 0, size).double() - want).abs()
            unequal, seen = unequal + int((apart >= bound).sum()), seen + size
            worst = max(worst, float(apart[apart < bound].max()))
        # At TIES' threshold one number more or less may pass, by rounding.
        if unequal > (1e-4 * seen if options.rule == "ties" else 0):
            raise SystemExit(f"{who}: {unequal} of {seen} are wrong; nothing was timed")
        options.errors[who] = worst
        print(f"{who}: largest error against float64 {worst:.1e} (sample of {seen})", flush=True)

    return equal


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rule", choices=("lerp", "ties"), default="lerp")
    parser.add_argument("--layers", type=int, default=34)
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--half", action="store_true", help="bfloat16 files")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers-python", default=sys.executable)
    parser.add_argument("--folder", type=Path, help="where the files lie; a temporary folder")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    options.errors = {}
    make = lerp_contenders if options.rule == "lerp" else ties_contenders
    dtype = "bfloat16" if options.half else "float32"
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        files = inputs(Path(name), options.layers, options.width, half=options.half)
        size = files[0].stat().st_size
        out = Path(name) / "out.safetensors"
        arguments = [str(f) for f in (*files[:2], out, files[2])]
        rows = contest(make(options.peers_python, options.threads, dtype), arguments,
                       repeats=options.repeats, threads=options.threads,
                       equal=checker(files, out, options))  # fmt: skip
    table(f"{options.rule}, files of {size / 1e9:.2f} GB, {dtype}", rows, OURS)
    shared = Path("/dev/shm")
    kept = options.folder is not None and shared in (options.folder, *options.folder.parents)
    key = "-".join(["merge"] + ["ties"] * (options.rule == "ties") + ["bf16"] * options.half
                   + ["memory"] * kept)  # fmt: skip
    write("merge", rows, {"rule": options.rule, "file_bytes": size, "dtype": dtype,
                          "threads": options.threads, "errors": options.errors, "cache": "warm",
                          "files_in_memory": kept},
          options.out or RESULTS / f"{key}.json", options.peers_python)  # fmt: skip


if __name__ == "__main__":
    main()
