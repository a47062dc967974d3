"""The path: exact ends, honest middles, and a sweep that equals the plain loop."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn

from surefoot.data.dataset import Shift, Task
from surefoot.errors import (
    AlphaError,
    ClassMismatch,
    DataError,
    ModelError,
    UnknownName,
    WeightsError,
)
from surefoot.evals.evaluate import evaluate
from surefoot.evals.predict import predict
from surefoot.evals.score import score
from surefoot.models.heads import Head, random_head, zero_shot_head
from surefoot.models.load import load
from surefoot.models.model import Model, ModelSpec, TextTower
from surefoot.paths import Path, alpha_grid, output_ensemble, sweep
from surefoot.paths.batchnorm import chunks
from surefoot.predictions import Predictions
from surefoot.transforms import TransformSpec
from surefoot.weights import Weights, lerp

from .conftest import CLASSES, Drawn, toy_model


def with_head(seed: int, **options: bool) -> Model:
    model = toy_model(seed=seed, **options)
    model.head = random_head(model, CLASSES, seed=seed)
    for name, buffer in model.named_buffers():
        noise = torch.rand(buffer.shape, generator=torch.Generator().manual_seed(seed))
        buffer.copy_((seed + 3) if name.endswith("tracked") else noise + 0.5)
    return model


def ends(**options: bool) -> tuple[Model, Model]:
    return with_head(0, **options), with_head(1, **options)


def timm_model(name: str, seed: int, **options: int) -> Model:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = timm.create_model(name, num_classes=0, **options)
        for parameter in encoder.parameters():  # zeros of LayerScale, biases, last norms
            nn.init.normal_(parameter, mean=float(parameter.detach().mean()), std=0.05)
    spec = ModelSpec(name, name, {"kind": "timm"}, TransformSpec(size=(32, 32), resize=32),
                     normalize=False, saw_text=False)  # fmt: skip
    model = Model(encoder, spec=spec, feature_dim=encoder.num_features)
    model.head = random_head(model, CLASSES, seed=seed)
    return model.eval()


class Words(TextTower):
    """One embedding per letter count."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(20, 12)

    def tokenize(self, texts):
        return torch.tensor([[len(t) % 20] for t in texts])

    def forward(self, tokens: Tensor) -> Tensor:
        return self.table(tokens).mean(dim=1)


def contrastive(seed: int) -> Model:
    model = with_head(seed, normalize=True)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model.text = Words()
    model.logit_scale = nn.Parameter(torch.tensor(2.0 + seed))
    return model


# ------------------------------------------------------------------------------ single points


@pytest.mark.parametrize("batchnorm", ["interpolate", "keep"])
@pytest.mark.parametrize("integers", ["start", "end"])
def test_at_the_ends_it_is_the_ends_bit_for_bit(batchnorm, integers):
    start, end = ends(batch_norm=True)
    with torch.no_grad():
        start.encoder.layers[0].bias[0] = -0.0
        end.encoder.layers[0].bias[0] = 0.0
    path = Path(start, end, batchnorm=batchnorm, integers=integers)
    for alpha, model in ((0, start), (1, end)):
        assert Weights.of(path.at(alpha)) == Weights.of(model)
        for other in (0.3, 0, 1):  # also by mixing in place, from anywhere
            assert Weights.of(path.mix_(path.at(other), alpha)) == Weights.of(model)


@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.9])
def test_in_between_it_is_the_lerp_of_all_weights(alpha):
    start, end = contrastive(0), contrastive(1)
    path = Path(start, end)
    want = Weights(lerp(start.state_dict(), end.state_dict(), alpha))
    assert Weights.of(path.at(alpha)) == want
    assert Weights.of(path.mix_(path.at(0.77), alpha)) == want
    assert path.at(alpha).scale() == pytest.approx(math.exp(2 + alpha))


