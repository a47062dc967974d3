"""`surefoot.load`: a name, a file or a folder -> a Model with its transforms and activation.

=====================================  ==========================================================
``tiny-clip``, ``tiny-dino``           built in (and whatever plug-ins register)
``open_clip:ViT-B-16/openai``          any open_clip architecture and pretrained tag
``open_clip:ViT-B-16@FILE``            an open_clip architecture and a local file
``open_clip:ViT-B-32/random``          random weights, only when asked for; ``?seed=3``
``timm:vit_base_patch16_224.dino``     any timm encoder; ``timm:NAME@FILE``, ``timm:NAME/random``
``hf-hub:org/name``                    a hub repository of open_clip, transformers or timm
a folder                               a surefoot run, transformers, open_clip or timm
a file                                 .safetensors, .pt, .pth, .bin; ``architecture=`` names what
                                       cannot be inferred; a virtual checkpoint (.json)
=====================================  ==========================================================

Behind a name stands what weights want and no record settles (:mod:`surefoot.models.record`), as
in ``open_clip:ViT-L-14@FILE?tag=openai``:

=====================  ==========================================================================
``?tag=TAG``           the published weights that a file began from: its activation and transform
``?activation=gelu``   or ``quickgelu``
``?mean=M&std=S``      one number, or three with commas
``?img_size=N``        pixels; position embeddings are resampled to it
``?global_pool=avg``   or ``token``, ``map``, ``max``: how patches become one feature
=====================  ==========================================================================

``load(...).spec.record`` and ``surefoot show NAME`` tell what was taken and where it was read.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from ..errors import CheckpointError, ModelError, UnknownName
from ..registry import MODELS, nearest
from ..weights import is_virtual, materialise
from .checkpoints import read_checkpoint
from .downloads import cached_file, hub_file
from .foreign import open_clip
from .hf import load as hf_load
from .model import Model
from .names import SCHEMES, Source, parse, unknown_name
from .open_clip import folder as clip_folder
from .open_clip import load as clip_load
from .save import load_for_use, read_metadata
from .timm import load as timm_load
from .timm.records import names

__all__ = ["load"]

_CONFIGS = ("open_clip_config.json", "config.json")
_FILES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".tar", ".json")


def load(
    name: str | os.PathLike[str],
    *,
    architecture: str | None = None,
    device: str | torch.device = "cpu",
) -> Model:
    """Load a model with its transforms, text tower, tokenizer and logit scale.

    Args:
        name: A name, a file or a folder, as the table above says.
        architecture: For a file: "open_clip:ARCH", "timm:NAME", or either without the scheme.
        device: Where the parameters go.

    Returns:
        The model in evaluation mode, float32.

    Raises:
        UnknownName: A name that does not exist; the nearest ones are named.
        CheckpointError: A file that is damaged or does not fit, with every mismatch.
        UnsafePickle: A file that wants to run code.
        DownloadUnavailable: Weights that are not cached, and no network.
        ModelError: An activation or an architecture in doubt.

    Example:
        >>> sf.load("tiny-clip")
        Model(tiny-clip: 2,852,416 weights in the encoder, no head, text tower)
    """
    source = parse(os.fspath(name))
    if architecture is not None:
        source = _with_architecture(source, architecture)
    model = _load(source)
    return model.to(device).eval()


def _load(source: Source) -> Model:
    if source.scheme == "open_clip":
        return clip_load.from_name(source)
    if source.scheme == "timm":
        return timm_load.from_name(source)
    if source.scheme == "hf-hub":
        return _hub(source)
    path = Path(source.name).expanduser()
    if path.is_dir():
        return _folder(path, source)
    if path.is_file():
        return _file(path, source)
    if source.name in MODELS or source.name.replace("_", "-") in MODELS:
        source.allow(what="a built-in model")
        make: Callable[[], Model] = MODELS.get(source.name)
        return make()
    raise _no_such(source, path)


def _no_such(source: Source, path: Path) -> Exception:
    if path.suffix in _FILES or path.is_absolute() or len(path.parts) > 2:
        return CheckpointError(
            f"there is no file or folder {source.name}",
            expected="a checkpoint, a run folder, or a model name",
            fix="check the path",
        )
    scheme = source.name.partition(":")[0]
    if ":" in source.name:
        near = nearest(scheme, [*SCHEMES])
        wrong = UnknownName("model scheme", scheme, [f"{s}:" for s in SCHEMES], near)
        wrong.fix = "write open_clip:ARCH/TAG, timm:NAME or hf-hub:ORG/NAME"
        return wrong
    error = UnknownName("model", source.name, MODELS.names(), nearest(source.name, MODELS.names()))
    error.fix = (
        "`surefoot ls models` lists the built-in ones; others are open_clip:ARCH/TAG, timm:NAME, "
        "hf-hub:ORG/NAME, a file or a folder"
    )
    return error


def _with_architecture(source: Source, architecture: str) -> Source:
    """The source as if it had been given as SCHEME:ARCH@FILE."""
    asked = parse(architecture)
    path = Path(source.name).expanduser()
    if source.scheme or not path.is_file():
        raise ModelError(
            f"architecture={architecture!r} goes with a local file, not with {source.text!r}",
            expected="a checkpoint file",
        )
    scheme = asked.scheme or _scheme_of(asked.name)
    return replace(asked, text=f"{scheme}:{asked.name}@{path}", scheme=scheme, file=path)


def _scheme_of(name: str) -> str:
    """Whose architecture a bare name is.

    Raises:
        UnknownName: Neither open_clip's nor timm's.
    """
    clips = open_clip("this architecture").list_models()
    if name in clips:
        return "open_clip"
    if name.partition(".")[0] in names():
        return "timm"
    raise unknown_name(
        "architecture", name, [*clips, *names()], fix="write open_clip:NAME or timm:NAME"
    )


def _hub(source: Source) -> Model:
    instead = "surefoot.load('/folder/of/the/repository')"
    found = cached_file(source.name, _CONFIGS)
    for config in _CONFIGS if found is None else ():
        found = found or hub_file(source.name, config, instead=instead)
    if found is None:
        raise ModelError(
            f"the hub repository {source.name!r} has neither {' nor '.join(_CONFIGS)}",
            expected="a model of open_clip, transformers or timm",
        )
    if found.name == "open_clip_config.json":
        return clip_folder.from_hub(source.name, found, source)
    if "model_type" in json.loads(found.read_text(encoding="utf-8")):
        return hf_load.from_hub(source)
    return timm_load.from_hub(source)


def _folder(folder: Path, source: Source) -> Model:
    end = folder / "end.safetensors"
    if end.is_file():
        return _as(load_for_use(end), source)
    if (folder / "open_clip_config.json").is_file():
        return clip_folder.from_folder(folder, source)
    config = folder / "config.json"
    if config.is_file():
        if "model_type" in json.loads(config.read_text(encoding="utf-8")):
            return hf_load.from_folder(folder, source)
        return timm_load.from_folder(folder, source)
    if (folder / "study.json").is_file():
        runs = [str(p.parent) for p in sorted(folder.glob("*/end.safetensors"))]
        raise ModelError(
            f"{folder} is a study, a folder of runs, and no model",
            expected="one of its runs: " + (", ".join(runs[:12]) or "none is finished"),
            fix="give the folder of one of its runs",
        )
    unfinished = any((folder / n).is_file() for n in ("status.json", "run.json", "recipe.yaml"))
    raise ModelError(
        f"the folder {folder} holds no model"
        + (": its run has not written end.safetensors yet" if unfinished else ""),
        expected="end.safetensors, open_clip_config.json or config.json",
        fix="finish the run with --resume" if unfinished else "give the folder of a model",
    )


def _as(model: Model, source: Source) -> Model:
    source.allow(what="a file that surefoot wrote")
    model.spec = replace(model.spec, source=source.text)
    return model


def _virtual(path: Path, source: Source) -> Model:
    """A virtual checkpoint, materialised in a temporary file."""
    with tempfile.TemporaryDirectory(prefix="surefoot-") as folder:
        merged = Path(folder) / "merged.safetensors"
        materialise(path, merged, check="none")
        model = _file(merged, source)
        # Tensors may be mapped from the file, which is about to go.
        return model.clone()


def _file(path: Path, source: Source) -> Model:
    if is_virtual(path):
        return _virtual(path, source)
    if path.suffix == ".safetensors" and read_metadata(path) is not None:
        return _as(load_for_use(path), source)
    found = read_checkpoint(path)
    if clip_load.is_clip(found.state):
        return clip_load.from_checkpoint(found, source, arch=None, file=path)
    return timm_load.from_checkpoint(found, source, name=None, file=path)
