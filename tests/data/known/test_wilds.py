"""iWildCam and FMoW against the package wilds: splits, labels, metadata, evaluation."""

from __future__ import annotations

import csv
import importlib.util
import os
import sys
import types
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from surefoot.data.dataset import Split
from surefoot.data.known.fmow import FMOW, FMOW_CONTINENTS, categories
from surefoot.data.known.iwildcam import IWILDCAM
from surefoot.errors import BadImages, ClassMismatch, DataError
from surefoot.metrics import get_metric
from surefoot.predictions import Predictions

from .copies import copy, miniature, pixels, said

SPLITS = ("train", "id_val", "id_test", "val", "test")


def _scatter(src: Any, index: Any, dim_size: int, reduce: str) -> Any:
    """The one function that wilds takes from torch_scatter, a package that must be compiled."""
    assert reduce == "mean"
    total = torch.zeros(dim_size, dtype=src.dtype).index_add(0, index, src)
    return total / torch.bincount(index, minlength=dim_size).clamp(min=1)


@pytest.fixture(autouse=True)
def _without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("torch_scatter") is None:
        stand_in = types.ModuleType("torch_scatter")
        stand_in.scatter = _scatter  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "torch_scatter", stand_in)


def _wilds(module: str, name: str, folder: Path) -> Any:
    os.environ["OUTDATED_IGNORE"] = "1"
    pytest.importorskip("wilds")
    peers = pytest.importorskip(f"wilds.datasets.{module}")
    (folder / f"RELEASE_v{'2.0' if 'wild' in module else '1.1'}.txt").touch()
    return getattr(peers, name)(root_dir=str(folder.parent), download=False)


