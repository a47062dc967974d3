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

_WHERE = {
    "BoardError": "errors",
    "NotOnBoard": "errors",
    "SubmissionError": "errors",
    "Store": "store.store",
    "Board": "store.rows",
    "CodeLink": "store.rows",
    "Curve": "store.rows",
    "CurvePoint": "store.rows",
    "Dataset": "store.rows",
    "Entry": "store.rows",
    "Hit": "store.rows",
    "ImportRecord": "store.rows",
    "Method": "store.rows",
    "Paper": "store.rows",
    "Protocol": "store.rows",
    "Quarantined": "store.rows",
    "Result": "store.rows",
    "Revision": "store.rows",
    "Source": "store.rows",
    "Submission": "store.rows",
    "Task": "store.rows",
    "submit": "store.submit",
    "import_file": "archive.importer",
    "export": "archive.export",
    "Placing": "runs.scores",
    "add_results": "runs.add",
    "pack": "runs.files",
    "start": "runs.shipped",
    "export_site": "pages.site",
    "run_links": "pages.run_links",
    "serve": "web.serve",
}

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
    from .runs.files import pack as pack
    from .runs.scores import Placing as Placing
    from .runs.shipped import start as start
    from .store.rows import Board as Board
    from .store.rows import CodeLink as CodeLink
    from .store.rows import Curve as Curve
    from .store.rows import CurvePoint as CurvePoint
    from .store.rows import Dataset as Dataset
    from .store.rows import Entry as Entry
    from .store.rows import Hit as Hit
    from .store.rows import ImportRecord as ImportRecord
    from .store.rows import Method as Method
    from .store.rows import Paper as Paper
    from .store.rows import Protocol as Protocol
    from .store.rows import Quarantined as Quarantined
    from .store.rows import Result as Result
    from .store.rows import Revision as Revision
    from .store.rows import Source as Source
    from .store.rows import Submission as Submission
    from .store.rows import Task as Task
    from .store.store import Store as Store
    from .store.submit import submit as submit
    from .web.serve import serve as serve

__getattr__ = lazy(__name__, _WHERE)


def __dir__() -> list[str]:
    return __all__
