"""The experiment: every seed, eps and method, and what they say about the five statements.

No torch here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
from scipy.integrate import RK45

from .flow import Flow, Tolerance, gradient_flow, lp_flow
from .network import Floats, Network, Problem, Setting, draw_problem, ft_floor
from .statements import Method, Row, finite, judge

__all__ = ["METHODS", "TIMES", "run_study"]

SCHEMA = 1
METHODS: tuple[Method, ...] = ("lp", "ft", "lp-ft")
TIMES: Floats = np.round(np.logspace(-2, 3, 61), 6)
"""When the curves are taken; the paths are watched at every step besides."""

PAPER = "arXiv 2202.10054, section 3"
COARSE = Tolerance(relative=1e-7, absolute=1e-10, fitted=1e-12)


def run_study(
    setting: Setting | None = None, *, each: Callable[[int], None] | None = None
) -> dict[str, Any]:
    """Run the experiment; the same setting gives the same numbers.

    Args:
        setting: Sizes, eps and seeds.
        each: Called with the number of seeds done, after each.

    Returns:
        JSON-able: ``setting``, ``statements`` (:class:`Statement`), ``rows`` (:class:`Row`, one
        per seed, eps and method), ``curves`` (``times`` (t,), and per eps and method the losses
        ``id`` and ``ood``, (seeds, t)), ``integration`` (how far the solver can be trusted).

    Raises:
        TrainingError: A flow did not arrive.
    """
    chosen = setting or Setting()
    rows: list[Row] = []
    curves: dict[tuple[float, Method], dict[str, list[list[float]]]] = {
        (e, m): {"id": [], "ood": []} for e in chosen.eps for m in METHODS
    }
    apart = []
    for seed in range(chosen.seeds):
        problem = draw_problem(chosen, seed)
        for eps in chosen.eps:
            flows = run_methods(problem, eps)
            for method, flow in flows.items():
                rows.append(_row(problem, seed, eps, method, flow))
                curves[eps, method]["id"].append(_short(flow.id))
                curves[eps, method]["ood"].append(_short(flow.ood))
        apart.append(solver_difference(problem, chosen.eps[-1], flows["ft"]))
        if each:
            each(seed + 1)
    return {
        "schema": SCHEMA,
        "paper": PAPER,
        "setting": asdict(chosen),
        "statements": [asdict(s) for s in judge(chosen, rows)],
        "rows": [asdict(r) for r in rows],
        "curves": {
            "times": TIMES.tolist(),
            "rows": [{"eps": e, "method": m, **lines} for (e, m), lines in curves.items()],
        },
        "integration": _integration(rows, apart),
    }


def run_methods(problem: Problem, eps: float) -> dict[Method, Flow]:
    """LP, FT and LP-FT from the same features B0 and, the first two, the same head v0."""
    features = problem.pretrained(eps)
    probe = lp_flow(problem, features, problem.head, TIMES)
    return {
        "lp": probe,
        "ft": gradient_flow(problem, Network(problem.head, features), TIMES),
        "lp-ft": gradient_flow(problem, probe.end, TIMES),
    }


def solver_difference(problem: Problem, eps: float, flow: Flow) -> float:
    """The largest relative difference of FT's OOD curve to that of another solver.

    Another order and a thousand times the tolerance take steps of quite another size; what
    agrees between the two does not depend on the step.
    """
    start = Network(problem.head, problem.pretrained(eps))
    other = gradient_flow(problem, start, TIMES, tolerance=COARSE, solver=RK45)
    return float(np.max(np.abs(other.ood / flow.ood - 1)))


def _row(problem: Problem, seed: int, eps: float, method: Method, flow: Flow) -> Row:
    w = flow.end.w
    return Row(
        seed=seed,
        eps=eps,
        method=method,
        id_end=problem.id_loss(w),
        ood_end=problem.ood_loss(w),
        train_end=problem.train_loss(w),
        ood_lowest=flow.lowest,
        lowest_time=finite(flow.lowest_time),
        time=finite(flow.time),
        moved=flow.moved,
        moved_outside=flow.moved_outside,
        drift=flow.drift,
        floor=ft_floor(problem, eps) if method == "ft" else None,
    )


def _integration(rows: list[Row], apart: list[float]) -> dict[str, Any]:
    tolerance = Tolerance()
    return {
        "solver": "Dormand-Prince 8(5,3), adaptive (scipy DOP853); LP in closed form",
        "relative_tolerance": tolerance.relative,
        "absolute_tolerance": tolerance.absolute,
        "fitted_at_training_loss": tolerance.fitted,
        "largest_drift_of_the_conserved_quantity": max(r.drift for r in rows),
        "other_solver": f"Dormand-Prince 5(4) (scipy RK45), tolerance {COARSE.relative:g}",
        "largest_relative_difference_to_it": max(apart),
    }


def _short(values: Floats) -> list[float]:
    """Six digits: enough for a drawing, and a third of the file."""
    return [float(f"{v:.5e}") for v in values]
