"""``check_source`` and ``check_shift``: the contracts of a container of images, and of a shift."""

from __future__ import annotations

import hashlib
import math
import pickle
from typing import Protocol

import numpy as np
from PIL import Image

from ..data.dataset import Domain, Shift, Split, Use
from ..data.images import EncodedImages
from ..data.sequence import underlying
from ..data.source import Source, Spec
from ..errors import ClassMismatch, SurefootError
from ..evals.predict import package
from ..evals.score import score
from ..metrics import get_metric
from .samples import require

__all__ = ["check_shift", "check_source"]

_DECODED = 16
"""Images of a shift that are decoded twice, spread over the split."""


class _Reads(Protocol):
    def read(
        self,
        *,
        name: str,
        domain: Domain,
        use: Use,
        class_names: tuple[str, ...] | None = None,
    ) -> Split: ...


def check_source(source: _Reads | Spec, *, use: Use = "train", root: Spec | None = None) -> None:
    """Raise unless this source keeps what every container of images promises.

    It gives the same split each time: the name, domain and use that were asked for, ids that are
    distinct and name no place on this machine, a label for every image or none; labels in any
    class order, foreign classes refused; every image with an identity that is its content, whether
    it was decoded before or not; images that travel to worker processes; a place to find it
    again.

    Args:
        source: What is typed for it, or an object with ``read`` as :class:`Source` has it.
        use: In which role it is read.
        root: The folder that holds published data sets.

    Raises:
        AssertionError: Says what was broken.

    Example:
        >>> sf.testing.check_source("photos/train")
    """
    if isinstance(source, Source) or hasattr(source, "read"):
        kept: _Reads = source  # type: ignore[assignment]
    else:
        kept = Source.parse(source, root)
        require(kept == Source.parse(source, root),
                "the spec does not parse to the same source twice")  # fmt: skip
    split = kept.read(name="asked", domain="OOD", use=use)
    where = f"the source of {split.source or split.name!r}"
    require((split.name, split.domain, split.use) == ("asked", "OOD", use),
            f"{where} changes the name, domain or use that it is asked for")  # fmt: skip
    require(bool(split.source), f"{where} does not say where it lies")
    require(all(isinstance(n, str) and n.strip() for n in split.notes), f"{where} has empty notes")
    ids = _ids(split, where)
    again = kept.read(name="asked", domain="OOD", use=use)
    require(again.manifest() == split.manifest(), f"{where} reads otherwise the second time")
    require([again.images.id(i) for i in range(len(again))] == ids, f"{where}: ids change")
    _check_classes(kept, split, use, where)
    _check_identity(split, again, where)


def _check_classes(source: _Reads, split: Split, use: Use, where: str) -> None:
    """Any order is kept; a class that was not asked for is refused."""
    if split.labels is None:
        return
    order = (*reversed(split.class_names), "one more class")
    other = source.read(name="asked", domain="OOD", use=use, class_names=order)
    require(other.class_names == order, f"{where} does not keep the label order that it is given")
    require(other.labels is not None
            and [order[i] for i in other.labels] == [split.class_names[i] for i in split.labels],
            f"{where} gives other classes in another label order")  # fmt: skip
    first = split.class_names[int(split.labels[0])]
    fewer = tuple(c for c in split.class_names if c != first)
    try:
        source.read(name="asked", domain="OOD", use=use, class_names=fewer or ("none of them",))
    except ClassMismatch:
        return
    require(False, f"{where} has images of {first!r}, and does not refuse a task without it")


def _check_identity(split: Split, again: Split, where: str) -> None:
    """Content decides, whether an image was looked at before or not; it travels to workers."""
    split.images[0]
    require(np.array_equal(split.identities, again.identities), f"{where}: identities change")
    require(split.identities.shape == (len(split), 32) and bool(split.identities.any(axis=1).all()),
            f"{where} has images without an identity: they cannot be read")  # fmt: skip
    source, rows = underlying(split.images, np.arange(len(split)))
    if isinstance(source, EncodedImages):
        digest = hashlib.sha256(source.read(int(rows[-1]))).digest()
        require(split.identities[-1].tobytes() == digest,
                f"{where}: an identity is not the SHA-256 of the encoded bytes")  # fmt: skip
    travelled = pickle.loads(pickle.dumps(split.images))
    require(travelled[0].tobytes() == split.images[0].tobytes(),
            f"{where}: images are others in a worker process")  # fmt: skip


