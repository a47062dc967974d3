"""Predictions are kept; scores are derived from them. No torch here."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import RunError
from .records import write_atomic

__all__ = ["Predictions", "same_order"]


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a model said about every image of one split.

    Attributes:
        split: "val", "test" or the name of a shift.
        domain: "ID" or "OOD".
        logits: (n, classes) float32; classes outside ``classes`` are not masked here.
        labels: (n,) int64, in the task's classes.
        ids: n stable names.
        identities: (n, 32) uint8, who the images are (``Split.identities``); None in files of
            before.
        class_names: The task's.
        metric: The split's own metric ("top1", ...).
        classes: Classes that the split can contain, ascending; None: all. Scores mask the rest.
        groups: Classes that count as one, each ascending (ObjectNet: several of ImageNet's are
            one of its own): the largest logit of a group speaks for its first class. None: every
            class is its own.
        metadata: Column name -> (n,) array.
        unit: The metadata column whose values say which images hang together; None: each image
            is taken as independent.
        version: Of the data set.
        synthetic: Made by a program.
        votes: The logits are votes of neighbours: they order classes and are no probabilities.
    """

    split: str
    domain: str
    logits: NDArray[np.float32]
    labels: NDArray[np.int64]
    ids: tuple[str, ...]
    class_names: tuple[str, ...]
    metric: str = "top1"
    classes: tuple[int, ...] | None = None
    metadata: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    unit: str | None = None
    version: str = "unversioned"
    synthetic: bool = False
    groups: tuple[tuple[int, ...], ...] | None = None
    identities: NDArray[np.uint8] | None = None
    votes: bool = False

    def __repr__(self) -> str:
        n, classes = self.logits.shape
        return f"Predictions({self.split}, {self.domain}: {n:,} images, {classes} classes)"

    def masked(self) -> NDArray[np.float32]:
        """Logits (n, classes) with minus infinity for classes the split cannot contain.

        A group's largest logit stands at its first class; the others get minus infinity.
        """
        if self.classes is None and self.groups is None:
            return self.logits
        out: NDArray[np.float32] = self.logits.copy()
        if self.classes is not None:
            out[:, np.setdiff1d(np.arange(out.shape[1]), self.classes)] = -np.inf
        for first, *others in self.groups or ():
            out[:, first] = out[:, [first, *others]].max(axis=1)
            out[:, others] = -np.inf
        return out

    def occurring(self) -> tuple[int, ...]:
        """The classes that have an image here, ascending."""
        return tuple(int(c) for c in np.unique(self.labels))

    def top1(self) -> NDArray[np.int64]:
        """Predicted class (n,); ties go to the lowest index."""
        best: NDArray[np.int64] = self.masked().argmax(axis=1).astype(np.int64)
        return best

    def correct(self) -> NDArray[np.bool_]:
        """Image by image (n,): is the top class the label?"""
        right: NDArray[np.bool_] = self.top1() == self.labels
        return right

    def units(self) -> NDArray[Any] | None:
        """What each image hangs together with, (n,), or None: each is taken as independent.

        Labels are the same in every split, so that a designer or a patient is one unit wherever
        it occurs. Corruptions of one image hang together by its name.

        Raises:
            RunError: The column that the file names is not in it.
        """
        if self.unit is None:
            return np.array(self.ids, dtype=np.str_) if self.synthetic else None
        if self.unit not in self.metadata:
            raise RunError(
                f"predictions on {self.split!r} name the unit {self.unit!r}, which is no column",
                expected=f"one of {', '.join(self.metadata) or 'no columns'}",
                fix="evaluate again with `surefoot eval`",
            )
        return self.metadata[self.unit]

    def same_images(self, other: Predictions) -> bool:
        """Row by row the same images; by name where content was not kept of both."""
        if self.identities is None or other.identities is None:
            return self.ids == other.ids
        return np.array_equal(self.identities, other.identities)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one ``.npz`` file, atomically; no pickles inside."""
        head = {
            "split": self.split,
            "domain": self.domain,
            "class_names": self.class_names,
            "metric": self.metric,
            "classes": self.classes,
            "groups": self.groups,
            "unit": self.unit,
            "version": self.version,
            "synthetic": self.synthetic,
            "votes": self.votes,
            "schema": 1,
        }
        arrays: dict[str, NDArray[Any]] = {
            "header": np.frombuffer(json.dumps(head).encode(), dtype=np.uint8),
            "logits": self.logits,
            "labels": self.labels,
            "ids": np.array(self.ids, dtype=np.str_),
        }
        if self.identities is not None:
            arrays["identities"] = self.identities
        for name, column in self.metadata.items():
            flat = column.astype(np.str_) if column.dtype == object else column
            arrays[f"metadata.{name}"] = flat
        write_atomic(path, _archive(arrays))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Predictions:
        """Read what :meth:`save` wrote.

        Raises:
            RunError: The file is missing or is not a predictions file.
        """
        try:
            with np.load(Path(path), allow_pickle=False) as stored:
                head = json.loads(stored["header"].tobytes().decode())
                metadata = {
                    k.removeprefix("metadata."): stored[k]
                    for k in stored.files
                    if k.startswith("metadata.")
                }
                logits, labels = stored["logits"], stored["labels"]
                ids = tuple(stored["ids"].tolist())
                who = stored["identities"] if "identities" in stored.files else None
        except (OSError, ValueError, KeyError) as error:
            raise RunError(
                f"{path} cannot be read as predictions ({error})",
                expected="an .npz file that surefoot wrote",
                fix="evaluate again with `surefoot eval`",
            ) from error
        head.pop("schema")
        head["class_names"] = tuple(head["class_names"])
        head["classes"] = None if head["classes"] is None else tuple(head["classes"])
        head.setdefault("unit", _former_unit(head.pop("cluster", None), metadata))
        groups = head.get("groups")  # files of before groups have none
        head["groups"] = None if groups is None else tuple(map(tuple, groups))
        return cls(logits=logits, labels=labels, ids=ids, metadata=metadata, identities=who, **head)


def _former_unit(name: str | None, metadata: Mapping[str, NDArray[Any]]) -> str | None:
    """The unit of a file of before: one value all through was the split's name (QuickDraw)."""
    labels = metadata.get(name or "")
    return None if labels is None or len(set(labels.tolist())) < 2 else name


