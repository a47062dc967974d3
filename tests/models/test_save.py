"""One file holds a whole model: who may read it, and the tokenizer inside."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from surefoot.errors import CheckpointError
from surefoot.models import tiny
from surefoot.models.load import load
from surefoot.models.save import load_saved, read_metadata, save_model
from surefoot.testing import small_clip
from surefoot.weights.fingerprint import fingerprint


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
