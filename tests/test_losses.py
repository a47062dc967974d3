"""Losses, against references written out in float64 and against open_clip's own."""

from __future__ import annotations

import math

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.errors import TrainingError
from surefoot.losses import contrastive, cross_entropy, l2_to, sigmoid_contrastive


def pair(n: int, d: int = 5, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(2, n, d, generator=generator, dtype=torch.float64))  # type: ignore


def slow_contrastive(images, texts, scale: float, groups: list[int]) -> float:
    """Item by item: the mean over positives of -log softmax, both ways."""
    x = images.numpy() / np.linalg.norm(images.numpy(), axis=1, keepdims=True)
    y = texts.numpy() / np.linalg.norm(texts.numpy(), axis=1, keepdims=True)
    total = 0.0
    for a, b in ((x, y), (y, x)):
        for i in range(len(a)):
            logits = [scale * float(a[i] @ b[j]) for j in range(len(b))]
            log_sum = math.log(sum(math.exp(v) for v in logits))
            mine = [j for j in range(len(b)) if groups[j] == groups[i]]
            total += sum(log_sum - logits[j] for j in mine) / len(mine)
    return total / (2 * len(x))


def slow_sigmoid(images, texts, scale: float, bias: float, groups: list[int]) -> float:
    x = images.numpy() / np.linalg.norm(images.numpy(), axis=1, keepdims=True)
    y = texts.numpy() / np.linalg.norm(texts.numpy(), axis=1, keepdims=True)
    total = 0.0
    for i in range(len(x)):
        for j in range(len(y)):
            z = 1 if groups[i] == groups[j] else -1
            total += math.log1p(math.exp(-z * (scale * float(x[i] @ y[j]) + bias)))
    return total / len(x)


GROUPS = st.lists(st.integers(0, 3), min_size=1, max_size=8)


@given(groups=GROUPS, scale=st.floats(0.1, 30), seed=st.integers(0, 50))
@settings(max_examples=40, deadline=None)
def test_contrastive_is_its_definition(groups: list[int], scale: float, seed: int) -> None:
    images, texts = pair(len(groups), seed=seed)
    paper = contrastive(images, texts, scale)
    assert float(paper) == pytest.approx(
        slow_contrastive(images, texts, scale, list(range(len(groups)))), rel=1e-10, abs=1e-12
    )
    several = contrastive(images, texts, scale, positives=torch.tensor(groups))
    assert float(several) == pytest.approx(
        slow_contrastive(images, texts, scale, groups), rel=1e-10, abs=1e-12
    )


@given(groups=GROUPS, scale=st.floats(0.1, 30), bias=st.floats(-10, 2), seed=st.integers(0, 50))
@settings(max_examples=40, deadline=None)
def test_sigmoid_is_its_definition(groups: list[int], scale: float, bias: float, seed: int) -> None:
    images, texts = pair(len(groups), seed=seed)
    alone = list(range(len(groups)))
    for given_groups, positives in ((alone, None), (groups, torch.tensor(groups))):
        ours = sigmoid_contrastive(images, texts, scale, bias, positives=positives)
        expected = slow_sigmoid(images, texts, scale, bias, given_groups)
        assert float(ours) == pytest.approx(expected, rel=1e-9)


def test_contrastive_is_open_clips() -> None:
    images, texts = (torch.nn.functional.normalize(e.float(), dim=-1) for e in pair(9))
    theirs = open_clip.ClipLoss()(images, texts, torch.tensor(14.3))
    torch.testing.assert_close(contrastive(images, texts, 14.3), theirs)


def test_sigmoid_is_open_clips() -> None:
    images, texts = (torch.nn.functional.normalize(e.float(), dim=-1) for e in pair(9))
    theirs = open_clip.loss.SigLipLoss()(images, texts, torch.tensor(10.0), torch.tensor(-10.0))
    torch.testing.assert_close(sigmoid_contrastive(images, texts, 10.0, -10.0), theirs)


def test_the_same_class_is_a_negative_in_the_papers_form_alone() -> None:
    """Two items of one class with the same embeddings: InfoNCE can do no better than log 2."""
    images = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    labels = torch.tensor([4, 4])
    assert float(contrastive(images, images, 50.0)) == pytest.approx(math.log(2))
    apart = torch.eye(2)
    assert float(contrastive(apart, apart, 50.0)) == pytest.approx(0.0, abs=1e-9)
    assert float(contrastive(apart, apart, 50.0, positives=labels)) == pytest.approx(25.0)


def test_half_precision_is_computed_in_single() -> None:
    images, texts = (e.to(torch.bfloat16) for e in pair(6))
    loss = contrastive(images, texts, 100.0)
    assert loss.dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        again = contrastive(images.float(), texts.float(), 100.0)
    torch.testing.assert_close(again, loss, rtol=1e-6, atol=1e-6)


def test_gradients_are_right() -> None:
    images, texts = (e.requires_grad_() for e in pair(4))
    scale = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    groups = torch.tensor([0, 1, 0, 2])
    for positives in (None, groups):
        assert torch.autograd.gradcheck(
            lambda x, y, s, p=positives: contrastive(x, y, s, positives=p), (images, texts, scale)
        )


def test_cross_entropy_without_rows_is_zero() -> None:
    logits = torch.zeros(0, 3, requires_grad=True)
    loss = cross_entropy(logits, torch.zeros(0, dtype=torch.int64))
    loss.backward()
    assert float(loss.detach()) == 0
    assert logits.grad is not None


def test_cross_entropy_keeps_float64() -> None:
    logits = torch.randn(3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 3, 1])
    expected = -logits.log_softmax(dim=1)[torch.arange(3), labels].mean()
    torch.testing.assert_close(cross_entropy(logits, labels), expected, rtol=1e-14, atol=0)


def test_distance_to_a_reference() -> None:
    start = {"a": torch.ones(2, 2), "b": torch.zeros(3)}
    now = {"a": torch.full((2, 2), 3.0, requires_grad=True), "b": torch.ones(3), "c": torch.ones(9)}
    distance = l2_to(start, now)
    assert float(distance.detach()) == 4 * 4 + 3
    distance.backward()
    assert torch.equal(now["a"].grad, torch.full((2, 2), 4.0))


@pytest.mark.parametrize(
    ("reference", "message"), [({"x": torch.ones(2)}, "'x' for one"), ({}, "holds no weights")]
)
def test_a_reference_that_does_not_fit_says_so(reference: dict, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        l2_to(reference, {"a": torch.ones(2)})
