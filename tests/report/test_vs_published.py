"""Measured beside published, suites and baselines, on run folders written by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from scipy import stats

from surefoot.cli.compare import compare_command
from surefoot.errors import DataError, UnknownName
from surefoot.predictions import Predictions
from surefoot.published import find, suites
from surefoot.records import Score
from surefoot.report.baseline import TESTBED, distances, read_baseline
from surefoot.report.measured import measured
from surefoot.report.robustness_page import distance_lines, robustness_page
from surefoot.report.suites import headline, headline_lines
from surefoot.report.vs_published import Comparison, comparison_lines, own_encoders, vs_published
from surefoot.runs import Run, Study, open_study
from surefoot.stats import clopper_pearson, fit_baseline

IMAGENET = {
    "test": ("imagenet:val", 50_000),
    "v2": ("imagenetv2-matched-frequency", 10_000),
    "r": ("imagenet-r", 30_000),
    "sketch": ("imagenet-sketch", 50_889),
    "objectnet": ("objectnet", 18_574),
    "a": ("imagenet-a", 7_500),
}
B16 = {"ImageNet": 81.7, "ImageNetV2": 72.8, "ImageNet-R": 78.7, "ImageNet-Sketch": 53.9,
       "ObjectNet": 57.3, "ImageNet-A": 52.2}  # fmt: skip


def score(split: str, value: float, n: int, **fields: Any) -> Score:
    around = clopper_pearson(round(value * n), n)
    domain = "ID" if split in ("val", "test") else "OOD"
    return replace(
        Score("top1", value, n, around.low, around.high, "clopper-pearson", split, domain,
              method="ft", selection="end", alpha=1.0, seed=0), **fields,
    )  # fmt: skip


def run_folder(
    folder: Path,
    scores: list[Score],
    *,
    label: str = "FT",
    model: str = "open_clip:ViT-B-16/openai",
    train: str = "imagenet:train",
    splits: dict[str, tuple[str, int]] | None = None,
    status: str = "finished",
    versions: dict[str, str] | None = None,
    templates: int = 80,
    few_shot: int | None = None,
) -> Study:
    """A run as ``surefoot fit`` writes it, as far as comparisons look."""
    splits = splits or IMAGENET
    run = Run.create(folder, {"method": "ft", "label": label, "seed": 0, "model": model, "task": {
        "templates": ["a {}."] * templates,
        "splits": {s: {"n": n, "version": (versions or {}).get(s, data.partition(":")[0])}
                   for s, (data, n) in splits.items()},
    }})  # fmt: skip
    data: dict[str, Any] = {"train": train, "test": splits["test"][0], "few_shot": few_shot}
    data["shifts"] = {s: spec for s, (spec, _) in splits.items() if s != "test"}
    recipe = {"model": model, "data": data, "methods": ["ft"]}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    run.write_json("start.json", {"head": "interpolate"})
    run.write_scores(scores)
    run.set_status(status)  # type: ignore[arg-type]
    return open_study(folder)


def b16(folder: Path, shift: float = 0.0, **options: Any) -> Study:
    """WiSE-FT at alpha 0.5 on ImageNet and its shifts: the published numbers and so many points."""
    values = dict(zip(IMAGENET, B16.values(), strict=True))
    rows = [
        score(s, (values[s] + shift) / 100, n, selection="fixed", alpha=0.5, method="wise-ft(ft)")
        for s, (_, n) in IMAGENET.items()
    ]
    return run_folder(folder, rows, **options)


def by_column(rows: list[Comparison], method: str = "WiSE-FT a=0.5") -> dict[str, Comparison]:
    return {r.published.column: r for r in rows
            if r.published.method == method and r.published.model == "CLIP ViT-B/16"
            and "WiSE" in r.published.paper}  # fmt: skip


def test_the_published_numbers_match_themselves(tmp_path: Path) -> None:
    found = by_column(vs_published(b16(tmp_path / "run")))
    # ImageNet-A has 7,500 images: half a point of standard error is not had with them.
    assert found["ImageNet-A"].verdict == "not comparable"
    assert "too few images" in found["ImageNet-A"].why
    for column in ("ImageNet", "ImageNetV2", "ImageNet-R", "ImageNet-Sketch", "ObjectNet"):
        assert found[column].verdict == "matches", found[column]
    # The mean of five is known better than its worst part.
    mean = found["avg_shifts"]
    assert mean.value == pytest.approx(np.mean(list(B16.values())[1:]))
    assert mean.se < 0.5 < found["ImageNet-A"].se
    assert (mean.verdict, found["avg_ref_shifts"].verdict) == ("matches", "matches")


def test_a_mean_is_not_comparable_where_a_part_is_not(tmp_path: Path) -> None:
    found = by_column(vs_published(b16(tmp_path / "run", templates=1)))
    for column in ("avg_shifts", "avg_ref_shifts"):
        assert found[column].verdict == "not comparable"
        assert found[column].why.count("in a part of the mean") == 1
    off = by_column(vs_published(b16(tmp_path / "off", shift=3.0)))["avg_shifts"]
    assert off.why == "differs by +3.0"


def test_rows_of_other_encoders_are_left_out_where_there_are_rows_of_ones_own(
    tmp_path: Path,
) -> None:
    rows = vs_published(b16(tmp_path / "run"))
    kept, left = own_encoders(rows)
    assert {r.published.model for r in kept} == {"CLIP ViT-B/16"}
    assert left == len(rows) - len(kept) > 0
    other = vs_published(b16(tmp_path / "b32", model="open_clip:ViT-B-32/openai"))
    assert own_encoders(other) == (other, 0)


def test_the_run_that_fits_the_paper_is_taken(tmp_path: Path) -> None:
    """Of runs of two encoders and of two training sets, not the one that happens to be first."""
    for i, options in enumerate(
        ({"model": "open_clip:ViT-B-32/openai"}, {"train": "cars:train"}, {"few_shot": 16}, {})
    ):
        run_folder(tmp_path / str(i), [score("test", 0.6 if i < 3 else 0.813, 50_000)], **options)
    study = open_study(*(tmp_path / str(i) for i in range(4)))
    found = by_column(vs_published(study), "Fine-tuned E2E")["ImageNet"]
    assert (found.verdict, found.runs) == ("matches", ("3",))
    assert headline(study, "wise-ft").means[0].values["ID"][0] != pytest.approx(81.3)
    alone = open_study(tmp_path / "2", tmp_path / "3")
    assert headline(alone, "wise-ft").means[0].values["ID"][0] == pytest.approx(81.3)


def test_a_point_and_a_half_off_differs(tmp_path: Path) -> None:
    found = by_column(vs_published(b16(tmp_path / "run", shift=-1.5)))
    assert found["ImageNet"].verdict == "differs"
    assert found["ImageNet"].why == "differs by -1.5"
    lines = "\n".join(comparison_lines(list(found.values())))
    assert "published 81.7  measured 80.20" in lines
    assert "differs by -1.5" in lines


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"model": "open_clip:ViT-B-32/openai"}, "another model: open_clip:ViT-B-32/openai"),
        ({"train": "cifar10:train"}, "tuned on other data: cifar10:train"),
        ({"status": "trial"}, "toy data: the run's status is trial"),
        ({"versions": {"test": "miniature of imagenet"}}, "a generated miniature"),
        ({"templates": 1}, "other prompts: 1 templates; the paper's 80"),
        ({"few_shot": 16}, "16 training images of each class; the paper's number is of all"),
        ({"splits": {**IMAGENET, "test": ("imagenet:val", 40_000)}}, ""),
    ],
)
def test_what_is_not_comparable_says_why(tmp_path: Path, options: dict[str, Any], why: str) -> None:
    found = by_column(vs_published(b16(tmp_path / "run", **options)))["ImageNet"]
    if why:
        assert found.verdict == "not comparable"
        assert why in found.why
    else:  # what counts is how many images were scored, not what the folder was said to hold
        assert found.verdict == "matches"


def test_a_part_of_the_images_is_not_the_set(tmp_path: Path) -> None:
    study = run_folder(tmp_path / "run", [score("test", 0.813, 40_000)])
    (found,) = (
        r for r in vs_published(study, paper="WiSE-FT") if r.published.model == "CLIP ViT-B/16"
    )
    assert found.why == "the data are not whole: 40000 of 50000 images"


def test_few_images_leave_the_pretrained_end_as_it_was(tmp_path: Path) -> None:
    """A zero-shot head needs no training image; a kNN bank is made of them."""
    rows = [score("test", 0.683, 50_000, selection="none", alpha=0.0)]
    study = run_folder(tmp_path / "run", rows, few_shot=16)
    assert by_column(vs_published(study), "Zero-shot")["ImageNet"].verdict == "matches"
    rows = [score("test", 0.761, 50_000, selection="none", alpha=0.0, evaluator="knn",
                  metric="knn_top1")]  # fmt: skip
    dino = {"model": "timm:vit_base_patch16_224.dino", "label": "Language"}
    for few, verdict in ((None, "matches"), (20, "not comparable")):
        study = run_folder(tmp_path / f"knn{few}", rows, few_shot=few, **dino)
        (found,), _ = own_encoders(vs_published(study, paper="DINO"))
        assert found.verdict == verdict, found
    assert "20 training images of each class" in found.why


def test_the_linear_classifier_is_compared_where_it_is_trained_alike(tmp_path: Path) -> None:
    model = "open_clip:ViT-L-14-336/openai"
    rows = [score("test", 0.852, 50_000),
            score("test", 0.837, 50_000, selection="fixed", alpha=0.5)]  # fmt: skip
    for label, verdict in (("FT (head only)", "matches"), ("LP", "not comparable")):
        study = run_folder(tmp_path / label, rows, label=label, model=model)
        found = {r.published.method: r for r in vs_published(study, paper="WiSE-FT")
                 if r.published.column == "ImageNet"}  # fmt: skip
        for method in ("Fine-tuned LC", "WiSE-FT LC a=0.5"):
            assert found[method].verdict == verdict, found[method]
        assert not any("E2E" in method for method in found)
    assert "ours is logistic regression" in found["Fine-tuned LC"].why


def test_an_oracle_is_never_a_match(tmp_path: Path) -> None:
    rows = [score("test", 0.826, 50_000, selection="oracle", alpha=0.6)]
    found = by_column(vs_published(run_folder(tmp_path / "run", rows)), "WiSE-FT opt")["ImageNet"]
    assert found.published.value == 82.6
    assert found.verdict == "not comparable"
    assert "oracle" in found.why


def test_flyps_objectnet_is_not_comparable(tmp_path: Path) -> None:
    study = run_folder(tmp_path / "run", [score("objectnet", 0.587, 18_574)], label="FLYP")
    (found,) = vs_published(study, paper="FLYP")
    assert found.published.column.startswith("ObjectNet")
    assert "partial copy" in found.why


def test_seeds_are_averaged_and_their_spread_counts(tmp_path: Path) -> None:
    for i, value in enumerate((0.812, 0.814)):
        run_folder(tmp_path / str(i), [score("test", value, 50_000, seed=i)])
    study = open_study(tmp_path / "0", tmp_path / "1")
    found = by_column(vs_published(study), "Fine-tuned E2E")["ImageNet"]
    assert found.value == pytest.approx(81.3)
    assert found.runs == ("0", "1")
    images = 100 * math.sqrt(0.813 * 0.187 / 50_000)
    seeds = stats.t.ppf(0.975, 1) / stats.norm.ppf(0.975) * 0.1  # two say next to nothing
    assert found.se == pytest.approx(math.hypot(images, seeds), rel=1e-3)


def test_pm0_is_had_again_from_kept_predictions(tmp_path: Path) -> None:
    """The run scored pm10; the paper's table has pm0."""
    splits = {**IMAGENET, "vid": ("imagenet-vid-robust", 2218)}
    row = score("vid", 0.5, 1109, metric="pm10")
    study = run_folder(tmp_path / "run", [row], splits=splits,
                       model="open_clip:ViT-L-14-336/openai")  # fmt: skip
    n = 1109
    labels = np.zeros(2 * n, dtype=np.int64)
    logits = np.tile(np.float32([1, 0]), (2 * n, 1))
    logits[1::2] = [0, 1]  # right on every anchor, wrong on the frame beside it
    study.runs[0].save_predictions(
        Predictions("vid", "OOD", logits, labels, tuple(map(str, range(2 * n))), ("a", "b"), "pm10",
                    metadata={"anchor": np.repeat(np.arange(n), 2),
                              "offset": np.tile([0, 3], n)}), 1.0,
    )  # fmt: skip
    (found,) = (
        r for r in vs_published(study, paper="WiSE-FT") if r.published.method == "Fine-tuned"
    )
    assert found.published.column == "IN-Vid-Robust pm0"
    assert found.value == 100.0