def test_what_it_gives_shares_nothing_with_the_ends():
    start, end = ends()
    before = Weights.of(start), Weights.of(end)
    path = Path(start, end)
    for alpha in (0, 0.5, 1):
        with torch.no_grad():
            for tensor in path.at(alpha).state_dict().values():
                tensor.fill_(7)
    assert (Weights.of(start), Weights.of(end)) == before


def test_the_result_says_where_it_stands():
    path = Path(*ends())
    assert "alpha 0.25" in path.at(0.25).spec.notes[-1]
    assert path.at(0).spec == path.start.spec
    assert path.at(0.5).head.class_names == CLASSES


def test_distance_and_direction():
    start, end = ends()
    path = Path(start, end)
    names = dict(start.named_parameters())
    other = dict(end.named_parameters())
    gaps = [(other[name] - p).detach().double() for name, p in names.items()]
    plain = sum(float(gap.square().sum()) for gap in gaps)
    assert path.distance() == pytest.approx(math.sqrt(plain), rel=1e-6)
    moved = Weights.of(start).select("encoder.") + path.direction.select("encoder.")
    for name, tensor in moved.items():
        torch.testing.assert_close(tensor, end.state_dict()[name])
    assert Path(start, start.clone()).distance() == 0


def test_a_frozen_part_stays_bit_for_bit_and_a_linear_probe_moves_the_head_alone():
    start = with_head(0)
    end = start.with_head(random_head(start, CLASSES, seed=5))
    path = Path(start, end)
    assert not path.encoder_moves
    assert Path(*ends()).encoder_moves
    mixed = Weights.of(path.at(0.3))
    assert mixed.select("encoder.") == Weights.of(start).select("encoder.")
    assert mixed.select("head.") != Weights.of(start).select("head.")


def test_half_precision_models():
    start, end = (m.to(torch.bfloat16) for m in ends())
    path = Path(start, end)
    want = Weights(lerp(start.state_dict(), end.state_dict(), 0.3))
    assert Weights.of(path.at(0.3)) == want


# ------------------------------------------------------------------------------------ policies


def test_head_end_keeps_the_trained_head():
    start, end = toy_model(seed=0), with_head(1)
    path = Path(start, end, head="end")
    for alpha in (0, 0.4, 1):
        assert torch.equal(path.at(alpha).head.weight, end.head.weight)
    encoder = Weights.of(path.at(0)).select("encoder.")
    assert encoder == Weights.of(start).select("encoder.")


def test_batchnorm_keep_and_integers():
    start, end = ends(batch_norm=True)
    mean = "encoder.layers.1.running_mean"
    count = "encoder.layers.1.num_batches_tracked"
    kept = Weights.of(Path(start, end, batchnorm="keep", integers="start").at(0.2))
    assert torch.equal(kept[mean], end.state_dict()[mean])
    mixed = Weights.of(Path(start, end, integers="start").at(0.2))
    torch.testing.assert_close(
        mixed[mean], 0.8 * start.state_dict()[mean] + 0.2 * end.state_dict()[mean]
    )
    assert mixed[count] == start.state_dict()[count]
    assert Weights.of(Path(start, end).at(0.2))[count] == end.state_dict()[count]


