"""Studies as people have them: names twice, seeds missing, other models, errors as metrics."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from make_study import Plan, make_study

from surefoot.cli.compare import compare_command
from surefoot.evals.score import score
from surefoot.predictions import Predictions
from surefoot.records import Origin, read_jsonl, write_atomic, write_jsonl
from surefoot.report.decision import decide
from surefoot.report.findings import findings
from surefoot.report.gather import gather
from surefoot.report.paired import Pairing
from surefoot.report.table import build_table
from surefoot.report.table_files import write_table
from surefoot.runs import Run, Study, open_study

FT = ("ft", "FT", 0.852, 0.585)
LP_FT = ("lp-ft", "LP-FT", 0.843, 0.6)
PLAN = Plan(n=60, shifts=("solid", "sketch"), methods=(FT,), log=False)


def without(study: Study, *names: str) -> Study:
    """The study without some members, from now on with paths that begin at the zero-shot model."""
    file = study.path / "study.json"
    facts = json.loads(file.read_text())
    facts["members"] = [m for m in facts["members"] if m not in names]
    write_atomic(file, json.dumps(facts))
    found = open_study(study.path)
    for run in found.runs:
        run.write_json("start.json", {"head_kind": "zero_shot"})
    return found


def scored_again(study: Study, change: Callable[[Predictions], Predictions]) -> Study:
    """Other predictions, and score rows that say the same."""
    for run in study.runs:
        values = {}
        for file in (run.path / "predictions").glob("*.npz"):
            said = change(Predictions.load(file))
            said.save(file)
            values[file.stem] = score(said, origin=Origin())
        rows = read_jsonl(run.path / "scores.jsonl")
        for row in rows:
            alpha = "end" if row["alpha"] is None else format(row["alpha"], ".4g")
            new = values[f"{row['split']}@{alpha}"]
            row.update(metric=new.metric, value=new.value, low=new.low, high=new.high,
                       interval=new.interval, extra=dict(new.extra))  # fmt: skip
        write_jsonl(run.path / "scores.jsonl", rows)
    return open_study(study.path)


def labels(study: Study) -> list[str]:
    return [e.label for e in gather(study).entries]


def test_the_start_of_a_lone_path_competes(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study", PLAN, lone=True)
    study.runs[0].write_json("start.json", {"head_kind": "zero_shot"})
    found = decide(study)
    names = [c.name for c in found.candidates]
    assert len(names) == 2
    assert "Zero-shot (α = 0)" in names
    assert not any("did not compete" in d for d in found.doubts)


def test_a_lone_path_that_does_not_help_ships_its_start(tmp_path: Path) -> None:
    """ID validation chose alpha 0: the pretrained model, and there is something to ship."""
    study = make_study(tmp_path / "study", PLAN, lone=True)
    run = study.runs[0]
    run.write_json("start.json", {"head_kind": "zero_shot"})
    rows = [r for r in read_jsonl(run.path / "scores.jsonl") if r["selection"] != "id_val"]
    rows += [{**r, "selection": "id_val"} for r in rows
             if r["alpha"] == 0 and r["selection"] == "none"]  # fmt: skip
    write_jsonl(run.path / "scores.jsonl", rows)
    run.write_selections([replace(s, alpha=0.0) if s.rule == "id_val" else s
                          for s in run.selections()])  # fmt: skip
    found = decide(study)
    assert (found.name, found.method, found.alpha) == ("Zero-shot (α = 0)", "Zero-shot", 0.0)
    assert found.gains == ()
    assert any(d.endswith("that is the pretrained model itself.") for d in found.doubts)


def test_runs_of_one_name_in_two_folders_are_two_rows(tmp_path: Path) -> None:
    """As two studies of one recipe have them: not two seeds of one method."""
    for name, at in (("first", 0.852), ("second", 0.7)):
        make_study(tmp_path / name, replace(PLAN, methods=(("ft", "FT", at, 0.5),)))
    study = open_study(tmp_path / "first", tmp_path / "second")
    ends = [e for e in gather(study).entries if not e.rules and "α" not in e.label]
    assert [e.label for e in ends] == [
        "FT (first/ft-ft-s0)", "FT (second/ft-ft-s0)"]  # fmt: skip
    for run, end in zip(study.runs, ends, strict=True):
        own = next(s for s in run.scores() if s.split == "test" and s.selection == "end")
        assert end.cells["test"].value == own.value
    twice = open_study(tmp_path / "first", tmp_path / "first")
    assert labels(twice) == labels(open_study(tmp_path / "first"))


def test_seeds_that_are_missing_make_no_second_zero_shot_row(tmp_path: Path) -> None:
    plan = replace(PLAN, n=40, methods=(FT, LP_FT), seeds=3)
    study = make_study(tmp_path / "study", plan)
    for run in study.runs[1:]:  # the zero-shot model is the same whatever the seed
        for split in ("val", "test", "solid", "sketch"):
            shutil.copy(study.runs[0].path / f"predictions/{split}@0.npz", run.path / "predictions")
    study = scored_again(without(study, "lp-ft-lp-ft-s2"), lambda p: p)
    assert [x for x in labels(study) if x.startswith("Zero-shot")] == ["Zero-shot (α = 0)"]
    worst = scored_again(study, lambda p: replace(p, metric="worst_group:set"))
    assert decide(worst).gains  # of three seeds against two


def test_another_model_is_nobodys_start(tmp_path: Path) -> None:
    zero = ("zero-shot", "Zero-shot", 0.752, 0.56)
    for name, model in (("small", "tiny-clip"), ("large", "huge-clip")):
        low = (zero[0], zero[1], zero[2] - (name == "small") * 0.2, zero[3])
        plan = replace(PLAN, methods=(low, FT) if name == "small" else (zero, FT))
        for run in make_study(tmp_path / name, plan).runs:
            run.set_status("finished", model=model)
    view = gather(open_study(tmp_path / "small", tmp_path / "large"))
    for e in view.entries:
        start = view.start_of(e.group)
        assert start is not None
        assert {r.path.parent for r, _ in start.sources["test"]} == {
            r.path.parent for r, _ in e.sources["test"]}  # fmt: skip
    lone = [tmp_path / name / "ft-ft-s0" for name in ("small", "large")]
    for run in lone:
        Run(run).write_json("start.json", {"head_kind": "zero_shot"})
    view = gather(open_study(*lone))
    assert len({e.key for e in view.entries}) == len(view.entries)
    for path in view.paths:
        start = view.start_of(path.group)
        assert start is not None
        assert start.cells["test"].value == pytest.approx(path.value["test"][0])


def test_less_is_better_of_a_likelihood(tmp_path: Path) -> None:
    """Whoever has the lower one is better: in the headline, on the page, in the decision."""
    study = make_study(tmp_path / "study", replace(PLAN, n=400, shifts=()))
    study.runs[0].write_json("start.json", {"head_kind": "zero_shot"})

    def worse(p: Predictions) -> Predictions:
        return replace(p, metric="nll", unit=None)

    study = scored_again(study, worse)
    end = study.runs[0].predictions("test", 1.0)
    assert end is not None
    for split in ("val", "test"):  # the tuned end is far worse than every mixture
        said = study.runs[0].predictions(split, 1.0)
        assert said is not None
        study.runs[0].save_predictions(replace(said, logits=-said.logits), 1.0)
    study = scored_again(study, lambda p: p)
    view = gather(study)
    told = findings(view, Pairing(view))
    first = next(i for i in told.items if i.inside is not None and i.inside.better)
    assert first.inside is not None
    assert first.inside.difference < 0
    assert first.inside.better == 1
    assert "is better than" in told.headline
    found = decide(study)
    assert found.candidates[0].value == min(c.value for c in found.candidates)
    assert {c.verdict for c in found.candidates} <= {"chosen", "tied", "behind"}
    assert not any("could be tested" in d for d in found.doubts)


def test_classes_of_few_images_carry_no_star_and_no_sentence(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study", replace(PLAN, n=90, classes=60, methods=(FT, LP_FT)))
    study = scored_again(study, lambda p: replace(p, metric="macro_f1", unit=None))
    view = gather(study)
    pairing = Pairing(view)
    assert not build_table(view, pairing).tested
    assert not findings(view, pairing).items
    found = decide(study)
    assert {c.verdict for c in found.candidates} == {"chosen", "untested"}
    assert any("too many classes have too few images" in d for d in found.doubts)
    assert all("have fewer than 5 images" in g.verdict for g in found.gains)


def test_one_seed_is_said_where_others_have_more(tmp_path: Path) -> None:
    plan = replace(PLAN, n=40, methods=(FT, LP_FT), seeds=2)
    study = without(make_study(tmp_path / "study", plan), "ft-ft-s1")
    view = gather(study)
    assert view.seeds == (0, 1)
    assert any(c.startswith("One seed") for c in findings(view, Pairing(view)).caveats)


def test_a_unit_that_one_run_knows_counts_for_both(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study", replace(PLAN, methods=(FT, LP_FT)))
    for run in study.runs[:1]:
        for file in (run.path / "predictions").glob("*.npz"):
            said = Predictions.load(file)
            replace(said, unit=None).save(file)
    view = gather(study)
    a, b = (view.entry(g) for g in ("ft:FT", "lp-ft:LP-FT"))
    assert a is not None
    assert b is not None
    for pair in ((a, b), (b, a)):
        found = Pairing(view).difference(*pair, "test")
        assert found is not None
        assert found.units == 17


def test_names_with_signs_of_comments_and_arguments(tmp_path: Path) -> None:
    names = ('#1 of 2, "x"\n# y', "[A] _%&#$", "*B ~^\\{")
    methods = tuple(("ft", name, 0.8, 0.5) for name in names)
    study = make_study(tmp_path / "study", replace(PLAN, methods=methods, shifts=("a_b & 1%",)))
    write_table(study, tmp_path / "table.csv")
    write_table(study, tmp_path / "table.tex")
    pandas = pytest.importorskip("pandas")
    frame = pandas.read_csv(tmp_path / "table.csv", comment="#")
    assert set(names) <= set(frame["method"])
    text = (tmp_path / "table.csv").read_text()
    rows = csv.DictReader(x for x in text.splitlines(keepends=True) if not x.startswith("# "))
    assert sum(row["method"] == names[1] for row in rows) == (frame["method"] == names[1]).sum()
    if shutil.which("pdflatex") is not None:
        assert compiles(tmp_path)


def compiles(folder: Path) -> bool:
    (folder / "paper.tex").write_text(
        "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\\noindent\n"
        "\\input{table.tex}\n\\end{document}\n"
    )
    words: Sequence[str] = ("pdflatex", "-interaction=nonstopmode", "-halt-on-error",
                            "-no-shell-escape", "paper.tex")  # fmt: skip
    return subprocess.run(words, cwd=folder, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("name", ["table.xlsx", "table", "recipe.yaml", "table.CSV"])
def test_a_suffix_that_says_no_format_is_refused(tmp_path: Path, name: str) -> None:
    study = make_study(tmp_path / "study", replace(PLAN, n=12, shifts=()), lone=True)
    file = tmp_path / name
    file.write_text("mine")
    done = CliRunner().invoke(compare_command, [str(study.path), "--out", str(file)])
    assert done.exit_code == 2
    assert "its suffix says no format" in done.output
    assert file.read_text() == "mine"
