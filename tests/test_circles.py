"""No module imports itself through others: neither when it loads, nor later, inside a function.

A circle means that none of its modules can be read, moved or tested without the others. An import
inside a function hides one from Python, not from the reader, so both are counted.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src" / "surefoot"

KNOWN: frozenset[str] = frozenset()
"""Circles that are still there, all of them by imports inside functions. This list only shrinks."""


def modules(root: Path) -> dict[str, Path]:
    """Dotted name -> file of every module below ``root``, whose own name comes first."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def targets(node: ast.AST, package: list[str], known: Collection[str]) -> Iterator[str]:
    """What a statement of a module in ``package`` imports: of ``from a import b`` the module b."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        up = package[: len(package) - node.level + 1] if node.level else []
        base = ".".join([*up, *([node.module] if node.module else [])])
        for alias in node.names:
            inner = f"{base}.{alias.name}"
            yield inner if inner in known else base


def graph(root: Path, *, lazy: bool) -> dict[str, set[str]]:
    """Module -> modules of the package that it imports: at its top level, or anywhere.

    That importing ``a.b`` runs ``a/__init__.py`` first is not counted: packages here are tables of
    contents.
    """
    files = modules(root)
    found: dict[str, set[str]] = {}
    for name, path in files.items():
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
        nodes = ast.walk(tree) if lazy else iter(tree.body)
        found[name] = {t for n in nodes for t in targets(n, package, files) if t in files}
    return found


def circles(edges: Mapping[str, Collection[str]]) -> list[str]:
    """Groups of modules that all reach each other (Tarjan 1972), as their names in order."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[str] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in edges[name]:
            if other not in index:
                visit(other)
            if other in stack:
                low[name] = min(low[name], low[other])
        if low[name] == index[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1 or name in edges[name]:
                found.append(" ".join(sorted(group)))

    for name in edges:
        if name not in index:
            visit(name)
    return sorted(found)


@pytest.mark.parametrize("lazy", [False, True], ids=["when-loaded", "all"])
def test_the_board_has_no_circle(lazy):
    assert [c for c in circles(graph(ROOT, lazy=lazy)) if "surefoot.board" in c] == []


def test_no_module_loads_itself():
    assert circles(graph(ROOT, lazy=False)) == []


def test_no_new_circle_of_any_kind():
    found = circles(graph(ROOT, lazy=True))
    assert set(found) <= KNOWN, "move what both need to a third module, or pass it in"


def test_the_list_of_circles_only_shrinks():
    assert set(circles(graph(ROOT, lazy=True))) >= KNOWN, "take what is gone off the list"


PLANTED = [
    ({"a": "from .b import x", "b": "from .a import y"}, ["pkg.a pkg.b"], ["pkg.a pkg.b"]),
    ({"a": "from .b import x", "b": "def f():\n    from . import a"}, [], ["pkg.a pkg.b"]),
    ({"a": "import pkg.b", "b": "from pkg import c", "c": "if True:\n    from .a import x"}, [],
     ["pkg.a pkg.b pkg.c"]),
    ({"a": "from .b import x", "b": "from .c import x", "c": "import os"}, [], []),
    ({"__init__": "from .a import x", "a": "from . import b", "b": ""}, [], []),
    ({"__init__": "from .a import x", "a": "from . import x"}, ["pkg pkg.a"], ["pkg pkg.a"]),
]  # fmt: skip


@pytest.mark.parametrize(("files", "loaded", "everything"), PLANTED)
def test_a_planted_circle_is_found(tmp_path, files, loaded, everything):
    root = tmp_path / "pkg"
    root.mkdir()
    for name, source in {"__init__": "", **files}.items():
        (root / f"{name}.py").write_text(source)
    assert circles(graph(root, lazy=False)) == loaded
    assert circles(graph(root, lazy=True)) == everything
