#!/usr/bin/env bash
# safetensors: the same tensors and the same metadata give other bytes at every call.
#
# Guess: a format made to be safe and simple writes equal content as equal bytes, so a file can be
# told by its hash, and a build that repeats gives the same file.
# Seen (safetensors 0.8.0, numpy 2.4.6, Python 3.11, Linux x86-64, 30 November 2026): with six
# entries of metadata, 20 calls in one process gave 18 different files of one length. The tensors
# and offsets agree; the entries of __metadata__ stand in another order each time. With one entry,
# or none, the bytes are equal.
# What follows: hash tensors and metadata, not the file; or write the header oneself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet safetensors==0.8.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PY'
import hashlib

import numpy as np
import safetensors.numpy

tensors = {"a": np.zeros(3, np.float32), "b": np.ones(2, np.float32)}


def files(keys):
    metadata = {key: "x" for key in keys}
    return [safetensors.numpy.save(tensors, metadata=metadata) for _ in range(20)]


many = files(["format", "creator", "alpha", "source", "licence", "note"])
one = files(["format"])
different = len({hashlib.sha256(file).digest() for file in many})
print(f"six entries: {different} different files of {len(many)}; lengths {set(map(len, many))}")
print(f"one entry: {len(set(one))} different of {len(one)}")
assert different > 10, "equal metadata is written as equal bytes now"
assert len(set(one)) == 1
assert len(set(map(len, many))) == 1
PY
