"""Foreign checkpoints in the formats in which they are published, good, damaged and hostile."""

from __future__ import annotations

import argparse
import json
import os
import pickle
import sys
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from surefoot.errors import CheckpointError, ModelError, UnsafePickle
from surefoot.models.checkpoints import read_checkpoint
from surefoot.models.load import load
from surefoot.models.states import check_state, common_prefix, strip_prefix

from . import clips

ZIP = pytest.mark.parametrize("as_zip", [True, False], ids=["zip", "legacy"])


def module() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Sequential(nn.Linear(4, 2)))


def write(value: object, path: Path, as_zip: bool = True) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=as_zip)
    return path


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return set(a) == set(b) and all(torch.equal(a[k], b[k]) for k in a)


@ZIP
@pytest.mark.parametrize(
    ("wrap", "inside"),
    [
        (lambda m: m.state_dict(), ()),
        (lambda m: {"state_dict": m.state_dict(), "epoch": 3}, ("state_dict",)),
        (lambda m: {"model": m.state_dict(), "args": argparse.Namespace(lr=0.1)}, ("model",)),
        (lambda m: m, ()),
        (lambda m: {"model": m}, ("model",)),
        (lambda m: nn.ModuleDict({"a": m})["a"], ()),
    ],
    ids=["state", "nested", "namespace", "module", "module-in-dict", "child"],
)
def test_torch_files(
    tmp_path: Path, as_zip: bool, wrap: Callable[[nn.Module], Any], inside: tuple[str, ...]
) -> None:
    peer = module()
    found = read_checkpoint(write(wrap(peer), tmp_path / "w.pt", as_zip))
    assert equal(found.state, peer.state_dict())
    assert found.inside == inside


def test_namespaces_and_numbers_become_facts(tmp_path: Path) -> None:
    value = {"model": module().state_dict(), "args": argparse.Namespace(arch="vit"), "epoch": 7}
    found = read_checkpoint(write(value, tmp_path / "w.pt"))
    assert found.facts["args"] == {"arch": "vit"}
    assert found.facts["epoch"] == 7


def test_non_persistent_buffers_stay_out(tmp_path: Path) -> None:
    peer = module()
    peer.register_buffer("kept", torch.ones(2))
    peer.register_buffer("gone", torch.ones(2), persistent=False)
    found = read_checkpoint(write(peer, tmp_path / "w.pt"))
    assert "kept" in found.state
    assert "gone" not in found.state


