"""``surefoot align``: weak language supervision of a vision encoder, looked at by kNN."""

from __future__ import annotations

import sys
import time
from typing import Any

import click

from .common import (
    alphas_option,
    data_options,
    device_options,
    say,
    seeds_of,
    show,
    typed,
    typed_here,
)
from .scored import task_of_options, told

__all__ = ["align_command"]

_ADAPTERS = ("film", "film-all", "token-replay", "last-blocks", "none")

_SMALL = {"alphas": 5, "epochs": 6, "pairs": 800, "limit": 150, "controls": ("shuffled",)}
"""Built-in data, nothing else said: two to three minutes on two cores."""

_FULL = {"alphas": 11, "epochs": 20, "pairs": None, "limit": None,
         "controls": ("shuffled", "random")}  # fmt: skip


# A plain string: click reads the control character \b ("do not wrap"), which a raw one lacks.
_HELP = """Teach a vision encoder by captions, and see what its neighbours say at every alpha.

\b
surefoot align --model tiny-dino           built-in icons, two to three minutes
\b
surefoot align --model timm:vit_base_patch16_224.dino \\
    --text sentence:all-MiniLM-L6-v2 --n-pairs 10000 \\
    --pairs coco:captions_train2017.json:train2017 \\
    --train DIR --test DIR --shift NAME=DIR          on your own images

--train is the bank of neighbours; --val, --test and --shift are the queries. On the built-in
pictograms the captions are the icons' own names, which mostly name the class: label information.
"""


@click.command("align", help=_HELP)
@click.option(
    "--model",
    required=True,
    help="The vision encoder: tiny-dino, timm:NAME, a file, a run.",
)
@click.option(
    "--pairs",
    "pairs_spec",
    metavar="SPEC",
    help="Image-text pairs: a table with a column caption, coco:FILE.json:FOLDER, wds:SHARDS, or "
    "labelled images, whose class names become prompts. Default: the training images.",
)
@click.option("--n-pairs", type=click.IntRange(1), help="At most so many pairs, seeded.")
@click.option(
    "--text",
    default="tiny-clip",
    show_default=True,
    help="Frozen text encoder: sentence:FOLDER, or a model with a text tower (flagged).",
)
@click.option(
    "--adapter",
    "adapters",
    multiple=True,
    type=click.Choice(_ADAPTERS),
    help="What trains; any number. Default: film and token-replay (our reading).",
)
@click.option(
    "--control",
    "controls",
    multiple=True,
    type=click.Choice(["shuffled", "random", "none"]),
    help="Train each adapter on shuffled captions or random vectors too. Default: both.",
)
@data_options(train=False)
@alphas_option()
@click.option("--k", type=click.IntRange(1), default=20, show_default=True, help="Neighbours.")
@click.option(
    "--protocol",
    type=click.Choice(["auto", "dino", "model"]),
    default="auto",
    show_default=True,
    help="Transform of kNN: dino (256 to 224 px), the model's own, or by the model.",
)
@click.option("--epochs", type=click.IntRange(1), help="Passes over the pairs; 20.")
@click.option("--lr", type=click.FloatRange(0, min_open=True), help="Peak learning rate; 1e-3.")
@click.option("--batch", type=click.IntRange(2), help="Pairs per optimiser step; 256.")
@click.option("--seeds", default="0", show_default=True, help="One or more, comma-separated.")
@click.option("--full", is_flag=True, help="On built-in data: everything, not the small default.")
@click.option("--out", help="A new folder for the study; default runs/align-MODEL.")
@click.option("--resume", is_flag=True, help="Go on in a folder that is there.")
@device_options()
def align_command(model: str, out: str | None, resume: bool, **options: Any) -> None:
    """Train on pairs, walk the path with kNN, print the table, write the report."""
    from ..context import RunContext
    from ..models.load import load
    from ..recipes.align import align

    began = time.perf_counter()
    options = _filled(options)
    spec = _spec(options)
    start = load(model)
    task, given = _data(options)
    apart = None if given is task.train else given
    classes = len(task.class_names)
    head = f"none: {options['k']} nearest neighbours in train, all {classes} classes"
    methods = [m for _, m, _ in spec.members().values()][:1]
    found = told(options, task, start, head=head, pairs=apart, prompts=(), methods=methods)
    context = RunContext(
        device=options["device"], progress=sys.stderr.isatty(), workers=options["workers"]
    )
    done = align(
        start,
        given,
        task,
        spec,
        out=out or f"runs/align-{model.replace(':', '-').replace('/', '-')}",
        resume=resume,
        context=context,
        batch_size=options["batch_size"],
        command=typed(),
        say=say,
        inventory=found,
    )
    notes = [f"note: {note}" for note in done.facts["notes"]]
    show(done.study, began, "", *_compared(done, options["k"]), *notes)