def test_nothing_published_is_said(tmp_path: Path) -> None:
    study = run_folder(tmp_path / "run", [score("test", 0.5, 10)],
                       splits={"test": ("photos", 10)}, train="photos")  # fmt: skip
    assert vs_published(study) == []
    assert "nothing in these runs was published" in comparison_lines([])[0]


def lp_ft(folder: Path, label: str, sets: dict[str, tuple[str, float, str]]) -> list[Path]:
    """One run per training set, with the ID and OOD values given by spec."""
    paths = []
    for train in dict.fromkeys(t for _, _, t in sets.values()):
        mine = {n: (spec, v) for n, (spec, v, t) in sets.items() if t == train}
        splits = {n: (spec, 4000) for n, (spec, _) in mine.items()}
        path = folder / f"{label}-{train}"
        run_folder(path, [score(n, v, 4000) for n, (_, v) in mine.items()], label=label,
                   splits={"test": ("x", 1), **splits}, train=f"{train}:train")  # fmt: skip
        paths.append(path)
    return paths


def test_a_suites_headline_is_the_mean_over_its_sets(tmp_path: Path) -> None:
    sets = {}
    for i, one in enumerate(suites()["lp-ft"]):
        for j, spec in enumerate(one.data):
            sets[f"s{i}.{j}"] = (spec, 0.5 + 0.01 * i, one.train)
    paths = lp_ft(tmp_path, "LP-FT", sets)
    paths += lp_ft(tmp_path, "FT (random head)", {k: (s, v - 0.1, t) for k, (s, v, t) in
                                                  sets.items()})  # fmt: skip
    found = headline(open_study(*paths), "lp-ft")
    assert [len(found.used[d]) for d in ("ID", "OOD")] == [6, 10]
    assert found.missing == {"ID": (), "OOD": ()}
    domains = [one.domain for one in suites()["lp-ft"]]
    for domain in ("ID", "OOD"):
        mean = np.mean([50 + i for i, d in enumerate(domains) if d == domain])
        last = next(m for m in found.means if m.arm.name == "LP-FT")
        assert last.values[domain][0] == pytest.approx(mean, abs=0.02)
    assert "LP-FT against FT: ID +10.0, OOD +10.0 points" in found.sentences
    lines = "\n".join(headline_lines(found))
    assert "ID: means over 6 of 6 sets" in lines


