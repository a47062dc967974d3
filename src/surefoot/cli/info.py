"""``ls`` and ``show``: what exists, and what it is."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import click

from ..registry import DATASETS, METHODS, MODELS, nearest

__all__ = ["ls_command", "show_command"]

_KINDS = ("methods", "models", "datasets", "recipes")

_NOTES = {"token-replay": "  (our reading: no public definition was found)"}
"""Behind a method's name, wherever it is listed for people."""

_PATTERNS = {
    "models": [
        "open_clip:ARCH/TAG       any open_clip architecture and pretrained tag",
        "open_clip:ARCH@FILE      an architecture with a local checkpoint",
        "timm:NAME                any timm encoder; timm:NAME@FILE with a local checkpoint",
        "hf-hub:ORG/NAME          open_clip or transformers weights on the Hugging Face hub",
        "FOLDER                   a transformers folder (CLIP, ALIGN, SigLIP, DINOv2) or a run",
        "FILE                     a checkpoint whose architecture can be told",
        "NAME?OPTION=VALUE        tag, activation, mean, std, img_size, global_pool: what no",
        "                         record settles; `surefoot show NAME` tells what was taken",
    ],
    "datasets": [
        "NAME, NAME:SPLIT         one of the published ones above, below --data-root or in",
        "                         the folder that SUREFOOT_DATA names; NAME@DIR says where",
        "DIR                      a folder of class folders",
        "FILE.csv, FILE.parquet   path, label and/or caption, any metadata columns",
        "hf:NAME_OR_DIR[:SPLIT]   a Hugging Face data set",
        "wds:SHARDS               WebDataset shards",
    ],
}


@click.command("ls")
@click.argument("kind", required=False, type=click.Choice(_KINDS))
@click.argument("pattern", required=False)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def ls_command(kind: str | None, pattern: str | None, as_json: bool) -> None:
    """List methods, models, data sets or recipes; all of them without KIND.

    With a PATTERN ("*vit*b*16*", quoted) only what matches; models then are those of the installed
    open_clip and timm too, which have weights to fetch.
    """
    from fnmatch import fnmatchcase

    from ..recipes.library import recipe_names

    tables = {
        "methods": METHODS.names(),
        "models": MODELS.names(),
        "datasets": DATASETS.names(),
        "recipes": recipe_names(),
    }
    chosen = {kind: tables[kind]} if kind else tables
    if kind and pattern and kind == "models":
        from ..models.listed import list_models

        chosen = {kind: list_models(pattern)}
    elif kind and pattern:
        chosen = {kind: [n for n in tables[kind] if fnmatchcase(n.lower(), pattern.lower())]}
    if as_json:
        click.echo(json.dumps(chosen))
        return
    for title, names in chosen.items():
        if not kind:
            click.echo(f"{title}:")
        indent = "" if kind else "  "
        for name in [*names, *(_PATTERNS.get(title, []) if not kind else [])]:
            note = _NOTES.get(name, "") if title == "methods" else ""
            click.echo(f"{indent}{name}{note}")


@click.command("show")
@click.argument("name")
def show_command(name: str) -> None:
    """Describe a method, model, data set or recipe NAME; of weights, what they want."""
    from ..recipes.library import recipe_file, recipe_names

    if name in METHODS:
        click.echo(_method(name))
    elif name in MODELS:
        click.echo(_card(name))
    elif name == "pictograms":
        click.echo(_pictograms())
    elif (described := _dataset(name)) is not None:
        click.echo(described)
    elif name in recipe_names():
        click.echo(recipe_file(name).read_text().rstrip())
    elif name == "recipe":
        click.echo(_recipe_help())
    elif name.partition(":")[0] in ("open_clip", "timm", "hf-hub") or _on_disk(name):
        click.echo(_record(name))
    else:
        known = [*METHODS.names(), *MODELS.names(), *DATASETS.names(), *recipe_names(), "recipe"]
        near = nearest(name, known)
        guess = f" Did you mean {' or '.join(near)}?" if near else ""
        raise click.UsageError(f"There is nothing named {name!r}.{guess} `surefoot ls` lists all.")


