"""Methods that merge: what each paper promises, on models small enough to check it exactly."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path as File

import numpy as np
import pytest
import torch
from torch import Tensor

from surefoot.context import RunContext
from surefoot.data.dataset import Task
from surefoot.errors import AlphaError, ModelError, RecipeError, WeightsError
from surefoot.evals.predict import predict
from surefoot.evals.zero_shot import pretrained_end
from surefoot.methods.base import Method, as_dict
from surefoot.methods.encoder_ft import EncoderFineTune
from surefoot.methods.fisher import FisherWise, diagonal_fisher
from surefoot.methods.ft import FineTune
from surefoot.methods.greedy_soup import GreedySoup
from surefoot.methods.lines import LiNeS
from surefoot.methods.members import scaled_lr
from surefoot.methods.model_stock import ModelStock
from surefoot.methods.output_ensemble import OutputEnsemble
from surefoot.methods.paint import Paint, patch
from surefoot.methods.parse import method_from
from surefoot.methods.task_arithmetic import TaskArithmetic
from surefoot.methods.ties import Ties
from surefoot.methods.uniform_soup import UniformSoup
from surefoot.methods.wise_ft import WiseFT
from surefoot.methods.zero_shot import ZeroShot
from surefoot.models.load import load
from surefoot.models.model import Model, TextTower
from surefoot.models.save import load_saved, save_model
from surefoot.paths import Path, output_ensemble
from surefoot.train import Schedule
from surefoot.weights import Weights, fingerprint, mean, model_stock, ties

from ..conftest import CLASSES, drawn_split, toy_model

QUICK = Schedule(epochs=1, batch_size=16, lr=1e-3)
TUNE = FineTune(schedule=QUICK)
ENCODER = EncoderFineTune(schedule=QUICK)
BARE = FineTune(head="zeros", schedule=QUICK)
"""For models without a text tower."""


def methods(inner: FineTune) -> dict[str, Method]:
    """Every merging method that takes any inner one."""
    return {
        "uniform-soup": UniformSoup(inner, seeds=2),
        "greedy-soup": GreedySoup(inner, seeds=1, lr_factors=(0.5, 1.0)),
        "model-stock": ModelStock(inner),
        "lines": LiNeS(inner, alpha=0.2, beta=0.7),
        "fisher": FisherWise(inner, images=9),
        "output-ensemble": OutputEnsemble(inner, alpha=0.3),
        "task-arithmetic": TaskArithmetic(inner, scale=-0.5),
        "ties": Ties(inner, seeds=2, density=0.4),
    }


WITH_TEXT = {**methods(TUNE), "encoder-ft": ENCODER, "paint": Paint(ENCODER, alpha=0.3)}
ON_A_PATH = [name for name in WITH_TEXT if name != "output-ensemble"]


class Letters(TextTower):
    """A text tower in miniature: the mean of an embedding of each letter."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(128, 12)

    def tokenize(self, texts: Sequence[str]) -> Tensor:
        rows = [[ord(c) % 128 for c in text.ljust(40)[:40]] for text in texts]
        return torch.tensor(rows)

    def forward(self, tokens: Tensor) -> Tensor:
        embedded: Tensor = self.embed(tokens).mean(dim=1)
        return embedded


@pytest.fixture(scope="module")
def clip() -> Model:
    """A model with a text tower, of which a fit takes no time."""
    bare = toy_model(normalize=True)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        text = Letters()
    scale = torch.tensor(2.0)
    model = Model(bare.encoder, spec=bare.spec, feature_dim=12, text=text, logit_scale=scale)
    return model.eval()


@pytest.fixture(scope="module")
def tiny_clip() -> Model:
    return load("tiny-clip")