def test_a_missing_set_is_named_and_left_out_for_all(tmp_path: Path) -> None:
    both = {"a": ("cifar10:test", 0.9, "cifar10"), "b": ("stl10:test", 0.8, "cifar10")}
    paths = lp_ft(tmp_path, "LP-FT", both)
    paths += lp_ft(tmp_path, "LP", {"a": both["a"]})
    found = headline(open_study(*paths), "lp-ft")
    assert found.used == {"ID": ("CIFAR-10",), "OOD": ()}
    assert "STL" in found.missing["OOD"]
    assert "Living-17" in found.missing["ID"]
    lines = headline_lines(found)
    assert any("missing: " in line and "Living-17" in line for line in lines)
    published = find(paper="LP-FT", column="CIFAR-10", method="LP-FT")[0].value
    assert any(f"published: LP-FT: ID {published}" in line for line in lines)
    with pytest.raises(UnknownName, match="lp-ft"):
        headline(open_study(*paths), "lpft")


def test_published_means_are_as_printed_and_of_ones_own_encoder(tmp_path: Path) -> None:
    """The mean of WiSE-FT's optima column by column is 63.9; what the paper prints is 63.5."""
    lines = "\n".join(headline_lines(headline(b16(tmp_path / "run"), "wise-ft")))
    assert "published: WiSE-FT a=0.5 of CLIP ViT-B/16: ID 81.7, OOD 63.0" in lines
    assert "WiSE-FT opt of CLIP ViT-B/16 [oracle: alpha chosen on the test sets]: ID 82.6" in lines
    assert "OOD 63.5" in lines
    assert "63.9" not in lines
    assert "ALIGN" not in lines


