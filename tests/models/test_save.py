"""One file holds a whole model: who may read it, and the tokenizer inside."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from surefoot.errors import CheckpointError
from surefoot.models import tiny
from surefoot.models.load import load
from surefoot.models.save import load_saved, read_metadata, save_model, write_tensors
from surefoot.testing import small_clip
from surefoot.weights.fingerprint import fingerprint


@pytest.mark.skipif(os.name == "nt", reason="file modes are POSIX")
@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_file_is_as_readable_as_the_umask_says(tmp_path: Path, mask: int, mode: int) -> None:
    old = os.umask(mask)
    try:
        write_tensors({"a": torch.ones(2)}, tmp_path / "t.safetensors", {})
        (tmp_path / "plain").touch()
    finally:
        os.umask(old)
    written = (tmp_path / "t.safetensors").stat().st_mode & 0o777
    assert written == mode == (tmp_path / "plain").stat().st_mode & 0o777
    assert {p.name for p in tmp_path.iterdir()} == {"t.safetensors", "plain"}


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    shared = torch.ones(4)
    with pytest.raises(RuntimeError, match="share memory"):
        write_tensors({"a": shared, "b": shared[:2]}, tmp_path / "t.safetensors", {})
    assert list(tmp_path.iterdir()) == []


def test_the_tokenizer_travels_with_tiny_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small_clip()
    file = tmp_path / "m.safetensors"
    save_model(model, file)
    about = read_metadata(file)
    assert about is not None
    assert list(about["files"]) == [tiny.TOKENIZER]
    expected = model.require_text("a test").encode(["a red square"])
    # Another version of the package may ship another tokenizer, or none.
    monkeypatch.setattr(tiny, "BUILTIN", tmp_path)
    again = load_saved(file)
    assert fingerprint(again) == fingerprint(model)
    torch.testing.assert_close(again.require_text("a test").encode(["a red square"]), expected)
    with pytest.raises(CheckpointError, match="is not beside the weights"):
        tiny.build(model.spec.builder)
    with pytest.raises(CheckpointError, match="not the one"):
        tiny.build(model.spec.builder, files={tiny.TOKENIZER: about["files"][tiny.TOKENIZER] + " "})


def test_the_built_in_weights_take_the_packages_tokenizer() -> None:
    about = read_metadata(tiny.BUILTIN / "tiny_clip.safetensors")
    assert about is not None
    assert about["files"] == {}
    assert load("tiny-clip").text is not None
