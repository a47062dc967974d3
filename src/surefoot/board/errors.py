"""Errors of the board. They belong to the tree of :mod:`surefoot.errors`.

::

    SurefootError
    └── BoardError (ValueError)     a board that cannot be opened, read or changed as asked
        ├── NotOnBoard (LookupError)  no such paper, task, board, ...
        └── SubmissionError         a submission that does not validate; carries every problem
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import SurefootError

__all__ = ["BoardError", "NotOnBoard", "SubmissionError"]


class BoardError(SurefootError, ValueError):
    """The board cannot be opened, read or changed as asked."""


class SubmissionError(BoardError):
    """A submission does not validate.

    Attributes:
        problems: Field -> what is wrong with it and what would be right.
    """

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        listed = "".join(f"\n    - {field}: {why}" for field, why in self.problems.items())
        count = len(self.problems)
        super().__init__(
            f"the submission has {count} problem{'s' if count != 1 else ''}:{listed}",
            expected="the fields that `surefoot board submit --template` writes",
            fix="mend these and submit again",
        )


class NotOnBoard(BoardError, LookupError):
    """Something that the board does not hold."""