def test_a_suite_without_its_runs(tmp_path: Path) -> None:
    found = headline(b16(tmp_path / "run"), "lp-ft")
    assert found.sentences == ("no run is of this suite's methods and data sets",)


def table(path: Path, rows: list[tuple[str, float, float]], columns: str = "model,id,ood") -> Path:
    path.write_text(columns + "\n" + "".join(f"{m},{x},{y}\n" for m, x, y in rows))
    return path


LINE = [(f"m{i}", x, 1 / (1 + math.exp(-(0.9 * math.log(x / (1 - x)) - 0.8))))
        for i, x in enumerate(np.linspace(0.4, 0.85, 12).round(4))]  # fmt: skip


def test_distance_from_a_line_that_is_known(tmp_path: Path) -> None:
    study = run_folder(tmp_path / "run", [score("test", 0.8, 50_000), score("r", 0.7, 30_000)])
    (found,) = distances(study, read_baseline(table(tmp_path / "t.csv", LINE)))
    assert (found.line.slope, found.line.intercept) == (pytest.approx(0.9), pytest.approx(-0.8))
    expected = 0.7 - 1 / (1 + math.exp(-(0.9 * math.log(4) - 0.8)))
    assert found.value == pytest.approx(100 * expected, abs=1e-3)
    assert found.interval.low < found.value < found.interval.high
    assert found.interval.high - found.interval.low < 2
    assert found.note == ""
    (line, row) = distance_lines([found])
    assert "12 models" in line
    assert f"{found.value:+.1f}" in row


