"""A tokenizer's files: which may travel with a model, what may stand in them, where they are read.

Only files of these names are ever shown to a tokenizer, from a folder of their own, after what
they say has been reduced to what is listed. So no file of code, and no name of one, gets there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..errors import ModelError
from .allowed import plain_values, refuse_code

__all__ = ["TEXT_FILES", "checked_files", "pack_tokenizer", "read_files", "unpacked"]

TEXT_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "tiny_clip_tokenizer.json",
)
"""What a saved model may carry."""

BINARY_FILES = ("sentencepiece.bpe.model", "spiece.model", "tokenizer.model")
"""What a folder may have besides: vocabularies of sentencepiece."""

LARGEST = 256 * 2**20
"""Bytes of one file; the longest vocabularies of open_clip's models take 40 MB."""

_CLASSES = frozenset(
    {"AlbertTokenizer", "BertTokenizer", "CamembertTokenizer", "CLIPTokenizer",
     "DebertaV2Tokenizer", "DistilBertTokenizer", "ElectraTokenizer", "GemmaTokenizer",
     "GPT2Tokenizer", "M2M100Tokenizer", "MPNetTokenizer", "NllbTokenizer", "PreTrainedTokenizer",
     "Qwen2Tokenizer", "RobertaTokenizer", "Siglip2Tokenizer", "SiglipTokenizer", "T5Tokenizer",
     "TokenizersBackend", "XLMRobertaTokenizer"}
)  # fmt: skip
"""Of ``tokenizer_class``, each also with Fast behind it."""

_SETTINGS = frozenset(
    {"add_bos_token", "add_eos_token", "add_prefix_space", "added_tokens_decoder",
     "additional_special_tokens", "backend", "clean_up_tokenization_spaces", "do_basic_tokenize",
     "do_lower_case", "errors", "extra_ids", "extra_special_tokens", "legacy", "legacy_behaviour",
     "max_length", "model_max_length", "pad_to_multiple_of", "pad_token_type_id", "padding_side",
     "spaces_between_special_tokens", "split_special_tokens", "src_lang", "stride",
     "strip_accents", "tgt_lang", "tokenize_chinese_chars", "tokenizer_class", "trim_offsets",
     "truncation_side", "truncation_strategy"}
)  # fmt: skip
"""Of ``tokenizer_config.json``, beside the special tokens (``..._token``)."""


def checked_files(files: Any, where: str) -> dict[str, str]:
    """Packed files, name -> text, as a saved model carries them.

    Raises:
        ModelError: A name that is not listed (a path, a suffix of code), or a text too long.
    """
    if not isinstance(files, Mapping):
        raise ModelError(f"{where} packs no files but {type(files).__name__}", expected="a mapping")
    for name, text in files.items():
        if name not in TEXT_FILES or not isinstance(text, str) or len(text) > LARGEST:
            raise ModelError(
                f"{where} carries {str(name)[:100]!r}, which is no file of a tokenizer",
                expected=f"one of {', '.join(TEXT_FILES)}, at most {LARGEST // 2**20} MB",
                fix="do not use this file; ask its author for one without it",
            )
    return dict(files)


def pack_tokenizer(tokenizer: Any) -> dict[str, str]:
    """The text files of a transformers tokenizer, so that a saved model carries them.

    Args:
        tokenizer: Anything with ``save_pretrained``.
    """
    with TemporaryDirectory() as folder:
        tokenizer.save_pretrained(folder)
        found = [Path(folder) / name for name in sorted(TEXT_FILES)]
        return {p.name: p.read_text(encoding="utf-8") for p in found if p.is_file()}


def read_files(folder: Path) -> dict[str, bytes]:
    """The listed files of a folder, name -> content; nothing else of it is read.

    Raises:
        ModelError: One is too long.
    """
    files = {}
    for name in (*TEXT_FILES, *BINARY_FILES, "config.json"):
        file = folder / name
        if not file.is_file():
            continue
        if file.stat().st_size > LARGEST:
            raise ModelError(f"{file} is too long", expected=f"at most {LARGEST // 2**20} MB")
        files[name] = file.read_bytes()
    return files


@contextmanager
def unpacked(files: Mapping[str, str | bytes], where: str) -> Iterator[str]:
    """A temporary folder with these files and nothing else, their configurations reduced.

    Raises:
        ModelError: A configuration wants code to be run, or says what is not listed.
    """
    with TemporaryDirectory(prefix="surefoot-") as folder:
        for name, content in files.items():
            if name not in (*TEXT_FILES, *BINARY_FILES, "config.json"):
                raise ModelError(f"{where} has {name!r}, which is no file of a tokenizer")
            data = content.encode("utf-8") if isinstance(content, str) else content
            (Path(folder) / name).write_bytes(_reduced(name, data, f"{name} of {where}"))
        yield folder


def _reduced(name: str, data: bytes, where: str) -> bytes:
    """A configuration without what is not listed; vocabularies as they are."""
    if name not in ("config.json", "tokenizer_config.json", "special_tokens_map.json"):
        return data
    try:
        about = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{where} is not JSON ({error})", expected="a whole file") from error
    refuse_code(about, where)
    if name == "config.json":  # a tokenizer asks it for the kind of model alone
        kept = {k: about[k] for k in ("model_type",) if isinstance(about.get(k), str)}
    else:
        kept = {
            k: plain_values(v, f"{k} in {where}")
            for k, v in about.items()
            if k in _SETTINGS or (k.endswith("_token") and not k.startswith("_"))
        }
    called = kept.get("tokenizer_class")
    if called is not None and str(called).removesuffix("Fast") not in _CLASSES:
        raise ModelError(
            f"{where} asks for the tokenizer {called!r}, which is not passed on",
            expected=f"one of {', '.join(sorted(_CLASSES))}",
            fix="use another model; surefoot runs no code of a model's author",
        )
    return json.dumps(kept).encode()
