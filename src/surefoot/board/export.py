"""Every data export of a board: the archive's format, CSV, JSON, ``model-index``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ..records import write_atomic
from .archive_export import ALL_KINDS, evaluation_tables, sidecar
from .archive_format import LICENCE, NOTICE, PROVENANCE, TABLES, from_archive
from .entries import write_source
from .rows import Board, Dataset, Entry, Kind, Result
from .store import Store
from .text import slugify

__all__ = ["Exported", "export", "flat_rows", "model_index", "notice"]


@dataclass(frozen=True)
class Exported:
    """What was written: files, and rows in them."""

    files: tuple[Path, ...]
    rows: int


def export(
    store: Store,
    folder: str | Path,
    *,
    kinds: Sequence[Kind] = ALL_KINDS,
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
    tables = evaluation_tables(store, kinds=kinds, toy=toy, archive=archive)
    rows = list(flat_rows(store, kinds=kinds, toy=toy, archive=archive))
    texts = {
        "NOTICE.txt": notice(rows, tables.licences),
        TABLES: _json(tables.tree),
        PROVENANCE: _json(sidecar(tables)),
        "results.csv": _csv(rows),
        "results.json": _json(rows),
        "model-index.yml": _yaml({"model-index": model_index(rows)}),
    }
    for name, text in texts.items():
        write_atomic(target / name, text)
    return Exported(tuple(target / n for n in texts), sum(map(len, tables.rows.values())))


def notice(rows: Sequence[Mapping[str, Any]], licences: Collection[str]) -> str:
    """Under which licences an export stands, in plain words.

    Args:
        rows: From :func:`flat_rows`.
        licences: Of anything in it.
    """
    foreign = sum(from_archive(r["licence"]) for r in rows)
    lines = [
        "Numbers are facts; each row says where it comes from (column `source`).",
        f"{len(rows) - foreign} of {len(rows)} results are this board's own, Apache-2.0.",
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


def _json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def _yaml(data: Any) -> str:
    # The C emitter, where PyYAML has it, is ten times as fast and writes the same.
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(data, Dumper=dumper, allow_unicode=True, sort_keys=False)
    return text


# flat rows: CSV and JSON


def flat_rows(
    store: Store, *, kinds: Sequence[Kind] = ALL_KINDS, toy: bool = False, archive: bool = True
) -> Iterator[dict[str, Any]]:
    """Every result as one flat row, board by board."""
    datasets = {d.id: d for d in store.datasets.all()}
    tasks = {t.id: t for t in store.tasks.all()}
    for board in store.boards.each():
        dataset, task = datasets.get(board.dataset_id), tasks.get(board.task_id)
        if dataset is None or task is None or (dataset.toy and not toy):
            continue
        for entry in store.entries.of_board(board.id, kinds):
            if (entry.toy and not toy) or (from_archive(entry.licence) and not archive):
                continue
            for result in entry.results:
                yield _flat(store, board, dataset, task.name, entry, result)


def _flat(
    store: Store, board: Board, dataset: Dataset, task: str, entry: Entry, result: Result
) -> dict[str, Any]:
    metric = store.metrics.get(result.metric)
    return {
        "board": board.slug,
        "task": task,
        "dataset": " > ".join(store.datasets.path(dataset.id)),
        "split": board.split,
        "protocol": board.protocol,
        "metric": result.metric,
        "direction": metric.direction,
        "direction_known_from": metric.known_from,
        "kind": entry.kind,
        "model": entry.model_name,
        "backbone": entry.backbone,
        "setting": entry.setting,
        "raw": result.raw,
        "value": result.value,
        "n": result.n,
        "low": result.low,
        "high": result.high,
        "interval": result.interval,
        "alpha": result.alpha,
        "selection": result.selection,
        "extra_data": entry.extra_data,
        "toy": entry.toy,
        "paper_title": entry.paper_title,
        "paper_url": entry.paper_url,
        "paper_date": entry.paper_date,
        "source": json.dumps(write_source(entry.source), ensure_ascii=False, sort_keys=True),
        "licence": entry.licence,
        "row_key": entry.row_key,
    }


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    # A spreadsheet runs a cell that begins with one of these; a blank before it stops that.
    risky = ("=", "+", "-", "@", "\t", "\r")
    for row in rows:
        writer.writerow(
            {
                k: f" {v}" if isinstance(v, str) and v.startswith(risky) else v
                for k, v in row.items()
            }
        )
    return text.getvalue()


def model_index(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows as the ``model-index`` of Hugging Face model cards: models with their results.

    Values that could not be parsed are left out: a model card holds numbers. ``verified`` is true
    of what we measured or reproduced ourselves.

    Args:
        rows: From :func:`flat_rows`.
    """
    models: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["value"] is None:
            continue
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
        models.setdefault(name, []).append(one)
    return [{"name": name, "results": results} for name, results in models.items()]
