"""The house stands: a room imports only from rooms below it, and some rooms stay without torch.

docs/architecture.md has the map. A new room needs a floor here.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src" / "surefoot"

FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors", "contents"),
    (
        "registry",
        "drawing",
        "progress",
        "threads",
        "allocator",
        "atomic",
        "unpickling",
        "inventory",
    ),
    ("stats", "published", "display"),
    ("select",),
    ("records",),
    ("predictions", "cache"),
    ("runs",),
    (
        "weights",
        "losses",
        "metrics",
        "transforms",
        "context",
        "processes",
        "hub",
        "gradient_cache",
        "optim",
    ),
    ("models", "data", "report"),
    ("train", "features"),
    ("evals",),
    ("paths",),
    ("methods", "theory"),
    ("recipes", "testing"),
    ("board",),
    ("claims",),
    ("cli",),
)
"""From the ground up. Rooms on one floor do not import each other."""

NO_TORCH = frozenset(
    {"errors", "contents", "registry", "progress", "threads", "allocator", "atomic", "display",
     "records", "cache", "stats", "predictions", "runs", "select", "metrics", "drawing",
     "published", "report", "board", "theory", "unpickling", "inventory"}
)  # fmt: skip
"""Rooms that load on a machine without torch: they import neither it nor a room that does."""

HEAVY = frozenset({"torch", "torchvision", "timm", "open_clip", "transformers", "accelerate",
                   "safetensors", "torchmetrics"})  # fmt: skip
"""Packages that are torch or bring it in."""

EXEMPT = frozenset({"__init__", "__main__", "cli"})
"""The top: they may import everything. They are lazy, which the subprocess tests hold."""


@dataclass(frozen=True)
class Import:
    """One import statement: who, where, what."""

    file: str
    line: int
    room: str
    target: str
    """A room of the package, or "package:NAME" of another package."""


def imports(root: Path) -> Iterator[Import]:
    """Every import under ``root``, those inside functions and TYPE_CHECKING too."""
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
            for target in _targets(node, parts[:-1], root):
                yield Import(str(path.relative_to(root.parent)), node.lineno, parts[0], target)


def _targets(node: ast.AST, package: tuple[str, ...], root: Path) -> Iterator[str]:
    if isinstance(node, ast.Import):
        dotted = [alias.name.split(".") for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        module = (node.module or "").split(".") if node.module else []
        up = package[: len(package) - node.level + 1] if node.level else ()
        base = [root.name, *up, *module] if node.level else module
        # `from . import x` names rooms itself
        deep = base == [root.name]
        dotted = [[*base, alias.name] for alias in node.names] if deep else [base]
    else:
        return
    for name in dotted:
        if name[0] != root.name:
            yield f"package:{name[0]}"
        elif len(name) > 1 and _is_room(root, name[1]):
            yield name[1]


def _is_room(root: Path, name: str) -> bool:
    return (root / f"{name}.py").is_file() or (root / name).is_dir()


def floor(room: str) -> int | None:
    return next((i for i, rooms in enumerate(FLOORS) if room in rooms), None)


def wrong_way(root: Path) -> list[str]:
    """Imports that go up or sideways."""
    found = []
    for one in imports(root):
        if one.room in EXEMPT or one.target.startswith("package:") or one.target == one.room:
            continue
        here, there = floor(one.room), floor(one.target)
        if here is None or there is None:
            lost = one.room if here is None else one.target
            found.append(f"{one.file}:{one.line}: the room {lost!r} has no floor in FLOORS")
        elif there >= here:
            how = "is on the same floor" if there == here else "is above it"
            found.append(f"{one.file}:{one.line}: {one.room} imports {one.target}, which {how}")
    return found


def torch_where_none_belongs(root: Path) -> list[str]:
    """Imports that bring torch into a room without it."""
    found = []
    for one in imports(root):
        package = one.target.removeprefix("package:")
        if one.room not in NO_TORCH:
            continue
        if one.target != package and package in HEAVY:
            found.append(f"{one.file}:{one.line}: {one.room} is without torch, imports {package}")
        elif one.target == package and package not in NO_TORCH | {one.room}:
            found.append(f"{one.file}:{one.line}: {one.room} is without torch, imports the room "
                         f"{package}, which is not")  # fmt: skip
    return found


def test_rooms_import_only_from_rooms_below():
    problems = wrong_way(ROOT)
    assert not problems, (
        "these imports break the house (docs/architecture.md); move the shared part to a lower "
        "room, or pass it in as an argument:\n  " + "\n  ".join(problems)
    )


def test_rooms_without_torch_stay_without():
    problems = torch_where_none_belongs(ROOT)
    assert not problems, "reports must render without torch:\n  " + "\n  ".join(problems)


def test_the_walk_saw_the_whole_house():
    seen = list(imports(ROOT))
    assert len({one.file for one in seen}) > 50
    assert {"weights", "evals", "paths", "methods", "recipes", "report", "cli"} <= {
        one.room for one in seen
    }
    inner = [p.stem if p.suffix == ".py" else p.name for p in ROOT.iterdir()
             if p.suffix == ".py" or (p / "__init__.py").is_file()]  # fmt: skip
    homeless = [name for name in inner if floor(name) is None and name not in EXEMPT]
    assert not homeless, f"give these rooms a floor in FLOORS: {homeless}"
    assert len({room for rooms in FLOORS for room in rooms}) == sum(map(len, FLOORS))


PLANTED = [
    ("models/a.py", "from ..data import dataset", "models imports data, which is on the same"),
    ("data/a.py", "def f():\n    from ..models.model import Model", "data imports models"),
    ("errors.py", "import surefoot.registry", "errors imports registry, which is above it"),
    ("weights/deep/a.py", "from ... import paths", "weights imports paths, which is above"),
    ("evals/a.py", "from surefoot.methods.base import X", "evals imports methods"),
    ("attic/a.py", "from ..errors import X", "the room 'attic' has no floor"),
    ("stats.py", "import numpy\nimport torch.nn as nn", "stats is without torch, imports torch"),
    ("report/a.py", "from ..weights import x", "imports the room weights, which is not"),
]


@pytest.mark.parametrize(("file", "source", "message"), PLANTED)
def test_a_planted_wrong_import_is_found(tmp_path, file, source, message):
    root = tmp_path / "surefoot"
    for rooms in FLOORS:
        for room in rooms:
            (root / room).mkdir(parents=True)
            (root / room / "__init__.py").write_text("from . import own\n")
    assert wrong_way(root) + torch_where_none_belongs(root) == []
    (root / file).parent.mkdir(parents=True, exist_ok=True)
    (root / file).write_text(source)
    found = wrong_way(root) + torch_where_none_belongs(root)
    assert len(found) == 1
    assert message in found[0]
    assert found[0].startswith(f"surefoot/{file}:")


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


HERE = sorted(room for room in NO_TORCH if _is_room(ROOT, room))
SEEN = "import sys; print(sorted({'torch', 'torchvision', 'timm'} & set(sys.modules)))"


@pytest.mark.parametrize(
    "load",
    [
        "import surefoot; dir(surefoot); surefoot.Score; surefoot.Run; surefoot.SurefootError",
        "import surefoot.report",
        "import " + ", ".join(f"surefoot.{room}" for room in HERE),
    ],
)
def test_importing_does_not_load_torch(load):
    done = run(f"{load}\n{SEEN}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("first", ["import surefoot.select", "from surefoot import select"])
def test_the_room_select_is_a_module_that_can_be_called(first):
    done = run(f"""{first}
