"""A run is a folder; a study is a folder of runs. No torch here, so reports re-render anywhere.

::

    RUN/
      recipe.yaml        what was asked, complete: `surefoot fit recipe.yaml` does it again
      env.json           versions, machine, seed, command
      run.json           status ("running", "finished", "trial", "interrupted"), method, seed, task,
                         the inventory of what went in
      log.jsonl          one line per logged step, and per epoch: with accuracy on ID validation
      scores.jsonl       one Score per line: every alpha, and the selected ones
      selections.jsonl   one Selection per line
      predictions/       <split>@<alpha>.npz; of kNN in predictions/knn/
      start.json         the pretrained end: its source and hash (or start.safetensors)
      end.safetensors    the tuned end, whole, with what rebuilds it
      checkpoints/       last.pt of the training loop, removed when finished
      decision.json      of a lone run: as in a study
      report.html

    STUDY/               several runs on one task, side by side
      study.json         title, task facts (class names, split sizes, notes), the inventory, members
                         in order, and which of them failed
      examples.json      images on which the models disagree
      decision.json      which run and alpha to ship, by ID validation, and why not to trust it
      <member>/          one run each, named METHOD or METHOD-s<seed>
      report.html
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .atomic import file_stem
from .display import Table, data_frame, shown
from .errors import RunError
from .predictions import Predictions
from .records import Curve, Score, read_jsonl, write_atomic, write_jsonl
from .select import Selection

__all__ = ["Clock", "Run", "Selection", "Status", "Study", "open_study", "prediction_file",
           "refuse_existing"]  # fmt: skip

Status = Literal["running", "finished", "trial", "interrupted"]


def prediction_file(split: str, alpha: float | None, evaluator: str = "head") -> str:
    """File name of the predictions of one split at one alpha."""
    prefix = "" if evaluator == "head" else f"{evaluator}/"
    return f"{prefix}{file_stem(split)}@{'end' if alpha is None else format(alpha, '.4g')}.npz"


@dataclass
class Clock:
    """Seconds by stage, for run.json and the benchmark of bookkeeping."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        """Add the time of a block to a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - began
            self.seconds[stage] = self.seconds.get(stage, 0.0) + spent


