"""The application: routes, guard, and errors that say what to do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from ... import __version__
from ..errors import BoardError, NotOnBoard, SubmissionError
from ..pages.render import POLICY, Plain, prepare, render
from ..store.store import Store
from ..store.submit import CheckRecipe
from . import api, pages
from .limits import Guard, Limits, problem
from .state import AppState, state

__all__ = ["LOOPBACK", "create_app"]

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""Names of this machine to itself."""

_HEADERS = (
    ("Content-Security-Policy", POLICY.format(file="") + "; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "same-origin"),  # with "no-referrer" forms come with Origin: null
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=(), interest-cohort=()"),
    ("Cache-Control", "no-cache"),
)
_TITLES = {
    400: "Bad request", 403: "Not allowed", 404: "Not on this board", 405: "Not allowed here",
    409: "Already there", 413: "Too large", 422: "Not as it should be", 500: "Our mistake",
    503: "The board cannot be read",
}  # fmt: skip
_log = logging.getLogger("surefoot.board")


def create_app(
    path: str | Path,
    *,
    read_only: bool = False,
    limits: Limits | None = None,
    hosts: Collection[str] | None = LOOPBACK,
    secure: bool = False,
    check_recipe: CheckRecipe | None = None,
) -> FastAPI:
    """An ASGI application that serves a board.

    Args:
        path: The board's file; unless ``read_only`` its schema is brought up to date now.
        read_only: Refuse submissions and never open the file for writing.
        limits: Of size and rate.
        hosts: Names under which it may be asked for; None: any.
        secure: It is reached over https: cookies say so.
        check_recipe: Reads a submitted recipe and raises where it is none; this room knows no
            recipes.

    Raises:
        BoardError: No such file, no board, or one of a newer schema.
    """
    Store.open(path, read_only=read_only, who="server").close()
    prepare()
    app = FastAPI(
        title="surefoot board",
        version=__version__,
        description="Results with where they come from: published, reproduced, measured, "
        "submitted. Errors are problem details (RFC 9457).",
        openapi_url="/api/openapi.json",
        docs_url=None,  # their pages load scripts from other machines
        redoc_url=None,
    )
    app.state.board = AppState(Path(path), read_only, secure, check_recipe)
    app.include_router(api.router)
    app.include_router(pages.router)
    for kind in (RequestValidationError, HTTPException, BoardError, OverflowError, Exception):
        app.add_exception_handler(kind, _failed)
    app.openapi = _described(app.openapi)  # type: ignore[method-assign]
    app.add_middleware(Guard, limits=limits or Limits(), hosts=hosts, headers=_HEADERS)
    return app


def _described(make: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    """The description with the content type that problems have."""

    def described() -> dict[str, Any]:
        schema = make()
        for path in schema["paths"].values():
            for operation in path.values():
                for status, answer in operation["responses"].items():
                    content = answer.get("content", {})
                    if status >= "400" and "application/json" in content:
                        content["application/problem+json"] = content.pop("application/json")
        return schema

    return described


def _failed(request: Request, error: Exception) -> Response:
    """A problem for the API, a page for people."""
    status, detail, more = _told(request, error)
    title = _TITLES.get(status, "This did not work")
    headers = error.headers if isinstance(error, HTTPException) else None
    if request.url.path.startswith("/api"):
        body = problem(status, title, detail, **{k: v for k, v in more.items() if v})
        return Response(body, status, headers, media_type="application/problem+json")
    data = {"heading": title, "wrong": detail, "expected": more.get("expected", "")}
    html = render(Plain(not state(request).read_only), "error", data, title=title, robots=False)
    return HTMLResponse(html, status, headers)


def _told(request: Request, error: Exception) -> tuple[int, str, dict[str, Any]]:
    """Status, what went wrong, and what else a problem says."""
    if isinstance(error, HTTPException):
        return error.status_code, str(error.detail), {}
    if isinstance(error, OverflowError):
        return 422, "a number is too large to be kept", {}
    if isinstance(error, (RequestValidationError, SubmissionError)):
        found = error.problems if isinstance(error, SubmissionError) else _invalid(error)
        return 422, "; ".join(f"{k}: {v}" for k, v in found.items()), {"problems": found}
    if isinstance(error, BoardError):
        status = 404 if isinstance(error, NotOnBoard) else 409 if request.method == "POST" else 503
        fix = "" if status == 404 else error.fix
        return status, error.wrong, {"expected": error.expected, "fix": fix}
    # Nothing of the error goes out; it is in the server's log.
    _log.error("%s %s", request.method, request.url.path, exc_info=error)
    return 500, "something went wrong here; the server's log says what", {}


def _invalid(error: RequestValidationError) -> dict[str, str]:
    """Field -> what is wrong with it."""
    problems = {}
    for one in error.errors():
        where = ".".join(str(p) for p in one["loc"][1:]) or str(one["loc"][0])
        problems[where] = str(one["msg"]).removeprefix("Value error, ")
    return problems
