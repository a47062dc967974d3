"""The book of imported files and quarantined records."""

from __future__ import annotations

from typing import Any

from .rows import ImportRecord, Quarantined
from .tables import Table
from .text import canonical, now

__all__ = ["Imports"]

_KEEP = 20_000  # characters of a quarantined record


class Imports(Table[ImportRecord]):
    """Imported files."""

    name = "import"
    row = ImportRecord
    label = "file"

    def begin(self, file: str, sha256: str, kind: str, licence: str) -> ImportRecord:
        """Note that an import begins; one that was cut off goes on under its old number."""
        found = self.of_file(sha256, kind)
        if found is not None:
            return found
        with self.db.transaction():
            facts = {"file": file, "sha256": sha256, "kind": kind, "licence": licence}
            number = self.db.put("import", {**facts, "started": now()})
            self.db.record("import", "import", number, None, facts)
        return self.by_id(number)

    def finish(
        self, number: int, *, complete: bool, note: str, added: int, updated: int, unchanged: int
    ) -> ImportRecord:
        """Note what an import did; its line of history stands for the rows that it added."""
        counted = {"added": added, "updated": updated, "unchanged": unchanged}
        with self.db.transaction():
            self.db.connection.execute(
                "UPDATE import SET finished = ?, complete = ?, note = ?, added = added + ?, "
                "updated = updated + ?, unchanged = ?, quarantined = "
                "(SELECT count(*) FROM quarantine WHERE import_id = import.id) WHERE id = ?",
                (now(), int(complete), note, added, updated, unchanged, number),
            )
            self.db.record("import", "import", number, None, {**counted, "complete": complete},
                           note)  # fmt: skip
        return self.by_id(number)

    def of_file(self, sha256: str, kind: str) -> ImportRecord | None:
        """The import of a file with this hash."""
        found = self.select("WHERE sha256 = ? AND kind = ?", sha256, kind)
        return found[0] if found else None

    def every(self) -> list[ImportRecord]:
        """Every import, oldest first."""
        return self.select("ORDER BY id")

    def quarantine(self, number: int, json_path: str, reason: str, record: Any) -> None:
        """Set a record aside, with the reason."""
        text = record if isinstance(record, str) else canonical(record)
        text = text.encode("utf-8", "replace").decode("utf-8")[:_KEEP]
        values = {"import_id": number, "json_path": json_path, "reason": reason, "raw": text}
        with self.db.transaction():
            self.db.put("quarantine", values, verb="INSERT OR IGNORE")

    def quarantined(
        self, number: int | None = None, *, limit: int = 1000, offset: int = 0
    ) -> list[Quarantined]:
        """Records that were set aside, of one import or of all."""
        rows = self.db.all(
            "SELECT * FROM quarantine WHERE import_id IS coalesce(?, import_id) ORDER BY id "
            "LIMIT ? OFFSET ?",
            number,
            limit,
            offset,
        )
        return [Quarantined(**dict(r)) for r in rows]

    def reasons(self, number: int) -> dict[str, int]:
        """Reason -> how many records of an import, most frequent first."""
        rows = self.db.all(
            "SELECT reason, count(*) AS n FROM quarantine WHERE import_id = ? GROUP BY reason "
            "ORDER BY n DESC, reason",
            number,
        )
        return {r["reason"]: int(r["n"]) for r in rows}
