"""What is said at every alpha of a path, with each image decoded once for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import processes
from ..context import InParts, convolutional
from ..data.dataset import Shift, Split, Task
from ..data.loading import images_at_once, make_loader
from ..errors import ClassMismatch, DataError
from ..evals.evaluate import Answer, answers
from ..evals.linear import linear
from ..evals.predict import package
from ..evals.votes import KS
from ..models.heads import Head
from ..models.model import Model
from ..predictions import Predictions
from .batchnorm import chunks
from .path import Path

__all__ = ["Progress", "Walk"]

Progress = Callable[[int, int], None]
Refit = Callable[[Model, float], Head]

_IN_MEMORY = 8 * 2**20
"""Bytes of logits held in memory; more go to a temporary file."""


@dataclass(frozen=True, eq=False)
class Walk:
    """Splits by name, asked at ascending alphas; each evaluator gives (alpha, answer).

    Attributes:
        path: From start to end.
        task: Whose training split neighbours and probes learn from.
        shifts: The splits.
        alphas: Ascending.
        known: What is known of alpha 0 already, split by split.
        progress: Called with (done, in all).
        device: Where to compute; the end's device when None.
    """

    path: Path
    task: Task | None
    shifts: Mapping[str, Shift]
    alphas: tuple[float, ...]
    known: Mapping[str, Answer]
    progress: Progress | None
    device: torch.device | str | None

    def heads(
        self,
        *,
        batch_size: int | None = None,
        workers: int = 0,
        decode_budget: int = 16 * 2**20,
        refit: Refit | None = None,
    ) -> Iterator[tuple[float, Answer]]:
        """Split by split: every image goes through all models while it is there."""
        mixed = _Mixed(self.path, self.alphas, self.device, refit, workers)
        mixed.require_classes(self.shifts)
        transform, device = mixed.model.spec.transform.eval(), mixed.model.device
        step = images_at_once(mixed.model.spec.transform.size, device, batch_size)
        total = sum(_mine(s.split) for s in self.shifts.values()) * len(self.alphas)
        ticker = _Ticker(self.progress, total)
        for name, shift in self.shifts.items():
            batches = processes.my_batches(len(shift.split), step)
            loader = make_loader(
                shift.split, transform, workers=workers, batches=batches, device=device
            )
            images = (batch["image"] for batch in loader)
            if name in self.known:
                yield 0.0, self.known[name]
            for alpha, said in mixed.predictions(shift, images, decode_budget, ticker):
                yield alpha, (said, {})

    def probes(self, **options: Any) -> Iterator[tuple[float, Answer]]:
        """As :meth:`heads`, by a probe that is fitted at every alpha first."""
        task, device = self.task, self.device
        if task is None:
            raise DataError("a probe at every alpha needs a whole task, and got splits only",
                            expected="a Task, with its training split")  # fmt: skip
        own: dict[str, Any] = {n: options[n] for n in ("batch_size", "workers") if n in options}
        own |= {n: options.pop(n) for n in ("c_path", "max_iter", "patience") if n in options}

        def probe(model: Model, alpha: float) -> Head:
            return linear(model, task, device=device, **own).require_head()

        yield from self.heads(refit=probe, **options)

    def neighbours(self, **options: Any) -> Iterator[tuple[float, Answer]]:
        """Alpha by alpha: bank and queries are embedded at each."""
        path = self.path.on(self.path.end.device if self.device is None else self.device)
        path.calibrate(self.alphas, workers=options.get("workers", 0))
        mixed, options = path.working_copy(), {"ks": KS, **options, "device": self.device}
        yield from ((0.0, self.known[name]) for name in self.shifts if name in self.known)
        for done, alpha in enumerate(self.alphas, 1):
            # The plain start: an adapter as it is initialised would only cost time.
            model = self.path.origin if alpha == 0 else path.mix_(mixed, alpha)
            for answer in answers(model, self.task, self.shifts, "knn", **options):
                yield alpha, answer
            if self.progress is not None:
                self.progress(done, len(self.alphas))


def _mine(split: Split) -> int:
    """How many of a split's images this process looks at."""
    share = processes.share(len(split))
    return int(share.stop - share.start)


class _Mixed:
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
        if self.model.device.type == "cpu" and convolutional(self.model):
            self.model.to(memory_format=torch.channels_last)
        self.features = InParts(self.model.features)
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
                inputs = [self.features(b) for b in inputs]
        for alpha in self.alphas:
            self.path.mix_(self.model, alpha)
            head = self.heads.get(alpha) or self.model.require_head()
            parts = []
            for batch in inputs:
                with torch.inference_mode():
                    features = self.features(batch) if moving else batch
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
