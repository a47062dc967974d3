"""A method as an installed plug-in: fine-tuning in which lower layers learn more slowly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import surefoot as sf
from surefoot.methods.base import Scheduled

__all__ = ["SlowEncoder"]


@dataclass(frozen=True)
class SlowEncoder(Scheduled):
    """Fine-tuning with layer-wise learning rates (BEiT, arXiv 2106.08254, appendix H).

    Attributes:
        decay: Each layer learns at this times the rate of the one above it.
        tune: The fine-tuning.
    """

    name: ClassVar[str] = "slow-encoder"
    paper: ClassVar[str] = "Bao et al., ICLR 2022, arXiv 2106.08254"

    decay: float = 0.75
    tune: sf.FineTune = sf.FineTune()

    def fit(
        self,
        start: sf.Model,
        task: sf.Task,
        *,
        seed: int = 0,
        run: sf.RunContext | None = None,
    ) -> sf.Model:
        """A tuned copy; ``start`` and ``task`` are left as they were."""
        schedule = replace(self.tune.schedule, layer_decay=self.decay)
        return replace(self.tune, schedule=schedule).fit(start, task, seed=seed, run=run)
