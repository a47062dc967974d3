"""Image-text pairs: where captions come from, how several stay together, what is published."""

from __future__ import annotations

import hashlib
import json
import tarfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from surefoot.data.caption_table import CLASS_NAMES
from surefoot.data.captions import (
    CaptionTable,
    caption_table,
    class_prompts,
    from_coco_captions,
    join_captions,
    pairs_subset,
    read_pairs,
    split_captions,
)
from surefoot.data.dataset import Split
from surefoot.errors import BadImages, DataError

from ..conftest import CLASSES, drawn_split, write_folders

IMAGES = [{"id": 7, "file_name": "b.png"}, {"id": 3, "file_name": "a.png"},
          {"id": 9, "file_name": "c.png"}]  # fmt: skip
SAID = [
    {"id": 30, "image_id": 3, "caption": "a cat\n on a mat "},
    {"id": 12, "image_id": 7, "caption": "a red bus"},
    {"id": 11, "image_id": 7, "caption": "a bus"},
    {"id": 13, "image_id": 7, "caption": "  "},
]


def coco(folder: Path, images: Any = IMAGES, said: Any = SAID, *, files: str = "abc") -> Path:
    (folder / "images").mkdir(parents=True)
    for name in files:
        Image.new("RGB", (4, 4), (ord(name), 0, 0)).save(folder / "images" / f"{name}.png")
    path = folder / "captions.json"
    path.write_text(json.dumps({"images": images, "annotations": said}))
    return path


def captioned(captions: list[str], **fields: Any) -> Split:
    split = drawn_split("pairs", len(captions), 0, use="train")
    return replace(split, captions=captions, **fields)


def unsaid(n: int, **fields: Any) -> Split:
    return replace(drawn_split("pairs", n, 0, use="train"), **fields)


def test_coco_keeps_the_files_order_and_every_caption(tmp_path: Path) -> None:
    path = coco(tmp_path)
    split = read_pairs(f"coco:{path}:{tmp_path / 'images'}")
    assert [split.images.id(i) for i in range(len(split))] == ["b.png", "a.png"]
    assert split.captions is not None
    said = [split_captions(split.captions[i]) for i in range(2)]
    assert said == [["a bus", "a red bus"], ["a cat on a mat"]]  # by id; white space collapsed
    assert split.images[1].getpixel((0, 0))[0] == ord("a")
    assert split.notes == ("1 images of captions.json without a caption are left out",)
    assert split.labels is None


def test_coco_files_that_are_missing_are_named(tmp_path: Path) -> None:
    path = coco(tmp_path, files="ac")
    with pytest.raises(BadImages, match=r"b\.png: the file is missing"):
        from_coco_captions(path, tmp_path / "images")
    split = from_coco_captions(path, tmp_path / "images", skip_missing=True)
    assert [split.images.id(i) for i in range(len(split))] == ["a.png"]
    assert "1 images of captions.json whose file is missing are left out" in split.notes
    with pytest.raises(BadImages, match="2 files"):
        from_coco_captions(path, tmp_path / "elsewhere", skip_missing=True)


