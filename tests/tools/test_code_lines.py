"""The script that counts lines of code counts what it says."""

from __future__ import annotations

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "tools" / "code_lines.py"
spec = importlib.util.spec_from_file_location("code_lines", SCRIPT)
assert spec is not None
assert spec.loader is not None
counter = importlib.util.module_from_spec(spec)
spec.loader.exec_module(counter)

SOURCE = '''"""A docstring
of two lines."""

# A comment.
LIMIT = 3  # one
"""What it is."""


def f(a, b):
    """Nothing."""

    return """two
lines"""
'''


def test_blank_lines_comments_and_docstrings_do_not_count():
    assert counter.code_lines(SOURCE) == 4  # LIMIT, def, return and its second line


def test_every_room_is_counted():
    rooms = counter.by_room()
    assert rooms["weights"] > 1000
    assert rooms["errors.py"] > 50
