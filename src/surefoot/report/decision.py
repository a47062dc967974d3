"""What to ship: chosen on ID validation, with what speaks against trusting it. No torch here.

Test sets and shifts choose nothing; what the chosen model is worth on them is told beside.
"""

from __future__ import annotations

import os
import shlex
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import RunError
from ..runs import Run, Study
from .candidates import Candidate, choose
from .doubts import doubts
from .findings import findings
from .gains import Gain, gains
from .gather import gather
from .names import base_of, group_label, metric_name, points, rule_name, signed
from .paired import Pairing
from .view import View

__all__ = ["UNDECIDED", "Decision", "decide", "decided", "write_decision"]

UNDECIDED = "What to ship cannot be said: no finished run was scored on ID validation."

SHIPPED = "shipped.safetensors"
"""Name of the file that the export command writes, in the study's folder."""


@dataclass(frozen=True)
class Decision:
    """Which model to ship, and why not to trust that.

    Attributes:
        folder: Of the study.
        run: Folder of the run that has the model.
        method: Its label.
        alpha: Position on its path; None where it has none.
        rule: By which alpha was chosen; "end" where it has no path.
        name: Method and alpha, for people.
        metric: Of ID validation.
        n: Images of ID validation.
        seeds: Of the chosen method.
        candidates: All that competed, the best first.
        tests: How many pairs of them were tested.
        start: Name of the pretrained model that ``gains`` are over; "" where there is none.
        gains: On ID test and under shift. Nothing was chosen by them.
        doubts: Why not to trust the choice, in sentences.
        answers: Whether the file answers by itself; not where neighbours do.

    Example:
        >>> found = sf.decide(sf.open_study("runs/demo"))
        >>> found
        Decision(Zero-shot, run demo)
        >>> print(found.command)
        surefoot export runs/demo --to safetensors -o runs/demo/shipped.safetensors
    """

    folder: Path
    run: Path
    method: str
    alpha: float | None
    rule: str
    name: str
    metric: str
    n: int
    seeds: int
    candidates: tuple[Candidate, ...] = field(repr=False)
    tests: int
    start: str
    gains: tuple[Gain, ...] = field(repr=False)
    doubts: tuple[str, ...] = field(repr=False)
    answers: bool = True

    def __repr__(self) -> str:
        return f"Decision({self.name}, run {self.run.name})"

    @property
    def tied(self) -> tuple[Candidate, ...]:
        """Those that cannot be told from the chosen one."""
        return tuple(c for c in self.candidates if c.verdict == "tied")

    @property
    def file(self) -> Path:
        """What the export command writes."""
        return self.folder / SHIPPED

    @property
    def command(self) -> str:
        """The command that writes the model into one file, as it is typed."""
        at = [] if self.alpha is None else ["--alpha", f"{self.alpha:.10g}"]
        words = ["surefoot", "export", _typed(self.run), *at, "--to", "safetensors", "-o"]
        return shlex.join([*words, _typed(self.file)])

    @property
    def code(self) -> str:
        """Four lines of Python that load the file and ask it about an image."""
        load = f"model = sf.load({_typed(self.file)!r})"
        if not self.answers:
            image = "image = Image.open('photo.jpg').convert('RGB')"
            return "\n".join((
                "import surefoot as sf; from PIL import Image", load, image,
                "features = model.features(model.spec.transform.eval()(image)[None])",
            ))  # fmt: skip
        return "\n".join((
            "import surefoot as sf", load, "for found in sf.classify(model, ['photo.jpg']):",
            "    print(found['image'], found['top'][0])",
        ))  # fmt: skip

    @property
    def how(self) -> str:
        """By what it was chosen."""
        first, n = self.candidates[0], f"{self.n:,}".replace(",", " ")
        at = "" if self.rule in ("end", "id_val") else f", α by {rule_name(self.rule)}"
        over = f", the mean of {self.seeds} seeds" if self.seeds > 1 else ""
        return (f"chosen on ID validation: {points(first.value)} % {metric_name(self.metric)} of "
                f"{n} images{over}{at}; no test set was asked")  # fmt: skip

    @property
    def tested(self) -> str:
        """How they were compared."""
        pairs = f"all {self.tests} pairs" if self.tests > 1 else "the pair"
        return f"{pairs} tested on the same images of ID validation (Holm)"

    @property
    def where(self) -> str:
        """In which run."""
        best = ", of its seeds the best on ID validation" if self.seeds > 1 else ""
        at = "" if self.alpha is None else f" at α = {self.alpha:.3g}"
        return f"run {self.run.name}{at}{best}"

    def text(self, width: int = 100) -> str:
        """For the terminal; commands and code are never broken."""
        lines = _filled([f"What to ship: {self.name}"], width, indent="")
        lines += _filled([f"{self.how}.", f"{self.where}."], width)
        for verdict, words in _VERDICTS.items():
            there = [_against(c) for c in self.candidates if c.verdict == verdict]
            lines += _filled([f"{words}: {'; '.join(there)}."] if there else [], width)
        if self.tests:
            lines += _filled([f"{self.tested}."], width)
        if self.gains:
            told = f"Against {self.start} (told, not chosen by):"
            lines += _filled([told], width, indent="")
            lines += _filled([f"{g}." for g in self.gains], width)
        lines += ["", "Why not to trust it:", *_filled([f"- {d}" for d in self.doubts], width)]
        use = _filled(["To write it into a file, and to use it:"], width, indent="")
        lines += ["", *use, self.command, "", self.code]
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """What decision.json holds; no place, since folders are moved."""
        return {
            "schema": 1,
            "run": os.path.relpath(self.run, self.folder),
            "method": self.method,
            "alpha": self.alpha,
            "alpha_by": self.rule,
            "name": self.name,
            "metric": self.metric,
            "images": self.n,
            "candidates": [_candidate(c) for c in self.candidates],
            "against": self.start,
            "gains": [_gain(g) for g in self.gains],
            "doubts": list(self.doubts),
        }


