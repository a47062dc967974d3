"""sentence-transformers folders, read with transformers: tokens, pooling, normalisation.

Such a folder is a transformers model with three small files beside it: ``modules.json`` (what
comes after what), ``1_Pooling/config.json`` (how token vectors become one) and
``sentence_bert_config.json`` (longest text). Reimers and Gurevych, "Sentence-BERT", EMNLP 2019,
arXiv 1908.10084, section 3. Mean and CLS pooling are read; other modules are refused by name.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import CheckpointError, ModelError
from ..weights.fingerprint import fingerprint
from .foreign import TEXT, hf_pretrained, hf_tokenizer
from .texts import Device, Embeddings, TextEncoder
from .tokenizer_files import read_files

__all__ = ["SentenceText", "pool"]

Pooling = Literal["mean", "cls"]

_FLAG = re.compile(r"pooling_mode_(\w+?)(_tokens?)?")
"""How older folders say it: one switch per kind, such as ``pooling_mode_cls_token``."""

_EXPECTED = "a folder of sentence-transformers: modules.json, 1_Pooling/config.json, config.json"
_TOKENIZER = ("tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "tokenizer_config.json",
              "sentencepiece.bpe.model", "spiece.model")  # fmt: skip

_ELSEWHERE = ("_name_or_path", "transformers_version")


class SentenceText(TextEncoder):
    """A sentence encoder on disk; it never saw an image.

    Args:
        folder: Of sentence-transformers; a plain transformers folder is pooled by the mean, as
            that package does.

    Raises:
        CheckpointError: The folder is not there, lacks weights or cannot be read.
        ModelError: It has a module or a pooling that is not read.
    """

    saw_images = False

    def __init__(self, folder: str | Path) -> None:
        place = Path(folder).expanduser()
        if not place.is_dir():
            raise CheckpointError(
                f"there is no folder {place} (looked at {place.absolute()})",
                expected=_EXPECTED,
                fix="write sentence:FOLDER, with the folder that holds modules.json",
            )
        self.name = f"sentence:{place.resolve().name}"
        inner, pooling = _modules(place)
        self.pooling: Pooling = _pooling(pooling) if pooling is not None else "mean"
        settings = _json(place / "sentence_bert_config.json") or {}
        self._lower = bool(settings.get("do_lower_case", False))
        self._prompt = _prompt(place)
        self._model, self._tokenizer = _read(inner)
        self.dim = int(self._model.config.hidden_size)
        self.max_length = _longest(settings, self._model.config, self._tokenizer)
        self._id = self._identity(place, inner)

    def encode(
        self, texts: Sequence[str], *, batch_size: int = 256, device: Device = None
    ) -> Embeddings:
        """Texts -> (n, dim). Long texts are encoded together, so that little is padded."""
        out = np.zeros((len(texts), self.dim), dtype=np.float32)
        order = np.argsort([-len(t) for t in texts], kind="stable")
        where = torch.device("cpu" if device is None else device)
        try:
            self._model.to(where)
            with torch.no_grad():
                for at in range(0, len(order), batch_size):
                    rows = order[at : at + batch_size]
                    vectors = self._encode([texts[int(i)] for i in rows], where)
                    out[rows] = nn.functional.normalize(vectors.float(), dim=-1).cpu().numpy()
        finally:
            self._model.to("cpu")
        return out

    def _encode(self, texts: Sequence[str], where: torch.device) -> Tensor:
        """A batch -> pooled vectors (n, dim), not normalised."""
        given = [self._prompt + text.strip() for text in texts]
        tokens = self._tokenizer(
            [text.lower() for text in given] if self._lower else given,
            padding=True,
            truncation=True,
            max_length=self.max_length,
            return_tensors="pt",
        ).to(where)
        hidden = self._model(**tokens).last_hidden_state
        return pool(hidden, tokens["attention_mask"], self.pooling)

    def fingerprint(self) -> str:
        """Over weights, configuration, tokenizer, pooling and longest text."""
        return self._id

    def _identity(self, place: Path, inner: Path) -> str:
        files = {n: inner / n for n in _TOKENIZER} | {"modules.json": place / "modules.json"}
        read = {n: hashlib.sha256(f.read_bytes()).hexdigest()
                for n, f in sorted(files.items()) if f.is_file()}  # fmt: skip
        config = self._model.config.to_dict()
        facts = {
            "format": 1,
            # Where it lies and who wrote it are no part of what it is.
            "config": {k: v for k, v in config.items() if k not in _ELSEWHERE},
            "files": read,
            "pooling": self.pooling,
            "longest": self.max_length,
            "lower": self._lower,
            "prompt": self._prompt,
            "weights": fingerprint(self._model),
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()


def pool(hidden: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    """Token vectors -> one vector per text.

    Args:
        hidden: (n, tokens, d).
        mask: (n, tokens), 1 for tokens of the text, 0 for padding on either side.
        pooling: "mean" of the text's tokens, or "cls", the first of them.

    Returns:
        (n, d).
    """
    if pooling == "cls":
        first = mask.to(torch.int32).argmax(dim=1)
        return hidden[torch.arange(len(hidden), device=hidden.device), first]
    weight = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1e-9)


def _modules(place: Path) -> tuple[Path, Mapping[str, Any] | None]:
    """Folder of the transformer, and the pooling's configuration."""
    listed = _json(place / "modules.json")
    if listed is None:
        if not (place / "config.json").is_file():
            raise CheckpointError(f"{place} holds no model", expected=_EXPECTED)
        return place, None
    inner, pooling = place, None
    for module in listed:
        kind = str(module.get("type", "")).rsplit(".", 1)[-1]
        if kind == "Transformer":
            inner = _inside(place, module)
        elif kind == "Pooling":
            pooling = _json(_inside(place, module) / "config.json")
        elif kind != "Normalize":  # embeddings are l2-normalised in any case
            raise ModelError(
                f"{place} has a module {kind!r}, which is not read here",
                expected="Transformer, Pooling (mean or cls) and Normalize",
                fix="use another sentence encoder, such as all-MiniLM-L6-v2",
            )
    return inner, pooling if pooling is not None else {}