BROKEN: dict[str, tuple[Any, Any, str]] = {
    "instances": (IMAGES, [{"image_id": 3, "category_id": 1}], "no 'caption'"),
    "stray": (IMAGES, [{"image_id": 4, "caption": "x"}], "a caption of the image 4"),
    "twice": ([*IMAGES, IMAGES[0]], SAID, "lists an image id twice"),
    "silent": (IMAGES, [], "no image of .* has a caption"),
    "a list": (["a.png"], SAID, "cannot be read as COCO captions"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_file_that_is_not_cocos_says_why(case: str, tmp_path: Path) -> None:
    images, said, message = BROKEN[case]
    path = coco(tmp_path, images, said)
    with pytest.raises(DataError, match=message):
        from_coco_captions(path, tmp_path / "images")


def test_coco_specs_that_cannot_be_meant(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not coco:FILE"):
        read_pairs("coco:captions.json")
    with pytest.raises(DataError, match="do not exist"):
        read_pairs(f"coco:{tmp_path / 'none.json'}:{tmp_path}")
    (tmp_path / "torn.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read as COCO"):
        read_pairs(f"coco:{tmp_path / 'torn.json'}:{tmp_path}")


def test_a_table_a_shard_and_folders_are_pairs_too(tmp_path: Path) -> None:
    image = Image.new("RGB", (4, 4))
    image.save(tmp_path / "x.png")
    (tmp_path / "t.csv").write_text("path,caption\nx.png,a dot\nx.png,\n")
    table = read_pairs(tmp_path / "t.csv")
    assert list(table.captions or ()) == ["a dot"]
    assert "1 images without a caption are left out" in table.notes
    data = BytesIO()
    image.save(data, "PNG")
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        for name, raw in (("0.png", data.getvalue()), ("0.txt", b"one dot")):
            member = tarfile.TarInfo(name)
            member.size = len(raw)
            tar.addfile(member, BytesIO(raw))
    assert list(read_pairs(f"wds:{tmp_path / 's.tar'}").captions or ()) == ["one dot"]
    folders = read_pairs(write_folders(tmp_path / "f", 6, seed=0), templates=("{}", "a {} icon"))
    assert folders.captions is not None
    assert split_captions(folders.captions[0]) == ["bar", "a bar icon"]
    assert CLASS_NAMES in folders.notes
    (tmp_path / "e.csv").write_text("path,caption\nx.png,\n")
    with pytest.raises(DataError, match=r"every caption of .* is empty"):
        read_pairs(tmp_path / "e.csv")


def test_prompts_need_labels() -> None:
    with pytest.raises(DataError, match="neither captions nor labels"):
        class_prompts(unsaid(2, labels=None))
    split = unsaid(3)
    named = class_prompts(split, ("the {}",), prompt_names=("disc", "box", "line"))
    assert list(named.captions or ()) == ["the disc", "the box", "the line"]


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x1f"), max_size=6)


@settings(deadline=None)
@given(st.lists(TEXT, max_size=5))
def test_joined_captions_come_apart_again(captions: list[str]) -> None:
    clean = [" ".join(c.split()) for c in captions]
    assert split_captions(join_captions(captions)) == [c for c in clean if c]


WORD = st.sampled_from("abcdef")
SEVERAL_EACH = st.lists(st.lists(WORD, min_size=1, max_size=3), min_size=1, max_size=12)


def said_of(table: CaptionTable) -> list[list[str]]:
    return [
        [table.texts[r] for r in table.rows[table.starts[i] : table.starts[i + 1]]]
        for i in range(len(table))
    ]


@settings(deadline=None)
@given(SEVERAL_EACH)
def test_a_table_holds_every_caption_once(captions: list[list[str]]) -> None:
    table = caption_table(captioned([join_captions(c) for c in captions]))
    assert said_of(table) == captions
    assert len(set(table.texts)) == len(table.texts)
    shared = [set(c) for c in captions]
    met = any(shared[i] & shared[j] for i in range(len(shared)) for j in range(i))
    assert table.repeats == met
    order = np.roll(np.arange(len(captions)), 1)
    assert said_of(table.permuted(order)) == [captions[i] for i in order]


def test_the_templates_of_one_class_mean_the_same() -> None:
    split = unsaid(7)
    table = caption_table(split, templates=("a {}", "one {}"))
    assert len(table.texts) == 2 * len(CLASSES)
    by_group: dict[int, set[str]] = {}
    for text, group in zip(table.texts, table.groups.tolist(), strict=True):
        by_group.setdefault(group, set()).add(text.split()[1])
    assert sorted(map(sorted, by_group.values())) == sorted([c] for c in CLASSES)
    assert table.repeats
    assert table.label_share == 1.0
    # Also where the labels are of another task and were dropped.
    bare = replace(class_prompts(split, ("a {}", "one {}")), labels=None, class_names=())
    assert np.array_equal(caption_table(bare).groups, table.groups)


def test_how_often_a_caption_names_the_class() -> None:
    said = ["a circle", "squares", "a BAR here", "nothing", "square", "a crowbar"]
    assert caption_table(captioned(said)).label_share == pytest.approx(3 / 6)
    assert caption_table(captioned(said, labels=None, class_names=())).label_share is None


def test_an_image_without_a_caption_is_named() -> None:
    with pytest.raises(DataError, match="'drawn/1' of 'pairs' has no caption"):
        caption_table(captioned(["a", " ", "b"]))


def test_a_subset_can_be_drawn_again_and_checked() -> None:
    split = captioned([f"caption {i}" for i in range(30)])
    part = pairs_subset(split, 9, seed=4)
    assert len(part.split) == 9
    assert part.ids == tuple(part.split.images.id(i) for i in range(9))
    assert part.sha256 == hashlib.sha256("\n".join(part.ids).encode()).hexdigest()
    assert pairs_subset(split, 9, seed=4).sha256 == part.sha256
    assert pairs_subset(split, 9, seed=5).sha256 != part.sha256
    assert part.split.labels is not None
    assert np.bincount(part.split.labels).tolist() == [3, 3, 3]
    assert part.split.captions is not None
    for i, name in enumerate(part.ids):
        assert part.split.captions[i] == f"caption {name.split('/')[1]}"
    assert pairs_subset(split, None).ids == pairs_subset(split, 99).ids
    with pytest.raises(DataError, match="a subset of 0 pairs"):
        pairs_subset(split, 0)


def test_a_published_draw_stays_what_it_was() -> None:
    """The hash of a known draw: another one would make published id lists worthless."""
    part = pairs_subset(captioned([f"caption {i}" for i in range(30)]), 6, seed=0)
    assert part.sha256[:16] == "d9b676939fee8ae3"
