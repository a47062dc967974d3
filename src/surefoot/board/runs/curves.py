"""Curves over alpha from our own runs."""

from __future__ import annotations

from collections.abc import Sequence

from ..store.results import Curve, CurvePoint, Source
from ..store.store import Store
from ..store.text import digest
from .files import RunRow
from .scores import Placing, how_scored, metric_name

__all__ = ["curves_of"]


def curves_of(store: Store, rows: Sequence[RunRow], placing: Placing) -> list[Curve]:
    """One curve per run, method and evaluator: every split along the path.

    Scores at a few alphas that do not reach both ends (an evaluator that was asked only at the
    chosen ones) are no curve.
    """
    paths: dict[tuple[str, str, str], list[RunRow]] = {}
    for row in rows:
        s = row.score
        if s.selection == "none" and s.alpha is not None:
            paths.setdefault((row.run, s.method, s.evaluator), []).append(row)
    return [
        _curve(store, run, name, points, placing)
        for (run, name, _), points in paths.items()
        if {0.0, 1.0} <= {r.score.alpha for r in points}
    ]


def _curve(store: Store, run: str, name: str, rows: list[RunRow], placing: Placing) -> Curve:
    first = rows[0]
    wise = store.methods.find(registry_name="wise-ft")
    backbone = placing.backbone or str(first.facts.get("model", ""))
    points = []
    for row in rows:
        s = row.score
        scale = 1.0 if s.metric == "nll" else 100.0
        points.append(
            CurvePoint(
                float(s.alpha or 0.0),
                f"{placing.dataset or row.dataset}: {s.split}",
                metric_name(s.metric),
                f"{scale * s.value:.2f}",
                scale * s.value,
                scale * s.low if s.reach else None,
                scale * s.high if s.reach else None,
                s.n,
            )
        )
    key = (first.score.recipe or run, first.score.seed, name, first.score.evaluator)
    label, day = str(first.facts.get("label") or name), str(first.facts.get("date", ""))
    how = how_scored(first.score)
    return Curve(
        digest("curve", *key, [(p.dataset, p.alpha, p.value) for p in points]),
        ", ".join(w for w in (f"WiSE-FT of {label}", backbone, how) if w),
        "measured",
        tuple(points),
        Source("run", run=run, recipe=first.score.recipe, date=day),
        method_id=wise.id if wise else None,
        backbone=backbone,
        setting=how,
        toy=any(r.toy for r in rows),
    )
