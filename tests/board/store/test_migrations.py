"""Schema versions: made, brought up to date, refused."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing

import pytest

from surefoot.board import BoardError, Paper, Store
from surefoot.board.store.migrations import APPLICATION_ID, VERSION, migrate, steps


def test_a_new_board_has_the_newest_version(store):
    assert len(steps()) == VERSION
    assert store.db.count("PRAGMA user_version") == VERSION
    assert store.db.count("PRAGMA application_id") == APPLICATION_ID
    assert store.db.one("PRAGMA integrity_check")[0] == "ok"


def test_a_step_changes_the_file_and_leaves_a_backup(tmp_path):
    path = tmp_path / "b.db"
    with Store.open(path, create=True) as store:
        store.papers.add(Paper("kept"))
    plan = [*steps(), "ALTER TABLE paper ADD COLUMN doi TEXT NOT NULL DEFAULT '';"]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        assert migrate(connection, where=str(path), plan=plan) == VERSION
        assert connection.execute("SELECT title, doi FROM paper").fetchall() == [("kept", "")]
        assert connection.execute("PRAGMA user_version").fetchone()[0] == VERSION + 1
        last = connection.execute("SELECT action, who FROM revision ORDER BY id DESC").fetchone()
        assert last == ("migrate", "surefoot")
    with Store.open(tmp_path / f"b.db.v{VERSION}.bak") as backup:
        assert backup.papers.all()[0].title == "kept"


SEARCH_OF_VERSION_1 = """
CREATE VIRTUAL TABLE paper_fts USING fts5 (title, authors, abstract,
  content='paper', content_rowid='id', tokenize='unicode61 remove_diacritics 2');
CREATE TRIGGER paper_fts_insert AFTER INSERT ON paper BEGIN
  INSERT INTO paper_fts (rowid, title, authors, abstract)
  VALUES (new.id, new.title, new.authors, new.abstract); END;
CREATE TRIGGER paper_fts_update AFTER UPDATE OF title, authors, abstract ON paper BEGIN
  INSERT INTO paper_fts (paper_fts, rowid, title, authors, abstract)
  VALUES ('delete', old.id, old.title, old.authors, old.abstract);
  INSERT INTO paper_fts (rowid, title, authors, abstract)
  VALUES (new.id, new.title, new.authors, new.abstract); END;
"""


def test_the_first_version_is_brought_up_to_date(tmp_path):
    path = tmp_path / "b.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        migrate(connection, plan=steps()[:1])
        connection.executescript(SEARCH_OF_VERSION_1)
        connection.execute("INSERT INTO paper (slug, title, fold) VALUES ('kept', 'kept', 'kept')")
    with pytest.raises(BoardError, match="has schema 1"):
        Store.open(path, read_only=True)
    with Store.open(path) as store:
        assert store.papers.get("kept").title == "kept"
        assert [h.title for h in store.search("kep")] == ["kept"]
        assert store.db.one("SELECT 1 FROM sqlite_master WHERE name LIKE 'paper_fts%'") is None
        assert store.db.count("PRAGMA user_version") == VERSION
        query = ("EXPLAIN QUERY PLAN SELECT id FROM entry WHERE model_name = ? AND backbone = ?",)
        assert "entry_model" in store.db.one(*query, "a", "b")["detail"]
        newest = "SELECT id FROM paper WHERE deleted IS NULL ORDER BY date DESC, id LIMIT 5"
        assert "paper_alive" in store.db.one(f"EXPLAIN QUERY PLAN {newest}")["detail"]
    with closing(sqlite3.connect(tmp_path / "b.db.v1.bak")) as backup:
        assert backup.execute("PRAGMA user_version").fetchone()[0] == 1


def test_several_may_open_a_new_file_at_once(tmp_path):
    path = tmp_path / "b.db"
    ready = threading.Barrier(6)
    problems = []

    def opened():
        ready.wait()
        try:
            Store.open(path, create=True).close()
        except BoardError as error:
            problems.append(str(error))

    threads = [threading.Thread(target=opened) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert problems == []
    with Store.open(path) as store:
        assert len(store.history("schema")) == VERSION


def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "b.db"
    Store.open(path, create=True).close()
    plan = [*steps(), "ALTER TABLE paper ADD COLUMN doi TEXT; CREATE TABLE paper (id);"]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with pytest.raises(sqlite3.OperationalError):
            migrate(connection, plan=plan)
        assert connection.execute("PRAGMA user_version").fetchone()[0] == VERSION
    with Store.open(path) as store:
        assert "doi" not in store.db.columns("paper")


def test_a_newer_board_is_refused(tmp_path):
    path = tmp_path / "b.db"
    Store.open(path, create=True).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    for read_only in (False, True):
        with pytest.raises(BoardError, match=f"has schema {VERSION + 1}") as caught:
            Store.open(path, read_only=read_only)
        assert "update surefoot" in str(caught.value)


def test_another_programs_database_is_left_alone(tmp_path):
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE mine (x)")
    before = path.read_bytes()
    with pytest.raises(BoardError, match="of another program"):
        Store.open(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database, " * 100)
    with pytest.raises(BoardError, match=r"notes\.txt cannot be opened as a board"):
        Store.open(path)
