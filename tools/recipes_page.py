"""The papers' recipes: headers, published numbers, hyper-parameters; the table of docs/recipes.md.

``python tools/recipes_page.py`` writes the table.

A recipe's header is not written by hand: it follows from the file and from ``surefoot.published``,
and a test holds the two together. The hyper-parameters stand once more in one table with a source
for each, ``files/papers/hyperparameters.csv``, which another test holds against the files.
"""

from __future__ import annotations

import csv
import json
import re
import textwrap
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from surefoot.published import Published, columns, models, numbers
from surefoot.recipes.library import paper_names, papers_folder, recipe_file

__all__ = ["Hyperparameter", "header", "hyperparameters", "markdown_table", "published_of"]

PAGE = Path(__file__).parents[1] / "docs" / "recipes.md"

PAPERS = {
    "wise-ft": ("2109.01903", 'Wortsman et al., "Robust fine-tuning of zero-shot models", CVPR '
                "2022, arXiv 2109.01903"),
    "lp-ft": ("2202.10054", 'Kumar et al., "Fine-tuning can distort pretrained features and '
              'underperform out-of-distribution", ICLR 2022, arXiv 2202.10054'),
    "flyp": ("2212.00638", 'Goyal et al., "Finetune like you pretrain", CVPR 2023, arXiv '
             "2212.00638"),
    "language": ("2104.14294", 'the encoder: Caron et al., "Emerging properties in '
                 'self-supervised vision transformers", ICCV 2021, arXiv 2104.14294'),
}  # fmt: skip
"""Folder of recipes -> arXiv number and citation."""

_WIDTH = 98


@dataclass(frozen=True)
class Hyperparameter:
    """One value of one recipe.

    Attributes:
        recipe: Its name.
        place: Where it stands: "methods.0.schedule.lr".
        value: Plain data.
        stated: Does the source state it for this experiment?
        source: Paper, repository, or why the value is what it is.
    """

    recipe: str
    place: str
    value: Any
    stated: bool
    source: str


def hyperparameters() -> list[Hyperparameter]:
    """The sourced table, in its order."""
    text = (papers_folder() / "hyperparameters.csv").read_text(encoding="utf-8")
    return [
        Hyperparameter(
            row["recipe"], row["place"], json.loads(row["value"]), row["stated"] == "yes",
            row["source"],
        )
        for row in csv.DictReader(text.splitlines())
    ]  # fmt: skip


def published_of(name: str) -> list[Published]:
    """The transcribed numbers of a paper's recipe: its encoder on its data sets.

    None for few-shot fine-tuning: the tables that are transcribed are of whole training sets, and
    of language supervision they hold the pretrained encoder.

    Args:
        name: Such as "wise-ft/imagenet-vit-b16".
    """
    recipe = _plain(name)
    paper = name.partition("/")[0]
    arxiv, _ = PAPERS[paper]
    data = recipe["data"]
    if data.get("few_shot") and paper != "language":
        return []
    asked = {data.get("val"), data.get("test"), *(data.get("shifts") or {}).values()}
    train = str(data["train"]).partition(":")[0]
    mine = [c for c in columns() if arxiv in c.paper and c.train == train]
    shown = {(c.column, c.setting) for c in mine if any(set(s) & asked for s in c.sets)}
    names = {column for column, _ in shown}
    shown |= {(c.column, c.setting) for c in mine if c.mean_of and set(c.mean_of) & names}
    return [
        n
        for n in numbers()
        if arxiv in n.paper
        and any(fnmatchcase(recipe["model"], s) for s in models().get(n.model, ()))
        and ((n.column, "") in shown or (n.column, n.setting) in shown)
    ]


def _plain(name: str) -> dict[str, Any]:
    plain: dict[str, Any] = yaml.safe_load(recipe_file(name).read_text(encoding="utf-8"))
    return plain


def header(name: str) -> str:
    """The comment that opens a paper's recipe: title, paper, command, published results."""
    _, paper = PAPERS[name.partition("/")[0]]
    lines = [
        f"{_plain(name)['name']}.",
        f"paper: {paper}",
        f"command: surefoot fit {name} --data-root DIR",
    ]
    found = published_of(name)
    if not found:
        lines.append("published: not transcribed")
    for (table, provenance), rows in _tables(found).items():
        lines.append(f"published ({table}; {provenance}), in per cent:")
        lines += [f"  {method}: {', '.join(values)}" for method, values in rows.items()]
    wrapped = (
        textwrap.wrap(line, _WIDTH, subsequent_indent="    " if line.startswith("  ") else "  ")
        for line in lines
    )
    return "".join(f"# {line}\n" for block in wrapped for line in block)


def _tables(found: list[Published]) -> dict[tuple[str, str], dict[str, list[str]]]:
    """(table, provenance) -> method -> "ImageNet 81.3", ...; as printed."""
    out: dict[tuple[str, str], dict[str, list[str]]] = {}
    for n in found:
        title = ", ".join(filter(None, (n.paper, n.table, n.model, n.setting)))
        method = f"{n.method} [oracle]" if n.oracle else n.method
        rows = out.setdefault((title, n.provenance), {})
        rows.setdefault(method, []).append(f"{n.column} {n.value:.{n.decimals}f}")
    return out


def markdown_table() -> str:
    """All recipes that ship for papers, as the table of docs/recipes.md."""
    lines = [
        "| recipe | model | trains on | asks | published numbers |",
        "|---|---|---|---|---|",
    ]
    for name in paper_names():
        recipe = _plain(name)
        data = recipe["data"]
        shifts = list((data.get("shifts") or {}).values())
        few = f", {data['few_shot']} per class" if data.get("few_shot") else ""
        count = len(published_of(name))
        lines.append(
            f"| `{name}` | `{recipe['model']}` | {data['train']}{few} | "
            f"{', '.join([data['test'], *shifts])} | {count or 'not transcribed'} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(
        re.sub(r"\| recipe \|.*?\n(?!\|)", lambda _: markdown_table(), text, flags=re.S),
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
