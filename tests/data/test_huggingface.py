"""Hugging Face data sets saved on disk."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from PIL import Image

from surefoot.data.huggingface import from_hf
from surefoot.errors import ClassMismatch, DataError

from .pictures import encoded

datasets = pytest.importorskip("datasets")


def read(path: Path | str, **options: object):
    return from_hf(path, **{"name": "train", "domain": "ID", "use": "train", **options})


def table(n: int = 4, **more: object):
    names = datasets.ClassLabel(names=["dog", "cat"])
    columns = {
        "image": [{"bytes": encoded(i), "path": None} for i in range(n)],
        "label": [i % 2 for i in range(n)],
        **more,
    }
    made = datasets.Dataset.from_dict(columns)
    return made.cast_column("image", datasets.Image()).cast_column("label", names)


def test_a_saved_data_set(tmp_path: Path) -> None:
    table(4, text=["a", "b", "c", None], site=["x", "y", "x", "x"]).save_to_disk(tmp_path / "d")
    split = read(tmp_path / "d")
    assert split.class_names == ("dog", "cat")  # ClassLabel's own order
    assert split.labels.tolist() == [0, 1, 0, 1]
    assert list(split.captions) == ["a", "b", "c", ""]
    assert split.metadata["site"].tolist() == ["x", "y", "x", "x"]
    assert split.images.read(2) == encoded(2)
    assert isinstance(split.images[3], Image.Image)


def test_shuffled_rows_stay_together(tmp_path: Path) -> None:
    made = table(6, number=list(range(6))).shuffle(seed=1).select([4, 2, 0])
    made.save_to_disk(tmp_path / "d")
    split = read(tmp_path / "d")
    for i, number in enumerate(split.metadata["number"].tolist()):
        assert split.images.read(i) == encoded(number)
        assert split.labels[i] == number % 2


def test_splits_are_chosen_by_use_or_by_name(tmp_path: Path) -> None:
    parts = {"train": table(4), "validation": table(2), "extra": table(3)}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "d")
    assert len(read(tmp_path / "d")) == 4
    assert len(read(tmp_path / "d", use="val")) == 2
    assert len(read(tmp_path / "d", split="extra")) == 3
    with pytest.raises(DataError, match="no split 'extr'; is it 'extra'") as caught:
        read(tmp_path / "d", split="extr")
    assert "validation" in caught.value.expected


def test_a_part_that_serves_in_the_place_of_another_is_said(tmp_path: Path) -> None:
    datasets.DatasetDict({"train": table(4), "validation": table(2)}).save_to_disk(tmp_path / "d")
    assert "no split test: validation serves as train" in read(tmp_path / "d", use="test").notes[-1]
    datasets.DatasetDict({"train": table(4), "training": table(2)}).save_to_disk(tmp_path / "e")
    with pytest.raises(DataError, match="several splits that serve as train") as caught:
        read(tmp_path / "e")
    assert caught.value.fix.endswith(":train")
    with pytest.raises(DataError, match="no split that serves as val"):
        read(tmp_path / "e", use="val")


def test_labels_that_are_text_and_several_captions(tmp_path: Path) -> None:
    rows = {"image": [{"bytes": encoded(i), "path": None} for i in range(2)],
            "kind": ["wolf", "ape"], "captions": [["one", "two"], ["three"]]}  # fmt: skip
    made = datasets.Dataset.from_dict(rows).cast_column("image", datasets.Image())
    made.save_to_disk(tmp_path / "d")
    split = read(tmp_path / "d", label_column="kind")
    assert split.class_names == ("ape", "wolf")
    assert split.labels.tolist() == [1, 0]
    assert list(split.captions) == ["one", "three"]
    assert "first of several captions" in split.notes[0]


def test_images_as_files(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encoded(5))
    made = datasets.Dataset.from_dict({"image": [str(tmp_path / "a.png")], "label": [7]})
    made.cast_column("image", datasets.Image()).save_to_disk(tmp_path / "d")
    split = read(tmp_path / "d")
    assert split.class_names == ("7",)
    assert split.images.read(0) == encoded(5)


def test_hidden_labels_are_missing(tmp_path: Path) -> None:
    made = table(2).map(lambda row: {"label": -1})
    made.save_to_disk(tmp_path / "d")
    with pytest.raises(DataError, match=r"2 rows .* have no label"):
        read(tmp_path / "d")


def test_columns_that_do_not_exist(tmp_path: Path) -> None:
    table().save_to_disk(tmp_path / "d")
    with pytest.raises(DataError, match="no label column 'labell'; is it 'label'"):
        read(tmp_path / "d", label_column="labell")
    datasets.Dataset.from_dict({"label": [1]}).save_to_disk(tmp_path / "e")
    with pytest.raises(DataError, match="has no image column"):
        read(tmp_path / "e")
    with pytest.raises(ClassMismatch, match="does not have: dog"):
        read(tmp_path / "d", class_names=("cat", "wolf"))


def test_a_folder_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a saved Hugging Face data set") as caught:
        read(tmp_path)
    assert "save_to_disk" in caught.value.expected


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A hub that does not answer, an empty cache; the hub's address."""
    for switch in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(switch, raising=False)
    address = "http://127.0.0.1:9"  # the port "discard", where nobody listens
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
    return address


