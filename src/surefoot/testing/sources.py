"""The contract of a data source: the same split each time, in the order asked, known by content."""

from __future__ import annotations

import hashlib
import pickle
from typing import Protocol

import numpy as np

from ..data.dataset import Domain, Split, Use
from ..data.images import EncodedImages
from ..data.sequence import underlying
from ..data.source import Source, Spec
from ..errors import ClassMismatch
from .samples import require

__all__ = ["check_source"]


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
    ids = [split.images.id(i) for i in range(len(split))]
    require(len(set(ids)) == len(ids), f"{len(ids) - len(set(ids))} images of {where} have the id "
            "of another one")  # fmt: skip
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
