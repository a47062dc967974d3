"""LoRA: train a low-rank update of the attention's weights, and merge it into them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ..context import RunContext
from ..data.dataset import Task
from ..errors import ModelError
from ..models.adapters.lora import LoraWrapped, Places, wrap
from ..models.model import Model
from ..train import Schedule, train
from .base import Classify, Scheduled
from .film import ADAPTERS
from .fixed_images import train_on_fixed
from .ft import HeadStart, starting_head, validator

__all__ = ["LoRA"]


@dataclass(frozen=True)
class LoRA(Scheduled):
    """W + scale * B A in every block, A and B trained with the head; the rest is frozen.

    Hu et al., "LoRA: low-rank adaptation of large language models", ICLR 2022, arXiv 2106.09685,
    section 4.1, by the package peft: A random, B zero, so the start is the pretrained model. The
    paper adapts the query and value projections; timm and CLIP keep query, key and value in one
    matrix, which gets one update, and the attention's output projection another. The result is
    merged: an ordinary checkpoint of the start's architecture, so a path of weights leads to it.
    For a vision transformer of timm or open_clip, tiny-clip or tiny-dino.

    Attributes:
        rank: Of the update (r).
        scale: Factor of B A; alpha / r in the paper.
        places: "attention", or "all": the blocks' MLPs too.
        head: Where the head starts: "zero_shot" (needs a text tower), "random", "zeros" or "keep".
        schedule: How long and how fast.
        last: Adapt the last blocks only, so many of them; None: all.
        augment: Train on the model's random crops. Without them blocks below the first adapted
            one run once, and what they give is stored.

    Example:
        >>> tuned = sf.LoRA(rank=2, epochs=1, batch_size=8).fit(model, task)
    """

    name: ClassVar[str] = "lora"
    paper: ClassVar[str] = "Hu et al., ICLR 2022, arXiv 2106.09685"

    rank: int = 8
    scale: float = 2.0
    places: Places = "attention"
    head: HeadStart = "zero_shot"
    schedule: Schedule = ADAPTERS
    last: int | None = None
    augment: bool = True

    def _check_fields(self) -> None:
        if self.last is not None and self.last < 1:
            raise ModelError(f"LoRA in the last {self.last} blocks", expected="1 or more, or None")
        if self.rank < 1:
            raise ModelError(f"rank of LoRA is {self.rank}", expected="1 or more")
        if not self.scale > 0:
            raise ModelError(f"scale of LoRA is {self.scale}", expected="a number above 0")

    def check(self, start: Model, task: Task) -> None:
        """A place for the update too."""
        super().check(start, task)
        self._wrapped(start.clone(), 0)

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """The start with the merged update and the head after the last epoch.

        Raises:
            ModelError: The encoder has no place for it; see also ``FineTune``.
            MissingDependency: The package peft is not installed.
        """
        run = (run or RunContext()).staged(self.name)
        task.train.require_labels()
        model = start.clone().requires_grad_(False)
        model.head = starting_head(self.head, model, task, seed=seed).requires_grad_(True)
        lora = self._wrapped(model, seed)
        note = f"LoRA of rank {self.rank}, {lora.size():,} parameters, merged"
        objective = Classify(model, label_smoothing=self.schedule.label_smoothing)
        if self.augment:
            train(
                objective,
                task.train,
                model.spec.transform.train(),
                self.schedule,
                seed=seed,
                run=run,
                validate=validator(model, task, run.workers),
                eval_mode=True,
            )
        else:
            train_on_fixed(objective, model, task, self.schedule, seed=seed, run=run,
                           eval_mode=True, store=True)  # fmt: skip
        lora.merge()
        model.spec = replace(model.spec, notes=(*model.spec.notes, note))
        return model.requires_grad_(True).eval()

    def _wrapped(self, model: Model, seed: int) -> LoraWrapped:
        return wrap(
            model.encoder,
            rank=self.rank,
            scale=self.scale,
            places=self.places,
            seed=seed,
            name=model.spec.name,
            last=self.last,
        )

    def label(self) -> str:
        """How reports name it."""
        return "LoRA" if self.places == "attention" else "LoRA (attention and MLP)"
