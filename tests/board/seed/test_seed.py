"""What a new board holds, and that every number is where the paper has it."""

from __future__ import annotations

import csv
from importlib import resources

import pytest

from surefoot.board import Board, Store
from surefoot.board.errors import BoardError
from surefoot.board.seed import fill, protocol_plans
from surefoot.board.seed.numbers import plan_of
from surefoot.board.seed.read import method_name, seed_rows
from surefoot.registry import METHODS


def test_the_page_that_people_knew(seeded):
    paper = seeded.papers.get("robust-fine-tuning-of-zero-shot-models")
    assert paper.title == "Robust fine-tuning of zero-shot models"
    assert paper.authors[0] == "Mitchell Wortsman"
    assert len(paper.authors) == 11
    assert (paper.date, paper.venue) == ("2021-09-04", "CVPR 2022")
    assert paper.url_abs == "https://arxiv.org/abs/2109.01903"
    assert paper.url_pdf == "https://arxiv.org/pdf/2109.01903"
    assert [t.name for t in seeded.tasks.of_paper(paper.id)] == [
        "Image Classification",
        "Transfer Learning",
    ]
    [code] = seeded.code.of(paper_id=paper.id)
    assert (code.url, code.official) == ("https://github.com/mlfoundations/wise-ft", True)
    [line] = seeded.entries.paper_table(paper.id, headline=True)
    assert (line.task, line.dataset, line.metric, line.value, line.model) == (
        "Image Classification", "ObjectNet", "Top-1 Accuracy", "72.1", "WiSE-FT",
    )  # fmt: skip
    assert line.entry.source.table == "Table 1"
    assert line.entry.source.quality == "primary"
    assert line.result.selection == "oracle"
    assert line.entry.backbone == "CLIP ViT-L/14@336"
    assert len(seeded.papers.related(paper.id)) == 8


def test_every_published_number_is_there_once_with_its_source(seeded):
    rows = []
    for file in ("results.csv", "dino_knn.csv"):
        place = resources.files("surefoot").joinpath("published").joinpath(file)
        with place.open(encoding="utf-8") as text:
            rows += [(file, i, r) for i, r in enumerate(csv.DictReader(text), 2)]
    assert len(rows) == 361 + 8
    entries = [seeded.entries.full(e.id) for e in seeded.entries.all()]
    by_place = {e.source.file: e for e in entries}
    assert len(by_place) == len(entries)
    merged = sum(len(e.source.also) for e in entries)
    assert len(entries) + merged == len(rows)
    for file, line, row in rows:
        entry = by_place.get(f"published/{file}, line {line}")
        if entry is None:
            continue  # printed twice; the other place is noted
        assert entry.results[0].raw == row["value"]
        assert entry.source.citation == row["paper"]
        assert entry.source.table == row["table"]
        assert entry.backbone == row["model"]
        assert entry.kind == "published"


def test_a_repeated_number_notes_its_other_place(seeded):
    again = [e for e in seeded.entries.all() if e.source.also]
    assert {(e.backbone, e.source.table, e.source.also) for e in again} == {
        ("CLIP ViT-L/14@336", "Table 1", ("Table 2",))
    }
    assert len(again) == 3


def test_filling_again_adds_nothing(own):
    history = len(own.history(limit=10**6))
    assert fill(own) == {}
    assert len(own.history(limit=10**6)) == history


def test_what_somebody_changed_stays_changed(own):
    paper = own.papers.get("robust-fine-tuning-of-zero-shot-models")
    own.papers.update(paper.id, venue="elsewhere")
    own.entries.delete(1, why="wrong")
    fill(own)
    assert own.papers.by_id(paper.id).venue == "elsewhere"
    assert own.entries.by_id(1).deleted


def test_objectnet_of_a_partial_copy_has_a_board_of_its_own(seeded):
    data = seeded.datasets.get("objectnet")
    boards = {b.protocol: b for b in seeded.boards.of(dataset_id=data.id)}
    assert set(boards) == {"objectnet-113-top1", "objectnet-partial-copy"}
    partial = seeded.entries.of(board_id=boards["objectnet-partial-copy"].id)
    assert {e.source.citation for e in partial} == {"FLYP 2212.00638"}
    assert (
        "comparable with nothing else"
        in seeded.protocols.describe("objectnet-partial-copy").description
    )


def test_the_sweeps_are_curves(seeded):
    wise = seeded.methods.get("wise-ft")
    curves = seeded.curves.of(method_id=wise.id)
    assert [c.backbone for c in curves] == ["CLIP ViT-L/14@336", "CLIP ViT-B/16"]
    for curve in curves:
        assert len(curve.points) == 21 * 7
        assert {p.alpha for p in curve.points} == {i / 20 for i in range(21)}
    [half] = [p for p in curves[0].points if p.alpha == 0.5 and p.dataset == "ObjectNet"]
    assert half.raw == "71.1"


