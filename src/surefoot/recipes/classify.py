"""Classify image files with a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from ..context import pick_device
from ..data.folder import image_extensions
from ..data.images import decode, reason
from ..data.prompts import templates as template_set
from ..data.sequence import BROKEN
from ..errors import BadImages, DataError
from ..models.heads import zero_shot_head
from ..models.model import Model

__all__ = ["classify"]


def classify(
    model: Model,
    images: Sequence[str],
    *,
    classes: Sequence[str] | None = None,
    templates: str | None = None,
    top: int = 3,
    device: str = "auto",
) -> Iterator[dict[str, Any]]:
    """The most probable classes of each image file.

    Args:
        model: With a head, or with a text tower and ``classes``.
        images: Files, or folders whose files are taken.
        classes: Names for a zero-shot head; must be left out for a model with a head.
        templates: Prompt templates for it.
        top: How many classes per image.
        device: Where to run.

    Yields:
        image (path) and top: a list of class and probability, best first.

    Raises:
        BadImages: Files that cannot be decoded; found before the first is classified.
        ModelError: No head, and no classes or no text tower.
    """
    files = _files(images)
    bad = [(str(f), why) for f in files if (why := _why_bad(f))]
    if bad:
        raise BadImages(bad, where="the given images")
    if classes is not None:
        chosen = template_set(templates or "single")
        model = model.with_head(zero_shot_head(model, classes, chosen))
    head = model.require_head()
    model = model.to(pick_device(device)).eval()
    transform = model.spec.transform.eval()
    for file in files:
        # As in training and evaluation: upright, transparency on white, 16 bits scaled.
        tensor = transform(decode(file.read_bytes())).unsqueeze(0).to(model.device)
        with torch.inference_mode():
            chances = model(tensor).float().softmax(dim=-1)[0].cpu()
        best = chances.topk(min(top, len(chances)))
        yield {
            "image": str(file),
            "top": [
                {"class": head.class_names[int(i)], "probability": float(p)}
                for p, i in zip(best.values, best.indices, strict=True)
            ],
        }


def _files(images: Sequence[str]) -> list[Path]:
    known = image_extensions()
    found: list[Path] = []
    for name in images:
        path = Path(name)
        if path.is_dir():
            found += sorted(p for p in path.rglob("*") if p.suffix.lower() in known)
        elif path.exists():
            found.append(path)
        else:
            raise DataError(f"there is no file {name}", expected="image files or folders of them")
    if not found:
        raise DataError(f"no images in {', '.join(images)}", expected="image files")
    return found


def _why_bad(file: Path) -> str:
    try:
        decode(file.read_bytes())
    except BROKEN as error:
        return reason(error)
    return ""
