"""A method of one's own in one file: fine-tuning whose head is trained alone for the first epochs.

    surefoot check examples/my_method.py
    surefoot fit --model tiny-clip --train pictograms --method examples/my_method.py

The run keeps a copy of this file and its sha256; --resume checks that it is still the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import surefoot as sf
from surefoot.methods.base import Scheduled
from surefoot.methods.head_only import HeadOnly


@dataclass(frozen=True)
class WarmHead(Scheduled):
    """The head alone for ``warm`` epochs, then everything.

    LP-FT (Kumar et al., ICLR 2022, arXiv 2202.10054) with a head that the training loop trains.

    Attributes:
        warm: Epochs of the head.
        tune: What follows; its head is the one that was warmed.
    """

    name: ClassVar[str] = "warm-head"
    paper: ClassVar[str] = "Kumar et al., ICLR 2022, arXiv 2202.10054"

    warm: int = 1
    tune: sf.FineTune = sf.FineTune(head="keep")

    def fit(
        self,
        start: sf.Model,
        task: sf.Task,
        *,
        seed: int = 0,
        run: sf.RunContext | None = None,
    ) -> sf.Model:
        """Both stages; ``start`` and ``task`` are left as they were."""
        run = (run or sf.RunContext()).staged(self.name)
        head = HeadOnly(head="zeros", schedule=replace(self.tune.schedule, epochs=self.warm))
        warmed = head.fit(start, task, seed=seed, run=run)
        return self.tune.fit(warmed, task, seed=seed, run=run)