def check_shift(shift: Shift, *, decode: int = _DECODED) -> None:
    """Check that a shift keeps the contract of :class:`surefoot.Shift`.

    - It is out of the training distribution ("OOD"), for testing, labelled in the task's classes.
    - Its ids are one per image and stable; images decode to RGB, the same each time.
    - Version, licence and source are stated, so that a score row says what it was computed on.
    - ``classes`` and ``groups`` are ascending and hold every label that occurs.
    - Its metric is known, a perfect predictor gets the best value it can have, and the score does
      not depend on the order of the images.

    Args:
        shift: As a task holds it.
        decode: How many images are decoded, spread over the split.

    Raises:
        AssertionError: Says what was broken.

    Example:
        >>> sketch = sf.pictograms().subset(train=1, evaluation=20).shifts[-1]
        >>> sf.testing.check_shift(sketch)
    """
    name, split = f"the shift {shift.name!r}", shift.split
    require(shift.name not in ("", "train", "val", "test"),
            f"{name} has a name that is reserved or empty")  # fmt: skip
    require(split.domain == "OOD", f"{name} says domain {split.domain!r}; a shift is OOD "
            "(Shift.of sets it)")  # fmt: skip
    require(split.use == "test", f"{name} says use {split.use!r}; a shift is for testing")
    for fact, unset in (("version", "unversioned"), ("licence", ""), ("source", "")):
        value = getattr(split, fact)
        require(value != unset, f"{name} states no {fact}: its scores could not be traced")
    _check_images(name, split, decode)
    _check_labels(name, shift)
    _check_metric(name, shift)


def _check_images(name: str, split: Split, decode: int) -> None:
    ids = _ids(split, name)
    require(ids == [split.images.id(i) for i in range(len(split))], f"ids of {name} change")
    require(not any(i.startswith(("/", "\\")) or i[1:3] == ":\\" for i in ids),
            f"ids of {name} are absolute paths, which differ from machine to machine")  # fmt: skip
    for i in np.unique(np.linspace(0, len(split) - 1, max(1, decode)).astype(int)):
        first, again = split.images[int(i)], split.images[int(i)]
        require(isinstance(first, Image.Image) and first.mode == "RGB",
                f"image {ids[i]} of {name} is not an RGB image of Pillow")  # fmt: skip
        require(first.size == again.size and first.tobytes() == again.tobytes(),
                f"image {ids[i]} of {name} is another one each time it is decoded")  # fmt: skip


def _check_labels(name: str, shift: Shift) -> None:
    split = shift.split
    require(split.labels is not None, f"{name} has no labels")
    labels = split.require_labels()
    require(labels.dtype == np.int64, f"labels of {name} are {labels.dtype}, not int64")
    for column, values in split.metadata.items():
        require(len(values) == len(split), f"the column {column!r} of {name} has {len(values)} "
                f"entries for {len(split)} images")  # fmt: skip
    present, classes = set(labels.tolist()), shift.classes
    if classes is not None:
        require(list(classes) == sorted(set(classes)), f"classes of {name} are not ascending")
        inside = all(0 <= c < len(split.class_names) for c in classes)
        require(inside, f"classes of {name} are not among the {len(split.class_names)} of the task")
        stray = sorted(present - set(classes))
        require(not stray, f"labels {stray[:5]} of {name} occur but are not among its classes, so "
                "they could never be predicted")  # fmt: skip
    for group in shift.groups or ():
        late = sorted(present & set(group[1:]))
        require(not late, f"labels {late[:5]} of {name} belong to the group that {group[0]} stands "
                "for: a group's label is its first class")  # fmt: skip


def _check_metric(name: str, shift: Shift) -> None:
    labels = shift.split.require_labels()
    perfect = np.full((len(labels), len(shift.split.class_names)), -10.0, dtype=np.float32)
    perfect[np.arange(len(labels)), labels] = 10.0
    try:
        metric = get_metric(shift.metric)
        value = score(package(shift, perfect)).value
    except SurefootError as error:
        raise AssertionError(f"{name} cannot be scored by {shift.metric!r}: {error}") from error
    require(math.isfinite(value), f"{shift.metric} of {name} is {value}")
    wrong = -perfect
    worse = score(package(shift, wrong)).value
    better = value > worse if metric.direction == "max" else value < worse
    require(better, f"{shift.metric} of {name} is {value:g} where every image is right and "
            f"{worse:g} where every one is wrong")  # fmt: skip
    rng = np.random.default_rng(0)
    noise = rng.normal(size=perfect.shape).astype(np.float32)
    order = rng.permutation(len(labels))
    turned = Shift(shift.name, shift.split.take(order), shift.metric, shift.classes, shift.groups)
    values = score(package(shift, noise)).value, score(package(turned, noise[order])).value
    require(math.isclose(*values, rel_tol=1e-9, abs_tol=1e-12),
            f"{shift.metric} of {name} depends on the order of the images: {values}")  # fmt: skip


def _ids(split: Split, where: str) -> list[str]:
    """The id of every image, each of which is another one."""
    ids = [split.images.id(i) for i in range(len(split))]
    twice = len(ids) - len(set(ids))
    require(not twice, f"{twice} images of {where} have the id of another one")
    return ids
