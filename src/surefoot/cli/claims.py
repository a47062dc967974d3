"""``surefoot claims``: every claim of the papers, asked of real images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ..claims.plan import PARTS
from .common import say

__all__ = ["claims_command"]


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
    type=click.Choice(PARTS),
    help="A part of the study; may be repeated. All that can run, when left out.",
)
@click.option("--cifar10", type=click.Path(exists=True, path_type=Path), help="CIFAR-10's folder.")
@click.option(
    "--encoder",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Weights of timm's tf_efficientnet_lite0 for CIFAR-10.",
)
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    help="Trainings at once, each in a process with its share of the cores.  [default: one for "
    "each core, 8 at most; 1 with a GPU]",
)
@click.option(
    "--also",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The claims.json of another machine with the same plan: its answers stand for parts "
    "that were not run here.",
)
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A claims.json: run nothing, write its pages again.",
)
@click.option(
    "--document",
    type=click.Path(path_type=Path),
    help="Also write Markdown there, its pictures in a folder beside it.",
)
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
    jobs: int | None,
    also: tuple[Path, ...],
    source: Path | None,
    document: Path | None,
    comments: Path | None,
    as_json: bool,
) -> None:
    """Ask every claim of the papers on real images; stop and go on at will.

    Fine-tuning against zero-shot, WiSE-FT, LP-FT, FLYP, adapters tuned on language, the theory,
    the cost: each is decided by a rule that is written down (plan.json) before anything runs.
    CIFAR-10 takes part when its folder and an encoder are given. Writes claims.json and
    claims.html. A part that is finished is not run again: to measure the cost anew, delete
    cost.json and the folder cost, and call with --only cost on a machine that does nothing else.
    Several machines may each run some parts (--only); one of them takes up the others' claims.json
    (--also) and corrects over all claims.
    """
    if source is not None:
        result = _read(source)
    else:
        result = _run(size, Path(out or f"runs/claims-{size}"), only, cifar10, encoder, jobs, also)
    folder = Path(out) if out else None if source else Path(f"runs/claims-{size}")
    _write(result, folder, document, comments)
    if as_json:
        click.echo(json.dumps(result))
    else:
        _print(result)


def _run(
    size: str,
    folder: Path,
    only: tuple[str, ...],
    cifar10: Path | None,
    encoder: Path | None,
    jobs: int | None,
    also: tuple[Path, ...],
) -> dict[str, Any]:
    """Go on with the study in a folder, and decide."""
    from ..claims.plan import full_plan, small_plan
    from ..claims.sets import Sources
    from ..claims.study import run_claims
    from ..claims.workers import usual_jobs
    from ..context import cap_threads

    cap_threads()
    parts = only or tuple(p for p in PARTS if p != "cifar10" or (cifar10 and encoder))
    if "cifar10" not in parts and not only:
        say("CIFAR-10 is left out: it needs --cifar10 DIR and --encoder FILE")
    result = run_claims(
        full_plan() if size == "full" else small_plan(),
        folder,
        sources=Sources(cifar10, encoder),
        parts=parts,
        # What does all of it on one machine; the parts' machines are on record beside it.
        command=f"surefoot claims --size {size}"
        + (" --cifar10 DIR --encoder FILE" if (folder / "cifar10").is_dir() or also else ""),
        say=say,
        jobs=jobs or usual_jobs(),
        also=also,
    )
    say(f"numbers: {folder / 'claims.json'}")
    return result


def _read(source: Path) -> dict[str, Any]:
    """A study's claims.json.

    Raises:
        RunError: It is none.
    """
    from ..errors import RunError

    try:
        result = json.loads(source.read_text(encoding="utf-8"))
    except ValueError:
        result = None
    if not isinstance(result, dict) or not {"claims", "plan", "accuracy"} <= set(result):
        raise RunError(
            f"{source} is not what `surefoot claims` writes",
            expected="the claims.json of a study",
        )
    return result


def _write(
    result: Mapping[str, Any], folder: Path | None, document: Path | None, comments: Path | None
) -> None:
    """The page into the folder; document and pictures where they were asked for."""
    import yaml

    from ..records import write_atomic
    from ..report.claims_page import claims_document, claims_page
    from ..report.claims_pictures import claims_pictures

    said = {} if comments is None else yaml.safe_load(comments.read_text(encoding="utf-8"))
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / "claims.html", claims_page(result, said))
        say(f"report: {folder / 'claims.html'}")
    if document is not None:
        pictures = document.with_suffix("")
        pictures.mkdir(parents=True, exist_ok=True)
        for name, svg in claims_pictures(result).items():
            write_atomic(pictures / name, svg)
        write_atomic(document, claims_document(result, said, pictures=pictures.name))
        say(f"document: {document}, pictures in {pictures}")


def _print(result: Mapping[str, Any]) -> None:
    for row in result["claims"]:
        if row["verdict"] == "does not apply":
            continue
        click.echo(f"{row['number']}  {row['set']:<20} {row['verdict']:<16} {row['text']}")
        for part in row["parts"]:
            reach = "no interval"
            if part["low"] is not None:
                reach = f"{100 * part['low']:+.1f} to {100 * part['high']:+.1f}"
            click.echo(f"   {part['text']}: {100 * part['difference']:+.1f} points ({reach})")
