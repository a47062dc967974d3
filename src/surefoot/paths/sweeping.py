"""Scores along a path, with each image decoded once for all alphas."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from tempfile import SpooledTemporaryFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import processes
from ..data.dataset import Shift, Split, Task
from ..data.loading import make_loader
from ..errors import AlphaError, ClassMismatch, DataError
from ..evals.predict import package, score
from ..models.heads import Head
from ..models.model import Model
from ..predictions import Predictions
from ..records import Curve, Score
from ..weights import check_alpha
from .batchnorm import chunks
from .path import Path

__all__ = ["alpha_grid", "output_ensemble", "sweep"]

Refit = Callable[[Model, float], Head]

_IN_MEMORY = 8 * 2**20
"""Bytes of logits held in memory; more go to a temporary file."""


def alpha_grid(n: int = 11) -> tuple[float, ...]:
    """Evenly spaced alphas, n of them, from 0 to 1.

    The paper's grid is n = 21 (arXiv 2109.01903, section 3).

    Raises:
        AlphaError: n is below 2.
    """
    if n < 2:
        raise AlphaError(f"a grid of {n} alphas has no two ends", expected="2 or more")
    return tuple(i / (n - 1) for i in range(n))


def sweep(
    path: Path,
    task: Task | Mapping[str, Shift],
    *,
    alphas: Sequence[float] | None = None,
    method: str = "wise-ft",
    seed: int | None = None,
    batch_size: int = 256,
    device: torch.device | str | None = None,
    workers: int = 0,
    decode_budget: int = 16 * 2**20,
    on_predictions: Callable[[float, Predictions], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
    refit: Refit | None = None,
    at_start: Mapping[str, Predictions] | None = None,
) -> Curve:
    """Evaluate a path (WiSE-FT's curve, arXiv 2109.01903, figure 1).

    Images are decoded once: a chunk within the memory budget is kept while the weights of every
    alpha are mixed in place and run over it. Where the encoder is the same at both ends (a linear
    probe), features are extracted once and only heads are mixed. Numbers equal those of
    ``path.at(alpha)`` evaluated alone. Several processes look at a share of the images each.

    Args:
        path: From start to end.
        task: Its validation, test and shifts are scored; or any shifts by name.
        alphas: :func:`alpha_grid` when left out; sorted, without repeats.
        method: Goes into the scores: "wise-ft(ft)".
        seed: Likewise.
        batch_size: Images per forward pass.
        device: Where to compute; the end's device when left out.
        workers: Processes that decode ahead.
        decode_budget: Bytes of decoded images held at a time, and at least one batch.
        on_predictions: Called with every (alpha, predictions), split by split, alphas ascending.
        progress: Called with (forward passes of one image done, in all) after each batch; those
            of this process.
        refit: Gives the head at an alpha from the model there (for encoders without a zero-shot
            head); called once per alpha, before anything is scored.
        at_start: Split name -> what the start said about it, where another sweep from the same
            start has asked; taken at alpha 0, whose forward passes are saved.

    Returns:
        One score per split and alpha; ``correct`` for the splits scored by top1.

    Raises:
        AlphaError: An alpha is outside [0, 1] without leave, or there is none.
        ClassMismatch: A split has other classes than the head.
        ModelError: The models have no head and ``refit`` is not given.
    """
    grid = tuple(sorted({check_alpha(a, extrapolate=path.extrapolate)
                         for a in (alpha_grid() if alphas is None else alphas)}))  # fmt: skip
    if not grid:
        raise AlphaError("there is no alpha to evaluate", expected="one or more")
    shifts = task.scored() if isinstance(task, Task) else dict(task)
    known = at_start if grid[0] == 0 and at_start is not None else None
    walk = _Walk(path, grid[1:] if known is not None else grid, device, refit, workers)
    walk.require_classes(shifts)
    total = sum(_mine(s.split) for s in shifts.values()) * len(walk.alphas)
    ticker = _Ticker(progress, total)
    scores: dict[str, tuple[Score, ...]] = {}
    correct: dict[str, NDArray[np.bool_]] = {}
    for name, shift in shifts.items():
        row: list[Score] = []
        right: list[NDArray[np.bool_]] = []
        plan = processes.my_batches(len(shift.split), batch_size)
        loader = make_loader(
            shift.split, walk.model.spec.transform.eval(), batches=plan, workers=workers,
            device=walk.model.device,
        )  # fmt: skip
        images = (batch["image"] for batch in loader)
        found = walk.predictions(shift, images, decode_budget, ticker)
        for alpha, said in found if known is None else chain([(0.0, known[name])], found):
            row.append(replace(score(said), alpha=alpha, method=method, seed=seed))
            if shift.metric == "top1":
                right.append(said.correct())
            if on_predictions is not None:
                on_predictions(alpha, said)
        scores[name] = tuple(row)
        if right:
            correct[name] = np.stack(right)
    return Curve(method, grid, scores, correct, seed)


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
    if not start.same_images(end) or start.class_names != end.class_names:
        what = "classes" if start.same_images(end) else "images"
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
