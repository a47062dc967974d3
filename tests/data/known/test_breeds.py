"""BREEDS: the tree, the draw, the splits; beside a slow reference and the authors' package."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from surefoot.data.known.breeds import ENTITY_30, LIVING_17
from surefoot.data.known.hierarchy import FILES, ROOT, read_hierarchy, superclasses
from surefoot.data.known.imagenet import IMAGENET
from surefoot.data.specs import make_task
from surefoot.errors import DataError

from .family import copy, folder_of, root, said

CASES = {
    "living-17": {"level": 5, "ancestor": "n00004258", "subclasses": 4},
    "entity-30": {"level": 4, "ancestor": None, "subclasses": 8},
}
by_name = pytest.mark.parametrize("name", CASES)
PLACE = "BREEDS-Benchmarks/imagenet_class_hierarchy/modified"


def ways(children: dict[str, list[str]], node: str, depth: int = 0) -> Iterator[tuple[str, int]]:
    """Every way down from a node, however often it passes: (node, steps)."""
    yield node, depth
    for child in children.get(node, []):
        yield from ways(children, child, depth + 1)


def plain(place: Path, level: int, ancestor: str | None, subclasses: int) -> list[tuple]:  # type: ignore[type-arg]
    """The same draw, slowly: all ways through the whole tree, then the authors' rule."""
    leaves = {row[1] for row in json.loads((place / FILES[0]).read_text())}
    children: dict[str, list[str]] = {}
    for line in (place / FILES[1]).read_text().splitlines():
        parent, child = line.split()
        children.setdefault(parent, []).append(child)
    depth: dict[str, int] = {}
    for node, steps in ways(children, ROOT):
        depth[node] = max(steps, depth.get(node, 0))
    under = {n: {m for m, _ in ways(children, n)} for n in depth}
    nodes = [n for n in sorted(depth) if depth[n] == level and under[n] & leaves]
    if ancestor is not None:
        nodes = [n for n in nodes if n in under[ancestor]]
    rng = np.random.RandomState(2)
    found = []
    for node in nodes:
        if len(under[node] & leaves) < subclasses:
            continue
        at = node
        while len(children[at]) == 1:
            at = children[at][0]
        pool = sorted(leaf for child in children[at] for leaf in under[child] & leaves)
        drawn = rng.choice(pool, subclasses, replace=False).tolist()
        found.append((node, tuple(drawn[: subclasses // 2]), tuple(drawn[subclasses // 2 :])))
    return found


@by_name
def test_the_draw_is_that_of_a_slow_reference(name: str) -> None:
    place = folder_of(name) / PLACE
    ours = superclasses(read_hierarchy(place), **CASES[name])
    assert [(c.node, c.source, c.target) for c in ours] == plain(place, **CASES[name])
    assert [c.name for c in ours] == ["kind 0", "kind 1", "kind 2"]  # the fourth has too few
    for one in ours:
        assert not set(one.source) & set(one.target)
        assert len(one.source) == len(one.target) == CASES[name]["subclasses"] // 2


@pytest.fixture
def _as_torchvision_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """robustness 1.2.1.post2 imports a name for its models that torchvision has no longer."""
    try:
        importlib.import_module("torchvision.models.utils")
    except ImportError:
        stand_in = types.ModuleType("torchvision.models.utils")
        stand_in.load_state_dict_from_url = torch.hub.load_state_dict_from_url  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "torchvision.models.utils", stand_in)


@by_name
@pytest.mark.usefixtures("_as_torchvision_was")
def test_the_draw_is_that_of_the_authors_package(name: str) -> None:
    """Needs robustness and what it imports: cox, dill, tensorboardX, GPUtil, py3nvml, networkx."""
    helpers = pytest.importorskip("robustness.tools.breeds_helpers")
    place = folder_of(name) / PLACE
    make = helpers.make_living17 if name == "living-17" else helpers.make_entity30
    nodes, (source, target), names = make(str(place), split="rand")
    label = {row[1]: row[0] for row in json.loads((place / FILES[0]).read_text())}
    ours = superclasses(read_hierarchy(place), **CASES[name])
    assert [c.node for c in ours] == nodes
    assert [c.name for c in ours] == [names[i] for i in range(len(nodes))]
    assert [[label[w] for w in c.source] for c in ours] == source
    assert [[label[w] for w in c.target] for c in ours] == target


@by_name
@pytest.mark.parametrize("part", ["train", "val"])
def test_splits_hold_the_images_of_their_subclasses(name: str, part: str) -> None:
    known = LIVING_17 if name == "living-17" else ENTITY_30
    folder = folder_of(name)
    drawn = superclasses(read_hierarchy(folder / PLACE), **CASES[name])
    for side in ("source", "target"):
        split = known.read(folder, f"{side}-{part}")
        pairs = {
            (split.images.id(i).split("/")[0], int(label))
            for i, label in enumerate(split.require_labels())
        }
        assert pairs == {(w, label) for label, c in enumerate(drawn) for w in getattr(c, side)}
        assert split.metadata["subclass"].tolist() == [
            split.images.id(i).split("/")[0] for i in range(len(split))
        ]
        files = {p.relative_to(folder / "imagenet" / part).as_posix()
                 for w, _ in pairs for p in (folder / "imagenet" / part / w).iterdir()}  # fmt: skip
        assert {split.images.id(i) for i in range(len(split))} == files


@by_name
def test_one_word_is_a_whole_task(name: str) -> None:
    task = make_task(train=name, root=root(), val_fraction=0.34)
    assert task.name == name
    assert [s.name for s in task.shifts] == ["target-val"]
    sub = {n: set(s.metadata["subclass"].tolist())
           for n, s in (("train", task.train), ("val", task.val), ("test", task.test),
                        ("shift", task.shifts[0].split))}  # fmt: skip
    assert sub["train"] | sub["val"] == sub["test"]
    assert not sub["train"] & sub["shift"]
    assert task.shifts[0].classes is None


def test_imagenet_and_the_hierarchy_may_lie_side_by_side(tmp_path: Path) -> None:
    folder = copy("living-17", tmp_path / "a")
    (tmp_path / "b").mkdir()
    (folder / "imagenet").rename(tmp_path / "b" / "imagenet")
    (folder / "BREEDS-Benchmarks").rename(tmp_path / "b" / "imagenet" / "BREEDS-Benchmarks")
    task = make_task(train="living-17", root=tmp_path / "b", val_fraction=0.34)
    assert len(task.test) == 12
    (tmp_path / "c").mkdir()
    (tmp_path / "b" / "imagenet" / "BREEDS-Benchmarks").rename(tmp_path / "c" / "BREEDS-Benchmarks")
    (tmp_path / "b" / "imagenet").rename(tmp_path / "c" / "imagenet")
    assert len(make_task(train="living17", root=tmp_path / "c", val_fraction=0.34).test) == 12
    assert IMAGENET.present(tmp_path / "c" / "imagenet")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    folder = copy("living-17", tmp_path)
    gone = next((folder / "imagenet" / "val").iterdir())
    drawn = superclasses(read_hierarchy(folder / PLACE), **CASES["living-17"])
    gone = folder / "imagenet" / "val" / drawn[0].target[0]
    shutil.rmtree(gone)
    assert f"target-val: 1 of 6 subclasses have no folder in {gone.parent} ({gone.name})" in said(
        "living-17", folder
    )
    with pytest.raises(DataError, match=gone.name):
        LIVING_17.read(folder, "target-val")
    shutil.rmtree(folder / "imagenet")
    assert "ImageNet is not in" in said("living-17", folder)
    with pytest.raises(DataError, match="ImageNet's train"):
        LIVING_17.read(folder, "source-train")
    (folder / PLACE / FILES[2]).unlink()
    assert "hierarchy files" in said("living-17", folder)
    with pytest.raises(DataError, match="the hierarchy"):
        LIVING_17.read(folder, "source-train")


def test_a_tree_that_is_broken_or_another_is_refused(tmp_path: Path) -> None:
    place = copy("living-17", tmp_path) / PLACE
    with pytest.raises(DataError, match="no superclass of 40 classes at level 5"):
        superclasses(read_hierarchy(place), level=5, ancestor=None, subclasses=40)
    edges = (place / FILES[1]).read_text()
    (place / FILES[1]).write_text(edges + "super00 n00004258\n")
    with pytest.raises(DataError, match="has a cycle"):
        read_hierarchy(place)
    (place / FILES[0]).write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        read_hierarchy(place)


def test_other_hierarchy_files_than_the_published_are_told(tmp_path: Path) -> None:
    from surefoot.data.known.facts import MARK

    folder = copy("living-17", tmp_path)
    (folder / MARK).unlink()
    found = said("living-17", folder)
    # dataset_class_info.json is made from timm's lists, and is the published file to the byte
    assert "class_hierarchy.txt, node_names.txt in " in found
    assert "differ from the published files" in found
    assert "source-val: 12 images, expected 1,700" in found