class Command:
    """Pickles as a call of something that it should not call."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


@ZIP
@pytest.mark.parametrize("nested", [False, True], ids=["bare", "nested"])
@pytest.mark.parametrize(
    ("function", "args", "named"),
    [
        (os.system, ("touch {}",), "system"),
        (eval, ("open('{}', 'w')",), "eval"),
        (exec, ("open('{}', 'w')",), "exec"),
        (os.mkdir, ("{}",), "mkdir"),
        (getattr, (os, "system"), "os"),
        (torch.load, ("{}",), "torch.serialization.load"),
        (pickle.loads, (b"",), "loads"),
    ],
    ids=["system", "eval", "exec", "mkdir", "getattr", "torch.load", "loads"],
)
def test_pickles_that_want_to_run_something_are_refused(
    tmp_path: Path, as_zip: bool, nested: bool, function: Any, args: tuple[Any, ...], named: str
) -> None:
    mark = tmp_path / "touched"
    said = tuple(a.format(mark) if isinstance(a, str) else a for a in args)
    if function is getattr:
        said = (Command(__import__, "os"), "system")
        named = "__import__"
    bad: Any = Command(function, *said)
    value = {"state_dict": module().state_dict(), "args": argparse.Namespace(x=bad)}
    path = write(value if nested else bad, tmp_path / "w.pt", as_zip)
    with pytest.raises(UnsafePickle, match=named):
        read_checkpoint(path)
    assert not mark.exists()


def test_a_module_whose_state_hides_a_command_is_refused(tmp_path: Path) -> None:
    peer = module()
    peer.trap = Command(os.system, f"touch {tmp_path / 'touched'}")  # type: ignore[assignment]
    with pytest.raises(UnsafePickle, match="system"):
        read_checkpoint(write(peer, tmp_path / "w.pt"))
    assert not (tmp_path / "touched").exists()


def test_builders_cannot_be_altered_through_build(tmp_path: Path) -> None:
    """BUILD on a function would rewrite torch for the rest of the process."""
    opcodes = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x01\x00\x00\x00aK\x01sb."
    peer = module().state_dict()
    path = write(peer, tmp_path / "w.pt")
    bad = tmp_path / "bad.pt"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(bad, "w") as new:
        for name in old.namelist():
            new.writestr(name, opcodes if name.endswith("data.pkl") else old.read(name))
    with pytest.raises(UnsafePickle, match="alter"):
        read_checkpoint(bad)
    assert not hasattr(torch._utils._rebuild_tensor_v2, "a")


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_torchscript_archives_are_read_as_data(tmp_path: Path, monkeypatch: Any) -> None:
    peer = module().eval()
    torch.jit.trace(peer, torch.zeros(2, 3)).save(str(tmp_path / "t.pt"))

    def forbidden(*args: object, **kwargs: object) -> None:
        raise AssertionError("the archive's program must not be built")

    monkeypatch.setattr(torch.jit, "load", forbidden)
    found = read_checkpoint(tmp_path / "t.pt")
    assert found.kind == "torchscript"
    assert equal(found.state, peer.state_dict())


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors", "w.bin"])
@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04broken"])
def test_damaged_files(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_checkpoint(tmp_path / name)


@ZIP
def test_a_truncated_file(tmp_path: Path, as_zip: bool) -> None:
    path = write(module().state_dict(), tmp_path / "w.pt", as_zip)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_checkpoint(path)


def test_missing_files_and_files_without_tensors(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no file"):
        read_checkpoint(tmp_path / "w.pt")
    with pytest.raises(CheckpointError, match="no tensors"):
        read_checkpoint(write({"epoch": 1}, tmp_path / "w.pt"))


def test_sharded_safetensors(tmp_path: Path) -> None:
    state = module().state_dict()
    names = list(state)
    save_file({k: state[k] for k in names[:3]}, tmp_path / "a.safetensors")
    save_file({k: state[k] for k in names[3:]}, tmp_path / "b.safetensors")
    places = {k: "a.safetensors" if k in names[:3] else "b.safetensors" for k in names}
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    assert equal(read_checkpoint(index).state, state)


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.", "module.encoder.backbone."])
def test_prefixes_come_off(prefix: str) -> None:
    state = module().state_dict()
    assert equal(strip_prefix({prefix + k: v for k, v in state.items()}, state), state)


def test_no_prefix_where_the_keys_are_right() -> None:
    assert common_prefix(["a.b", "c.a.b", "d"], ["a.b", "d"]) == ""


def test_every_mismatch_is_in_one_error() -> None:
    wanted = module().state_dict()
    state = dict(wanted)
    del state["0.weight"]
    state["0.bias"] = torch.zeros(5)
    state["1.weight"] = torch.ones(4, dtype=torch.int32)
    state["1.bias"] = torch.tensor([0.0, float("nan"), float("inf"), 1.0])
    state["extra"] = torch.zeros(2)
    with pytest.raises(CheckpointError) as caught:
        check_state(state, wanted, where="w.pt")
    text = str(caught.value)
    for part in (
        "missing: 0.weight (4, 3)",
        "shape: 0.bias is (5,), not (4,)",
        "dtype: 1.weight is torch.int32, not a float",
        "not finite: 1.bias has 2 NaN",
        "unexpected: extra (2,)",
        "5 mismatches",
    ):
        assert part in text, part


def test_heads_are_left_out_and_reported_half_becomes_single() -> None:
    wanted = module().state_dict()
    state = {k: v.half() if v.is_floating_point() else v for k, v in wanted.items()}
    state["fc.weight"] = torch.zeros(2, 2)
    checked = check_state(state, wanted, where="w.pt", tolerate_heads=True)
    assert checked.left_out == ("fc.weight",)
    assert all(v.dtype == wanted[k].dtype for k, v in checked.state.items())
    assert any("float16" in n for n in checked.notes)
    assert any("fc.weight" in n for n in checked.notes)
    with pytest.raises(CheckpointError, match=r"unexpected: fc\.weight"):
        check_state(state, wanted, where="w.pt")


@pytest.mark.parametrize("named", [False, True], ids=["inferred", "named"])
def test_openais_state_dict(tmp_path: Path, named: bool) -> None:
    peer = clips.clip(quick_gelu=True)
    path = write(clips.openai_state(peer), tmp_path / "RN-or-ViT.pt")
    with clips.registry():
        clips.register(tmp_path)
        model = load(path, architecture=f"open_clip:{clips.NAME}" if named else None)
        inferred = load(path)
    peer.load_state_dict({k: v.float() for k, v in peer.half().state_dict().items()})
    assert model.spec.builder["config"]["quick_gelu"] is True
    assert clips.same(model, inferred)
    x = clips.pixels()
    assert model.text is not None
    ids = open_clip.tokenize(["a cat"])
    with torch.no_grad():
        expected = peer.float().encode_image(x)
        torch.testing.assert_close(model.features(x), expected, rtol=1e-2, atol=1e-2)
        torch.testing.assert_close(model.text(ids), peer.encode_text(ids), rtol=1e-2, atol=1e-2)


@pytest.mark.filterwarnings("ignore:.torch.jit:FutureWarning")
@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_openais_torchscript_archive(tmp_path: Path) -> None:
    peer = clips.clip(quick_gelu=True)
    x, ids = clips.pixels(), open_clip.tokenize(["a cat", "a dog", "an owl"])
    with torch.no_grad():
        image, text = peer.encode_image(x), peer.encode_text(ids)
    for name, value in (("input_resolution", 32), ("context_length", 77), ("vocab_size", 49408)):
        if hasattr(peer, name):
            delattr(peer, name)
        peer.register_buffer(name, torch.tensor(value))
    archive = tmp_path / "ViT-test.pt"
    torch.jit.trace(peer, (x, ids), check_trace=False).save(str(archive))
    model = load(archive)
    assert model.spec.builder["config"]["quick_gelu"] is True
    assert model.text is not None
    with torch.no_grad():
        assert torch.equal(model.features(x), image)
        assert torch.equal(model.text(ids), text)


def wise_ft_modules() -> types.ModuleType:
    """A throwaway package with the classes whose names wise-ft's pickles carry."""
    code = """
import torch
class ImageEncoder(torch.nn.Module):
    def __init__(self, model, preprocess):
        super().__init__()
        self.model, self.train_preprocess, self.val_preprocess = model, preprocess, preprocess
        self.cache_dir = None
class ClassificationHead(torch.nn.Linear):
    def __init__(self, normalize, weights):
        super().__init__(weights.shape[1], weights.shape[0])
        self.normalize = normalize
        self.weight = torch.nn.Parameter(weights)
        self.bias = torch.nn.Parameter(torch.zeros(len(weights)))
class ImageClassifier(torch.nn.Module):
    def __init__(self, image_encoder, classification_head):
        super().__init__()
        self.image_encoder, self.classification_head = image_encoder, classification_head
        self.train_preprocess = image_encoder.train_preprocess
        self.process_images = True
def convert(image):
    return image.convert("RGB")
"""
    made = types.ModuleType("src_models_gone")
    exec(code, made.__dict__)
    for name in ("ImageEncoder", "ClassificationHead", "ImageClassifier", "convert"):
        getattr(made, name).__module__ = made.__name__
    return made


