"""Votes against a plain reference in double precision; protocols; self-matches."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.data.dataset import Shift, Split, Task
from surefoot.data.overlap import overlap
from surefoot.errors import DataError, ModelError, RecipeError, UnknownName
from surefoot.evals import votes as votes_module
from surefoot.evals.evaluate import evaluate
from surefoot.evals.knn import (
    knn,
    knn_predictions,
    protocol_transform,
)
from surefoot.evals.predict import predict
from surefoot.evals.score import score
from surefoot.evals.zero_shot import zero_shot
from surefoot.features import extract
from surefoot.models.model import Model, ModelSpec
from surefoot.predictions import Predictions
from surefoot.recipes.recipe import parse_recipe
from surefoot.transforms import DINO_KNN, TransformSpec


def plain_votes(  # type: ignore[no-untyped-def]
    bank, labels, queries, classes, k, temperature=0.07, exclude=None
) -> list[list[float]]:
    """Pure Python, double precision, one query at a time."""

    def unit(v):  # type: ignore[no-untyped-def]
        length = math.sqrt(sum(float(x) ** 2 for x in v))
        return [float(x) / length for x in v]

    rows = [unit(v) for v in bank]
    out = []
    for q, query in enumerate(queries):
        u = unit(query)
        near = [
            (sum(a * b for a, b in zip(u, row, strict=True)), i)
            for i, row in enumerate(rows)
            if exclude is None or exclude[q] != i
        ]
        tally = [0.0] * classes
        for s, i in sorted(near, reverse=True)[:k]:
            tally[int(labels[i])] += math.exp(s / temperature)
        out.append(tally)
    return out


def features(seed: int, n: int, d: int = 12) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


@given(
    st.integers(0, 1000),
    st.integers(1, 60),
    st.integers(0, 25),
    st.integers(1, 9),
    st.sampled_from([None, 1, 7]),
    st.sampled_from([8, 1 << 17]),
)
@settings(max_examples=25, deadline=None)
def test_votes_equal_the_plain_reference(
    seed: int, n: int, q: int, classes: int, chunk: int | None, rows: int
) -> None:
    """Any number of queries and classes, in any chunks of queries and of the bank."""
    bank, queries = features(seed, n), features(seed + 1, q)
    labels = np.random.default_rng(seed).integers(0, classes, n)
    ks = tuple(k for k in (1, 5, 20, 60) if k <= n)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(votes_module, "_BANK_ROWS", {"cpu": rows})
        found = knn(bank, labels, queries, classes=classes, ks=ks, chunk=chunk)
    assert set(found) == set(ks)
    for k in ks:
        assert found[k].dtype == np.float32
        expected = np.array(plain_votes(bank, labels, queries, classes, k)).reshape(q, classes)
        np.testing.assert_allclose(found[k], expected, rtol=2e-5)


@pytest.mark.parametrize("order", ["mixed", "nearest first", "nearest last"])
def test_many_blocks_of_the_bank(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Later blocks are looked through for what is nearer than the k found; all orders agree."""
    monkeypatch.setattr(votes_module, "_BANK_ROWS", {"cpu": 300})
    bank, queries = features(0, 2500), features(1, 9)
    queries += 2 * queries[0]  # alike, so that one order of the bank suits them all
    sims = bank @ queries.mean(axis=0)
    rows = {"mixed": np.arange(2500), "nearest first": np.argsort(-sims),
            "nearest last": np.argsort(sims)}[order]  # fmt: skip
    labels = np.random.default_rng(0).integers(0, 5, 2500)
    found = knn(bank[rows], labels[rows], queries, classes=5, ks=(7, 20))
    for k in (7, 20):
        expected = plain_votes(bank, labels, queries, 5, k)
        np.testing.assert_allclose(found[k], expected, rtol=2e-5)


def exact_votes(  # type: ignore[no-untyped-def]
    bank, labels, queries, classes, k, temperature=0.07, exclude=None
) -> np.ndarray:
    """As plain_votes, by a whole sort in numpy."""
    bank, queries = (
        x / np.linalg.norm(x, axis=1, keepdims=True)
        for x in (bank.astype(np.float64), queries.astype(np.float64))
    )
    sims = queries @ bank.T
    if exclude is not None:
        itself = np.flatnonzero(exclude >= 0)
        sims[itself, exclude[itself]] = -np.inf
    near = np.argsort(-sims, axis=1)[:, :k]
    votes = np.zeros((len(queries), classes))
    rows = np.arange(len(queries))[:, None]
    np.add.at(votes, (rows, labels[near]), np.exp(sims[rows, near] / temperature))
    return votes