def _inside(place: Path, module: Mapping[str, Any]) -> Path:
    """The folder of a module, which lies in the encoder's own."""
    inner = (place / str(module.get("path", ""))).resolve()
    if not inner.is_relative_to(place.resolve()):
        raise CheckpointError(
            f"{place / 'modules.json'} names {module.get('path')!r}, which lies outside",
            expected=_EXPECTED,
        )
    return inner


def _pooling(config: Mapping[str, Any]) -> Pooling:
    """The kind that a configuration names, in the older or the newer way."""
    said = config.get("pooling_mode")
    if said is None:
        flags = (_FLAG.fullmatch(key) for key in sorted(config) if config[key])
        said = [flag[1] for flag in flags if flag] or ["mean"]
    kinds = [said] if isinstance(said, str) else list(said)
    if kinds == ["mean"]:
        return "mean"
    if kinds == ["cls"]:
        return "cls"
    raise ModelError(
        f"the pooling {' + '.join(map(str, kinds))} is not read here",
        expected="mean or cls",
        fix="use another sentence encoder, such as all-MiniLM-L6-v2",
    )


def _prompt(place: Path) -> str:
    """What is put before every text by default, mostly nothing."""
    settings = _json(place / "config_sentence_transformers.json") or {}
    name = settings.get("default_prompt_name")
    return str((settings.get("prompts") or {}).get(name, "")) if name else ""


def _longest(settings: Mapping[str, Any], config: Any, tokenizer: Any) -> int:
    """Tokens after which a text is cut."""
    given = settings.get("max_seq_length")
    room = getattr(config, "max_position_embeddings", None)
    known = [int(v) for v in (given,) if v] or [
        int(v) for v in (room, tokenizer.model_max_length) if v and int(v) < 10**6
    ]
    return min(known, default=512)


def _read(folder: Path) -> tuple[Any, Any]:
    """The transformer in evaluation mode, float32, and its tokenizer."""
    try:
        model, about = hf_pretrained(folder, TEXT)
        tokenizer = hf_tokenizer(read_files(folder), str(folder))
    except ModelError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise CheckpointError(f"{folder} cannot be read: {error}", expected=_EXPECTED) from error
    missing = sorted(k for k in about["missing_keys"] if "pooler" not in k)
    missing += [f"{m[0]} (of another shape)" for m in sorted(about["mismatched_keys"])]
    if missing or getattr(model.config, "is_encoder_decoder", False):
        what = f"lacks the weights {', '.join(missing[:3])}" if missing else "has a decoder"
        raise CheckpointError(f"the model in {folder} {what}", expected="a whole text encoder")
    return model.requires_grad_(False).eval(), tokenizer


def _json(path: Path) -> Any:
    """A JSON file; None where it is missing."""
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CheckpointError(f"{path} is not JSON ({error})", expected=_EXPECTED) from error
