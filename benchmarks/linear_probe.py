"""A linear probe along a path of C: surefoot beside scikit-learn and CLIP_benchmark.

    python benchmarks/linear_probe.py [--images 20000 --dim 512 --classes 100] [--repeats 5]
        [--peers-python VENV/bin/python]

Features with a spectrum that decays as a network's does (the i-th variance as 1/i), unit norm times
ten; seven C from 1e-4 to 1e2, each started from the last. The objective of ours and scikit-learn's
is the same; the log-loss on validation at every C is compared first, and the C that is chosen.
scikit-learn runs on one thread as well, and with eight times as many threads as there are cores:
what happens where nobody caps them. CLIP_benchmark's probe (AdamW, one weight decay, 10 epochs) has
another objective; its top-1 is shown, and its time is that of one of the 19 heads of its search.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

try:
    from .common import Contender, contest, table, write
except ImportError:
    from common import Contender, contest, table, write  # type: ignore[no-redef]

OURS = "surefoot evals.linear"
REFERENCE = "scikit-learn LogisticRegression"
LOAD = (
    "import numpy as np; d = np.load(sys.argv[1]); X, Y, V, W = d['X'], d['Y'], d['V'], d['W']\n"
    "K, CS = int(d['K']), d['CS'].tolist()\n"
    "def said(weight, bias):\n"
    "    z = V @ weight.T + bias; z = z - z.max(1, keepdims=True)\n"
    "    loss = np.log(np.exp(z).sum(1)) - z[np.arange(len(W)), W]\n"
    "    return float(loss.mean()), float((z.argmax(1) == W).mean())\n"
)
SKLEARN = (
    "m = LogisticRegression(solver='lbfgs', warm_start=True, max_iter=1000, tol=1e-4); rows = []\n"
    "for C in CS:\n"
    "    m.set_params(C=C); m.fit(X, Y); rows.append(said(m.coef_, m.intercept_))\n"
    "facts = {'rows': rows}"
)


def contenders(peers: str, threads: int) -> list[Contender]:
    sklearn = LOAD + "import warnings; warnings.simplefilter('ignore')\n"
    sklearn += "from sklearn.linear_model import LogisticRegression\n"
    crowd = 8 * (os.cpu_count() or 1)
    capped = "from threadpoolctl import threadpool_limits; limit = threadpool_limits({})\n"
    return [
        Contender(
            OURS,
            LOAD + "from surefoot.evals.linear import fit_linear",
            f"f = fit_linear(X, Y, classes=K, val_features=V, val_labels=W, c_path=CS,\n"
            f"               threads={threads})\n"
            "facts = {'rows': [(r['val_nll'], r['val']) for r in f.table], 'c': f.c}",
            ours=True,
        ),
        Contender(f"{REFERENCE}, {threads} threads", sklearn + capped.format(threads), SKLEARN),
        Contender(f"{REFERENCE}, 1 thread", sklearn + capped.format(1), SKLEARN),
        Contender(f"{REFERENCE}, {crowd} threads", sklearn + capped.format(crowd), SKLEARN),
        Contender(
            "CLIP_benchmark linear probe, one head",
            LOAD + "import torch; from torch.utils.data import DataLoader\n"
            "from clip_benchmark.metrics import linear_probe as lp\n"
            # It calls .cuda() whatever its device is; there is none here.
            "torch.nn.Module.cuda = torch.Tensor.cuda = lambda self, *a, **k: self",
            "t = torch.utils.data.TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))\n"
            "loader = DataLoader(t, batch_size=64, shuffle=True)\n"
            "m = lp.train(loader, X.shape[1], K, 0.0, 0.1, 10, False, 'cpu', 0)\n"
            "z = m(torch.from_numpy(V)).detach().numpy()\n"
            "facts = {'top1': float((z.argmax(1) == W).mean())}",
            peers,
        ),
    ]


def data(path: Path, images: int, dim: int, classes: int, cs: int) -> None:
    """Classes in a cloud whose i-th principal variance falls as 1/i."""
    rng = np.random.default_rng(0)
    spread = np.arange(1, dim + 1) ** -0.5
    turn = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    centres = 0.45 * rng.normal(size=(classes, dim))

    def draw(n: int) -> tuple[Any, Any]:
        labels = np.arange(n) % classes
        x = ((centres[labels] + rng.normal(size=(n, dim))) * spread) @ turn + 0.2
        x *= 10 / np.linalg.norm(x, axis=1, keepdims=True)
        return x.astype(np.float32), labels.astype(np.int64)

    (x, y), (v, w) = draw(images), draw(images // 4)
    np.savez(path, X=x, Y=y, V=v, W=w, K=classes, CS=np.logspace(-4, 2, cs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    sizes = (("images", 20_000), ("dim", 512), ("classes", 100), ("cs", 7))
    for name, value in sizes:
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--peers-python", default=sys.executable)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    seen: dict[str, Any] = {}

    def equal(who: str, facts: dict[str, Any]) -> None:
        if "top1" in facts:
            print(f"{who}: top-1 {facts['top1']:.4f} (another objective)", flush=True)
            return
        mine = seen.setdefault("rows", facts["rows"])
        # Largest where scikit-learn stops short of the optimum, at the weak end of the path.
        best = min(range(len(mine)), key=lambda i: mine[i][0])
        apart = [abs(a[0] - b[0]) for a, b in zip(mine, facts["rows"], strict=True)]
        top1 = max(abs(a[1] - b[1]) for a, b in zip(mine, facts["rows"], strict=True))
        chosen = max(range(len(mine)), key=lambda i: facts["rows"][i][1])
        print(f"{who}: validation log-loss differs from ours by {apart[best]:.1e} at the best C "
              f"({mine[best][0]:.4f}), by at most {max(apart):.1e}; top-1 by at most {top1:.4f}; "
              f"chooses C number {chosen}", flush=True)  # fmt: skip
        if apart[best] > 1e-3:
            raise SystemExit(f"{who} reaches another optimum; nothing was timed")

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "features.npz"
        data(file, options.images, options.dim, options.classes, options.cs)
        rows = contest(contenders(options.peers_python, options.threads), [str(file)],
                       repeats=options.repeats, threads=options.threads, equal=equal)  # fmt: skip
    title = f"linear probe, {options.images} x {options.dim}, {options.classes} classes, "
    table(f"{title}{options.cs} C", rows, OURS)
    facts = {k: getattr(options, k) for k in ("images", "dim", "classes", "cs", "threads")}
    write("linear_probe", rows, facts, options.out, options.peers_python)


if __name__ == "__main__":
    main()
