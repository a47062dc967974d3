"""Fisher-weighted interpolation: each number leans to the end that is surer of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from ..context import RunContext, pick_device
from ..data.dataset import Split, Task
from ..data.loading import make_loader
from ..models.model import Model
from ..paths import Path
from ..weights import check_alpha, fisher_merge
from .base import Method, Scheduled, needs_path
from .ft import FineTune
from .members import merged

__all__ = ["FisherWise", "diagonal_fisher"]


@dataclass(frozen=True)
class FisherWise(Scheduled):
    """WiSE-FT with a coefficient per number: ((1-a) F0 theta0 + a F1 theta1) / ((1-a) F0 + a F1).

    Matena and Raffel, "Merging models with Fisher-weighted averaging", NeurIPS 2022, arXiv
    2111.09832, section 3. F0 and F1 are the diagonals of the Fisher information of both ends on
    ID training images, labels drawn from the model itself. alpha = 0 and 1 give back the ends.

    Attributes:
        inner: The method that makes the tuned end.
        alpha: In [0, 1].
        images: Training images, stratified, on which each Fisher is estimated.
        normalize: Divide each Fisher by its Euclidean norm, so that the end that is surer on the
            whole does not count more for it: the default of the paper's code. The formula above,
            and the merge that WiSE-FT's code compares with, do not.
        floor: Fishers below so many times the mean Fisher of both ends are raised to that. Our
            reading: the paper's code has an absolute 1e-6, which does not scale with the model.

    Example:
        >>> tuned = sf.methods.FisherWise(images=8, epochs=1, batch_size=8).fit(model, task)
    """

    name: ClassVar[str] = "fisher"
    paper: ClassVar[str] = "Matena and Raffel, NeurIPS 2022, arXiv 2111.09832"

    inner: Method = FineTune()
    alpha: float = 0.5
    images: int = 256
    floor: float = 1e-6
    normalize: bool = False

    def _check_fields(self) -> None:
        needs_path(self, self.inner)
        check_alpha(self.alpha)
        if self.images < 1 or not self.floor >= 0:
            raise ValueError(
                f"images is {self.images} and floor {self.floor}; "
                "they must be at least 1 and at least 0"
            )

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """Fit the inner method, estimate both Fishers, merge."""
        run = (run or RunContext()).staged(self.name)
        tuned = self.inner.fit(start, task, seed=seed, run=run)
        ends = Path.between(start, tuned, task, run=run).ends()
        few = task.train.subset(self.images, seed=seed)
        device = pick_device(run.device)
        fishers = [diagonal_fisher(end, few, seed=seed, device=device) for end in ends]
        numbers = sum(f.numel() for fisher in fishers for f in fisher.values())
        average = sum(float(f.double().sum()) for x in fishers for f in x.values()) / numbers
        run.say(note=f"diagonal Fishers on {len(few)} training images", mean_fisher=average)
        weights = fisher_merge(
            [end.state_dict() for end in ends],
            fishers,
            [1 - self.alpha, self.alpha],
            floor=self.floor * average,
            normalize=self.normalize,
        )
        return merged(ends[1], weights, f"Fisher-weighted average at alpha {self.alpha:g}")

    def label(self) -> str:
        """How reports name it."""
        return f"Fisher-weighted {self.inner.label()}, α = {self.alpha:g}"


def diagonal_fisher(
    model: Model, split: Split, *, seed: int = 0, device: torch.device | str | None = None
) -> dict[str, Tensor]:
    """E_x E_(y ~ p(y|x)) of the squared gradient of log p(y|x) (arXiv 2111.09832, section 3.2).

    One label is drawn per image, from the model's own prediction; gradients are those of single
    images, through the eval transform and in eval mode.

    Args:
        model: With a head; left as it was.
        split: The images to look at; their labels are not used.
        seed: Of the drawn labels.
        device: Where to compute; where the model is when left out.

    Returns:
        Parameter name -> Fisher >= 0, float32, of the parameter's shape, on the model's device;
        for the encoder and the head.

    Raises:
        ModelError: The model has no head.
    """
    model.require_head()
    home, copy = model.device, model.clone().eval()
    copy = copy.to(home if device is None else device).requires_grad_(True)
    names, parameters = zip(
        *((k, p) for k, p in copy.named_parameters(remove_duplicate=False)
          if k.startswith(("encoder.", "head."))),
        strict=True,
    )  # fmt: skip
    sums = [torch.zeros_like(p, dtype=torch.float32) for p in parameters]
    generator = torch.Generator().manual_seed(seed)
    loader = make_loader(split, copy.spec.transform.eval(), batch_size=32, device=copy.device)
    for batch in loader:
        for image in batch["image"]:
            logits = copy(image[None]).float()
            label = torch.multinomial(logits.detach().softmax(1).cpu(), 1, generator=generator)[0]
            loss = nn.functional.cross_entropy(logits, label.to(copy.device))
            gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
            for total, gradient in zip(sums, gradients, strict=True):
                if gradient is not None:
                    total += gradient.float().square()
    return {k: (t / len(split)).to(home) for k, t in zip(names, sums, strict=True)}
