"""ImageNet-R, ImageNet-A and ImageNet-Sketch: folders of ImageNet's WordNet ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..dataset import Split
from .base import Expected, KnownDataset, Problem, mark_miniature
from .imagenet import miniature_wnids
from .pictures import class_folders, salted
from .wnid_folders import inspect_wnid_folders, read_wnid_folders, wnids_in
from .wordnet import imagenet_index, imagenet_names, imagenet_wnids, subset_wnids

__all__ = ["IMAGENET_A", "IMAGENET_R", "IMAGENET_SKETCH"]


@dataclass(frozen=True)
class _Folders:
    """What the three share: how they are found, read, checked and made small."""

    name: str
    suffix: str
    inner: str | None = None

    @property
    def known(self) -> KnownDataset:
        return {
            "imagenet-r": IMAGENET_R, "imagenet-a": IMAGENET_A, "imagenet-sketch": IMAGENET_SKETCH
        }[self.name]  # fmt: skip

    def root(self, folder: Path) -> Path:
        """Where the class folders lie: in the folder, or one deeper (sketch/)."""
        return folder / self.inner if self.inner and (folder / self.inner).is_dir() else folder

    def present(self, folder: Path) -> bool:
        names = wnids_in(self.root(folder))
        return bool(names) and names[0] in imagenet_index()

    def read(self, folder: Path, split: str) -> Split:
        return read_wnid_folders(self.known, folder, self.root(folder), split, "test")

    def inspect(self, folder: Path, full: bool) -> Sequence[Problem]:
        every = imagenet_wnids()
        wanted = every if self.inner else (subset_wnids(self.name) or ())
        found = inspect_wnid_folders(
            self.known, folder, self.root(folder), "test", full, wanted=wanted or None
        )
        if not self.inner and subset_wnids(self.name) is None:
            foreign = [n for n in wnids_in(self.root(folder)) if n not in imagenet_index()]
            if foreign:
                found.append(Problem(f"test: {foreign[0]} is no class of ImageNet", split="test"))
        return found

    def miniature(self, folder: Path, seed: int) -> None:
        index = imagenet_index()
        subset = None if self.inner else subset_wnids(self.name)
        wnids = [w for w in miniature_wnids() if subset is None or w in subset]
        if subset is None and not self.inner:
            wnids = wnids[:5]
        root = folder / self.inner if self.inner else folder
        files = [
            (w, index[w], [self.suffix.format(n=i, w=w) for i in range(2 + at % 2)])
            for at, w in enumerate(wnids)
        ]
        count = class_folders(root, files, seed=salted(self.name, seed))
        if not self.inner:
            (folder / "README.txt").write_text("A miniature that surefoot made.\n")
        mark_miniature(folder, self.name, {"test": Expected(count, len(wnids))}, seed)


_R = _Folders("imagenet-r", "cartoon_{n}.jpg")
_A = _Folders("imagenet-a", "0.00{n}_ant _ ant_0.9.jpg")
_SKETCH = _Folders("imagenet-sketch", "sketch_{n}.JPEG", inner="sketch")

IMAGENET_R = KnownDataset(
    name="imagenet-r",
    title="ImageNet-R(endition)",
    summary="Art, cartoons, graffiti, embroidery, toys and other renditions of 200 of ImageNet's "
    "classes: do features carry over when texture and style change?",
    homepage="https://github.com/hendrycks/imagenet-r",
    citation="Hendrycks et al., The Many Faces of Robustness, ICCV 2021, arXiv 2006.16241",
    licence="not stated in the README",
    layout=("imagenet-r/n01443537/*.jpg, ... (200 folders)",),
    folders=("imagenet-r", "imagenet_r", "ImageNet-R"),
    splits={"test": Expected(30_000, 200, source="README of github.com/hendrycks/imagenet-r")},
    default="test",
    metric="top1",
    domain="OOD",
    read=_R.read,
    inspect=_R.inspect,
    miniature=_R.miniature,
    control="imagenet:val",
    class_source="the folder names of the copy; checked against timm's list of the 200",
    aliases=("imagenetr",),
    present=_R.present,
    prompt_names=imagenet_names,
    templates="openai_imagenet",
    notes=("Logits of the other 800 classes are masked, as the authors do.",),
)

IMAGENET_A = KnownDataset(
    name="imagenet-a",
    title="ImageNet-A(dversarial)",
    summary="Unmodified photographs of 200 of ImageNet's classes that a ResNet-50 gets wrong.",
    homepage="https://github.com/hendrycks/natural-adv-examples",
    citation="Hendrycks et al., Natural Adversarial Examples, CVPR 2021, arXiv 1907.07174",
    licence="not stated in the README",
    layout=("imagenet-a/n01498041/*.jpg, ... (200 folders)",),
    folders=("imagenet-a", "imagenet_a", "ImageNet-A"),
    splits={"test": Expected(7_500, 200, source="Hendrycks et al. 2021, arXiv 1907.07174")},
    default="test",
    metric="top1",
    domain="OOD",
    read=_A.read,
    inspect=_A.inspect,
    miniature=_A.miniature,
    control="imagenet:val",
    class_source="the folder names of the copy; checked against timm's list of the 200",
    aliases=("imageneta",),
    present=_A.present,
    prompt_names=imagenet_names,
    templates="openai_imagenet",
    notes=("Logits of the other 800 classes are masked, as the authors do.",),
)

IMAGENET_SKETCH = KnownDataset(
    name="imagenet-sketch",
    title="ImageNet-Sketch",
    summary="Black-and-white drawings of all 1,000 classes: shape without colour or texture.",
    homepage="https://github.com/HaohanWang/ImageNet-Sketch",
    citation="Wang et al., Learning Robust Global Representations by Penalizing Local Predictive "
    "Power, NeurIPS 2019, arXiv 1905.13549",
    licence="not stated in the README (images found by web search)",
    layout=("imagenet-sketch/sketch/n01440764/*.JPEG, ... (1,000 folders); or sketch/n01440764/",),
    folders=("imagenet-sketch", "imagenet_sketch", "ImageNet-Sketch", "sketch"),
    splits={
        "test": Expected(
            50_889,
            1000,
            source="datasets/imagenet_sketch/dataset_infos.json of github.com/huggingface/datasets "
            "(its archive has sha256 4d3ce6b8...); the publisher's README says 50 a class",
        )
    },
    default="test",
    metric="top1",
    domain="OOD",
    read=_SKETCH.read,
    inspect=_SKETCH.inspect,
    miniature=_SKETCH.miniature,
    control="imagenet:val",
    class_source="the folder names of the copy: all of ImageNet's",
    aliases=("imagenetsketch",),
    present=_SKETCH.present,
    prompt_names=imagenet_names,
    templates="openai_imagenet",
)
