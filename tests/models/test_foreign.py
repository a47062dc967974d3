"""No file runs code: what reaches other libraries' constructors, and that nothing goes around."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import open_clip
import pytest
import timm
import torch

from surefoot.errors import ModelError
from surefoot.models.allowed import ClipConfig, TimmArgs, listed
from surefoot.models.foreign import clip_model, clip_tokenizer, hf_model, hf_tokenizer, timm_model
from surefoot.models.load import load
from surefoot.models.model import Model
from surefoot.models.save import load_saved, save_model
from surefoot.models.tokenizer_files import checked_files, read_files, unpacked

from . import clips, vits
from .hf.test_load import peer_of, with_tokenizer

ROOT = Path(__file__).parents[2] / "src" / "surefoot"
DOOR = "models/foreign.py"

PACKAGES = frozenset({"open_clip", "peft", "timm", "tokenizers", "transformers"})
"""Imported by the door alone, but for:"""
READ_ONLY = {
    "models/tiny_towers.py": {"timm"},  # its blocks as classes, with the built-in models' sizes
    "data/known/wordnet.py": {"open_clip", "timm"},  # their lists of classes
    "data/prompts.py": {"open_clip"},  # its templates
    "claims/imported.py": {"peft"},  # imported early, so that processes begin as copies
}

CALLS = frozenset(
    {"AutoConfig", "AutoFeatureExtractor", "AutoImageProcessor", "AutoModel", "AutoProcessor",
     "AutoTokenizer", "CLIP", "CONFIG_MAPPING", "CoCa", "CustomTextCLIP", "HFTextEncoder",
     "HFTokenizer", "LoraConfig", "LoraModel", "MODEL_MAPPING", "PeftModel",
     "PreTrainedTokenizerFast", "SigLipTokenizer", "SimpleTokenizer", "TimmModel", "create_model",
     "create_model_and_transforms", "create_model_from_pretrained", "for_model", "from_config",
     "from_pretrained", "from_str", "get_peft_model", "get_tokenizer", "pipeline"}
)  # fmt: skip
"""Names of constructors, however they are reached."""


def goes_around(root: Path) -> Iterator[str]:
    """Every place outside the door that imports one of the packages or names a constructor."""
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if name == DOOR:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            wrong = (_packages(node) & (PACKAGES - READ_ONLY.get(name, set()))) | _calls(node)
            for what in sorted(wrong):
                yield f"{name}:{getattr(node, 'lineno', 0)}: {what}"


def _packages(node: ast.AST) -> set[str]:
    """The packages that a statement, or a call with a text, imports."""
    if isinstance(node, ast.Import):
        return {alias.name.split(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom) and not node.level:
        return {str(node.module).split(".")[0]}
    if isinstance(node, ast.Call):
        called = node.func
        by = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if "import" in by:
            return {text.split(".")[0] for text in _texts(node)}
    return set()


def _calls(node: ast.AST) -> set[str]:
    """The constructors that an attribute, an import or a look-up by a text names."""
    if isinstance(node, ast.Attribute):
        return {node.attr} & CALLS
    if isinstance(node, ast.ImportFrom):
        return {alias.name for alias in node.names} & (CALLS | {"*"})
    if isinstance(node, ast.Call):
        called = node.func
        by = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        return (
            set(_texts(node)) & CALLS if by in ("getattr", "attrgetter", "methodcaller") else set()
        )
    if isinstance(node, ast.Subscript):  # vars(library)["CLIP"]
        return {node.slice.value} & CALLS if isinstance(node.slice, ast.Constant) else set()
    return set()


def _texts(call: ast.Call) -> list[str]:
    given = [*call.args, *(k.value for k in call.keywords)]
    return [a.value for a in given if isinstance(a, ast.Constant) and isinstance(a.value, str)]


def test_no_other_module_calls_another_librarys_constructor() -> None:
    found = list(goes_around(ROOT))
    assert not found, f"call these through {DOOR}, which checks what a file says:\n" + "\n".join(
        found
    )


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import timm", ["timm"]),
        ("import transformers as plain", ["transformers"]),
        ("def f():\n    from timm.models import create_model as make", ["create_model", "timm"]),
        ("from tokenizers import *", ["*", "tokenizers"]),
        ("clip = import_optional('open_clip', needed_for='x')", ["open_clip"]),
        ("clip = importlib.import_module('open_clip.model')", ["open_clip"]),
        ("clip = __import__(name='peft')", ["peft"]),
        ("def f(library):\n    return library().SimpleTokenizer(**given)", ["SimpleTokenizer"]),
        ("make = library.tokenizer.HFTokenizer", ["HFTokenizer"]),
        ("make = functools.partial(clip.CLIP, **config)", ["CLIP"]),
        ("make = getattr(clip, 'CoCa')", ["CoCa"]),
        ("make = operator.attrgetter('AutoModel')(library)", ["AutoModel"]),
        ("make = vars(library)['AutoTokenizer']", ["AutoTokenizer"]),
        ("from .foreign import transformers\nt = transformers().AutoConfig.for_model('x')",
         ["AutoConfig", "for_model"]),
        ("model = kind.from_pretrained(folder)", ["from_pretrained"]),
        ("names = timm().list_models()\nCLIP = 'CLIP'", []),
    ],
)  # fmt: skip
def test_a_planted_way_around_is_found(tmp_path: Path, source: str, found: list[str]) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.py").write_text(source)
    (tmp_path / "models").mkdir()
    (tmp_path / DOOR).write_text(source)
    assert sorted(line.rpartition(" ")[2] for line in goes_around(tmp_path)) == sorted(found)


def test_every_architecture_of_the_installed_open_clip_passes() -> None:
    names = open_clip.list_models()
    assert len(names) > 100
    for name in names:
        config = open_clip.get_model_config(name)
        assert listed(ClipConfig, config, name) == json.loads(json.dumps(config))


def test_timms_own_records_pass() -> None:
    from surefoot.models.allowed import TimmRecord

    for name in timm.list_models():
        record = timm.get_pretrained_cfg(name)
        if record is not None:
            kept = listed(TimmRecord, record.to_dict(), name, leave_out=True)
            assert not {"url", "file", "hf_hub_id", "custom_load", "state_dict"} & set(kept)


CLIP: dict[str, Any] = clips.CONFIG


@pytest.mark.parametrize(
    ("part", "value", "named"),
    [
        ("text_cfg", {"tokenizer_kwargs": {"bpe_path": "x"}}, "tokenizer_kwargs.bpe_path"),
        ("text_cfg", {"tokenizer_kwargs": {"reduction_mask": "x"}}, "reduction_mask"),
        ("text_cfg", {"tokenizer_kwargs": {"clean": "x"}}, "tokenizer_kwargs.clean"),
        ("text_cfg", {"tokenizer_kwargs": {"trust_remote_code": True}}, "trust_remote_code"),
        ("text_cfg", {"hf_tokenizer_name": "../here"}, "hf_tokenizer_name"),
        ("text_cfg", {"hf_tokenizer_name": "/tmp/here"}, "hf_tokenizer_name"),
        ("text_cfg", {"hf_model_name": "a/b/c"}, "hf_model_name"),
        ("text_cfg", {"norm_kwargs": {"device": "x"}}, "norm_kwargs.device"),
        ("text_cfg", {"width": "512"}, "text_cfg.width"),
        ("text_cfg", {"layers": -1}, "text_cfg.layers"),
        ("vision_cfg", {"timm_model_name": "hf-hub:org/name"}, "timm_model_name"),
        ("vision_cfg", {"timm_model_name": "local-dir:/tmp"}, "timm_model_name"),
        ("vision_cfg", {"timm_model_name": "no_such_model"}, "no_such_model"),
        ("vision_cfg", {"width": 10**12}, "vision_cfg.width"),
        ("vision_cfg", {"norm_layer": "torch.nn.LayerNorm"}, "vision_cfg.norm_layer"),
        ("cast_dtype", "float16", "cast_dtype"),
    ],
)
def test_what_is_not_listed_reaches_no_clip(part: str, value: Any, named: str) -> None:
    inner = {**CLIP[part], **value} if part in CLIP else value
    with pytest.raises(ModelError, match=named):
        clip_model("small", {**CLIP, part: inner})
    if part == "text_cfg":
        with pytest.raises(ModelError, match=named):
            clip_tokenizer(inner, {})


@pytest.mark.parametrize(
    ("name", "args", "named"),
    [
        ("hf-hub:org/name", {}, "hf-hub"),
        ("local-dir:/tmp", {}, "local-dir"),
        ("../test_vit", {}, "test_vit"),
        ("test_vit.x/y", {}, "test_vit"),
        ("test_vit", {"pretrained_cfg": {"file": "x"}}, "pretrained_cfg"),
        ("test_vit", {"checkpoint_path": "x"}, "checkpoint_path"),
        ("test_vit", {"pretrained": True}, "pretrained"),
        ("test_vit", {"cache_dir": "x"}, "cache_dir"),
        ("test_vit", {"act_layer": "os.system"}, "act_layer"),
        ("test_vit", {"norm_layer": "layernorm"}, "norm_layer"),
        ("test_vit", {"depth": float("nan")}, "JSON"),
        ("test_vit", {"depth": "3"}, "depth"),
    ],
)
def test_what_is_not_listed_reaches_no_timm_model(name: str, args: Any, named: str) -> None:
    with pytest.raises(ModelError, match=named):
        timm_model(name, args)


def test_listed_arguments_of_timm_arrive() -> None:
    given = {"img_size": 32, "patch_size": 8, "depth": 3, "act_layer": "quick_gelu"}
    assert listed(TimmArgs, {**given, "patch_size": (8, 8)}, "x")["patch_size"] == [8, 8]
    model: Any = timm_model("test_vit", given)
    assert len(model.blocks) == 3
    assert "QuickGELU" in type(model.blocks[0].mlp.act).__name__


CONFIG = {"model_type": "clip", "projection_dim": 8, "text_config": {}, "vision_config": {}}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"auto_map": {"AutoModel": "own--modeling.Own"}}, "auto_map"),
        ({"text_config": {"auto_map": {"AutoModel": "modeling.Own"}}}, "auto_map"),
        ({"trust_remote_code": True}, "trust_remote_code"),
        ({"quantization_config": {"quant_method": "x"}}, "quantization_config"),
        ({"model_type": "timm_wrapper"}, "timm_wrapper"),
        ({"model_type": "own"}, "own"),
        ({"projection_dim": {"a": {"b": {"c": {"d": 1}}}}}, "projection_dim"),
    ],
)
def test_a_configuration_that_wants_code_is_refused(change: dict[str, Any], named: str) -> None:
    with pytest.raises(ModelError, match=named):
        hf_model({**CONFIG, **change})


def test_what_a_class_of_transformers_does_not_have_is_left_out() -> None:
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
             "intermediate_size": 8}  # fmt: skip
    extra = {"_attn_implementation": "own/kernel", "attn_implementation": "own/kernel", "own": 1}
    about = {**CONFIG, "text_config": {**small, **extra}, "vision_config": small, **extra}
    model: Any = hf_model(about)
    assert not hasattr(model.config, "own")
    assert not hasattr(model.config.text_config, "own")
    assert model.config._attn_implementation in ("eager", "sdpa")
    assert model.config.text_config.hidden_size == 16


CODE = "from pathlib import Path\nPath({marker!r}).write_text('ran')\n"
"""Would leave a marker, if it ever ran."""


def traps(folder: Path, marker: Path) -> None:
    """Files of code beside a model, under every name that a library might look for."""
    for name in ("modeling.py", "tokenization.py", "configuration.py", "hubconf.py", "__init__.py"):
        (folder / name).write_text(CODE.format(marker=str(marker)))


def change(file: Path, **said: Any) -> None:
    about = json.loads(file.read_text())
    file.write_text(json.dumps({**about, **said}))


def speak(folder: Path) -> torch.Tensor:
    """Load a folder and its tokenizer."""
    model = load(folder)
    assert model.text is not None
    return model.text.tokenize(["a cat"])


@pytest.mark.parametrize("map_in", ["config.json", "tokenizer_config.json"])
def test_a_folder_with_code_beside_it_runs_none(tmp_path: Path, map_in: str) -> None:
    folder, marker = tmp_path / "m", tmp_path / "marker"
    peer: Any = peer_of("clip")
    peer.save_pretrained(folder)
    with_tokenizer(folder)
    traps(folder, marker)
    assert speak(folder).shape == (1, 12)  # without a map they are only files that nobody reads
    code = {"AutoModel": "modeling.Own", "AutoTokenizer": ["tokenization.Own", None]}
    change(folder / map_in, auto_map=code)
    with pytest.raises(ModelError, match=r"auto_map.*\n.*transformers has by itself"):
        speak(folder)
    assert not marker.exists()


@pytest.mark.parametrize("called", ["tokenization.Own", "RagTokenizer", "own--Tokenizer"])
def test_a_tokenizers_class_is_one_of_a_list(tmp_path: Path, called: str) -> None:
    files = {"tokenizer_config.json": json.dumps({"tokenizer_class": called})}
    with pytest.raises(ModelError, match="asks for the tokenizer"):
        hf_tokenizer(files, "the file")


def test_a_tokenizers_settings_are_reduced_to_a_list(tmp_path: Path) -> None:
    said = {"model_max_length": 12, "pad_token": {"content": "<pad>"}, "vocab_file": "/etc/hosts",
            "chat_template": "{{ x }}", "special_tokens_map_file": "../x", "_own_token": "x",
            "tokenizer_class": "PreTrainedTokenizerFast"}  # fmt: skip
    with unpacked({"tokenizer_config.json": json.dumps(said)}, "x") as folder:
        kept = json.loads((Path(folder) / "tokenizer_config.json").read_text())
        assert [p.name for p in Path(folder).iterdir()] == ["tokenizer_config.json"]
    assert set(kept) == {"model_max_length", "pad_token", "tokenizer_class"}
    assert not Path(folder).exists()


def test_only_listed_files_of_a_folder_are_read(tmp_path: Path) -> None:
    traps(tmp_path, tmp_path / "marker")
    for name in ("tokenizer.json", "chat_template.jinja", "adapter_config.json", "x.model"):
        (tmp_path / name).write_text("{}")
    assert set(read_files(tmp_path)) == {"tokenizer.json"}


@pytest.mark.parametrize(
    "name", ["../x.json", "a/tokenizer.json", "tokenizer.py", "modeling.py", "/tmp/vocab.txt",
             "tokenizer.json\x00", "vocab.pkl", "sitecustomize.py", "TOKENIZER.JSON"],
)  # fmt: skip
def test_packed_files_have_listed_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match="no file of a tokenizer"):
        checked_files({name: "x"}, "a file")
    with pytest.raises(ModelError, match="no file of a tokenizer"), unpacked({name: "x"}, "a file"):
        pass
    with pytest.raises(ModelError, match="no file of a tokenizer"):
        checked_files({"vocab.txt": 3}, "a file")


def saved(model: Model, path: Path, builder: dict[str, Any], files: dict[str, str]) -> Path:
    """A file of our own format that says of itself what its writer likes."""
    from safetensors.torch import load_file, save_file

    save_model(model, path)
    from surefoot.models.save import read_metadata

    about: Any = read_metadata(path)
    about["spec"]["builder"] = builder
    about["files"] = files
    save_file(load_file(path), path, {"format": "pt", "surefoot": json.dumps(about)})
    return path


def test_a_text_tower_of_the_hub_is_checked_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """open_clip's own reader sees a folder of ours, never the repository that a file names."""
    small = {"model_type": "roberta", "hidden_size": 16, "num_hidden_layers": 1, "vocab_size": 50,
             "num_attention_heads": 2, "intermediate_size": 8, "own": 1}  # fmt: skip
    file, marker = tmp_path / "config.json", tmp_path / "marker"
    file.write_text(json.dumps(small))
    traps(tmp_path, marker)
    monkeypatch.setattr("surefoot.models.downloads.hub_file", lambda *_, **__: file)
    text = {"hf_model_name": "own/text", "hf_pooler_type": "cls_pooler", "hf_proj_type": "linear"}
    config = {"embed_dim": 24, "vision_cfg": clips.VISION, "text_cfg": text}
    model: Any = clip_model("small", config)
    assert model.text.transformer.config.vocab_size == 50
    assert not hasattr(model.text.transformer.config, "own")
    for said, named in (
        ({"auto_map": {"AutoConfig": "configuration.Own"}}, "auto_map"),
        ({"model_type": "timm_wrapper"}, "timm_wrapper"),
    ):
        file.write_text(json.dumps({**small, **said}))
        with pytest.raises(ModelError, match=named):
            clip_model("small", config)
    assert not marker.exists()


