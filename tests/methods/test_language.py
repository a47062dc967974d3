"""Language supervision: the loss it says, what trains, what the controls take away."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from surefoot.context import RunContext
from surefoot.data.caption_table import caption_table
from surefoot.data.dataset import Task
from surefoot.errors import ModelError, RecipeError
from surefoot.features import extract
from surefoot.gradient_cache import cached_backward
from surefoot.methods.base import as_dict
from surefoot.methods.language import LanguageSupervision, _derangement, _warmed
from surefoot.methods.language_loss import Alignment
from surefoot.methods.parse import method_from
from surefoot.models.adapters import adapter_names, adapter_of, find_sites, insert
from surefoot.models.model import Model
from surefoot.models.texts import Embeddings, TextEncoder
from surefoot.paths import Path
from surefoot.registry import METHODS
from surefoot.train import Schedule
from surefoot.weights.fingerprint import fingerprint

from ..conftest import CLASSES, drawn_split
from ..models.vits import stir_adapter, timm_spec, vit

SMALL = timm_spec(depth=2)
QUICK = Schedule(epochs=1, batch_size=16, lr=1e-2, weight_decay=0.01)


class Letters(TextEncoder):
    """Texts -> fixed directions in 6 dimensions; quick, and never random."""

    name, dim, saw_images = "letters", 6, False

    def encode(self, texts: Sequence[str], **options: Any) -> Embeddings:
        rows = [np.frombuffer(hashlib.sha256(t.encode()).digest()[:6], np.uint8) for t in texts]
        found = np.stack(rows).astype(np.float32) - 127.5
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def fingerprint(self) -> str:
        return "letters"


def context(log: list[Mapping[str, Any]] | None = None) -> RunContext:
    made = RunContext(device="cpu", memo={"text:letters": Letters()})
    return made if log is None else replace(made, log=log.append)


def language(**fields: Any) -> LanguageSupervision:
    return LanguageSupervision(**{"text": "letters", "schedule": QUICK, **fields})


def draw_task() -> Task:
    """What the fixture ``task`` gives, with captions that name class and number; some repeat."""
    train, val, test = (
        drawn_split(use, n, seed, use=use)
        for seed, (use, n) in enumerate((("train", 45), ("val", 30), ("test", 30)))
    )
    said = [f"a {CLASSES[label]} number {i % 7}" for i, label in enumerate(train.require_labels())]
    return Task("shapes", replace(train, captions=said), val, test, (), CLASSES)


@pytest.fixture
def captioned() -> Task:
    return draw_task()


Fitted = Callable[[str], Model]


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    """Each kind fitted once to one start, seed 1; the drawn task is always the same."""
    done: dict[str, Model] = {}

    def fit(kind: str) -> Model:
        if kind not in done:
            done[kind] = KINDS[kind].fit(vit(SMALL), draw_task(), seed=1, run=context())
        return done[kind].clone()

    return fit


KINDS: dict[str, LanguageSupervision] = {
    "film": language(),
    "film-all": language(adapter="film-all"),
    "token-replay": language(adapter="token-replay", m=3),
    "two passes, replay loss": language(
        adapter="token-replay", m=3, two_pass=True, replay_loss=0.5, share=False
    ),
    "last-blocks": language(adapter="last-blocks", blocks=1),
    "none": language(adapter="none", schedule=replace(QUICK, lr=1e-3)),
    "shuffled": language(control="shuffled"),
    "random": language(control="random"),
}
each = pytest.mark.parametrize("kind", KINDS)


def plain_loss(
    images: np.ndarray, texts: np.ndarray, scale: float, groups: Sequence[int] | None
) -> float:
    """The slow reference: symmetric cross-entropy, item by item."""
    n = len(images)
    a = images / np.linalg.norm(images, axis=1, keepdims=True)
    b = texts / np.linalg.norm(texts, axis=1, keepdims=True)
    logits = scale * a @ b.T
    total = 0.0
    for table in (logits, logits.T):
        for i in range(n):
            mates = [j for j in range(n) if (i == j if groups is None else groups[i] == groups[j])]
            log_sum = math.log(sum(math.exp(v) for v in table[i]))
            total += sum(log_sum - table[i, j] for j in mates) / len(mates)
    return total / (2 * n)


def objective(task: Task, **fields: Any) -> Alignment:
    table = caption_table(task.train, templates=task.templates)
    texts = Letters().encode(table.texts)
    settings = {"temperature": 0.07, "multi_positive": False, "seed": 1, **fields}
    model = vit(SMALL)
    if fields.get("replay_loss"):
        model = insert(model, LanguageSupervision().replay_adapter(0))
        stir_adapter(model)
    return Alignment(model, table, texts, **settings)


def batch(n: int = 12) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(3)
    return {
        "image": torch.randn(n, 3, 32, 32, generator=generator),
        "index": torch.arange(n) * 2,
        "draw": torch.arange(n) * 977,
    }


@pytest.mark.parametrize("multi", [False, True])
def test_the_loss_is_symmetric_infonce(multi: bool, captioned: Task) -> None:
    made = objective(captioned, multi_positive=multi)
    rows = batch()
    with torch.no_grad():
        made.delta.fill_(-0.3)
        (projected,) = made.embed(rows)
        found = float(made.loss((projected,), rows))
    said = [captioned.train.captions[i] for i in rows["index"].tolist()]  # type: ignore[index]
    texts = Letters().encode(said)
    groups = [said.index(s) for s in said] if multi else None
    scale = math.exp(-0.3) / 0.07
    assert found == pytest.approx(plain_loss(projected.numpy(), texts, scale, groups), rel=1e-5)


def test_the_temperature_starts_as_said_and_stays_in_its_bounds(captioned: Task) -> None:
    made = objective(captioned, temperature=0.2)
    assert float(made.scale.detach()) == pytest.approx(5.0)
    for pushed, bound in ((100.0, 1000.0), (-100.0, 2.0)):
        with torch.no_grad():
            made.delta.fill_(pushed)
        made.clamp_(1)
        assert float(made.scale.detach()) == pytest.approx(bound, rel=1e-4)


def test_one_of_several_captions_is_drawn_by_number(captioned: Task) -> None:
    said = ["a\x1fb\x1fc", "d", *["e"] * 43]
    made = objective(replace(captioned, train=replace(captioned.train, captions=said)))
    texts = ("a", "b", "c", "d", "e")
    drawn = made.captions(torch.tensor([0, 0, 0, 0, 1, 1, 44]), torch.tensor([0, 1, 2, 3, 0, 5, 9]))
    assert [texts[i] for i in drawn.tolist()] == list("abcadde")
    many = made.captions(torch.zeros(3000, dtype=torch.int64), torch.arange(3000) * 7919)
    assert torch.bincount(many).tolist() == [1000, 1000, 1000]


@pytest.mark.parametrize("replay_loss", [0.0, 0.5])
def test_the_gradient_of_parts_is_that_of_the_whole_batch(
    replay_loss: float, captioned: Task
) -> None:
    made = objective(captioned, multi_positive=True, replay_loss=replay_loss).double()
    rows = {k: v.double() if k == "image" else v for k, v in batch().items()}
    loss = made(rows)
    loss.backward()
    whole = {n: p.grad.clone() for n, p in made.named_parameters() if p.grad is not None}
    made.zero_grad(set_to_none=True)
    accelerator = context().accelerator()
    found = cached_backward(made, rows, micro=5, size=12, accelerator=accelerator)
    assert found == pytest.approx(float(loss.detach()), rel=1e-6)
    parts = {n: p.grad for n, p in made.named_parameters() if p.grad is not None}
    assert set(parts) == set(whole) >= {"delta", "projection.weight"}
    # The replay loss is taken in float32.
    exact = {"rtol": 1e-5, "atol": 1e-7} if replay_loss else {"rtol": 1e-9, "atol": 1e-12}
    for name, gradient in whole.items():
        torch.testing.assert_close(parts[name], gradient, **exact)


@each
def test_the_contract(kind: str, captioned: Task, fitted: Fitted) -> None:
    start, method, first = vit(SMALL), KINDS[kind], fitted(kind)
    before = fingerprint(start)
    again = method.fit(start, captioned, seed=1, run=context())
    assert fingerprint(start) == before
    assert fingerprint(first) == fingerprint(again) != before
    assert first.head is None
    assert not first.training
    assert all(p.requires_grad for p in first.parameters())
    assert captioned.test.images.decoded == 0  # type: ignore[attr-defined]
    assert captioned.val.images.decoded == 0  # type: ignore[attr-defined]
    assert first.spec.notes[-1].startswith(
        {"shuffled": "shuffled captions", "random": "random text vectors"}.get(kind, "language")
    )


@pytest.mark.parametrize("kind", ["film", "token-replay"])
def test_another_seed_gives_other_weights(kind: str, captioned: Task, fitted: Fitted) -> None:
    other = KINDS[kind].fit(vit(SMALL), captioned, seed=2, run=context())
    assert fingerprint(other) != fingerprint(fitted(kind))


@each
def test_a_path_leads_from_the_pretrained_encoder(
    kind: str, captioned: Task, fitted: Fitted
) -> None:
    start, tuned = vit(SMALL), fitted(kind)
    path = Path(start, tuned, head="end")
    split = captioned.test
    assert np.array_equal(extract(path.at(0), split), extract(start, split))
    assert np.array_equal(extract(path.at(1), split), extract(tuned, split))
    half = extract(path.at(0.5), split)
    assert not np.allclose(half, extract(start, split), atol=1e-6)


def changed(start: Model, tuned: Model) -> set[str]:
    theirs = start.encoder.state_dict()
    return {n for n, t in tuned.encoder.state_dict().items() if not torch.equal(t, theirs[n])}


def test_film_is_folded_into_the_norms_alone(fitted: Fitted) -> None:
    start, tuned = vit(SMALL), fitted("film")
    assert tuned.spec.builder == start.spec.builder
    norms = {id(p) for norm in find_sites(tuned.encoder).norms() for p in norm.parameters()}
    names = {n for n, p in tuned.encoder.named_parameters() if id(p) in norms}
    assert changed(start, tuned) == names


def test_token_replay_keeps_every_tensor_of_the_encoder(fitted: Fitted) -> None:
    start, tuned = vit(SMALL), fitted("token-replay")
    own = {n.removeprefix("encoder.") for n in adapter_names(tuned)}
    theirs = start.encoder.state_dict()
    for name, tensor in tuned.encoder.state_dict().items():
        assert name in own or torch.equal(tensor, theirs[name]), name
    assert adapter_of(tuned) == LanguageSupervision(adapter="token-replay", m=3).replay_adapter(1)
    assert "our reading" in KINDS["token-replay"].label()
    assert "our reading" in LanguageSupervision.paper


def test_only_the_last_block_trains(fitted: Fitted) -> None:
    start, tuned = vit(SMALL), fitted("last-blocks")
    moved = changed(start, tuned)
    assert moved
    assert all(n.startswith(("blocks.1.", "norm.", "fc_norm.")) for n in moved)
    assert changed(start, fitted("none")) > moved


def test_learning_brings_images_to_their_captions(captioned: Task) -> None:
    log: list[Mapping[str, Any]] = []
    method = language(schedule=replace(QUICK, epochs=8, batch_size=45))
    method.fit(vit(SMALL), captioned, run=context(log))
    losses = [row["loss"] for row in log if "images_per_second" in row]
    assert len(losses) == 8
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize("n", [2, 3, 45])
def test_shuffling_leaves_no_image_its_own_captions(n: int) -> None:
    order = _derangement(n, seed=3)
    assert sorted(order.tolist()) == list(range(n))
    assert (order != np.arange(n)).all()
    assert np.array_equal(order, _derangement(n, seed=3))


def test_controls_differ_from_the_method_and_from_each_other(fitted: Fitted) -> None:
    ends = [fingerprint(fitted(kind)) for kind in ("film", "shuffled", "random")]
    assert len(set(ends)) == 3


def test_labels_stand_in_where_there_are_no_captions(task: Task) -> None:
    start = vit(SMALL)
    by_label = KINDS["film"].fit(start, task, run=context())
    names = [f"a photo of a {CLASSES[i]}." for i in task.train.require_labels()]
    said = replace(task, train=replace(task.train, captions=names, labels=None, class_names=()))
    assert fingerprint(KINDS["film"].fit(start, said, run=context())) == fingerprint(by_label)


def test_labels_are_not_looked_at_beside_captions(captioned: Task, fitted: Fitted) -> None:
    blind = replace(captioned, train=replace(captioned.train, labels=None, class_names=()))
    other = KINDS["film"].fit(vit(SMALL), blind, seed=1, run=context())
    assert fingerprint(fitted("film")) == fingerprint(other)


def test_multi_positive_follows_the_captions(captioned: Task) -> None:
    start = vit(SMALL)

    def end(said: list[str], multi: str) -> str:
        task = replace(captioned, train=replace(captioned.train, captions=said))
        return fingerprint(language(multi_positive=multi).fit(start, task, run=context()))

    once = [f"caption {i}" for i in range(45)]
    often = [f"caption {i % 5}" for i in range(45)]
    assert end(once, "auto") == end(once, "off")
    assert end(often, "auto") == end(often, "on") != end(often, "off")


def test_a_twentieth_of_the_steps_warms_up() -> None:
    plain = Schedule(epochs=20, batch_size=256)
    assert _warmed(plain, 2560).warmup_steps == 10
    assert _warmed(replace(plain, warmup_steps=3), 2560).warmup_steps == 3


def test_a_text_tower_stays_as_it_was(captioned: Task) -> None:
    start = vit("tiny-clip", text=True)
    tuned = language(schedule=replace(QUICK, epochs=1)).fit(start, captioned, run=context())
    assert fingerprint(tuned.text) == fingerprint(start.text)  # type: ignore[arg-type]
    assert torch.equal(tuned.logit_scale, start.logit_scale)  # type: ignore[arg-type]


def test_embeddings_are_kept_where_the_run_says(captioned: Task, tmp_path: Any) -> None:
    run = context()
    run.memo["captions"] = tmp_path
    KINDS["film"].fit(vit(SMALL), captioned, run=run)
    assert len(list(tmp_path.glob("text-*.npy"))) == 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"temperature": 0.6}, "temperature is 0.6"),
        ({"adapter": "lora"}, "there is no adapter 'lora'"),
        ({"control": "noise"}, "there is no control 'noise'"),
        ({"replay_loss": 1.0}, "replay_loss is 1.0 with the adapter film"),
        ({"blocks": -1}, "the last -1 blocks"),
        ({"m": 0}, "a bank of 0 tokens"),
    ],
)
def test_fields_that_cannot_be(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        LanguageSupervision(**fields)


def test_more_blocks_than_there_are(captioned: Task) -> None:
    with pytest.raises(ModelError, match="the last 9 blocks of test_vit cannot train: it has 2"):
        language(adapter="last-blocks", blocks=9).fit(vit(SMALL), captioned, run=context())


@each
def test_it_goes_through_a_recipe_and_back(kind: str) -> None:
    method = KINDS[kind]
    assert method_from(as_dict(method)) == method
    assert METHODS.get("language") is LanguageSupervision
    with pytest.raises(RecipeError, match="did you mean 'temperature'"):
        method_from({"name": "language", "temperatur": 0.1})


def test_labels_for_people_differ() -> None:
    labels = {method.label() for method in KINDS.values()}
    assert "FiLM, shuffled captions" in labels
    assert "Last 1 block, language" in labels
    assert len(labels) == len(KINDS) - 1  # the two Token Replays differ in options alone