def test_a_hub_name_without_a_network_says_so_at_once(silent: str) -> None:
    began = time.perf_counter()
    with pytest.raises(DataError, match="data set 'some/name' is no folder here") as caught:
        read("some/name")
    assert time.perf_counter() - began < 10
    assert f"not in the local cache and cannot be had from the Hugging Face hub, {silent}" in (
        caught.value.wrong
    )
    assert "the hub does not answer" in caught.value.wrong
    assert "load_dataset('some/name').save_to_disk('DIR')" in caught.value.fix
    assert "hf:DIR" in caught.value.fix
    assert datasets.config.HF_HUB_OFFLINE is False


def cached(cache: Path) -> Path:
    """Put some/name into the cache, as ``load_dataset`` leaves it there."""
    made = cache.parent / "made"
    table(4).to_parquet(made / "t.parquet")
    builder = datasets.load_dataset_builder(
        "parquet", data_files=str(made / "t.parquet"), cache_dir=str(made)
    )
    builder.download_and_prepare()
    place = cache / "some___name" / "default" / "0.0.0" / "abc"
    shutil.copytree(builder.cache_dir, place)
    (place / "parquet-train.arrow").rename(place / "name-train.arrow")
    return place


def test_a_hub_name_in_the_cache_needs_no_network(silent: str, tmp_path: Path) -> None:
    cached(tmp_path / "cache")
    split = read("some/name")
    assert split.class_names == ("dog", "cat")
    assert split.images.read(2) == encoded(2)
    assert split.source == "hf:some/name:train"
    with pytest.raises(DataError, match="no split 'etra'"):
        read("some/name", split="etra")


def test_a_broken_cache_is_not_called_missing(silent: str, tmp_path: Path) -> None:
    (cached(tmp_path / "cache") / "dataset_info.json").write_text("{")
    with pytest.raises(DataError, match="JSONDecodeError") as caught:
        read("some/name")
    assert "not in the local cache" not in caught.value.wrong


@pytest.mark.parametrize("name", ["pandas", "csv", "own.py", "../own", "a/b/c", "~/own", "x:y"])
def test_no_reader_and_no_script_passes_for_a_data_set(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "marker"
    (tmp_path / "own.py").write_text(f"open({str(marker)!r}, 'w').close()")
    monkeypatch.chdir(tmp_path)

    def refused(*_: object, **__: object) -> None:
        pytest.fail("the library was asked")

    monkeypatch.setattr(datasets, "load_dataset", refused)
    with pytest.raises(DataError, match="nor the name of a data set on the hub"):
        read(name)
    assert not marker.exists()


def test_a_data_sets_own_code_stays_off(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr("surefoot.data.huggingface.silence", lambda *switches: "")
    monkeypatch.setattr(datasets, "load_dataset", lambda *a, **k: asked.append(k) or table(4))
    read("some/name")
    assert asked == [{"trust_remote_code": False}]


def test_what_the_hub_refuses_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise ValueError("some/name is gated\nask for access")

    monkeypatch.setattr("surefoot.data.huggingface.silence", lambda *switches: "")
    monkeypatch.setattr(datasets, "load_dataset", refused)
    with pytest.raises(DataError, match=r"\(ValueError: some/name is gated\)"):
        read("some/name")
