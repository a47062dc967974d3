"""Images that are in two splits of a task: found by content in every container, and said."""

from __future__ import annotations

import io
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from surefoot.data.dataset import Split
from surefoot.data.folder import from_folder
from surefoot.data.overlap import overlap, overlap_notes, shared_images
from surefoot.data.specs import make_task

from .pictures import encoded

pa = pytest.importorskip("pyarrow")
parquet_library = pytest.importorskip("pyarrow.parquet")


def folder(root: Path, seeds: list[int]) -> Split:
    for seed in seeds:
        place = root / ("even" if seed % 2 == 0 else "odd")
        place.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{seed}.bmp")  # all of one size
    return from_folder(root, name=root.name, domain="ID", use="train")


def test_copies_are_found_under_any_name(tmp_path: Path) -> None:
    train = folder(tmp_path / "train", [0, 1, 2, 3])
    folder(tmp_path / "test", [4, 5])
    shutil.copy(tmp_path / "train" / "odd" / "3.bmp", tmp_path / "test" / "odd" / "new.bmp")
    test = from_folder(tmp_path / "test", name="test", domain="ID", use="test")
    assert shared_images(train, test).tolist() == [2]
    assert list(overlap_notes({"train": train, "test": test})) == [
        "WARNING: 1 of 3 images of test are in train too (odd/new.bmp): its score is too high; "
        "where train is a bank of neighbours, 1 image of it is left out for them"
    ]


def test_nothing_shared_needs_no_note(tmp_path: Path) -> None:
    splits = {"train": folder(tmp_path / "a", [0, 1]), "test": folder(tmp_path / "b", [2, 3])}
    assert not list(overlap_notes(splits))


def test_every_pair_is_looked_at(tmp_path: Path) -> None:
    """Training, validation, test and a shift of the same images: six sentences, what each means."""
    train = folder(tmp_path / "one", [0, 1])
    val, test, shift = (
        replace(train, use=use, domain=domain)
        for use, domain in (("val", "ID"), ("test", "ID"), ("test", "OOD"))
    )
    found = list(overlap_notes({"train": train, "val": val, "test": test, "dusk": shift}))
    assert [n.count("WARNING") for n in found] == [1, 1, 1, 1, 1, 0]
    assert "what is chosen on val is chosen on images of test" in found[3]
    assert found[5].startswith("2 of 2 images of dusk are in test too (even/0.bmp, odd/1.bmp)")


def test_every_image_is_compared_however_many_there_are(tmp_path: Path) -> None:
    for side in ("train", "test"):
        for number in range(20):
            place = tmp_path / side / f"class{number // 5}"
            place.mkdir(parents=True, exist_ok=True)
            fill = number if number >= 10 else number + 100 * (side == "test")
            Image.new("L", (6, 6 + number), fill).save(place / f"{number}.bmp")
    one, other = (
        from_folder(tmp_path / side, name=side, domain="ID", use="test")
        for side in ("train", "test")
    )
    assert len(shared_images(one, other)) == 10  # classes 2 and 3


def test_two_files_that_cannot_be_read_are_not_one_image(tmp_path: Path) -> None:
    one, other = folder(tmp_path / "a", [0, 1]), folder(tmp_path / "b", [2, 3])
    (tmp_path / "a" / "even" / "0.bmp").unlink()
    (tmp_path / "b" / "even" / "2.bmp").unlink()
    assert not len(shared_images(one, other))
    assert overlap(one, other).tolist() == [[-1], [-1]]


def parquet(file: Path, seeds: list[int]) -> str:
    table = pa.table({"image": [encoded(s) for s in seeds], "label": ["ab"[s % 2] for s in seeds]})
    parquet_library.write_table(table, file)
    return str(file)


def shard(file: Path, seeds: list[int]) -> str:
    with tarfile.open(file, "w") as tar:
        for seed in seeds:
            for kind, data in (("png", encoded(seed)), ("cls", b"ab"[seed % 2 : seed % 2 + 1])):
                member = tarfile.TarInfo(f"sample{seed}.{kind}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    return f"wds:{file}"


def class_folders(place: Path, seeds: list[int]) -> str:
    for seed in seeds:
        (place / "ab"[seed % 2]).mkdir(parents=True, exist_ok=True)
        (place / "ab"[seed % 2] / f"{seed}.png").write_bytes(encoded(seed))
    return str(place)


def saved(place: Path, seeds: list[int]) -> str:
    datasets = pytest.importorskip("datasets")
    rows = {
        "image": [{"bytes": encoded(s), "path": None} for s in seeds],
        "label": ["ab"[s % 2] for s in seeds],
    }
    datasets.Dataset.from_dict(rows).cast_column("image", datasets.Image()).save_to_disk(place)
    return f"hf:{place}"


@pytest.mark.parametrize("make", [parquet, shard, class_folders, saved])
def test_leaks_are_found_in_every_container(
    tmp_path: Path, make: Callable[[Path, list[int]], str]
) -> None:
    """Seeds 8 and 9 are in train and test; 21 is in validation and in the shift."""
    train = class_folders(tmp_path / "train", list(range(10)))
    parts = {"val": [20, 21, 22], "test": [8, 9, 30, 31], "dusk": [21, 40]}
    made = {name: make(tmp_path / f"{name}.parquet", seeds) for name, seeds in parts.items()}
    task = make_task(train=train, val=made["val"], test=made["test"], shifts={"dusk": made["dusk"]})
    found = [n for n in task.notes if "too (" in n]
    assert [n.split(" (")[0] for n in found] == [
        "WARNING: 2 of 4 images of test are in train too",
        "WARNING: 1 of 2 images of dusk are in val too",
    ]