def slow_statistics(model: Model, images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and unbiased variance of what the toy model's BatchNorm sees."""
    hidden = model.encoder.layers[0](images).detach()
    flat = hidden.permute(1, 0, 2, 3).flatten(1).double()
    return flat.mean(dim=1).float(), flat.var(dim=1, unbiased=True).float()


def test_recalibrated_statistics_are_those_of_the_mixed_weights(task):
    start, end = ends(batch_norm=True)
    path = Path(start, end, batchnorm="recalibrate", images=task.train)
    transform = start.spec.transform.eval()
    images = torch.stack([transform(task.train.images[i]) for i in range(len(task.train))])
    for alpha in (0.25, 0.75):
        model = path.at(alpha)
        mean, variance = slow_statistics(model, images)
        torch.testing.assert_close(model.encoder.layers[1].running_mean, mean)
        torch.testing.assert_close(model.encoder.layers[1].running_var, variance)
        assert not model.encoder.layers[1].training
        assert model.encoder.layers[1].momentum == 0.1
    assert Weights.of(path.at(0)) == Weights.of(start)
    assert Weights.of(path.at(1)) == Weights.of(end)


def test_recalibration_decodes_each_image_once_for_all_alphas(task):
    path = Path(*ends(batch_norm=True), batchnorm="recalibrate", images=task.train)
    images = task.train.images
    assert isinstance(images, Drawn)
    path.calibrate(alpha_grid(5))
    assert images.decoded == 45
    path.at(0.25)
    path.mix_(path.at(0.5), 0.75)
    assert images.decoded == 45
    few = Path(*ends(batch_norm=True), batchnorm="recalibrate", images=task.train,
               calibration_images=9)  # fmt: skip
    few.calibrate(alpha_grid(5))
    assert images.decoded == 45 + 9


def test_recalibration_averages_whole_batches_whatever_the_chunks(task, monkeypatch):
    monkeypatch.setattr("surefoot.paths.path._CALIBRATION_BATCH", 20)  # 20 + 20 + 5
    start, end = ends(batch_norm=True)
    path = Path(start, end, batchnorm="recalibrate", images=task.train)
    model = path.at(0.5)
    transform = start.spec.transform.eval()
    images = torch.stack([transform(task.train.images[i]) for i in range(40)])
    halves = [slow_statistics(model, part) for part in images.split(20)]
    want = torch.stack([v for _, v in halves]).mean(dim=0)
    torch.testing.assert_close(model.encoder.layers[1].running_var, want)
    assert model.encoder.layers[1].num_batches_tracked == 2


def test_chunks_keep_order_and_budget():
    batches = [torch.full((3,), float(i)) for i in range(7)]  # 12 bytes each
    got = list(chunks(batches, 30))
    assert [len(c) for c in got] == [2, 2, 2, 1]
    assert [float(b[0]) for c in got for b in c] == list(range(7))
    assert [len(c) for c in chunks(batches, 1)] == [1] * 7
    assert list(chunks([], 10)) == []


def test_a_text_tower_of_one_end_alone_is_left_out_between_the_ends():
    start, end = contrastive(0), contrastive(1)
    end.text = end.logit_scale = None
    path = Path(start, end)
    assert path.at(0).text is not None
    assert path.at(0.5).text is None
    assert path.at(0.5).logit_scale is None
    backwards = Path(end, start)
    assert backwards.at(0.5).text is None
    assert backwards.at(1).text is not None


# ------------------------------------------------------------------------- what must not pass


@pytest.mark.parametrize("alpha", [-0.1, 1.1, math.nan])
def test_alpha_outside_is_refused(alpha):
    path = Path(*ends())
    for act in (path.at, lambda a: path.mix_(path.at(1), a)):
        with pytest.raises(AlphaError, match="alpha is"):
            act(alpha)


def test_extrapolation_needs_leave_and_sane_variances():
    start, end = ends(batch_norm=True)
    path = Path(start, end, extrapolate=True)
    name = "encoder.layers.0.weight"
    want = 1.1 * end.state_dict()[name] - 0.1 * start.state_dict()[name]
    torch.testing.assert_close(path.at(1.1).state_dict()[name], want)
    with pytest.raises(WeightsError, match=r"running_var are negative"):
        path.at(50)
    kept = Path(start, end, extrapolate=True, batchnorm="keep").at(50)
    assert (kept.encoder.layers[1].running_var > 0).all()


def refused(start: Model, end: Model, **options: str) -> str:
    with pytest.raises(WeightsError) as caught:
        Path(start, end, **options)
    return str(caught.value)


def test_other_architectures_are_named_key_by_key():
    text = refused(with_head(0), with_head(1, batch_norm=True))
    assert "'encoder.layers.1.running_mean' (8,) is in the end only" in text
    vit, small = timm_model("test_vit", 0, img_size=32), with_head(0)
    text = refused(small, vit)
    assert "no path leads from toy to test_vit" in text
    assert "'encoder.blocks.0.attn.proj.bias' (64,) is in the end only" in text
    assert "they see images differently" in text


def test_other_classes():
    start, end = with_head(0), toy_model(seed=1)
    end.head = random_head(end, (*CLASSES, "star"), seed=1)
    text = refused(start, end)
    assert "'head.weight' has the shape (3, 12) in the start and (4, 12) in the end" in text
    assert "head='end'" in text
    end.head = random_head(end, CLASSES[::-1], seed=1)
    assert "row 0 is the class 'circle' in the start and 'bar' in the end" in refused(start, end)


@pytest.mark.parametrize("which", ["start", "end"])
def test_a_missing_head_says_what_to_do(which):
    pair = (toy_model(seed=0), with_head(1))
    text = refused(*pair) if which == "start" else refused(*pair[::-1])
    assert f"the {which} has no head" in text
    assert "fit a zero-shot head to the start first, or keep the end's with head='end'" in text


def test_a_head_that_normalises_against_one_that_does_not():
    start, end = ends()
    assert end.head is not None
    end.head.normalize = True
    assert "one end's head normalises the features" in refused(start, end)


def test_nan_in_an_end():
    start, end = ends()
    with torch.no_grad():
        end.encoder.layers[4].bias[3] = math.nan
    assert "'encoder.layers.4.bias' holds 1 NaN in the end" in refused(start, end)


def test_another_activation_has_equal_weights_and_is_refused():
    start, end = ends()
    end.encoder.layers[2] = nn.SiLU()
    assert "'encoder.layers.2' is GELU in the start and SiLU in the end" in refused(start, end)
    end.encoder.layers[2] = nn.GELU()
    start.encoder.layers[1], end.encoder.layers[1] = nn.Identity(), nn.Dropout(0.1)
    Path(start, end)


def test_ties_that_differ():
    start, end = ends()
    start.encoder.layers[4].twin = start.encoder.layers[4].weight
    end.encoder.layers[4].twin = nn.Parameter(torch.randn(12, 128))
    assert "are one tensor in one end and differ in the other" in refused(start, end)


def test_recalibration_without_images_or_without_need():
    text = refused(*ends(batch_norm=True), batchnorm="recalibrate")
    assert "needs training images" in text
    Path(*ends(), batchnorm="recalibrate").at(0.5)


def test_mixing_into_another_architecture():
    path = Path(*ends())
    with pytest.raises(WeightsError, match=r"differs from the ends in encoder\.layers\.1"):
        path.mix_(with_head(0, batch_norm=True), 0.5)
    other = path.at(0).with_head(random_head(path.start, ("a", "b"), seed=0))
    with pytest.raises(WeightsError, match=r"differs from the ends in head\.bias, head\.weight"):
        path.mix_(other, 0.5)


# ----------------------------------------------------------------------------------- the sweep


def test_grid():
    assert alpha_grid() == (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1)
    assert len(alpha_grid(21)) == 21
    assert alpha_grid(2) == (0, 1)
    with pytest.raises(AlphaError, match="2 or more"):
        alpha_grid(1)


def collected(path: Path, task: Task, **options: object) -> tuple[object, dict]:
    said: dict[tuple[float, str], Predictions] = {}
    curve = sweep(path, task, on_predictions=lambda a, p: said.__setitem__((a, p.split), p),
                  **options)  # type: ignore[arg-type]  # fmt: skip
    return curve, said


MODELS = {
    "toy": lambda seed: with_head(seed),
    "test_vit": lambda seed: timm_model("test_vit", seed, img_size=32),
    "test_resnet": lambda seed: timm_model("test_resnet", seed),
    "contrastive": contrastive,
}


@pytest.mark.parametrize(
    ("name", "batchnorm"),
    [*((name, "interpolate") for name in MODELS), ("test_resnet", "recalibrate")],
)
def test_sweep_equals_the_plain_loop(task, name, batchnorm):
    path = Path(MODELS[name](0), MODELS[name](1), batchnorm=batchnorm, images=task.train)
    grid = (0.0, 0.3, 1.0)
    curve, said = collected(path, task, alphas=grid, batch_size=8, decode_budget=25_000)
    assert curve.alphas == grid
    assert list(curve.scores) == ["val", "test", "recoloured"]
    for alpha in grid:
        model = path.at(alpha)
        for split, shift in task.scored().items():
            alone = predict(model, shift, batch_size=8)
            got = said[alpha, split]
            np.testing.assert_allclose(got.logits, alone.logits, rtol=1e-5, atol=1e-5)
            assert (got.top1() == alone.top1()).all()
            assert got.ids == alone.ids
            row = curve.scores[split][grid.index(alpha)]
            assert row.value == score(alone).value
            assert (curve.correct[split][grid.index(alpha)] == alone.correct()).all()


@pytest.mark.parametrize("budget", [1, 20_000, 2**28])
@pytest.mark.parametrize("probe", [False, True])
def test_each_image_is_decoded_once_whatever_the_budget(task, budget, probe):
    start, end = ends()
    end = start.with_head(end.head) if probe else end
    path = Path(start, end)
    sweep(path, task, alphas=alpha_grid(5), batch_size=7, decode_budget=budget)
    for shift in task.scored().values():
        assert isinstance(shift.split.images, Drawn)
        assert shift.split.images.decoded == 30


class Counting(nn.Module):
    """Counts the images that pass through an encoder."""

    seen = 0

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images: Tensor) -> Tensor:
        Counting.seen += len(images)
        return self.inner(images)


