"""Scores along a path, by any evaluator, with each image decoded once for all alphas."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import replace
from functools import partial
from tempfile import SpooledTemporaryFile
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import processes
from ..data.dataset import Shift, Split, Task
from ..data.loading import make_loader
from ..errors import AlphaError, ClassMismatch, DataError
from ..evals.evaluate import Answer, answers, check_evaluator
from ..evals.linear import linear
from ..evals.predict import package
from ..evals.score import score
from ..evals.votes import KS
from ..features import encoder_fingerprint
from ..models.heads import Head
from ..models.model import Model
from ..predictions import Predictions
from ..records import Curve, Origin, Score
from ..weights import check_alpha, fingerprint
from .adaptive import narrowed
from .batchnorm import chunks
from .path import Path

__all__ = ["Along", "alpha_grid", "output_ensemble", "sweep"]

Along = Literal["head", "knn", "linear"]
"""Evaluators along a path: the path's heads, neighbours, or a probe fitted anew at every alpha."""

Refit = Callable[[Model, float], Head]
Keep = Callable[[float, Predictions], None]

_IN_MEMORY = 8 * 2**20
"""Bytes of logits held in memory; more go to a temporary file."""

SMALL = 16 * 2**20
"""Logits of all splits above which the start's answers are not kept for other sweeps."""


def alpha_grid(n: int | Sequence[float] = 11) -> tuple[float, ...]:
    """Evenly spaced alphas, n of them, from 0 to 1; a list is returned as it is.

    The paper's grid is n = 21 (arXiv 2109.01903, section 3).

    Raises:
        AlphaError: n is below 2.
    """
    if not isinstance(n, int):
        return tuple(n)
    if n < 2:
        raise AlphaError(f"a grid of {n} alphas has no two ends", expected="2 or more")
    return tuple(i / (n - 1) for i in range(n))


def sweep(
    path: Path,
    task: Task | Mapping[str, Shift],
    *,
    evaluator: Along = "head",
    adaptive: bool = False,
    alphas: int | Sequence[float] | None = None,
    method: str = "wise-ft",
    seed: int | None = None,
    recipe: str = "",
    fixed: float = 0.5,
    device: torch.device | str | None = None,
    on_predictions: Keep | None = None,
    progress: Callable[[int, int], None] | None = None,
    memo: MutableMapping[str, Any] | None = None,
    **options: Any,
) -> Curve:
    """Evaluate a path (WiSE-FT's curve, arXiv 2109.01903, figure 1).

    "head": images are decoded once: a chunk within the memory budget is kept while the weights of
    every alpha are mixed in place and run over it. Where the encoder is the same at both ends (a
    linear probe), features are extracted once and only heads are mixed. Numbers equal those of
    ``path.at(alpha)`` evaluated alone. Several processes look at a share of the images each.
    "linear": the same with a probe that is fitted at every alpha. "knn": bank and queries are
    embedded anew at every alpha (Caron et al., arXiv 2104.14294, section 4.1); a bank that was
    embedded once would compare two encoders with each other.

    Args:
        path: From start to end.
        task: Its validation, test and shifts are scored; or any shifts by name ("head" only).
        evaluator: How logits are made.
        adaptive: Score ID validation only where a rule could choose alpha and the other splits
            only at the ends and at what was chosen (:func:`~.adaptive.narrowed`).
        alphas: How many, or which; sorted, without repeats.
        method: Goes into the scores: "wise-ft(ft)".
        seed: Likewise.
        recipe: Likewise.
        fixed: The alpha of the rule "fixed", for ``adaptive``.
        device: Where to compute; the end's device when left out.
        on_predictions: Called with every (alpha, predictions), alphas ascending: split by split,
            or all splits at each alpha for "knn".
        progress: Called with (done, in all): forward passes of one image by this process, or
            alphas for "knn".
        memo: Where sweeps from one start leave what it said, which saves its forward passes.
        **options: ``batch_size`` (256), ``workers``; of "head" and "linear" ``decode_budget``
            (bytes of decoded images held at a time) and ``refit`` (gives the head at an alpha
            from the model there); of "knn" ``k``, ``ks``, ``protocol``.

    Returns:
        One score per split and alpha; ``correct`` for the splits scored by top1.

    Raises:
        AlphaError: An alpha is outside [0, 1] without leave, or there is none.
        UnknownName: No such evaluator.
        ClassMismatch: A split has other classes than the head.
        ModelError: The models have no head.
        DataError: An evaluator other than "head" without a task.
    """
    check_evaluator(evaluator, ("head", "knn", "linear"))
    given = alpha_grid(11 if alphas is None else alphas)
    grid = tuple(sorted({check_alpha(a, extrapolate=path.extrapolate) for a in given}))
    if not grid:
        raise AlphaError("there is no alpha to evaluate", expected="one or more")
    whole = task if isinstance(task, Task) else None
    shifts = task.scored() if isinstance(task, Task) else dict(task)
    asked = _Asked(path, whole, evaluator, device, memo, progress, options)
    origin = Origin(method, evaluator, seed=seed, recipe=recipe)
    if adaptive:
        return narrowed(partial(_curve, asked, origin), shifts, grid, fixed, on_predictions)
    return _curve(asked, origin, shifts, grid, on_predictions)


