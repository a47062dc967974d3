"""Classify image files with a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..context import pick_device
from ..data.brightness import settle
from ..data.check import check_images
from ..data.dataset import Split
from ..data.folder import image_extensions
from ..data.images import FileImages
from ..data.prompts import templates as template_set
from ..errors import BadImages, DataError
from ..inventory import Inventory
from ..models.heads import zero_shot_head
from ..models.model import Model
from .inventory import take_inventory

__all__ = ["classify"]


def classify(
    model: Model,
    images: Sequence[str],
    *,
    classes: Sequence[str] | None = None,
    templates: str | None = None,
    top: int = 3,
    device: str = "auto",
    tell: Callable[[Inventory], None] = lambda found: None,
) -> Iterator[dict[str, Any]]:
    """The most probable classes of each image file.

    Args:
        model: With a head, or with a text tower and ``classes``.
        images: Files, or folders whose files are taken.
        classes: Names for a zero-shot head; must be left out for a model with a head.
        templates: Prompt templates for it.
        top: How many classes per image.
        device: Where to run.
        tell: Given the inventory of images and model before the first is classified.

    Yields:
        image (path) and top: a list of class and probability, best first.

    Raises:
        BadImages: Files that cannot be decoded; found before the first is classified.
        ModelError: No head, and no classes or no text tower.

    Example:
        >>> clip, names = sf.load("tiny-clip"), ["circle", "square", "bar"]
        >>> for found in sf.classify(clip, ["photos/night/bar"], classes=names, top=2):
        ...     assert len(found["top"]) == 2
    """
    files = FileImages("", [str(file) for file in _files(images)])
    split = Split("images", files, None, (), "ID", "test")
    bad = check_images(split)
    if bad:
        raise BadImages(bad, where="the given images")
    split = replace(split, notes=tuple(settle([split])))
    prompts: tuple[str, ...] = ()
    if classes is not None:
        chosen = template_set(templates or "single")
        model = model.with_head(zero_shot_head(model, classes, chosen))
        prompts = tuple(f'"{chosen[0].format(name)}"' for name in classes[:2])
    head = model.require_head()
    said = f"{head.kind}, over all {len(head.class_names)} classes that it knows"
    tell(take_inventory(split, model, head=said, prompts=prompts))
    model = model.to(pick_device(device)).eval()
    transform = model.spec.transform.eval()
    for at in range(len(files)):
        # As in training and evaluation: upright, transparency on white, 16 bits scaled.
        tensor = transform(files[at]).unsqueeze(0).to(model.device)
        with torch.inference_mode():
            chances = model(tensor).float().softmax(dim=-1)[0].cpu()
        best = chances.topk(min(top, len(chances)))
        yield {
            "image": files.path(at),
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
