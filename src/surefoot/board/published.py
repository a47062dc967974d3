"""The numbers that papers report, as this package carries them. No torch here.

``surefoot/published/*.csv`` with its README is the transcription; this module reads it and takes
method names apart ("WiSE-FT E2E opt a" is WiSE-FT, end to end, alpha chosen by the oracle).
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from importlib import resources

from .errors import BoardError

__all__ = ["MethodName", "PublishedSweep", "PublishedValue", "method_name", "sweeps", "values"]

_TABLES = ("results.csv", "dino_knn.csv")
_SWEEP_COLUMNS = {
    "IN": "ImageNet",
    "V2": "ImageNetV2",
    "R": "ImageNet-R",
    "Sketch": "ImageNet-Sketch",
    "ObjectNet": "ObjectNet",
    "A": "ImageNet-A",
    "avg_shifts": "avg_shifts",
}


@dataclass(frozen=True)
class PublishedValue:
    """One number in one cell of one paper's table.

    Attributes:
        paper: Short name and arXiv number, "WiSE-FT 2109.01903".
        table: "Table 1", or "" where it is not recorded.
        model: The encoder.
        method: As the table names it.
        setting: Further words of the table, such as "ID".
        column: Data set and metric as the table names them.
        value: As printed.
        provenance: "primary: ..." or "secondary: ...".
        file: Of the package.
        line: In that file, from 2.
    """

    paper: str
    table: str
    model: str
    method: str
    setting: str
    column: str
    value: str
    provenance: str
    file: str
    line: int

    @property
    def arxiv(self) -> str:
        """The arXiv number."""
        return self.paper.rpartition(" ")[2]

    @property
    def quality(self) -> str:
        """How it was read: "primary" or "secondary"."""
        return self.provenance.partition(":")[0]


@dataclass(frozen=True)
class PublishedSweep:
    """A published sweep over alpha.

    Attributes:
        model: The encoder, "ViT-B/16".
        mode: "e2e": the whole model was tuned.
        alphas: As printed.
        values: Column (as in :class:`PublishedValue`) -> value as printed, one per alpha.
        file: Of the package.
    """

    model: str
    mode: str
    alphas: tuple[str, ...]
    values: dict[str, tuple[str, ...]]
    file: str


@dataclass(frozen=True)
class MethodName:
    """A method as a table names it, taken apart.

    Attributes:
        model_name: Without encoder, alpha and mode: "WiSE-FT".
        method: On the board: "WiSE-FT", "Fine-tuning"; "" where the name says too little.
        setting: "end to end", "linear classifier", ...
        alpha: Fixed by the name; None otherwise.
        selection: "fixed", "oracle" or "" (not said, or there is no alpha).
        quoted: The number is another paper's, quoted: the CLIP paper's, marked "[Radford]".
    """

    model_name: str
    method: str
    setting: str = ""
    alpha: float | None = None
    selection: str = ""
    quoted: bool = False


_METHODS = {
    "Zero-shot": "Zero-shot classification",
    "Zeroshot": "Zero-shot classification",
    "Fine-tuned": "Fine-tuning",
    "FT": "Fine-tuning",
    "LP": "Linear probing",
    "Linear": "Linear probing",
    "kNN": "kNN classification",
    "LP-FT": "LP-FT",
    "FLYP": "FLYP",
    "WiSE-FT": "WiSE-FT",
}
_WORDS = {"E2E": "end to end", "LC": "linear classifier"}
_ALPHA = re.compile(r"\ba=(\d(?:\.\d+)?)$")
_ORACLE = re.compile(r"\bopt(?: a)?$")


def method_name(name: str) -> MethodName:
    """Take a method's name in the CSV files apart.

    Raises:
        BoardError: A name that no rule knows.
    """
    rest, selection, alpha, settings = name, "", None, []
    if found := _ALPHA.search(rest):
        rest, selection, alpha = rest[: found.start()].strip(), "fixed", float(found.group(1))
    elif found := _ORACLE.search(rest):
        rest, selection = rest[: found.start()].strip(), "oracle"
    quoted = rest.endswith("[Radford]")
    rest = rest.removesuffix("[Radford]").strip()
    if rest.endswith("(PyTorch)"):
        rest = rest.removesuffix("(PyTorch)").strip()
        settings.append("evaluated in PyTorch")
    base, _, mode = rest.partition(" ")
    if mode:
        if mode not in _WORDS:
            raise BoardError(f"the published method {name!r} cannot be taken apart")
        settings.insert(0, _WORDS[mode])
    if base not in _METHODS:
        raise BoardError(
            f"the published method {name!r} is not known", expected=f"one of {', '.join(_METHODS)}"
        )
    method = _METHODS[base]
    if method == "Fine-tuning" and mode == "LC":
        method = "Linear probing"  # only the head was trained
    shown = {"Zeroshot": "Zero-shot"}.get(base, base)
    return MethodName(shown, method, ", ".join(settings), alpha, selection, quoted)


def _rows(file: str) -> list[dict[str, str]]:
    path = resources.files("surefoot").joinpath("published").joinpath(file)
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def values() -> list[PublishedValue]:
    """Every number of the tables, in the files' order."""
    return [
        PublishedValue(
            row["paper"],
            row["table"],
            row["model"],
            row["method"],
            row["setting"],
            row["dataset_metric"],
            row["value"],
            row["provenance"],
            file,
            line,
        )
        for file in _TABLES
        for line, row in enumerate(_rows(file), 2)
    ]


def sweeps() -> list[PublishedSweep]:
    """The two sweeps of WiSE-FT over alpha."""
    file = "wise_ft_alpha_sweep.csv"
    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in _rows(file):
        groups.setdefault((row["model"], row["mode"]), []).append(row)
    return [
        PublishedSweep(
            model,
            mode,
            tuple(r["alpha"] for r in rows),
            {_SWEEP_COLUMNS[c]: tuple(r[c] for r in rows) for c in _SWEEP_COLUMNS},
            file,
        )
        for (model, mode), rows in groups.items()
    ]
