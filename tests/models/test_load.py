"""Names, files and folders; saving and loading bit for bit."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from surefoot.errors import CheckpointError, ModelError, SurefootError, UnknownName
from surefoot.models.build import KINDS, build
from surefoot.models.heads import Head
from surefoot.models.load import load
from surefoot.models.model import Model
from surefoot.models.names import parse
from surefoot.models.save import load_saved, read_metadata, save_model

from . import clips


@pytest.fixture
def model() -> Model:
    made = load("timm:test_vit/random")
    rows = torch.randn(3, made.feature_dim, generator=torch.Generator().manual_seed(0))
    made.head = Head(
        rows,
        torch.tensor([0.1, -2.0, 3.0]),
        normalize=True,
        class_names=["a", "b é", "c"],
        kind="zero_shot",
    )
    return made.with_spec(notes=("one", "two"), licence="MIT")


def test_a_saved_model_comes_back_bit_for_bit(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_model(model, path)
    back = load_saved(path)
    assert clips.same(back, model)
    assert back.spec == model.spec
    assert back.feature_dim == model.feature_dim
    assert back.head is not None
    assert model.head is not None
    for name in ("class_names", "kind", "normalize"):
        assert getattr(back.head, name) == getattr(model.head, name)
    x = clips.pixels(model.spec.transform.size[0], n=1)
    with torch.no_grad():
        assert torch.equal(back(x), model(x))
    assert not back.training
    assert all(p.requires_grad for p in back.parameters())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_dtypes_are_kept(model: Model, tmp_path: Path, dtype: torch.dtype) -> None:
    cast = model.clone().to(dtype)
    save_model(cast, tmp_path / "m.safetensors")
    left, right = cast.state_dict(), load_saved(tmp_path / "m.safetensors").state_dict()
    assert all(left[k].dtype == right[k].dtype and torch.equal(left[k], right[k]) for k in left)


def test_special_values_are_kept(model: Model, tmp_path: Path) -> None:
    assert model.head is not None
    model.head.bias.data = torch.tensor([-0.0, float("inf"), float("nan")])
    save_model(model, tmp_path / "m.safetensors")
    assert clips.same(load_saved(tmp_path / "m.safetensors"), model)


def test_tied_and_sliced_tensors_are_saved(model: Model, tmp_path: Path) -> None:
    assert model.head is not None
    big = torch.arange(float(9 * model.feature_dim)).reshape(9, -1)
    model.head.weight = torch.nn.Parameter(big[2:8:2])
    model.head.extra = model.head.weight
    save_model(model, tmp_path / "m.safetensors")
    written = load_file(tmp_path / "m.safetensors")
    assert torch.equal(written["head.weight"], big[2:8:2])
    assert torch.equal(written["head.extra"], big[2:8:2])
    assert (tmp_path / "m.safetensors").stat().st_size < 3 * sum(
        v.nbytes for v in model.state_dict().values()
    )


def test_without_head_and_text(model: Model, tmp_path: Path) -> None:
    save_model(model.with_head(None), tmp_path / "m.safetensors")
    back = load(tmp_path / "m.safetensors")
    assert back.head is None
    assert back.text is None
    assert back.logit_scale is None


def test_no_partial_file_is_left(model: Model, tmp_path: Path) -> None:
    model.extra = torch.nn.Parameter(torch.zeros(2).to_sparse(), requires_grad=False)
    with pytest.raises(Exception, match=r"(?i)sparse|layout|contiguous"):
        save_model(model, tmp_path / "m.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_run_folder_and_a_file_say_where_they_came_from(model: Model, tmp_path: Path) -> None:
    save_model(model, tmp_path / "end.safetensors")
    (tmp_path / "run.json").write_text("{}")
    for place in (tmp_path, tmp_path / "end.safetensors"):
        back = load(place)
        assert clips.same(back, model)
        assert back.spec.source == str(place)


def test_an_unfinished_run_folder(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text("{}")
    with pytest.raises(ModelError, match=r"has not written end\.safetensors"):
        load(tmp_path)
    (tmp_path / "status.json").unlink()
    with pytest.raises(ModelError, match="holds no model"):
        load(tmp_path)


def test_a_changed_file_is_refused_with_every_mismatch(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_model(model, path)
    state = load_file(path)
    about = read_metadata(path)
    del state["encoder.norm.weight"]
    state["encoder.extra"] = torch.zeros(1)
    save_file(state, path, metadata={"surefoot": json.dumps(about)})
    with pytest.raises(CheckpointError) as caught:
        load(path)
    assert "missing: encoder.norm.weight" in str(caught.value)
    assert "unexpected: encoder.extra" in str(caught.value)
    save_file(state, path, metadata={"surefoot": json.dumps({**(about or {}), "format": 99})})
    with pytest.raises(CheckpointError, match="format 99"):
        load(path)


def test_a_foreign_safetensors_file_needs_its_architecture(model: Model, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file(dict(model.encoder.state_dict()), path)
    with pytest.raises(CheckpointError, match="was not written by surefoot"):
        load_saved(path)
    with pytest.raises(CheckpointError, match="cannot be inferred"):
        load(path)
    for architecture in ("timm:test_vit", "test_vit"):
        back = load(path, architecture=architecture)
        assert clips.same(back.encoder, model.encoder)
        assert str(path) in back.spec.source
        assert clips.same(load(back.spec.source).encoder, model.encoder)


def test_build_gives_the_architecture_without_weights(model: Model) -> None:
    parts = build(json.loads(json.dumps(model.spec.to_json()))["builder"])
    assert set(parts.encoder.state_dict()) == set(model.encoder.state_dict())
    with pytest.raises(ModelError, match="kind 'gpt'"):
        build({"kind": "gpt"})
    assert {"open_clip", "timm", "hf", "tiny-clip", "tiny-dino", "ensemble", "side"} == set(KINDS)


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("tiny-clpi", UnknownName, "Did you mean 'tiny-clip'"),
        ("timn:vit_base_patch16_224", UnknownName, "Did you mean 'timm'"),
        ("runs/last/end.safetensors", CheckpointError, "there is no file or folder"),
        ("w.pt", CheckpointError, "there is no file or folder w.pt"),
    ],
)
def test_wrong_names_teach(name: str, error: type[SurefootError], says: str) -> None:
    with pytest.raises(error, match=re.escape(says)) as caught:
        load(name)
    assert caught.value.fix


def test_architecture_goes_with_a_file_only(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="goes with a local file"):
        load("timm:test_vit/random", architecture="timm:test_vit")
    (tmp_path / "w.pt").write_bytes(b"x")
    with pytest.raises(UnknownName, match="no architecture named 'vit_bse'"):
        load(tmp_path / "w.pt", architecture="vit_bse")


@pytest.mark.parametrize(
    ("text", "scheme", "name", "tag", "file", "options"),
    [
        ("tiny-clip", "", "tiny-clip", "", None, {}),
        ("open_clip:A/t", "open_clip", "A", "t", None, {}),
        ("open_clip:A@/x/y@z.pt", "open_clip", "A", "", "/x/y@z.pt", {}),
        ("open_clip:A@w.pt?activation=gelu", "open_clip", "A", "", "w.pt", {"activation": "gelu"}),
        ("timm:v.t/random?seed=3", "timm", "v.t", "random", None, {"seed": "3"}),
        ("hf-hub:o/n", "hf-hub", "o/n", "", None, {}),
        ("dir/what?.pt", "", "dir/what?.pt", "", None, {}),
    ],
)
def test_names_are_taken_apart(
    text: str, scheme: str, name: str, tag: str, file: str | None, options: dict[str, str]
) -> None:
    source = parse(text)
    assert (source.scheme, source.name, source.tag) == (scheme, name, tag)
    assert source.file == (Path(file) if file else None)
    assert source.options == options