def _on_disk(name: str) -> bool:
    """A file or folder, perhaps with options behind it."""
    return Path(name).exists() or Path(name.rpartition("?")[0] or name).exists()


def _record(name: str) -> str:
    """What the weights of a model want, a line for each fact, and where it was read."""
    from ..recipes.members import resolve_model
    from .common import say

    spec = resolve_model(name, say=say).spec
    if spec.record is None:
        return "\n".join((spec.name, *spec.notes, "no record of what the weights want"))
    return "\n".join(spec.record.lines())


def _dataset(name: str) -> str | None:
    """A published data set in words, by any of its names; another object's docstring."""
    from ..data.known.describe import describe
    from ..data.known.find import full_name, known_dataset
    from ..errors import UnknownName

    plain = full_name(name) or name.lower().replace("_", "-")
    if plain not in DATASETS:
        return None
    try:
        return describe(known_dataset(plain))
    except UnknownName:  # a data set that another package registered, of its own kind
        return (DATASETS.get(plain).__doc__ or plain).strip()


def _method(name: str) -> str:
    """Docstring, paper, fields with defaults."""
    import inspect
    from dataclasses import fields

    method = METHODS.get(name)
    lines = [f"{name}: {inspect.getdoc(method)}", "", f"paper: {method.paper}", "fields:"]
    default = method()
    for field in fields(method):
        lines.append(f"  {field.name} ({field.type}) = {getattr(default, field.name)!r}")
    if not fields(method):
        lines.append("  none")
    lines.append("licence: Apache-2.0 (this implementation)")
    return "\n".join(lines)


def _card(name: str) -> str:
    """The model card that ships with a built-in model, else the loader's docstring."""
    card = resources.files("surefoot.models") / "builtin" / f"{name.replace('-', '_')}.md"
    if card.is_file():
        return card.read_text(encoding="utf-8").rstrip()
    return (MODELS.get(name).__doc__ or name).strip()


def _pictograms() -> str:
    """Facts, counts, and the attribution and licence of every set."""
    place = resources.files("surefoot.data") / "builtin" / "pictograms.json"
    facts = json.loads(place.read_text(encoding="utf-8"))
    lines = [f"pictograms {facts['version']}: {facts['title']}", "", facts["description"], ""]
    lines.append(f"{len(facts['concepts'])} concepts: {', '.join(facts['concepts'])}")
    lines += ["", "images by split and domain:"]
    for split, domains in facts["counts"].items():
        shown = ", ".join(f"{domain} {n}" for domain, n in domains.items())
        lines.append(f"  {split}: {shown}")
    lines += ["", f"attribution ({len(facts['attribution'])} sets):"]
    for row in facts["attribution"]:
        lines.append(
            f"  {row['title']} ({row['set']}) by {row['author']}, {row['licence']} "
            f"[{row['spdx']}], {row['images']} images, {row['split']}"
        )
    return "\n".join(lines)


def _recipe_help() -> str:
    """The keys of a recipe with their defaults, from the schema itself."""
    from ..recipes.recipe import DataSpec, PathSpec, RecipeSpec, TuneSpec

    lines = ["A recipe is a YAML file with these keys (an example: `surefoot cp demo FILE`).", ""]
    for title, model in (
        ("recipe", RecipeSpec),
        ("data", DataSpec),
        ("path", PathSpec),
        ("tune", TuneSpec),
    ):
        lines.append(f"{title}: {(model.__doc__ or '').strip()}")
        for key, field in model.model_fields.items():
            need = (
                "required"
                if field.is_required()
                else f"default {field.get_default(call_default_factory=True)!r}"
            )
            lines.append(f"  {key}: {need}")
        lines.append("")
    return "\n".join(lines).rstrip()