def same_order(
    ids: tuple[Sequence[str], Sequence[str]],
    identities: tuple[NDArray[np.uint8] | None, NDArray[np.uint8] | None],
) -> NDArray[np.int64] | None:
    """Where each image of the first split is in the second: (n,) rows.

    Matched by content, whatever the names and the order; an image that is there several times is
    numbered. By names in one order where content was not kept.

    Args:
        ids: Names of both.
        identities: (n, 32) of both, where they were kept.

    Returns:
        None where the two splits are not of the same images.
    """
    mine, theirs = identities
    if mine is None or theirs is None:
        return np.arange(len(ids[0])) if tuple(ids[0]) == tuple(ids[1]) else None
    if mine.shape != theirs.shape:
        return None
    # Copies of one image keep their order, which numbers them.
    here, there = (who.view((np.void, 32))[:, 0].argsort(kind="stable") for who in (mine, theirs))
    if not np.array_equal(mine[here], theirs[there]):
        return None
    rows = np.empty(len(here), dtype=np.int64)
    rows[here] = there
    return rows


def _archive(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """The bytes of an ``.npz`` file: what shrinks is compressed.

    Logits and identities hardly do, and to try takes longer than to predict: seconds for each alpha
    on a test set of ImageNet's size.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy")
            plain = array.dtype.kind == "f" or name == "identities"
            entry.compress_type = zipfile.ZIP_STORED if plain else zipfile.ZIP_DEFLATED
            with file.open(entry, "w", force_zip64=True) as part:
                np.lib.format.write_array(part, np.asanyarray(array), allow_pickle=False)
    return buffer.getvalue()
