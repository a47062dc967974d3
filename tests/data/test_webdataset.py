"""WebDataset shards, against the webdataset package's own reader."""

from __future__ import annotations

import gc
import gzip
import io
import json
import pickle
import tarfile
import warnings
from pathlib import Path

import numpy as np
import pytest

from surefoot.data.webdataset import from_webdataset, shards
from surefoot.errors import DataError

from .pictures import encoded


def shard(file: Path, members: list[tuple[str, bytes]]) -> Path:
    with tarfile.open(file, "w") as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file


def sample(i: int, label: str | None = None, **extra: bytes) -> list[tuple[str, bytes]]:
    members = [(f"s{i:04d}.png", encoded(i))]
    if label is not None:
        members.append((f"s{i:04d}.cls", label.encode()))
    return members + [(f"s{i:04d}.{k}", v) for k, v in extra.items()]


def read(pattern: Path | str, **options: object):
    return from_webdataset(pattern, **{"name": "train", "domain": "ID", "use": "train", **options})


def peers(pattern: str) -> list[dict[str, object]]:
    """The samples as the package reads them; it leaves its files to the garbage collector."""
    wds = pytest.importorskip("webdataset")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        found = list(wds.WebDataset(pattern, shardshuffle=False, empty_check=False))
        gc.collect()
    return found


def many(root: Path, count: int = 3, each: int = 5) -> str:
    for number in range(count):
        members = []
        for i in range(number * each, (number + 1) * each):
            meta = {"site": f"x{i % 2}", "hour": i, "nested": {"a": 1}, "class_name": f"n{i % 3}"}
            members += sample(
                i, str(i % 3), txt=f"text {i}".encode(), json=json.dumps(meta).encode()
            )
        shard(root / f"d-{number:03d}.tar", members)
    return str(root / "d-{000..%03d}.tar") % (count - 1)


def test_same_samples_as_the_webdataset_package(tmp_path: Path) -> None:
    pattern = many(tmp_path)
    split = read(pattern)
    peer = peers(pattern)
    assert len(split) == len(peer) == 15
    for i in np.random.default_rng(0).permutation(15).tolist():
        assert split.images.id(i).split("/", 1)[1] == peer[i]["__key__"]
        assert split.images.id(i).split("/", 1)[0] == Path(peer[i]["__url__"]).name
        assert split.images.read(i) == peer[i]["png"]
        assert split.labels[i] == int(peer[i]["cls"])
        assert split.captions[i] == peer[i]["txt"].decode()
        assert split.metadata["hour"][i] == json.loads(peer[i]["json"])["hour"]
    assert set(split.metadata) == {"site", "hour", "class_name"}


def test_keys_follow_the_packages_rule(tmp_path: Path) -> None:
    members = [
        ("a.b/c.d/x.seg.png", encoded(1)), ("a.b/c.d/x.PNG", encoded(2)), ("a.b/c.d/x.cls", b"1"),
        ("__meta__.txt", b"no"), ("y.cls", b"0"), ("y.jpg", encoded(3, "JPEG")),
        ("./z.png", encoded(4)), ("./z.cls", b"1"), ("lonely.txt", b"words"),
    ]  # fmt: skip
    file = shard(tmp_path / "k.tar", members)
    split = read(file)
    peer = [s for s in peers(str(file)) if {"png", "jpg"} & set(s)]
    assert [split.images.id(i) for i in range(3)] == [f"k.tar/{s['__key__']}" for s in peer]
    assert split.labels.tolist() == [1, 0, 1]
    assert split.images.read(0) == encoded(2)


def test_names_from_json_from_a_list_and_from_the_labels(tmp_path: Path) -> None:
    pattern = many(tmp_path)
    assert read(pattern).class_names == ("n0", "n1", "n2")
    (tmp_path / "classes.txt").write_text("zebra\nape\nwolf\nunused\n")
    assert read(pattern).class_names == ("zebra", "ape", "wolf", "unused")
    assert read(pattern).labels[:3].tolist() == [0, 1, 2]
    (tmp_path / "classes.txt").write_text("zebra\n")
    with pytest.raises(DataError, match="lists 1 classes, and a sample has class"):
        read(pattern)
    (tmp_path / "names").mkdir()
    file = shard(tmp_path / "names" / "n.tar", sample(0, "wolf") + sample(1, "ape"))
    assert read(file).class_names == ("ape", "wolf")
    file = shard(tmp_path / "names" / "m.tar", sample(0, "10") + sample(1, "9"))
    assert read(file).class_names == ("9", "10")


def test_class_names_that_contradict_each_other(tmp_path: Path) -> None:
    file = shard(tmp_path / "c.tar", sample(0, "0", json=b'{"class_name": "a"}')
                 + sample(1, "0", json=b'{"class_name": "b"}'))  # fmt: skip
    with pytest.raises(DataError, match="'a' and 'b'"):
        read(file)


def test_patterns(tmp_path: Path) -> None:
    many(tmp_path, 3)
    everything = [str(tmp_path / f"d-00{i}.tar") for i in range(3)]
    assert shards(tmp_path / "d-{000..002}.tar") == everything
    assert shards(tmp_path / "d-*.tar") == everything
    assert shards(tmp_path / "d-00{2,0}.tar") == [everything[2], everything[0]]
    with pytest.raises(DataError, match=r"no shard matches .*d-003.tar"):
        shards(tmp_path / "d-{000..003}.tar")
    with pytest.raises(DataError, match="no shard matches"):
        shards(tmp_path / "e-*.tar")
    for remote in ("https://host/x.tar", "pipe:cat x.tar", "s3://bucket/x.tar"):
        with pytest.raises(DataError, match="not on this machine"):
            shards(remote)


def test_shards_that_cannot_be_read(tmp_path: Path) -> None:
    good = shard(tmp_path / "a.tar", sample(0, "0")).read_bytes()
    (tmp_path / "b.tar").write_bytes(gzip.compress(good))
    with pytest.raises(DataError, match="is compressed"):
        read(tmp_path / "b.tar")
    (tmp_path / "c.tar").write_bytes(b"not a tar at all" * 100)
    with pytest.raises(DataError, match="no tar file or is damaged"):
        read(tmp_path / "c.tar")
    long = shard(tmp_path / "d.tar", [("x.png", b"0" * 4000), ("x.cls", b"1")]).read_bytes()
    (tmp_path / "e.tar").write_bytes(long[:2000])
    with pytest.raises(DataError, match="no tar file or is damaged"):
        read(tmp_path / "e.tar")
    with pytest.raises(DataError, match="hold no images"):
        read(shard(tmp_path / "f.tar", [("x.txt", b"words")]))
    with pytest.raises(DataError, match=r"x.json is not JSON"):
        read(shard(tmp_path / "g.tar", [("x.png", encoded()), ("x.json", b"{")]))


def test_some_labels_missing(tmp_path: Path) -> None:
    file = shard(tmp_path / "a.tar", sample(0, "0") + sample(1) + sample(2, "1"))
    with pytest.raises(DataError, match=r"1 row of .* has no label .row 2,"):
        read(file)


def test_the_images_travel_to_other_processes(tmp_path: Path) -> None:
    split = read(many(tmp_path))
    again = pickle.loads(pickle.dumps(split.images))
    assert again.read(7) == split.images.read(7) == encoded(7)
    again.close()