def test_a_linear_probe_extracts_features_once(task, monkeypatch):
    start, end = ends()
    start.encoder = Counting(start.encoder)
    probe = start.with_head(end.head)
    monkeypatch.setattr(Counting, "seen", 0)
    path = Path(start, probe)
    curve, said = collected(path, task, alphas=alpha_grid(5), batch_size=16)
    assert Counting.seen == 90
    for alpha in curve.alphas:
        alone = predict(path.at(alpha), task.test, batch_size=16)
        np.testing.assert_allclose(said[alpha, "test"].logits, alone.logits, atol=1e-5)
        assert (said[alpha, "test"].top1() == alone.top1()).all()


def test_scores_remember_how_they_came_about(task):
    curve = sweep(Path(*ends()), task, alphas=[1, 0, 0.5, 0.5], method="wise-ft(ft)", seed=3)
    assert curve.alphas == (0, 0.5, 1)
    assert (curve.method, curve.seed) == ("wise-ft(ft)", 3)
    row = curve.scores["recoloured"][1]
    assert (row.alpha, row.method, row.seed, row.n) == (0.5, "wise-ft(ft)", 3, 30)
    assert (row.domain, row.selection) == ("OOD", "none")
    assert curve.correct["val"].shape == (3, 30)
    assert curve.values("val").tolist() == curve.correct["val"].mean(axis=1).tolist()


