"""The first of two steps: predict stores logits, from which score derives numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from .. import processes
from ..context import InParts
from ..data.dataset import Shift, Split
from ..data.loading import images_at_once, make_loader
from ..errors import ClassMismatch, ModelError
from ..features import inference
from ..models.heads import Head
from ..models.model import Model
from ..predictions import Predictions

__all__ = ["as_shift", "package", "predict"]

Progress = Callable[[int, int], None]


def as_shift(shift_or_split: Shift | Split) -> Shift:
    """A split is scored as it is: all classes, top-1."""
    if isinstance(shift_or_split, Shift):
        return shift_or_split
    return Shift(shift_or_split.name, shift_or_split)


def package(shift: Shift, logits: NDArray[np.float32]) -> Predictions:
    """Logits (n, classes) of a shift's images, in order, with all that a score needs.

    Raises:
        DataError: The split has no labels.
        ModelError: A logit is not finite.
    """
    split = shift.split
    if not np.isfinite(logits).all():
        bad = int((~np.isfinite(logits).all(axis=1)).sum())
        raise ModelError(
            f"{bad} of {len(logits)} images of {shift.name!r} have logits that are not finite",
            expected="finite numbers",
            fix="check the checkpoint (surefoot check) and the training's learning rate",
        )
    return Predictions(
        split=shift.name,
        domain=split.domain,
        logits=logits,
        labels=split.require_labels(),
        ids=tuple(split.images.id(i) for i in range(len(split))),
        class_names=split.class_names,
        metric=shift.metric,
        classes=shift.classes,
        groups=shift.groups,
        metadata=split.metadata,
        unit=split.unit,
        version=split.version,
        synthetic=split.synthetic,
        identities=split.identities,
    )


def _check_classes(head: Head, split: Split) -> None:
    if head.class_names != split.class_names:
        raise ClassMismatch(
            f"the head has {len(head.class_names)} classes "
            f"({', '.join(head.class_names[:6])}, ...), the split {split.name!r} has "
            f"{len(split.class_names)} ({', '.join(split.class_names[:6])}, ...)",
            expected="the same class names in the same order",
            fix="make a head for this task (zero-shot, lp), or a class map for the shift",
        )


def predict(
    model: Model,
    shift_or_split: Shift | Split,
    *,
    batch_size: int | None = None,
    device: torch.device | str | None = None,
    workers: int = 0,
    progress: Progress | None = None,
) -> Predictions:
    """Run a model with its head over every image of a split.

    Several processes look at a share each, and all get all logits.

    Args:
        model: With a head over the split's classes; left as it was.
        shift_or_split: What to look at; a shift brings its metric and its classes.
        batch_size: Images at once; None: by device and image size (``images_at_once``).
        device: Where to compute; where the model is when left out.
        workers: Processes that decode images.
        progress: Called with (images done, images in all), of this process.

    Raises:
        ModelError: The model has no head, or a logit is not finite.
        ClassMismatch: The head is for other classes.
        DataError: The split has no labels, or an image cannot be decoded.

    Example:
        >>> sf.predict(tuned, task.shifts[0])
        Predictions(recoloured, OOD: 12 images, 3 classes)
    """
    shift = as_shift(shift_or_split)
    split, head = shift.split, model.require_head()
    split.require_labels()
    _check_classes(head, split)
    mine = processes.share(len(split))
    logits = np.empty((mine.stop - mine.start, len(head.class_names)), dtype=np.float32)
    done = 0
    with inference(model, device) as where:
        transform = model.spec.transform.eval()
        step = images_at_once(model.spec.transform.size, where, batch_size)
        loader = make_loader(
            split,
            transform,
            batches=processes.my_batches(len(split), step),
            workers=workers,
            device=where,
        )
        network = InParts(model)
        for batch in loader:
            out = network(batch["image"])
            logits[batch["index"].numpy() - mine.start] = out.float().cpu().numpy()
            done += len(out)
            if progress is not None:
                progress(done, len(logits))
    return package(shift, processes.joined(logits, len(split)))
