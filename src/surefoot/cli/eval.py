"""``surefoot eval``: score a model, a run or a checkpoint on a task."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import click

from .common import data_options, device_options, run_options, say
from .scored import task_of_options, told, val_is_test

__all__ = ["eval_command"]


@click.command("eval")
@click.argument("model")
@data_options(train=False)
@run_options(with_data=True)
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
    member: str | None,
    evaluator: str,
    k: int,
    protocol: str,
    as_json: bool,
    **options: Any,
) -> None:
    """Score MODEL (a name, a file, a run, a study's choice) on ID test and every shift."""
    from ..context import pick_device
    from ..evals.evaluate import evaluate
    from ..recipes.ends import ON_TEST
    from ..recipes.inventory import head_of, seen_in_training
    from ..recipes.members import resolve_model
    from ..records import Origin

    if evaluator in ("knn", "linear") and not options["train"]:
        raise click.UsageError(f"--train is missing: --evaluator {evaluator} learns from it")
    found = resolve_model(
        model, alpha, run=member, chosen_on_test=options["chosen_on_test"], say=say
    )
    notes = [note for note in found.spec.notes if ON_TEST in note]
    task = task_of_options(options, found.head if evaluator == "head" else None)
    task = replace(task, notes=(*task.notes, *seen_in_training(model, task)))
    text = None if evaluator == "zero_shot" or (evaluator == "head" and found.head is None) else ()
    told(options, task, found, head=head_of(found, task, evaluator), prompts=text)
    pairs = evaluate(
        found,
        task,
        evaluator=evaluator,  # type: ignore[arg-type]
        origin=Origin(found.spec.name, selection="oracle" if notes else "none"),
        device=pick_device(options["device"]),
        batch_size=options["batch_size"],
        workers=options["workers"],
        k=k,
        protocol=protocol,
    )
    rows = [row for _, row in pairs if row.split != "val" or not val_is_test(options, task)]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row.to_json(), sort_keys=True))
        return
    width = max(len(r.split) for r in rows)
    for r in rows:
        reach = f"[{100 * r.low:.1f}, {100 * r.high:.1f}] {r.interval}"
        click.echo(
            f"{r.split:<{width}}  {r.metric}  {100 * r.value:5.1f}  "
            f"{f'no interval: {r.no_interval}' if r.no_interval else reach}  n={r.n}"
            + (f"  {r.extra['k']}-NN, protocol {r.extra['protocol']}" if "k" in r.extra else "")
        )
        if r.masked is not None:
            click.echo(f"{'':<{width}}  {r.masked[1]}: {100 * r.masked[0]:.1f}")
    for note in notes:
        click.echo(note)
