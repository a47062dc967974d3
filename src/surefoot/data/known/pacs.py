"""PACS: seven kinds of things as photographs, paintings, cartoons and sketches.

By itself, ``pacs`` trains on photographs and asks in the other three domains, as papers on
single-source domain generalisation do ("photo to rest": arXiv 2409.19774, whose code trains with
``--train_only photo``). Four fifths of the photographs are trained on and the rest is the ID test,
by DomainBed's cut; that combination is ours. The protocols of its authors and of DomainBed leave
one domain out and train on the union of the others, ``without-<domain>_train`` and
``without-<domain>80``; see :mod:`surefoot.data.known.pacs_protocols`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from ...errors import DataError
from ...records import write_atomic
from ..dataset import Split
from ..folder import from_folder
from ..images import FileImages
from .base import Expected, KnownDataset, mark_miniature
from .layout import few
from .pacs_check import COUNTS, inspect_pacs
from .pacs_protocols import (
    CLASSES,
    DOMAINS,
    LISTED,
    domainbed_part,
    images_folder,
    listed_files,
)
from .parts import Listing, split_of, unknown_split
from .pictures import write_picture

__all__ = ["PACS"]

_ALL_BUT = "without-"


def _read(folder: Path, split: str) -> Split:
    if split not in PACS.splits:
        raise unknown_split("pacs", split, PACS.splits)
    name = split.removeprefix(_ALL_BUT)
    domain = next(d for d in DOMAINS if name.startswith(d))
    union = [d for d in DOMAINS if d != domain] if split != name else [domain]
    part = name.removeprefix(domain)
    parts = {d: _part(folder, d, part) for d in union}
    paths = [path for files, _ in parts.values() for path in files]
    labels = np.array([CLASSES.index(p.split("/")[1]) for p in paths], dtype=np.int64)
    column = np.repeat(np.array(union, dtype=np.str_), [len(f) for f, _ in parts.values()])
    listing = Listing(paths, labels, CLASSES, {"domain": column} if len(union) > 1 else {})
    notes = [note for _, found in parts.values() for note in found]
    if part in ("80", "20"):
        notes.append(f"pacs:{split}: DomainBed's 80/20 cut, trial seed 0")
    read = split_of(
        PACS, images_folder(folder), split, listing, version="PACS", notes=tuple(notes),
        domain="OOD" if split in PACS.shifts else "ID",
    )  # fmt: skip
    return replace(read, source=str(folder))


def _part(folder: Path, domain: str, part: str) -> tuple[list[str], tuple[str, ...]]:
    """Paths of one domain, and what is to be said of them; part: "", "_train", "80", ..."""
    if part.startswith("_"):
        return listed_files(folder, domain + part), ()
    root = images_folder(folder) / domain
    read = from_folder(root, name=f"pacs:{domain}", domain="ID", use="test", class_names=CLASSES)
    missing = [c for i, c in enumerate(CLASSES) if i not in set(read.require_labels().tolist())]
    if missing:
        raise DataError(
            f"{root} has no folder {few(missing)}",
            expected=f"all seven classes in every domain: {', '.join(CLASSES)}",
            fix=f"`surefoot data check pacs {folder}` says what is missing",
        )
    assert isinstance(read.images, FileImages)
    files = [f"{domain}/{path}" for path in read.images.paths]
    if part:
        files = domainbed_part(files, domain, larger=part == "80")
    return files, read.notes


def _miniature(folder: Path, seed: int) -> None:
    """Seven classes of five pictures in every domain; the lists hold the fifth for validation."""
    (folder / "splits").mkdir(parents=True, exist_ok=True)
    counts = {}
    for shade, domain in enumerate(DOMAINS):
        lists: dict[str, list[str]] = {"train": [], "crossval": [], "test": []}
        for label, name in enumerate(CLASSES):
            for number in range(1, 6):
                ending = "png" if domain == "sketch" else "jpg"
                path = f"{domain}/{name}/pic_{number:03d}.{ending}"
                write_picture(folder / path, label, 10 * shade + number, seed=seed)
                for kind in ("test", "crossval" if number == 5 else "train"):
                    lists[kind].append(f"{path} {label + 1}")
        for kind, lines in lists.items():
            write_atomic(folder / "splits" / f"{domain}_{kind}_kfold.txt", "\n".join(lines) + "\n")
    for split in PACS.splits:
        n = len(PACS.read(folder, split))
        counts[split] = Expected(n, None if split.endswith("20") else 7, source="miniature")
    mark_miniature(folder, "pacs", counts, seed)


def _splits() -> dict[str, Expected]:
    whole = "KaiyangZhou/Dassl.pytorch, dassl/data/datasets/dg/pacs.py; the classes': a whole copy"
    lists = "the lists in DeLightCMU/RSC, Domain_Generalization/data/correct_txt_lists"
    cut = "int(0.2 n), facebookresearch/DomainBed, domainbed/scripts/train.py"
    found = {d: Expected(sum(COUNTS[d]), 7, source=whole) for d in DOMAINS}
    found |= {name: Expected(n, 7, source=lists) for name, (n, _) in LISTED.items()}
    for d in DOMAINS:
        n = sum(COUNTS[d])
        found[f"{d}80"] = Expected(n - int(0.2 * n), 7, source=cut)
        found[f"{d}20"] = Expected(int(0.2 * n), 7, source=cut)
    return found | {
        f"{_ALL_BUT}{d}{part}": Expected(_total(found, d, part), 7, source=found[d + part].source)
        for part in ("_train", "_crossval", "80", "20")
        for d in DOMAINS
    }


def _total(found: dict[str, Expected], left_out: str, part: str) -> int:
    return sum(found[d + part].images or 0 for d in DOMAINS if d != left_out)


PACS: KnownDataset = KnownDataset(
    name="pacs",
    title="PACS",
    summary="Seven kinds of things as photographs, art paintings, cartoons and sketches; every "
    "class is in every domain. By itself it trains on photographs.",
    homepage="http://www.eecs.qmul.ac.uk/~dl307/project_iccv2017",
    citation='D. Li, Y. Yang, Y.-Z. Song, T. M. Hospedales, "Deeper, Broader and Artier Domain '
    'Generalization", ICCV 2017, arXiv 1710.03077; 80/20 cuts: I. Gulrajani, D. Lopez-Paz, "In '
    'Search of Lost Domain Generalization", ICLR 2021, arXiv 2007.01434',
    licence="unknown: none of its authors was found (uploads name their own); for research only",
    layout=(
        "PACS/                                 or in it: kfold/ or images/",
        "  <domain>/<class>/*.{jpg,png}        art_painting, cartoon, photo, sketch; 7 classes",
        "  splits/<domain>_{train,crossval,test}_kfold.txt   for *_train and *_crossval",
    ),
    folders=("PACS", "pacs"),
    splits=_splits(),
    default="sketch",
    metric="top1",
    domain="ID",
    read=_read,
    inspect=lambda folder, full: inspect_pacs(PACS, folder, full),
    miniature=_miniature,
    needs=("for *_train and *_crossval: the authors' *_kfold.txt, in splits/",),
    class_source="names of the class folders, sorted, as the authors number them",
    present=lambda folder: any((images_folder(folder) / d).is_dir() for d in DOMAINS[:3]),
    roles={"train": "photo80", "test": "photo20"},
    shifts=("art_painting", "cartoon", "sketch"),
    notes=(
        "photo80 with photo20 is DomainBed's cut of the photographs; ID validation is cut from "
        "photo80 by surefoot, so that the combination is ours.",
        "Leaving one domain out, Li et al. 2017: --train pacs:without-sketch_train --val "
        "pacs:without-sketch_crossval --shift sketch=pacs:sketch.",
        "Leaving one domain out, DomainBed: --train pacs:without-sketch80 --val "
        "pacs:without-sketch20 --shift sketch=pacs:sketch80; it sweeps several trials, of which "
        "trial 0 is here, and draws equal batches of each domain, where surefoot draws from the "
        "union.",
        "Dassl.pytorch leaves sketch/dog/n02103406_4068-1.png out as damaged; surefoot keeps it, "
        "and `data check --full` tells whether yours can be decoded.",
    ),
)
