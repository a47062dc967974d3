"""ImageNet, its class lists, and the sets of its WordNet ids, beside torchvision's readers."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat
from torchvision.datasets import ImageFolder
from torchvision.datasets import ImageNet as TorchvisionImageNet
from torchvision.datasets import imagenet as torchvision_imagenet

from surefoot.data.known import wordnet
from surefoot.data.known.find import known_dataset
from surefoot.data.known.imagenet import IMAGENET, miniature_wnids
from surefoot.data.known.order import samples
from surefoot.data.known.wordnet import (
    imagenet_index,
    imagenet_names,
    imagenet_wnids,
    subset_wnids,
    synset_lemmas,
)
from surefoot.errors import DataError

from .family import copy, folder_of, said, shift


def test_the_class_list_is_timms_and_its_names_are_open_clips() -> None:
    from timm.data import ImageNetInfo

    wnids = imagenet_wnids()
    assert list(wnids) == list(ImageNetInfo("imagenet-1k").label_names())
    # Two lists by different people agree where they can be compared: the first word of a lemma.
    agree = sum(
        imagenet_names()[w].lower() in synset_lemmas()[w].lower() for w in wnids
    )  # fmt: skip
    assert agree > 800
    assert synset_lemmas()[wnids[0]] == ImageNetInfo("imagenet-1k").label_name_to_description(
        wnids[0], detailed=False
    )
    for name in ("imagenet-r", "imagenet-a"):
        subset = subset_wnids(name)
        assert subset is not None
        assert len(subset) == 200
    assert subset_wnids("imagenet-x") is None


def test_an_edited_class_list_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = list(imagenet_wnids())
    imagenet_wnids.cache_clear()
    for wrong in (whole[:-1], [whole[1], whole[0], *whole[2:]], [whole[0], *whole[:-1]]):
        monkeypatch.setattr(wordnet, "_timm_list", lambda name, wrong=wrong: wrong)
        with pytest.raises(DataError, match="distinct ids"):
            imagenet_wnids()
    monkeypatch.undo()
    assert list(imagenet_wnids()) == whole


@pytest.mark.parametrize(
    ("name", "split", "inner"),
    [("imagenet", "train", "train"), ("imagenet", "val", "val"), ("imagenet-r", "test", ""),
     ("imagenet-a", "test", ""), ("imagenet-sketch", "test", "sketch")],
)  # fmt: skip
def test_torchvision_reads_the_same(name: str, split: str, inner: str) -> None:
    place = folder_of(name) / inner
    theirs, ours = ImageFolder(str(place)), known_dataset(name).read(folder_of(name), split)
    assert list(ours.class_names) == theirs.classes
    assert [ours.images.id(i) for i in range(len(ours))] == [
        str(Path(path).relative_to(place)) for path, _ in theirs.samples
    ]
    assert ours.require_labels().tolist() == theirs.targets
    for i in (0, len(ours) - 1):
        assert np.array_equal(np.asarray(ours.images[i]), np.asarray(theirs[i][0]))


def test_torchvisions_imagenet_reads_the_same(tmp_path: Path) -> None:
    folder = copy("imagenet", tmp_path)
    torch.save(({w: (synset_lemmas()[w],) for w in miniature_wnids()}, []), folder / "meta.bin")
    for split in ("train", "val"):
        theirs, ours = TorchvisionImageNet(folder, split), IMAGENET.read(folder, split)
        assert list(ours.class_names) == theirs.wnids
        assert ours.require_labels().tolist() == theirs.targets


def _flatten(folder: Path) -> dict[str, str]:
    """Move val into one flat folder; file -> class."""
    found = {}
    for number, path in enumerate(sorted((folder / "val").rglob("*.JPEG")), 1):
        name = f"ILSVRC2012_val_{number:08d}.JPEG"
        found[name] = path.parent.name
        path.rename(folder / "val" / name)
    for place in [p for p in (folder / "val").iterdir() if p.is_dir()]:
        place.rmdir()
    return found


def _devkit(folder: Path, classes: list[str]) -> Path:
    """The two files of the devkit, in its layout: classes are numbered in an order of their own."""
    numbered = sorted(set(classes), reverse=True)
    rows = [(n + 1, w, synset_lemmas()[w], "gloss", 0) for n, w in enumerate(numbered)]
    rows.append((len(rows) + 1, "n00001740", "entity", "not a leaf", 3))
    fields = ("ILSVRC2012_ID", "WNID", "words", "gloss", "num_children")
    table = np.empty((len(rows), 1), dtype=[(f, object) for f in fields])
    for i, row in enumerate(rows):
        table[i, 0] = row
    data = folder / "ILSVRC2012_devkit_t12" / "data"
    data.mkdir(parents=True)
    savemat(data / "meta.mat", {"synsets": table})
    truth = "".join(f"{numbered.index(w) + 1}\n" for w in classes)
    (data / "ILSVRC2012_validation_ground_truth.txt").write_text(truth)
    return data.parent


@pytest.mark.parametrize("packed", [False, True])
def test_a_flat_validation_folder_is_read_with_the_devkit(
    tmp_path: Path, packed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy("imagenet", tmp_path)
    classes = _flatten(folder)
    devkit = _devkit(folder, list(classes.values()))
    archive = folder / "ILSVRC2012_devkit_t12.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(devkit, "ILSVRC2012_devkit_t12")
    if packed:
        shutil.rmtree(devkit)
    ours = IMAGENET.read(folder, "val")
    assert ours.class_names == miniature_wnids()
    read = {ours.images.id(i): ours.class_names[ours.require_labels()[i]] for i in range(len(ours))}
    assert read == classes
    assert said("imagenet", folder, full=True) == ""
    # torchvision's parser of the same archive, which only takes the published one otherwise
    monkeypatch.setattr(torchvision_imagenet, "_verify_archive", lambda *_: None)
    torchvision_imagenet.parse_devkit_archive(folder)
    assert torchvision_imagenet.load_meta_file(folder)[1] == list(classes.values())


def test_a_flat_validation_folder_without_its_labels_is_told(tmp_path: Path) -> None:
    folder = copy("imagenet", tmp_path)
    classes = _flatten(folder)
    with pytest.raises(DataError, match="lie in one flat folder") as caught:
        IMAGENET.read(folder, "val")
    assert "ILSVRC2012_devkit_t12.tar.gz" in str(caught.value)
    assert "lie in one flat folder" in said("imagenet", folder)
    devkit = _devkit(folder, list(classes.values())[:-3])
    with pytest.raises(DataError, match="the devkit has 17 labels"):
        IMAGENET.read(folder, "val")
    (devkit / "data" / "meta.mat").write_bytes(b"no matrix")
    with pytest.raises(DataError, match="cannot be read"):
        IMAGENET.read(folder, "val")


def test_validation_images_sorted_into_the_wrong_folders_are_noticed(tmp_path: Path) -> None:
    folder = copy("imagenet", tmp_path)
    a, b = (folder / "val" / w for w in miniature_wnids()[:2])
    a.rename(folder / "val" / "aside")
    b.rename(a)
    (folder / "val" / "aside").rename(b)
    assert "2 of 10 class folders hold the images of another class" in said("imagenet", folder)
    with pytest.raises(DataError, match=f"{a.name} holds {b.name}"):
        IMAGENET.read(folder, "val")


def test_every_kind_of_damage_is_named(tmp_path: Path) -> None:
    folder = copy("imagenet", tmp_path)
    first, second, third = miniature_wnids()[:3]
    shutil.rmtree(folder / "train" / first)
    (folder / "train" / f"{first}.tar").write_bytes(b"x")
    (folder / "train" / "n99999999").mkdir()
    (folder / "val" / second / f"ILSVRC2012_val_{samples('imagenet:val', 1)[0]}.JPEG").touch()
    whole = next((folder / "val" / third).iterdir())
    whole.write_bytes(whole.read_bytes()[:-400])
    next((folder / "val" / third).iterdir()).with_name("ILSVRC2012_val_00000000.JPEG").write_bytes(
        b""
    )
    found = said("imagenet", folder, full=True)
    for piece in (
        "train: 9 classes, expected 10", "train: 54 images, expected 60", "6 missing",
        "train: archives or unfinished downloads lie in it, 1 in all", f"{first}.tar",
        "train: 1 folder of no class of it (n99999999)",
        "train: 1 class folder without images (n99999999)",
        "val: 2 images of zero bytes", "val: 22 images, expected 20",
        "val: 2 classes without exactly 2 images",
    ):  # fmt: skip
        assert piece in found, found
    for wrong in (folder / "train" / "n99999999",):
        wrong.rmdir()
    assert "cannot be decoded" in said("imagenet", folder, full=True)
    with pytest.raises(DataError, match="9 class folders"):
        IMAGENET.read(folder, "train")


def test_a_selection_of_classes_is_not_taken_for_the_whole(tmp_path: Path) -> None:
    folder = copy("imagenet-r", tmp_path)
    shutil.rmtree(folder / miniature_wnids()[0])
    with pytest.raises(DataError, match="has 4 class folders") as caught:
        known_dataset("imagenet-r").read(folder, "test")
    assert "read as a plain folder" in str(caught.value)


@pytest.mark.parametrize("name", ["imagenet-r", "imagenet-a"])
def test_masks_are_the_classes_of_the_copy_and_the_control_has_the_same(name: str) -> None:
    index, target, control = imagenet_index(), shift(name), shift(f"{name}:control")
    here = sorted(index[p.name] for p in folder_of(name).iterdir() if p.is_dir())
    assert target.classes == control.classes == tuple(here)
    assert (target.split.domain, control.split.domain) == ("OOD", "ID")
    assert sorted(set(control.split.require_labels().tolist())) == here
    assert len(control.split) == 2 * len(here)  # all of val in those classes
    sketch = shift("imagenet-sketch", miniature_wnids())
    assert sketch.classes is None  # it can show every class of this task
