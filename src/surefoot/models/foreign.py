"""The one door to open_clip, timm, transformers, tokenizers and peft: all they build is built here.

Their constructors take free-form arguments, some of which name files, hub repositories or code. So
only what :mod:`.allowed` and :mod:`.tokenizer_files` list gets to them, and whatever would let
them fetch or run code is off. ``tests/models/test_foreign.py`` holds that no other module of the
package calls them, by whatever name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from ..errors import CheckpointError, ModelError
from ..registry import import_optional
from .allowed import ClipConfig, TimmArgs, TimmRecord, listed, plain_values, refuse_code
from .tokenizer_files import BINARY_FILES, TEXT_FILES, read_files, unpacked

__all__ = [
    "clip_model",
    "clip_tokenizer",
    "hf_model",
    "hf_pretrained",
    "hf_tokenizer",
    "lora_model",
    "open_clip",
    "timm",
    "timm_model",
    "tokenizer_of_json",
]

IMAGE_TEXT = ("clip", "align", "siglip", "dinov2", "dinov3_vit")
"""``model_type`` of transformers' image models that are understood."""

TEXT = ("albert", "bert", "camembert", "deberta-v2", "distilbert", "electra", "m2m_100",
        "modernbert", "mpnet", "mt5", "roberta", "t5", "xlm-roberta")  # fmt: skip
"""Of text towers and sentence encoders."""

_BAD = (TypeError, ValueError, KeyError, AttributeError, AssertionError, RuntimeError)


def open_clip(why: str = "this model") -> Any:
    """The package open_clip, to look into its lists."""
    return import_optional("open_clip", needed_for=why, package="open_clip_torch")


def timm(why: str = "this model") -> Any:
    """The package timm, to look into its lists."""
    return import_optional("timm", needed_for=why)


def _transformers(why: str = "a transformers model") -> Any:
    return import_optional("transformers", needed_for=why)


@contextmanager
def _quiet() -> Iterator[None]:
    """Progress bars and reports of transformers off, and back as they were."""
    logging = _transformers().utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def clip_model(arch: str, config: Mapping[str, Any]) -> nn.Module:
    """A whole open_clip model, fresh weights.

    Args:
        arch: What it is called, for messages.
        config: As ``open_clip_config.json`` has it under ``model_cfg``.

    Raises:
        ModelError: Something in it is not listed, or open_clip cannot build it.
        DownloadUnavailable: The text tower's configuration lives on the hub.
    """
    clip = open_clip(f"open_clip:{arch}")
    config = listed(ClipConfig, config, f"the configuration of {arch}")
    vision, text = config["vision_cfg"], config["text_cfg"]
    hugging = bool(text.get("hf_model_name"))
    custom = config.pop("custom_text", False) or hugging
    if vision.get("timm_model_name"):
        _require_timm_name(vision["timm_model_name"])
        vision["timm_model_pretrained"] = False
    kind = clip.CLIP
    if custom:
        kind = clip.CoCa if config.get("multimodal_cfg") else clip.CustomTextCLIP
    try:
        with _hub_text(text) if hugging else nullcontext(text) as text_cfg:
            model: nn.Module = kind(**{**config, "text_cfg": text_cfg})
    except ModelError:
        raise
    except _BAD as error:
        raise ModelError(
            f"open_clip cannot build {arch}: {error}",
            expected=f"a configuration for open_clip {clip.__version__}",
            fix="update open_clip_torch",
        ) from error
    return model