def test_alpha_and_how_it_was_chosen(seeded):
    board = seeded.boards.get("image-classification-on-objectnet")
    chosen = {(r.row.model_name, r.row.selection, r.row.alpha)
              for r in seeded.ranking(board)}  # fmt: skip
    assert ("WiSE-FT", "oracle", None) in chosen
    assert ("WiSE-FT", "fixed", 0.5) in chosen
    assert ("Zero-shot", "", None) in chosen


def test_clips_own_numbers_are_on_its_page_and_say_who_quotes_them(seeded):
    clip = seeded.papers.match(arxiv="2103.00020")
    table = seeded.entries.paper_table(clip.id)
    assert {e.entry.source.citation for e in table} == {"WiSE-FT 2109.01903"}
    assert {e.entry.source.quality for e in table} == {"secondary"}


def test_every_metric_that_the_seed_uses_is_declared(seeded):
    used = seeded.metrics.used()
    assert {m.known_from for m in used} == {"declared"}
    assert all(m.ranked for m in used)


def test_every_protocol_is_described(seeded):
    for plan in protocol_plans():
        assert seeded.protocols.describe(plan.name).description
    named = {b.protocol for b in seeded.boards.all()}
    assert named == {p.name for p in protocol_plans()}


def test_surefoots_own_methods_are_on_the_board(seeded):
    ours = {m.registry_name for m in seeded.methods.all() if m.registry_name}
    assert {"zero-shot", "lp", "ft", "lp-ft", "wise-ft"} <= ours
    assert ours <= set(METHODS.names())
    assert seeded.methods.get("token-replay").reading


def test_the_seed_files_are_sound():
    papers, methods = seed_rows("papers"), seed_rows("methods")
    numbers = [p["arxiv"] for p in papers if "arxiv" in p]
    assert len(numbers) == len(set(numbers))
    assert {m["paper"] for m in methods if "paper" in m} <= set(numbers)
    named = {m["name"] for m in methods}
    for paper in papers:
        assert set(paper.get("methods", [])) <= named, paper["title"]
        assert 30 < len(paper["summary"]) < 700
        assert all(link["url"].startswith("https://") for link in paper.get("code", []))
    data = {d["name"] for d in seed_rows("datasets")}
    assert {p.dataset for p in protocol_plans()} <= data
    assert {d for p in papers for d in p.get("datasets", [])} <= data


@pytest.mark.parametrize(
    ("name", "shown", "method", "setting", "alpha", "selection", "quoted"),
    [
        ("WiSE-FT E2E opt a", "WiSE-FT", "WiSE-FT", "end to end", None, "oracle", False),
        ("WiSE-FT LC a=0.5", "WiSE-FT", "WiSE-FT", "linear classifier", 0.5, "fixed", False),
        ("WiSE-FT opt", "WiSE-FT", "WiSE-FT", "", None, "oracle", False),
        ("Fine-tuned LC [Radford]", "Fine-tuned", "Linear probing", "linear classifier", None, "",
         True),
        ("Zero-shot (PyTorch)", "Zero-shot", "Zero-shot classification", "evaluated in PyTorch",
         None, "", False),
        ("LP-FT", "LP-FT", "LP-FT", "", None, "", False),
        ("Zeroshot", "Zero-shot", "Zero-shot classification", "", None, "", False),
    ],
)  # fmt: skip
def test_method_names_are_taken_apart(name, shown, method, setting, alpha, selection, quoted):
    got = method_name(name)
    assert (got.model_name, got.method, got.setting) == (shown, method, setting)
    assert (got.alpha, got.selection, got.quoted) == (alpha, selection, quoted)


def test_unknown_method_names_and_columns_are_named():
    with pytest.raises(BoardError, match="'Magic' is not known"):
        method_name("Magic")
    with pytest.raises(BoardError, match="'WiSE-FT SOMEHOW' is not known"):
        method_name("WiSE-FT SOMEHOW")
    with pytest.raises(BoardError, match="'MNIST' of WiSE-FT"):
        plan_of("WiSE-FT 2109.01903", "", "MNIST")


def test_a_board_can_be_read_without_writing(seeded_file):
    before = seeded_file.read_bytes()
    with Store.open(seeded_file, read_only=True) as store:
        board: Board = store.boards.of(notable=True)[0]
        assert store.ranking(board)
        assert store.totals()["papers"] > 30
    assert seeded_file.read_bytes() == before
