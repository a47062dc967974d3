"""Frames of videos around anchors: what the two video sets share, and ImageNet-Vid-Robust."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import DataError
from ..dataset import ClassMap, Split
from ..images import FileImages
from .base import Counts, KnownDataset
from .checks import AGAIN, Problem, bad_image_problems, count_problems, few, some
from .facts import facts
from .files import read_json
from .imagenet import miniature_wnids
from .pictures import salted, write_picture
from .wordnet import covering, imagenet_index, synset_lemmas

__all__ = ["IMAGENET_VID_ROBUST", "Frame", "Frames"]


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        path: Relative to the root of the frames.
        anchor: The path of its anchor; its own for an anchor.
        offset: Frames from the anchor; 0 for itself.
        accepted: Classes that are right, the first of which is the label.
    """

    path: str
    anchor: str
    offset: int
    accepted: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Frames(KnownDataset):
    """Frames, and metadata that say which are near which anchor and what they show.

    Attributes:
        inside: The folder that the frames' paths start from.
    """

    inside: str = "."

    def metadata(self, folder: Path) -> Path:
        """The folder of the metadata: the data set's own, unless they lie elsewhere.

        Raises:
            DataError: They are nowhere.
        """
        return folder

    @abstractmethod
    def classes(self, place: Path) -> Sequence[str]:
        """Class names in label order, from the metadata."""

    @abstractmethod
    def wnids(self, place: Path) -> Mapping[str, tuple[str, ...]]:
        """Class -> the classes of ImageNet that it covers."""

    @abstractmethod
    def frames(self, place: Path) -> list[Frame]:
        """Every anchor and the frames near it."""

    def class_map(self, folder: Path, split: Split, task: Sequence[str]) -> ClassMap:
        """Class -> all of its ImageNet classes that the task has."""
        return covering(self.wnids(self.metadata(folder)), split.class_names, task)

    def _read(self, folder: Path, split: str) -> Split:
        """With what pm_k needs, anchor, offset and accepted (joined by "|"), and the video."""
        root, place = folder / self.inside, self.metadata(folder)
        frames, names = self.frames(place), self.classes(place)
        missing = [f.path for f in frames if not (root / f.path).is_file()]
        if missing:
            raise DataError(
                f"{len(missing):,} of {len(frames):,} frames that the metadata of {self.name} name "
                f"are not in {root} ({few(missing, 3)})",
                expected="every anchor and the frames near it: a missing one would count as right",
                fix=f"extract the archive again; `surefoot data check {self.name} DIR` lists more",
            )
        position = {name: i for i, name in enumerate(names)}
        labels = np.array([position[f.accepted[0]] for f in frames], dtype=np.int64)
        columns = {
            "video": np.array([_video(f.anchor) for f in frames], dtype=np.str_),
            "anchor": np.array([f.anchor for f in frames], dtype=np.str_),
            "offset": np.array([f.offset for f in frames], dtype=np.int64),
            "accepted": np.array(["|".join(f.accepted) for f in frames], dtype=np.str_),
        }
        images = FileImages(root, [f.path for f in frames])
        return self.made(
            split, images, labels, names, root, metadata=columns, unit="video"
        )  # fmt: skip

    def _problems(self, folder: Path, full: bool) -> list[Problem]:
        """Frames that are missing or empty, and counts against those published."""
        try:
            place = self.metadata(folder)
            frames, classes = self.frames(place), len(self.classes(place))
            self.wnids(place)
        except DataError as error:
            return [Problem(error.wrong, error.fix)]
        root, expected = folder / self.inside, self.expected(folder)["test"]
        there = [f.path for f in frames if (root / f.path).is_file()]
        missing = [f.path for f in frames if f.path not in set(there)]
        empty = [path for path in there if (root / path).stat().st_size == 0]
        found = []
        if missing:
            found.append(Problem.of(
                "test",
                f"{len(missing):,} of {len(frames):,} frames that the metadata name are missing "
                f"({few(missing, 3)})",
                AGAIN,
            ))  # fmt: skip
        found += some("test", empty, "frame", "of zero bytes ({})", AGAIN, most=3)
        found += count_problems("test", expected, len(frames), classes)
        anchors = len({f.anchor for f in frames})
        if expected.scored not in (None, anchors):
            what = f"the metadata name {anchors:,} anchors, expected {expected.scored:,}"
            found.append(Problem.of("test", what, "get the metadata again"))
        if full and there:
            images = FileImages(root, there)
            found += bad_image_problems(self.made("test", images, None, (), root), "test")
        return found


def _video(anchor: str) -> str:
    """The video of an anchor: its folder, without the time that YTBB puts behind the video's id.

    VIDEO/NUMBER.JPEG of ImageNet-Vid, VIDEO_MILLISECONDS/frame-N.jpg of YTBB, where a video may
    have several anchors.
    """
    folder, _, frame = anchor.rpartition("/")
    return folder.rpartition("_")[0] if frame.startswith("frame-") else folder


_FILES = (
    "misc/imagenet_vid_class_index.json",
    "misc/rev_wnid_map.json",
    "metadata/labels.json",
    "metadata/pmsets.json",
)


class _VidRobust(Frames):
    """Frames of ImageNet-Vid, 30 classes."""

    def _named(self, place: Path) -> dict[str, str]:
        """WordNet id of a class of ImageNet-Vid -> its name, in label order."""
        index = read_json(place / _FILES[0])
        return {str(index[str(i)][0]): str(index[str(i)][1]) for i in range(len(index))}

    def classes(self, place: Path) -> Sequence[str]:
        """From imagenet_vid_class_index.json."""
        return list(self._named(place).values())

    def wnids(self, place: Path) -> Mapping[str, tuple[str, ...]]:
        """From rev_wnid_map.json."""
        names = self._named(place)
        reverse = read_json(place / _FILES[1])
        return {names[vid]: tuple(ids) for vid, ids in reverse.items() if vid in names}

    def frames(self, place: Path) -> list[Frame]:
        """In the order of pmsets.json; each has a label in labels.json."""
        names = self.classes(place)
        labels, sets = read_json(place / _FILES[2]), read_json(place / _FILES[3])
        frames = []
        for anchor, near in sets.items():
            for path in (anchor, *near):
                if path not in labels:
                    raise DataError(
                        f"{place / _FILES[2]} has no label for {path}, which pmsets.json names",
                        expected="files that belong together",
                        fix=AGAIN,
                    )
                accepted = tuple(names[i] for i in labels[path])
                offset = int(Path(path).stem) - int(Path(anchor).stem)
                frames.append(Frame(path, anchor, offset, accepted))
        return frames

    def _miniature(self, folder: Path, seed: int) -> Counts:
        index, wnids = imagenet_index(), miniature_wnids()
        names = {w: lemma.split(",")[0] for w, lemma in synset_lemmas().items()}
        # A class of the videos covers one or several of ImageNet's; it has an id of its own.
        groups = {wnids[0]: wnids[0:2], wnids[4]: wnids[4:5], wnids[7]: wnids[7:9]}
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
            _FILES[0]: {str(i): [vid, names[vid]] for i, vid in enumerate(groups)},
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
        return {"test": (frames, len(groups), len(sets))}


IMAGENET_VID_ROBUST = _VidRobust(**facts("imagenet-vid-robust"))