@pytest.mark.parametrize("whole", [True, False], ids=["ImageClassifier", "ImageEncoder"])
def test_wise_fts_pickled_modules(tmp_path: Path, whole: bool) -> None:
    from torchvision import transforms as tv

    peer = clips.clip(quick_gelu=True)
    x = clips.pixels()
    with torch.no_grad():
        expected = peer.encode_image(x)
    gone = wise_ft_modules()
    sys.modules[gone.__name__] = gone
    try:
        steps = [tv.Resize(32, interpolation=tv.InterpolationMode.BICUBIC), gone.convert]
        encoder = gone.ImageEncoder(peer, tv.Compose([*steps, tv.ToTensor()]))
        rows = torch.randn(5, 24, generator=torch.Generator().manual_seed(0))
        head = gone.ClassificationHead(True, rows)
        value = gone.ImageClassifier(encoder, head) if whole else encoder
        path = write(value, tmp_path / "checkpoint_10.pt")
    finally:
        del sys.modules[gone.__name__]
    with clips.registry():
        clips.register(tmp_path)
        model = load(path)
    assert model.spec.builder["config"]["quick_gelu"] is True
    with torch.no_grad():
        assert torch.equal(model.features(x), expected)
        if whole:
            logits = torch.nn.functional.normalize(expected) @ rows.T
            torch.testing.assert_close(model(x), logits)
    assert (model.head is not None) is whole
    if model.head is not None:
        assert model.head.normalize