@contextmanager
def _hub_text(text: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A text tower of the hub, its configuration checked and laid where open_clip will read it."""
    from .downloads import hub_file

    name = text["hf_model_name"]
    file = hub_file(name, "config.json", instead="the repository in the Hugging Face cache")
    if file is None:
        raise ModelError(f"the hub repository {name!r} has no config.json")
    config = _config(json.loads(file.read_text(encoding="utf-8")), TEXT, f"config.json of {name}")
    with TemporaryDirectory(prefix="surefoot-") as folder:
        config.save_pretrained(folder)
        yield {**text, "hf_model_name": folder, "hf_model_pretrained": False}


def clip_tokenizer(text_cfg: Mapping[str, Any], files: Mapping[str, str]) -> Any:
    """open_clip's tokenizer for a text tower.

    Args:
        text_cfg: Of its configuration.
        files: Packed files, for one that lives on the hub; empty: the hub's cache is looked into.

    Raises:
        ModelError: Something in it is not listed.
        DownloadUnavailable: It lives on the hub, is not cached, and there is no network.
    """
    clip = open_clip("its tokenizer")
    whole = {"embed_dim": 1, "vision_cfg": {}, "text_cfg": dict(text_cfg)}
    config = listed(ClipConfig, whole, "the text tower")["text_cfg"]
    settings = dict(config.get("tokenizer_kwargs") or {})
    settings["context_length"] = config.get("context_length") or 77
    name = config.get("hf_tokenizer_name")
    if not name:
        return clip.SimpleTokenizer(**settings)
    with unpacked(files or _hub_tokenizer(name), str(name)) as folder:
        return clip.tokenizer.HFTokenizer(
            folder, tokenizer_mode=config.get("tokenizer_mode"), **settings, **_SAFE
        )


_SAFE = {"local_files_only": True, "trust_remote_code": False}
"""Of every reader of transformers: nothing is fetched, no code of a repository is run."""


def _hub_tokenizer(name: str) -> dict[str, bytes]:
    from .downloads import hub_folder

    return read_files(
        hub_folder(
            name,
            [*TEXT_FILES, *BINARY_FILES, "config.json"],
            instead="a folder in the Hugging Face cache (copy the whole repository there)",
        )
    )


def timm_model(
    name: str,
    args: Mapping[str, Any] | None = None,
    *,
    classes: int = 0,
    record: Mapping[str, Any] | None = None,
) -> nn.Module:
    """A model of timm, fresh weights.

    Args:
        name: An architecture that timm lists, perhaps with a tag.
        args: Sizes and switches of it.
        classes: 0: without its classifier.
        record: In place of timm's own record of how images are shown to it.

    Raises:
        ModelError: The name or an argument is not listed, or timm cannot build it.
    """
    library = timm(f"timm:{name}")
    _require_timm_name(name)
    settings = listed(TimmArgs, args or {}, f"the arguments of {name}")
    if record is not None:
        settings["pretrained_cfg"] = listed(
            TimmRecord, record, f"the record of {name}", leave_out=True
        )
    try:
        model: nn.Module = library.create_model(
            name, pretrained=False, num_classes=classes, **settings
        )
    except _BAD as error:
        raise ModelError(
            f"timm cannot build {name}: {error}", expected=f"a model of timm {library.__version__}"
        ) from error
    return model


def _require_timm_name(name: Any) -> None:
    """Refuse what timm does not list: above all a scheme (``hf-hub:``, ``local-dir:``), a path."""
    plain, _, tag = str(name).partition(".")
    if not timm().is_model(plain) or (not tag.replace("_", "").replace(".", "").isalnum() and tag):
        raise ModelError(
            f"{str(name)[:200]!r} is no model that timm lists",
            expected="the name of an architecture, such as vit_base_patch16_224.dino",
            fix="write its plain name, or load the hub repository as hf-hub:ORG/NAME",
        )


def _config(about: Any, kinds: tuple[str, ...], where: str) -> Any:
    """The configuration of a model of transformers, from what a file says about it.

    Raises:
        ModelError: It wants code to be run, or is of a type that is not understood.
    """
    refuse_code(about, where)
    kind = about.get("model_type")
    known = _transformers().CONFIG_MAPPING
    if kind not in kinds or kind not in known:
        raise ModelError(
            f"transformers models of the type {kind!r} are not understood",
            expected=f"one of {', '.join(k for k in kinds if k in known)}",
            fix="load the same weights through timm or open_clip, if they have them",
        )
    try:
        with _quiet():
            return _transformers().AutoConfig.for_model(kind, **_known(known[kind], about, where))
    except ModelError:
        raise
    except Exception as error:  # its own checks raise what they like
        raise ModelError(f"{where} is no configuration of {kind}: {error}") from error


_NEVER = ("model_type", "transformers_version", "architectures", "dtype", "torch_dtype")


def _known(kind: Any, about: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What a configuration of this class has by itself; all else that a file says is left out."""
    parts: Mapping[str, Any] = getattr(kind, "sub_configs", None) or {}
    own = set(kind().to_dict()) | {f"{part}_dict" for part in parts}
    kept = {}
    for key, value in about.items():
        if key not in own or key.startswith("_") or key in _NEVER:
            continue
        part = parts.get(key.removesuffix("_dict"))
        if part is not None and value is not None:
            refuse_code(value, f"{key} in {where}")
            kept[key] = _known(part, value, where)
        else:
            kept[key] = plain_values(value, f"{key} in {where}")
    return kept


def hf_model(about: Mapping[str, Any]) -> nn.Module:
    """A transformers model that looks at images, fresh weights, float32.

    Args:
        about: Its configuration.

    Raises:
        ModelError: A model type that is not understood, or a configuration that wants code.
    """
    config = _config(about, IMAGE_TEXT, "the configuration")
    model: nn.Module = _transformers().AutoModel.from_config(
        config, dtype=torch.float32, trust_remote_code=False
    )
    return model


WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
           "pytorch_model.bin.index.json")  # fmt: skip
