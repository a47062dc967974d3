"""Small archive files for the tests."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

ROW = {
    "model_name": "WiSE-FT",
    "paper_title": "Robust fine-tuning of zero-shot models",
    "paper_url": "https://arxiv.org/abs/2109.01903v3",
    "paper_date": "2021-09-04",
    "code_links": [{"title": "mlfoundations/wise-ft", "url": "https://github.com/mlfoundations/wise-ft"}],
    "model_links": [],
    "metrics": {"Top-1 Accuracy": "72.1"},
    "uses_additional_data": None,
}  # fmt: skip


def row(**changes: Any) -> dict[str, Any]:
    return {**ROW, **changes}


def table(rows: list[Any], *, task: str = "Image Classification", dataset: str = "ObjectNet",
          metrics: list[str] | None = None, **more: Any) -> dict[str, Any]:  # fmt: skip
    return {
        "task": task,
        "description": "Say what is in an image.",
        "categories": ["Computer Vision"],
        "synonyms": [],
        "source_link": None,
        "subtasks": [],
        "datasets": [
            {
                "dataset": dataset,
                "description": "A test set.",
                "dataset_links": [{"title": "home", "url": "https://objectnet.dev"}],
                "dataset_citations": [],
                "subdatasets": [],
                "sota": {"metrics": metrics or ["Top-1 Accuracy"], "rows": rows},
            }
        ],
        **more,
    }


def paper(i: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "paper_url": f"https://paperswithcode.com/paper/paper-{i}",
        "arxiv_id": f"2001.{i:05d}",
        "nips_id": None,
        "openreview_id": None,
        "title": f"Paper {i}",
        "abstract": "An abstract.",
        "short_abstract": None,
        "url_abs": f"http://arxiv.org/abs/2001.{i:05d}v1",
        "url_pdf": f"http://arxiv.org/pdf/2001.{i:05d}v1.pdf",
        "proceeding": "NeurIPS 2020 12",
        "authors": ["Ada", "Émile"],
        "tasks": ["Image Classification"],
        "date": "2020-01-02",
        "conference_url_abs": "http://papers.nips.cc/1",
        "conference_url_pdf": None,
        "conference": None,
        "reproduces_paper": None,
        "methods": [{"name": "SGD", "full_name": "Stochastic", "main_collection": None}],
        **changes,
    }


def write(
    folder: Path, kind: str, records: list[Any], *, name: str = "", packed: bool = True
) -> Path:
    """A file of the archive; its name tells the kind unless one is given."""
    path = folder / (name or f"{kind}.json" + (".gz" if packed else ""))
    text = json.dumps(records, ensure_ascii=False).encode("utf-8", "surrogatepass")
    path.write_bytes(gzip.compress(text, mtime=0) if packed else text)
    return path
