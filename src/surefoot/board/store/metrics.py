"""Which way is better, and how we know. A metric of unknown direction is never ranked.

The archive does not say. A direction is **declared** where this registry or a person says so for
that very name, **inferred** where the name's words leave no doubt ("Word Error Rate"), and
**unknown** otherwise ("Params", "Accuracy drop", "PSNR gap"). What is unknown may be told by the
**archive order**, in which the archive gave a board's rows (:meth:`~.store.Store.metric`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Literal

import yaml

from ..errors import BoardError
from .database import Database
from .text import fold

__all__ = ["Direction", "KnownFrom", "Metric", "Metrics", "built_in", "infer"]

Direction = Literal["higher", "lower", "unknown"]
KnownFrom = Literal["declared", "inferred", "archive order", "unknown"]


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


@cache
def built_in() -> dict[str, Metric]:
    """The metrics that this package declares, by their folded names."""
    text = resources.files(__package__).joinpath("metrics.yaml").read_text(encoding="utf-8")
    rows = yaml.safe_load(text)
    return {fold(name): Metric(name, way, "declared", *told) for name, way, *told in rows}


def infer(name: str) -> Metric:
    """A metric from its name alone: declared here, else inferred from its words, else unknown."""
    known = built_in().get(fold(name))
    if known is not None:
        return replace(known, name=name)
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

    def declared(self, name: str) -> bool:
        """Whether somebody said on this board what a metric is, if only that nobody knows."""
        sql = "SELECT 1 FROM metric WHERE fold = ? AND deleted IS NULL"
        return self.db.one(sql, fold(name)) is not None

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