"""Of a transformers folder, the best first."""


def hf_pretrained(folder: Path, kinds: tuple[str, ...]) -> tuple[Any, Mapping[str, Any]]:
    """The model of a transformers folder in float32, and which keys did not fit.

    Only ``config.json`` and the weights are read, the weights by our own reader.

    Args:
        folder: As ``save_pretrained`` wrote it.
        kinds: Model types that are understood.

    Raises:
        ModelError: A model type that is not understood, or a configuration that wants code.
        CheckpointError: Weights that are missing or cannot be read.
        OSError, KeyError, ValueError: ``config.json`` is missing or no JSON.
    """
    from .checkpoints import read_checkpoint

    about = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config = _config(about, kinds, f"config.json of {folder}")
    file = next((folder / n for n in WEIGHTS if (folder / n).is_file()), None)
    if file is None:
        raise CheckpointError(
            f"{folder} cannot be read: it holds no weights", expected=f"one of {', '.join(WEIGHTS)}"
        )
    state = read_checkpoint(file).state
    make = _transformers().MODEL_MAPPING[type(config)].from_pretrained
    with _quiet():
        model, info = make(
            None,
            config=config,
            state_dict=state,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are listed, for the caller to refuse
        )
    return model, info


def hf_tokenizer(files: Mapping[str, str | bytes], where: str) -> Any:
    """The tokenizer of these files.

    Args:
        files: Name -> content, of a saved model or of a folder (:func:`read_files`).
        where: Whose they are, for messages.

    Raises:
        ModelError: They want code to be run, or cannot be read.
    """
    make = _transformers("its tokenizer").AutoTokenizer
    with unpacked(files, where) as folder, _quiet():
        try:
            return make.from_pretrained(folder, **_SAFE)
        except Exception as error:  # of many types, some of its Rust part's own
            raise ModelError(
                f"the tokenizer of {where} cannot be read: {error}",
                expected="tokenizer.json or the vocabulary files of its kind",
            ) from error


def tokenizer_of_json(content: str) -> Any:
    """A tokenizer of the package tokenizers from its JSON, which is data and read in Rust."""
    library = import_optional("tokenizers", needed_for="the text tower of tiny-clip")
    return library.Tokenizer.from_str(content)


def lora_model(encoder: nn.Module, *, rank: int, alpha: float, layers: str) -> Any:
    """LoRA, as peft has it, around the layers that a pattern names, in place.

    Raises:
        MissingDependency: The package peft is not installed.
    """
    peft = import_optional("peft", needed_for="LoRA")
    config = peft.LoraConfig(r=rank, lora_alpha=alpha, target_modules=layers, bias="none")
    return peft.LoraModel(encoder, config, "default")
