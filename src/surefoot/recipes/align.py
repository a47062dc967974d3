"""Language supervision of a vision encoder, looked at by kNN along the path: a whole study.

For every adapter, control and seed: train on image-text pairs, then score every theta(alpha)
between the pretrained and the tuned encoder by k nearest neighbours, bank and queries embedded
anew. With ``out`` it is a study folder like any other, which `surefoot report` draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path as File
from tempfile import TemporaryDirectory
from typing import Any

from ..context import RunContext, cap_threads
from ..data.captions import PairsSubset, caption_table, class_prompts, pairs_subset
from ..data.dataset import Split, Task
from ..errors import RunError
from ..evals.knn import require_ranking
from ..inventory import Inventory
from ..models.model import Model
from ..models.text_encoders import TextEncoder, text_encoder
from ..predictions import Predictions
from ..records import Origin, Score, write_atomic
from ..runs import Run, Study, open_study, refuse_existing
from ..weights.fingerprint import fingerprint
from .align_compare import Comparison, Fitted, compare
from .align_spec import AlignSpec
from .experiment import Experiment
from .inventory import take_inventory
from .job import Job

__all__ = ["AlignSpec", "Aligned", "Fitted", "align", "alignment"]

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Aligned:
    """What :func:`align` found.

    Attributes:
        fits: In the order of methods within seeds.
        comparisons: Paired differences, each method to the pretrained encoder and to its
            controls.
        facts: Pairs (count, hash of ids, label information), text encoder, kNN protocol.
        study: The folder, where one was asked for.
    """

    fits: tuple[Fitted, ...]
    comparisons: tuple[Comparison, ...]
    facts: Mapping[str, Any]
    study: Study | None = None

    def results(self) -> dict[tuple[str, int, float, str], tuple[Predictions, Score]]:
        """(method key, seed, alpha, split) -> predictions and score, of every point."""
        return {
            (fit.key, fit.seed, alpha, split): (said, fit.score(alpha, split))
            for fit in self.fits
            for (alpha, split), said in fit.predictions.items()
        }


def align(
    start: Model,
    pairs: Split,
    task: Task,
    spec: AlignSpec | None = None,
    *,
    text: TextEncoder | None = None,
    out: str | File | None = None,
    resume: bool = False,
    context: RunContext | None = None,
    batch_size: int | None = None,
    command: str = "",
    say: Say | None = None,
    inventory: Inventory | None = None,
) -> Aligned:
    """Train on pairs, then see what nearest neighbours say at every alpha.

    Test sets and shifts of the task are queries only; alpha is chosen by kNN on its validation
    split.

    Args:
        start: The pretrained encoder; left as it is.
        pairs: Images with captions, or with labels, whose class names then become prompts.
        task: ``train`` is the bank of neighbours and needs labels; ``val``, ``test`` and
            ``shifts`` are the queries.
        spec: What to do; the defaults of :class:`AlignSpec` when left out.
        text: The encoder that ``spec.text`` names, where it is in memory already.
        out: A new study folder; None keeps nothing on disk.
        resume: Go on in a folder that is there; finished runs are read, not made again.
        context: Device, precision, progress, workers.
        batch_size: Images per forward pass in evaluation; None: by device and image size.
        command: As typed, for the record.
        say: Takes lines for people.
        inventory: Of data and model, for the record; None: it is taken.

    Raises:
        RunError: The folder exists and ``resume`` was not asked for, or belongs to another study.
        ModelError: The encoder has no place for an adapter, or the text encoder is none.
        DataError: The pairs have no captions, or the bank no labels.
    """
    spec = spec or AlignSpec()
    with TemporaryDirectory(prefix="surefoot-align-") as thrown_away:
        experiment = alignment(
            start, pairs, task, spec, text=text, out=out or File(thrown_away) / "study",
            resume=resume, context=context, batch_size=batch_size, command=command, say=say,
            inventory=inventory,
        )  # fmt: skip
        experiment.run_all()
        folder = experiment.folder
        fits = [Fitted.of(Run(folder / n), m) for n, (_, m, _) in spec.members().items()]
        compared = tuple(compare(fits))
        facts = Run(folder).read_json("align.json")
        if out is None:
            return Aligned(tuple(fits), compared, facts)
    Run(folder).write_json("comparisons.json", [c.to_json() for c in compared])
    experiment.finish(
        replace(task, notes=(*task.notes, *facts["notes"])),
        title=f"Language supervision of {facts['model']}", model=facts["model"],
        headline_method=fits[0].key, align={**facts, **spec.to_dict()},
        inventory=next(iter(experiment.jobs.values())).facts["inventory"],
    )  # fmt: skip
    return Aligned(tuple(fits), compared, facts, open_study(folder))


def alignment(
    start: Model,
    pairs: Split,
    task: Task,
    spec: AlignSpec,
    *,
    out: str | File,
    text: TextEncoder | None = None,
    resume: bool = True,
    context: RunContext | None = None,
    batch_size: int | None = None,
    command: str = "",
    say: Say | None = None,
    inventory: Inventory | None = None,
) -> Experiment:
    """The study as an experiment: a job for every adapter, control and seed.

    Several processes may have one each, with ``resume``, and run single jobs of it; :func:`align`
    with the same arguments then reads them and writes the study. Arguments and errors as there.
    """
    cap_threads()
    task.train.require_labels()
    require_ranking(shift.metric for shift in task.scored().values())
    say = say or (lambda line: None)
    part = pairs_subset(_captioned(pairs, task), spec.pairs, seed=spec.pairs_seed)
    encoder, folder = text or text_encoder(spec.text), File(out)
    facts = _facts(start, part, task, encoder, spec)
    _settle_folder(folder, facts, part, resume)
    memo = {f"text:{spec.text}": encoder, "captions": folder / "captions"}
    context = replace(context or RunContext(), memo=memo, resume=resume)
    apart = None if pairs is task.train else part.split
    known = (inventory or take_inventory(task, start, pairs=apart)).to_json()
    jobs = {
        name: Job(
            method, method.label(), Origin(key, seed=seed, recipe=facts["recipe"]), start, task,
            spec.look(batch_size), context, seed=seed, training=_training(task, part.split),
            trial=spec.trial, facts={"evaluator": "knn", "align": facts, "inventory": known},
        )
        for name, (key, method, seed) in spec.members().items()
    }  # fmt: skip
    return Experiment(folder, jobs, command, say)


def _captioned(pairs: Split, task: Task) -> Split:
    """The pairs; prompts stand in for captions where there are none."""
    if pairs.captions is not None:
        return pairs
    same = pairs.class_names == task.class_names
    names = task.names_in_prompts if same else None
    return class_prompts(pairs, task.templates, prompt_names=names)


def _training(task: Task, pairs: Split) -> Task:
    """The task whose training split is the pairs; labels of other classes are left out."""
    if pairs.class_names != task.class_names:
        pairs = replace(pairs, labels=None, class_names=())
    return replace(task, train=pairs)


def _facts(
    start: Model, part: PairsSubset, task: Task, encoder: TextEncoder, spec: AlignSpec
) -> dict[str, Any]:
    """What the numbers depend on, and what the reader must know."""
    table = caption_table(part.split)
    facts = {
        "model": start.spec.name,
        "model_saw_text": start.spec.saw_text,
        "weights": fingerprint(start.encoder),
        "pairs": len(part.split),
        "pairs_source": part.split.source,
        "pairs_sha256": part.sha256,
        "captions": len(table.texts),
        "captions_repeat": table.repeats,
        "label_share": table.label_share,
        "text": encoder.name,
        "text_saw_images": encoder.saw_images,
        "text_fingerprint": encoder.fingerprint(),
        "k": spec.k,
        "protocol": spec.protocol,
        "bank": len(task.train),
    }
    splits = {n: s.split.manifest().sha256 for n, s in task.scored().items()}
    data = [part.split.manifest().sha256, task.train.manifest().sha256, splits]
    recipe = spec.hash(facts=facts, data=data)
    looked_at = (part.split, task.train, *(s.split for s in task.scored().values()))
    content = [split.manifest().rows for split in looked_at]
    return {**facts, "notes": _notes(facts, encoder), "recipe": recipe, "content": content}


def _notes(facts: Mapping[str, Any], encoder: TextEncoder) -> list[str]:
    """Sentences for the report."""
    notes = [
        f"language supervision: {facts['pairs']:,} pairs, {facts['captions']:,} distinct captions",
        encoder.note(),
        f"scores are of k nearest neighbours, k = {facts['k']}, a bank of {facts['bank']:,} "
        "images; bank and queries are embedded anew at every alpha",
    ]
    share = facts["label_share"]
    if share:
        notes.append(
            f"{100 * share:.0f} % of the images have a caption that names their class: "
            "label information"
        )
    if facts["model_saw_text"] is None:
        notes.append(f"whether {facts['model']} has seen text before is unknown")
    elif facts["model_saw_text"]:
        notes.append(f"{facts['model']} has seen text before: not what this study is about")
    return notes


def _settle_folder(folder: File, facts: Mapping[str, Any], part: PairsSubset, resume: bool) -> None:
    """Make the study's folder, or check that it is this study's; the id list goes into it."""
    if not resume:
        refuse_existing(folder)
    there = {p.name for p in folder.iterdir()} if folder.exists() else set()
    if there:
        kept = Run(folder).read_json("align.json")
        # Looked at in this order: another process may be writing the two files just now, or was
        # stopped between them.
        begun = {n for n in there if n == "pairs.txt" or n.endswith(".part")}
        if kept is None and there <= begun:
            kept = facts
        same = kept is not None and kept.get("content", facts["content"]) == facts["content"]
        if kept is None or not same or kept["recipe"] != facts["recipe"]:
            raise RunError(
                f"{folder} was made with other settings, pairs, data or weights",
                expected=f"the study described in {folder / 'align.json'}",
                fix="resume with those, or choose another folder",
            )
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / "pairs.txt", "\n".join(part.ids) + "\n")
    Run(folder).write_json("align.json", dict(facts))
