"""``surefoot board`` as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from surefoot.board import Store
from surefoot.cli.board import board_command
from surefoot.errors import SurefootError

from ..board.archive_files import paper, row, table, write
from ..board.conftest import PROTOCOL
from ..board.runs.test_add import FULL, make_run
from ..board.store.test_submit import GOOD

RECIPE = "{model: tiny-clip, data: {train: pictograms}, methods: [{name: zero-shot}], path: null}"


def board(*arguments: object, where: Path) -> Result:
    """Run in ``where``; errors that surefoot explains come through."""
    runner = CliRunner()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(where)
        return runner.invoke(board_command, [str(a) for a in arguments], catch_exceptions=False)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "none").mkdir()
    done = board("init", "--results", tmp_path / "none", where=tmp_path)
    assert done.exit_code == 0
    with Store.open(tmp_path / "board.db") as store:
        store.protocols.declare(PROTOCOL)
    return tmp_path


def test_init_fills_and_can_be_repeated(here):
    assert (here / "board.db").is_file()
    done = board("init", "--results", here / "none", where=here)
    assert "added nothing new" in done.output
    assert "38 papers" in done.output


def test_init_adds_results_and_leaves_other_files_out(tmp_path):
    from surefoot.records import write_jsonl

    results = tmp_path / "results"
    results.mkdir()
    write_jsonl(results / "ours.jsonl", [s.to_json() for s in FULL])
    (results / "other.json").write_text('{"rows": []}')
    done = board("init", "--board", "b.db", "--results", results, where=tmp_path)
    assert "ours.jsonl: 6 measured results" in done.output
    assert "tiny_models.json: 42 measured results" in done.output
    assert "other.json is left out:" in done.output
    with Store.open(tmp_path / "b.db") as store:
        assert store.totals()["curves"] == 4


def test_add(here):
    make_run(here / "mine", FULL)
    done = board("add", "mine", where=here)
    assert "mine: 6 results (0 reproduced), 1 curves, 0 there already" in done.output
    done = board("add", "mine", "--protocol", "nonsense", where=here)
    assert done.exit_code == 2
    assert "is not NAME=VALUE" in done.output


def test_import_and_export(here):
    write(here, "papers-with-abstracts", [paper(1), paper(2, title=None)])
    write(here, "evaluation-tables", [table([row()])])
    done = board("import", "papers-with-abstracts.json.gz", "evaluation-tables.json.gz",
                 "--quarantine", where=here)  # fmt: skip
    assert done.exit_code == 0
    assert "added 1, updated 0, unchanged 0, in quarantine 1" in done.output
    assert "$[1]: title is missing" in done.output
    done = board("export", "out", "--data-only", "--kind", "published", where=here)
    assert "out/evaluation-tables.json" in done.output
    tables = json.loads((here / "out" / "evaluation-tables.json").read_text())
    assert "Computer Vision" in [t["task"] for t in tables]
    assert "CC-BY-SA-4.0" in (here / "out" / "NOTICE.txt").read_text()
    board("export", "own", "--data-only", "--no-archive", where=here)
    assert "CC-BY-SA-4.0" not in "".join(f.read_text() for f in (here / "own").iterdir())


def test_export_writes_pages_with_the_data_beside_them(here, monkeypatch):
    asked = []
    pages = types.ModuleType("surefoot.board.pages.site")
    pages.export_site = lambda store, folder, toy, **told: asked.append((folder, toy, *told))
    monkeypatch.setitem(sys.modules, "surefoot.board.pages.site", pages)
    done = board("export", "site", "--toy", where=here)
    assert asked == [(Path("site"), True, "planned", "progress")]
    assert done.output.splitlines()[0] == "site/index.html"
    assert (here / "site" / "data" / "results.csv").is_file()


def test_export_says_that_pages_show_archives(here):
    done = board("export", "site", "--no-archive", where=here)
    assert done.exit_code == 2
    assert "--no-archive needs --data-only" in done.output
    assert not (here / "site").exists()


def test_serve_hands_its_options_on(here, monkeypatch):
    asked = []
    web = types.ModuleType("surefoot.board.web")
    web.serve = lambda path, **options: asked.append((path, options))
    monkeypatch.setitem(sys.modules, "surefoot.board.web", web)
    board("serve", "--read-only", "--port", "0", where=here)
    ((path, options),) = asked
    assert path == "board.db"
    assert {k: options[k] for k in ("host", "port", "read_only")} == {
        "host": "127.0.0.1",
        "port": 0,
        "read_only": True,
    }
    assert len(options["check_recipe"](RECIPE)) == 16
    with pytest.raises(SurefootError, match="is a file of Python"):
        options["check_recipe"](RECIPE.replace("zero-shot", "own.py"))
    with pytest.raises(SurefootError, match="not a folder, a table"):
        options["check_recipe"](RECIPE.replace("pictograms", "/data/own"))
    options["ready"]("http://127.0.0.1:1234")
    assert board("serve", "--port", "99999", where=here).exit_code == 2


def test_a_packed_run_can_be_added(here):
    make_run(here / "mine", FULL)
    done = board("pack", "mine", "--out", "mine.json", "--command", "surefoot fit", where=here)
    assert done.output == "mine.json: 1 runs, 10 scores\n"
    assert json.loads((here / "mine.json").read_text())["command"] == "surefoot fit"
    done = board("add", "mine.json", where=here)
    assert "mine.json: 6 results (0 reproduced), 1 curves" in done.output
    assert "on the board image-classification-on-pictograms" in done.output


def test_a_file_that_breaks_off_exits_with_one(here):
    path = write(here, "methods", [{"name": "a"}], packed=False)
    path.write_text(path.read_text()[:-1])
    done = board("import", "methods.json", where=here)
    assert done.exit_code == 1
    assert "stopped early" in done.output


def test_submit_and_verify(here):
    done = board("submit", "--template", where=here)
    assert "model_name" in json.loads(done.output)
    (here / "form.json").write_text(json.dumps({**GOOD, "recipe": RECIPE}))
    assert "submission 1 is queued" in board("submit", "form.json", where=here).output
    assert "1  queued  Mine | Pictograms | 72.1" in board("verify", where=here).output
    make_run(here / "run", [s for s in FULL if s.split == "test"])
    done = board("verify", 1, "--run", "run", where=here)
    assert done.output == "not comparable: the data set's manifest is unknown, not whole\n"


def test_verify_carries_the_recipe_out(here, monkeypatch):
    asked = []

    def run_recipe(recipe, out, **_):
        asked.append(recipe)
        make_run(here / out, [s for s in FULL if s.split == "test"])

    monkeypatch.setattr("surefoot.recipes.experiment.run_recipe", run_recipe)
    (here / "form.json").write_text(json.dumps({**GOOD, "recipe": RECIPE}))
    board("submit", "form.json", where=here)
    try:
        done = board("verify", 1, where=here)
    except SurefootError as error:
        pytest.fail(f"the recipe was not taken: {error}")
    assert len(asked) == 1
    assert "not comparable" in done.output


PUBLIC = RECIPE.replace("tiny-clip", "open_clip:ViT-B-32/openai")


@pytest.mark.parametrize(("asked", "runs"), [("", False), ("n\n", False), ("y\n", True)])
def test_verify_says_what_it_does_and_asks_before_it_fetches(here, monkeypatch, asked, runs):
    ran = []

    def run_recipe(recipe, out, **_):
        ran.append(recipe.spec.model)
        make_run(here / out, [s for s in FULL if s.split == "test"])

    monkeypatch.setattr("surefoot.recipes.experiment.run_recipe", run_recipe)
    (here / "form.json").write_text(json.dumps({**GOOD, "recipe": PUBLIC}))
    board("submit", "form.json", where=here)
    monkeypatch.chdir(here)
    done = CliRunner().invoke(board_command, ["verify", "1"], input=asked)
    assert "model open_clip:ViT-B-32/openai\ndata train pictograms" in done.output
    assert "This loads open_clip:ViT-B-32/openai, from the Hugging Face hub" in done.output
    assert ran == ["open_clip:ViT-B-32/openai"] * runs
    assert (done.exit_code == 0) is runs
    if not runs:
        assert "not comparable" in board("verify", 1, "--yes", where=here).output
        assert len(ran) == 1


def test_a_submission_that_was_queued_before_is_looked_at_again(here, monkeypatch):
    """By whatever way it got into the board's file."""
    from surefoot.board import submit

    marker = here / "marker"
    (here / "own.py").write_text(f"open({str(marker)!r}, 'w').close()")
    monkeypatch.setattr(
        "surefoot.recipes.experiment.run_recipe", lambda *_, **__: pytest.fail("it ran")
    )
    recipes = [RECIPE.replace("zero-shot", "own.py"), RECIPE.replace("tiny-clip", "./own")]
    with Store.open(here / "board.db") as store:
        for i, recipe in enumerate(recipes):
            submit(store, {**GOOD, "setting": str(i), "recipe": recipe}, who="eve")
    for i, message in ((1, "is a file of Python"), (2, "is not taken from a stranger")):
        with pytest.raises(SurefootError, match=message):
            board("verify", i, "--yes", where=here)
    assert not marker.exists()


