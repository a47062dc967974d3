"""Virtual checkpoints: what is read is what a merge writes; a changed input is refused."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import load_file

import surefoot
from surefoot.errors import CheckpointError
from surefoot.models.save import save_model
from surefoot.weights import (
    FisherRule,
    Lerp,
    Mean,
    Weights,
    is_virtual,
    materialise,
    merge,
    read_virtual,
    write_safetensors,
    write_virtual,
)

from .test_streaming import fishers, models, written


def test_materialised_it_is_the_merge(tmp_path):
    for rule, count in ((Lerp(alpha=0.25, integers="start"), 2), (Mean(weights=(1, 2, 3)), 3)):
        files = written(tmp_path, models(count))
        found = write_virtual(tmp_path / "v.json", files, rule)
        assert found.rule == rule
        assert is_virtual(tmp_path / "v.json")
        merge(files, tmp_path / "a.safetensors", rule)
        materialise(tmp_path / "v.json", tmp_path / "b.safetensors")
        assert Weights(load_file(tmp_path / "a.safetensors")) == Weights(
            load_file(tmp_path / "b.safetensors")
        )


def test_the_folder_moves_as_a_whole_and_holds_no_absolute_path(tmp_path):
    old = tmp_path / "old"
    old.mkdir()
    write_virtual(old / "v.json", written(old, models(2)), Lerp(alpha=0.5))
    assert str(tmp_path) not in (old / "v.json").read_text()
    old.rename(tmp_path / "new")
    materialise(tmp_path / "new" / "v.json", tmp_path / "o.safetensors")


def test_a_changed_input_is_refused_fishers_too(tmp_path):
    files = written(tmp_path, models(2))
    own = written(tmp_path, fishers(2), "f")
    write_virtual(tmp_path / "v.json", files, FisherRule(fishers=tuple(own)))
    materialise(tmp_path / "v.json", tmp_path / "o.safetensors")
    for victim in (files[0], own[1]):
        kept = victim.read_bytes()
        victim.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        with pytest.raises(CheckpointError, match=f"{victim.name} has changed since"):
            materialise(tmp_path / "v.json", tmp_path / "p.safetensors")
        victim.write_bytes(kept)
    files[1].unlink()
    with pytest.raises(CheckpointError, match=r"m1\.safetensors does not exist"):
        materialise(tmp_path / "v.json", tmp_path / "p.safetensors")
    assert not (tmp_path / "p.safetensors").exists()


def test_files_that_are_none(tmp_path):
    files = written(tmp_path, models(2))
    with pytest.raises(CheckpointError, match=r"ends in \.json"):
        write_virtual(tmp_path / "v.safetensors", files, Lerp())
    path = tmp_path / "v.json"
    for text in ("{", "[]", '{"surefoot": 1}'):
        path.write_text(text)
        assert not is_virtual(path)
        with pytest.raises(CheckpointError, match="is not a virtual checkpoint"):
            read_virtual(path)
    write_virtual(path, files, Lerp())
    about = json.loads(path.read_text())
    for change, message in (({"format": 99}, "has the format 99"), ({"options": None}, "damaged"),
                            ({"checkpoints": [{}]}, "damaged")):  # fmt: skip
        path.write_text(json.dumps({**about, **change}))
        with pytest.raises(CheckpointError, match=message):
            read_virtual(path)


def test_load_reads_one_and_refuses_it_when_an_end_has_changed(tmp_path):
    model = surefoot.load("tiny-clip")
    save_model(model, tmp_path / "a.safetensors")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.01)
    save_model(model, tmp_path / "b.safetensors")
    ends = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    write_virtual(tmp_path / "half.json", ends, Lerp(alpha=0.5))
    merge(ends, tmp_path / "half.safetensors", Lerp(alpha=0.5))
    virtual = surefoot.load(tmp_path / "half.json")
    assert Weights.of(virtual) == Weights.of(surefoot.load(tmp_path / "half.safetensors"))
    assert virtual.spec.source.endswith("half.json")
    write_safetensors(ends[0], {"w": torch.ones(1)})
    with pytest.raises(CheckpointError, match="has changed since"):
        surefoot.load(tmp_path / "half.json")