@pytest.fixture(scope="module", autouse=True)
def _light_collections() -> Iterator[None]:
    """Every fit collects garbage, and walking through all that is imported takes most of it."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def logits(model: Model, task: Task) -> np.ndarray:
    return predict(model, task.scored()["test"]).logits


def state(model: Model) -> dict[str, Tensor]:
    return dict(model.state_dict())


@pytest.mark.parametrize("name", WITH_TEXT)
def test_the_start_is_left_untouched_and_the_seed_decides(
    name: str, clip: Model, task: Task
) -> None:
    before, method = fingerprint(clip), WITH_TEXT[name]
    first = method.fit(clip, task, seed=1)
    again = method.fit(clip, task, seed=1)
    assert fingerprint(clip) == before
    assert clip.head is None
    assert fingerprint(first) == fingerprint(again)
    assert fingerprint(first) != fingerprint(method.fit(clip, task, seed=2))
    assert first.require_head().class_names == task.class_names
    assert not first.training
    assert all(p.requires_grad for p in first.parameters())
    assert task.test.images.decoded == 0  # type: ignore[attr-defined]
    assert task.shifts[0].split.images.decoded == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", methods(BARE))
def test_models_without_text(name: str, task: Task) -> None:
    start = toy_model(batch_norm=True)
    tuned = methods(BARE)[name].fit(start, task)
    assert tuned.require_head().class_names == task.class_names
    assert np.isfinite(logits(tuned, task)).all()
    assert start.head is None


@pytest.mark.parametrize("method", WITH_TEXT.values(), ids=WITH_TEXT)
def test_a_method_goes_through_a_recipe_and_back(method: Method) -> None:
    assert method_from(as_dict(method)) == method
    assert method.label() != method.name


@pytest.mark.parametrize("name", ON_A_PATH)
def test_wise_ft_over_it_has_the_pretrained_end(name: str, clip: Model, task: Task) -> None:
    mixed = WiseFT(inner=WITH_TEXT[name], alpha=0.0).fit(clip, task)
    assert fingerprint(mixed) == fingerprint(pretrained_end(clip, task))
    end = WITH_TEXT[name].fit(clip, task)
    assert fingerprint(Path(pretrained_end(clip, task), end).at(1.0)) == fingerprint(end)


def test_a_uniform_soup_is_the_mean_of_its_members(task: Task) -> None:
    soup = UniformSoup(BARE, seeds=2, lr_factors=(1.0, 2.0)).fit(toy_model(), task, seed=3)
    faster = replace(BARE, schedule=replace(QUICK, lr=2e-3))
    members = [m.fit(toy_model(), task, seed=s) for m in (BARE, faster) for s in (6, 7)]
    assert Weights(state(soup)) == Weights(mean([state(m) for m in members]))


def test_one_member_is_that_member(task: Task) -> None:
    member = BARE.fit(toy_model(), task, seed=4)
    for soup in (UniformSoup(BARE, seeds=1), GreedySoup(BARE, seeds=1, lr_factors=(1.0,))):
        assert fingerprint(soup.fit(toy_model(), task, seed=4)) == fingerprint(member)


def test_a_greedy_soup_is_never_below_its_best_member_on_id_validation(task: Task) -> None:
    soup = GreedySoup(BARE, seeds=2, lr_factors=(0.01, 1.0, 10.0))
    said: list[dict] = []
    tuned = soup.fit(toy_model(), task, run=RunContext(log=said.append))
    members = [
        scaled_lr(BARE, f).fit(toy_model(), task, seed=s) for f in soup.lr_factors for s in (0, 1)
    ]

    def accuracy(model: Model) -> float:
        return float(predict(model, task.scored()["val"]).correct().mean())

    assert accuracy(tuned) >= max(map(accuracy, members))
    chosen = next(row["members"] for row in said if "members" in row)
    expected = mean([state(members[i]) for i in chosen])
    assert Weights(state(tuned)) == Weights(expected)


def test_the_learning_rate_of_every_stage_is_scaled_and_nothing_else() -> None:
    method = method_from({"name": "wise-ft", "inner": "lp-ft"})
    twice = scaled_lr(method, 2.0)
    assert twice.inner.tune.schedule == replace(
        method.inner.tune.schedule, lr=2 * method.inner.tune.schedule.lr
    )
    assert (twice.alpha, twice.inner.probe) == (method.alpha, method.inner.probe)


def test_model_stock_and_ties_start_at_the_zero_shot_model(clip: Model, task: Task) -> None:
    start = state(ZeroShot().fit(clip, task))
    members = [state(TUNE.fit(clip, task, seed=s)) for s in (0, 1)]
    stock = ModelStock(TUNE).fit(clip, task)
    assert Weights(state(stock)) == Weights(model_stock(start, members))
    tied = Ties(TUNE, seeds=2, density=0.4).fit(clip, task)
    assert Weights(state(tied)) == Weights(ties(start, members, density=0.4))


def test_without_a_zero_shot_head_model_stock_averages_the_heads(task: Task) -> None:
    members = [BARE.fit(toy_model(), task, seed=s) for s in (0, 1)]
    stock = ModelStock(BARE).fit(toy_model(), task)
    expected = mean([state(m.require_head()) for m in members])
    assert Weights.of(stock.require_head()) == Weights(expected)
    assert fingerprint(stock.encoder) not in {fingerprint(m.encoder) for m in members}


def test_lines_with_equal_scales_is_wise_ft(clip: Model, task: Task) -> None:
    scaled = LiNeS(TUNE, alpha=0.4, beta=0.0).fit(clip, task)
    mixed = WiseFT(inner=TUNE, alpha=0.4).fit(clip, task)
    assert fingerprint(scaled) == fingerprint(mixed)


def test_lines_from_0_to_1_keeps_the_stem_and_the_tuned_head(tiny_clip: Model, task: Task) -> None:
    clip = tiny_clip
    scaled = LiNeS(TUNE, alpha=0.0, beta=1.0).fit(clip, task)
    tuned = TUNE.fit(clip, task)
    assert Weights.of(scaled.encoder.patch_embed) == Weights.of(clip.encoder.patch_embed)
    assert Weights.of(scaled.encoder.blocks[0]) == Weights.of(clip.encoder.blocks[0])
    assert Weights.of(scaled.encoder.blocks[-1]) == Weights.of(tuned.encoder.blocks[-1])
    assert Weights.of(scaled.require_head()) == Weights.of(tuned.require_head())


def test_the_diagonal_fisher_equals_its_closed_form_on_the_head(task: Task) -> None:
    """For a linear layer the gradient is (p - onehot(y)) f^T, with y drawn from p."""
    model = BARE.fit(toy_model(), task)
    few = task.train.subset(12, seed=0)
    got = diagonal_fisher(model, few, seed=5)
    transform, generator = model.spec.transform.eval(), torch.Generator().manual_seed(5)
    weight, bias = torch.zeros(3, 12), torch.zeros(3)
    for i in range(12):
        with torch.no_grad():
            feature = model.features(transform(few.images[i])[None])[0]
            p = model.require_head()(feature[None])[0].softmax(0)
        y = torch.multinomial(p, 1, generator=generator)[0]
        slope = p - torch.nn.functional.one_hot(y, 3)
        weight += (slope[:, None] * feature[None]).square() / 12
        bias += slope.square() / 12
    torch.testing.assert_close(got["head.weight"], weight, rtol=1e-4, atol=1e-8)
    torch.testing.assert_close(got["head.bias"], bias, rtol=1e-4, atol=1e-8)
    assert got.keys() == {k for k, _ in model.named_parameters()}
    assert all((f >= 0).all() for f in got.values())
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize(("alpha", "which"), [(0.0, "start"), (1.0, "end")])
def test_fisher_gives_back_both_ends_bit_for_bit(
    alpha: float, which: str, clip: Model, task: Task
) -> None:
    merged = FisherWise(TUNE, alpha=alpha, images=3).fit(clip, task)
    end = ZeroShot().fit(clip, task) if which == "start" else TUNE.fit(clip, task)
    assert fingerprint(merged) == fingerprint(end)


def test_fisher_lies_between_the_ends_number_by_number(clip: Model, task: Task) -> None:
    start, tuned = state(ZeroShot().fit(clip, task)), state(TUNE.fit(clip, task))
    merged = state(FisherWise(TUNE, images=9).fit(clip, task))
    for name, x in start.items():
        low, high = torch.minimum(x, tuned[name]), torch.maximum(x, tuned[name])
        assert ((merged[name] >= low - 1e-6) & (merged[name] <= high + 1e-6)).all()
    assert fingerprint(merged) != fingerprint(WiseFT(inner=TUNE).fit(clip, task))


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_the_ensembles_logits_are_the_average(alpha: float, clip: Model, task: Task) -> None:
    both = predict(OutputEnsemble(TUNE, alpha=alpha).fit(clip, task), task.scored()["test"])
    ends = [predict(m.fit(clip, task), task.scored()["test"]) for m in (ZeroShot(), TUNE)]
    expected = output_ensemble(ends[0], ends[1], alpha)
    np.testing.assert_allclose(both.logits, expected.logits, rtol=1e-4, atol=1e-4)


def test_the_ensemble_saves_and_rebuilds(tiny_clip: Model, task: Task, tmp_path: File) -> None:
    both = OutputEnsemble(TUNE).fit(tiny_clip, task)
    save_model(both, tmp_path / "both.safetensors")
    again = load_saved(tmp_path / "both.safetensors")
    assert fingerprint(again) == fingerprint(both)
    np.testing.assert_array_equal(logits(again, task), logits(both, task))
    assert again.spec == both.spec


def test_no_path_leads_to_an_ensemble(clip: Model, task: Task) -> None:
    with pytest.raises(WeightsError, match="no path leads"):
        Path.between(clip, OutputEnsemble(TUNE).fit(clip, task), task)
    with pytest.raises(ModelError, match="no path of weights leads to what output-ensemble makes"):
        WiseFT(inner=OutputEnsemble(TUNE))


def test_encoder_ft_moves_the_encoder_alone(clip: Model, task: Task) -> None:
    tuned, start = ENCODER.fit(clip, task), ZeroShot().fit(clip, task)
    assert fingerprint(tuned.require_head()) == fingerprint(start.require_head())
    assert fingerprint(tuned.text) == fingerprint(clip.text)
    assert fingerprint(tuned.encoder) != fingerprint(clip.encoder)
    with pytest.raises(ModelError, match="no text tower"):
        ENCODER.fit(toy_model(), task)


def test_paint_is_wise_ft_under_a_frozen_head(clip: Model, task: Task) -> None:
    patched = Paint(ENCODER, alpha=0.4).fit(clip, task)
    assert fingerprint(patched) == fingerprint(WiseFT(ENCODER, alpha=0.4).fit(clip, task))


def test_task_arithmetic_adds_and_takes_away(clip: Model, task: Task) -> None:
    start, tuned = ZeroShot().fit(clip, task), ENCODER.fit(clip, task)
    assert fingerprint(TaskArithmetic(ENCODER).fit(clip, task)) == fingerprint(tuned)
    assert fingerprint(TaskArithmetic(ENCODER, scale=0).fit(clip, task)) == fingerprint(start)
    forgot = state(TaskArithmetic(ENCODER, scale=-1.0).fit(clip, task))
    for name, x in state(start).items():
        expected = 2 * x.double() - state(tuned)[name].double()
        torch.testing.assert_close(forgot[name].double(), expected, rtol=1e-5, atol=1e-7)


def other_task(task: Task) -> Task:
    """The same classes in other pictures."""
    return replace(task, name="others", train=drawn_split("train", 30, 9, use="train"))


def test_patching_in_parallel_is_the_sum_of_the_patches(clip: Model, task: Task) -> None:
    tasks = [task, other_task(task)]
    patched = patch(clip, tasks, paint=Paint(ENCODER), alphas=[0.5, 0.25], order="parallel")
    theta = [state(ENCODER.fit(clip, each)) for each in tasks]
    assert patched.head is None
    for name, x in state(clip).items():
        deltas = [t[name].double() - x.double() for t in theta]
        expected = x.double() + 0.5 * deltas[0] + 0.25 * deltas[1]
        torch.testing.assert_close(state(patched)[name].double(), expected, rtol=1e-5, atol=1e-6)
    assert ZeroShot().fit(patched, task).require_head().class_names == CLASSES


def test_patching_in_sequence_goes_on_from_the_last_patch(clip: Model, task: Task) -> None:
    patched = patch(clip, [task, other_task(task)], paint=Paint(ENCODER, alpha=0.5))
    first = Paint(ENCODER, alpha=0.5).fit(clip, task).with_head(None)
    second = Paint(ENCODER, alpha=0.5).fit(first, other_task(task))
    assert fingerprint(patched) == fingerprint(second.with_head(None))


def test_patching_needs_tasks_alphas_and_a_text_tower(clip: Model, task: Task) -> None:
    with pytest.raises(ModelError, match="0 tasks cannot be patched"):
        patch(clip, [])
    with pytest.raises(ModelError, match="1 tasks cannot be patched with 2 alphas"):
        patch(clip, [task], alphas=[0.1, 0.2])
    with pytest.raises(AlphaError, match="alpha is 2"):
        patch(clip, [task], alphas=[2.0])
    with pytest.raises(ModelError, match="patching needs one"):
        patch(toy_model(), [task])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"name": "uniform-soup", "seeds": 0}, "seeds is 0"),
        ({"name": "greedy-soup", "lr_factors": [1.0, -1.0]}, "lr_factors are"),
        ({"name": "model-stock", "seeds": 1}, "too few members"),
        ({"name": "ties", "lr_factors": []}, "too few members"),
        ({"name": "ties", "density": 0.0}, "density is 0.0"),
        ({"name": "lines", "beta": 0.7}, "alpha is 1.2"),
        ({"name": "fisher", "alpha": 2.0}, "alpha is 2"),
        ({"name": "fisher", "images": 0}, "images is 0"),
        ({"name": "task-arithmetic", "scale": float("nan")}, "scale is nan"),
        ({"name": "paint", "tune": {"head": "random"}}, "zero_shot"),
    ],
)
def test_wrong_fields_are_named(data: dict, says: str) -> None:
    with pytest.raises(RecipeError) as caught:
        method_from(data)
    assert says in str(caught.value)


def test_a_soup_of_models_without_a_common_start_is_refused(task: Task) -> None:
    """An inner method that gives another architecture has no place beside the start."""
    start = toy_model()
    with pytest.raises(WeightsError, match="no path leads"):
        Path.between(start, OutputEnsemble(BARE).fit(start, task), task).ends()
    for mix in (LiNeS, TaskArithmetic, FisherWise, UniformSoup, GreedySoup, ModelStock, Ties):
        with pytest.raises(ModelError, match="no path of weights leads"):
            mix(inner=OutputEnsemble(BARE))


def test_normalised_fishers_are_those_of_the_authors_code(clip: Model, task: Task) -> None:
    """Coefficients over the norm of each whole Fisher, which is Matena and Raffel's default."""
    ends = ZeroShot().fit(clip, task), TUNE.fit(clip, task)
    few = task.train.subset(9, seed=0)
    fishers = [diagonal_fisher(end, few, seed=0) for end in ends]
    average = sum(float(f.double().sum()) for x in fishers for f in x.values())
    floor = 1e-6 * average / sum(f.numel() for x in fishers for f in x.values())
    norms = [sum(float(f.double().square().sum()) for f in x.values()) ** 0.5 for x in fishers]
    assert norms[0] != pytest.approx(norms[1], rel=0.05)  # or there were nothing to see
    merged = state(FisherWise(TUNE, images=9, alpha=0.3, normalize=True).fit(clip, task))
    for name in fishers[0]:
        weights = [c / n * x[name].double().clamp_min(floor)
                   for c, n, x in zip((0.7, 0.3), norms, fishers, strict=True)]  # fmt: skip
        values = [state(end)[name].double() for end in ends]
        expected = (weights[0] * values[0] + weights[1] * values[1]) / (weights[0] + weights[1])
        torch.testing.assert_close(merged[name].double(), expected, rtol=1e-4, atol=1e-6)
    plain = state(FisherWise(TUNE, images=9, alpha=0.3).fit(clip, task))
    assert any(not torch.equal(plain[name], merged[name]) for name in fishers[0])