def test_what_to_know_of_a_distance_is_said(tmp_path: Path) -> None:
    """ObjectNet's version in the table that ships; images that are no published data."""
    found = distances(b16(tmp_path / "run"), read_baseline(TESTBED))
    assert [d.shift for d in found if d.note] == ["objectnet"]
    toy = distances(b16(tmp_path / "toy", status="trial"), read_baseline(TESTBED))
    assert all("not comparable: the run's status is trial" in d.note for d in toy)
    lines, page = "\n".join(distance_lines(toy)), robustness_page(toy, TESTBED)
    for text in (lines, page):
        assert text.count("run&#39;s status is trial" if text is page else "status is trial") == 5
    own = robustness_page(found, "mine.csv")
    assert "the models of mine.csv;" in own


def test_per_cent_and_named_columns(tmp_path: Path) -> None:
    rows = [(m, 100 * x, 100 * y) for m, x, y in LINE]
    named = read_baseline(table(tmp_path / "t.csv", rows, "model,imagenet,imagenet-r"))
    values = [score("test", 0.8, 50_000), score("r", 0.7, 30_000), score("a", 0.5, 7_500)]
    (found,) = distances(run_folder(tmp_path / "run", values), named)
    assert found.shift == "r"
    plain = read_baseline(table(tmp_path / "p.csv", LINE))
    with pytest.raises(DataError, match="2 shifts: r, a"):
        distances(open_study(tmp_path / "run"), plain)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model,id\nx,0.5\n", "has the columns model, id"),
        ("name,id,ood\nx,0.5,0.4\n", "has the columns name, id, ood"),
        ("model,id,ood\nx,0.5,much\n", "line 2 of .* has 'much' as ood"),
        ("model,id,ood\nx,0.5,-0.1\n", "line 2 of .* has '-0.1' as ood"),
    ],
)
def test_what_is_no_baseline_table(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_baseline(tmp_path / "t.csv")
    with pytest.raises(DataError, match="cannot be read"):
        read_baseline(tmp_path / "none.csv")


def test_the_testbeds_table_has_the_slopes_that_its_paper_draws() -> None:
    """Standard models lie on a line on every natural shift but ImageNet-A's floor."""
    baseline = read_baseline(TESTBED)
    for shift in ("imagenetv2-matched-frequency", "imagenet-sketch", "objectnet", "imagenet-r"):
        _, xs, ys = baseline.pairs("imagenet", shift)
        line = fit_baseline(xs, ys)
        assert line.r2 > 0.75, shift
        assert 0.5 < line.slope < 1.6
    with pytest.raises(UnknownName, match="imagenet-r"):
        baseline.pairs("imagenet", "imagenet-rr")


def test_the_page(tmp_path: Path) -> None:
    study = b16(tmp_path / "run")
    found = distances(study, read_baseline(TESTBED))
    assert {d.shift for d in found} == {"v2", "r", "sketch", "objectnet", "a"}
    assert next(d for d in found if d.shift == "r").value > 10
    page = robustness_page(found, TESTBED)
    assert page.count("<svg") == 5
    assert "WiSE-FT of FT, α = 0.5" in page
    assert "efficientnet-b7-randaug" in page
    assert "://" not in page.replace("http://www.w3.org/2000/svg", "")


def test_the_command(tmp_path: Path) -> None:
    b16(tmp_path / "run")
    run = str(tmp_path / "run")
    say = CliRunner()
    published = say.invoke(compare_command, [run, "--published", "--paper", "WiSE-FT"])
    assert published.exit_code == 0, published.output
    assert "WiSE-FT a=0.5  ImageNet" in published.output
    rows = say.invoke(compare_command, [run, "--published", "--json"]).output
    assert '"verdict": "matches"' in rows
    suite = say.invoke(compare_command, [run, "--suite", "wise-ft"])
    assert "ID: means over 1 of 1 sets" in suite.output
    assert "published: WiSE-FT a=0.5 of CLIP ViT-B/16: ID 81.7, OOD 63.0" in suite.output
    out = tmp_path / "robust.html"
    given = table(tmp_path / "t.csv", LINE, "model,imagenet,imagenet-r")
    robust = say.invoke(compare_command, [run, "--baseline", str(given), "--out", str(out)])
    assert robust.exit_code == 0, robust.output
    assert "distance" in robust.output
    assert out.is_file()
    both = say.invoke(compare_command, [run, "--published", "--suite", "flyp"])
    assert both.exit_code == 2


def test_cells_know_where_they_are_on_the_path(tmp_path: Path) -> None:
    rows = [
        score("test", 0.6, 50_000, selection="none", alpha=0.0),
        score("test", 0.8, 50_000, selection="none", alpha=1.0),
        score("test", 0.8, 50_000),
        score("test", 0.8, 50_000, selection="id_val", alpha=1.0),
        score("val", 0.9, 100),
    ]
    cells = measured(run_folder(tmp_path / "run", rows))
    assert [c.stage for c in cells] == ["start", "end", "end", "mixed"]
    study = open_study(tmp_path / "run")
    study.runs[0].write_json("start.json", {"head": "end"})
    assert measured(study)[0].stage == "mixed"  # the tuned end's head is no zero-shot head