import surefoot, types
from surefoot.records import Curve, Score
score = Score("top1", 0.5, 9, 0.4, 0.6, "bootstrap", "val", "ID", alpha=0.0)
print(surefoot.select(Curve("m", (0.0,), {{"val": (score,)}}), "id_val").alpha)
print(isinstance(surefoot.select, types.ModuleType), surefoot.select.RULES[0])
""")
    assert done.stdout.split() == ["0.0", "True", "fixed"], done.stderr


def test_old_names_work_with_a_warning():
    import surefoot

    with pytest.warns(DeprecationWarning, match=r"surefoot\.run_recipe"):
        assert surefoot.carry_out is surefoot.run_recipe
    with pytest.warns(DeprecationWarning, match=r"surefoot\.Path\.between"):
        assert surefoot.wise_path == surefoot.Path.between
    assert not {"carry_out", "wise_path"} & set(dir(surefoot))
    with pytest.raises(AttributeError, match="no attribute 'wise_paht'"):
        _ = surefoot.wise_paht


def test_help_does_not_load_torch():
    done = run(
        "import sys, atexit\n"
        "atexit.register(lambda: print(sorted({'torch', 'timm'} & set(sys.modules))))\n"
        "sys.argv = ['surefoot', '--help']\n"
        "from surefoot.cli.main import main\n"
        "main()"
    )
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout
    assert done.stdout.strip().endswith("[]")
