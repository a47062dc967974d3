"""Which way is better, and how we know. A metric of unknown direction is never ranked.

The archive does not say. A direction is **declared** where this registry or a person says so for
that very name, **inferred** where the name's words leave no doubt ("Word Error Rate"), and
**unknown** otherwise ("Params", "Accuracy drop", "PSNR gap").
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ..errors import BoardError
from .database import Database
from .text import fold

__all__ = ["Direction", "KnownFrom", "Metric", "Metrics", "built_in", "infer"]

Direction = Literal["higher", "lower", "unknown"]
KnownFrom = Literal["declared", "inferred", "unknown"]


@dataclass(frozen=True)
class Metric:
    """A metric.

    Attributes:
        name: As asked for.
        direction: Which way is better.
        known_from: How the direction is known.
        unit: "%": points of a hundred; "" not known.
        note: What it is.
    """

    name: str
    direction: Direction = "unknown"
    known_from: KnownFrom = "unknown"
    unit: str = ""
    note: str = ""

    @property
    def ranked(self) -> bool:
        """Whether results may be put in an order."""
        return self.direction != "unknown"


_DECLARED: dict[str, tuple[Direction, str, str]] = {
    "Top-1 Accuracy": ("higher", "%", "share of images whose first guess is right"),
    "Top 1 Accuracy": ("higher", "%", "share of images whose first guess is right"),
    "Top-5 Accuracy": ("higher", "%", "share of images with the label among five guesses"),
    "Top 5 Accuracy": ("higher", "%", "share of images with the label among five guesses"),
    "Accuracy": ("higher", "%", "share of examples that are right"),
    "Percentage correct": ("higher", "%", "share of examples that are right"),
    "Mean per-class accuracy": ("higher", "%", "accuracy of each class, averaged over classes"),
    "Macro F1": ("higher", "%", "F1 of each class, averaged over classes"),
    "Worst-region accuracy": ("higher", "%", "accuracy of the worst region"),
    "Worst-group accuracy": ("higher", "%", "accuracy of the worst group"),
    "pm-0 Accuracy": ("higher", "%", "accuracy on anchor frames"),
    "pm-10 Accuracy": ("higher", "%", "worst accuracy within ten frames of each anchor"),
    "Average accuracy": ("higher", "%", "mean of the accuracies of several sets"),
    "kNN Accuracy": ("higher", "%", "top-1 of a k-nearest-neighbour classifier"),
    "Expected calibration error": ("lower", "%", "mean gap of confidence and accuracy"),
    "Negative log-likelihood": ("lower", "", "mean of -log p(label)"),
    "mAP": ("higher", "", "mean average precision"),
    "mIoU": ("higher", "", "mean intersection over union"),
    "Mean IoU": ("higher", "", "mean intersection over union"),
    "FID": ("lower", "", "Frechet inception distance"),
    "BLEU score": ("higher", "", ""),
    "BLEU": ("higher", "", ""),
    "ROUGE-L": ("higher", "", ""),
    "PSNR": ("higher", "", "peak signal-to-noise ratio"),
    "SSIM": ("higher", "", "structural similarity"),
    "LPIPS": ("lower", "", "learned perceptual distance"),
    "EM": ("higher", "", "exact match"),
    "AUC": ("higher", "", "area under the curve"),
    "AUROC": ("higher", "", "area under the ROC curve"),
    "MAE": ("lower", "", "mean absolute error"),
    "MSE": ("lower", "", "mean squared error"),
    "RMSE": ("lower", "", "root mean squared error"),
}

_HIGHER = re.compile(
    r"\b(accuracy|acc|acc\.|f1|f1-score|precision|recall|auroc|auc|map|m?iou|bleu|rouge|psnr|ssim"
    r"|dice|ndcg|mrr|ap\d*|hits?@\d+|r@\d+|recall@\d+)\b"
)
_LOWER = re.compile(
    r"\b(error|errors|loss|perplexity|ppl|wer|cer|per|rmse|mae|mse|nll|eer|fid|fvd|lpips)\b"
)
_DOUBT = re.compile(
    r"\b(drop|gap|gain|reduction|improvement|difference|delta|relative|change|ratio|vs|versus|std"
    r"|variance|forgetting|params|parameters|flops|size|time|number)\b"
)


def _built() -> dict[str, Metric]:
    return {
        fold(name): Metric(name, direction, "declared", unit, note)
        for name, (direction, unit, note) in _DECLARED.items()
    }


_BUILT = _built()


def built_in() -> list[Metric]:
    """The metrics that this package declares."""
    return list(_BUILT.values())


def infer(name: str) -> Metric:
    """A metric from its name alone: declared here, else inferred from its words, else unknown."""
    known = _BUILT.get(fold(name))
    if known is not None:
        return Metric(name, known.direction, "declared", known.unit, known.note)
    words = fold(name).replace("_", " ")
    up, down = bool(_HIGHER.search(words)), bool(_LOWER.search(words))
    if _DOUBT.search(words) or up == down:
        return Metric(name)
    return Metric(name, "higher" if up else "lower", "inferred")


class Metrics:
    """The registry of one board: what people declared there wins over what the package knows.

    Args:
        db: The open file.
    """

    def __init__(self, db: Database) -> None:
        self.db = db

    def get(self, name: str) -> Metric:
        """A metric of any name; one that nobody knows has direction "unknown"."""
        row = self.db.one("SELECT * FROM metric WHERE fold = ? AND deleted IS NULL", fold(name))
        if row is None:
            return infer(name)
        return Metric(name, row["direction"], row["known_from"], row["unit"], row["note"])

    def declare(
        self, name: str, direction: Direction, *, unit: str = "", note: str = "", why: str = ""
    ) -> Metric:
        """Say which way a metric is better.

        Args:
            name: As tables spell it; case does not matter.
            direction: "higher", "lower", or "unknown" to stop it from being ranked.
            unit: "%" for points of a hundred.
            note: What it is.
            why: Goes into the history.

        Raises:
            BoardError: Another direction.
        """
        if direction not in ("higher", "lower", "unknown"):
            raise BoardError(
                f"{direction!r} is no direction of {name!r}", expected="higher, lower or unknown"
            )
        known = "unknown" if direction == "unknown" else "declared"
        values = {"name": name, "direction": direction, "known_from": known, "unit": unit,
                  "note": note}  # fmt: skip
        row = self.db.one("SELECT id FROM metric WHERE fold = ?", fold(name))
        if row is None:
            self.db.insert("metric", {**values, "fold": fold(name)}, note=why)
        else:
            self.db.update("metric", row["id"], {**values, "deleted": None}, note=why)
        return self.get(name)

    def used(self) -> list[Metric]:
        """Every metric that a living result has, by name."""
        rows = self.db.all(
            "SELECT DISTINCT metric FROM result WHERE deleted IS NULL ORDER BY metric"
        )
        return [self.get(r["metric"]) for r in rows]
