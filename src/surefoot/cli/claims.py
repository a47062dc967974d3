"""``surefoot claims``: every claim of the papers, asked of real images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from .common import say

__all__ = ["claims_command"]

_PARTS = ("pictograms", "cifar10", "pictograms-language", "theory", "cost")
"""As ``surefoot.claims.study.PARTS``, which imports torch; a test holds them equal."""


@click.command("claims")
@click.option(
    "--size",
    type=click.Choice(["small", "full"]),
    default="small",
    show_default=True,
    help="small: minutes, shows that everything works, no verdicts; full: hours.",
)
@click.option(
    "--out", default=None, help="Folder; a study there goes on.  [default: runs/claims-SIZE]"
)
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(_PARTS),
    help="A part of the study; may be repeated. All that can run, when left out.",
)
@click.option("--cifar10", type=click.Path(exists=True, path_type=Path), help="CIFAR-10's folder.")
@click.option(
    "--encoder",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Weights of timm's tf_efficientnet_lite0 for CIFAR-10.",
)
@click.option("--document", type=click.Path(path_type=Path), help="Also write Markdown there.")
@click.option(
    "--comments",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help='YAML, "2 pictograms: ...": what you think of an answer; shown beside it.',
)
@click.option("--json", "as_json", is_flag=True, help="What claims.json holds, on stdout.")
def claims_command(
    size: str,
    out: str | None,
    only: tuple[str, ...],
    cifar10: Path | None,
    encoder: Path | None,
    document: Path | None,
    comments: Path | None,
    as_json: bool,
) -> None:
    """Ask every claim of the papers on real images; stop and go on at will.

    Fine-tuning against zero-shot, WiSE-FT, LP-FT, FLYP, adapters tuned on language, the theory,
    the cost: each is decided by a rule that is written down (plan.json) before anything runs.
    CIFAR-10 takes part when its folder and an encoder are given. Writes claims.json and
    claims.html.
    """
    import yaml

    from ..claims.plan import full_plan, small_plan
    from ..claims.sets import Sources
    from ..claims.study import PARTS, run_claims
    from ..context import cap_threads
    from ..records import write_atomic
    from ..report.claims_page import claims_document, claims_page

    cap_threads()
    folder = Path(out or f"runs/claims-{size}")
    plan = full_plan() if size == "full" else small_plan()
    parts = only or tuple(p for p in PARTS if p != "cifar10" or (cifar10 and encoder))
    if "cifar10" not in parts:
        say("CIFAR-10 is left out: it needs --cifar10 DIR and --encoder FILE")
    result = run_claims(
        plan,
        folder,
        sources=Sources(cifar10, encoder),
        parts=parts,
        command=f"surefoot claims --size {size}"
        + (" --cifar10 DIR --encoder FILE" if "cifar10" in parts else ""),
        say=say,
    )
    said = {} if comments is None else yaml.safe_load(comments.read_text(encoding="utf-8"))
    write_atomic(folder / "claims.html", claims_page(result, said))
    if document is not None:
        write_atomic(document, claims_document(result, said))
    if as_json:
        click.echo(json.dumps(result))
    else:
        _print(result)
    say(f"numbers: {folder / 'claims.json'}")
    say(f"report: {folder / 'claims.html'}")


def _print(result: Mapping[str, Any]) -> None:
    for row in result["claims"]:
        if row["verdict"] == "does not apply":
            continue
        click.echo(f"{row['number']}  {row['set']:<20} {row['verdict']:<16} {row['text']}")
        for part in row["parts"]:
            low, middle, high = (100 * part[k] for k in ("low", "difference", "high"))
            click.echo(f"   {part['text']}: {middle:+.1f} points ({low:+.1f} to {high:+.1f})")
