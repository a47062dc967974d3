"""Questions that only pages ask. Every SQL text is a constant; values are bound."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from ..store.database import Database
from ..store.rows import Dataset, Method, Paper
from ..store.store import Store

__all__ = [
    "SITE_PAPERS",
    "BoardName",
    "board_names",
    "datasets_page",
    "method_counts",
    "methods_page",
    "newest_site_papers",
    "paper_counts",
    "papers_with_results",
    "reproduced_ids",
    "shared_models",
    "site_papers",
    "without_toy",
]

SITE_PAPERS = (
    "id IN (SELECT paper_id FROM entry WHERE deleted IS NULL AND paper_id IS NOT NULL "
    "UNION SELECT paper_id FROM method WHERE deleted IS NULL AND paper_id IS NOT NULL "
    "UNION SELECT paper_id FROM dataset WHERE deleted IS NULL AND paper_id IS NOT NULL "
    "UNION SELECT paper_id FROM curve WHERE deleted IS NULL AND paper_id IS NOT NULL "
    "UNION SELECT id FROM paper WHERE deleted IS NULL AND import_id IS NULL)"
)


@dataclass(frozen=True)
class BoardName:
    """What a board is called and where its task and data set are.

    Attributes:
        task: Of the board.
        task_slug: Its address.
        dataset: Of the board.
        dataset_slug: Its address.
        apart: What tells it from other boards of the same task, data set and split: words of its
            protocol; "" where there is no other, or where the others say enough. A trial is always
            named as one.
    """

    task: str
    task_slug: str
    dataset: str
    dataset_slug: str
    apart: str = ""


def board_names(db: Database) -> dict[int, BoardName]:
    """Board id -> its name."""
    rows = db.all(
        "SELECT board.id, task.name AS task, task.slug AS task_slug, dataset.name AS dataset, "
        "dataset.slug AS dataset_slug, split, protocol, coalesce(protocol.title, '') AS title "
        "FROM board JOIN task ON task.id = task_id JOIN dataset ON dataset.id = dataset_id "
        "LEFT JOIN protocol ON protocol.name = protocol AND protocol.deleted IS NULL "
        "WHERE board.deleted IS NULL"
    )
    waiting = _only_submitted(db)
    twins: dict[tuple[str, ...], list[sqlite3.Row]] = {}
    for r in rows:
        twins.setdefault((r["task_slug"], r["dataset_slug"], r["split"]), []).append(r)
    apart: dict[int, str] = {}
    for some in (s for s in twins.values() if len(s) > 1):
        # What a stranger sent renames no board that was there.
        known = [r for r in some if r["id"] not in waiting]
        if len(known) > 1:
            apart |= _apart(known)
        apart |= {r["id"]: _sent(r) for r in some if r["id"] in waiting}
    for r in rows:
        trial = next((w for w in r["title"].split(", ") if w.startswith("trial")), "")
        if trial not in apart.get(r["id"], ""):
            apart[r["id"]] = ", ".join(w for w in (apart.get(r["id"]), trial) if w)
    return {r["id"]: BoardName(r[1], r[2], r[3], r[4], apart.get(r["id"], "")) for r in rows}


def _sent(board: sqlite3.Row) -> str:
    """What tells a board apart on which nothing stands but submissions."""
    protocol = board["title"] or board["protocol"]
    unsaid = board["protocol"] == "unspecified"
    return f"submitted, {'protocol unspecified' if unsaid else protocol}"


def _apart(boards: Sequence[sqlite3.Row]) -> dict[int, str]:
    """What tells boards of one task, data set and split apart: the words that not all titles have.

    "Pictograms, sketch" and "Pictograms, sketch, kNN" are "" and "kNN". A protocol without a title
    goes by its name.
    """
    words = {
        r["id"]: [
            w
            for w in (r["title"] or r["protocol"]).split(", ")
            if w not in ("unspecified", r["dataset"], r["split"])
        ]
        for r in boards
    }
    common = set.intersection(*map(set, words.values()))
    return {i: ", ".join(w for w in some if w not in common) for i, some in words.items()}


def _only_submitted(db: Database) -> set[int]:
    """Boards on which nothing stands but submissions."""
    rows = db.all(
        "SELECT DISTINCT board_id FROM entry AS sent WHERE kind = 'submitted' AND deleted IS NULL "
        "AND NOT EXISTS (SELECT 1 FROM entry WHERE board_id = sent.board_id AND deleted IS NULL "
        "AND kind <> 'submitted')"
    )
    return {r[0] for r in rows}


def papers_with_results(store: Store) -> set[int]:
    """Ids of papers that belong on a site: with results, methods, data or curves, or seeded."""
    return {r[0] for r in store.db.all(f"SELECT id FROM paper WHERE {SITE_PAPERS}")}


def site_papers(store: Store) -> list[int]:
    """Those of :func:`papers_with_results` that are alive, newest first."""
    rows = store.db.all(
        f"SELECT id FROM paper WHERE deleted IS NULL AND {SITE_PAPERS} ORDER BY date DESC, id"
    )
    return [r[0] for r in rows]


def newest_site_papers(store: Store, limit: int) -> list[Paper]:
    """The first of :func:`site_papers`: the newest papers are looked through until there are."""
    used = " OR ".join(
        f"EXISTS (SELECT 1 FROM {table} WHERE paper_id = paper.id AND deleted IS NULL)"
        for table in ("entry", "method", "dataset", "curve")
    )
    rows = store.db.all(
        "SELECT id FROM paper INDEXED BY paper_alive WHERE deleted IS NULL "
        f"AND (import_id IS NULL OR {used}) ORDER BY date DESC, id LIMIT ?",
        limit,
    )
    return [store.papers.by_id(r[0]) for r in rows]


def paper_counts(store: Store, paper_ids: list[int]) -> dict[int, tuple[int, int]]:
    """Paper id -> (results, code links), where there are any."""
    of = "WHERE deleted IS NULL AND paper_id IN (SELECT value FROM json_each(?1))"
    return store.db.counts("paper_id", f"entry {of}", f"code_link {of}", json.dumps(paper_ids))


def methods_page(store: Store, limit: int, offset: int) -> list[Method]:
    """Methods: those with curves or results first, then by name."""
    return store.methods.select(
        "LEFT JOIN (SELECT method_id, count(*) AS n FROM entry WHERE deleted IS NULL "
        "GROUP BY method_id) AS used ON used.method_id = method.id WHERE deleted IS NULL "
        "ORDER BY coalesce(n, 0) DESC, name COLLATE NOCASE, id LIMIT ? OFFSET ?",
        limit,
        offset,
    )


def method_counts(store: Store) -> dict[int, tuple[int, int]]:
    """Method id -> (results, curves), where there are any."""
    of = "WHERE deleted IS NULL AND method_id IS NOT NULL"
    return store.db.counts("method_id", f"entry {of}", f"curve {of}")


def datasets_page(store: Store, limit: int, offset: int) -> list[Dataset]:
    """Data sets of their own (no parts) by name."""
    return store.datasets.select(
        "WHERE deleted IS NULL AND parent_id IS NULL ORDER BY name COLLATE NOCASE, id "
        "LIMIT ? OFFSET ?",
        limit,
        offset,
    )


def reproduced_ids(store: Store, board_id: int) -> set[int]:
    """Ids of results that a run repeats, of a board's rows."""
    rows = store.db.all(
        "SELECT DISTINCT again.reproduces_id FROM result AS again JOIN result AS first "
        "ON first.id = again.reproduces_id JOIN entry ON entry.id = first.entry_id "
        "WHERE entry.board_id = ? AND again.deleted IS NULL",
        board_id,
    )
    return {r[0] for r in rows}


