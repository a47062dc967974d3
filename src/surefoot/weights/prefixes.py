"""Prefixes under which one network's tensors stand in a file: one rule for loading and merging."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["bare", "prefixes", "unwrapped"]


def unwrapped(name: str) -> str:
    """The name without the marks of ``torch.compile``, wherever they stand."""
    return name.replace("_orig_mod.", "")


def prefixes(names: Iterable[str], wanted: Iterable[str]) -> Counter[str]:
    """Prefix ("module.", "backbone.", ...) -> how many of the wanted names stand under it."""
    found: Counter[str] = Counter()
    by_end: dict[str, list[str]] = {}
    for name in names:
        by_end.setdefault(name.rsplit(".", 1)[-1], []).append(name)
    for want in wanted:
        for name in by_end.get(want.rsplit(".", 1)[-1], ()):
            if name == want or name.endswith("." + want):
                found[name[: len(name) - len(want)]] += 1
    return found


def bare(sets: Sequence[Iterable[str]]) -> list[Mapping[str, str]]:
    """For each set its names -> the names under which all sets fit together.

    Sets that fit as they are keep their names. Else marks of ``torch.compile`` go; then the prefix
    under which the shortest names stand in another set; then the wrappers with which all names of
    a set begin. Where nothing makes them fit they stay as they are.
    """
    plain = [{name: name for name in names} for names in sets]
    clean = [{name: unwrapped(name) for name in own} for own in plain]
    wanted = min((set(own.values()) for own in clean), key=lambda names: sum(map(len, names)))
    tries = (plain, clean, [_under(own, wanted) for own in clean], [_inside(own) for own in clean])
    for found in tries:
        shown = [set(own.values()) for own in found]
        if all(names == shown[0] and len(names) == len(own)
               for names, own in zip(shown, plain, strict=True)):  # fmt: skip
            return list(found)
    return list(plain)


def _under(own: Mapping[str, str], wanted: set[str]) -> dict[str, str]:
    """The names of one set without the one prefix under which all wanted names stand."""
    full = [p for p, n in prefixes(own.values(), wanted).items() if n == len(wanted)]
    before = full[0] if len(full) == 1 else ""
    return {name: shown.removeprefix(before) for name, shown in own.items()}


_WRAPPERS = ("module.", "model.", "net.", "network.")
"""What programs for training hold a network under, whatever it is."""


def _inside(own: Mapping[str, str]) -> dict[str, str]:
    """The names of one set without the wrappers with which all of them begin."""
    found = dict(own)
    while begin := next((w for w in _WRAPPERS if _all_begin(found.values(), w)), ""):
        found = {name: shown.removeprefix(begin) for name, shown in found.items()}
    return found


def _all_begin(names: Iterable[str], with_: str) -> bool:
    """Whether there are names, and all begin so."""
    found = list(names)
    return bool(found) and all(name.startswith(with_) for name in found)
