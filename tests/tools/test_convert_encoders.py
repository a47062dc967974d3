"""tools/convert_encoders.py on small tensors: folding changes nothing, names and orders fit."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from torch import nn

TOOLS = Path(__file__).parents[2] / "tools"
if str(TOOLS) not in sys.path:
    sys.path.insert(0, str(TOOLS))

import convert_encoders  # noqa: E402


def test_folding_a_normalisation_keeps_the_function() -> None:
    """Without padding it is exact: conv and norm see (x - shift) / scale or timm's (x - m) / s."""
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(3, 5, 3, bias=False), nn.BatchNorm2d(5).eval()
    with torch.no_grad():
        for tensor in (norm.weight, norm.bias, norm.running_mean):
            tensor.copy_(torch.randn(5))
        norm.running_var.copy_(torch.rand(5) + 0.5)
    state = {"conv.weight": conv.weight.detach(), "norm.running_mean": norm.running_mean.clone()}
    shift, scale = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.01, 0.02, 0.03])
    folded = convert_encoders.fold(state, "conv", "norm", "resnet50", shift, scale)
    cfg = timm.create_model("resnet50", pretrained=False).pretrained_cfg
    pixels = torch.rand(2, 3, 9, 9)

    def normalised(mean: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
        return (pixels - mean[:, None, None]) / std[:, None, None]

    with torch.no_grad():
        before = norm(conv(normalised(shift, scale)))
        conv.weight.copy_(folded["conv.weight"])
        norm.running_mean.copy_(folded["norm.running_mean"])
        after = norm(conv(normalised(torch.tensor(cfg["mean"]), torch.tensor(cfg["std"]))))
    assert torch.allclose(before, after, rtol=1e-4, atol=1e-3)


def test_a_keras_block_keeps_its_function_without_bias_and_with_timms_epsilon() -> None:
    rng = np.random.default_rng(0)
    held = {
        "c/kernel": rng.normal(size=(3, 3, 2, 4)), "c/bias": rng.normal(size=4),
        "n/gamma": rng.normal(size=4), "n/beta": rng.normal(size=4),
        "n/moving_mean": rng.normal(size=4), "n/moving_variance": rng.random(4),
    }  # fmt: skip
    held = {k: v.astype(np.float32) for k, v in held.items()}
    state: dict[str, torch.Tensor] = {}
    convert_encoders._conv_norm(dict(held), "c", "n", "conv", "norm", state)
    x = torch.randn(1, 2, 5, 5)
    kernel = torch.from_numpy(held["c/kernel"].transpose(3, 2, 0, 1).copy())
    plain = nn.functional.conv2d(x, kernel, torch.from_numpy(held["c/bias"]))
    keras = nn.functional.batch_norm(
        plain, *(torch.from_numpy(held[f"n/{k}"]) for k in
                 ("moving_mean", "moving_variance", "gamma", "beta")), eps=1e-3
    )  # fmt: skip
    ours = nn.functional.batch_norm(
        nn.functional.conv2d(x, state["conv.weight"]), state["norm.running_mean"],
        state["norm.running_var"], state["norm.weight"], state["norm.bias"], eps=1e-5,
    )  # fmt: skip
    assert torch.allclose(keras, ours, rtol=1e-4, atol=1e-5)


def test_a_dilation_stands_for_a_stride_before_the_convolution() -> None:
    """conv(x[::2]) with padding 1 is a convolution of x with stride, dilation and padding 2."""
    torch.manual_seed(0)
    weight = torch.randn(4, 3, 3, 3)
    for side in (8, 9):
        x = torch.randn(1, 3, side, side)
        keras = nn.functional.conv2d(x[..., ::2, ::2], weight, padding=1)
        ours = nn.functional.conv2d(x, weight, stride=2, dilation=2, padding=2)
        assert torch.allclose(keras, ours, atol=1e-5)


def test_shards_are_read_across_their_borders(tmp_path: Path) -> None:
    values = np.arange(10, dtype=np.float32)
    raw = values.tobytes()
    (tmp_path / "a.bin").write_bytes(raw[:14])
    (tmp_path / "b.bin").write_bytes(raw[14:])
    weights = [{"name": "one", "shape": [2, 3]}, {"name": "two", "shape": [4]}]
    manifest = [{"paths": ["a.bin", "b.bin"], "weights": weights}]
    (tmp_path / "model.json").write_text(json.dumps({"weightsManifest": manifest}))
    found = convert_encoders.keras_tensors(tmp_path)
    assert found["one"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["two"].tolist() == [6, 7, 8, 9]
    (tmp_path / "b.bin").write_bytes(raw[14:] + b"more")
    with pytest.raises(SystemExit, match="4 bytes of weights are left over"):
        convert_encoders.keras_tensors(tmp_path)
