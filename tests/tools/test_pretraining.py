"""The pretraining tools: resumption, batches, captions, views, the loss."""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch import nn

TOOLS = Path(__file__).parents[2] / "tools"
if str(TOOLS) not in sys.path:
    sys.path.insert(0, str(TOOLS))

from pretraining.augment import CLIP, CONTRAST, view  # noqa: E402
from pretraining.captions import caption, train_tokenizer  # noqa: E402
from pretraining.corpus import Corpus, load_corpus  # noqa: E402
from pretraining.loop import Randomness, train  # noqa: E402
from pretraining.parallel import Pieces  # noqa: E402


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    rng = np.random.default_rng(0)
    np.save(tmp_path / "images.npy", rng.integers(0, 256, (90, 32, 32, 3), dtype=np.uint8))
    rows = {
        "words": ["camera", "key ring", "cat"] * 30,
        "keywords": ["", "metal, door, lock", ""] * 30,
        "category": ["Photo", "", ""] * 30,
        "domain": ["outline"] * 81 + ["emoji"] * 9,
        "set": ["one"] * 45 + ["two"] * 45,
    }
    pq.write_table(pa.table(rows), tmp_path / "rows.parquet")
    return load_corpus(tmp_path)


def settings(folder: Path, **changes: object) -> argparse.Namespace:
    values = {
        "checkpoints": folder, "resume": False, "steps": 6, "hours": None, "lr": 0.1, "batch": 4,
        "weight_decay": 0.1, "warmup": 0.2, "save_minutes": 0.0, "seed": 0,
    }  # fmt: skip
    return argparse.Namespace(**{**values, **changes})


def run(folder: Path, *, stop: int | None = None, resume: bool = False) -> nn.Module:
    """A linear model on random batches, interrupted in step ``stop``."""
    torch.manual_seed(0)
    module = nn.Linear(3, 2)
    chance = Randomness(1)
    done = 0

    def step() -> float:
        nonlocal done
        if done == stop:
            raise KeyboardInterrupt
        done += 1
        inputs = torch.randn(4, 3, generator=chance.torch_) * chance.python.random()
        loss = module(inputs).square().mean()
        loss.backward()
        return float(loss.detach())

    train(module, step, chance, settings(folder, resume=resume))
    return module


def test_a_resumed_run_ends_where_an_unbroken_one_does(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken", stop=3)
    resumed = run(tmp_path / "broken", resume=True)
    assert torch.equal(whole.weight, resumed.weight)
    assert torch.equal(whole.bias, resumed.bias)


def test_a_spent_budget_trains_no_further(tmp_path: Path) -> None:
    first = run(tmp_path)
    again = run(tmp_path, stop=0, resume=True)
    assert torch.equal(first.weight, again.weight)


def test_rare_styles_are_drawn_more_often(corpus: Corpus) -> None:
    generator = torch.Generator().manual_seed(0)
    counts: Counter[str] = Counter()
    for _ in range(300):
        drawn = corpus.draw(8, generator).tolist()
        assert len(set(drawn)) == 8
        counts.update(corpus.domain[i] for i in drawn)
    # Nine times as many images, three times as many draws (somewhat less, without replacement).
    assert 2.2 < counts["outline"] / counts["emoji"] < 3.3


def test_curation_prefers_names_that_many_sets_know(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", np.zeros((12, 32, 32, 3), dtype=np.uint8))
    rows = {
        "words": ["cat"] * 10 + ["rare", "rare"],
        "keywords": [""] * 12,
        "category": [""] * 12,
        "domain": ["outline"] * 12,
        "set": [f"set {i}" for i in range(10)] + ["one", "two"],
    }
    pq.write_table(pa.table(rows), tmp_path / "rows.parquet")
    plain, curated = load_corpus(tmp_path).weight, load_corpus(tmp_path, curation=2).weight
    assert float(plain[0] / plain[-1]) == pytest.approx(1)
    # Eight sets count at most; two of eight, squared.
    assert float(curated[-1] / curated[0]) == pytest.approx((2 / 8) ** 2)


def test_captions_hold_the_words(corpus: Corpus) -> None:
    rng = random.Random(0)
    seen = {caption(corpus, 1, rng) for _ in range(300)}
    assert all("key ring" in c for c in seen)
    assert "key ring" in seen
    assert "an icon of a key ring" in seen
    assert any("outline" in c for c in seen)
    assert any("metal" in c for c in seen)
    assert corpus.concept[0] == corpus.concept[3] != corpus.concept[1]


def test_tokenizer_is_the_same_each_time(corpus: Corpus, tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        train_tokenizer(corpus, tmp_path / name, vocab=300)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


@pytest.mark.parametrize("strength", [CLIP, CONTRAST])
def test_views(corpus: Corpus, strength: object) -> None:
    before = corpus.images.clone()
    one, two = (view(corpus.images, strength, torch.Generator().manual_seed(3)) for _ in range(2))
    assert one.shape == (90, 3, 32, 32)
    assert torch.equal(one, two)
    assert torch.equal(corpus.images, before)
    assert float(one.min()) >= -1
    assert float(one.max()) <= 1


def test_a_drawing_never_vanishes() -> None:
    images = torch.full((200, 32, 32, 3), 255, dtype=torch.uint8)
    images[:, 8:24, 8:24] = 0
    seen = view(images, CONTRAST, torch.Generator().manual_seed(0))
    contrast = seen.amax(dim=(1, 2, 3)) - seen.amin(dim=(1, 2, 3))
    assert float(contrast.min()) > 0.3


def test_pieces_give_the_gradient_of_the_whole() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(5, 7), nn.GELU(), nn.Linear(7, 4))
    inputs = torch.randn(12, 5)

    def loss_of(parts: list[torch.Tensor]) -> torch.Tensor:
        features = torch.cat(parts)
        return (features @ features.T).softmax(dim=1).diagonal().log().mean()

    loss_of([module(inputs)]).backward()
    wanted = [p.grad.clone() for p in module.parameters()]
    module.zero_grad()
    pieces = Pieces(module, threads=2, device="cpu")
    pieces.step([lambda x=x: module(x) for x in inputs.split(5)], loss_of)
    for parameter, grad in zip(module.parameters(), wanted, strict=True):
        # bfloat16 inside
        torch.testing.assert_close(parameter.grad, grad, atol=0.02, rtol=0.1)


def test_contrastive_loss_against_a_plain_loop() -> None:
    from pretrain_tiny_clip import contrastive

    torch.manual_seed(0)
    images, texts = torch.randn(6, 4), torch.randn(6, 4)
    concept = torch.tensor([0, 1, 0, 2, 2, 0])
    images_1 = images / images.norm(dim=1, keepdim=True)
    texts_1 = texts / texts.norm(dim=1, keepdim=True)
    total = 0.0
    for a, b in ((images_1, texts_1), (texts_1, images_1)):
        for i in range(6):
            logits = [5.0 * float(a[i] @ b[j]) for j in range(6)]
            norm = math.log(sum(math.exp(x) for x in logits))
            equal = [j for j in range(6) if concept[j] == concept[i]]
            total -= sum(logits[j] - norm for j in equal) / len(equal) / 12
    got = contrastive(images, texts, concept, torch.tensor(5.0))
    assert float(got) == pytest.approx(total, rel=1e-4)
