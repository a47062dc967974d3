"""``surefoot sweep``: the alpha curve of any two checkpoints."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from .common import alphas_option, data_options, device_options, say, typed
from .scored import task_of_options, told, val_is_test

__all__ = ["sweep_command"]


@click.command("sweep")
@click.argument("start")
@click.argument("end")
@data_options(train=False)
@alphas_option()
@click.option(
    "--head",
    type=click.Choice(["auto", "interpolate", "end"]),
    default="auto",
    show_default=True,
    help="Mix the heads of both ends, or keep END's everywhere; auto: mixed where they can be.",
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
    from ..context import RunContext
    from ..recipes.inventory import head_of
    from ..recipes.members import resolve_model
    from ..recipes.sweep import sweep_models

    first, last = (resolve_model(name, say=say) for name in (start, end))
    task = task_of_options(options, last.head, first.head)
    text = None if last.head is None or first.head is None else ()
    found = told(options, task, first, last, head=head_of(last, task), prompts=text)
    validated = not val_is_test(options, task)
    if not validated:
        if adaptive:
            raise click.UsageError("--adaptive chooses on ID validation: give --train or --val")
        say("neither --train nor --val was given: no alpha is chosen on ID validation")
    curve, selections = sweep_models(
        first,
        last,
        task,
        validated=validated,
        alphas=alphas,
        head=head,  # type: ignore[arg-type]
        extrapolate=extrapolate,
        adaptive=adaptive,
        out=out,
        batch_size=options["batch_size"],
        command=typed(),
        inventory=found,
        context=RunContext(device=options["device"], workers=options["workers"],
                           progress=sys.stderr.isatty(), tell=say),
    )  # fmt: skip
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
            for alpha, score in zip(curve.alphas, curve.scores[name], strict=True):
                if score.masked is not None:
                    said = f"{score.masked[1]}: {100 * score.masked[0]:.1f}"
                    click.echo(f"{name}, {said} at alpha {alpha:.2f}")
        for chosen in selections:
            click.echo(f"{chosen.rule}: alpha = {chosen.alpha:g} ({chosen.told})")
    if out:
        from ..report import render
        from ..runs import open_study

        say(f"report: {render(open_study(out))}")
