"""Two checkpoints become one: surefoot beside mergekit, fusion_bench and plain formulas.

    python benchmarks/merge.py [--numbers 427600000] [--repeats 5] [--peers-python VENV/bin/python]

Two safetensors files of random float32 (ViT-L/14's size by default, 1.71 GB each) are mixed at
alpha 0.3. mergekit and fusion_bench run under the interpreter of ``--peers-python``; one that is
missing is named. Every result is compared with float64 on a sample before anything is timed. Times
are without start-up and imports; the files are in the system's cache for everyone (warm).
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

try:
    from .common import Contender, contest, table, write
except ImportError:
    from common import Contender, contest, table, write  # type: ignore[no-redef]

from surefoot.weights import open_tensors, write_safetensors

ALPHA = 0.3
ARGS = "a, b, out = sys.argv[1:4]"
OURS = "surefoot merge (hashed, checked)"
FAST = "surefoot merge (no hashes, no check)"


def contenders(peers: str, threads: int) -> list[Contender]:
    ours = "import surefoot.weights as w"
    call = f"{ARGS}; w.merge([a, b], out, w.Lerp(alpha={ALPHA}), threads={threads}"
    plain = "import torch; from safetensors.torch import load_file, save_file"
    load = f"{ARGS}; x, y = load_file(a), load_file(b)"
    kit = (
        "import yaml, torch; from mergekit.config import MergeConfiguration\n"
        "from mergekit.merge import run_merge; from mergekit.options import MergeOptions"
    )
    kit_work = (
        f"{ARGS}; folder = lambda p: os.path.dirname(p)\n"
        "one = lambda p, w: {'model': folder(p), 'parameters': {'weight': w}}\n"
        "config = MergeConfiguration.model_validate({'merge_method': 'linear',\n"
        "  'dtype': 'float32',\n"
        f"  'models': [one(a, {1 - ALPHA}), one(b, {ALPHA})]}})\n"
        "run_merge(config, out + '.mergekit', MergeOptions(copy_tokenizer=False,\n"
        "  allow_crimes=True, trust_remote_code=False))\n"
        "facts = {'out': out + '.mergekit'}"
    )
    return [
        Contender(OURS, ours, call + ")", ours=True),
        Contender(FAST, ours, call + ", hashes=False, check='none')", ours=True),
        Contender(
            "wise-ft's formula, torch, save",
            plain,
            f"{load}; "
            f"save_file({{k: {1 - ALPHA} * v + {ALPHA} * y[k] for k, v in x.items()}}, out)",
        ),
        Contender(
            "safetensors + torch.lerp",
            plain,
            f"{load}; save_file({{k: torch.lerp(v, y[k], {ALPHA}) for k, v in x.items()}}, out)",
        ),
        Contender("mergekit linear", kit, kit_work, peers),
        Contender(
            "fusion_bench state_dict_weighted_sum",
            "from fusion_bench.utils.state_dict_arithmetic import state_dict_weighted_sum\n"
            + plain,
            f"{load}; "
            f"save_file(dict(state_dict_weighted_sum([x, y], [{1 - ALPHA}, {ALPHA}])), out)",
            peers,
        ),
    ]


def inputs(folder: Path, numbers: int) -> list[Path]:
    """Two checkpoints in folders of their own, named as a CLIP vision tower's tensors are."""
    files = []
    for seed in (0, 1):
        generator = torch.Generator().manual_seed(seed)
        place = folder / "ab"[seed]
        place.mkdir()
        blocks = max(1, min(24, numbers // 1024))
        each = numbers // blocks
        weights = {f"vision_model.encoder.layers.{i}.mlp.fc1.weight":
                   torch.randn(each // 16, 16, generator=generator)
                   for i in range(blocks)}  # fmt: skip
        files.append(place / "model.safetensors")
        write_safetensors(files[-1], weights, {"format": "pt"})
        config = {"model_type": "clip_vision_model", "architectures": ["CLIPVisionModel"],
                  "num_hidden_layers": blocks}  # fmt: skip
        (place / "config.json").write_text(json.dumps(config))
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--numbers", type=int, default=427_600_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers-python", default=sys.executable)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        files = inputs(Path(name), options.numbers)
        out = Path(name) / "out.safetensors"
        errors: dict[str, float] = {}

        def equal(who: str, facts: dict[str, Any]) -> None:
            merged = open_tensors(facts.get("out", out))
            x, y = (open_tensors(f) for f in files)
            worst = 0.0
            for key in x:
                size = min(x.numel(key), 1 << 16)
                want = (1 - ALPHA) * x.block(key, 0, size).double()
                want += ALPHA * y.block(key, 0, size).double()
                worst = max(worst, float((merged.block(key, 0, size).double() - want).abs().max()))
            if not worst < 1e-5:
                raise SystemExit(f"{who} is wrong by {worst}; nothing was timed")
            errors[who] = worst
            print(f"{who}: largest error against float64 {worst:.1e} (sample)", flush=True)

        rows = contest(contenders(options.peers_python, options.threads),
                       [str(f) for f in files] + [str(out)], repeats=options.repeats,
                       threads=options.threads, equal=equal)  # fmt: skip
    table(f"merge of two files of {options.numbers * 4 / 1e9:.2f} GB", rows, OURS)
    write("merge", rows, {"numbers": options.numbers, "threads": options.threads,
                          "errors": errors, "cache": "warm"}, options.out)  # fmt: skip


if __name__ == "__main__":
    main()
