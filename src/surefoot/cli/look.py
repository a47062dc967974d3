"""``eval``, ``sweep``, ``predict``, ``compare``, ``report``: commands that look at models."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from ..errors import COMMAND_LINE
from .board_common import board_links
from .common import alphas_option, data_options, device_options, pairs, say

__all__ = [
    "compare_command",
    "eval_command",
    "predict_command",
    "report_command",
    "sweep_command",
]


def _task(options: dict[str, Any]) -> Any:
    """The task that the data options name; --train may be left out where --test is enough."""
    from ..recipes.recipe import parse_recipe
    from ..recipes.study import task_of, told

    train = options["train"] or options["test"]
    if not train:
        raise click.UsageError("--train or --test is missing")
    data = {
        "train": train,
        "val": options["val"],
        "test": options["test"],
        "shifts": pairs(options["shift"], "--shift"),
        "class_maps": pairs(options["class_map"], "--class-map"),
        "templates": options["templates"],
        "metric": options["metric"],
        "root": options["data_root"],
        "skip_bad": options["skip_bad"],
        "limit_eval": options["limit"],
    }
    plain = {"model": "none", "methods": ["zero-shot"], "data": data}
    recipe = parse_recipe(plain, where=COMMAND_LINE)
    alone = not options["train"]
    task = task_of(recipe.spec, progress=sys.stderr.isatty(), stand_in=alone)
    for note in told(task):
        say(note)
    return task


def _val_is_test(options: dict[str, Any], task: Any) -> bool:
    """No training or validation images were given, and validation was cut off the test set.

    Nothing may be chosen on such images: they are test images.
    """
    return not (options["train"] or options["val"]) and task.val.source == task.test.source


@click.command("eval")
@click.argument("model")
@data_options(train=False)
@click.option("--alpha", help="Of a run folder: a number in [0, 1] or a rule.")
@click.option(
    "--evaluator",
    default="head",
    show_default=True,
    type=click.Choice(["head", "zero_shot", "linear", "knn"]),
)
@click.option("-k", type=click.IntRange(1), default=20, show_default=True, help="Of knn.")
@click.option(
    "--protocol",
    type=click.Choice(["auto", "dino", "model"]),
    default="auto",
    show_default=True,
    help="Of knn: dino brings its own transform (resize 256, crop 224).",
)
@click.option("--json", "as_json", is_flag=True, help="Score rows as JSON lines on stdout.")
@device_options()
def eval_command(
    model: str,
    alpha: str | None,
    evaluator: str,
    k: int,
    protocol: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Score MODEL (a name, a file or a run) on ID test and every shift."""
    from ..recipes.pick import resolve_model
    from ..recipes.score_model import score_model

    if evaluator in ("knn", "linear") and not options["train"]:
        raise click.UsageError(f"--train is missing: --evaluator {evaluator} learns from it")
    task = _task(options)
    rows = score_model(
        resolve_model(model, alpha),
        task,
        evaluator,  # type: ignore[arg-type]
        device=options["device"],
        batch_size=options["batch_size"],
        workers=options["workers"],
        k=k,
        protocol=protocol,  # type: ignore[arg-type]
    )
    if _val_is_test(options, task):
        rows = [row for row in rows if row.split != "val"]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row.to_json(), sort_keys=True))
        return
    width = max(len(r.split) for r in rows)
    for r in rows:
        click.echo(
            f"{r.split:<{width}}  {r.metric}  {100 * r.value:5.1f}  "
            f"[{100 * r.low:.1f}, {100 * r.high:.1f}] {r.interval}  n={r.n}"
            + (f"  {r.extra['k']}-NN, protocol {r.extra['protocol']}" if "k" in r.extra else "")
        )
        if r.masked is not None:
            click.echo(f"{'':<{width}}  {r.masked[1]}: {100 * r.masked[0]:.1f}")


