"""The results board: published, reproduced, measured and submitted numbers, with provenance.

No torch here. :class:`Store` opens the one SQLite file; ``store/store.py`` shows how to read it.
Names are imported when used. Rooms, from the ground up; each imports only from those before it::

    errors.py   the board's errors
    store/      the file: schema, rows, tables, ranking, search, submissions
    archive/    the Papers with Code archive in and out, and every other export of data
    seed/       what a new board starts with
    runs/       our own runs onto a board
    pages/      from the store to HTML; the static site
    web/        the live server and its API
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..contents import lazy

_CONTENTS = {
    "errors": "BoardError NotOnBoard SubmissionError",
    "store.store": "Store",
    "store.results": "Board Curve CurvePoint Entry Protocol Result Source",
    "store.rows": "CodeLink Dataset Hit ImportRecord Method Paper Quarantined Revision Submission "
    "Task",
    "store.submit": "submit",
    "archive.importer": "import_file",
    "archive.export": "export",
    "runs.scores": "Placing",
    "runs.add": "add_results start",
    "runs.files": "pack",
    "pages.site": "export_site",
    "pages.run_links": "run_links",
    "web.serve": "serve",
}
_WHERE = {name: module for module, names in _CONTENTS.items() for name in names.split()}

__all__ = sorted(_WHERE)

if TYPE_CHECKING:
    from .archive.export import export as export
    from .archive.importer import import_file as import_file
    from .errors import BoardError as BoardError
    from .errors import NotOnBoard as NotOnBoard
    from .errors import SubmissionError as SubmissionError
    from .pages.run_links import run_links as run_links
    from .pages.site import export_site as export_site
    from .runs.add import add_results as add_results
    from .runs.add import start as start
    from .runs.files import pack as pack
    from .runs.scores import Placing as Placing
    from .store.results import Board as Board
    from .store.results import Curve as Curve
    from .store.results import CurvePoint as CurvePoint
    from .store.results import Entry as Entry
    from .store.results import Protocol as Protocol
    from .store.results import Result as Result
    from .store.results import Source as Source
    from .store.rows import CodeLink as CodeLink
    from .store.rows import Dataset as Dataset
    from .store.rows import Hit as Hit
    from .store.rows import ImportRecord as ImportRecord
    from .store.rows import Method as Method
    from .store.rows import Paper as Paper
    from .store.rows import Quarantined as Quarantined
    from .store.rows import Revision as Revision
    from .store.rows import Submission as Submission
    from .store.rows import Task as Task
    from .store.store import Store as Store
    from .store.submit import submit as submit
    from .web.serve import serve as serve

__getattr__ = lazy(__name__, _WHERE)


def __dir__() -> list[str]:
    return __all__