def _curve(
    asked: _Asked,
    origin: Origin,
    shifts: Mapping[str, Shift],
    grid: tuple[float, ...],
    keep: Keep | None,
) -> Curve:
    """Scores of these splits at these alphas."""
    scores: dict[str, list[Score]] = {name: [] for name in shifts}
    right: dict[str, list[NDArray[np.bool_]]] = {}
    for alpha, (said, extra) in asked.along(shifts, grid):
        row = score(said, origin=replace(origin, alpha=alpha, extra=extra))
        scores[said.split].append(row)
        if said.metric == "top1":
            right.setdefault(said.split, []).append(said.correct())
        if keep is not None:
            keep(alpha, said)
    table = {name: tuple(rows) for name, rows in scores.items()}
    correct = {name: np.stack(rows) for name, rows in right.items()}
    return Curve(origin.method, grid, table, correct, origin.seed)


class _Asked:
    """What is asked at every alpha, and how."""

    def __init__(
        self,
        path: Path,
        task: Task | None,
        evaluator: Along,
        device: torch.device | str | None,
        memo: MutableMapping[str, Any] | None,
        progress: Callable[[int, int], None] | None,
        options: Mapping[str, Any],
    ) -> None:
        self.path, self.task, self.evaluator, self.device = path, task, evaluator, device
        self.memo, self.progress, self.options = memo, progress, dict(options)
        if evaluator == "linear":
            self.options["refit"] = self._probe

    def along(
        self, shifts: Mapping[str, Shift], grid: tuple[float, ...]
    ) -> Iterator[tuple[float, Answer]]:
        """(alpha, what is said there); the start is not asked again where a memo knows."""
        key = self._key(shifts) if grid[0] == 0 else None
        known = None if key is None or self.memo is None else self.memo.get(key)
        rest = grid if known is None else grid[1:]
        found = self._neighbours if self.evaluator == "knn" else self._heads
        new: dict[str, Answer] = {}
        for alpha, answer in found(shifts, rest, known or {}):
            if alpha == 0 and key is not None:
                new[answer[0].split] = answer
            yield alpha, answer
        if key is not None and self.memo is not None:
            self.memo.setdefault(key, new)

    def _heads(
        self, shifts: Mapping[str, Shift], grid: tuple[float, ...], known: Mapping[str, Answer]
    ) -> Iterator[tuple[float, Answer]]:
        """Split by split: every image goes through all models while it is there."""
        options = {"batch_size": 256, "workers": 0, "decode_budget": 16 * 2**20, **self.options}
        walk = _Walk(self.path, grid, self.device, options.get("refit"), options["workers"])
        walk.require_classes(shifts)
        total = sum(_mine(s.split) for s in shifts.values()) * len(grid)
        ticker = _Ticker(self.progress, total)
        for name, shift in shifts.items():
            loader = make_loader(
                shift.split, walk.model.spec.transform.eval(), workers=options["workers"],
                batches=processes.my_batches(len(shift.split), options["batch_size"]),
                device=walk.model.device,
            )  # fmt: skip
            images = (batch["image"] for batch in loader)
            if name in known:
                yield 0.0, known[name]
            for alpha, said in walk.predictions(shift, images, options["decode_budget"], ticker):
                yield alpha, (said, {})

    def _neighbours(
        self, shifts: Mapping[str, Shift], grid: tuple[float, ...], known: Mapping[str, Answer]
    ) -> Iterator[tuple[float, Answer]]:
        """Alpha by alpha: the bank is embedded at each."""
        path = self.path.on(self.path.end.device if self.device is None else self.device)
        path.calibrate(grid, workers=self.options.get("workers", 0))
        mixed, options = path.working_copy(), {"ks": KS, **self.options, "device": self.device}
        yield from ((0.0, known[name]) for name in shifts if name in known)
        for done, alpha in enumerate(grid, 1):
            # The plain start: an adapter as it is initialised would only cost time.
            model = path.origin if alpha == 0 else path.mix_(mixed, alpha)
            for answer in answers(model, self.task, shifts, "knn", **options):
                yield alpha, answer
            if self.progress is not None:
                self.progress(done, len(grid))

    def _probe(self, model: Model, alpha: float) -> Head:
        """A probe on the features of one alpha."""
        if self.task is None:
            raise DataError("a probe at every alpha needs a whole task, and got splits only",
                            expected="a Task, with its training split")  # fmt: skip
        names = ("batch_size", "workers", "c_path", "max_iter", "patience")
        passed = {name: self.options[name] for name in names if name in self.options}
        return linear(model, self.task, device=self.device, **passed).require_head()

    def _key(self, shifts: Mapping[str, Shift]) -> str | None:
        """Names all that the start's answers depend on; None where they are not kept.

        With another head policy it is not the start's own head that answers at alpha 0.
        """
        if self.memo is None or self.evaluator == "linear" or "refit" in self.options:
            return None
        neighbours = self.evaluator == "knn"
        size = sum(len(s.split) * len(s.split.class_names) for s in shifts.values())
        if size > SMALL or not (neighbours or self.path.head == "interpolate"):
            return None
        start = self.path.origin if neighbours else self.path.start
        splits = {
            name: [s.split.manifest().sha256, s.metric, repr(s.classes), repr(s.groups)]
            for name, s in shifts.items()
        }
        options = {k: v for k, v in self.options.items() if k not in ("workers", "decode_budget")}
        bank = self.task.train.manifest().sha256 if neighbours and self.task is not None else ""
        facts = [
            encoder_fingerprint(start), "" if neighbours else fingerprint(start),
            start.spec.transform.to_json(), splits, bank, self.evaluator, str(self.device), options,
        ]  # fmt: skip
        text = json.dumps(facts, sort_keys=True, default=str)
        return f"start:{hashlib.sha256(text.encode()).hexdigest()}"


