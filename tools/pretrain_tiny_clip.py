"""Pretrain tiny-clip: images and names of icons into one space (CLIP, arXiv 2103.00020).

Two cores are enough (an hour or more); a GPU needs minutes. For example::

    python tools/pretrain_tiny_clip.py CORPUS CHECKPOINTS --hours 1 --export tiny_clip.safetensors
    python tools/pretrain_tiny_clip.py CORPUS CHECKPOINTS --hours 2 --resume   # go on later
    python tools/pretrain_tiny_clip.py CORPUS CHECKPOINTS --hours 0 --resume --export FILE
"""

from __future__ import annotations

import argparse
import math
import os
import sys
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from pretraining.augment import CLIP, CLIP_STRONG, Strength, view
from pretraining.captions import caption, train_tokenizer
from pretraining.corpus import Corpus, load_corpus
from pretraining.loop import Randomness, arguments, train
from pretraining.parallel import Pieces
from surefoot.models.model import Model
from surefoot.models.tiny import BUILTIN, TOKENIZER, build, clip_spec, save_tiny
from surefoot.models.tiny_towers import PAD

LARGEST_SCALE = math.log(100)  # CLIP, section 2.5


def contrastive(images: Tensor, texts: Tensor, concept: Tensor, scale: Tensor) -> Tensor:
    """Symmetric InfoNCE whose targets are spread over equal concepts.

    Args:
        images: (b, d), not normalised.
        texts: (b, d), likewise.
        concept: (b,), equal where the words are.
        scale: exp of the logit scale, scalar.
    """
    logits = scale * F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).T
    equal = (concept[:, None] == concept[None, :]).float()
    targets = equal / equal.sum(dim=1, keepdim=True)
    return (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2


def gradients(
    model: Model,
    corpus: Corpus,
    chance: Randomness,
    pieces: Pieces,
    *,
    batch: int,
    piece: int,
    strength: Strength,
) -> float:
    """Gradients and loss of one random batch; each distinct caption is encoded once."""
    text = model.require_text("pretraining")
    assert model.logit_scale is not None
    scale, device = model.logit_scale, model.device
    chosen = corpus.draw(batch, chance.torch_)
    captions = [caption(corpus, i, chance.python) for i in chosen.tolist()]
    pixels = view(corpus.pixels(chosen, device), strength, chance.torch_)
    place = {c: i for i, c in enumerate(dict.fromkeys(captions))}
    tokens = text.tokenize(list(place))
    # Short captions apart from long ones: the tower cuts what only pads.
    order = (tokens != PAD).sum(dim=1).argsort()
    row = order.argsort()[torch.tensor([place[c] for c in captions])].to(device)
    concept = corpus.concept[chosen].to(device)
    calls = [partial(model.features, part) for part in pixels.split(piece)]
    seen = len(calls)
    calls += [partial(text, tokens[part].to(device)) for part in order.split(piece)]

    def loss_of(features: list[Tensor]) -> Tensor:
        texts = torch.cat(features[seen:])[row]
        return contrastive(torch.cat(features[:seen]), texts, concept, scale.exp())

    return pieces.step(calls, loss_of)


def main() -> None:
    parser = arguments(__doc__, batch=128, lr=8e-4)
    parser.add_argument("--new-tokenizer", action="store_true", help="learn it again")
    parser.add_argument(
        "--curation", type=float, default=2.0, help="prefer names that many icon sets know; 0: not"
    )
    parser.add_argument("--views", choices=("mild", "strong"), default="mild")
    args: argparse.Namespace = parser.parse_args()
    torch.manual_seed(args.seed)
    corpus = load_corpus(args.corpus, curation=args.curation, device=args.device)
    if args.new_tokenizer or not (BUILTIN / TOKENIZER).exists():
        train_tokenizer(corpus, BUILTIN / TOKENIZER)
    spec = clip_spec()
    model = build(spec.builder).model(spec).to(args.device)
    assert model.logit_scale is not None
    scale = model.logit_scale
    chance = Randomness(args.seed)
    pieces = Pieces(model, threads=args.threads, device=model.device.type)
    piece = args.piece if model.device.type == "cpu" else args.batch
    strength = {"mild": CLIP, "strong": CLIP_STRONG}[args.views]
    step = partial(gradients, model, corpus, chance, pieces, batch=args.batch, piece=piece)
    progress = train(
        model,
        partial(step, strength=strength),
        chance,
        args,
        after_step=lambda: scale.data.clamp_(max=LARGEST_SCALE),
    )
    if args.export:
        save_tiny(model.cpu(), args.export)
    epochs = progress.images / len(corpus.words)
    print(f"{progress.step} steps, {progress.images} images, {epochs:.1f} epochs", flush=True)


if __name__ == "__main__":
    main()
