"""The alpha curve: surefoot's sweep, whole and adaptive, beside one evaluation per alpha.

    python benchmarks/sweep.py [--model tiny-clip] [--limit 500] [--alphas 11] [--repeats 5]

*Ours* decodes each image once and mixes weights in place. *Per alpha* does what wise-ft's script
does: for each alpha the weights are mixed by its formula, saved, loaded again, and every data set
is decoded and scored anew. Pictograms; the tuned end is the pretrained one, disturbed. All numbers
are checked equal first; the adaptive sweep must choose the same alphas.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

try:
    from .common import Contender, contest, table, write
except ImportError:
    from common import Contender, contest, table, write  # type: ignore[no-redef]

OURS = "surefoot sweep"

SETUP = """
import tempfile, torch, surefoot
from surefoot.methods.base import pretrained_end
from surefoot.models.save import load_saved, save_model
from surefoot.evals.predict import evaluate
from surefoot.paths import Path, adaptive_sweep, alpha_grid, sweep
from surefoot.recipes.recipe import RecipeSpec
from surefoot.recipes.study import task_of
from surefoot.select import select
name, limit, alphas = sys.argv[1], int(sys.argv[2]), alpha_grid(int(sys.argv[3]))
task = task_of(RecipeSpec(model="none", methods=["zero-shot"], data={"train": "pictograms",
                                                                     "limit_eval": limit}))
start = pretrained_end(surefoot.load(name), task)
end = start.clone()
torch.manual_seed(0)
with torch.no_grad():
    for p in end.encoder.parameters():
        p.add_(0.05 * p.std(unbiased=False) * torch.randn_like(p))
rules = lambda c: {r: select(c, r).alpha for r in ("fixed", "id_val", "one_se")}
"""

WHOLE = """
curve = sweep(Path(start, end), task, alphas=alphas)
facts = {"chosen": rules(curve), "values": {k: list(map(float, curve.values(k)))
                                            for k in curve.scores}}
"""

ADAPTIVE = """
found = adaptive_sweep(Path(start, end), task, alphas=alphas)
facts = {"chosen": {s.rule: s.alpha for s in found.selections},
         "passes": found.passes, "full": found.full}
"""

PER_ALPHA = """
values = {}
with tempfile.TemporaryDirectory() as folder:
    x, y = start.state_dict(), end.state_dict()
    for alpha in alphas:
        model = end.clone()
        model.load_state_dict({k: (1 - alpha) * v + alpha * y[k] if v.is_floating_point() else y[k]
                               for k, v in x.items()})
        save_model(model, folder + "/m.safetensors")
        model = load_saved(folder + "/m.safetensors")
        for split, shift in task.scored().items():
            values.setdefault(split, []).append(evaluate(model, shift).value)
facts = {"values": values}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tiny-clip")
    parser.add_argument("--limit", type=int, default=500, help="images per split")
    parser.add_argument("--alphas", type=int, default=11)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    seen: dict[str, Any] = {}

    def equal(who: str, facts: dict[str, Any]) -> None:
        seen.setdefault("values", facts.get("values"))
        seen.setdefault("chosen", facts.get("chosen"))
        if "values" in facts:
            apart = max(abs(a - b) for k, row in facts["values"].items()
                        for a, b in zip(row, seen["values"][k], strict=True))  # fmt: skip
            print(f"{who}: scores differ from ours by at most {apart:.5f}", flush=True)
            # Rounding in the mixed weights may turn a single image.
            if apart > 1.5 / options.limit:
                raise SystemExit(f"{who} scores otherwise; nothing was timed")
        if "chosen" in facts and facts["chosen"] != seen["chosen"]:
            raise SystemExit(f"{who} chooses {facts['chosen']}, not {seen['chosen']}")
        if "passes" in facts:
            print(f"{who}: {facts['passes']} of {facts['full']} forward passes", flush=True)

    contenders = [
        Contender(OURS, SETUP, WHOLE, ours=True),
        Contender("surefoot sweep --adaptive", SETUP, ADAPTIVE, ours=True),
        Contender("per alpha: mix, save, load, decode, score", SETUP, PER_ALPHA),
    ]
    rows = contest(contenders, [options.model, str(options.limit), str(options.alphas)],
                   repeats=options.repeats, threads=options.threads, equal=equal)  # fmt: skip
    table(f"{options.alphas} alphas, {options.model}, up to {options.limit} images a split", rows,
          OURS)  # fmt: skip
    write("sweep", rows, {k: getattr(options, k) for k in ("model", "limit", "alphas", "threads")},
          options.out)  # fmt: skip


if __name__ == "__main__":
    main()
