"""Gradient flow: the head alone in closed form, the whole network by an adaptive solver.

The loss is L(v, B) = ||X B^T v - X w*||^2 / n. The paper has no 1/n, which only rescales time.
No torch here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.integrate import DOP853

from ..errors import TrainingError
from .network import Floats, Network, Problem

__all__ = ["Flow", "Tolerance", "gradient_flow", "lp_flow", "lp_limit", "velocity"]


@dataclass(frozen=True)
class Tolerance:
    """How exactly a flow is followed, and to where.

    Attributes:
        relative: Of the solver, per step.
        absolute: Likewise.
        fitted: The training loss at which a flow has arrived.
        longest: The time by which it must have.
    """

    relative: float = 1e-10
    absolute: float = 1e-13
    fitted: float = 1e-16
    longest: float = 1e5


@dataclass
class Flow:
    """What was seen along a flow.

    Attributes:
        id: Loss at the times asked for, (t,).
        ood: Likewise under shift, (t,).
        end: The network where the flow arrived.
        time: When it arrived; infinite for a limit in closed form.
        lowest: The lowest OOD loss at any step or time asked for, start and end among them.
        lowest_time: When that was.
        moved: ||B - B0||_F at the end.
        moved_outside: The largest ||(B - B0) P||_F at any step, P the projection off S.
        drift: The largest change of v v^T - B B^T (Frobenius) at any step; 0 in exact arithmetic.
        steps: Of the solver.
    """

    id: Floats
    ood: Floats
    end: Network
    time: float = 0.0
    lowest: float = np.inf
    lowest_time: float = 0.0
    moved: float = 0.0
    moved_outside: float = 0.0
    drift: float = 0.0
    steps: int = 0

    def note(self, loss: float, time: float) -> None:
        """Remember the lowest OOD loss."""
        if loss < self.lowest:
            self.lowest, self.lowest_time = loss, time

    def look(self, problem: Problem, start: Network, at: Network, time: float) -> None:
        """Take down what is tracked at every step, against the start."""
        change = at.features - start.features
        self.note(problem.ood_loss(at.w), time)
        self.moved_outside = max(self.moved_outside, problem.outside(change))
        self.drift = max(self.drift, float(np.linalg.norm(at.conserved - start.conserved)))
        self.end, self.time, self.moved = at, time, float(np.linalg.norm(change))


def velocity(problem: Problem, v: Floats, features: Floats) -> tuple[Floats, Floats]:
    """(dv/dt, dB/dt), shapes (k,) and (k, d): minus the gradient of the training loss."""
    residual = problem.moment @ (features.T @ v - problem.w_star)
    return -2 * (features @ residual), np.outer(-2 * v, residual)


def gradient_flow(
    problem: Problem,
    start: Network,
    times: Sequence[float] | Floats = (),
    *,
    tolerance: Tolerance | None = None,
    solver: Any = DOP853,
) -> Flow:
    """Both layers follow the gradient from ``start`` until the training data are fitted.

    Args:
        problem: Truth and data.
        start: v (k,) and B (k, d); not altered.
        times: Ascending, (t,): where the curves are wanted. Times after the arrival have the
            losses of the end.
        tolerance: Of the solver, and when to stop.
        solver: One of scipy's adaptive solvers; Dormand and Prince's of order 8 by default.

    Raises:
        TrainingError: The solver gave up, or the data are not fitted by the longest time.
    """
    limits = tolerance or Tolerance()
    k, wanted = len(start.v), np.asarray(times, dtype=np.float64)
    flow = Flow(np.empty(len(wanted)), np.empty(len(wanted)), start)

    def network(state: Floats) -> Network:
        return Network(state[:k], state[k:].reshape(k, -1))

    def slope(_: float, state: Floats) -> Floats:
        at = network(state)
        dv, db = velocity(problem, at.v, at.features)
        return np.concatenate([dv, db.ravel()])

    steps = solver(
        slope,
        0.0,
        np.concatenate([start.v, start.features.ravel()]),
        limits.longest,
        rtol=limits.relative,
        atol=limits.absolute,
    )
    flow.look(problem, start, start, 0.0)
    done = 0
    while problem.train_loss(flow.end.w) > limits.fitted:
        if steps.status != "running":
            raise TrainingError(
                f"the gradient flow has a training loss of {problem.train_loss(flow.end.w):.1e} "
                f"at time {flow.time:g}",
                expected=f"at most {limits.fitted:g} by time {limits.longest:g}",
                fix="more inputs than dimensions (n well above m) make the flow faster",
            )
        steps.step()
        flow.steps += 1
        upto = int(np.searchsorted(wanted, steps.t, side="right"))
        if upto > done:
            between = steps.dense_output()
            states = [network(between(t)) for t in wanted[done:upto]]
            _fill(flow, problem, [s.w for s in states], wanted, done)
            done = upto
        flow.look(problem, start, network(steps.y.copy()), float(steps.t))
    _fill(flow, problem, [flow.end.w] * (len(wanted) - done), wanted, done)
    return flow


def _fill(flow: Flow, problem: Problem, ws: Sequence[Floats], times: Floats, at: int) -> None:
    """Write the losses of the functions ``ws`` into the curves, from place ``at``."""
    for i, w in enumerate(ws, at):
        flow.id[i], flow.ood[i] = problem.id_loss(w), problem.ood_loss(w)
        flow.note(float(flow.ood[i]), float(times[i]))


def lp_limit(problem: Problem, features: Floats) -> Floats:
    """Where the head alone arrives with features B (k, d) frozen: least squares, (k,).

    The minimiser is one point since k < m: no two directions of the features look alike on S.
    """
    found: Floats = np.linalg.lstsq(
        problem.inputs @ features.T, problem.inputs @ problem.w_star, rcond=None
    )[0]
    return found


def lp_flow(
    problem: Problem, features: Floats, head: Floats, times: Sequence[float] | Floats = ()
) -> Flow:
    """The head alone follows the gradient, features B (k, d) frozen; exact at every time.

    With M = B (X^T X / n) B^T the flow is v(t) = v_lp + exp(-2 M t) (v0 - v_lp).
    """
    limit = lp_limit(problem, features)
    rates, axes = np.linalg.eigh(features @ problem.moment @ features.T)
    wanted = np.asarray(times, dtype=np.float64)
    fading = np.exp(-2 * np.outer(wanted, rates)) * (axes.T @ (head - limit))
    flow = Flow(np.empty(len(wanted)), np.empty(len(wanted)), Network(limit, features), time=np.inf)
    flow.note(problem.ood_loss(features.T @ head), 0.0)
    _fill(flow, problem, [features.T @ (limit + axes @ f) for f in fading], wanted, 0)
    flow.note(problem.ood_loss(flow.end.w), np.inf)
    return flow
