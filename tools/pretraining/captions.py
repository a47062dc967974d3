"""Captions in several phrasings, and the tokenizer learnt from them."""

from __future__ import annotations

import random
from pathlib import Path

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from .corpus import Corpus

STYLES = {
    "outline": ("outline", "line", "linear"),
    "solid": ("solid", "filled", "black"),
    "duotone": ("duotone", "two-tone"),
    "sketch": ("hand-drawn", "sketched"),
    "emoji": ("emoji", "colourful"),
    "colour": ("colourful", "flat colour"),
    "pixel": ("pixel", "pixelated"),
}
PLAIN = (
    "an icon of a {}",
    "a {} icon",
    "a {} pictogram",
    "a drawing of a {}",
    "a picture of a {}",
    "the symbol for {}",
)
STYLED = ("a {s} icon of a {w}", "{s} {w}", "a {s} picture of a {w}", "{w}, {s}")


def caption(corpus: Corpus, index: int, rng: random.Random) -> str:
    """One caption of one image: bare words (half), a phrase, a style, or further words."""
    words = corpus.words[index]
    kind = rng.random()
    if kind < 0.15:
        extra = _extra(corpus, index, rng)
        if extra:
            return f"{words}, {extra}"
    if kind < 0.30:
        style = rng.choice(STYLES.get(corpus.domain[index], (corpus.domain[index],)))
        return rng.choice(STYLED).format(s=style, w=words)
    if kind < 0.55:
        return rng.choice(PLAIN).format(words)
    return words


def _extra(corpus: Corpus, index: int, rng: random.Random) -> str:
    """Two keywords, or a category, or nothing."""
    keywords = [k for k in corpus.keywords[index].split(", ") if k]
    if keywords:
        return ", ".join(rng.sample(keywords, min(2, len(keywords))))
    return rng.choice(corpus.category[index].split(", "))


def train_tokenizer(corpus: Corpus, file: Path, *, vocab: int = 4096) -> None:
    """Learn a byte-level BPE on the distinct words and phrasings; id 0 pads.

    Byte-level (GPT-2's), so that no string is unknown; lower case, NFKC.
    """
    texts = set(corpus.words) | set(corpus.keywords) | set(corpus.category) | set(PLAIN)
    texts |= {f"a {s} icon, {s}" for styles in STYLES.values() for s in styles}
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=["[PAD]", "[START]", "[END]"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sorted(texts), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[START] $A [END]", special_tokens=[("[START]", 1), ("[END]", 2)]
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(file), pretty=False)
