"""Files: what is written comes back, what is broken is named."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from surefoot.errors import CheckpointError
from surefoot.weights import Weights, open_tensors, read_safetensors, write_safetensors
from surefoot.weights.dtypes import KINDS
from surefoot.weights.layout import TensorLayout


def sample() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return {
        "w": torch.randn(5, 7),
        "half": torch.randn(3).half(),
        "brain": torch.randn(2, 2).bfloat16(),
        "n": torch.tensor(12),
        "flags": torch.tensor([True, False]),
        "empty": torch.empty(0, 4),
        "turned": torch.randn(4, 6).t(),
    }


def test_round_trip_also_through_the_library(tmp_path):
    path = tmp_path / "w.safetensors"
    write_safetensors(path, sample(), {"card": "text"})
    assert read_safetensors(path) == Weights(sample())
    assert Weights(load_file(path)) == Weights(sample())
    assert open_tensors(path).metadata == {"card": "text"}
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"], "no partial file is left"


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_dtype_of_the_format_is_read_as_the_library_does(tmp_path, name):
    raw = torch.arange(32, dtype=torch.uint8) % 2
    tensor = raw.view(torch.bool) if name == "BOOL" else raw.view(getattr(torch, KINDS[name].name))
    save_file({"x": tensor}, tmp_path / "x.safetensors")
    got = open_tensors(tmp_path / "x.safetensors")["x"]
    with safe_open(tmp_path / "x.safetensors", framework="pt") as theirs:
        want = theirs.get_tensor("x")
    assert got.dtype == want.dtype
    assert torch.equal(got.view(torch.uint8), want.view(torch.uint8))


def test_tied_tensors_and_views_of_one_storage_are_written(tmp_path):
    base = torch.randn(6)
    w = {"a": base, "b": base, "head": base[:2], "rows": base.reshape(2, 3)}
    write_safetensors(tmp_path / "t.safetensors", w)
    assert read_safetensors(tmp_path / "t.safetensors") == Weights(w)


def test_lazy_opening_reads_nothing_and_blocks_read_parts(tmp_path):
    path = tmp_path / "w.safetensors"
    write_safetensors(path, sample())
    opened = open_tensors(path)
    assert set(opened) == set(sample())
    assert (opened.shape("w"), opened.dtype("w"), opened.numel("w")) == ((5, 7), torch.float32, 35)
    assert torch.equal(opened.block("w", 8, 20), sample()["w"].reshape(-1)[8:20])
    assert opened.outline()["half"] == TensorLayout("F16", tuple(sample()["half"].shape))
    assert len(opened) == 7


def test_sharded_index_and_folders(tmp_path):
    save_file({"a": torch.ones(2), "b": torch.zeros(3)}, tmp_path / "m-1.safetensors")
    save_file({"c": torch.ones(1)}, tmp_path / "m-2.safetensors")
    table = {"a": "m-1.safetensors", "b": "m-1.safetensors", "c": "m-2.safetensors"}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": table}))
    want = Weights({"a": torch.ones(2), "b": torch.zeros(3), "c": torch.ones(1)})
    assert read_safetensors(index) == want
    assert read_safetensors(tmp_path) == want
    assert [f.name for f in open_tensors(index).files] == ["m-1.safetensors", "m-2.safetensors"]
    (tmp_path / "m-2.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"'m-2\.safetensors', which is not there"):
        open_tensors(index)
    index.write_text(json.dumps({"weight_map": {**table, "d": "m-1.safetensors", "c": table["a"]}}))
    with pytest.raises(CheckpointError, match=r"m-1.safetensors does not hold '[cd]'"):
        open_tensors(index)
    index.write_text("{}")
    with pytest.raises(CheckpointError, match="cannot be read"):
        open_tensors(index)


def test_shards_in_folders_of_one_name(tmp_path):
    for folder, value in (("1", 1.0), ("2", 2.0)):
        (tmp_path / folder).mkdir()
        save_file({folder: torch.full((2,), value)}, tmp_path / folder / "m.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {n: f"{n}/m.safetensors" for n in "12"}}))
    assert read_safetensors(index) == Weights({"1": torch.ones(2), "2": torch.full((2,), 2.0)})


@pytest.mark.parametrize(
    "place", ["../out.safetensors", "in/../../out.safetensors", "{root}/out.safetensors",
              "..\\out.safetensors", "C:out.safetensors", "", 3, None],
)  # fmt: skip
def test_an_index_names_no_file_outside_of_its_folder(tmp_path, place):
    from surefoot.models.checkpoints import read_checkpoint

    save_file({"a": torch.ones(2)}, tmp_path / "out.safetensors")
    (tmp_path / "m" / "in").mkdir(parents=True)
    index = tmp_path / "m" / "model.safetensors.index.json"
    place = place.format(root=tmp_path) if isinstance(place, str) else place
    index.write_text(json.dumps({"weight_map": {"a": place}}))
    for read in (open_tensors, read_checkpoint):
        with pytest.raises(CheckpointError, match="outside of its folder"):
            read(index)


@pytest.mark.parametrize("about", ["[]", "3", '{"weight_map": 3}', '{"weight_map": [1]}', "{"])
def test_an_index_of_another_form_is_refused(tmp_path, about):
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(about)
    with pytest.raises(CheckpointError, match="cannot be read"):
        open_tensors(index)


@pytest.mark.parametrize("wrap", [lambda d: d, lambda d: {"state_dict": d, "epoch": 3}])
def test_pt_files_are_mapped_without_running_anything(tmp_path, wrap):
    torch.save(wrap(sample()), tmp_path / "w.pt")
    opened = open_tensors(tmp_path / "w.pt")
    assert Weights(dict(opened)) == Weights(sample())
    assert torch.equal(opened.block("turned", 1, 9), sample()["turned"].reshape(-1)[1:9])


class Evil:
    def __reduce__(self):
        return os.system, ("exit 1",)


def test_a_pickle_that_runs_code_is_refused(tmp_path):
    torch.save({"w": torch.ones(1), "x": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(CheckpointError, match=r"evil\.pt cannot be read as a checkpoint"):
        open_tensors(tmp_path / "evil.pt")


def test_files_that_are_no_checkpoints(tmp_path):
    good = tmp_path / "good.safetensors"
    write_safetensors(good, sample())
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(good.read_bytes()[:-10])
    for name, content in (("text.safetensors", b"hello"), ("empty.safetensors", b""),
                          ("text.pt", b"hello"), ("empty.pt", b"")):  # fmt: skip
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError, match=f"{name} cannot be read"):
            open_tensors(tmp_path / name)
    with pytest.raises(CheckpointError, match=r"cut\.safetensors cannot be read"):
        open_tensors(cut)
    torch.save({"epoch": 3}, tmp_path / "nothing.pt")
    with pytest.raises(CheckpointError, match="holds no state dict"):
        open_tensors(tmp_path / "nothing.pt")
    with pytest.raises(CheckpointError, match="does not exist"):
        open_tensors(tmp_path / "absent.safetensors")
    with pytest.raises(CheckpointError, match="holds no single checkpoint"):
        open_tensors(tmp_path)


def test_a_file_cut_after_opening_is_named(tmp_path):
    path = tmp_path / "w.safetensors"
    write_safetensors(path, {"w": torch.ones(100)})
    opened = open_tensors(path)
    with open(path, "rb+") as f:
        f.truncate(200)
    with pytest.raises(CheckpointError, match="ends inside of 'w'"):
        opened["w"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "w.safetensors"
    write_safetensors(path, {"w": torch.ones(2)})

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_safetensors(path, {"w": torch.zeros(2)})
    monkeypatch.undo()
    assert read_safetensors(path) == Weights({"w": torch.ones(2)})
    assert [p.name for p in Path(tmp_path).iterdir()] == ["w.safetensors"]


@pytest.mark.skipif(os.name == "nt", reason="file modes are POSIX")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_file_is_as_readable_as_the_umask_says(tmp_path: Path, mask: int, mode: int) -> None:
    old = os.umask(mask)
    try:
        write_safetensors(tmp_path / "t.safetensors", {"a": torch.ones(2)})
        (tmp_path / "plain").touch()
    finally:
        os.umask(old)
    written = (tmp_path / "t.safetensors").stat().st_mode & 0o777
    assert written == mode == (tmp_path / "plain").stat().st_mode & 0o777
    assert {p.name for p in tmp_path.iterdir()} == {"t.safetensors", "plain"}
