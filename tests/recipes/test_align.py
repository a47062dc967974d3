"""The alignment study: what it looks at, what it keeps, what it refuses, what goes on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from surefoot.context import RunContext
from surefoot.data.dataset import Shift, Task
from surefoot.errors import DataError, ModelError, RecipeError, RunError
from surefoot.evals.knn import knn_predictions
from surefoot.evals.score import score
from surefoot.models.model import Model
from surefoot.paths import Path as WeightPath
from surefoot.paths import sweep
from surefoot.predictions import Predictions
from surefoot.recipes import job as job_module
from surefoot.recipes.align import Aligned, AlignSpec, align
from surefoot.recipes.align_compare import MEAN, Comparison
from surefoot.recipes.ends import load_path
from surefoot.report import render, render_terminal
from surefoot.runs import Run
from surefoot.stats import compare as compare_rows
from surefoot.train import Schedule
from surefoot.weights.fingerprint import fingerprint

from ..conftest import CLASSES, drawn_split
from ..methods.test_language import Letters
from ..models.vits import timm_spec, vit

QUICK = Schedule(epochs=1, batch_size=16, lr=1e-2, weight_decay=0.01)
SPEC = AlignSpec(
    text="letters", schedule=QUICK, alphas=3, k=5, ks=(1, 3, 500), controls=("shuffled",)
)
KEYS = ("language-film", "language-film-shuffled", "language-token-replay",
        "language-token-replay-shuffled")  # fmt: skip
CPU = RunContext(device="cpu")


def draw_task() -> Task:
    train, val, test = (
        drawn_split(use, n, seed, use=use)
        for seed, (use, n) in enumerate((("train", 45), ("val", 30), ("test", 30)))
    )
    shifts = tuple(
        Shift(name, drawn_split(name, 30, seed, domain="OOD"))
        for name, seed in (("recoloured", 3), ("again", 4))
    )
    said = [f"a {CLASSES[label]}, {i % 4}" for i, label in enumerate(train.require_labels())]
    return Task("shapes", replace(train, captions=said), val, test, shifts, CLASSES)


@pytest.fixture(scope="module")
def start() -> Model:
    return vit(timm_spec(depth=2))


@pytest.fixture(scope="module")
def task() -> Task:
    return draw_task()


def knn_predict(
    model: Model, task: Task, shift: Shift, ks: tuple[int, ...] = (5,), k: int = 5
) -> Predictions:
    return next(knn_predictions(model, task, {shift.name: shift}, ks=ks, device="cpu"))[k]


def run(start: Model, task: Task, spec: AlignSpec = SPEC, **options: Any) -> Aligned:
    return align(start, task.train, task, spec, text=Letters(), context=CPU, **options)


@pytest.fixture(scope="module")
def found(start: Model, task: Task) -> Aligned:
    return run(start, task)


@pytest.fixture(scope="module")
def study(start: Model, task: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("align") / "study"
    run(start, task, out=folder, command="surefoot align ...")
    return folder


def test_every_point_is_there(found: Aligned, task: Task) -> None:
    results = found.results()
    assert set(results) == {
        (key, 0, alpha, split)
        for key in KEYS for alpha in (0.0, 0.5, 1.0) for split in task.scored()
    }  # fmt: skip
    for (key, seed, alpha, split), (said, value) in results.items():
        assert (value.method, value.seed, value.alpha, value.split) == (key, seed, alpha, split)
        assert value.evaluator == "knn"
        assert value.value == score(said).value
        assert set(value.extra["at_k"]) == {"1", "3", "5"}  # 500 are more than the bank holds
        assert value.extra["at_k"]["5"] == value.value
    assert found.study is None


def test_the_start_of_every_path_is_the_pretrained_encoder(
    found: Aligned, start: Model, task: Task
) -> None:
    alone = knn_predict(start, task, task.shifts[0])
    for key in KEYS:
        said, _ = found.results()[key, 0, 0.0, "recoloured"]
        assert np.array_equal(said.logits, alone.logits), key


@pytest.mark.parametrize("at", [0, 2])
def test_the_end_is_the_methods_own(at: int, found: Aligned, start: Model, task: Task) -> None:
    fit = found.fits[at]
    memo = RunContext(device="cpu", memo={"text:letters": Letters()})
    tuned = fit.method.fit(start, task, seed=0, run=memo)
    alone = knn_predict(tuned, task, Shift("test", task.test))
    assert np.array_equal(fit.predictions[1.0, "test"].logits, alone.logits)


def test_bank_and_queries_are_embedded_anew(found: Aligned, start: Model, task: Task) -> None:
    """Half-way, the sweep equals a model of those weights evaluated alone."""
    memo = RunContext(device="cpu", memo={"text:letters": Letters()})
    tuned = found.fits[0].method.fit(start, task, seed=0, run=memo)
    path = WeightPath(start, tuned, head="end")
    curve = sweep(path, task, evaluator="knn", alphas=(0.0, 0.25), k=5, ks=(1,), device="cpu")
    for name, shift in task.scored().items():
        for number, alpha in enumerate((0.0, 0.25)):
            found_here = curve.scores[name][number]
            alone = knn_predict(path.at(alpha), task, shift)
            assert found_here.value == alone.correct().mean()
            # Of the same five: which of two equally near images a search for one takes is open.
            nearest = knn_predict(path.at(alpha), task, shift, ks=(1, 5), k=1)
            assert found_here.extra["at_k"]["1"] == nearest.correct().mean()


def one(found: Aligned, **wanted: Any) -> Comparison:
    (hit,) = (c for c in found.comparisons if all(getattr(c, k) == v for k, v in wanted.items()))
    return hit


def test_differences_are_paired_on_the_same_images(found: Aligned) -> None:
    right = {
        (key, alpha, split): said.correct()
        for (key, _, alpha, split), (said, _) in found.results().items()
    }
    units = {split: said.units() for (*_, split), (said, _) in found.results().items()}
    c = one(found, method=KEYS[0], other="pretrained", rule="end", split="test")
    a, b = ({"test": right[KEYS[0], alpha, "test"]} for alpha in (1.0, 0.0))
    plain = compare_rows(a, b, units)
    ends = (plain.interval.low, plain.interval.high) if plain.interval else (None, None)
    assert (c.difference, c.low, c.high, c.p, c.n, c.seeds) == (
        plain.difference, *ends, plain.p, 30, 1
    )  # fmt: skip
    assert c.says == plain.says
    c = one(found, method=KEYS[2], other=KEYS[3], rule="fixed", split="again")
    a, b = ({"again": right[key, 0.5, "again"]} for key in KEYS[2:4])
    plain = compare_rows(a, b, units)
    assert (c.difference, c.p) == (plain.difference, plain.p)
    mean = one(found, method=KEYS[0], other="pretrained", rule="end", split=MEAN)
    both = [right[KEYS[0], 1.0, s].mean() - right[KEYS[0], 0.0, s].mean()
            for s in ("recoloured", "again")]  # fmt: skip
    assert mean.difference == pytest.approx(np.mean(both))
    assert mean.low <= mean.difference <= mean.high
    assert mean.low < mean.high  # a spread of zero is no proof
    # Controls are compared with the pretrained encoder, and with nothing else.
    assert {c.other for c in found.comparisons if c.method == KEYS[1]} == {"pretrained"}
    assert {c.other for c in found.comparisons if c.method == KEYS[0]} == {"pretrained", KEYS[1]}


def test_several_seeds_are_averaged_image_by_image(start: Model, task: Task) -> None:
    spec = replace(SPEC, adapters=("film",), controls=(), seeds=(0, 1))
    found = run(start, task, spec)
    assert [f.seed for f in found.fits] == [0, 1]
    c = one(found, other="pretrained", rule="end", split="test")
    gaps = [f.curve.values("test")[-1] - f.curve.values("test")[0] for f in found.fits]
    assert c.seeds == 2
    assert c.difference == pytest.approx(np.mean(gaps))
    assert c.low < c.difference < c.high


def test_alpha_is_chosen_on_validation(found: Aligned) -> None:
    for fit in found.fits:
        chosen = {s.rule: s for s in fit.selections}
        assert set(chosen) == {"fixed", "id_val", "one_se", "oracle"}
        values = fit.curve.values("val")
        assert values[fit.curve.alphas.index(fit.alpha("id_val"))] == values.max()
        assert chosen["id_val"].chosen_on == "val"
        assert fit.alpha("fixed") == 0.5
        assert fit.alpha("end") == 1.0


def test_what_the_reader_must_know_is_noted(found: Aligned, start: Model, task: Task) -> None:
    facts = found.facts
    assert facts["label_share"] == 1.0
    assert (
        "100 % of the images have a caption that names their class: label information"
        in (facts["notes"])
    )
    assert facts["pairs"] == 45
    assert not facts["text_saw_images"]
    spec = replace(SPEC, adapters=("film",), controls=(), pairs=9, alphas=2)
    bare = replace(task.train, captions=["red", *["blue"] * 44], labels=None, class_names=())
    part = align(start, bare, task, spec, text=Letters(), context=CPU)
    assert part.facts["pairs"] == 9
    assert part.facts["label_share"] is None
    assert not any("label information" in note for note in part.facts["notes"])


def test_labels_of_other_classes_become_prompts(start: Model, task: Task) -> None:
    foreign = replace(task.train, captions=None, class_names=("disc", "box", "line"))
    spec = replace(SPEC, adapters=("film",), controls=(), alphas=2)
    found = align(start, foreign, task, spec, text=Letters(), context=CPU)
    assert found.facts["captions"] == 3
    assert found.facts["label_share"] == 1.0


def test_a_study_is_a_folder_that_the_report_draws(study: Path, found: Aligned) -> None:
    kept = {p.name for p in study.iterdir()}
    assert {*KEYS, "study.json", "align.json", "comparisons.json", "pairs.txt"} <= kept
    assert len((study / "pairs.txt").read_text().split()) == 45
    assert len(json.loads((study / "comparisons.json").read_text())) == len(found.comparisons)
    from surefoot.runs import open_study

    opened = open_study(study)
    assert [r.status for r in opened.runs] == ["finished"] * 4
    text = render_terminal(opened, width=140, colour=False)
    assert "FiLM, shuffled captions" in text
    assert "Token Replay (our reading), language" in text
    assert "could not be tested" not in text
    assert "FiLM, language against Start of the path" in text
    page = render(opened).read_text(encoding="utf-8")
    assert "embedded anew at every alpha" in page
    assert "label information" in page


def test_a_run_of_the_study_has_both_ends(study: Path, start: Model) -> None:
    plain = load_path(Run.open(study / KEYS[0]))
    assert fingerprint(plain.start.encoder) == fingerprint(start.encoder)
    replayed = load_path(Run.open(study / KEYS[2]))
    theirs = replayed.start.encoder.state_dict()
    for name, tensor in start.encoder.state_dict().items():
        assert np.array_equal(tensor.numpy(), theirs[name].numpy())
    assert replayed.end.head is None


def test_a_finished_study_is_read_and_not_made_again(
    study: Path, start: Model, task: Task, found: Aligned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("surefoot.methods.language.train", None)
    lines: list[str] = []
    again = run(start, task, out=study, resume=True, say=lines.append)
    assert lines == [f"{key}: finished already" for key in KEYS]
    assert again.comparisons == found.comparisons
    theirs = found.results()
    for point, (said, value) in again.results().items():
        assert np.array_equal(said.logits, theirs[point][0].logits)
        assert value.value == theirs[point][1].value
    assert [f.selections for f in again.fits] == [f.selections for f in found.fits]


def test_a_study_goes_on_where_it_stopped(
    start: Model, task: Task, found: Aligned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(SPEC, controls=())
    calls = []

    def stopped(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return sweep(*arguments, **options)

    monkeypatch.setattr(job_module, "sweep", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(start, task, spec, out=tmp_path / "s")
    assert Run.open(tmp_path / "s" / KEYS[2]).status == "interrupted"
    again = run(start, task, spec, out=tmp_path / "s", resume=True)
    assert len(calls) == 3  # the first run was read
    for point, (said, _) in again.results().items():
        assert np.array_equal(said.logits, found.results()[point][0].logits)
    log = (tmp_path / "s" / KEYS[2] / "log.jsonl").read_text()
    assert "resumed after epoch 1 of 1" in log


def test_nothing_is_overwritten(study: Path, start: Model, task: Task) -> None:
    with pytest.raises(RunError, match="exists already"):
        run(start, task, out=study)
    for other in (replace(SPEC, k=3), replace(SPEC, schedule=replace(QUICK, lr=1e-3))):
        with pytest.raises(RunError, match="other settings, pairs, data or weights"):
            run(start, task, other, out=study, resume=True)
    with pytest.raises(RunError, match="other settings"):
        run(vit(timm_spec(depth=2), seed=9), task, out=study, resume=True)


def test_a_study_that_has_only_begun_goes_on(start: Model, task: Task, tmp_path: Path) -> None:
    """Several processes begin one study; each may see what another is writing."""
    spec = replace(SPEC, adapters=("film",), controls=(), alphas=2)
    for names in (["pairs.txt"], [".align.json.7.part", "pairs.txt"]):
        folder = tmp_path / str(len(names))
        folder.mkdir()
        for name in names:
            (folder / name).write_text("")
        run(start, task, spec, out=folder, resume=True)
        assert json.loads((folder / "align.json").read_text())["k"] == spec.k
        assert (folder / "pairs.txt").read_text()
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "photo.png").write_text("")
    with pytest.raises(RunError, match="other settings"):
        run(start, task, spec, out=strange, resume=True)
    assert [p.name for p in strange.iterdir()] == ["photo.png"]


def test_a_trial_is_called_one(start: Model, task: Task, tmp_path: Path) -> None:
    spec = replace(SPEC, adapters=("film",), controls=(), alphas=2, trial=True)
    found = run(start, task, spec, out=tmp_path / "s")
    assert found.study is not None
    assert [r.status for r in found.study.runs] == ["trial"]


def test_a_spec_says_what_will_be_made() -> None:
    spec = AlignSpec(adapters=("token-replay", "film", "none"), options=(("two_pass", True),))
    made = spec.keyed()
    assert list(made)[:3] == [
        "language-token-replay", "language-token-replay-shuffled", "language-token-replay-random"
    ]  # fmt: skip
    assert made["language-token-replay"].two_pass
    assert not made["language-film"].two_pass
    assert made["language-film"].schedule.lr == 1e-3
    assert made["language-none"].schedule.lr == 1e-4
    assert AlignSpec(alphas=(0.25,)).grid() == (0.0, 0.25, 0.5, 1.0)
    assert spec.hash() == AlignSpec(**spec.__dict__).hash() != AlignSpec().hash()


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"adapters": ()}, DataError, "nothing to align"),
        ({"seeds": ()}, DataError, "nothing to align"),
        ({"controls": ("random", "random")}, DataError, "control is given twice"),
        ({"adapters": ("lora",)}, RecipeError, "lora"),
        ({"options": (("tempo", 1),)}, RecipeError, "has no field 'tempo'"),
    ],
)
def test_specs_that_cannot_be(fields: dict[str, Any], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        AlignSpec(**fields)


def test_a_bank_needs_labels_and_an_encoder_a_place_for_adapters(
    start: Model, task: Task, model: Model
) -> None:
    blind = replace(task, train=replace(task.train, labels=None, class_names=()))
    with pytest.raises(DataError, match="the split 'train' has no labels"):
        run(start, blind)
    with pytest.raises(ModelError, match="toy"):
        run(model, task)
