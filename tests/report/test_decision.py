"""What to ship: by ID validation and paired tests alone, with what speaks against it."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from make_study import Plan, make_study

from surefoot.errors import RunError
from surefoot.predictions import Predictions
from surefoot.records import read_jsonl, write_jsonl
from surefoot.report import render, render_terminal
from surefoot.report.decision import Decision, decide, write_decision
from surefoot.runs import Run, Study, open_study
from surefoot.stats import compare, rank

SMALL = Plan(n=150, shifts=("solid", "sketch"), log=False)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_study(tmp_path_factory.mktemp("decision") / "study", SMALL)


def changed(study: Study, to: Path, change: Callable[[Predictions], Predictions | None]) -> Study:
    """A copy whose predictions are others, and whose scores say the same as they do."""
    shutil.copytree(study.path, to)
    for run in open_study(to).runs:
        value = {}
        for file in sorted((run.path / "predictions").glob("*.npz")):
            new = change(Predictions.load(file))
            if new is None:
                file.unlink()
            else:
                new.save(file)
                value[file.stem] = float(new.correct().mean())
        rows = read_jsonl(run.path / "scores.jsonl")
        for row in rows:
            alpha = "end" if row["alpha"] is None else format(row["alpha"], ".4g")
            row["value"] = value.get(f"{row['split']}@{alpha}", row["value"])
        write_jsonl(run.path / "scores.jsonl", rows)
    return open_study(to)


def facts_of(run: Run, **changes: object) -> None:
    run.write_json("run.json", {**run.facts, **changes})


def rights(study: Study, split: str) -> dict[str, np.ndarray]:
    """Run -> right or wrong at the alpha that ID validation chose."""
    out = {}
    for run in study.runs:
        alpha = next((s.alpha for s in run.selections() if s.rule == "id_val"), None)
        said = run.predictions(split, alpha)
        assert said is not None
        out[run.path.name] = said.correct().astype(float)
    return out


def test_the_best_on_id_validation_is_named_whatever_its_method(study: Study) -> None:
    found = decide(study)
    means = {name: r.mean() for name, r in rights(study, "val").items()}
    assert means[found.run.name] == max(means.values())
    assert [c.value for c in found.candidates] == sorted(means.values(), reverse=True)
    chosen = next(s.alpha for s in Run(found.run).selections() if s.rule == "id_val")
    assert (found.alpha, found.rule) == (chosen, "id_val")
    assert found.candidates[0].verdict == "chosen"


def test_ties_are_those_of_all_pairs_by_holm(study: Study) -> None:
    found = decide(study)
    said = study.runs[0].predictions("val", None)
    assert said is not None
    named = {name: {"val": r} for name, r in rights(study, "val").items()}
    ranked = rank(named, {"val": said.metadata["set"]})
    assert found.tests == len(ranked.pairs) == 10
    by_value = {r["val"].mean(): name for name, r in named.items()}
    for c in found.candidates[1:]:
        name = by_value[c.value]
        behind = ranked.better(found.run.name, name) > 0
        assert c.verdict == ("behind" if behind else "tied"), name
        assert c.gap is not None
        assert c.gap.value == pytest.approx(c.value - found.candidates[0].value)
        assert c.gap.interval.low <= c.gap.value <= c.gap.interval.high
    assert {c.verdict for c in found.candidates} == {"chosen", "tied", "behind"}


def test_no_test_or_shift_number_chooses(study: Study, tmp_path: Path) -> None:
    """Whatever the test sets say, even the reverse: the choice and its ties stay."""
    before = decide(study)

    def turned(p: Predictions) -> Predictions:
        return p if p.split == "val" else replace(p, logits=-p.logits)

    after = decide(changed(study, tmp_path / "study", turned))
    assert (after.run.name, after.alpha, after.rule) == (before.run.name, before.alpha, before.rule)
    assert [(c.name, c.verdict) for c in after.candidates] == [
        (c.name, c.verdict) for c in before.candidates
    ]
    assert [g.value for g in after.gains] != [g.value for g in before.gains]


def test_the_oracle_is_no_candidate(study: Study) -> None:
    assert all("oracle" not in c.entry.rules for c in decide(study).candidates)


def test_what_it_gains_is_over_the_pretrained_model_with_units_joined(study: Study) -> None:
    found = decide(study)
    start = study.runs[0]
    pair: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    units = {}
    for split in ("test", "solid", "sketch"):
        a, b = Run(found.run).predictions(split, found.alpha), start.predictions(split, None)
        assert a is not None
        assert b is not None
        pair[split], units[split] = (a.correct() * 1.0, b.correct() * 1.0), a.metadata["set"]
    home, shift = found.gains
    own = compare({"test": pair["test"][0]}, {"test": pair["test"][1]}, units)
    names = ("solid", "sketch")
    whole = compare({n: pair[n][0] for n in names}, {n: pair[n][1] for n in names}, units)
    assert found.start == "Zero-shot"
    for gain, expected in ((home, own), (shift, whole)):
        assert gain.value == pytest.approx(expected.difference)
        assert gain.interval == expected.interval
    assert home.where == "on ID test"
    assert shift.where == "under shift (mean of 2 shifts)"


def test_a_shift_that_became_worse_is_a_doubt(study: Study, tmp_path: Path) -> None:
    def worse(p: Predictions) -> Predictions:
        alone = p.split == "sketch" and len(set(p.ids)) and p.logits.std() > 0
        return replace(p, logits=-p.logits) if alone and tuned else p

    tuned = False
    copy = changed(study, tmp_path / "study", worse)
    for run in copy.runs[1:]:
        for file in (run.path / "predictions").glob("sketch@*.npz"):
            p = Predictions.load(file)
            replace(p, logits=-p.logits).save(file)
    assert any(d.startswith("Worse than the pretrained model on sketch −") for d in
               decide(copy).doubts)  # fmt: skip


def test_a_run_on_other_images_does_not_compete(study: Study, tmp_path: Path) -> None:
    before = decide(study)

    def other(p: Predictions) -> Predictions:
        return replace(p, ids=tuple(f"other/{i}" for i in p.ids)) if p.split == "val" else p

    copy = changed(study, tmp_path / "study", lambda p: p)
    winner = copy.path / before.run.name
    for file in (winner / "predictions").glob("val@*.npz"):
        other(Predictions.load(file)).save(file)
    found = decide(copy)
    assert found.run.name != before.run.name
    assert len(found.candidates) == len(before.candidates) - 1
    assert f"{before.name} did not compete: it was validated on other images." in found.doubts


def test_an_unfinished_run_does_not_compete(study: Study, tmp_path: Path) -> None:
    before = decide(study)
    copy = changed(study, tmp_path / "study", lambda p: p)
    Run(copy.path / before.run.name).set_status("interrupted")
    found = decide(copy)
    assert found.run.name != before.run.name
    assert f"{before.name} did not compete: its run is not finished." in found.doubts
    for run in copy.runs:
        run.set_status("running")
    with pytest.raises(RunError, match="no finished run was scored on ID validation"):
        decide(copy)
    assert "What to ship cannot be said" in render_terminal(copy, 80)
    assert max(map(len, render_terminal(copy, 40).splitlines())) <= 40
    assert "What to ship cannot be said" in render(copy).read_text()


def test_without_predictions_nothing_is_called_tied(tmp_path: Path) -> None:
    found = decide(make_study(tmp_path / "study", replace(SMALL, n=60, keep=False)))
    assert {c.verdict for c in found.candidates} == {"chosen", "untested"}
    assert found.tests == 0
    assert any("could be tested: their predictions" in d for d in found.doubts)
    assert {g.verdict for g in found.gains} == {"no interval: predictions were not kept"}


def test_of_several_seeds_the_best_on_validation_is_shipped(tmp_path: Path) -> None:
    found = decide(make_study(tmp_path / "study", replace(SMALL, n=80, seeds=3)))
    method = found.run.name.rpartition("-s")[0]
    values = {}
    for seed in range(3):
        run = Run(found.folder / f"{method}-s{seed}")
        alpha = next(s.alpha for s in run.selections() if s.rule == "id_val")
        said = run.predictions("val", alpha)
        assert said is not None
        values[run.path.name] = said.correct().mean()
    assert values[found.run.name] == max(values.values())
    assert found.candidates[0].value == pytest.approx(np.mean(list(values.values())))
    assert found.seeds == 3
    assert found.gains[0].found is not None
    assert found.gains[0].found.about == "methods"
    assert not any(d.startswith("One seed") for d in found.doubts)


def test_seeds_with_images_of_their_own_are_not_tested(tmp_path: Path) -> None:
    """Few-shot draws: every seed has validation images of its own; seeds cannot be crossed."""
    plan = replace(SMALL, n=60, seeds=2, methods=SMALL.methods[2:4])
    study = make_study(tmp_path / "study", plan)
    for run in study.runs:
        for file in (run.path / "predictions").glob("val@*.npz"):
            p = Predictions.load(file)
            replace(p, ids=tuple(f"{run.facts['seed']}/{i}" for i in p.ids)).save(file)
    found = decide(study)
    assert found.tests == 0
    assert {c.verdict for c in found.candidates} == {"chosen", "untested"}
    assert any(d.endswith("or are of other images each.") for d in found.doubts)


def test_what_the_records_tell_is_a_doubt(study: Study, tmp_path: Path) -> None:
    end = "the largest of 2 tried: a larger one might do better"
    copy = changed(study, tmp_path / "study", lambda p: p)
    run = Run(decide(copy).run)
    note = "WARNING: 7 of 150 images of test are in val too (a, b): what is chosen on val is chosen"
    facts_of(run, task={**run.facts["task"], "notes": [note]}, status="trial")
    run.write_json("tuning.json", {"lr": 0.1, "end_of_grid": end, "epochs": 1, "trials": []})
    write_jsonl(run.path / "log.jsonl", [{"note": "C = 10, the largest of 9; a larger one might do "
                                                  "better", "stage": "lp"}])  # fmt: skip
    run.write_selections([replace(s, alpha=1.0) for s in run.selections()])
    rows = read_jsonl(run.path / "scores.jsonl")
    end = {r["split"]: r for r in rows if r["alpha"] == 1.0 and r["selection"] == "none"}
    rows = [{**end[r["split"]], "selection": "id_val"} if r["selection"] == "id_val" else r
            for r in rows]  # fmt: skip
    for r in rows:
        r["value"] = 0.999 if r["split"] == "val" and r["selection"] == "id_val" else r["value"]
    write_jsonl(run.path / "scores.jsonl", rows)
    found = decide(copy)
    assert found.run == run.path
    assert found.doubts[0] == note.removeprefix("WARNING: ") + "."
    told = "\n".join(found.doubts)
    for words in (
        "A trial: only part of the data",
        "α = 1 is an end of the grid (the tuned model as it is)",
        "learning rate, 0.1, is the largest of 2 tried: a larger one might do better.",
        "C = 10, the largest of 9; a larger one might do better.",
        "One seed",
        "ID validation cannot tell it from",
        "On ID validation: 17 units tell little about others.",
    ):
        assert words in told, words
    assert len(set(found.doubts)) == len(found.doubts)


def test_images_that_stand_for_themselves_are_said(study: Study, tmp_path: Path) -> None:
    found = decide(changed(study, tmp_path / "study", lambda p: replace(p, unit=None)))
    assert any("every image is taken to stand for itself" in d for d in found.doubts)


def test_no_shift_is_a_doubt(tmp_path: Path) -> None:
    found = decide(make_study(tmp_path / "study", replace(SMALL, n=60, shifts=())))
    assert "No shifted test set: nothing is said about robustness." in found.doubts
    assert [g.where for g in found.gains] == ["on ID test"]


@pytest.mark.parametrize("metric", ["macro_f1", "worst_group:set"])
def test_other_metrics_have_the_tests_that_exist_for_them(
    study: Study, tmp_path: Path, metric: str
) -> None:
    copy = changed(study, tmp_path / "study", lambda p: replace(p, metric=metric, unit=None))
    for run in copy.runs:
        rows = read_jsonl(run.path / "scores.jsonl")
        write_jsonl(run.path / "scores.jsonl", [{**r, "metric": metric} for r in rows])
    found = decide(copy)
    if metric == "macro_f1":
        assert found.tests == 10
        assert all(g.found is not None for g in found.gains)
    else:
        assert {c.verdict for c in found.candidates} == {"chosen", "untested"}
        assert any("is no mean over images" in d for d in found.doubts)
        assert all(g.interval.kind == "bonferroni" for g in found.gains)


def test_a_lone_run_is_weighed_against_its_own_start(studies: dict[str, Study]) -> None:
    found = decide(studies["alone"])
    assert (found.name, found.alpha, found.gains) == ("Zero-shot", None, ())
    assert "--alpha" not in found.command


def test_paths_are_quoted_and_no_option(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(study.path, tmp_path / "-it's my study")
    monkeypatch.chdir(tmp_path)
    found = decide(open_study("-it's my study"))
    words = shlex.split(found.command)
    assert words[:2] == ["surefoot", "export"]
    assert words[2] == f"./-it's my study/{found.run.name}"
    assert words[-1] == "./-it's my study/shipped.safetensors"
    assert float(words[words.index("--alpha") + 1]) == found.alpha
    names: dict[str, object] = {}
    line = found.code.splitlines()[1].replace("sf.load", "str")
    exec(line, names)
    assert names["model"] == words[-1]
    assert len(found.code.splitlines()) == 4


def test_the_folder_keeps_it_without_any_place(study: Study, tmp_path: Path) -> None:
    assert study.decision is None
    copy = changed(study, tmp_path / "study", lambda p: p)
    write_decision(copy)
    kept, found = open_study(copy.path).decision, decide(copy)
    assert kept is not None
    assert (kept["run"], kept["alpha"]) == (found.run.name, found.alpha)
    assert str(tmp_path) not in json.dumps(kept)
    assert kept["doubts"] == list(found.doubts)
    assert [c["verdict"] for c in kept["candidates"]] == [c.verdict for c in found.candidates]
    lone = open_study(found.run)
    write_decision(lone)
    assert lone.decision is not None
    assert lone.decision["run"] == "."


@pytest.mark.parametrize("width", [40, 100])
def test_the_terminal_and_the_page_end_with_it(study: Study, width: int) -> None:
    found = decide(study)
    text = render_terminal(study, width)
    assert text.endswith(found.text(width))
    assert text.count("What to ship") == 1
    assert text.count("One seed") == 1
    said = [x for x in found.text(width).splitlines() if not _typed(found, x)]
    assert max(map(len, said)) <= width
    page = render(study).read_text()
    assert page.index('id="h-about"') < page.index('id="h-ship"')
    assert found.command in page.replace("&#39;", "'")


def _typed(found: Decision, line: str) -> bool:
    return line in (found.command, *found.code.splitlines())
