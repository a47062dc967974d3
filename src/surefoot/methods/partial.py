"""Fine-tuning a part of the encoder: the last blocks, the norms, or the biases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from ..context import RunContext
from ..data.dataset import Task
from ..errors import ModelError
from ..models.blocks import block_names, layers
from ..models.model import Model
from .base import Classify, Method, Scheduled
from .fixed_images import train_on_fixed
from .ft import FineTune

__all__ = ["BiasOnly", "LastBlocks", "NormOnly"]


@dataclass(frozen=True)
class LastBlocks(Scheduled):
    """The last k blocks, what follows them, and the head; everything below stays.

    Yosinski et al., "How transferable are features in deep neural networks?", NeurIPS 2014,
    arXiv 1411.1792, section 2; LP-FT's baseline "freeze bottom k" (arXiv 2202.10054, section 4).

    Attributes:
        k: Blocks that train, counted from the last; 0 leaves the layers behind the blocks.
        tune: The fine-tuning that is done to them.
        augment: Train on the model's random crops. Without them the images are the same in every
            epoch: the frozen blocks run once, and what they give is stored (``store``).
        store: Store it where that saves something.

    Example:
        >>> tuned = sf.methods.LastBlocks(k=1, epochs=1, batch_size=8).fit(model, task)
    """

    name: ClassVar[str] = "last-blocks"
    paper: ClassVar[str] = "Yosinski et al., NeurIPS 2014, arXiv 1411.1792"

    k: int = 1
    tune: FineTune = FineTune()
    augment: bool = True
    store: bool = True

    def _check_fields(self) -> None:
        if self.k < 0:
            raise ModelError(f"the last {self.k} blocks cannot train", expected="k of 0 or more")

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """The start with its last blocks and its head tuned.

        Raises:
            ModelError: The encoder has fewer than k blocks.
        """
        return _tune_part(self, self.tune, self._chosen(start), start, task, seed, run)

    def check(self, start: Model, task: Task) -> None:
        """As many blocks too."""
        super().check(start, task)
        self._chosen(start)

    def _chosen(self, start: Model) -> set[str]:
        depth = layers(start.encoder)
        count = len(block_names(start.encoder))
        if self.k > count:
            raise ModelError(
                f"the last {self.k} blocks of {start.spec.name} cannot train: it has {count}",
                expected=f"k from 0 to {count}",
            )
        return {name for name, layer in depth.items() if layer > count - self.k}

    def label(self) -> str:
        """How reports name it."""
        return f"FT (last {self.k} block{'' if self.k == 1 else 's'})"


@dataclass(frozen=True)
class NormOnly(Scheduled):
    """The scales and shifts of the normalisation layers, and the head.

    Frankle, Schwab and Morcos, "Training BatchNorm and only BatchNorm", ICLR 2021, arXiv
    2003.00152, section 3, here from pretrained weights, and for LayerNorm and GroupNorm too.
    BatchNorm's running statistics follow the training images unless ``tune.eval_mode``.

    Attributes:
        tune: The fine-tuning that is done to them.

    Example:
        >>> tuned = sf.methods.NormOnly(epochs=1, batch_size=8).fit(model, task)
    """

    name: ClassVar[str] = "norm-only"
    paper: ClassVar[str] = "Frankle et al., ICLR 2021, arXiv 2003.00152"

    tune: FineTune = FineTune()

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """The start with its norms and its head tuned.

        Raises:
            ModelError: The encoder has no normalisation layer with parameters.
        """
        return _tune_part(self, self.tune, self._chosen(start), start, task, seed, run)

    def check(self, start: Model, task: Task) -> None:
        """Some norms too."""
        super().check(start, task)
        self._chosen(start)

    def _chosen(self, start: Model) -> set[str]:
        return _parameters_of(self, start, lambda layer, name: _is_norm(layer))

    def label(self) -> str:
        """How reports name it."""
        return "FT (norms only)"


@dataclass(frozen=True)
class BiasOnly(Scheduled):
    """The biases of the encoder, those of norms included, and the head.

    Ben Zaken, Ravfogel and Goldberg, "BitFit: simple parameter-efficient fine-tuning for
    transformer-based masked language-models", ACL 2022, arXiv 2106.10199, section 3.

    Attributes:
        tune: The fine-tuning that is done to them.

    Example:
        >>> tuned = sf.methods.BiasOnly(epochs=1, batch_size=8).fit(model, task)
    """

    name: ClassVar[str] = "bias-only"
    paper: ClassVar[str] = "Ben Zaken et al., ACL 2022, arXiv 2106.10199"

    tune: FineTune = FineTune()

    def fit(
        self, start: Model, task: Task, *, seed: int = 0, run: RunContext | None = None
    ) -> Model:
        """The start with its biases and its head tuned.

        Raises:
            ModelError: The encoder has no bias.
        """
        return _tune_part(self, self.tune, self._chosen(start), start, task, seed, run)

    def check(self, start: Model, task: Task) -> None:
        """Some biases too."""
        super().check(start, task)
        self._chosen(start)

    def _chosen(self, start: Model) -> set[str]:
        return _parameters_of(self, start, lambda layer, name: name.endswith("bias"))

    def label(self) -> str:
        """How reports name it."""
        return "FT (biases only)"


class _Part(Classify):
    """Cross-entropy; layers that are frozen wholly stay in eval mode.

    Otherwise the running statistics of a frozen BatchNorm would move.
    """

    def train(self, mode: bool = True) -> _Part:
        """Training mode for what trains."""
        super().train(mode)
        for layer in self.model.modules():
            own = list(layer.parameters(recurse=False))
            if own and not any(p.requires_grad for p in own):
                layer.training = False
        return self


def _is_norm(layer: nn.Module) -> bool:
    """By class or by its name: every library has norms of its own (timm's RmsNorm, LayerNorm2d)."""
    known = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._NormBase)
    return isinstance(layer, known) or "norm" in type(layer).__name__.lower()


def _parameters_of(
    method: Scheduled, start: Model, wanted: Callable[[nn.Module, str], bool]
) -> set[str]:
    """Names of the encoder's parameters whose own layer and name are wanted.

    Raises:
        ModelError: There are none.
    """
    chosen = {
        f"{prefix}.{name}" if prefix else name
        for prefix, layer in start.encoder.named_modules()
        for name, _ in layer.named_parameters(recurse=False)
        if wanted(layer, name)
    }
    if chosen:
        return chosen
    raise ModelError(
        f"{start.spec.name} has nothing in its encoder that {method.name} would train",
        expected="an encoder with such layers",
        fix="use lp or head-only, which train the head alone, or last-blocks",
    )


def _tune_part(
    method: Method,
    tune: FineTune,
    chosen: set[str],
    start: Model,
    task: Task,
    seed: int,
    run: RunContext | None,
) -> Model:
    """Fine-tune the chosen parameters of the encoder, and the head."""
    model = tune.prepare(start, task, seed=seed)
    for name, parameter in model.encoder.named_parameters():
        parameter.requires_grad_(name in chosen)
    objective = _Part(model, label_smoothing=tune.schedule.label_smoothing)
    staged = (run or RunContext()).staged(method.name)
    if isinstance(method, LastBlocks) and not method.augment:
        return train_on_fixed(
            objective, model, task, tune.schedule, seed=seed, run=staged,
            eval_mode=tune.eval_mode, store=method.store,
        )  # fmt: skip
    return tune.train(objective, model, task, seed=seed, run=staged)
