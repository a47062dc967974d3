"""Pretrain tiny-dino: icons alone, without names (SimCLR, arXiv 2002.05709).

The name says which role the model plays in the package, an encoder that never saw text. The
recipe is SimCLR's, not DINO's: two strong views, NT-Xent over the batch; with two cores and half
an hour, self-distillation would spend its time on a teacher. For example::

    python tools/pretrain_tiny_dino.py CORPUS CHECKPOINTS --hours 0.5 --export tiny_dino.safetensors
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

import torch
from lightly.loss import NTXentLoss
from lightly.models.modules import SimCLRProjectionHead
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parent))

from pretraining.augment import CONTRAST, view
from pretraining.corpus import Corpus, load_corpus
from pretraining.loop import Randomness, arguments, train
from pretraining.parallel import Pieces
from surefoot.models.tiny import build, dino_spec, save_tiny


def gradients(
    network: nn.Module,
    loss: nn.Module,
    corpus: Corpus,
    chance: Randomness,
    pieces: Pieces,
    *,
    batch: int,
    piece: int,
) -> float:
    """Gradients and loss of two views (b, 3, 32, 32) of one random batch."""
    device = pieces.parameters[0].device
    chosen = corpus.draw(batch, chance.torch_)
    images = corpus.pixels(chosen, device)
    views = torch.cat([view(images, CONTRAST, chance.torch_) for _ in range(2)])
    calls = [partial(network, part) for part in views.split(piece)]

    def loss_of(projected: list[Tensor]) -> Tensor:
        one, two = torch.cat(projected).chunk(2)
        value: Tensor = loss(one, two)
        return value

    return pieces.step(calls, loss_of)


def main() -> None:
    parser = arguments(__doc__, batch=128, lr=8e-4)
    parser.add_argument("--temperature", type=float, default=0.15)
    args: argparse.Namespace = parser.parse_args()
    torch.manual_seed(args.seed)
    corpus = load_corpus(args.corpus, device=args.device)
    spec = dino_spec()
    model = build(spec.builder).model(spec).to(args.device)
    # Without BatchNorm, which would see pieces of the batch and not all of it.
    head = SimCLRProjectionHead(model.feature_dim, 512, 128, batch_norm=False).to(args.device)
    network = nn.Sequential(model.encoder, head)
    loss = NTXentLoss(temperature=args.temperature)
    chance = Randomness(args.seed)
    pieces = Pieces(network, threads=args.threads, device=model.device.type)
    piece = args.piece if model.device.type == "cpu" else 2 * args.batch
    step = partial(gradients, network, loss, corpus, chance, pieces, batch=args.batch, piece=piece)
    progress = train(network, step, chance, args)
    if args.export:
        save_tiny(model.cpu().eval(), args.export)
    epochs = progress.images / len(corpus.words)
    print(f"{progress.step} steps, {progress.images} images, {epochs:.1f} epochs", flush=True)


if __name__ == "__main__":
    main()