_VERDICTS = {
    "tied": "not told apart from it",
    "behind": "behind it",
    "untested": "lower, and not tested",
}


def write_decision(study: Study) -> None:
    """Keep what was decided in the study's folder (decision.json), where anything can be."""
    view = gather(study)
    pairing = Pairing(view)
    found = decided(study, view, pairing, findings(view, pairing).caveats)
    if found is not None:
        Run(study.path).write_json("decision.json", found.to_json())


def decide(study: Study) -> Decision:
    """Which model of a study to ship, by ID validation and paired tests alone.

    The pretrained model and every method, at the alpha that ID validation chose, are compared on
    the same validation images; the best is named, whatever its method, with all that it cannot be
    told from. Test sets are read for what it gains and costs, after it was chosen.

    Args:
        study: One run or several, from :func:`surefoot.open_study` or :func:`surefoot.fit`.

    Raises:
        RunError: No finished run was scored on ID validation.

    Example:
        >>> sf.decide(sf.open_study("runs/demo")).alpha is None
        True
    """
    view = gather(study)
    pairing = Pairing(view)
    found = decided(study, view, pairing, findings(view, pairing).caveats)
    if found is None:
        raise RunError(
            f"nothing in {study.path} can be chosen: no finished run was scored on ID validation",
            expected="a finished run, scored on the split 'val'",
            fix="finish it with --resume, or name a run and an alpha yourself",
        )
    return found


def decided(
    study: Study, view: View, pairing: Pairing, caveats: tuple[str, ...]
) -> Decision | None:
    """As :func:`decide`, of a study that was gathered already; None where nothing can be said."""
    choice = choose(view, pairing)
    if choice is None:
        return None
    e, val = choice.best.entry, view.split("val")
    start = view.start_of(e.group)
    start = None if start is None or start.key == e.key else start
    found = gains(view, pairing, e, start) if start is not None else ()
    facts = choice.run.facts
    method = str(facts.get("label") or facts.get("method") or "")
    if base_of(e.group) == "zero-shot":  # which may be kept as the start of another's path
        method = group_label("zero-shot")
    return Decision(
        study.path, choice.run.path, method,
        choice.alpha, choice.rule, choice.best.name, val.metric if val else "top1",
        val.n if val else 0, len(e.sources["val"]), choice.candidates, choice.tests,
        start.label if start is not None and found else "", found,
        doubts(view, choice, found, caveats), facts.get("evaluator", "head") != "knn",
    )  # fmt: skip


def _typed(path: Path) -> str:
    """A path that no command takes for an option."""
    text = os.fspath(path)
    return f"./{text}" if text.startswith("-") else text


def _filled(sentences: list[str], width: int, indent: str = "  ") -> list[str]:
    """Paragraphs, as long as the terminal is wide."""
    out = []
    for sentence in sentences:
        later = f"{indent}  " if sentence.startswith("- ") else indent
        out += textwrap.wrap(sentence, width, initial_indent=indent, subsequent_indent=later,
                             break_on_hyphens=False)  # fmt: skip
    return out


def _against(c: Candidate) -> str:
    """A candidate and how far it is from the chosen one."""
    if c.gap is None:
        return f"{c.name} ({points(c.value)} %)"
    reach = c.gap.interval
    ends = f", {signed(reach.low)} to {signed(reach.high)}" if reach else ", no interval"
    return f"{c.name} ({signed(c.gap.value)} points{ends})"


def _candidate(c: Candidate) -> dict[str, Any]:
    plain = {"name": c.name, "value": c.value, "verdict": c.verdict}
    if c.gap is None:
        return plain
    reach = c.gap.interval
    ends = {"low": reach.low, "high": reach.high} if reach else {}
    return {**plain, "difference": c.gap.value, **ends, "p_holm": c.gap.p}


def _gain(g: Gain) -> dict[str, Any]:
    ends = {"low": g.interval.low, "high": g.interval.high} if g.interval else {}
    return {"where": g.where, "value": g.here, "against": g.there, "difference": g.value, **ends,
            "verdict": g.verdict}  # fmt: skip
