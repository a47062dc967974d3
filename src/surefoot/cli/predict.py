"""``surefoot predict``: classify image files with a model or a run."""

from __future__ import annotations

import json

import click

from ..inventory import Inventory
from .common import run_options, say

__all__ = ["predict_command"]


@click.command("predict")
@click.argument("model")
@click.argument("images", nargs=-1, required=True, type=click.Path())
@run_options()
@click.option("--classes", help="For a model without head: class names, comma-separated.")
@click.option("--templates", help="Prompt template set by name, or a text file.")
@click.option("--top", type=click.IntRange(1), default=3, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="JSON lines on stdout.")
@click.option("--strict", is_flag=True, help="Refuse whatever would be guessed.")
@click.option("--device", default="auto", show_default=True)
def predict_command(
    model: str,
    images: tuple[str, ...],
    alpha: str | None,
    member: str | None,
    chosen_on_test: bool,
    classes: str | None,
    templates: str | None,
    top: int,
    as_json: bool,
    device: str,
    strict: bool,
) -> None:
    """Classify IMAGES with MODEL (a name with --classes, a file, a run, a study's choice)."""
    from ..recipes.classify import classify
    from ..recipes.ends import ON_TEST
    from ..recipes.inventory import refused
    from ..recipes.members import resolve_model

    def tell(found: Inventory) -> None:
        for line in found.lines():
            say(line)
        for wrong in refused(found, strict=strict):
            raise wrong

    found = resolve_model(model, alpha, run=member, chosen_on_test=chosen_on_test, say=say)
    notes = [note for note in found.spec.notes if ON_TEST in note]
    mark = {"notes": notes} if notes else {}
    names = [c.strip() for c in classes.split(",")] if classes else None
    for row in classify(
        found,
        images,
        classes=names,
        templates=templates,
        top=top,
        device=device,
        tell=tell,
    ):
        if as_json:
            click.echo(json.dumps({**row, **mark}))
        else:
            said = ", ".join(f"{p['class']} {100 * p['probability']:.1f} %" for p in row["top"])
            click.echo(f"{row['image']}: {said}")