def shared_models(store: Store, board_id: int) -> list[tuple[int, int]]:
    """Boards that hold the same models as this one: (board id, how many), most first."""
    rows = store.db.all(
        "SELECT other.board_id, count(DISTINCT mine.id) AS many FROM entry AS mine "
        "JOIN entry AS other ON other.model_name = mine.model_name "
        "AND other.backbone = mine.backbone AND other.setting = mine.setting "
        "AND other.kind = mine.kind "
        "AND other.paper_id IS mine.paper_id AND other.board_id <> mine.board_id "
        "JOIN result AS a ON a.entry_id = mine.id JOIN result AS b ON b.entry_id = other.id "
        "AND b.selection = a.selection AND b.alpha IS a.alpha "
        "WHERE mine.board_id = ? AND mine.deleted IS NULL AND other.deleted IS NULL "
        "AND (mine.backbone <> '' OR mine.method_id IS NOT NULL) "
        "AND (a.selection <> 'oracle' OR a.alpha IS NOT NULL) "
        "GROUP BY other.board_id HAVING many >= 3 ORDER BY many DESC, other.board_id LIMIT 24",
        board_id,
    )
    return [(int(r[0]), int(r[1])) for r in rows]


def without_toy(store: Store) -> tuple[int, int]:
    """How many results and data sets there are without toy ones."""
    results = store.db.count(
        "SELECT count(*) FROM result JOIN entry ON entry.id = entry_id JOIN board "
        "ON board.id = board_id JOIN dataset ON dataset.id = dataset_id WHERE entry.toy = 0 "
        "AND dataset.toy = 0 AND result.deleted IS NULL AND entry.deleted IS NULL"
    )
    return results, store.db.count("SELECT count(*) FROM dataset WHERE toy = 0 AND deleted IS NULL")
