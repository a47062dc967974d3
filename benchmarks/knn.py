"""kNN over a bank of features: surefoot beside DINO's eval_knn, lightly, faiss and scikit-learn.

    python benchmarks/knn.py [--bank 50000 --dim 512 --queries 5000 --classes 1000]
        [--dino FOLDER_OF_A_COPY_OF_DINO] [--peers-python VENV/bin/python] [--repeats 5]

Unit-norm random features with classes; k = 10, 20, 100, 200 together, as DINO's script does.
Agreement of top-1 with surefoot is checked first where the votes are the same (DINO, lightly:
exp(similarity / 0.07)); faiss and scikit-learn only search, and their neighbours are compared.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

try:
    from .common import Contender, contest, table, write
except ImportError:
    from common import Contender, contest, table, write  # type: ignore[no-redef]

KS = (10, 20, 100, 200)
OURS = "surefoot evals.votes"
LOAD = (
    "import numpy as np; d = np.load(sys.argv[1]); B, L, Q, T = d['B'], d['L'], d['Q'], d['T']\n"
    "C, KS = int(d['C']), [k for k in (10, 20, 100, 200) if k <= len(B)]\n"
)


def contenders(peers: str, dino: str | None) -> list[Contender]:
    tensors = "import torch; B, L, Q, T = map(torch.from_numpy, (B, L, Q, T))\n"
    there = (
        f"sys.path.insert(0, {dino!r}); from eval_knn import knn_classifier\n"
        "torch.Tensor.cuda = lambda self, *a, **k: self\n"
        if dino
        else "raise SystemExit('no --dino folder given')\n"
    )
    return [
        Contender(
            OURS,
            LOAD + "from surefoot.evals.votes import knn",
            "found = knn(B, L, Q, classes=C, ks=KS)\n"
            "right = {k: (v.argmax(1) == T).mean() for k, v in found.items()}\n"
            "facts = {'top1': {str(k): float(v) for k, v in right.items()}}",
            ours=True,
        ),
        Contender(
            "DINO eval_knn.knn_classifier",
            LOAD + tensors + there,
            "found = {k: knn_classifier(B, L, Q, T, k, 0.07, num_classes=C)[0] / 100 for k in KS}\n"
            "facts = {'top1': {str(k): float(v) for k, v in found.items()}}",
            peers,
        ),
        Contender(
            "lightly knn_predict",
            LOAD + tensors + "from lightly.utils.benchmarking.knn import knn_predict",
            "bank = B.t().contiguous(); top1 = {}\n"
            "for k in KS:\n"
            "  said = torch.cat([knn_predict(q, bank, L, C, knn_k=k, knn_t=0.07)[:, 0]\n"
            "                    for q in Q.split(256)])\n"
            "  top1[str(k)] = float((said == T).float().mean())\n"
            "facts = {'top1': top1}",
            peers,
        ),
        Contender(
            "faiss IndexFlatIP (search only)",
            LOAD + "import faiss",
            "index = faiss.IndexFlatIP(B.shape[1]); index.add(B)\n"
            "near = index.search(Q, max(KS))[1]\n"
            "facts = {'near': near[:50, :5].tolist()}",
            peers,
        ),
        Contender(
            "scikit-learn brute cosine (search only)",
            LOAD + "from sklearn.neighbors import NearestNeighbors",
            "m = NearestNeighbors(n_neighbors=max(KS), algorithm='brute', metric='cosine').fit(B)\n"
            "facts = {'near': m.kneighbors(Q, return_distance=False)[:50, :5].tolist()}",
            peers,
        ),
    ]


def data(path: Path, bank: int, dim: int, queries: int, classes: int) -> np.ndarray[Any, Any]:
    """Clusters with noise, so that neighbours mean something; returns the true neighbours."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(classes, dim))

    def draw(n: int) -> tuple[Any, Any]:
        labels = np.arange(n) % classes
        x = centres[labels] + 3 * rng.normal(size=(n, dim))
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        return x.astype(np.float32), labels.astype(np.int64)

    (b, labels), (q, truth) = draw(bank), draw(queries)
    np.savez(path, B=b, L=labels, Q=q, T=truth, C=classes)
    near: np.ndarray[Any, Any] = np.argsort(-(q[:50].astype(np.float64) @ b.T), axis=1)[:, :5]
    return near


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("bank", 50_000), ("dim", 512), ("queries", 5000), ("classes", 1000)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dino", help="folder with DINO's eval_knn.py")
    parser.add_argument("--peers-python", default=sys.executable)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "features.npz"
        near = data(file, options.bank, options.dim, options.queries, options.classes)
        mine: dict[str, float] = {}

        def equal(who: str, facts: dict[str, Any]) -> None:
            if "near" in facts:
                same = float((np.array(facts["near"]) == near).mean())
                print(f"{who}: {100 * same:.1f} % of sampled neighbours as in float64", flush=True)
                if same < 0.99:
                    raise SystemExit(f"{who} finds other neighbours; nothing was timed")
                return
            mine.update(facts["top1"] if who == OURS else {})
            apart = max(abs(mine[k] - v) for k, v in facts["top1"].items())
            print(f"{who}: top-1 differs from ours by at most {apart:.4f}", flush=True)
            if apart > 0.002:
                raise SystemExit(f"{who} scores otherwise; nothing was timed")

        rows = contest(contenders(options.peers_python, options.dino), [str(file)],
                       repeats=options.repeats, threads=options.threads, equal=equal)  # fmt: skip
    title = f"kNN, bank {options.bank} x {options.dim}, {options.queries} queries, k in {KS}"
    table(title, rows, OURS)
    sizes = {k: getattr(options, k) for k in ("bank", "dim", "queries", "classes", "threads")}
    write("knn", rows, sizes, options.out, options.peers_python)


if __name__ == "__main__":
    main()