def test_a_recipe_that_cannot_be_read_is_not_queued(here):
    for recipe, message in (
        ("{", "is not YAML"),
        ("model: tiny-clip", "data"),
        (RECIPE.replace("tiny-clip", "own.pt"), "not a file"),
        (RECIPE.replace("zero-shot", "own.py"), "is a file of Python"),
    ):
        (here / "form.json").write_text(json.dumps({**GOOD, "recipe": recipe}))
        with pytest.raises(SurefootError, match="recipe") as caught:
            board("submit", "form.json", where=here)
        assert message in str(caught.value)
    assert board("verify", where=here).output == ""


@pytest.mark.slow
def test_a_recipe_on_the_built_in_data_is_verified(here):
    """The whole way: the packaged weights on the packaged images, all of them."""
    with Store.open(here / "board.db") as store:
        data = store.datasets.get("pictograms")
        [where] = [
            b
            for b in store.boards.of(dataset_id=data.id)
            if b.split == "test" and "-head-" in b.protocol
        ]
        [known] = [r for r in store.ranking(where) if r.row.model_name.startswith("Zero-shot")]
    sent = {**GOOD, "protocol": where.protocol, "recipe": RECIPE, "method": "",
            "value": known.row.raw, "run_method": "zero-shot"}  # fmt: skip
    (here / "right.json").write_text(json.dumps(sent))
    (here / "wrong.json").write_text(json.dumps({**sent, "value": "99.0"}))
    board("submit", "right.json", where=here)
    board("submit", "wrong.json", where=here)
    done = board("verify", 1, "--out", "run", where=here)
    assert "model tiny-clip\ndata train pictograms" in done.output
    assert done.stdout.splitlines()[-1] == "matches: within 0.50 points of the submitted one"
    done = board("verify", 2, "--run", "run", where=here)
    assert done.output.startswith("differs: differs by -")
    with Store.open(here / "board.db") as store:
        kinds = [e.kind for e in store.entries.of(board_id=where.id)]
        assert kinds.count("reproduced") == 2
        assert [s.status for s in store.submissions.queue(None)] == ["verified", "differs"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("add", "."), "is not a run folder"),
        (("submit", "bad.json"), "is not JSON"),
        (("submit", "list.json"), "holds no form"),
        (("verify", 99), "there is no submission number 99"),
        (("export", "out", "--data-only", "--board", "none.db"), "there is no board at none.db"),
    ],
)
def test_problems_are_explained(here, arguments, message):
    (here / "bad.json").write_text("{")
    (here / "list.json").write_text("[]")
    with pytest.raises(SurefootError, match=message):
        board(*arguments, where=here)