def refuse_existing(folder: Path, what: str = "folder") -> None:
    """Nothing is overwritten.

    Raises:
        RunError: The folder exists and is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise RunError(
            f"the {what} {folder} exists already",
            expected="a new folder, so that nothing is overwritten",
            fix="choose another with --out, remove it, or go on in it with --resume",
        )


class Run:
    """Reads and writes one run folder.

    Args:
        path: The folder.

    Example:
        >>> run = sf.Run.open("runs/demo")
        >>> run.status, run.facts["method"]
        ('trial', 'zero-shot')
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, path: str | Path, facts: Mapping[str, Any], *, resume: bool = False) -> Run:
        """Make the folder.

        Args:
            path: Must not exist, or be empty, unless ``resume``.
            facts: Goes to run.json beside the status: method, seed, task, model.
            resume: Go on in a folder that is there.

        Raises:
            RunError: The folder exists and is not empty; or resume is asked of a finished run.
        """
        run = cls(path)
        if not resume:
            refuse_existing(run.path, "run folder")
        (run.path / "predictions").mkdir(parents=True, exist_ok=True)
        run.set_status("running", **facts)
        return run

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """Open a run folder for reading.

        Raises:
            RunError: There is none.
        """
        run = cls(path)
        if not (run.path / "run.json").is_file():
            raise RunError(
                f"{path} is not a run folder (it has no run.json)",
                expected="a folder that `surefoot fit` made",
            )
        return run

    def __repr__(self) -> str:
        if not (self.path / "run.json").is_file():
            return f"Run({self.path}, not begun)"
        facts = self.facts
        return f"Run({self.path}: {facts.get('method')}, {facts['status']})"

    @property
    def facts(self) -> dict[str, Any]:
        """run.json: status, method, seed, task, model and more."""
        facts: dict[str, Any] = json.loads((self.path / "run.json").read_text())
        return facts

    @property
    def splits(self) -> dict[str, dict[str, Any]]:
        """Name of a split -> what run.json says about it; {} where it says nothing."""
        return _splits(self.facts)

    @property
    def status(self) -> Status:
        """Where the run stands."""
        status: Status = self.facts["status"]
        return status

    @property
    def done(self) -> bool:
        """Whether there is nothing left to do: finished, or a trial."""
        return (self.path / "run.json").is_file() and self.status in ("finished", "trial")

    @contextmanager
    def alive(self, *, trial: bool) -> Iterator[Clock]:
        """While a run is carried out; gives its clock.

        Afterwards the status is "finished" ("trial" of limited data), or "interrupted" where an
        exception or Ctrl-C ended it early.
        """
        clock = Clock()
        try:
            yield clock
        except BaseException:
            self.set_status("interrupted", seconds=clock.seconds)
            raise
        self.set_status("trial" if trial else "finished", seconds=clock.seconds)

    def set_status(self, status: Status, **facts: Any) -> None:
        """Change the status, and any other facts."""
        old = self.facts if (self.path / "run.json").is_file() else {}
        self.write_json("run.json", {**old, **facts, "status": status, "schema": 1})

    def require_same_images(self, facts: Mapping[str, Any]) -> None:
        """Refuse to go on with other images than those that the run was begun with.

        Args:
            facts: As :meth:`create` takes them; runs of before kept no content, only names.

        Raises:
            RunError: A split has other images, or the same under other names or labels.
        """
        kept = self.facts if (self.path / "run.json").is_file() else {}
        mine, theirs = (_splits(f) for f in (kept, facts))
        for name in mine.keys() & theirs.keys():
            for fact, what in (("rows", "images"), ("manifest", "names or labels")):
                values = [split.get(fact) for split in (mine[name], theirs[name])]
                if None not in values and values[0] != values[1]:
                    raise RunError(
                        f"{self.path} was begun with other {what} of {name!r} than there are now",
                        expected="the same images under the same names, with the same labels",
                        fix="resume with those, or begin anew in another folder (--out)",
                    )

    def write_json(self, name: str, data: Any) -> None:
        """Write one JSON file of the folder, atomically."""
        write_atomic(self.path / name, json.dumps(data, indent=1) + "\n")

    def read_json(self, name: str) -> Any:
        """Read one JSON file of the folder; None where it is missing."""
        path = self.path / name
        return json.loads(path.read_text()) if path.is_file() else None

    def write_scores(self, scores: Sequence[Score]) -> None:
        """Write every score, replacing what was there."""
        write_jsonl(self.path / "scores.jsonl", [s.to_json() for s in scores])

    def scores(self) -> list[Score]:
        """Every score of the run; empty if none were made yet."""
        path = self.path / "scores.jsonl"
        return [Score.from_json(row) for row in read_jsonl(path)] if path.is_file() else []

    def write_selections(self, selections: Sequence[Selection]) -> None:
        """Write how each rule chose alpha."""
        write_jsonl(self.path / "selections.jsonl", [asdict(s) for s in selections])

    def selections(self) -> list[Selection]:
        """How each rule chose alpha."""
        path = self.path / "selections.jsonl"
        return [Selection(**row) for row in read_jsonl(path)] if path.is_file() else []

    def save_predictions(
        self, predictions: Predictions, alpha: float | None, evaluator: str = "head"
    ) -> None:
        """Keep the predictions of one split at one alpha."""
        name = prediction_file(predictions.split, alpha, evaluator)
        (self.path / "predictions" / name).parent.mkdir(parents=True, exist_ok=True)
        predictions.save(self.path / "predictions" / name)

    def predictions(
        self, split: str, alpha: float | None, evaluator: str = "head"
    ) -> Predictions | None:
        """Stored predictions; None where they were not kept."""
        path = self.path / "predictions" / prediction_file(split, alpha, evaluator)
        return Predictions.load(path) if path.is_file() else None

    def curve(self, evaluator: str = "head") -> Curve | None:
        """Scores along the path, from the rows with selection "none" and an alpha.

        ``correct`` holds the splits whose predictions were kept at every alpha.
        """
        table: dict[str, dict[float, Score]] = {}
        for s in self.scores():
            if s.alpha is not None and s.selection == "none" and s.evaluator == evaluator:
                table.setdefault(s.split, {})[s.alpha] = s
        if not table:
            return None
        alphas = tuple(sorted({alpha for rows in table.values() for alpha in rows}))
        scores = {k: tuple(v[a] for a in alphas) for k, v in table.items() if len(v) == len(alphas)}
        correct = {}
        for split in scores:
            kept = [self.predictions(split, a, evaluator) for a in alphas]
            if all(p is not None for p in kept):
                correct[split] = np.stack([p.correct() for p in kept if p is not None])
        first = next(iter(next(iter(table.values())).values()))
        return Curve(first.method, alphas, scores, correct, first.seed)


