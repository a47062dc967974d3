"""Names of published data sets, and what else users and papers call them."""

from __future__ import annotations

from ...errors import UnknownName
from ...registry import DATASETS, nearest
from .base import KnownDataset

__all__ = ["ALIASES", "known_dataset", "known_names"]

ALIASES = {
    "imagenet-1k": "imagenet",
    "imagenet1k": "imagenet",
    "ilsvrc2012": "imagenet",
    "imagenet-v2": "imagenetv2-matched-frequency",
    "imagenetv2": "imagenetv2-matched-frequency",
    "imagenet-v2-matched-frequency": "imagenetv2-matched-frequency",
    "imagenet-v2-threshold-0.7": "imagenetv2-threshold-0.7",
    "imagenet-v2-top-images": "imagenetv2-top-images",
    "imagenetr": "imagenet-r",
    "imageneta": "imagenet-a",
    "imagenetsketch": "imagenet-sketch",
    "vid-robust": "imagenet-vid-robust",
    "living17": "living-17",
    "entity30": "entity-30",
    "cifar-10": "cifar10",
    "cifar-100": "cifar100",
    "cifar-10.1-v4": "cifar10.1-v4",
    "cifar-10.1-v6": "cifar10.1-v6",
    "cifar-10.2": "cifar10.2",
    "stl-10": "stl10",
    "stl": "stl10",
    "domainnet-40": "domainnet",
    "wilds-iwildcam": "iwildcam",
    "iwildcam-v2.0": "iwildcam",
    "wilds-fmow": "fmow",
    "fmow-v1.1": "fmow",
    "fmow-by-continent": "fmow-continents",
    "stanford-cars": "cars",
    "stanfordcars": "cars",
    "oxford-flowers": "flowers102",
    "flowers-102": "flowers102",
    "patchcamelyon": "pcam",
    "patch-camelyon": "pcam",
    "caltech-101": "caltech101",
    "oxford-pets": "pets",
    "oxford-iiit-pet": "pets",
    "sst2": "rendered-sst2",
    "food-101": "food101",
    "coco": "coco-captions",
    "cc3m": "conceptual-captions",
}
"""Other names that users type; here and not only in the entries, so that none is imported."""

_NOT_KNOWN = frozenset({"pictograms"})


def known_names() -> list[str]:
    """The names of all published data sets, sorted; nothing is imported."""
    return [name for name in DATASETS.names() if name not in _NOT_KNOWN]


def known_dataset(name: str) -> KnownDataset:
    """A published data set by its name or another name of it.

    Raises:
        UnknownName: There is none; the nearest names are given.
    """
    plain = name.lower().replace("_", "-")
    if plain in known_names():
        found = DATASETS.get(plain)
        if isinstance(found, KnownDataset):
            return found
    if plain in ALIASES:
        return known_dataset(ALIASES[plain])
    names = known_names()
    raise UnknownName("dataset", name, names, nearest(name, names))