def test_only_top1_fills_correct(task):
    shifts = {"f1": Shift("f1", task.test, "macro_f1"), "top": Shift("top", task.test)}
    curve = sweep(Path(*ends()), shifts, alphas=(0, 1))
    assert list(curve.correct) == ["top"]
    assert curve.scores["f1"][0].metric == "macro_f1"


def test_logits_beyond_memory_go_through_a_file(task, monkeypatch):
    _, plain = collected(Path(*ends()), task, alphas=(0, 0.5, 1), batch_size=4, decode_budget=1)
    monkeypatch.setattr("surefoot.paths.walk._IN_MEMORY", 100)
    _, spooled = collected(Path(*ends()), task, alphas=(0, 0.5, 1), batch_size=4, decode_budget=1)
    for key, said in plain.items():
        assert np.array_equal(said.logits, spooled[key].logits)
        assert said.logits.any(axis=1).all()


def test_ends_and_working_models_are_left_as_they_were(task):
    start, end = ends(batch_norm=True)
    start.train()
    end.train()
    before = Weights.of(start), Weights.of(end)
    state = torch.random.get_rng_state()
    sweep(Path(start, end), task, alphas=(0, 0.5, 1))
    assert (Weights.of(start), Weights.of(end)) == before
    assert start.training
    assert end.encoder.layers[1].training
    assert torch.equal(torch.random.get_rng_state(), state)


