"""Questions that only pages ask. Every SQL text is a constant; values are bound."""

from __future__ import annotations

from ..store.database import Database
from ..store.rows import Dataset, Method, Paper
from ..store.store import Store

__all__ = [
    "SITE_PAPERS",
    "board_names",
    "datasets_page",
    "method_counts",
    "methods_page",
    "newest_site_papers",
    "only_submitted",
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


def board_names(db: Database) -> dict[int, tuple[str, str, str, str, str, str, str]]:
    """Board id -> (task, its slug, data set, its slug, split, protocol, protocol's title)."""
    rows = db.all(
        "SELECT board.id, task.name AS task, task.slug AS task_slug, dataset.name AS dataset, "
        "dataset.slug AS dataset_slug, split, protocol, coalesce(protocol.title, '') AS title "
        "FROM board JOIN task ON task.id = task_id JOIN dataset ON dataset.id = dataset_id "
        "LEFT JOIN protocol ON protocol.name = protocol AND protocol.deleted IS NULL "
        "WHERE board.deleted IS NULL"
    )
    return {r["id"]: tuple(r)[1:] for r in rows}


def only_submitted(db: Database) -> set[int]:
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
    """Paper id -> (results, code links)."""
    marks = ", ".join("?" * len(paper_ids))
    results = store.db.all(
        f"SELECT paper_id, count(*) FROM entry WHERE deleted IS NULL AND paper_id IN ({marks}) "
        "GROUP BY paper_id",
        *paper_ids,
    )
    code = store.db.all(
        f"SELECT paper_id, count(*) FROM code_link WHERE deleted IS NULL AND paper_id IN ({marks}) "
        "GROUP BY paper_id",
        *paper_ids,
    )
    have, links = {r[0]: r[1] for r in results}, {r[0]: r[1] for r in code}
    return {i: (have.get(i, 0), links.get(i, 0)) for i in paper_ids}


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
    rows = store.db.all(
        "SELECT method_id, sum(results), sum(curves) FROM (SELECT method_id, 1 AS results, "
        "0 AS curves FROM entry WHERE deleted IS NULL UNION ALL SELECT method_id, 0, 1 FROM curve "
        "WHERE deleted IS NULL) WHERE method_id IS NOT NULL GROUP BY method_id"
    )
    return {r[0]: (int(r[1]), int(r[2])) for r in rows}


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
