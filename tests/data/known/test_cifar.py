"""CIFAR and its successors, against torchvision's reader and the publishers' files."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torchvision

from surefoot.data.dataset import Shift
from surefoot.data.known.base import KnownDataset
from surefoot.data.known.cifar import CIFAR10, CIFAR100, to_cifar_or_stl
from surefoot.data.known.cifar_new import CIFAR10_1_V6, CIFAR10_2
from surefoot.data.known.find import locate
from surefoot.data.known.pickled import dump_python2, load_arrays, load_object_npy
from surefoot.data.known.stl import STL10
from surefoot.errors import ClassMismatch, DataError, UnsafePickle

from .copies import copy, miniature, pixels, said


class _Unchecked10(torchvision.datasets.CIFAR10):
    """torchvision's reader without its md5 sums, which miniatures cannot have."""

    meta: ClassVar = {**torchvision.datasets.CIFAR10.meta, "md5": None}

    def _check_integrity(self) -> bool:
        return True


class _Unchecked100(torchvision.datasets.CIFAR100):
    meta: ClassVar = {**torchvision.datasets.CIFAR100.meta, "md5": None}

    def _check_integrity(self) -> bool:
        return True


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize(
    ("known", "theirs"), [(CIFAR10, _Unchecked10), (CIFAR100, _Unchecked100)], ids=["10", "100"]
)
def test_torchvision_reads_the_same(known: KnownDataset, theirs: type, split: str) -> None:
    ours = known.read(miniature(known), split)
    peer = theirs(miniature(known).parent, train=split == "train")
    assert list(ours.class_names) == peer.classes
    assert ours.require_labels().tolist() == peer.targets
    assert all(np.array_equal(pixels(ours, i), peer.data[i]) for i in range(len(peer)))


def test_folders_that_are_called_like_its_files_are_not_taken_for_it(tmp_path: Path) -> None:
    for name in ("meta", "train"):  # of somebody's own data
        (tmp_path / name).mkdir()
    assert locate(CIFAR100, tmp_path) is None
    assert locate(CIFAR100, miniature(CIFAR100)) == miniature(CIFAR100)


@pytest.mark.parametrize("encoding", ["latin1", "bytes"])
def test_a_written_batch_reads_like_one_of_python_2(encoding: str) -> None:
    data = np.arange(300, dtype=np.uint8).reshape(3, 100)
    raw = dump_python2({"labels": [1, 2, 300], "data": data, "filenames": ["a.png", "b" * 400]})
    held = pickle.loads(raw, encoding=encoding)
    key = (lambda k: k.encode()) if encoding == "bytes" else str
    assert held[key("labels")] == [1, 2, 300]
    assert np.array_equal(held[key("data")], data)
    assert held[key("filenames")] == [key("a.png"), key("b" * 400)]
    assert b"numpy._core" not in raw  # numpy 1 must read it too


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_copies_with_byte_keys_are_read(tmp_path: Path, protocol: int) -> None:
    file = tmp_path / "data_batch_1"
    data = np.zeros((2, 3072), dtype=np.uint8)
    file.write_bytes(pickle.dumps({b"data": data, b"labels": [0, 1]}, protocol=protocol))
    held = load_arrays(file)
    assert held["labels"] == [0, 1]
    assert held["data"].shape == (2, 3072)


class _Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return eval, ("1 + 1",)


def test_a_pickle_that_wants_to_run_something_is_refused(tmp_path: Path) -> None:
    folder = copy(CIFAR10, tmp_path)
    (folder / "data_batch_2").write_bytes(pickle.dumps({"data": _Evil()}))
    with pytest.raises(UnsafePickle, match=r"builtins\.eval|__builtin__\.eval"):
        load_arrays(folder / "data_batch_2")
    np.save(tmp_path / "evil.npy", np.array({"images": _Evil()}, dtype=object), allow_pickle=True)
    with pytest.raises(UnsafePickle, match="eval"):
        load_object_npy(tmp_path / "evil.npy")


