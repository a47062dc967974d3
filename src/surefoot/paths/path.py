"""Path: the straight line in weight space from a pretrained model to a tuned one."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor

from ..context import RunContext
from ..data.dataset import Split, Task
from ..data.loading import make_loader
from ..errors import WeightsError
from ..evals.zero_shot import Prompts
from ..models.adapters.insertion import as_initialised
from ..models.heads import Head
from ..models.model import Model
from ..weights import Weights, check_alpha
from ..weights.alpha import Side
from ..weights.audit import COMPUTED, identical
from ..weights.ops import lerp_into, lerp_tensor, tied
from .batchnorm import estimate, statistics_names
from .fit import misfits, refuse
from .heads import HeadPolicy, settle, text_heads_that_differ

__all__ = ["BatchNormPolicy", "HeadPolicy", "Path"]

BatchNormPolicy = Literal["interpolate", "keep", "recalibrate"]

_OPTIONAL = ("head", "text", "logit_scale")

_CALIBRATION_BATCH = 128


class Path:
    """theta(alpha) = (1 - alpha) theta_start + alpha theta_end (WiSE-FT, arXiv 2109.01903, 3).

    :meth:`between` joins two models as they come and settles their heads; this takes them as they
    are.

    Encoder, text tower, logit scale and (by policy) head are mixed. The two ends are ends of the
    path whatever the policies: ``at(0)`` is the start and ``at(1)`` the end, bit for bit; only
    ``head="end"`` puts the end's head on the start, and ``head="text"`` its own where it has none.

    The models are held, not copied: do not train them while the path is in use. Where the end
    carries an adapter that could not be folded, the start gets the same one as initialised, which
    computes what the start does.

    Attributes:
        origin: The start as it was given; ``start`` carries the end's adapter beside.
        notes: What :meth:`between` did to the start's head, in sentences.

    Args:
        start: The pretrained model.
        end: The tuned one, of the same architecture.
        head: "interpolate" mixes the heads (WiSE-FT: zero-shot at alpha 0, trained at alpha 1);
            "end" keeps the end's head everywhere, for starts that have none; "text" has it
            written by the mixed text tower, for ends whose head the tuned text tower wrote (FLYP).
        batchnorm: Running statistics strictly between the ends. "interpolate" mixes them;
            "keep" takes the end's; "recalibrate" estimates them on ``images``.
        integers: Whose integer buffers are taken strictly between the ends.
        extrapolate: Allow alpha outside [0, 1].
        images: Training images for "recalibrate", seen through the eval transform.
        prompts: What the head is written from, for "text".
        calibration_images: How many of them at most, stratified, seed 0.

    Raises:
        WeightsError: The ends do not fit together: every problem at once.

    Example:
        >>> path = sf.Path.between(model, tuned, task)
        >>> path
        Path(small CLIP -> small CLIP, head interpolate, batchnorm interpolate)
        >>> path.at(0.5)
        Model(small CLIP: 32,856 weights in the encoder, zero_shot head of 3, text tower)
    """

    def __init__(
        self,
        start: Model,
        end: Model,
        *,
        head: HeadPolicy = "interpolate",
        batchnorm: BatchNormPolicy = "interpolate",
        integers: Side = "end",
        extrapolate: bool = False,
        images: Split | None = None,
        calibration_images: int = 2048,
        prompts: Prompts | None = None,
    ) -> None:
        self.origin, self.start, self.end = start, as_initialised(start, end), end
        start = self.start
        self.head, self.batchnorm, self.integers = head, batchnorm, integers
        self.extrapolate = extrapolate
        self.images = images
        self.calibration_images = calibration_images
        self.prompts = prompts
        self.notes: tuple[str, ...] = ()
        self.parts = tuple(p for p in _OPTIONAL if _has(start, p) and _has(end, p))
        self._statistics: dict[float, dict[str, Tensor]] = {}
        self._from, self._to = self._state(start), self._state(end)
        problems = misfits(start, end, self._from, self._to, heads=head == "interpolate")
        if batchnorm == "recalibrate" and images is None and statistics_names(end):
            problems.append("batchnorm='recalibrate' needs training images: Path(..., images=...)")
        if head == "text":
            problems += text_heads_that_differ(start, end, prompts)
        refuse(start, end, problems)
        both = {k: (x, self._to[k].to(x.device)) for k, x in self._from.items()}
        # What training did not touch is the same everywhere on the path, and is left alone.
        self._moving = {k for k, (x, y) in both.items() if not identical(x, y)}
        self._norms = statistics_names(end) & set(self._to)
        self._device = end.device

    @classmethod
    def between(
        cls,
        start: Model,
        end: Model,
        task: Task | Prompts | None = None,
        *,
        head: Literal["auto"] | HeadPolicy = "auto",
        run: RunContext | None = None,
        **options: Any,
    ) -> Path:
        """Join two models; their heads by the one rule of :func:`~.heads.settle`.

        Args:
            start: The pretrained model. Without a head for the end's classes it gets the
                zero-shot head where it has a text tower; else the end's head serves everywhere.
            end: The tuned one; its head's classes are the path's. Without a head the path has
                none.
            task: Whose prompts a zero-shot head is written from, and whose training images
                "recalibrate" takes; or prompts alone.
            head: "auto": the heads of both ends are mixed where they can be, else the end's is
                kept. Or a policy of :class:`Path`.
            run: Told what was done to the start's head.
            **options: As :class:`Path`.

        Returns:
            The path; its ``notes`` say what was done to the start's head.

        Raises:
            WeightsError: The ends do not fit together: every problem at once.
        """
        prompts = Prompts.of(task) if isinstance(task, Task) else task
        if isinstance(task, Task):
            options.setdefault("images", task.train)
        joined = settle(start, end, prompts, head)
        path = cls(joined.start, end, head=joined.head, prompts=joined.prompts, **options)
        path.notes = joined.notes
        for note in path.notes if run is not None else ():
            run.say(note=note)  # type: ignore[union-attr]
        return path

    def ends(self) -> tuple[Model, Model]:
        """Copies of both ends with the same parts, on the start's device."""
        begin, end = self.at(0), self.at(1).to(self.start.device)
        for part in ("text", "logit_scale"):
            if part not in self.parts:
                setattr(begin, part, None)
                setattr(end, part, None)
        return begin, end

    def __repr__(self) -> str:
        ends = f"{self.start.spec.name} -> {self.end.spec.name}"
        return f"Path({ends}, head {self.head}, batchnorm {self.batchnorm})"

    def at(self, alpha: float) -> Model:
        """A new model at ``alpha``; shares nothing with the ends.

        Between the ends it has the parts that both have (a text tower or logit scale of one end
        alone is left out).

        Raises:
            AlphaError: alpha is outside [0, 1] without leave, or not finite.
            WeightsError: Extrapolated BatchNorm variances are negative.
        """
        alpha = check_alpha(alpha, extrapolate=self.extrapolate)
        if alpha == 1:
            return self.end.clone()
        if alpha == 0:
            return self._at_start()
        model = self.end.clone()
        for part in ("text", "logit_scale"):
            if part not in self.parts:
                setattr(model, part, None)
        self.mix_(model, alpha)
        if self.head == "text":
            model.head = self._written(model)
        note = f"weights at alpha {alpha:g} from {self.start.spec.name} to {self.end.spec.name}"
        model.spec = replace(model.spec, notes=(*model.spec.notes, note))
        return model

    def _at_start(self) -> Model:
        if self.head == "end":
            return self.start.with_head(self.end.head)
        if self.head == "text" and self.start.head is None:
            return self.start.with_head(self._written(self.start))
        return self.start.clone()

    def _written(self, model: Model) -> Head:
        """The head that a model's text tower writes."""
        assert self.prompts is not None  # the constructor saw to it
        return self.prompts.head(model)

    def mix_(self, model: Model, alpha: float) -> Model:
        """Write the weights at ``alpha`` into a clone of the end, or into another point; fast.

        Parts that the model lacks (a text tower that was set to None) are left out, and so is the
        head under ``head="end"`` and "text". Tensors that are equal in both ends are not written.

        Args:
            model: Changed in place; a clone of the end, or what ``at`` gave.
            alpha: From 0 to 1.

        Returns:
            The same model.

        Raises:
            AlphaError: alpha is outside [0, 1] without leave, or not finite.
            WeightsError: The model is of another architecture.
        """
        alpha = check_alpha(alpha, extrapolate=self.extrapolate)
        self.calibrate((alpha,))
        targets = self._targets(model)
        self._write(targets, alpha)
        with torch.no_grad():
            for name, tensor in self._statistics.get(alpha, {}).items():
                targets[name].copy_(tensor)
        if not 0 <= alpha <= 1:
            _require_variances(targets, alpha)
        return model

    @property
    def encoder_moves(self) -> bool:
        """Do the encoders differ? Not after a linear probe, which trains the head alone."""
        return any(k.startswith("encoder.") for k in self._moving)

    @cached_property
    def direction(self) -> Weights:
        """The difference end - start, over the floating parameters and buffers that are mixed."""
        names = [k for k, x in self._from.items() if x.dtype in COMPUTED]
        tuned = Weights({k: self._to[k] for k in names})
        return tuned - Weights({k: self._from[k].to(self._to[k].device) for k in names})

    def distance(self) -> float:
        """The Euclidean length of :attr:`direction`."""
        return self.direction.norm()

    def on(self, device: torch.device | str) -> Path:
        """The same path with its tensors on a device, so that mixing there copies nothing."""
        other = copy.copy(self)
        other._from = {k: t.to(device) for k, t in self._from.items()}
        other._to = {k: t.to(device) for k, t in self._to.items()}
        other._device = torch.device(device)
        return other

    def working_copy(self) -> Model:
        """A clone of the end to mix into: image encoder and head only, in eval mode."""
        model = self.end.clone()
        model.text = model.logit_scale = None
        return model.to(self._device).eval()

    def calibrate(self, alphas: Sequence[float], *, workers: int = 0) -> None:
        """Estimate BatchNorm statistics at these alphas, decoding each image once for all.

        Does nothing at the ends, or unless the policy is "recalibrate" and a BatchNorm layer of
        an encoder that moves needs it. The estimates are kept.

        Args:
            alphas: Any.
            workers: Processes that decode ahead.
        """
        inner = [a for a in dict.fromkeys(alphas) if a not in (0, 1) and a not in self._statistics]
        if not (inner and self.batchnorm == "recalibrate" and self._norms and self.encoder_moves):
            return
        assert self.images is not None  # the constructor saw to it
        model = self.working_copy()
        targets = self._targets(model)
        split = self.images.subset(self.calibration_images, seed=0)
        loader = make_loader(split, model.spec.transform.eval(), device=model.device,
                             batch_size=_CALIBRATION_BATCH, workers=workers)  # fmt: skip
        self._statistics |= estimate(
            model, (batch["image"] for batch in loader), lambda a: self._write(targets, a), inner
        )

    def _write(self, targets: Mapping[str, Tensor], alpha: float) -> None:
        """Write the weights at alpha, BatchNorm statistics as if they were to be interpolated."""
        with torch.no_grad():
            for name, target in targets.items():
                x, y = self._from[name], self._to[name]
                side = self._side(name, alpha)
                if side is not None:
                    target.copy_(x if side == "start" else y)
                else:
                    _mix(target, x.to(target.device), y.to(target.device), alpha)

    def _side(self, name: str, alpha: float) -> Side | None:
        """Whose tensor is copied at this alpha; None: it is mixed."""
        if alpha == 0:
            return "start"
        if alpha == 1:
            return "end"
        if name in self._norms and self.batchnorm == "keep":
            return "end"
        return None if self._from[name].dtype in COMPUTED else self.integers

    def _targets(self, model: Model) -> dict[str, Tensor]:
        """The model's tensors that the path writes."""
        state = self._state(model)
        lacking = {p for p in _OPTIONAL if not _has(model, p)}
        wanted = {k for k in self._from if _part(k) not in lacking}
        written = {k for k in wanted if k in self._moving or k in self._norms}
        strange = sorted(
            k for k in wanted | set(state)
            if k not in state or k not in wanted or state[k].shape != self._from[k].shape
        )  # fmt: skip
        if strange:
            raise WeightsError(
                f"the model to write into differs from the ends in {', '.join(strange[:5])}",
                expected="a clone of an end, or path.at(alpha)",
            )
        return {k: state[k] for k in sorted(written)}

    def _state(self, model: Model) -> dict[str, Tensor]:
        """The tensors of a model that take part: those of the encoder and of the shared parts."""
        own = {"encoder", *self.parts} - (set() if self.head == "interpolate" else {"head"})
        return {
            name: tensor
            for name, tensor in model.state_dict().items()
            if isinstance(tensor, Tensor) and _part(name) in own
        }


def _mix(target: Tensor, x: Tensor, y: Tensor, alpha: float) -> None:
    """Write lerp(x, y, alpha) into target, without a temporary where the dtypes allow it."""
    direct = target.dtype == x.dtype == y.dtype and x.dtype in (torch.float32, torch.float64)
    if direct and tied(target) not in (tied(x), tied(y)):
        lerp_into(target, x, y, alpha)
    else:
        target.copy_(lerp_tensor(x, y, alpha))


def _require_variances(targets: Mapping[str, Tensor], alpha: float) -> None:
    """Raise where extrapolation made a BatchNorm variance negative."""
    negative = [k for k, t in targets.items() if k.endswith("running_var") and bool((t < 0).any())]
    if negative:
        raise WeightsError(
            f"at alpha {alpha:g} the variances {', '.join(negative[:5])} are negative",
            expected="variances >= 0",
            fix="stay nearer to [0, 1], or choose batchnorm='keep' or 'recalibrate'",
        )


def _part(name: str) -> str:
    return name.split(".", 1)[0]


def _has(model: Model, part: str) -> bool:
    return getattr(model, part) is not None
