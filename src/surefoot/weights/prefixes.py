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
    """For each set its names -> the names under which all sets fit together, where there are any.

    Sets that fit as they are keep their names. Else those with the shortest names say what the
    others are called: a set whose names are all theirs under one prefix loses the prefix.
    """
    plain = [{name: name for name in names} for names in sets]
    if all(own.keys() == plain[0].keys() for own in plain):
        return list(plain)
    clean = [{name: unwrapped(name) for name in own} for own in plain]
    wanted = min((set(own.values()) for own in clean), key=lambda names: sum(map(len, names)))
    return [own if len(set(own.values())) < len(own) else _under(own, wanted) for own in clean]


def _under(own: Mapping[str, str], wanted: set[str]) -> Mapping[str, str]:
    """The names of one set without the one prefix under which all wanted names stand."""
    full = [p for p, n in prefixes(own.values(), wanted).items() if n == len(wanted)]
    if len(full) != 1 or len(own) != len(wanted):
        return own
    return {name: shown.removeprefix(full[0]) for name, shown in own.items()}