@given(
    st.integers(0, 1000),
    st.integers(1, 900),
    st.integers(1, 300),
    st.integers(1, 12),
    st.sampled_from([16, 100, 1 << 10]),
    st.sampled_from([None, 50]),
    st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_banks_in_order_of_class_and_queries_for_several_threads(
    seed: int, n: int, q: int, classes: int, rows: int, chunk: int | None, itself: bool
) -> None:
    """A few queries meet all of their class in one block; threads share the queries."""
    labels = np.sort(np.random.default_rng(seed).integers(0, classes, n))
    centres = features(seed, classes)
    bank = 3 * centres[labels] + features(seed + 1, n)
    queries = 3 * centres[np.arange(q) % classes] + features(seed + 2, q)
    exclude = np.random.default_rng(seed).integers(-1, n, q) if itself else None
    ks = tuple(k for k in (1, 3, 20, 90) if k < n) or (1,)
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(votes_module, "_BANK_ROWS", {"cpu": rows})
            found = knn(bank, labels, queries, classes=classes, ks=ks, chunk=chunk, exclude=exclude)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    for k in ks:
        expected = exact_votes(bank, labels, queries, classes, k, exclude=exclude)
        np.testing.assert_allclose(found[k], expected, rtol=1e-4)


@pytest.mark.parametrize("q", [3, 200])
def test_a_collapsed_encoder(q: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Features that are all the same tie everywhere: still k of them vote."""
    monkeypatch.setattr(votes_module, "_BANK_ROWS", {"cpu": 100})
    bank, queries = np.ones((950, 4), np.float32), np.ones((q, 4), np.float32)
    found = knn(bank, np.arange(950) % 3, queries, classes=3, ks=(7, 30))
    for k in (7, 30):
        np.testing.assert_allclose(found[k].sum(axis=1), k * math.exp(1 / 0.07), rtol=1e-4)


def test_order_of_ks_and_repeats_do_not_matter() -> None:
    bank, labels, queries = features(0, 50), np.arange(50) % 4, features(1, 9)
    one = knn(bank, labels, queries, classes=4, ks=(20, 5, 20))
    assert np.array_equal(one[5], knn(bank, labels, queries, classes=4, ks=(5,))[5])
    np.testing.assert_allclose(
        one[20], knn(bank, labels, queries, classes=4, ks=(20,))[20], rtol=1e-6
    )


def test_ties_go_to_the_lowest_class() -> None:
    bank = np.eye(4, dtype=np.float32)
    found = knn(bank, np.array([3, 1, 2, 0]), np.ones((1, 4), np.float32), classes=4, ks=(4,))
    assert found[4].argmax() == 0
    assert np.ptp(found[4]) == 0


def test_k_beyond_the_bank_is_said_and_takes_all() -> None:
    bank, labels, queries = features(0, 6), np.arange(6) % 3, features(1, 4)
    with pytest.warns(UserWarning, match="k = 200 neighbours were asked of a bank of 6"):
        found = knn(bank, labels, queries, classes=3, ks=(2, 10, 200))
    expected = plain_votes(bank, labels, queries, 3, 6)
    np.testing.assert_allclose(found[200], expected, rtol=2e-5)
    np.testing.assert_allclose(found[10], expected, rtol=2e-5)


@pytest.mark.parametrize("rows", [7, 1 << 17])
def test_self_matches_are_left_out(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(votes_module, "_BANK_ROWS", {"cpu": rows})
    bank, labels = features(0, 30), np.arange(30) % 5
    exclude = np.array([3, -1, 29, 0])
    queries = bank[[3, 4, 29, 0]]
    found = knn(bank, labels, queries, classes=5, ks=(1, 8), exclude=exclude)
    for k in (1, 8):
        np.testing.assert_allclose(
            found[k], plain_votes(bank, labels, queries, 5, k, exclude=exclude), rtol=2e-5
        )
    assert found[1][1].argmax() == labels[4]  # not excluded, so it finds itself


def test_leaving_out_the_only_neighbour_leaves_no_vote() -> None:
    one = np.ones((1, 3), np.float32)
    found = knn(one, np.array([1]), one, classes=2, ks=(1,), exclude=np.array([0]))
    assert found[1].tolist() == [[0.0, 0.0]]


def test_a_bank_on_disk_and_tensors_give_the_same(tmp_path) -> None:  # type: ignore[no-untyped-def]
    bank, labels, queries = features(0, 100), np.arange(100) % 3, features(1, 11)
    expected = knn(bank, labels, queries, classes=3, ks=(10,))[10]
    np.save(tmp_path / "bank.npy", bank)
    on_disk = np.load(tmp_path / "bank.npy", mmap_mode="r")
    assert np.array_equal(knn(on_disk, labels, queries, classes=3, ks=(10,))[10], expected)
    tensors = knn(
        torch.from_numpy(bank),
        torch.from_numpy(labels),
        torch.from_numpy(queries),
        classes=3,
        ks=(10,),
    )
    assert np.array_equal(tensors[10], expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"queries": features(1, 4, 5)}, r"\(4, 5\)"),
        ({"labels": np.arange(5)}, r"shape \(5,\)"),
        ({"labels": np.arange(6) + 1}, "run from 1 to 6"),
        ({"ks": ()}, r"ks are \(\)"),
        ({"ks": (0, 5)}, r"ks are \(0, 5\)"),
        ({"bank": features(0, 0), "labels": np.arange(0)}, "0 features"),
    ],
)
def test_bad_input(change: dict[str, object], message: str) -> None:
    given_: dict[str, object] = {"bank": features(0, 6), "labels": np.arange(6),
                                 "queries": features(1, 4), "ks": (2,)} | change  # fmt: skip
    with pytest.raises(DataError, match=message):
        knn(given_["bank"], given_["labels"], given_["queries"], classes=6, ks=given_["ks"])  # type: ignore[arg-type]


def test_protocols(make_model: Callable[..., Model]) -> None:
    tiny = make_model()
    assert protocol_transform(tiny) == tiny.spec.transform
    with pytest.raises(ModelError, match=r"8x8.*224") as caught:
        protocol_transform(tiny, "dino")
    assert 'protocol="model"' in str(caught.value)
    any_size = make_model(fixed=False)
    assert protocol_transform(any_size, "dino") == DINO_KNN
    assert protocol_transform(any_size) == any_size.spec.transform
    vision = make_model(normalize=False, fixed=False, size=224)
    assert protocol_transform(vision) == DINO_KNN
    language = make_model(normalize=True, fixed=False, size=224)
    assert protocol_transform(language) == language.spec.transform
    with pytest.raises(UnknownName, match="'dino'"):
        protocol_transform(tiny, "dyno")  # type: ignore[arg-type]


def test_a_query_is_found_by_content_wherever_it_lies(task: Task) -> None:
    train = task.train
    assert overlap(train, train.take([5, 2])).tolist() == [[5], [2]]
    assert set(overlap(train, task.test).flatten().tolist()) == {-1}
    elsewhere = replace(train.take([5, 2]), source="another folder")
    assert overlap(train, elsewhere).tolist() == [[5], [2]]
    twice = train.take([4, 5, 5, 4, 5])
    assert overlap(twice, train.take([4, 0, 5])).tolist() == [[0, 3, -1], [-1] * 3, [1, 2, 4]]


def test_every_copy_of_a_query_is_left_out() -> None:
    bank, labels = features(0, 6), np.array([0, 1, 2, 0, 1, 2])
    bank[3] = bank[0]
    exclude = np.array([[0, 3], [-1, -1]])
    found = knn(bank, labels, bank[:2], classes=3, ks=(1, 6), exclude=exclude)
    assert found[1][0, 0] == 0  # class 0 is the query's own, twice
    expected = plain_votes(
        np.delete(bank, [0, 3], axis=0), np.delete(labels, [0, 3]), bank[:1], 3, 4
    )
    np.testing.assert_allclose(found[6][:1], expected, rtol=5e-5)
    np.testing.assert_allclose(
        found[6][1], knn(bank, labels, bank[1:2], classes=3, ks=(6,))[6][0], rtol=5e-5
    )


def knn_predict(model: Model, task: Task, shift: Shift, k: int) -> Predictions:
    return next(knn_predictions(model, task, {shift.name: shift}, ks=(k,)))[k]


def test_knn_predict_against_the_plain_reference(
    make_model: Callable[..., Model], task: Task
) -> None:
    model = make_model()
    found = knn_predict(model, task, task.shifts[0], 7)
    bank, queries = extract(model, task.train), extract(model, task.shifts[0].split)
    expected = plain_votes(bank, task.train.labels, queries, 3, 7)
    np.testing.assert_allclose(found.logits, expected, rtol=5e-5)
    assert found.split == "dim"
    own = knn_predict(model, task, Shift("train", task.train), 1)
    assert own.correct().mean() < 1  # an image does not find itself


def test_evaluation_by_knn(make_model: Callable[..., Model], task: Task) -> None:
    model = make_model(fixed=False)
    rows = evaluate(model, task, evaluator="knn", k=10, protocol="dino", device="cpu")
    assert [s.split for _, s in rows] == ["val", "test", "dim", "two"]
    assert all(s.evaluator == "knn" for _, s in rows)
    assert all((s.extra["k"], s.extra["protocol"]) == (10, "dino") for _, s in rows)


def test_dinos_protocol_on_its_own_architecture(task: Task) -> None:
    """ViT-S/16 with random weights: another transform, CLS by timm, votes in double precision."""
    timm = pytest.importorskip("timm")
    from PIL import Image
    from torchvision import transforms as tv

    torch.manual_seed(0)
    vit = timm.create_model("vit_small_patch16_224", num_classes=0).eval()
    squares = TransformSpec(size=(224, 224), resize=224)  # not the 256 of the protocol
    spec = ModelSpec("vits16", "test", {"kind": "test"}, squares, normalize=False, saw_text=False)
    model = Model(vit, spec=spec, feature_dim=384)
    g = np.random.default_rng(0)
    pictures = [
        Image.fromarray(g.integers(0, 255, (3, 4, 3), dtype=np.uint8)).resize((300, 270))
        for _ in range(11)
    ]

    class Images(list[Image.Image]):
        def id(self, index: int) -> str:
            return str(index)

    def part(name: str, at: slice) -> Split:
        images = Images(pictures[at])
        labels = np.arange(len(images), dtype=np.int64) % 3
        return replace(task.train, name=name, images=images, labels=labels, metadata={}, unit=None)

    few = replace(task, train=part("train", slice(0, 8)), test=part("test", slice(8, 11)))
    found = knn_predict(model, few, Shift("test", replace(few.test, source="other")), 5)

    theirs = tv.Compose([
        tv.Resize(256, interpolation=tv.InterpolationMode.BICUBIC),
        tv.CenterCrop(224),
        tv.ToTensor(),
        tv.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ])  # fmt: skip
    with torch.no_grad():
        cls = vit.forward_features(torch.stack([theirs(p) for p in pictures]))[:, 0].numpy()
    expected = plain_votes(cls[:8], few.train.labels, cls[8:], 3, 5)
    np.testing.assert_allclose(found.logits, expected, rtol=1e-3)


def test_dinos_protocol_takes_the_models_own_colours(make_model: Callable[..., Model]) -> None:
    """150 of timm's 917 weights for 224 pixels were not trained with ImageNet's mean."""
    grey = make_model(normalize=False, fixed=False, size=224)
    own = replace(grey.spec.transform, mean=(0.5,) * 3, std=(0.25,) * 3)
    grey.spec = replace(grey.spec, transform=own)
    for protocol in ("auto", "dino"):
        way = protocol_transform(grey, protocol)
        assert (way.size, way.resize) == (DINO_KNN.size, DINO_KNN.resize)
        assert (way.mean, way.std) == ((0.5,) * 3, (0.25,) * 3)


@pytest.mark.parametrize("temperature", [0.01, 1e-4])
def test_votes_do_not_overflow(temperature: float) -> None:
    g = np.random.default_rng(0)
    bank, queries = (g.normal(size=(n, 6)).astype(np.float32) for n in (200, 40))
    labels = g.integers(0, 5, 200)
    found = knn(bank, labels, queries, classes=5, ks=(1, 20, 200), temperature=temperature)
    nearest = labels[np.argmax(_unit(queries) @ _unit(bank).T, axis=1)]
    for k, votes in found.items():
        assert np.isfinite(votes).all(), k
        assert (votes.max(axis=1) > 0).all()
    assert (found[1].argmax(axis=1) == nearest).all()
    if temperature == 0.01:
        wide = np.exp((_unit(queries) @ _unit(bank).T).astype(np.float64) / temperature)
        exact = np.stack([wide[:, labels == c].sum(axis=1) for c in range(5)], axis=1)
        assert (found[200].argmax(axis=1) == exact.argmax(axis=1)).all()
    with pytest.raises(DataError, match="temperature of the votes is 0"):
        knn(bank, labels, queries, classes=5, ks=(1,), temperature=0)


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize("metric", ["ece", "nll"])
def test_votes_are_no_probabilities(
    metric: str, make_model: Callable[..., Model], task: Task, tmp_path: Path
) -> None:
    """Softmaxed votes gave an ECE equal to the error rate and a likelihood of thousands of nats."""
    words = f"{metric} asks how far probabilities are to be trusted, and neighbours give votes"
    model = make_model()
    with pytest.raises(DataError, match=words):
        evaluate(model, task, evaluator="knn", metric=metric)
    with pytest.raises(DataError, match=words):
        evaluate(model, replace(task, metric=metric), evaluator="knn")
    said = evaluate(model, task, evaluator="knn", k=3)[0][0]
    assert said.votes
    said.save(tmp_path / "votes.npz")
    with pytest.raises(DataError, match=words):
        score(Predictions.load(tmp_path / "votes.npz"), metric)
    head = predict(zero_shot(model, task), task.test) if model.text is not None else None
    assert head is None or score(head, metric).value >= 0
    plain = {"model": "tiny-clip", "methods": ["ft"], "data": {"train": "x", "metric": metric}}
    with pytest.raises(RecipeError, match=words):
        parse_recipe({**plain, "evaluate": ["head", "knn"]})
    assert parse_recipe(plain).spec.data.metric == metric
