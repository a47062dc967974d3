"""The numbers behind the page: cells, means, differences, ties, sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from make_study import ALPHAS, Plan, make_study

from surefoot.records import Score
from surefoot.report.findings import findings, said
from surefoot.report.gather import gather
from surefoot.report.kept import _ordered
from surefoot.report.paired import Pairing
from surefoot.report.table import build_table
from surefoot.report.view import MEAN, SplitView
from surefoot.runs import Run, Study, open_study
from surefoot.stats import Comparison, Interval, clopper_pearson, compare, holm, interval_of_mean


def score(split: str, value: float, **more: object) -> Score:
    base = Score(
        "top1",
        value,
        100,
        value - 0.1,
        value + 0.1,
        "korn-graubard",
        split,
        "ID" if split == "test" else "OOD",
    )
    return replace(base, **more)  # type: ignore[arg-type]


def write(path: Path, method: str, rows: list[Score], **facts: object) -> Run:
    run = Run.create(path, {"method": method, **facts})
    run.write_scores([replace(r, method=method, selection="end") for r in rows])
    run.set_status("finished")
    return run


def test_mean_over_shifts_is_unweighted(tmp_path: Path) -> None:
    rows = [score("test", 0.8), score("a", 0.6, n=10), score("b", 0.2, n=1000)]
    write(tmp_path / "r", "zero-shot", rows)
    cell = gather(open_study(tmp_path / "r")).entries[0].cells[MEAN]
    assert cell.value == pytest.approx(0.4)


def test_without_answers_a_mean_over_shifts_has_a_bound(tmp_path: Path) -> None:
    """What hangs together among the shifts is not known: they may be the same images."""
    rows = [score("a", 0.6), score("b", 0.4, synthetic=True)]
    write(tmp_path / "r", "zero-shot", rows)
    cell = gather(open_study(tmp_path / "r")).entries[0].cells[MEAN]
    assert cell.interval.kind == "bound"
    assert cell.interval.high - cell.value == pytest.approx(0.1)
    none = [rows[0], replace(rows[1], interval="none", extra={"no_interval": "one unit"})]
    write(tmp_path / "n", "zero-shot", none)
    cells = gather(open_study(tmp_path / "n")).entries[0].cells
    assert [cells[s].interval.reason for s in ("b", MEAN)] == ["one unit", "one unit"]


def test_intervals_are_over_units_joined_over_shifts_and_over_seeds(
    studies: dict[str, Study],
) -> None:
    view = gather(studies["seeds"])
    ft = view.entry("ft:FT (zero-shot head)")
    assert ft is not None
    runs = [r for r in view.runs if r.facts["label"] == "FT (zero-shot head)"]
    said = {s: [r.predictions(s, 1.0) for r in runs] for s in ("solid", "sketch")}
    rows = {s: np.stack([p.correct() for p in ps if p]) for s, ps in said.items()}
    units = {s: ps[0].metadata["set"] for s, ps in said.items() if ps[0]}
    assert ft.cells[MEAN].interval == interval_of_mean(rows, units, seeds_drawn=True)
    one = {"solid": rows["solid"]}
    assert ft.cells["solid"].interval == interval_of_mean(one, units, seeds_drawn=True)
    assert gather(studies["none"]).entries[1].cells["test"].interval.kind == "korn-graubard"


def test_missing_shift_is_missing_not_zero(tmp_path: Path) -> None:
    a = write(tmp_path / "a", "zero-shot", [score("test", 0.8), score("x", 0.5), score("y", 0.4)])
    b = write(tmp_path / "b", "ft", [score("test", 0.9), score("x", 0.6)])
    view = gather(open_study(a.path, b.path))
    ft = view.entry("ft")
    assert ft is not None
    assert MEAN not in ft.cells
    table = build_table(view, Pairing(view))
    shown = {r.label: [c.text for c in r.cells] for r in table.rows}
    assert shown["Fine-tuned"] == ["90.0", "", "60.0", ""]
    assert shown["Zero-shot"] == ["80.0", "45.0", "50.0", "40.0"]


def test_nan_is_missing(tmp_path: Path) -> None:
    write(tmp_path / "r", "zero-shot", [score("test", float("nan")), score("a", 0.5)])
    assert set(gather(open_study(tmp_path / "r")).entries[0].cells) == {"a", MEAN}


def test_seeds_are_averaged_and_kept(studies: dict[str, Study]) -> None:
    view = gather(studies["seeds"])
    assert view.seeds == (0, 1, 2)
    for e in view.entries:
        for cell in e.cells.values():
            values = [v for _, v in cell.seeds]
            assert cell.value == pytest.approx(np.mean(values))
            if len(values) > 1:
                assert cell.spread == pytest.approx(np.std(values, ddof=1))


def test_equal_runs_of_one_seed_are_not_averaged(tmp_path: Path) -> None:
    a = write(tmp_path / "lr-low", "ft", [score("test", 0.9)], seed=0)
    b = write(tmp_path / "lr-high", "ft", [score("test", 0.5)], seed=0)
    view = gather(open_study(a.path, b.path))
    assert sorted(e.label for e in view.entries) == ["Fine-tuned (lr-high)", "Fine-tuned (lr-low)"]


def test_metric_of_the_split_is_shown(tmp_path: Path) -> None:
    rows = [score("test", 0.8), score("test", 0.3, metric="macro_f1")]
    facts = {"splits": {"test": {"n": 100, "domain": "ID", "metric": "macro_f1"}}}
    write(tmp_path / "r", "zero-shot", rows, task=facts)
    view = gather(open_study(tmp_path / "r"))
    assert view.entries[0].cells["test"].value == 0.3
    assert view.splits[0].metric == "macro_f1"


def test_path_without_zero_shot_shows_its_start(studies: dict[str, Study]) -> None:
    view = gather(studies["one"])
    assert view.start_of(view.paths[0].group) is not None
    assert view.start_of(view.paths[0].group).cells["test"].value == view.paths[0].value["test"][0]


def test_path_has_every_alpha(studies: dict[str, Study]) -> None:
    for path in gather(studies["usual"]).paths:
        assert path.alphas == ALPHAS
        shifts = [path.value[s] for s in ("solid", "colour", "emoji", "sketch")]
        np.testing.assert_allclose(path.value[MEAN], np.mean(shifts, axis=0))
        assert (path.low[MEAN] < path.value[MEAN]).all()


def test_paired_difference_by_hand(studies: dict[str, Study]) -> None:
    view = gather(studies["usual"])
    a, b = view.entry("ft:FT (zero-shot head)"), view.start_of(view.paths[0].group)
    assert a is not None
    assert b is not None
    d = Pairing(view).difference(a, b, MEAN)
    assert d is not None
    runs = {r.facts["label"]: r for r in view.runs}
    gaps = []
    by_set = np.zeros(17)
    for split in ("solid", "colour", "emoji", "sketch"):
        tuned = runs["FT (zero-shot head)"].predictions(split, 1.0)
        start = runs["Zero-shot"].predictions(split, None)
        assert tuned is not None
        assert start is not None
        gaps.append(tuned.correct().astype(float) - start.correct())
        sets = np.char.partition(tuned.metadata["set"], "-")[:, 2].astype(int)
        by_set += np.bincount(sets, gaps[-1] - gaps[-1].mean(), 17) / 160 / 4
    assert d.difference == pytest.approx(np.mean([g.mean() for g in gaps]))
    assert (d.images, d.units, d.images_are_units) == (640, 17, False)
    more = (2 + 2 * 160 * d.difference**2 / 162) / 162**2  # one image more for either side
    assert d.standard_error**2 == pytest.approx(
        (160 / 162) ** 2 * 17 / 16 * by_set @ by_set + more, 1e-3
    )


def test_difference_with_itself_is_no_difference(studies: dict[str, Study]) -> None:
    view = gather(studies["usual"])
    e = view.entries[1]
    d = Pairing(view).difference(e, e, "test")
    assert d is not None
    assert (d.difference, d.p, d.better) == (0.0, 1.0, 0)


def test_no_predictions_no_test(studies: dict[str, Study]) -> None:
    view = gather(studies["none"])
    pairing = Pairing(view)
    assert pairing.difference(view.entries[0], view.entries[1], "test") is None
    assert findings(view, pairing).items == ()
    assert not build_table(view, pairing).tested


def test_other_images_are_not_paired(tmp_path: Path) -> None:
    one = make_study(tmp_path / "a", Plan(n=30, methods=Plan().methods[:1]), lone=True)
    two = make_study(tmp_path / "b", Plan(n=31, methods=Plan().methods[2:3]), lone=True)
    view = gather(open_study(one.path, two.path))
    assert Pairing(view).difference(view.entries[0], view.entries[1], "test") is None


def splits(name: str, manifest: str, source: str = "here", n: int = 30) -> dict[str, object]:
    return {"splits": {name: {"n": n, "manifest": manifest, "source": source}}}


def test_runs_on_other_images_are_kept_apart(tmp_path: Path) -> None:
    """Equal ids are no proof: two test sets may use the same file names."""
    plans = {
        "a": Plan(n=30, methods=Plan().methods[:1]),
        "b": Plan(n=30, methods=Plan().methods[2:3]),
    }
    one, two = (make_study(tmp_path / n, p, lone=True).runs[0] for n, p in plans.items())

    def told() -> tuple[Comparison | None, list[str]]:
        view = gather(open_study(one.path, two.path))
        pairing = Pairing(view)
        ends = [e for e in view.entries if not e.rules]
        said = [c for c in findings(view, pairing).caveats if "ID test" in c]
        return pairing.difference(ends[0], ends[1], "test"), said

    for run, manifest in ((one, "x"), (two, "x")):
        run.set_status("finished", task=splits("test", manifest))
    difference, said = told()
    assert difference is not None
    assert said == []
    two.set_status("finished", task=splits("test", "x", source="elsewhere"))
    difference, said = told()
    assert difference is not None
    assert "read from elsewhere and here" in said[0]
    two.set_status("finished", task=splits("test", "y", n=29))
    difference, said = told()
    assert difference is None
    assert f"30 in {one.path.name}, 29 in {two.path.name}" in said[0]


def test_studies_and_runs_stand_side_by_side(tmp_path: Path) -> None:
    study = make_study(tmp_path / "many", Plan(n=30, seeds=2))
    alone = make_study(tmp_path / "alone", Plan(n=30, methods=Plan().methods[2:3]), lone=True)
    both = open_study(study.path, alone.path)
    assert [r.path for r in both.runs] == [r.path for r in (*study.runs, *alone.runs)]
    assert both.title == f"comparison of {study.path.name}, {alone.path.name}"
    assert gather(both).entries


def test_few_images_to_choose_on_are_a_caveat(studies: dict[str, Study]) -> None:
    view = gather(studies["usual"])
    for n, warned in ((99, True), (100, False), (0, False)):
        val = SplitView("val", "ID", n)
        few = replace(view, splits=(val, *(s for s in view.splits if s.name != "val")))
        caveats = " ".join(findings(few, Pairing(few)).caveats)
        assert ("ID validation holds" in caveats) is warned


def test_the_start_is_called_what_it_is(tmp_path: Path) -> None:
    study = make_study(tmp_path / "a", Plan(n=30, methods=Plan().methods[2:3]), lone=True)
    assert gather(study).entries[0].label == "Start of the path (α = 0)"
    study.runs[0].write_json("start.json", {"head_kind": "zero_shot"})
    assert gather(study).entries[0].label == "Zero-shot (α = 0)"
    study.runs[0].write_json("start.json", {"head_kind": "linear"})
    assert gather(study).entries[0].label == "Start of the path (α = 0)"


def test_oracle_never_competes(studies: dict[str, Study]) -> None:
    for name in ("usual", "seeds", "twenty"):
        view = gather(studies[name])
        table = build_table(view, Pairing(view))
        for row in table.rows:
            states = {c.state for c in row.cells}
            assert states == {"oracle"} if row.oracle else "oracle" not in states


def test_best_is_highest_and_ties_are_marked(studies: dict[str, Study]) -> None:
    view = gather(studies["usual"])
    table = build_table(view, Pairing(view))
    for i in range(len(table.columns)):
        cells = [r.cells[i] for r in table.rows if not r.oracle]
        best = [c for c in cells if c.state == "best"]
        assert len(best) == 1
        assert best[0].sort == max(c.sort for c in cells)
        assert all(c.sort <= best[0].sort for c in cells if c.state == "tie")


def test_rows_on_other_images_never_compete(tmp_path: Path) -> None:
    """The highest number is of another test set: the star is of those that share theirs."""
    methods = {"a": Plan().methods[0], "b": Plan().methods[4], "c": Plan().methods[2]}
    runs = {}
    for name, method in methods.items():
        plan = Plan(n=31 if name == "c" else 30, shifts=(), methods=(method,))
        runs[name] = make_study(tmp_path / name, plan, lone=True).runs[0]
        facts = splits("test", "other" if name == "c" else "same", n=plan.n)
        runs[name].set_status("finished", task=facts)
    top = [replace(s, value=0.99) if s.split == "test" else s for s in runs["c"].scores()]
    runs["c"].write_scores(top)
    view = gather(open_study(*(r.path for r in runs.values())))
    table = build_table(view, Pairing(view))
    states = {r.label: r.cells[0] for r in table.rows if r.end}
    assert states["FT (zero-shot head)"].state == ""
    assert "not compared" in states["FT (zero-shot head)"].tip
    assert "best" in {states["Zero-shot"].state, states["LP-FT"].state}


def test_every_pair_is_tested_and_all_are_allowed_for(studies: dict[str, Study]) -> None:
    view = gather(studies["usual"])
    ranks = Pairing(view).ranking(view.entries, "test")
    assert ranks is not None
    rows = [e for e in view.entries if not e.oracle]
    assert len(ranks.pairs) == len(rows) * (len(rows) - 1) // 2
    assert all(ranks.p[k] >= c.p for k, c in ranks.pairs.items())
    assert {c.units for c in ranks.pairs.values()} == {17}


def test_seeds_are_crossed_and_one_alone_says_nothing_of_methods(
    studies: dict[str, Study],
) -> None:
    view = gather(studies["seeds"])
    ft, zero = view.entry("ft:FT (zero-shot head)"), view.entry("zero-shot:Zero-shot")
    lp = view.entry("lp:Linear probe")
    assert ft is not None
    assert zero is not None
    assert lp is not None
    found = Pairing(view).difference(ft, zero, "test")  # trained once, beside every seed
    assert found is not None
    assert (found.seeds, found.about) == (3, "methods")
    assert "3 seeds tell little" in " ".join(findings(view, Pairing(view)).caveats)
    lone = replace(lp, sources={k: v[1:2] for k, v in lp.sources.items()})
    one = Pairing(view).difference(ft, lone, "test")  # of a method that was trained once
    assert one is not None
    assert (one.seeds, one.about) == (1, "models")


def test_answers_are_the_same_in_any_order() -> None:
    """Lines of anchors follow their images."""
    order = np.array([3, 0, 2, 1])
    plain = {"value": np.array([1.0, 0.0, 1.0, 1.0])}
    assert _ordered(plain, order)["value"].tolist() == [1.0, 1.0, 1.0, 0.0]
    anchors = {"value": np.array([0.0, 1.0]), "row": np.array([1, 3])}
    same = _ordered(anchors, order)  # image 3 is the first now, image 1 the last
    assert (same["row"].tolist(), same["value"].tolist()) == ([0, 3], [1.0, 0.0])


def compared(difference: float, low: float, high: float, **more: Any) -> Comparison:
    """A comparison of 900 images that says this."""
    some = compare({"": np.ones(900)}, {"": np.ones(900)})
    p = 1.0 if low <= 0 <= high else 0.01
    reach = Interval(low, high, "t")
    return replace(some, difference=difference, interval=reach, p=p, **more)


@pytest.mark.parametrize(
    ("d", "words"),
    [
        (compared(0.031, 0.012, 0.05), "+3.1 points (95 % CI +1.2 to +5.0)"),
        (
            compared(-0.002, -0.02, 0.016),
            "−0.2 points (95 % CI −2.0 to +1.6; not significant)",
        ),
        (
            compared(0.02, -0.01, 0.05, units=13, images_are_units=False),
            "+2.0 points (95 % CI −1.0 to +5.0 over 13 sets; not significant)",
        ),
        (
            compared(0.02, 0.01, 0.03, seeds=2, per_seed=(0.01, 0.03)),
            "+2.0 points (95 % CI +1.0 to +3.0; 2 seeds +1.0 to +3.0)",
        ),
        (
            replace(compared(0.02, 0.01, 0.03), p=0.06),  # after Holm
            "+2.0 points (95 % CI +1.0 to +3.0; not significant among all that are shown)",
        ),
        (
            replace(compared(0.02, 0.01, 0.03), interval=Interval.none("one unit")),
            "+2.0 points (no interval: one unit; not significant)",
        ),
    ],
)
def test_sentences(d: Comparison, words: str) -> None:
    assert said(d, "set") == words


def test_findings_are_adjusted_for_all_that_are_shown(studies: dict[str, Study]) -> None:
    view = gather(studies["usual"])
    pairing = Pairing(view)
    items = findings(view, pairing).items
    shown = [d for f in items for d in (f.shift, f.inside) if d is not None]
    raw = list(pairing._found.values())
    assert len(shown) == len(raw) > 4
    assert sorted(d.p for d in shown) == pytest.approx(sorted(holm([d.p for d in raw if d])))


def test_headline_follows_the_intervals(studies: dict[str, Study]) -> None:
    for name in ("usual", "seeds", "twenty", "one"):
        view = gather(studies[name])
        told = findings(view, Pairing(view))
        first = told.items[0]
        assert first.shift is not None
        inside = first.inside.better if first.inside else 0
        if first.shift.better or inside:
            assert "better" in told.headline or "worse" in told.headline
            assert told.headline.startswith("With one seed") is (first.shift.seeds == 1)
        else:
            assert "o significant" in told.headline
        assert "oracle" not in told.headline + "".join(i.sentence for i in told.items)


def test_nearest_neighbours_are_a_row_of_their_own(tmp_path: Path) -> None:
    study = make_study(tmp_path / "s", Plan(n=30, shifts=("a",), methods=Plan().methods[2:3]))
    run = study.runs[0]
    head = run.scores()
    ends = [s for s in head if s.selection == "end"]
    knn = [
        replace(s, evaluator="knn", selection="knn", alpha=alpha, value=0.25)
        for s in ends
        for alpha in (0.0, 0.5, 1.0)
    ]
    run.write_scores(head + knn)
    view = gather(study)
    labels = [e.label for e in view.entries if not e.rules]
    assert labels == [
        "Start of the path (α = 0)",
        "FT (zero-shot head)",
        "FT (zero-shot head) (kNN)",
    ]
    near = [e for e in view.entries if "kNN" in e.group]
    assert {r for e in near for r in e.rules} >= {"fixed"}
    assert all(c.value == 0.25 for e in near for c in e.cells.values())
    assert all(e.sources == {} for e in near)
    assert Pairing(view).difference(near[0], view.entries[0], "a") is None


def test_licences_become_notes(tmp_path: Path) -> None:
    from surefoot.report.details import command, environment, notes

    facts = {
        "notes": ["cut by seed 0"],
        "splits": {
            "a": {"licence": "MIT", "source": "here"},
            "b": {"licence": "MIT", "source": "here"},
            "c": {"licence": ""},
            "d": {
                "licence": "unknown",
                "source": "there",
                "notes": [
                    "d: 3 of 9 images cannot be decoded and are left out (x.png)",
                    "9 of 80 images were cut off train as val",
                ],
            },
        },
    }
    run = write(tmp_path / "r", "ft", [score("test", 0.9)], task=facts)
    run.write_json("env.json", {"command": "surefoot fit x.yaml", "torch_threads": 2})
    run.set_status("finished", label="ft")
    trials = [{"lr": 0.001, "val": 0.9}, {"lr": 0.01, "val": None}]
    run.write_json("tuning.json", {"lr": 0.001, "epochs": 2, "trials": trials})
    view = gather(open_study(tmp_path / "r"))
    assert notes(view) == [
        "cut by seed 0",
        "d: 3 of 9 images cannot be decoded and are left out (x.png)",
        "learning rate of ft: 0.001, the best on ID validation of 0.001, 0.01 after 2 epochs each",
        "licence of a, b: MIT (here)",
        "licence not stated: d",
    ]
    assert command(view) == "surefoot fit x.yaml"
    assert environment(view) == [("torch threads", "2")]
    run.write_json("env.json", {"command": f"surefoot fit --train {'x' * 90} --test y"})
    assert command(view).splitlines() == [
        "surefoot fit \\",
        f"    --train {'x' * 90} \\",
        "    --test y",
    ]


def test_stages_of_training_are_apart(tmp_path: Path) -> None:
    from surefoot.records import write_jsonl
    from surefoot.report.run_figures import log_figures

    run = write(tmp_path / "r", "lp-ft", [score("test", 0.9)])
    rows = [
        {"stage": stage, "step": step, "loss": 1.0 / step, "lr": 0.1}
        for stage in ("lp-ft/probe", "lp-ft/tune")
        for step in (1, 2, 3)
    ]
    rows.append({"stage": "lp-ft/tune", "step": 4, "loss": float("nan"), "lr": None})
    write_jsonl(run.path / "log.jsonl", rows)
    shown = log_figures(gather(open_study(run.path)))
    assert [name for name, _ in shown] == ["LP-FT, probe", "LP-FT, tune"]
    assert [len(drawn) for _, drawn in shown] == [2, 2]


def _trained(tmp_path: Path, vals: Sequence[object], n: int | None = 400) -> list[Any]:
    """Charts of a run whose log has ten steps an epoch and these values after the epochs."""
    from surefoot.records import write_jsonl
    from surefoot.report.run_figures import log_figures

    splits = {"splits": {"val": {"n": n}}} if n else {}
    run = write(tmp_path / "r", "ft", [score("test", 0.9)], task=splits)
    rows: list[dict[str, object]] = []
    for i, val in enumerate(vals):
        rows.append({"stage": "ft", "step": 10 * i + 1, "epoch": i, "loss": 2.0, "lr": 0.1})
        end = {"stage": "ft", "step": 10 * i + 10, "epoch": i + 1, "loss": 1.0, "lr": 0.1}
        rows.append(end if val is None else end | {"val": val})
    write_jsonl(run.path / "log.jsonl", rows)
    ((_, charts),) = log_figures(gather(open_study(run.path)))
    return charts


def test_id_validation_is_drawn_beside_the_loss(tmp_path: Path) -> None:
    loss, val, rate = _trained(tmp_path, [0.7, 0.85, 0.8])
    markup = val.render()
    tree = ElementTree.fromstring(markup)
    assert "loss" in loss.render()
    assert "learning rate" in rate.render()
    assert tree[0].text == "Fine-tuned: ID validation"
    low, high = (100 * v for v in (clopper_pearson(280, 400).low, clopper_pearson(280, 400).high))
    assert tree[1].text == (
        f"after epoch 1, step 10: 70.0 %, 95 % CI {low:.1f} to {high:.1f}; "
        "after epoch 3, step 30: 80.0 %, 95 % CI 75.7 to 83.8; "
        "highest after epoch 2, step 20: 85.0 %, 95 % CI 81.1 to 88.4"
    )
    tips = [node.get("data-tip") for node in tree.iter() if node.get("data-tip")]
    assert [t.partition(":")[0] for t in tips if t] == [
        f"ID validation, epoch {i}, step {10 * i}" for i in (1, 2, 3)
    ]
    xs = [float(node.get("cx") or 0) for node in tree.iter() if node.get("data-tip")]
    assert xs == pytest.approx([127.2, 219.6, 312.0])  # on the loss's axis, steps 1 to 30
    assert markup.count('class="band"') == 1


@pytest.mark.parametrize(
    ("vals", "n", "marks", "band"),
    [
        ([0.7], 400, 1, 0),
        ([0.7, 0.8], None, 2, 0),
        ([0.0, 1.0, 1.0], 1, 3, 1),
        ([0.5 + 0.001 * i for i in range(100)], 400, 20, 1),  # few stops for the keyboard
        ([None, float("nan"), 0.9, {"top1": 0.9}, 7.0], 400, 1, 0),
    ],
)
def test_validation_of_any_length(
    tmp_path: Path, vals: Sequence[object], n: int | None, marks: int, band: int
) -> None:
    markup = _trained(tmp_path, vals, n)[1].render()
    assert markup.count("data-tip") == marks
    assert markup.count('class="band"') == band
    assert "nan" not in markup


def test_a_run_without_validation_has_no_curve_of_it(tmp_path: Path) -> None:
    assert len(_trained(tmp_path, [None, None])) == 2


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (["Pretrained", "FT", "WiSE-FT of FT, α = 0.5"], ["Pretrained", "FT", "WiSE-FT"]),
        (["zero-shot", "ft", "wise-ft(ft)"], ["Zero-shot", "Fine-tuned", "WiSE-FT"]),
        (["a", "wise-ft(ft)"], ["a", "wise-ft(ft)"]),
    ],
)
def test_short_names(given: list[str], shown: list[str]) -> None:
    from surefoot.report.names import short_names

    assert [short_names(given)[g] for g in given] == shown


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0.0"),
        (-0.0, "0.0"),
        (0.0004, "+0.04"),
        (-0.0003, "−0.03"),
        (1e-9, "0.0"),
        (0.031, "+3.1"),
        (-0.1, "−10.0"),
    ],
)
def test_signed(value: float, words: str) -> None:
    from surefoot.report.names import signed

    assert signed(value) == words


def test_paths_that_start_apart_have_a_start_each(tmp_path: Path) -> None:
    """Where the tuned head serves the whole path, LP's start is not LP-FT's."""
    study = make_study(tmp_path / "s", Plan(n=30, shifts=("a",), methods=Plan().methods[2:4]))
    one, two = study.runs
    two.write_scores([replace(s, value=0.125) if s.alpha == 0 else s for s in two.scores()])
    view = gather(open_study(one.path, two.path))
    starts = {e.label: e for e in view.entries if e.label.startswith("Start")}
    labels = [p.label for p in view.paths]
    assert list(starts) == [f"Start of the path of {label} (α = 0)" for label in labels]
    for path in view.paths:
        assert view.start_of(path.group) is starts[f"Start of the path of {path.label} (α = 0)"]