def test_a_missing_an_empty_and_a_cut_off_batch_are_told_apart(tmp_path: Path) -> None:
    folder = copy(CIFAR10, tmp_path)
    whole = (folder / "data_batch_3").read_bytes()
    (folder / "data_batch_3").write_bytes(whole[: len(whole) // 2])
    assert "cut off" in said(CIFAR10.inspect(folder, False))
    (folder / "data_batch_3").write_bytes(b"")
    assert "is empty" in said(CIFAR10.inspect(folder, False))
    (folder / "data_batch_3").unlink()
    problems = said(CIFAR10.inspect(folder, False))
    assert "there is no" in problems
    assert "test" not in [line.split(":")[0] for line in problems.splitlines()]


def test_a_batch_that_is_there_twice_is_found(tmp_path: Path) -> None:
    folder = copy(CIFAR10, tmp_path)
    batch = load_arrays(folder / "data_batch_1")
    batch["labels"] = [int(batch["labels"][0])] * len(batch["labels"])
    (folder / "data_batch_2").write_bytes(dump_python2(batch))
    assert "equally many" in said(CIFAR10.inspect(folder, False))


def test_foreign_class_names_are_refused(tmp_path: Path) -> None:
    folder = copy(CIFAR10, tmp_path)
    (folder / "batches.meta").write_bytes(dump_python2({"label_names": ["cat", "dog"]}))
    with pytest.raises(ClassMismatch, match="cat, dog"):
        CIFAR10.read(folder, "test")


def test_cifar_10_1_of_another_shape_or_a_pointer_file_is_refused(tmp_path: Path) -> None:
    folder = copy(CIFAR10_1_V6, tmp_path)
    labels = folder / "cifar10.1_v6_labels.npy"
    np.save(labels, np.zeros(7, dtype=np.int32))
    with pytest.raises(DataError, match="one label per image") as caught:
        CIFAR10_1_V6.read(folder, "test")
    assert "20 images" in str(caught.value)
    (folder / "cifar10.1_v6_data.npy").write_text("version https://git-lfs.github.com/spec/v1\n")
    assert "Git LFS" in said(CIFAR10_1_V6.inspect(folder, False))


def test_the_older_files_of_cifar_10_2_are_read(tmp_path: Path) -> None:
    folder = copy(CIFAR10_2, tmp_path)
    new = CIFAR10_2.read(folder, "test")
    with np.load(folder / "cifar102_test.npz") as stored:
        old = {key: stored[key] for key in ("images", "labels")}
    (folder / "cifar102_test.npz").unlink()
    np.save(folder / "cifar102_test.npy", np.array(old, dtype=object), allow_pickle=True)
    again = CIFAR10_2.read(folder, "test")
    assert again.manifest() == new.manifest()
    assert np.array_equal(pixels(again, 3), pixels(new, 3))


def test_cifar_10_2_with_a_pickled_list_of_names_is_read(tmp_path: Path) -> None:
    folder = copy(CIFAR10_2, tmp_path)
    with np.load(folder / "cifar102_test.npz") as stored:
        arrays = {key: stored[key] for key in stored.files}
    arrays["label_names"] = np.array(list(arrays["label_names"]), dtype=object)
    np.savez(folder / "cifar102_test.npz", **arrays)
    assert CIFAR10_2.read(folder, "test").class_names[6] == "frog"


class _UncheckedSTL(torchvision.datasets.STL10):
    def _check_integrity(self) -> bool:
        return True


@pytest.mark.parametrize("split", ["train", "test", "unlabeled"])
def test_torchvision_reads_the_same_stl(split: str) -> None:
    ours = STL10.read(miniature(STL10), split)
    peer = _UncheckedSTL(miniature(STL10).parent, split=split)
    assert list(ours.class_names) == peer.classes
    if ours.labels is None:
        assert (peer.labels == -1).all()
    else:
        assert ours.labels.tolist() == peer.labels.tolist()
    for i in range(len(peer)):
        assert np.array_equal(pixels(ours, i), np.asarray(peer[i][0]))


def test_stl_maps_onto_cifar_as_lp_ft_does() -> None:
    """Its table: STL's labels 0 to 9 become 0, 2, 1, 3, 4, 5, 7, -, 8, 9; frog is never asked."""
    split = STL10.read(miniature(STL10), "test")
    joined = STL10.class_map(miniature(STL10), split, list(CIFAR10_CLASSES))
    shift = Shift.of(split, CIFAR10_CLASSES, class_map=joined)
    table = {0: 0, 1: 2, 2: 1, 3: 3, 4: 4, 5: 5, 6: 7, 8: 8, 9: 9}
    kept = [table[i] for i in split.require_labels().tolist() if i in table]
    assert shift.split.require_labels().tolist() == kept
    assert shift.classes == (0, 1, 2, 3, 4, 5, 7, 8, 9)
    back = to_cifar_or_stl(CIFAR10_CLASSES, split.class_names)
    assert back is not None
    assert set(back.pairs) == set(CIFAR10_CLASSES) - {"frog"}
    assert to_cifar_or_stl(CIFAR10_CLASSES, CIFAR10_CLASSES) is None


CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip


def test_an_stl_file_that_is_cut_off_is_told(tmp_path: Path) -> None:
    folder = copy(STL10, tmp_path)
    file = folder / "test_X.bin"
    file.write_bytes(file.read_bytes()[:-5])
    assert "cut off" in said(STL10.inspect(folder, False))
    file.write_bytes(file.read_bytes()[: 27648 * 4])
    assert "labels for 4 images" in said(STL10.inspect(folder, False))
    (folder / "unlabeled_X.bin").unlink()  # may be absent
    assert "unlabeled" not in said(STL10.inspect(folder, False))
