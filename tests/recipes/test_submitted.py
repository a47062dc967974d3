"""What a stranger's recipe may name, and that no recipe at all names code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from surefoot.errors import RecipeError, SurefootError
from surefoot.methods.base import as_dict
from surefoot.methods.parse import method_from
from surefoot.recipes.recipe import Recipe, load_recipe, parse_recipe
from surefoot.recipes.submitted import fetched, plan, require_harmless
from surefoot.registry import METHODS

GOOD: dict[str, Any] = {"model": "tiny-clip", "data": {"train": "pictograms"}, "methods": ["ft"]}


def recipe(**changes: Any) -> Recipe:
    return parse_recipe({**GOOD, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"model": "tiny-dino"},
        {"model": "open_clip:ViT-B-16/openai"},
        {"model": "open_clip:ViT-B-16/random?seed=3"},
        {"model": "open_clip:ViT-B-16-SigLIP2/webli?activation=gelu"},
        {"model": "timm:vit_small_patch14_dinov2.lvd142m?img_size=224&global_pool=avg"},
        {"model": "timm:vit_base_patch16_224.dino"},
        {"data": {"train": "imagenet", "shifts": {"r": "imagenet-r", "v2": "imagenet:val"}}},
        {"data": {"train": "pictograms:icons:train", "templates": "openai_imagenet"}},
        {"data": {"train": "pictograms", "templates": ["a photo of a {}."]}},
        {"methods": [{"name": "language", "text": "random:64:1"}]},
        {"methods": [{"name": "language", "text": "open_clip:ViT-B-16/openai"}]},
    ],
)
def test_built_in_and_published_things_are_taken(changes: dict[str, Any]) -> None:
    require_harmless(recipe(**changes), where="x")


def test_every_method_as_it_stands_is_taken() -> None:
    found = []
    for name in METHODS.names():
        try:
            found.append(as_dict(method_from(name)))
        except SurefootError:  # a method with a field that has no default
            continue
    assert len(found) > 20
    require_harmless(recipe(methods=found), where="x")


MODELS = [
    "own.pt", "./tiny-clip", "/models/own", "own", "~/own", "runs/1/end.safetensors",
    "hf-hub:org/name",
    "open_clip:ViT-B-16@own.pt", "open_clip:ViT-B-16/openai@own.pt", "open_clip:ViT-B-16",
    "open_clip:hf-hub:org/name", "open_clip:local-dir:/own/x", "timm:hf-hub:org/name",
    "timm:vit_base_patch16_224@own.pt", "https://host/own.pt", "open_clip:../own/x",
    "timm:x\n./own", "tiny-clip ", "",
]  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
def test_no_file_address_or_repository_is_a_model(model: str) -> None:
    for changes in ({"model": model}, {"methods": [{"name": "language", "text": model}]}):
        with pytest.raises(RecipeError, match="not a file, a folder, an address"):
            require_harmless(recipe(**changes), where="x")


DATA = ["own", "./pictograms", "/data/own", "own.csv", "own.csv:split=train", "hf:org/name",
        "hf:own", "wds:own.tar", "own.tar", "imagenet@/data", "imagenet-r@.", "https://host/own",
        "pictograms:a:b:c", "pictograms:../x", "imagenet:own"]  # fmt: skip


@pytest.mark.parametrize("spec", DATA)
def test_no_folder_table_or_repository_is_data(spec: str) -> None:
    for data in ({"train": spec}, {"train": "pictograms", "test": spec},
                 {"train": "pictograms", "shifts": {"s": spec}}):  # fmt: skip
        with pytest.raises(RecipeError, match="not a folder, a table"):
            require_harmless(recipe(data=data), where="x")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"root": "/data"}, "data.root"),
        ({"class_maps": {"s": "own.yaml"}, "shifts": {"s": "imagenet-r"}}, "data.class_maps"),
        ({"templates": "own.txt"}, "data.templates"),
        ({"templates": "/etc/hosts"}, "data.templates"),
        ({"templates": "clip_benchmark:../x"}, "data.templates"),
    ],
)
def test_no_other_file_is_named(data: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        require_harmless(recipe(data={**GOOD["data"], **data}), where="x")


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "own.py"},
        {"methods": ["own.py"]},
        {"methods": [{"name": "own.py"}]},
        {"methods": [{"name": "wise-ft", "method": "./own.PY:Mine"}]},
        {"data": {"train": "own.py"}},
        {"data": {"train": "pictograms", "shifts": {"s": "hf:own.py"}}},
    ],
)
def test_no_recipe_of_anybody_names_a_file_of_python(
    changes: dict[str, Any], tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    (tmp_path / "own.py").write_text(f"open({str(marker)!r}, 'w').close()")
    here = json.dumps({**GOOD, **changes}).replace("own.py", str(tmp_path / "own.py"))
    (tmp_path / "recipe.yaml").write_text(here)
    with pytest.raises(
        RecipeError, match="is a file of Python, which a recipe cannot name"
    ) as said:
        load_recipe(tmp_path / "recipe.yaml")
    assert len(said.value.problems) == 1
    assert not marker.exists()


def test_a_list_that_holds_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("model: tiny-clip\nmethods: &a [*a]\ndata: {train: x}\n")
    with pytest.raises(RecipeError, match="methods"):
        load_recipe(tmp_path / "r.yaml")


def test_what_would_be_done_is_said() -> None:
    sent = recipe(
        model="open_clip:ViT-B-16/openai",
        data={"train": "imagenet", "shifts": {"r": "imagenet-r"}},
        methods=["ft", {"name": "language", "text": "timm:x.y"}],
        seeds=[0, 1],
    )
    assert plan(sent, "runs/1") == (
        "model open_clip:ViT-B-16/openai\ndata train imagenet, r imagenet-r\n"
        "methods ft, language; seeds 0, 1\ninto runs/1"
    )
    assert fetched(sent) == ["open_clip:ViT-B-16/openai", "timm:x.y"]
    assert fetched(recipe()) == fetched(recipe(model="open_clip:ViT-B-16/random")) == []


def test_files_of_a_nested_method_and_of_a_tower_without_weights_are_told() -> None:
    inner = {"name": "language", "text": "open_clip:ViT-B-32/openai"}
    assert fetched(recipe(methods=[{"name": "wise-ft", "inner": inner}])) == [inner["text"]]
    # Random weights, but a tokenizer, and of the second a text tower's configuration, of the hub.
    for name in ("open_clip:ViT-B-16-SigLIP/random", "open_clip:roberta-ViT-B-32/random?seed=1"):
        assert fetched(recipe(model=name)) == [name]
    assert fetched(recipe(model="timm:test_vit/random")) == []
    assert fetched(recipe(model="open_clip:no-such/random")) == []
