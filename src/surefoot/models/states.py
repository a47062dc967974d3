"""State dicts against modules: prefixes come off, and every mismatch is listed at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from ..errors import CheckpointError
from ..inventory import Note
from ..weights.prefixes import prefixes, unwrapped
from ..weights.roles import chosen, same_tensors
from .activation import OPENAI_KEYS
from .record import Fact

__all__ = ["Checked", "check_state", "chosen_prefix", "common_prefix", "strip_prefix"]

_HEADS = {
    "head",
    "head_dist",
    "heads",
    "fc",
    "classifier",
    "classification_head",
    "last_linear",
    "projector",
    "prototypes",
    "last_layer",
}
"""First part of the keys of a classifier or a pretext head: left out, and said so."""


@dataclass
class Checked:
    """A state dict that fits.

    Attributes:
        state: Key -> tensor, exactly the keys of the module.
        left_out: Keys of the file that belong to a head and were not used.
        notes: What was changed on the way, one sentence each.
    """

    state: dict[str, Tensor]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def facts(self, file: Path) -> dict[str, Fact]:
        """For a record: which tensors were taken, and what became of the file's head."""
        cast = next((f", {note}" for note in self.notes if "float32 now" in note), "")
        head = f"left out: {_shown(self.left_out)}" if self.left_out else "none"
        return {
            "tensors": Fact(f"{len(self.state)} taken{cast}", file.name),
            "head": Fact(head, file.name),
        }


def _shown(keys: Sequence[str]) -> str:
    return ", ".join(keys[:4]) + (", ..." if len(keys) > 4 else "")


def common_prefix(state: Mapping[str, Tensor] | Iterable[str], wanted: Iterable[str]) -> str:
    """The prefix ("module.", "backbone.", ...) under which most of the wanted keys stand.

    Raises:
        CheckpointError: See :func:`chosen_prefix`.
    """
    return chosen_prefix(state, wanted)[0]


