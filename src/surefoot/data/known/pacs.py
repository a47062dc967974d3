"""PACS: seven kinds of things as photographs, paintings, cartoons and sketches.

By itself, ``pacs`` trains on photographs and asks in the other three domains, as papers on
single-source domain generalisation do ("photo to rest": arXiv 2409.19774, whose code trains with
``--train_only photo``). Four fifths of the photographs are trained on and the rest is the ID test,
by DomainBed's cut; that combination is ours. The protocols of its authors and of DomainBed leave
one domain out and train on the union of the others, ``without-<domain>_train`` and
``without-<domain>80``; see :mod:`surefoot.data.known.pacs_protocols`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ...errors import DataError
from ..dataset import Split
from ..images import FileImages
from .base import Counts, KnownDataset
from .checks import (
    Problem,
    archive_problems,
    bad_image_problems,
    class_problems,
    count_problems,
    few,
    leftover_archives,
    read_tree,
)
from .facts import facts, miniature_mark
from .pacs_protocols import (
    CLASSES,
    DOMAINS,
    domainbed_part,
    fingerprint,
    images_folder,
    list_file,
    listed_files,
)
from .pictures import write_lines, write_picture

__all__ = ["PACS"]

_ALL_BUT = "without-"


@dataclass(frozen=True, eq=False, kw_only=True)
class _Pacs(KnownDataset):
    """Domains of class folders, and the lists of its authors.

    Attributes:
        per_class: Domain -> images of each class.
        fingerprints: Of a domain's file names ("photo/dog/056_0001.jpg"), and of a list's lines.
    """

    per_class: Mapping[str, Sequence[int]]
    fingerprints: Mapping[str, str]

    def present(self, folder: Path) -> bool:
        """Is a domain here other than sketch, which DomainNet has too?"""
        return any((images_folder(folder) / domain).is_dir() for domain in DOMAINS[:3])

    def _read(self, folder: Path, split: str) -> Split:
        name = split.removeprefix(_ALL_BUT)
        domain = next(d for d in DOMAINS if name.startswith(d))
        union = [d for d in DOMAINS if d != domain] if split != name else [domain]
        part = name.removeprefix(domain)
        parts = {d: self._part(folder, d, part) for d in union}
        paths = [path for files, _ in parts.values() for path in files]
        labels = np.array([CLASSES.index(p.split("/")[1]) for p in paths], dtype=np.int64)
        column = np.repeat(np.array(union, dtype=np.str_), [len(f) for f, _ in parts.values()])
        notes = [note for _, found in parts.values() for note in found]
        if part in ("80", "20"):
            notes.append(f"pacs:{split}: DomainBed's 80/20 cut, trial seed 0")
        read = self.listed(
            images_folder(folder), split, paths, labels, CLASSES, notes=tuple(notes),
            metadata={"domain": column} if len(union) > 1 else {},
        )  # fmt: skip
        return replace(read, source=str(folder))

    def _part(self, folder: Path, domain: str, part: str) -> tuple[list[str], tuple[str, ...]]:
        """Paths of one domain, and what is to be said of them; part: "", "_train", "80", ..."""
        if part.startswith("_"):
            return listed_files(folder, domain + part), ()
        root = images_folder(folder) / domain
        read = self.sorted_by_class(root, domain, CLASSES)
        here = set(read.require_labels().tolist())
        missing = [c for i, c in enumerate(CLASSES) if i not in here]
        if missing:
            raise DataError(
                f"{root} has no folder {few(missing)}",
                expected=f"all seven classes in every domain: {', '.join(CLASSES)}",
                fix=f"`surefoot data check pacs {folder}` says what is missing",
            )
        files = [f"{domain}/{path}" for path in _paths(read)]
        if part:
            files = domainbed_part(files, domain, larger=part == "80")
        return files, read.notes

    def _problems(self, folder: Path, full: bool) -> list[Problem]:
        """Of every domain; the authors' lists are checked where they are there."""
        found: list[Problem] = []
        for domain in DOMAINS:
            own = self._domain_problems(folder, domain, full)
            found += own + self._list_problems(folder, domain, whole=not own)
        return [*found, *leftover_archives(folder)] if found else found

    def _domain_problems(self, folder: Path, domain: str, full: bool) -> list[Problem]:
        root = images_folder(folder) / domain
        if not root.is_dir():
            what = f"the folder {root} is missing"
            return [Problem.of(domain, what, f"expected {self.layout[1].strip()}")]
        tree, real = read_tree(root), miniature_mark(folder) is None
        expected = self.expected(folder)[domain]
        found = archive_problems(tree, domain)
        found += class_problems(domain, tree.counts, CLASSES, None)
        found += count_problems(domain, expected, tree.images, tree.classes)
        wanted = dict(zip(CLASSES, self.per_class[domain], strict=True)) if real else {}
        odd = [f"{c} {tree.counts[c]:,} of {n:,}" for c, n in wanted.items()
               if tree.counts.get(c, n) != n]  # fmt: skip
        if odd:
            what = f"images of classes differ from those published ({few(odd, 7)})"
            found.append(Problem.of(domain, what, "get the copy again"))
        if found and (tree.classes < len(CLASSES) or set(tree.counts) - set(CLASSES)):
            return found
        split = self.read(folder, domain)
        if real and not found and fingerprint(_paths(split)) != self.fingerprints[domain]:
            found.append(Problem.of(
                domain,
                f"the images have other file names than published, so that {domain}80 and "
                f"{domain}20 are not DomainBed's cut",
                "get a copy with the original names",
            ))  # fmt: skip
        return found + (bad_image_problems(split, domain) if full else [])

    def _list_problems(self, folder: Path, domain: str, *, whole: bool) -> list[Problem]:
        """Of the authors' lists, which a copy need not have: of two, both or none."""
        names = (f"{domain}_train", f"{domain}_crossval")
        if not any(list_file(folder, name) for name in names):
            return []
        expected = self.expected(folder)
        found = [
            p for name in names for p in self._split_problems(folder, name, expected[name], False)
        ]
        return found or (self._cut_problems(folder, domain, names) if whole else [])

    def _cut_problems(self, folder: Path, domain: str, names: Sequence[str]) -> list[Problem]:
        """Do the two lists cut the domain in two, and are they the published ones?"""
        fix = "get the *_kfold.txt files again"
        listed = {name: listed_files(folder, name) for name in names}
        every = sorted(path for paths in listed.values() for path in paths)
        if every != sorted(_paths(self.read(folder, domain))):
            what = "its two lists do not name every image once"
            return [Problem.of(domain, what, fix)]
        if miniature_mark(folder) is not None:
            return []
        lines = {
            name: [f"{p} {CLASSES.index(p.split('/')[1]) + 1}" for p in paths]
            for name, paths in listed.items()
        }
        odd = [n for n, own in lines.items() if fingerprint(own) != self.fingerprints[n]]
        what = "is not the published list, though as long: its images were drawn anew"
        return [Problem.of(name, what, fix) for name in odd]

    def _miniature(self, folder: Path, seed: int) -> Counts:
        """Seven classes of five pictures in every domain; the lists hold out the fifth."""
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
                write_lines(folder / f"splits/{domain}_{kind}_kfold.txt", lines)
        sizes = {
            "": (35, 7),
            "_train": (28, 7),
            "_crossval": (7, 7),
            "80": (28, 7),
            "20": (7, None),
        }
        return {
            f"{left_out}{domain}{part}": (n * (3 if left_out else 1), classes)
            for part, (n, classes) in sizes.items()
            for domain in DOMAINS
            for left_out in ("", _ALL_BUT)
            if part or not left_out
        }


def _paths(split: Split) -> Sequence[str]:
    """Of the files of a whole split."""
    assert isinstance(split.images, FileImages)
    return split.images.paths


PACS = _Pacs(**facts("pacs"))