def _mine(split: Split) -> int:
    """How many of a split's images this process looks at."""
    share = processes.share(len(split))
    return int(share.stop - share.start)


def output_ensemble(start: Predictions, end: Predictions, alpha: float) -> Predictions:
    """(1 - alpha) start + alpha end in logits: what WiSE-FT is compared with (section 5).

    It costs two forward passes per image where mixed weights cost one.

    Args:
        start: Predictions of the pretrained model, logits (n, classes).
        end: Of the tuned one, on the same images.
        alpha: From 0 to 1.

    Raises:
        AlphaError: alpha is outside [0, 1].
        DataError: The predictions are of other images or classes.
    """
    alpha = check_alpha(alpha)
    if start.ids != end.ids or start.class_names != end.class_names:
        what = "images" if start.ids != end.ids else "classes"
        raise DataError(
            f"predictions on {start.split!r} and {end.split!r} are of different {what}",
            expected="two models' predictions on one split, in one order",
        )
    if alpha in (0.0, 1.0):
        return start if alpha == 0 else end
    mixed = (1 - alpha) * start.logits.astype(np.float64) + alpha * end.logits.astype(np.float64)
    return replace(end, logits=mixed.astype(np.float32))


class _Walk:
    """One working model that is set to each alpha in turn, chunk after chunk."""

    def __init__(
        self,
        path: Path,
        alphas: tuple[float, ...],
        device: torch.device | str | None,
        refit: Refit | None,
        workers: int,
    ) -> None:
        self.alphas = alphas
        self.path = path.on(path.end.device if device is None else device)
        self.path.calibrate(alphas, workers=workers)
        self.model = self.path.working_copy()
        self.heads: dict[float, Head] = {}
        if refit is None and path.head == "text":
            refit = _written
        for alpha in alphas if refit is not None else ():
            assert refit is not None
            self.heads[alpha] = refit(path.at(alpha), alpha).to(self.model.device).eval()

    def require_classes(self, shifts: Mapping[str, Shift]) -> None:
        """Every split must have the classes of the head, in its order."""
        heads = list(self.heads.values()) or [self.model.require_head()]
        for name, shift in shifts.items():
            for head in heads:
                if head.class_names != shift.split.class_names:
                    raise ClassMismatch(
                        f"the split {name!r} has other classes than the head of "
                        f"{self.model.spec.name}",
                        expected=f"{len(head.class_names)} classes in this order: "
                        f"{', '.join(head.class_names[:12])}",
                        fix="join the classes by a class map: Shift.of(..., class_map=...)",
                    )

    def predictions(
        self, shift: Shift, batches: Iterable[Tensor], budget: int, ticker: _Ticker
    ) -> Iterator[tuple[float, Predictions]]:
        """(alpha, predictions) of one split, alphas ascending."""
        n, classes = _mine(shift.split), len(shift.split.class_names)
        size = n * classes * 4
        with SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
            row = 0
            for chunk in chunks(batches, budget):
                for number, logits in enumerate(self._logits(chunk, ticker)):
                    spool.seek(number * size + row * classes * 4)
                    spool.write(logits.tobytes())
                row += sum(len(b) for b in chunk)
            for number, alpha in enumerate(self.alphas):
                spool.seek(number * size)
                flat = np.frombuffer(bytearray(spool.read(size)), dtype=np.float32)
                logits = processes.joined(flat.reshape(n, classes), len(shift.split))
                yield alpha, package(shift, logits)

    def _logits(self, chunk: list[Tensor], ticker: _Ticker) -> Iterator[NDArray[np.float32]]:
        """Logits (n, classes) of one chunk at every alpha."""
        moving = self.path.encoder_moves
        with torch.inference_mode():
            inputs = [b.to(self.model.device, non_blocking=True) for b in chunk]
            if not moving:
                inputs = [self.model.features(b) for b in inputs]
        for alpha in self.alphas:
            self.path.mix_(self.model, alpha)
            head = self.heads.get(alpha) or self.model.require_head()
            parts = []
            for batch in inputs:
                with torch.inference_mode():
                    features = self.model.features(batch) if moving else batch
                    parts.append(head(features).float().cpu())
                ticker.step(len(batch))
            yield torch.cat(parts).numpy()


def _written(model: Model, alpha: float) -> Head:
    """The head that ``path.at`` had the text tower write."""
    return model.require_head()


class _Ticker:
    """Counts image forward passes and tells whoever asked."""

    def __init__(self, progress: Callable[[int, int], None] | None, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0

    def step(self, count: int) -> None:
        """Some more images are done."""
        self.done += count
        if self.progress is not None:
            self.progress(self.done, self.total)
