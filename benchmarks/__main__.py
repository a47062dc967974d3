"""``python -m benchmarks`` is ``python benchmarks/all.py``."""

from __future__ import annotations

from benchmarks.all import main

main()
