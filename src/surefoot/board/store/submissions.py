"""The queue of submissions."""

from __future__ import annotations

from typing import Any

from ..errors import BoardError
from .rows import Submission
from .tables import Table
from .text import digest, now

__all__ = ["Submissions"]


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
        before = self.find("payload_key", key)
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
