"""Lines of code: without blank lines, comments and docstrings, by room; ``--at COMMIT`` for then.

A line counts when a token of code touches it, so a string over five lines is five lines, unless it
is a docstring (or stands alone as a statement, as the notes below constants do).
"""

from __future__ import annotations

import argparse
import ast
import io
import subprocess
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SILENT = frozenset(
    {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
     tokenize.ENCODING, tokenize.ENDMARKER}
)  # fmt: skip


def code_lines(source: str) -> int:
    """How many lines of a file hold code."""
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in SILENT:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        alone = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if alone and isinstance(node.value.value, str):
            lines.difference_update(range(node.lineno, node.end_lineno + 1))
    return len(lines)


def sources(commit: str | None) -> Iterator[tuple[Path, str]]:
    """(path below src/surefoot, text) of every module, now or at a commit."""
    if commit is None:
        for path in sorted((ROOT / "src").rglob("*.py")):
            yield path.relative_to(ROOT / "src" / "surefoot"), path.read_text(encoding="utf-8")
        return
    names = _git("ls-tree", "-r", "--name-only", commit, "src").splitlines()
    for name in names:
        if name.endswith(".py"):
            yield Path(name).relative_to("src/surefoot"), _git("show", f"{commit}:{name}")


def _git(*words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout


def by_room(commit: str | None = None) -> Counter[str]:
    """Room -> lines; a room is a folder or a file right below ``src/surefoot``."""
    counts: Counter[str] = Counter()
    for path, text in sources(commit):
        counts[path.parts[0]] += code_lines(text)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--at", metavar="COMMIT", help="compare with this commit")
    commit = parser.parse_args().at
    now, then = by_room(), by_room(commit) if commit else None
    rooms = sorted(now | then if then else now, key=lambda room: -now[room])
    for room in rooms:
        print(f"{room:20}" + (f" {then[room]:7,} ->" if then else "") + f" {now[room]:7,}")
    total = f" {sum(then.values()):7,} ->" if then else ""
    print(f"{'all':20}{total} {sum(now.values()):7,}")


if __name__ == "__main__":
    main()
