"""The class hierarchy of BREEDS, and how it cuts superclasses into source and target.

Santurkar et al. 2021, arXiv 2008.04859, section 3: superclasses are the nodes of one level of a
hand-corrected WordNet tree over ImageNet; the subclasses of each are drawn at random and halved.
The authors' package ``robustness`` makes the draw with NumPy's legacy generator, seed 2; the same
draw is made here. On the published files it gives what robustness 1.2.1.post2 gives, superclasses
and both halves, for Living-17 and Entity-30; a test repeats that on a miniature where the package
is installed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import DataError
from .files import read_json, read_text, reading

__all__ = ["FILES", "Hierarchy", "Superclass", "read_hierarchy", "superclasses"]

FILES = ("dataset_class_info.json", "class_hierarchy.txt", "node_names.txt")
ROOT = "n00001740"
SEED = 2
_CLONE = (
    "clone github.com/MadryLab/BREEDS-Benchmarks; the files are in "
    "imagenet_class_hierarchy/modified"
)


@dataclass(frozen=True)
class Hierarchy:
    """The part of the tree that leads to ImageNet's classes.

    Attributes:
        children: Node -> its children, sorted; only nodes above a class of the data set.
        level: Node -> the length of the longest way from the root.
        names: Node -> what it is called.
        leaves: Classes of the data set.
    """

    children: Mapping[str, tuple[str, ...]]
    level: Mapping[str, int]
    names: Mapping[str, str]
    leaves: frozenset[str]

    def below(self, node: str) -> set[str]:
        """Classes of the data set at or below a node; not looked for below a class."""
        return self.reached(node, barred=self.leaves) & self.leaves

    def reached(self, node: str, *, barred: Collection[str] = ()) -> set[str]:
        """The node and every node below it; no way leads through ``barred``."""
        seen = {node}
        todo = list(self.children.get(node, ()))
        while todo:
            at = todo.pop()
            if at not in seen:
                seen.add(at)
                todo.extend(() if at in barred else self.children.get(at, ()))
        return seen


@dataclass(frozen=True)
class Superclass:
    """One class of a BREEDS task.

    Attributes:
        node: Its id in the hierarchy.
        name: What it is called.
        source: WordNet ids of the subclasses to train on, in the order of the draw.
        target: Those that are held out.
    """

    node: str
    name: str
    source: tuple[str, ...]
    target: tuple[str, ...]

    def side(self, name: str) -> tuple[str, ...]:
        """The subclasses of "source" or "target"."""
        return self.source if name == "source" else self.target


def read_hierarchy(place: Path) -> Hierarchy:
    """Read the three files of ``imagenet_class_hierarchy/modified``.

    Raises:
        DataError: A file is missing or cannot be read.
    """
    parents: dict[str, list[str]] = {}
    with reading(place, "BREEDS hierarchy", expected=", ".join(FILES), fix=_CLONE):
        leaves = frozenset(str(row[1]) for row in read_json(place / FILES[0], list))
        edges = [line.split() for line in read_text(place / FILES[1])]
        names = dict(line.split("\t")[:2] for line in read_text(place / FILES[2]))
        for parent, child in edges:
            parents.setdefault(child, []).append(parent)
    above: set[str] = set()
    todo = [leaf for leaf in leaves if leaf in parents]
    while todo:
        for parent in parents.get(todo.pop(), ()):
            if parent not in above:
                above.add(parent)
                todo.append(parent)
    # A class of the data set may stand above another; its own parents count either way.
    kept = above | leaves
    children: dict[str, set[str]] = {}
    for parent, child in edges:
        if parent in above and child in kept:
            children.setdefault(parent, set()).add(child)
    ordered = {node: tuple(sorted(below)) for node, below in children.items()}
    return Hierarchy(ordered, _levels(ordered), names, leaves)


def _levels(children: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    """The longest way from the root to every node that it reaches."""
    level: dict[str, int] = {}
    todo = [(ROOT, 0)]
    while todo:
        node, depth = todo.pop()
        if depth > len(children) + 1:
            raise DataError(f"the BREEDS hierarchy has a cycle at {node}", fix=_CLONE)
        if depth > level.get(node, -1):
            level[node] = depth
            todo.extend((child, depth + 1) for child in children.get(node, ()))
    return level


def superclasses(
    tree: Hierarchy, *, level: int, ancestor: str | None, subclasses: int
) -> list[Superclass]:
    """The superclasses of a level with their two halves, in label order.

    Args:
        tree: See :func:`read_hierarchy`.
        level: Depth below the root.
        ancestor: Only nodes at or below this one; None: all.
        subclasses: Drawn from each superclass, half for each side; those with fewer are left out.

    Raises:
        DataError: The level has no superclass with as many subclasses.
    """
    valid = None if ancestor is None else tree.reached(ancestor)
    nodes = sorted(
        node for node, depth in tree.level.items()
        if depth == level and (valid is None or node in valid)
    )  # fmt: skip
    rng = np.random.RandomState(SEED)
    found = []
    for node in nodes:
        if len(tree.below(node)) < subclasses:
            continue
        drawn = rng.choice(_subclasses(tree, node), subclasses, replace=False)
        half = subclasses // 2
        found.append(Superclass(
            node, tree.names.get(node, node),
            tuple(map(str, drawn[:half])), tuple(map(str, drawn[half:])),
        ))  # fmt: skip
    if not found:
        raise DataError(
            f"the BREEDS hierarchy has no superclass of {subclasses} classes at level {level}",
            expected="the files of imagenet_class_hierarchy/modified",
            fix=_CLONE,
        )
    return found


def _subclasses(tree: Hierarchy, node: str) -> list[str]:
    """What the draw is made from: the classes below each child, once per child."""
    children = tree.children.get(node, ())
    while len(children) == 1:
        children = tree.children.get(children[0], ())
    return sorted(leaf for child in children for leaf in tree.below(child))
