"""Which cell of a run a published row speaks of: how papers' names map onto ours. No torch here."""

from __future__ import annotations

from dataclasses import dataclass

from ..published import Published
from .measured import Measured

__all__ = ["RowMeant", "rows_meant"]

_HEAD_ONLY = (
    "another training of the head: the paper's is fine-tuned by AdamW from the zero-shot head, "
    "ours is logistic regression"
)


@dataclass(frozen=True)
class RowMeant:
    """One of our cells that a published row may mean.

    Attributes:
        labels: Names of our methods, any of which; empty: any (the pretrained model).
        stage: "start", "end" or "mixed".
        selections: Ways of choosing alpha, any of which; empty: any.
        alpha: Where alpha must be; None: anywhere.
        evaluator: "head" or "knn".
        why: Why the two can never be compared, though they belong side by side; or "".
    """

    labels: tuple[str, ...]
    stage: str
    selections: tuple[str, ...] = ()
    alpha: float | None = None
    evaluator: str = "head"
    why: str = ""

    def is_of(self, cell: Measured) -> bool:
        """Does a measured cell fit?"""
        label = "Zero-shot" in self.labels and cell.label == "Zero-shot"
        start = self.stage == "start" and (cell.stage == "start" or label)
        return (
            cell.evaluator == self.evaluator
            and (start or cell.stage == self.stage)
            and (start or not self.labels or cell.label in self.labels)
            and (start or not self.selections or cell.selection in self.selections)
            and (start or self.alpha is None or cell.alpha == self.alpha)
        )


_ZERO = RowMeant(("Zero-shot",), "start")
_E2E, _LC, _HEAD = ("FT",), ("LP",), ("FT (head only)",)
_FT_RANDOM = ("FT (random head)",)


def _mixed(labels: tuple[str, ...], rule: str, why: str = "") -> RowMeant:
    return RowMeant(labels, "mixed", (rule,), 0.5 if rule == "fixed" else None, why=why)


_ROWS: dict[str, dict[str, tuple[RowMeant, ...]]] = {
    "2109.01903": {
        "Zero-shot": (_ZERO,),
        "Zero-shot (PyTorch)": (_ZERO,),
        "Fine-tuned E2E": (RowMeant(_E2E, "end"),),
        "Fine-tuned": (RowMeant(_E2E, "end"),),
        "Fine-tuned LC": (RowMeant(_HEAD, "end"), RowMeant(_LC, "end", why=_HEAD_ONLY)),
        "WiSE-FT E2E a=0.5": (_mixed(_E2E, "fixed"),),
        "WiSE-FT a=0.5": (_mixed(_E2E, "fixed"),),
        "WiSE-FT E2E opt a": (_mixed(_E2E, "oracle"),),
        "WiSE-FT opt": (_mixed(_E2E, "oracle"),),
        "WiSE-FT LC a=0.5": (_mixed(_HEAD, "fixed"), _mixed(_LC, "fixed", _HEAD_ONLY)),
        "WiSE-FT LC opt a": (_mixed(_HEAD, "oracle"), _mixed(_LC, "oracle", _HEAD_ONLY)),
    },
    "2202.10054": {
        "FT": (RowMeant(_FT_RANDOM, "end"),),
        "LP": (RowMeant(_LC, "end"),),
        "LP-FT": (RowMeant(("LP-FT",), "end"),),
    },
    "2212.00638": {
        "Zeroshot": (_ZERO,),
        "FT": (RowMeant(_E2E, "end"),),
        "LP-FT": (RowMeant(("LP-FT",), "end"),),
        "FLYP": (RowMeant(("FLYP",), "end"),),
    },
    "2104.14294": {
        "kNN": (RowMeant((), "start", evaluator="knn"), RowMeant((), "end", evaluator="knn")),
        "Linear": (RowMeant(_LC, "end"),),
    },
}
_ENSEMBLED = "with WiSE ensembling"
_UNKNOWN_RULE = "how the paper chose alpha is not transcribed; ours is chosen on ID validation"


def rows_meant(number: Published) -> tuple[RowMeant, ...]:
    """What of ours a published number may be compared with; empty where nothing is."""
    rows = _ROWS.get(number.paper.rpartition(" ")[2], {})
    if number.setting == _ENSEMBLED:
        labels = {"FLYP": ("FLYP",), "LP-FT": ("LP-FT",)}.get(number.method)
        return () if labels is None else (_mixed(labels, "id_val", _UNKNOWN_RULE),)
    return rows.get(number.method, ())
