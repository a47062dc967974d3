"""Every data export of a board: the archive's format, CSV, JSON, ``model-index``."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import yaml

from ...records import write_atomic, written
from ..store.metrics import Metric
from ..store.results import KINDS, Board, Entry, Kind, Result, write_source
from ..store.store import Store
from ..store.text import slugify
from .evaluation_tables import DiskMap, EvaluationTables, json_items, provenance
from .format import LICENCE, NOTICE, PROVENANCE, TABLES, from_archive

__all__ = ["Exported", "export", "flat_rows", "notice"]


@dataclass(frozen=True)
class Exported:
    """What was written: files, and rows in them."""

    files: tuple[Path, ...]
    rows: int


def export(
    store: Store,
    folder: str | Path,
    *,
    kinds: Sequence[Kind] = KINDS,
    toy: bool = False,
    archive: bool = True,
) -> Exported:
    """Write every data export into a folder, with a notice where rows carry a licence.

    Args:
        store: What is exported.
        folder: Made where it is missing; files of earlier exports are replaced.
        kinds: Kinds of result.
        toy: Whether toy data go along.
        archive: Whether what an archive import brought goes along; without it everything that is
            left is the board's own.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    with closing(DiskMap()) as known, closing(DiskMap()) as models:
        tables = EvaluationTables(store, known, kinds, toy, archive)
        with written(target / TABLES) as out:
            out.writelines(json_items(((None, task) for task in tables.tasks()), "[]"))
            out.write("\n")
        with written(target / PROVENANCE) as out:
            out.writelines(provenance(tables, known))
        rows = flat_rows(store, kinds=kinds, toy=toy, archive=archive)
        total, foreign = _flat_files(target, rows, models)
        with written(target / "model-index.yml") as out:
            out.writelines(_cards(models))
    write_atomic(target / "NOTICE.txt", notice(total, foreign, tables.licences))
    return Exported(tuple(target / n for n in FILES), tables.count)


FILES = ("NOTICE.txt", TABLES, PROVENANCE, "results.csv", "results.json", "model-index.yml")
"""What an export writes."""


def _flat_files(
    target: Path, rows: Iterable[Mapping[str, Any]], models: DiskMap
) -> tuple[int, int]:
    """The flat rows as CSV and JSON, and by model; how many, and how many of an archive."""
    total = foreign = 0

    def each(table: IO[str]) -> Iterator[tuple[None, Mapping[str, Any]]]:
        nonlocal total, foreign
        for row in rows:
            if not total:
                csv.writer(table, lineterminator="\n").writerow(row)
            csv.writer(table, lineterminator="\n").writerow(map(_cell, row.values()))
            card = _card(row)
            if card is not None:
                models.add(*card)
            total += 1
            foreign += from_archive(row["licence"])
            yield None, row

    with written(target / "results.csv") as table, written(target / "results.json") as out:
        out.writelines(json_items(each(table), "[]"))
        out.write("\n")
    return total, foreign


def notice(total: int, foreign: int, licences: Collection[str]) -> str:
    """Under which licences an export stands, in plain words.

    Args:
        total: Results in it.
        foreign: Of these, results that an archive brought.
        licences: Of anything in it.
    """
    lines = [
        "Numbers are facts; each row says where it comes from (column `source`).",
        f"{total - foreign} of {total} results are this board's own, Apache-2.0.",
    ]
    if LICENCE in licences:
        lines += [
            f"{foreign} results, and what {TABLES} says of their tasks and data sets, come from an",
            f"archive under {LICENCE} (column `licence`). Filter by it, or export with",
            "--no-archive, to keep them apart. Their notice:",
            "",
            NOTICE,
        ]
    return "\n".join(lines) + "\n"


def _cards(models: DiskMap) -> Iterator[str]:
    """``model-index`` as YAML, a model at a time."""
    # The C emitter, where PyYAML has it, is ten times as fast and writes the same.
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    found = False
    for name, results in models.groups():
        yield "" if found else "model-index:\n"
        one = [{"name": name, "results": results}]
        yield yaml.dump(one, Dumper=dumper, allow_unicode=True, sort_keys=False)
        found = True
    if not found:
        yield "model-index: []\n"


# flat rows: CSV and JSON


def flat_rows(
    store: Store, *, kinds: Sequence[Kind] = KINDS, toy: bool = False, archive: bool = True
) -> Iterator[dict[str, Any]]:
    """Every result as one flat row, board by board."""
    datasets = {d.id: d for d in store.datasets.all()}
    tasks = {t.id: t for t in store.tasks.all()}
    for board in store.boards.each():
        dataset, task = datasets.get(board.dataset_id), tasks.get(board.task_id)
        if dataset is None or task is None or (dataset.toy and not toy):
            continue
        path = " > ".join(store.datasets.path(dataset.id))
        metrics = {name: store.metric(board, name) for name in board.metrics}
        for entry in store.entries.of(board_id=board.id, kinds=kinds):
            if (entry.toy and not toy) or (from_archive(entry.licence) and not archive):
                continue
            for result in entry.results:
                yield _flat(path, board, metrics[result.metric], task.name, entry, result)


_OF_RESULT = ("raw", "value", "n", "low", "high", "interval", "alpha", "selection")
_OF_ENTRY = ("extra_data", "toy", "paper_title", "paper_url", "paper_date")


def _flat(
    dataset: str, board: Board, metric: Metric, task: str, entry: Entry, result: Result
) -> dict[str, Any]:
    return {
        "board": board.slug,
        "task": task,
        "dataset": dataset,
        "split": board.split,
        "protocol": board.protocol,
        "metric": result.metric,
        "direction": metric.direction,
        "direction_known_from": metric.known_from,
        "kind": entry.kind,
        "model": entry.model_name,
        "backbone": entry.backbone,
        "setting": entry.setting,
        **{name: getattr(result, name) for name in _OF_RESULT},
        **{name: getattr(entry, name) for name in _OF_ENTRY},
        "source": json.dumps(write_source(entry.source), ensure_ascii=False, sort_keys=True),
        "licence": entry.licence,
        "row_key": entry.row_key,
    }


def _cell(value: Any) -> Any:
    # A spreadsheet runs a cell that begins with one of these; a blank before it stops that.
    risky = ("=", "+", "-", "@", "\t", "\r")
    return f" {value}" if isinstance(value, str) and value.startswith(risky) else value


def _card(row: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    """A model's name and one of its results, as the ``model-index`` of Hugging Face model cards.

    ``verified`` is true of what we measured or reproduced ourselves.

    Returns:
        None for a value that could not be parsed: a model card holds numbers.
    """
    if row["value"] is None:
        return None
    words = ", ".join(w for w in (row["backbone"], row["setting"]) if w)
    name = f"{row['model']} ({words})" if words else row["model"]
    metric = {
        "type": slugify(row["metric"]).replace("-", "_"),
        "name": row["metric"],
        "value": row["value"],
        "verified": row["kind"] in ("reproduced", "measured"),
    }
    one = {
        "task": {"type": slugify(row["task"]), "name": row["task"]},
        "dataset": {
            "type": slugify(row["dataset"]),
            "name": row["dataset"],
            "split": row["split"],
        },
        "metrics": [metric],
    }
    if row["paper_url"]:
        one["source"] = {"name": row["paper_title"] or "paper", "url": row["paper_url"]}
    return name, one