def test_progress_counts_image_passes(task):
    seen: list[tuple[int, int]] = []
    sweep(Path(*ends()), task, alphas=(0, 1), progress=lambda d, t: seen.append((d, t)))
    assert seen[-1] == (180, 180)
    assert [d for d, _ in seen] == sorted({d for d, _ in seen})


def test_refit_gives_the_head_at_every_alpha(task):
    start, end = toy_model(seed=0), toy_model(seed=1)
    asked: list[float] = []

    def refit(model: Model, alpha: float) -> Head:
        asked.append(alpha)
        sums = model.encoder.layers[4].weight.sum()
        return Head(torch.eye(3, 12) * (sums + alpha), normalize=False, class_names=CLASSES)

    path = Path(start, end)
    with pytest.raises(ModelError, match="has no classification head"):
        sweep(path, task, alphas=(0, 1))
    _, said = collected(path, task, alphas=(0, 0.5, 1), refit=refit)
    assert asked == [0, 0.5, 1]
    middle = path.at(0.5)
    middle.head = refit(middle, 0.5)
    np.testing.assert_allclose(
        said[0.5, "test"].logits, predict(middle, task.test).logits, atol=1e-5
    )


def test_sweep_refuses_other_classes_and_no_alphas(task):
    start, end = (toy_model(seed=s) for s in (0, 1))
    start.head = random_head(start, ("a", "b"), seed=0)
    end.head = copy.deepcopy(start.head)
    with pytest.raises(ClassMismatch, match=r"'val' has other classes than the head of toy"):
        sweep(Path(start, end), task)
    with pytest.raises(AlphaError, match="no alpha"):
        sweep(Path(*ends()), task, alphas=())
    with pytest.raises(AlphaError, match=r"alpha is 1\.2"):
        sweep(Path(*ends()), task, alphas=(0, 1.2))


# -------------------------------------------------------------------------- the output ensemble


def test_output_ensemble_averages_logits(task):
    start, end = (predict(m, task.test) for m in ends())
    half = output_ensemble(start, end, 0.5)
    np.testing.assert_allclose(half.logits, (start.logits + end.logits) / 2, rtol=1e-6)
    assert half.logits.dtype == np.float32
    assert output_ensemble(start, end, 0) is start
    assert output_ensemble(start, end, 1) is end


def test_output_ensemble_equals_weight_mixing_of_linear_heads(task):
    start, end = ends()
    probe = start.with_head(end.head)
    mixed = predict(Path(start, probe).at(0.3), task.test)
    both = output_ensemble(predict(start, task.test), predict(probe, task.test), 0.3)
    np.testing.assert_allclose(mixed.logits, both.logits, atol=1e-5)


def test_output_ensemble_of_other_images_is_refused(task):
    start, end = ends()
    with pytest.raises(DataError, match="'val' and 'test' are of different images") as caught:
        output_ensemble(predict(start, task.val), predict(end, task.test.take(range(9))), 0.5)
    assert "in one order" in str(caught.value)
    with pytest.raises(AlphaError):
        output_ensemble(predict(start, task.val), predict(end, task.val), 2)