def test_a_tokenizer_of_the_hub_is_checked_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_tokenizer(tmp_path)
    marker = tmp_path / "marker"
    traps(tmp_path, marker)
    asked: list[Any] = []

    def folder(repo: str, patterns: list[str], **_: Any) -> Path:
        asked.append((repo, [p for p in patterns if "*" in p or p.endswith(".py")]))
        return tmp_path

    monkeypatch.setattr("surefoot.models.downloads.hub_folder", folder)
    text = {"hf_tokenizer_name": "own/text", "context_length": 8,
            "tokenizer_kwargs": {"clean": "canonicalize"}}  # fmt: skip
    assert clip_tokenizer(text, {})(["A cat."]).shape == (1, 8)
    change(tmp_path / "tokenizer_config.json", auto_map={"AutoTokenizer": ["x.Own", None]})
    with pytest.raises(ModelError, match="auto_map"):
        clip_tokenizer(text, {})
    assert asked == [("own/text", [])] * 2
    assert not marker.exists()


def test_a_saved_file_runs_no_code(tmp_path: Path) -> None:
    """Every kind of builder, with something in its record that is not listed."""
    marker = tmp_path / "marker"
    code = {"tokenizer.json": "{}", "modeling.py": CODE.format(marker=str(marker))}
    model = vits.vit("open_clip", text=True)
    builder: dict[str, Any] = dict(model.spec.builder)
    path = tmp_path / "m.safetensors"
    kwargs = {"tokenizer_kwargs": {"trust_remote_code": True}, "hf_tokenizer_name": "own/tokenizer"}
    inner = {**builder["config"]["text_cfg"], **kwargs}
    wild = {**builder, "config": {**builder["config"], "text_cfg": inner}}
    for record, files, match in (
        (builder, code, "no file of a tokenizer"),
        (builder, {"../marker": "x"}, "no file of a tokenizer"),
        (wild, {}, "trust_remote_code"),
        ({**vits.TIMM, "args": {"checkpoint_path": "x"}}, {}, "checkpoint_path"),
        ({**vits.TIMM, "name": "local-dir:."}, {}, "local-dir"),
        ({"kind": "hf", "config": {**CONFIG, "auto_map": {"AutoConfig": "modeling.Own"}}}, {},
         "auto_map"),
        ({"kind": "os", "name": "system"}, {}, "cannot be built"),
        ({"kind": "side", "side": "copy", "base": wild}, {}, "trust_remote_code"),
        ({"kind": "tiny-dino", "image": {"size": 32, "hook": "x"}}, {}, "hook"),
    ):  # fmt: skip
        with pytest.raises(ModelError, match=match):
            load_saved(saved(model, path, record, files))
    assert not marker.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]
    assert torch.equal(
        vits.features(load_saved(saved(model, path, builder, {}))), vits.features(model)
    )


def test_a_timm_folder_shows_images_as_it_says_and_names_nothing(tmp_path: Path) -> None:
    from surefoot.models.export import export

    model = load("timm:test_vit/random")
    export(model, tmp_path / "m", "timm")
    config = tmp_path / "m" / "config.json"
    about = json.loads(config.read_text())
    record = {**about["pretrained_cfg"], "mean": [0.1, 0.2, 0.3], "file": "x", "custom_load": True}
    config.write_text(json.dumps({**about, "pretrained_cfg": record}))
    again = load(tmp_path / "m")
    assert again.spec.transform.mean == (0.1, 0.2, 0.3)
    assert "file" not in again.encoder.pretrained_cfg
    assert clips.same(again.encoder, model.encoder)
    config.write_text(json.dumps({**about, "model_args": {"pretrained_strict": False}}))
    with pytest.raises(ModelError, match="pretrained_strict"):
        load(tmp_path / "m")