def chosen_prefix(
    state: Mapping[str, Tensor] | Iterable[str], wanted: Iterable[str]
) -> tuple[str, tuple[str, ...]]:
    """The common prefix, and a note where it was chosen among several networks by their roles.

    Args:
        state: Key -> tensor, or keys alone.
        wanted: Keys of the module, or some that tell it.

    Raises:
        CheckpointError: Several networks fit, and no known roles tell them apart.
    """
    keys, wanted = sorted(state), list(wanted)
    sample = wanted[:: max(1, len(wanted) // 64)]
    found = prefixes(keys, sample)
    best = max(found.values(), default=0)
    alike = sorted(
        (p for p, n in found.items() if n >= _ALIKE * best), key=lambda p: (-found[p], len(p), p)
    )
    if best < _SHARE * len(sample) or len(alike) < 2:  # of a small share all sorts of keys match
        return (alike or [""])[0], ()
    names = {p: sum(key.startswith(p) for key in keys) for p in alike}
    equal = isinstance(state, Mapping) and same_tensors(state, alike)
    prefix, why = chosen(names, equal=equal)
    others = ", ".join(repr(p) for p in alike if p != prefix)
    if not why:
        return prefix, ()
    said = f"the weights under {prefix!r}, not {others}: {why}"
    return prefix, (Note(said, "guessed", say="by a file with those weights alone"),)


_ALIKE = 0.9
"""A prefix with that share of the best one's matches is another network that fits."""

_SHARE = 0.25
"""Of the wanted keys, so many must stand under a prefix for it to name a network."""


def strip_prefix(state: Mapping[str, Tensor], wanted: Iterable[str]) -> dict[str, Tensor]:
    """The state dict with compile marks and its common prefix taken off.

    Keys outside the prefix keep their names, so that :func:`check_state` judges them.

    Raises:
        CheckpointError: See :func:`chosen_prefix`.
    """
    clean = {unwrapped(key): value for key, value in state.items()}
    prefix = common_prefix(clean, wanted)
    return {key[len(prefix) :] if key.startswith(prefix) else key: v for key, v in clean.items()}


def check_state(
    state: Mapping[str, Tensor],
    wanted: Mapping[str, Tensor],
    *,
    where: str,
    heads: Iterable[str] = (),
    tolerate_heads: bool = False,
    finite: bool = True,
) -> Checked:
    """Fit a state dict to a module's, or list everything that does not fit.

    Args:
        state: Key -> tensor, as read.
        wanted: ``module.state_dict()``: the right keys, shapes and dtypes.
        where: The file, for messages.
        heads: More key prefixes that belong to a head.
        tolerate_heads: Leave keys of a classifier or pretext head out instead of refusing them.
        finite: Refuse NaN and infinity, and cast to the dtypes of the module. Off for files of
            our own, which come back as they were.

    Raises:
        CheckpointError: One error with every missing and unexpected key, every other shape, every
            dtype that is not a float where one belongs, every tensor with NaN or infinity.
    """
    problems, left_out, fitted = [], [], {}
    cast: Counter[str] = Counter()
    for key in wanted:
        if key not in state and not _may_lack(key):
            problems.append(f"missing: {key} {tuple(wanted[key].shape)}")
    for key, value in state.items():
        if key not in wanted:
            if tolerate_heads and _is_head(key, heads):
                left_out.append(key)
            elif key not in OPENAI_KEYS and not key.endswith("position_ids"):
                problems.append(f"unexpected: {key} {tuple(value.shape)}")
            continue
        wrong = _wrong(key, value, wanted[key], finite)
        if wrong:
            problems.append(wrong)
            continue
        if finite and value.dtype != wanted[key].dtype:
            cast[str(value.dtype).removeprefix("torch.")] += 1
            value = value.to(wanted[key].dtype)
        fitted[key] = value.reshape(wanted[key].shape)
    if problems:
        raise _refusal(problems, where)
    fitted.update({key: wanted[key] for key in wanted if key not in fitted})
    notes = [f"{n} tensors were {name} in the file and are float32 now" for name, n in cast.items()]
    if left_out:
        notes.append(f"the file's head was left out ({_shown(left_out)})")
    return Checked(fitted, tuple(left_out), tuple(notes))


def _may_lack(key: str) -> bool:
    # Old files have no batch counter, and derived indices are not always stored.
    return key.endswith(("num_batches_tracked", "position_ids", "relative_position_index"))


def _is_head(key: str, heads: Iterable[str]) -> bool:
    parts = key.split(".")
    if parts[0] in ("module", "model") and len(parts) > 1:
        parts = parts[1:]
    return parts[0] in _HEADS or any(key.startswith(h + ".") for h in heads)


def _wrong(key: str, value: Tensor, want: Tensor, finite: bool) -> str:
    if value.shape != want.shape:
        # Scalars are stored as () or (1,), by version.
        if value.numel() == want.numel() == 1:
            return ""
        return f"shape: {key} is {tuple(value.shape)}, not {tuple(want.shape)}"
    if want.is_floating_point() and not value.is_floating_point():
        return f"dtype: {key} is {value.dtype}, not a float"
    if not want.is_floating_point() and value.is_floating_point():
        return f"dtype: {key} is {value.dtype}, not {want.dtype}"
    if finite and value.is_floating_point() and not bool(torch.isfinite(value).all()):
        bad = int((~torch.isfinite(value)).sum())
        return f"not finite: {key} has {bad} NaN or infinite values"
    return ""


def _refusal(problems: list[str], where: str) -> CheckpointError:
    order = sorted(problems, key=lambda p: p.split(":", 1)[0] != "not finite")
    listed = "".join(f"\n    {p}" for p in order)
    return CheckpointError(
        f"{where} does not fit the architecture, {len(problems)} mismatches:{listed}",
        expected="the keys, shapes and dtypes of the architecture, all values finite",
        fix="name the architecture that the file was trained with, or repair the file",
    )