@pytest.fixture(scope="module")
def iwildcam(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = copy(IWILDCAM, tmp_path_factory.mktemp("wilds"))
    return _wilds("iwildcam_dataset", "IWildCamDataset", folder)


@pytest.fixture(scope="module")
def fmow(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = copy(FMOW, tmp_path_factory.mktemp("wilds"))
    return _wilds("fmow_dataset", "FMoWDataset", folder)


@pytest.mark.parametrize("name", SPLITS)
def test_wilds_gives_the_same_iwildcam(iwildcam: Any, name: str) -> None:
    ours, theirs = IWILDCAM.read(miniature(IWILDCAM), name), iwildcam.get_subset(name)
    assert ours.require_labels().tolist() == theirs.y_array.tolist()
    names = [f"train/{iwildcam._input_array[i]}" for i in theirs.indices]
    assert [ours.images.id(i) for i in range(len(ours))] == names
    fields = theirs.metadata_fields
    for column, values in ours.metadata.items():
        assert values.tolist() == theirs.metadata_array[:, fields.index(column)].tolist()
    assert set(fields) - set(ours.metadata) == {"y", "from_source_domain"}
    assert ours.domain == ("OOD" if name in ("val", "test") else "ID")
    assert np.array_equal(pixels(ours, 0), np.asarray(theirs.dataset.get_input(theirs.indices[0])))


@pytest.mark.parametrize("name", SPLITS)
def test_wilds_gives_the_same_fmow(fmow: Any, name: str) -> None:
    ours, theirs = FMOW.read(miniature(FMOW), name), fmow.get_subset(name)
    assert ours.require_labels().tolist() == theirs.y_array.tolist()
    numbers = fmow.full_idxs[theirs.indices].tolist()
    assert [ours.images.id(i) for i in range(len(ours))] == [
        f"images/rgb_img_{i}.png" for i in numbers
    ]
    fields = theirs.metadata_fields
    regions = np.array(fmow._metadata_map["region"])
    codes = theirs.metadata_array[:, fields.index("region")].numpy()
    assert ours.metadata["region"].tolist() == regions[codes].tolist()
    years = theirs.metadata_array[:, fields.index("year")].numpy() + 2002
    assert ours.metadata["year"].tolist() == years.tolist()
    assert np.array_equal(pixels(ours, 1), np.asarray(theirs.dataset.get_input(theirs.indices[1])))


def test_our_categories_are_those_of_wilds() -> None:
    peers = pytest.importorskip("wilds.datasets.fmow_dataset")
    assert list(categories()) == peers.categories


def _predicted(split: Split, metric: str, seed: int, right: float = 0.6) -> Predictions:
    rng = np.random.default_rng(seed)
    labels = split.require_labels()
    logits = rng.normal(size=(len(split), len(split.class_names))).astype(np.float32)
    sure = np.flatnonzero(rng.random(len(split)) < right)
    logits[sure, labels[sure]] += 20
    ids = tuple(split.images.id(i) for i in range(len(split)))
    return Predictions(split.name, split.domain, logits, labels, ids, split.class_names, metric,
                       metadata=split.metadata)  # fmt: skip


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ["id_test", "test"])
def test_macro_f1_is_that_of_wilds(iwildcam: Any, name: str, seed: int) -> None:
    split, theirs = IWILDCAM.read(miniature(IWILDCAM), name), iwildcam.get_subset(name)
    predictions = _predicted(split, IWILDCAM.metric, seed)
    y = torch.from_numpy(predictions.top1())
    results, _ = iwildcam.eval(y, theirs.y_array, theirs.metadata_array)
    ours = get_metric(IWILDCAM.metric)(predictions)
    assert ours == pytest.approx(float(results["F1-macro_all"]), abs=1e-6)
    assert get_metric("top1")(predictions) == pytest.approx(float(results["acc_avg"]), abs=1e-6)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", ["id_val", "test"])
def test_the_worst_region_is_that_of_wilds(fmow: Any, name: str, seed: int) -> None:
    split, theirs = FMOW.read(miniature(FMOW), name), fmow.get_subset(name)
    predictions = _predicted(split, FMOW.metric, seed)
    y = torch.from_numpy(predictions.top1())
    results, _ = fmow.eval(y, theirs.y_array, theirs.metadata_array)
    ours = get_metric(FMOW.metric)(predictions)
    assert ours == pytest.approx(float(results["acc_worst_region"]), abs=1e-6)


def test_an_absent_region_is_missing_and_other_does_not_count(fmow: Any) -> None:
    """All images of Other are wrong, and there is none of Africa: neither gives a zero."""
    split, theirs = FMOW.read(miniature(FMOW), "test"), fmow.get_subset("test")
    region = split.metadata["region"]
    at = np.flatnonzero(region != "Africa")
    part = split.take(at)
    predictions = _predicted(part, FMOW.metric, 0, right=1.0)
    logits = predictions.logits.copy()
    logits[part.metadata["region"] == "Other"] *= -1
    predictions = replace(predictions, logits=logits)
    results, _ = fmow.eval(
        torch.from_numpy(predictions.top1()), theirs.y_array[at], theirs.metadata_array[at]
    )
    assert (part.metadata["region"] == "Other").any()
    assert get_metric(FMOW.metric)(predictions) == 1.0
    assert float(results["acc_worst_region"]) == 1.0
    assert get_metric("worst_group:region")(predictions) < 1.0


def test_four_pairs_of_prompt_names_are_identical_and_classes_are_not() -> None:
    split = IWILDCAM.read(miniature(IWILDCAM), "test")
    prompts = IWILDCAM.prompt_names()
    assert len(split.class_names) == len(set(split.class_names)) == 182
    assert list(prompts) == list(split.class_names)
    twice = {n: [split.class_names.index(c) for c in prompts if prompts[c] == n]
             for n, k in Counter(prompts.values()).items() if k > 1}  # fmt: skip
    assert twice == {
        "lowland paca": [3, 148], "jaguarundi": [19, 174], "unknown bird": [82, 178],
        "central american red brocket": [153, 181],
    }  # fmt: skip
    assert split.class_names[181] == "mazama temama (181)"
    for pair in twice.items():
        assert pair[0] in " ".join(IWILDCAM.notes)


def test_a_categories_file_of_another_version_is_told(tmp_path: Path) -> None:
    folder = copy(IWILDCAM, tmp_path)
    rows = list(csv.reader((folder / "categories.csv").read_text().splitlines()))
    rows[4][2] = "unicornis unicornis"
    (folder / "categories.csv").write_text("\n".join(",".join(row) for row in rows) + "\n")
    assert "unicornis" in said(IWILDCAM.inspect(folder, False))
    del rows[9]
    (folder / "categories.csv").write_text("\n".join(",".join(row) for row in rows) + "\n")
    with pytest.raises(DataError, match="does not number its classes"):
        IWILDCAM.read(folder, "test")


def test_missing_columns_rows_and_images_are_named(tmp_path: Path) -> None:
    folder = copy(IWILDCAM, tmp_path)
    gone = IWILDCAM.read(folder, "test").images.id(2)
    (folder / gone).unlink()
    with pytest.raises(BadImages) as caught:
        IWILDCAM.read(folder, "test")
    assert [name for name, _ in caught.value.bad] == [gone]
    text = (folder / "metadata.csv").read_text()
    (folder / "metadata.csv").write_text(text.replace("location_remapped", "place"))
    with pytest.raises(DataError, match="no column location_remapped"):
        IWILDCAM.read(folder, "train")
    kept = [line for line in text.splitlines() if not line.startswith("test,")]
    (folder / "metadata.csv").write_text("\n".join(kept) + "\n")
    assert "no row of the split 'test'" in said(IWILDCAM.inspect(folder, False))


def test_fmow_with_a_foreign_category_or_local_times_is_refused(tmp_path: Path) -> None:
    folder = copy(FMOW, tmp_path)
    file = folder / "rgb_metadata.csv"
    text = file.read_text()
    file.write_text(text.replace(",zoo,", ",circus,"))
    with pytest.raises(ClassMismatch, match="circus"):
        FMOW.read(folder, "test")
    file.write_text(text.replace("2010-08-05T10:03:01Z", "2010-08-05T10:03:01+05:00"))
    with pytest.raises(DataError, match="not in UTC"):
        FMOW.read(folder, "test")
    file.write_text(text)
    (folder / "country_code_mapping.csv").unlink()
    assert "country_code_mapping.csv" in said(FMOW.inspect(folder, False))


def test_continents_are_the_id_splits_cut_by_region() -> None:
    folder = miniature(FMOW_CONTINENTS)
    parts = {"train": "train", "val": "id_val", "test": "id_test"}
    for name in FMOW_CONTINENTS.splits:
        region, part = name.split("_")
        split, whole = FMOW_CONTINENTS.read(folder, name), FMOW.read(folder, parts[part])
        wanted = [whole.images.id(i) for i in range(len(whole))
                  if whole.metadata["region"][i] == region.capitalize()]  # fmt: skip
        assert [split.images.id(i) for i in range(len(split))] == wanted
        assert split.domain == ("ID" if region == "americas" else "OOD")


def test_id_splits_of_fmow_are_scored_by_accuracy() -> None:
    scored = {name: FMOW.metric_of(name) for name in SPLITS}
    worst = "worst_group:region!Other"
    assert scored == {"train": "top1", "id_val": "top1", "id_test": "top1", "val": worst,
                      "test": worst}  # fmt: skip


def test_places_and_traps_are_units(tmp_path: Path) -> None:
    split = FMOW.read(miniature(FMOW), "test")
    assert split.unit == "place"
    kept = split.metadata["place"][0].split("/")
    name = split.class_names[split.require_labels()[0]]
    assert (kept[:2], kept[2].rpartition("_")[0]) == (["test", name], name)
    assert IWILDCAM.read(miniature(IWILDCAM), "test").unit == "location"
    folder = copy(FMOW, tmp_path)  # as a copy of which img_path was dropped
    rows = list(csv.DictReader((folder / "rgb_metadata.csv").read_text().splitlines()))
    left = [c for c in rows[0] if c != "img_path"]
    with open(folder / "rgb_metadata.csv", "w", newline="") as opened:
        writer = csv.DictWriter(opened, left, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    without = FMOW.read(folder, "test")
    assert (without.unit, set(without.metadata)) == (None, {"region", "year"})
