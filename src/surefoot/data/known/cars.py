"""Stanford Cars: photographs listed in MATLAB files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import savemat
from sklearn.model_selection import train_test_split

from ..dataset import Split
from .base import Expected, KnownDataset, mark_miniature
from .mat import read_mat
from .parts import Listing, inspect_splits, split_of, unknown_split
from .pictures import write_picture

__all__ = ["CARS"]


def _read_cars(folder: Path, split: str) -> Split:
    """FLYP holds a fifth of the training list back for validation, drawn by scikit-learn."""
    if split not in CARS.splits:
        raise unknown_split("cars", split, CARS.splits)
    test = split == "test"
    file = "cars_test_annos_withlabels.mat" if test else "devkit/cars_train_annos.mat"
    rows = np.atleast_1d(read_mat(folder / file, "annotations"))
    images = "cars_test" if test else "cars_train"
    paths = [f"{images}/{row['fname']}" for row in rows]
    labels = np.array([int(row["class"]) - 1 for row in rows], dtype=np.int64)
    if split in ("train80", "val20"):
        halves = train_test_split(np.arange(len(paths)), test_size=0.2, random_state=10)
        at = halves[0] if split == "train80" else halves[1]
        paths, labels = [paths[i] for i in at], labels[at]
    names = read_mat(folder / "devkit/cars_meta.mat", "class_names")
    listing = Listing(paths, labels, tuple(str(n) for n in np.atleast_1d(names)))
    return split_of(CARS, folder, split, listing, domain="ID")


def _miniature_cars(folder: Path, seed: int) -> None:
    names = ["AM General Hummer SUV 2000", "Acura RL Sedan 2012", "Ram C/V Cargo Van Minivan 2012"]
    kind = [("bbox_x1", "O"), ("bbox_y1", "O"), ("bbox_x2", "O"), ("bbox_y2", "O"),
            ("class", "O"), ("fname", "O")]  # fmt: skip
    (folder / "devkit").mkdir(parents=True, exist_ok=True)
    savemat(folder / "devkit/cars_meta.mat", {"class_names": np.array(names, dtype=object)})
    sizes = {}
    for images, file, each in (
        ("cars_train", "devkit/cars_train_annos.mat", 5),
        ("cars_test", "cars_test_annos_withlabels.mat", 2),
    ):
        rows = np.empty(3 * each, dtype=kind)
        for i in range(3 * each):
            rows[i] = (1, 2, 20, 21, i % 3 + 1, f"{i + 1:05d}.jpg")
            write_picture(folder / images / f"{i + 1:05d}.jpg", i % 3, i, seed=seed)
        savemat(folder / file, {"annotations": rows})
        sizes[images] = 3 * each
    counts = {"train": 15, "train80": 12, "val20": 3, "test": 6}
    expected = {k: Expected(n, 3 if n > 3 else None, source="miniature") for k, n in counts.items()}
    mark_miniature(folder, "cars", expected, seed)


_CARS_SOURCE = "torchvision.datasets.StanfordCars (documentation)"
_FLYP = "a fifth of 8,144, FLYP's datacreation_scripts/stanfordCars.py"

CARS: KnownDataset = KnownDataset(
    name="cars",
    title="Stanford Cars",
    summary="16,185 photographs of 196 makes, models and years of cars.",
    homepage="https://ai.stanford.edu/~jkrause/cars/car_dataset.html (no longer online)",
    citation='J. Krause, M. Stark, J. Deng, L. Fei-Fei, "3D Object Representations for '
    'Fine-Grained Categorization", ICCV workshop 3dRR, 2013',
    licence="not stated",
    layout=(
        "stanford_cars/",
        "  cars_train/*.jpg, cars_test/*.jpg",
        "  devkit/cars_meta.mat, devkit/cars_train_annos.mat",
        "  cars_test_annos_withlabels.mat",
    ),
    folders=("stanford_cars", "StanfordCars", "cars"),
    splits={
        "train": Expected(8_144, 196, source=_CARS_SOURCE),
        "train80": Expected(6_515, 196, source=_FLYP),
        "val20": Expected(1_629, None, source=_FLYP),
        "test": Expected(8_041, 196, source=_CARS_SOURCE),
    },
    default="test",
    metric="top1",
    domain="ID",
    read=_read_cars,
    inspect=lambda folder, full: inspect_splits(CARS, folder, full),
    miniature=_miniature_cars,
    class_source="devkit/cars_meta.mat of the copy",
    aliases=("stanford-cars", "stanfordcars"),
    present=lambda folder: (folder / "devkit").is_dir(),
    roles={"train": "train80", "val": "val20", "test": "test"},
    prompt_names=None,
)