def test_a_probe_is_fitted_at_every_alpha(task):
    path = Path(toy_model(seed=0), toy_model(seed=1), head="end")
    options = {"c_path": (0.1, 10.0), "batch_size": 7, "workers": 0}
    curve, said = collected(path, task, evaluator="linear", alphas=(0, 0.5, 1), **options)
    for alpha in (0.0, 0.5, 1.0):
        pairs = evaluate(path.at(alpha), task, evaluator="linear", **options)
        for alone, row in pairs:
            there = said[alpha, alone.split].logits
            np.testing.assert_allclose(there, alone.logits, atol=1e-3)
            assert row.evaluator == curve.scores[alone.split][0].evaluator == "linear"
    with pytest.raises(DataError, match="needs a whole task"):
        sweep(path, task.scored(), evaluator="linear")
    with pytest.raises(DataError, match="needs a whole task"):
        sweep(path, task.scored(), evaluator="knn")


def test_neighbours_are_asked_at_every_alpha_also_adaptively(task):
    path = Path(*ends())
    full = sweep(path, task, evaluator="knn", alphas=5, k=3, ks=(1,), seed=4, recipe="r")
    row = full.scores["test"][2]
    assert (row.alpha, row.evaluator, row.seed, row.recipe) == (0.5, "knn", 4, "r")
    assert row.extra == {"k": 3, "protocol": "model", "at_k": row.extra["at_k"]}
    assert set(row.extra["at_k"]) == {"1", "3"}
    few = sweep(path, task, evaluator="knn", alphas=5, k=3, ks=(1,), seed=4, recipe="r",
                adaptive=True)  # fmt: skip
    for alpha, one in zip(few.alphas, few.scores["test"], strict=True):
        assert one == full.scores["test"][full.alphas.index(alpha)]


def test_what_a_sweep_does_not_know_is_refused(task):
    with pytest.raises(UnknownName, match="knn"):
        sweep(Path(*ends()), task, evaluator="kn")
    for evaluator in ("head", "knn", "linear"):
        with pytest.raises(TypeError, match="batchsize"):
            sweep(Path(*ends()), task, evaluator=evaluator, batchsize=3)


# ------------------------------------------------------------------------------ joining two models


def test_one_rule_for_the_heads_of_two_models(task):
    bare, other = toy_model(seed=0), with_head(1)
    alone = Path.between(bare, other, task)
    assert alone.head == "end"
    assert "no text tower" in alone.notes[0]
    assert torch.equal(alone.at(0).head.weight, other.head.weight)
    both = Path.between(with_head(0), other, task)
    assert (both.head, both.notes) == ("interpolate", ())
    turned = with_head(0)
    turned.head = turned.head.ordered(CLASSES[::-1])
    path = Path.between(turned, other, task)
    assert "order" in path.notes[0]
    assert path.at(0).head.class_names == CLASSES
    assert torch.equal(path.at(0).head.weight, with_head(0).head.weight)
    none = Path.between(with_head(0), bare, task)
    assert none.at(0).head is none.at(0.5).head is none.at(1).head is None
    assert "the end has no head" in none.notes[0]
    begin, end = alone.ends()
    assert torch.equal(begin.head.weight, end.head.weight)


def test_a_text_tower_writes_the_starts_head_in_the_ends_classes(task):
    clip = load("tiny-clip")
    names = ("square", "circle")  # of the three of the task, in another order
    end = clip.with_head(random_head(clip, names, seed=0))
    path = Path.between(clip, end, task)
    written = zero_shot_head(clip, names, task.templates)
    assert (path.head, path.notes) == ("interpolate", ())
    assert torch.equal(path.at(0).head.weight, written.weight)
    assert path.at(0).head.class_names == names
    trained = clip.with_head(random_head(clip, CLASSES, seed=1))
    replaced = Path.between(trained, end, task)
    assert "for other classes" in replaced.notes[0]  # never in silence
    assert torch.equal(replaced.at(0).head.weight, written.weight)
    assert Path.between(clip, end).head == "end"  # without prompts
