"""ImageNet-Vid-Robust: frames of ImageNet-Vid near anchors, 30 classes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import DataError
from ..dataset import ClassMap, Split
from .base import Expected, KnownDataset, Problem, mark_miniature
from .frames import Frame, frames_map, frames_problems, frames_split
from .imagenet import miniature_wnids
from .layout import no_folder, not_there
from .parts import unknown_split
from .pictures import salted, write_picture
from .wordnet import imagenet_index, synset_lemmas

__all__ = ["IMAGENET_VID_ROBUST"]

_FILES = (
    "misc/imagenet_vid_class_index.json",
    "misc/rev_wnid_map.json",
    "metadata/labels.json",
    "metadata/pmsets.json",
)


def _present(folder: Path) -> bool:
    return (folder / "metadata").is_dir() and (folder / "val").is_dir()


def _json(folder: Path, name: str) -> Any:
    file = folder / name
    if not file.is_file():
        raise not_there(IMAGENET_VID_ROBUST, [file.absolute()], f"the file {name}")
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{file} is no JSON ({error})", fix="extract the archive again") from error


def _classes(folder: Path) -> dict[str, str]:
    """WordNet id of a class of ImageNet-Vid -> its name, in label order."""
    index = _json(folder, _FILES[0])
    return {str(index[str(i)][0]): str(index[str(i)][1]) for i in range(len(index))}


def _wnids(folder: Path) -> Mapping[str, tuple[str, ...]]:
    """Class name -> the classes of ImageNet that it covers."""
    names = _classes(folder)
    reverse = _json(folder, _FILES[1])
    return {names[vid]: tuple(ids) for vid, ids in reverse.items() if vid in names}


def _frames(folder: Path) -> list[Frame]:
    """Every anchor and the frames near it, in the order of the metadata."""
    names = list(_classes(folder).values())
    labels, sets = _json(folder, _FILES[2]), _json(folder, _FILES[3])
    frames = []
    for anchor, near in sets.items():
        for path in (anchor, *near):
            if path not in labels:
                raise DataError(
                    f"{folder / _FILES[2]} has no label for {path}, which pmsets.json names",
                    expected="files that belong together",
                    fix="extract the archive again",
                )
            accepted = tuple(names[i] for i in labels[path])
            offset = int(Path(path).stem) - int(Path(anchor).stem)
            frames.append(Frame(path, anchor, offset, accepted))
    return frames


def _read(folder: Path, split: str) -> Split:
    if split not in IMAGENET_VID_ROBUST.splits:
        raise unknown_split("imagenet-vid-robust", split, IMAGENET_VID_ROBUST.splits)
    classes = list(_classes(folder).values())
    return frames_split(IMAGENET_VID_ROBUST, folder, _frames(folder), classes)


def _class_map(folder: Path, split: Split, task_classes: Sequence[str]) -> ClassMap:
    return frames_map(_wnids(folder), split, task_classes)


def _inspect(folder: Path, full: bool) -> Sequence[Problem]:
    if missing := no_folder(folder, IMAGENET_VID_ROBUST):
        return missing
    try:
        frames, classes = _frames(folder), list(_classes(folder).values())
        _wnids(folder)
    except DataError as error:
        return [Problem(error.wrong, error.fix)]
    return frames_problems(IMAGENET_VID_ROBUST, folder, folder, frames, classes, full)


def _miniature(folder: Path, seed: int) -> None:
    index, wnids = imagenet_index(), miniature_wnids()
    names = {w: lemma.split(",")[0] for w, lemma in synset_lemmas().items()}
    # A class of the videos covers one or several of ImageNet's and is called by an id of its own.
    groups = {wnids[0]: wnids[0:2], wnids[4]: wnids[4:5], wnids[7]: wnids[7:9]}
    classes = {str(i): [vid, names[vid]] for i, vid in enumerate(groups)}
    labels: dict[str, list[int]] = {}
    sets: dict[str, list[str]] = {}
    for number in range(6):
        at = number % len(groups)
        label = index[groups[list(groups)[at]][-1]]
        paths = [f"val/ILSVRC2015_val_{number:08d}/{i:06d}.JPEG" for i in range(40, 45)]
        for i, path in enumerate(paths):
            write_picture(folder / path, label, 10 * number + i, seed=salted("vid", seed))
            labels[path] = [at, (at + 1) % len(groups)] if number == 5 else [at]
        sets[paths[2]] = [p for p in paths if p != paths[2]][: 4 - number % 2]
    files = {
        _FILES[0]: classes,
        _FILES[1]: {vid: list(ids) for vid, ids in groups.items()},
        "misc/wnid_map.json": {w: vid for vid, ids in groups.items() for w in ids},
        "misc/imagenet_class_index.json": {str(index[w]): [w, names[w]] for w in wnids},
        _FILES[2]: labels,
        _FILES[3]: sets,
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content, indent=1), encoding="utf-8")
    frames = len(sets) + sum(map(len, sets.values()))
    counts = {"test": Expected(frames, len(groups), len(sets))}
    mark_miniature(folder, "imagenet-vid-robust", counts, seed)


IMAGENET_VID_ROBUST = KnownDataset(
    name="imagenet-vid-robust",
    title="ImageNet-Vid-Robust",
    summary="Frames of videos within 10 frames of an anchor that look the same to people: is a "
    "model still right when a video moves on by a third of a second?",
    homepage="https://modestyachts.github.io/natural-perturbations-website/",
    citation="Shankar et al., Do Image Classifiers Generalize Across Time?, ICCV 2021, "
    "arXiv 1906.02168",
    licence="not stated; the frames are ImageNet-Vid's (ILSVRC2015), under ImageNet's terms",
    layout=(
        "imagenet_vid_ytbb_robust/imagenet-vid-robust/val/ILSVRC2015_val_00000000/000432.JPEG, ...",
        *(f"imagenet_vid_ytbb_robust/imagenet-vid-robust/{name}" for name in _FILES),
    ),
    folders=("imagenet_vid_ytbb_robust/imagenet-vid-robust", "imagenet-vid-robust"),
    splits={
        "test": Expected(
            22_179,
            30,
            1_109,
            source="labels.json and pmsets.json as the "
            "authors' imagenet-testbed has them; the paper says 22,178 images "
            "in 1,109 sets",
        )
    },
    default="test",
    metric="pm10",
    domain="OOD",
    read=_read,
    inspect=_inspect,
    miniature=_miniature,
    control="imagenet:val",
    needs=("misc/ and metadata/ of the archive: classes, labels, and which frames are near",),
    class_source="misc/imagenet_vid_class_index.json and misc/rev_wnid_map.json of the copy: 30 "
    "classes over 288 of ImageNet's",
    kind="frames",
    aliases=("vid-robust",),
    present=_present,
    class_map=_class_map,
    notes=(
        "pm0 is the accuracy on anchors; an anchor counts for pm10 only where all frames near it "
        "are right too. A frame may show several classes, each of which is right.",
    ),
)