@click.command("sweep")
@click.argument("start")
@click.argument("end")
@data_options(train=False)
@alphas_option()
@click.option(
    "--head",
    type=click.Choice(["interpolate", "end"]),
    default="interpolate",
    show_default=True,
    help="What happens to the classification head.",
)
@click.option("--extrapolate", is_flag=True, help="Allow alphas outside [0, 1].")
@click.option(
    "--adaptive",
    is_flag=True,
    help="Score ID validation only at contested alphas, and the other splits only at the ends and "
    "the chosen ones; no oracle.",
)
@click.option("--out", help="Also write a run folder with its report.")
@click.option("--json", "as_json", is_flag=True, help="Score rows as JSON lines on stdout.")
@device_options()
def sweep_command(
    start: str,
    end: str,
    alphas: int | list[float],
    head: str,
    extrapolate: bool,
    adaptive: bool,
    out: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """The curve of (1 - alpha) * START + alpha * END over the task, each image decoded once.

    START gets a zero-shot head where it has a text tower and no head of its own. Heads are never
    replaced: classes are matched by name, and a class that END's head does not know is refused.
    """
    from ..recipes.curve import sweep_models
    from ..recipes.pick import resolve_model

    task = _task(options)
    validated = not _val_is_test(options, task)
    if not validated:
        if adaptive:
            raise click.UsageError("--adaptive chooses on ID validation: give --train or --val")
        say("neither --train nor --val was given: no alpha is chosen on ID validation")
    curve, selections = sweep_models(
        resolve_model(start),
        resolve_model(end),
        task,
        validated=validated,
        alphas=alphas,
        head=head,
        extrapolate=extrapolate,
        adaptive=adaptive,
        out=out,
        device=options["device"],
        batch_size=options["batch_size"],
        workers=options["workers"],
        progress=sys.stderr.isatty(),
    )
    if as_json:
        for rows in curve.scores.values():
            for row in rows:
                click.echo(json.dumps(row.to_json(), sort_keys=True))
    else:
        names = list(curve.scores)
        click.echo("alpha  " + "  ".join(f"{n:>10}" for n in names))
        for i, alpha in enumerate(curve.alphas):
            values = "  ".join(f"{100 * curve.scores[n][i].value:10.1f}" for n in names)
            click.echo(f"{alpha:5.2f}  {values}")
        for name in names:
            for i, alpha in enumerate(curve.alphas):
                if (beside := curve.scores[name][i].masked) is not None:
                    click.echo(f"{name}, {beside[1]}: {100 * beside[0]:.1f} at alpha {alpha:.2f}")
        for chosen in selections:
            click.echo(f"{chosen.rule}: alpha = {chosen.alpha:g} ({chosen.reason})")
    if out:
        from ..report import render
        from ..runs import open_study

        say(f"report: {render(open_study(out))}")


@click.command("predict")
@click.argument("model")
@click.argument("images", nargs=-1, required=True, type=click.Path())
@click.option("--alpha", help="Of a run folder: a number in [0, 1] or a rule.")
@click.option("--classes", help="For a model without head: class names, comma-separated.")
@click.option("--templates", help="Prompt template set by name, or a text file.")
@click.option("--top", type=click.IntRange(1), default=3, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="JSON lines on stdout.")
@click.option("--device", default="auto", show_default=True)
def predict_command(
    model: str,
    images: tuple[str, ...],
    alpha: str | None,
    classes: str | None,
    templates: str | None,
    top: int,
    as_json: bool,
    device: str,
) -> None:
    """Classify IMAGES with MODEL (a name with --classes, a file, or a run)."""
    from ..recipes.classify import classify
    from ..recipes.pick import resolve_model

    names = [c.strip() for c in classes.split(",")] if classes else None
    for row in classify(
        resolve_model(model, alpha),
        images,
        classes=names,
        templates=templates,
        top=top,
        device=device,
    ):
        if as_json:
            click.echo(json.dumps(row))
        else:
            said = ", ".join(f"{p['class']} {100 * p['probability']:.1f} %" for p in row["top"])
            click.echo(f"{row['image']}: {said}")


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True))
@click.option("--out", type=click.Path(dir_okay=False), help="Also write a report page.")
@click.option("--json", "as_json", is_flag=True, help="Every row as JSON lines on stdout.")
@click.option("--published", is_flag=True, help="Beside what papers report: matches, or not, why.")
@click.option("--paper", help="With --published: only this paper (WiSE-FT, 2202.10054, ...).")
@click.option(
    "--suite",
    type=click.Choice(["wise-ft", "lp-ft", "flyp"]),
    help="Means over a paper's data sets, and what is missing for them.",
)
@click.option(
    "--baseline",
    metavar="TABLE.csv",
    help="Effective robustness above the models of a table with the columns model, id, ood (or "
    "names of data sets); imagenet-testbed is one that ships.",
)
def compare_command(
    runs: tuple[str, ...],
    out: str | None,
    as_json: bool,
    published: bool,
    paper: str | None,
    suite: str | None,
    baseline: str | None,
) -> None:
    """RUNS side by side, tested in pairs on the same images; or beside papers or a baseline."""
    from ..runs import open_study
    from . import beside

    if sum((published, suite is not None, baseline is not None)) > 1:
        raise click.UsageError("one of --published, --suite and --baseline at a time")
    if paper is not None and not published:
        raise click.UsageError("--paper narrows --published; give that too")
    if out is not None and (published or suite is not None):
        raise click.UsageError("--out has no page for --published and --suite; use --json")
    study = open_study(*runs)
    if published:
        beside.published(study, paper, as_json)
    elif suite is not None:
        beside.suite(study, suite, as_json)
    elif baseline is not None:
        beside.baseline(study, baseline, out, as_json)
    else:
        _side_by_side(study, out, as_json)


def _side_by_side(study: Any, out: str | None, as_json: bool) -> None:
    from ..report import render, render_terminal

    if as_json:
        for run in study.runs:
            for row in run.scores():
                click.echo(json.dumps({"run": run.path.name, **row.to_json()}, sort_keys=True))
    else:
        click.echo(render_terminal(study))
    if out:
        say(f"report: {render(study, Path(out))}")


@click.command("report")
@click.argument("runs", nargs=-1, required=True, type=click.Path(exists=True))
@click.option("--out", type=click.Path(dir_okay=False), help="Default: report.html in the folder.")
@click.option(
    "--board",
    envvar="SUREFOOT_BOARD",
    show_envvar=True,
    type=click.Path(dir_okay=False),
    help="A results board: the page leads to where the numbers stand on it.",
)
@click.option(
    "--pages",
    default="http://127.0.0.1:8000",
    show_default=True,
    help="Where the board's pages are: a server, or the folder of an exported site.",
)
def report_command(runs: tuple[str, ...], out: str | None, board: str | None, pages: str) -> None:
    """Render the report of a run, a study or several runs again; needs no torch."""
    from ..report import render
    from ..runs import open_study

    study = open_study(*runs)
    if len(runs) > 1 and out is None:
        raise click.UsageError("--out is missing: several runs have no folder of their own")
    links = board_links(runs, board, pages) if board is not None else []
    click.echo(render(study, Path(out) if out else None, links=links))