def small(seed: int = 0, **settings: Any) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        vit: nn.Module = timm.create_model("vit_small_patch16_224", **settings)
        return vit.eval()


def test_dinos_published_backbone_is_recognised(tmp_path: Path) -> None:
    peer = small(num_classes=0)
    path = write(peer.state_dict(), tmp_path / "dino_deitsmall16_pretrain.pth")
    model = load(path)
    assert model.spec.name == "vit_small_patch16_224.dino"
    assert model.spec.transform.mean == (0.485, 0.456, 0.406)
    x = clips.pixels(224, n=1)
    with torch.no_grad():
        assert torch.equal(model.features(x), peer.forward_features(x)[:, 0])
    assert not model.spec.normalize
    assert not model.spec.saw_text


def test_dinos_whole_training_state_gives_the_teacher(tmp_path: Path) -> None:
    student, teacher = (timm.create_model("vit_tiny_patch16_224", num_classes=0) for _ in "st")
    head = {"mlp.0.weight": torch.zeros(3, 192), "last_layer.weight_g": torch.zeros(3, 1)}

    def dressed(vit: nn.Module, prefix: str) -> dict[str, torch.Tensor]:
        inner = {f"{prefix}backbone.{k}": v for k, v in vit.state_dict().items()}
        return {**inner, **{f"{prefix}head.{k}": v for k, v in head.items()}}

    value = {
        "student": dressed(student, "module."),
        "teacher": dressed(teacher, ""),
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.1}]},
        "epoch": 100,
        "args": argparse.Namespace(arch="vit_tiny", patch_size=16, output_dir=Path("x")),
        "dino_loss": {"center": torch.zeros(1, 3)},
    }
    path = write(value, tmp_path / "checkpoint.pth")
    model = load(path, architecture="timm:vit_tiny_patch16_224")
    assert all(
        torch.equal(v, teacher.state_dict()[k]) for k, v in model.encoder.state_dict().items()
    )
    assert any("head was left out" in note for note in model.spec.notes)


def test_what_cannot_be_inferred_asks_for_the_architecture(tmp_path: Path) -> None:
    peer = timm.create_model("vit_tiny_patch16_224", num_classes=7)
    path = write(peer.state_dict(), tmp_path / "mine.pth")
    with pytest.raises(CheckpointError, match="cannot be inferred") as caught:
        load(path)
    assert "architecture='timm:NAME'" in caught.value.fix
    model = load(path, architecture="vit_tiny_patch16_224")
    assert model.feature_dim == 192
    with pytest.raises(CheckpointError, match="mismatches"):
        load(path, architecture="timm:vit_small_patch16_224")


def test_a_plain_clip_file_of_an_ambiguous_architecture_is_refused(tmp_path: Path) -> None:
    with clips.registry():
        clips.register(tmp_path, "ViT-B-16")
        clips.register(tmp_path, "ViT-B-16-quickgelu", quick_gelu=True)
        path = write(clips.clip(quick_gelu=True).state_dict(), tmp_path / "w.pt")
        with pytest.raises(ModelError, match="GELU or with QuickGELU"):
            load(path, architecture="open_clip:ViT-B-16")
        model = load(path, architecture="ViT-B-16-quickgelu")
    assert model.spec.builder["config"]["quick_gelu"] is True