def test_verify_needs_a_recipe_or_a_run(here):
    (here / "form.json").write_text(json.dumps(GOOD))
    board("submit", "form.json", where=here)
    with pytest.raises(SurefootError, match="came without a recipe"):
        board("verify", 1, where=here)


def test_submit_without_a_file_says_so(here):
    done = board("submit", where=here)
    assert done.exit_code == 2
    assert "--template" in done.output


def test_help_needs_no_torch():
    code = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from surefoot.cli.board import board_command\n"
        "done = CliRunner().invoke(board_command, ['--help'])\n"
        "assert 'init' in done.output and '\\\\b' not in done.output, done.output\n"
        "print(sorted({'torch', 'timm'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_report_leads_to_the_board_before_and_after_the_run_is_added(here):
    from surefoot.cli.report import report_command

    run = make_run(here / "run", FULL)

    def report() -> str:
        done = CliRunner().invoke(
            report_command, [str(run), "--board", str(here / "board.db"), "--pages", "http://h:1"],
            catch_exceptions=False,
        )  # fmt: skip
        assert done.exit_code == 0
        return (Path(run) / "report.html").read_text()

    before = report()
    assert "On the results board" in before
    assert f"surefoot board add {run} --board" in before
    assert board("add", run, where=here).exit_code == 0
    after = report()
    assert "surefoot board add" not in after
    assert 'href="http://h:1/' in after
