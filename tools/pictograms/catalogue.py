"""Every usable icon and sketch, drawn: the table that both products are cut from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from . import allocation, concepts, names, render
from .sources import Sources, plain

SKIN = (" dark skin tone", " light skin tone", " medium skin tone", " medium dark skin tone",
        " medium light skin tone")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One picture and all that is known of it."""

    set: str
    name: str
    words: str
    keywords: str
    category: str
    title: str
    domain: str
    licence: str
    role: str
    concept: str
    wave: int
    image: np.ndarray

    @property
    def id(self) -> str:
        """`set:icon`, or `quickdraw:class/index`."""
        return f"{self.set}:{self.name}"


def icon_rows(sources: Sources, prefix: str) -> list[Row]:
    """The icons of one set; of a set with an evaluation role only those that name a concept."""
    info, data = sources.collections[prefix], sources.icon_set(prefix)
    role = allocation.role(prefix)
    groups = _categories(data)
    rows = []
    for icon in sorted(data["icons"]):
        words, declared = names.clean(prefix, icon)
        concept, wave = find_concept(words)
        if role != "pretrain" and not concept:
            continue
        job = render.job(data["icons"][icon], data)
        image = render.draw(job) if job else None
        if image is None:
            continue
        keywords, group = _emoji(sources, words) if info.get("category") == "Emoji" else ([], "")
        category = groups.get(icon, group)
        rows.append(Row(prefix, icon, words, ", ".join(keywords), category, info["name"],
                        allocation.domain(prefix, info, declared), info["license"]["spdx"],
                        role, concept, wave, image))  # fmt: skip
    return rows


def find_concept(words: str) -> tuple[str, int]:
    """The concept of an icon's words, and 1 when the first table named it, else 2."""
    if words in concepts.BY_NAME:
        return concepts.BY_NAME[words], 1
    short = names.core(words)
    return concepts.BY_NAME.get(short) or concepts.LATER_NAME.get(short, ""), 2


def _categories(data: dict) -> dict[str, str]:
    table: dict[str, list[str]] = {}
    for title, icons in data.get("categories", {}).items():
        for icon in icons:
            table.setdefault(icon, []).append(title)
    return {icon: ", ".join(titles) for icon, titles in table.items()}


def _emoji(sources: Sources, words: str) -> tuple[list[str], str]:
    base = words
    for tone in SKIN:
        base = base.removesuffix(tone)
    keywords, group = sources.emoji_keywords.get(plain(base), ([], -1))
    return keywords, sources.emoji_groups.get(group, "")


def sketch_rows(sources: Sources) -> Iterator[Row]:
    """The QuickDraw drawings, dealt to pretraining, development and test within each class."""
    random = np.random.default_rng(allocation.SKETCH_SEED)
    for name, drawings in sources.sketches():
        order = random.permutation(len(drawings))
        start = 0
        for role, share in allocation.SKETCH_SHARES.items():
            for index in sorted(order[start : start + share]):
                yield Row("quickdraw", f"{name}/{index}", name, "", "", "Quick, Draw!", "sketch",
                          "CC-BY-4.0", role, concepts.BY_SKETCH.get(name, ""), 1,
                          render.sketch(drawings[index]))  # fmt: skip
            start += share


def usable_sets(sources: Sources) -> list[str]:
    """Prefixes of all sets whose licence and kind are allowed."""
    return [p for p, info in sources.collections.items() if allocation.allowed(p, info)]