def _splits(facts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Name of a split -> what run.json says about it; {} where it says nothing."""
    task = facts.get("task")
    found = task.get("splits") if isinstance(task, dict) else None
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True, repr=False)
class Study:
    """Several runs on one task.

    Attributes:
        path: Its folder, or the folder of the only run.
        title: For the report.
        facts: study.json: task facts, notes, command, timings; {} for a lone run.
        runs: In order.
    """

    path: Path
    title: str
    facts: Mapping[str, Any]
    runs: tuple[Run, ...]

    def __repr__(self) -> str:
        names = ", ".join(run.path.name for run in self.runs[:6])
        more = f", ... ({len(self.runs)} in all)" if len(self.runs) > 6 else ""
        return f"Study({self.path}: {names}{more})"

    def scores(self) -> list[Score]:
        """Every score of every run."""
        return [score for run in self.runs for score in run.scores()]

    def table(self) -> Table:
        """A row per tuned model and per rule that chose an alpha, a column per split, in percent.

        The oracle looked at test sets: its rows are no results.
        """
        rows: dict[tuple[str, ...], dict[str, Score]] = {}
        for score in self.scores():
            if score.selection != "none":
                seed = "" if score.seed is None else str(score.seed)
                at = "" if score.alpha is None else f"{score.alpha:g}"
                key = (score.method, score.evaluator, seed, score.selection, at)
                rows.setdefault(key, {})[score.split] = score
        splits = list(dict.fromkeys(split for found in rows.values() for split in found))
        cells = [
            (*key, *(shown(found[s].metric, found[s].value) if s in found else "-" for s in splits))
            for key, found in rows.items()
        ]
        columns = ("method", "evaluator", "seed", "alpha by", "alpha", *splits)
        return Table(columns, tuple(cells), self.title)

    def to_frame(self) -> Any:
        """A ``pandas.DataFrame`` with a row per score, columns as a Score's fields and "run".

        Raises:
            MissingDependency: pandas is not installed.
        """
        return data_frame(
            {"run": run.path.name, **score.to_json()} for run in self.runs for score in run.scores()
        )

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    @property
    def decision(self) -> dict[str, Any] | None:
        """What ``surefoot.decide`` chose when the study was made: the run to ship, alpha, doubts.

        As decision.json keeps it; None where there is none.
        """
        found: dict[str, Any] | None = Run(self.path).read_json("decision.json")
        return found

    def examples(self) -> list[dict[str, Any]]:
        """Images on which the models disagree (examples.json); [] if none were kept.

        Each: split, id, label, image (a ``data:`` URI), predictions (model name -> class name).
        """
        path = self.path / "examples.json"
        return json.loads(path.read_text()) if path.is_file() else []


def open_study(*paths: str | Path) -> Study:
    """Open a study folder, one run, or several runs and studies as one study.

    Raises:
        RunError: A path is neither a run nor a study.

    Example:
        >>> study = sf.open_study("runs/demo")
        >>> study.table().columns[:5]
        ('method', 'evaluator', 'seed', 'alpha by', 'alpha')
    """
    first = Path(paths[0])
    if len(paths) == 1 and (first / "study.json").is_file():
        facts = json.loads((first / "study.json").read_text())
        return Study(first, facts.get("title", first.name), facts, tuple(_members(first)))
    found = [run for path in paths for run in _members(Path(path))]
    runs = tuple({run.path.resolve(): run for run in found}.values())  # each once
    several = "comparison of " + ", ".join(Path(p).name for p in paths)
    title = first.name if len(paths) == 1 else several
    return Study(first, title, runs[0].facts.get("task", {}), runs)


def _members(path: Path) -> list[Run]:
    """The runs of a study, or the one run that a folder is."""
    manifest = path / "study.json"
    if not manifest.is_file():
        return [Run.open(path)]
    return [Run.open(path / name) for name in json.loads(manifest.read_text())["members"]]
