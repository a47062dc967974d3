"""What comes from outside: the queue of submissions, imported files, quarantined records."""

from __future__ import annotations

from typing import Any

from ..errors import BoardError
from .rows import ImportRecord, Quarantined, Submission
from .tables import Table
from .text import canonical, digest, now

__all__ = ["Imports", "Submissions"]

_KEEP = 20_000  # characters of a quarantined record


class Imports(Table[ImportRecord]):
    """Imported files."""

    name = "import"
    row = ImportRecord
    label = "file"

    def begin(
        self, file: str, sha256: str, kind: str, licence: str, reader: int = 1
    ) -> ImportRecord:
        """Note that an import begins; one that was cut off, or read by less, keeps its number."""
        found = self.find(sha256=sha256, kind=kind)
        if found is not None:
            self.update(found.id, reader=reader, complete=False, why="read again")
            return self.by_id(found.id)
        with self.db.transaction():
            facts = {"file": file, "sha256": sha256, "kind": kind, "licence": licence}
            number = self.db.put("import", {**facts, "started": now(), "reader": reader})
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


class Submissions(Table[Submission]):
    """The queue."""

    name = "submission"
    row = Submission
    label = "who"

    def send(self, payload: dict[str, Any], who: str, entry_id: int | None = None) -> Submission:
        """Put a validated payload into the queue.

        Raises:
            BoardError: The same was sent before.
        """
        key = digest(payload)
        before = self.find(payload_key=key)
        if before is not None:
            raise BoardError(
                f"the same submission is there already, number {before.id} ({before.status})",
                fix="change what differs, or leave it",
            )
        return self.add(Submission(payload, who, payload_key=key, entry_id=entry_id, created=now()))

    def queue(self, status: str | None = "queued") -> list[Submission]:
        """Submissions of a status, oldest first; None: of any."""
        rest = "WHERE deleted IS NULL AND status IS coalesce(?, status) ORDER BY id"
        return self.select(rest, status)

    def decide(self, submission_id: int, status: str, *, note: str) -> bool:
        """Set a submission's status: "verified", "differs", "rejected" or back to "queued"."""
        return self.update(submission_id, status=status, note=note, why=note)
