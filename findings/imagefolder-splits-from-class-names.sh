#!/usr/bin/env bash
# datasets: a class folder whose name holds the word "test" or "dev" becomes a split of its own, and
# the classes beside it are gone.
#
# Guess: load_dataset("imagefolder", data_dir=DIR) of DIR/cat, DIR/dog and DIR/crash-test-dummy has
# three classes.
# Seen (datasets 5.2.0, pillow 13.0.0, Python 3.11, Linux x86-64, 30 November 2026): one split,
# "test", with the three images of crash-test-dummy and no label at all; the six of cat and dog are
# left out without a word. Words that do it stand between characters that are no letters: test,
# testing, eval, evaluation, dev, val, valid, validation, train, training ("dev board",
# "crash-test-dummy"), anywhere in the path below DIR. Named without such a word, the same folder
# has nine images and three classes.
# What follows: count images and classes after loading, or give data_files with explicit splits.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet datasets==5.2.0 pillow==13.0.0 numpy==2.4.6
HF_HUB_OFFLINE=1 HF_HOME="$folder/cache" "$folder/venv/bin/python" - "$folder" 2>/dev/null <<'PY'
import sys
from pathlib import Path

import datasets
import numpy as np
from PIL import Image


def counts(name, classes):
    root = Path(sys.argv[1]) / name
    for c, label in enumerate(classes):
        (root / label).mkdir(parents=True)
        for i in range(3):
            Image.fromarray(np.full((8, 8, 3), 20 * c + i, np.uint8)).save(root / label / f"{i}.png")
    found = datasets.load_dataset("imagefolder", data_dir=str(root))
    said = {}
    for split, rows in found.items():
        label = rows.features.get("label")
        said[split] = (len(rows), None if label is None else tuple(label.names))
    return said


with_word = counts("with_word", ["cat", "crash-test-dummy", "dog"])
without = counts("without", ["cat", "crash-dummy", "dog"])
print("with the word:", with_word)
print("without it:", without)
assert with_word == {"test": (3, None)}, "a class name with the word test is a class now"
assert without == {"train": (9, ("cat", "crash-dummy", "dog"))}
PY