def _filled(options: dict[str, Any]) -> dict[str, Any]:
    """The small default where built-in data are asked for and nothing else."""
    own = any(options[n] for n in ("train", "val", "test", "shift", "pairs_spec"))
    wanted = _FULL if own or options["full"] else _SMALL
    controls = [c for c in options["controls"] if c != "none"]
    return {
        **options,
        "train": options["train"] or "pictograms",
        "alphas": options["alphas"] if typed_here("alphas") else wanted["alphas"],
        "epochs": options["epochs"] or wanted["epochs"],
        "n_pairs": options["n_pairs"] or wanted["pairs"],
        "limit": options["limit"] or wanted["limit"],
        "controls": tuple(controls) if typed_here("controls") else wanted["controls"],
        "cut_bank": typed_here("limit"),
    }


def _spec(options: dict[str, Any]) -> Any:
    """Options -> AlignSpec."""
    from dataclasses import replace

    from ..methods.film import ADAPTERS
    from ..recipes.align import AlignSpec

    asked = {"epochs": options["epochs"], "lr": options["lr"], "batch_size": options["batch"]}
    schedule = replace(ADAPTERS, **{name: v for name, v in asked.items() if v})
    alphas = options["alphas"]
    return AlignSpec(
        text=options["text"],
        adapters=tuple(dict.fromkeys(options["adapters"])) or ("film", "token-replay"),
        controls=tuple(dict.fromkeys(options["controls"])),
        schedule=schedule,
        pairs=options["n_pairs"],
        alphas=alphas if isinstance(alphas, int) else tuple(alphas),
        seeds=tuple(seeds_of(options["seeds"])),
        k=options["k"],
        protocol=options["protocol"],
        trial=options["limit"] is not None,
    )


def _data(options: dict[str, Any]) -> tuple[Any, Any]:
    """The task, and the pairs."""
    from ..data.captions import read_pairs

    task = task_of_options({**options, "limit": None})
    given, spec = task.train, options["pairs_spec"]
    if spec is not None:
        given = read_pairs(spec, templates=task.templates, skip_missing=options["skip_bad"])
    limit = options["limit"]
    return task.subset(train=limit if options["cut_bank"] else None, evaluation=limit), given


def _compared(done: Any, k: int) -> list[str]:
    """The tuned ends and the fixed alpha against the pretrained encoder and the controls."""
    labels = {fit.key: fit.method.label() for fit in done.fits}
    lines = [f"kNN (k = {k}) accuracy, difference in points with its paired 95 % interval"]
    for c in done.comparisons:
        if c.split not in ("test", "mean over shifts") or c.rule == "id_val":
            continue
        other = "pretrained" if c.other == "pretrained" else labels[c.other].rpartition(", ")[2]
        alpha = "1" if c.rule == "end" else "fixed"
        what = f"{labels[c.method]}, α {alpha}, against {other}, {c.split}"
        mark = "" if c.significant else "  not significant"
        reach = "no interval"
        if c.low is not None and c.high is not None:
            reach = f"{100 * c.low:+.1f} to {100 * c.high:+.1f}"
        lines.append(f"  {100 * c.difference:+6.1f} ({reach})  {what}{mark}")
    limits = dict.fromkeys(words for c in done.comparisons for words in c.says[2:])
    return [*lines, *limits]
