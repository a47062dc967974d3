"""An average of the weights that training passes through, for EMA and SWA."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from ..context import RunContext, pick_device
from ..data.dataset import Task
from ..data.loading import make_loader
from ..models.model import Model
from ..paths.batchnorm import estimate, statistics_names
from .base import Classify

__all__ = ["Averaged"]

_CALIBRATION = 2048
"""Training images that BatchNorm's statistics of the average are estimated on, at most."""


class Averaged(Classify):
    """Cross-entropy, and beside the trained weights their average (torch's ``AveragedModel``).

    The average lies inside, so that a checkpoint holds it. Encoder and head are averaged: nothing
    else trains.

    Args:
        model: What trains.
        label_smoothing: In [0, 1).
        average: Options of ``AveragedModel``: none for the uniform mean.
    """

    shardable = False  # the average is of whole weights

    def __init__(self, model: Model, *, label_smoothing: float, **average: Any) -> None:
        super().__init__(model, label_smoothing=label_smoothing)
        self.average = AveragedModel(self._trained(), **average)
        self.average.requires_grad_(False)

    def _trained(self) -> nn.ModuleDict:
        return nn.ModuleDict({"encoder": self.model.encoder, "head": self.model.require_head()})

    def take(self) -> None:
        """Take the weights as they are now into the average."""
        self.average.update_parameters(self._trained())

    def averaged(self) -> Model:
        """A model that shares the average's tensors, without a text tower; to validate."""
        parts: Any = self.average.module
        spec, dim = self.model.spec, self.model.feature_dim
        return Model(parts["encoder"], spec=spec, feature_dim=dim, head=parts["head"]).eval()

    def finish(self, task: Task, run: RunContext, *, recalibrate: bool) -> None:
        """Put the average in the place of the trained weights.

        Args:
            task: Gives training images for BatchNorm, through the eval transform.
            run: Device and workers.
            recalibrate: Estimate BatchNorm's statistics for the average (arXiv 1803.05407,
                section 3.2); they are those of the last step otherwise.
        """
        averaged: Any = self.average.module
        self.model.encoder.load_state_dict(averaged["encoder"].state_dict())
        self.model.require_head().load_state_dict(averaged["head"].state_dict())
        if recalibrate and statistics_names(self.model):
            _recalibrate(self.model, task, run)


def _recalibrate(model: Model, task: Task, run: RunContext) -> None:
    images = task.train.subset(_CALIBRATION, seed=0)
    model.to(device := pick_device(run.device)).eval()
    loader = make_loader(
        images, model.spec.transform.eval(), batch_size=128, workers=run.workers, device=device
    )
    batches = (batch["image"] for batch in loader)
    # One point: the weights stay as they are, so there is nothing to write.
    found = estimate(model, batches, lambda alpha: None, (0.0,))
    with torch.no_grad():
        targets = model.state_dict()
        for name, tensor in found[0.0].items():
            targets[name].copy_(tensor)
