"""HTML routes: the pages of the live server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import FormData

from ..errors import BoardError, NotOnBoard, SubmissionError
from ..pages.others import search_page, submit_page
from ..pages.page_context import PageContext
from ..pages.render import ASSETS, asset, render
from ..pages.table import SORTS
from ..pages.table import Query as TableQuery
from ..pages.views import LISTS, board_html, compare_html, entity_html, list_html, row_html
from ..store.submit import SubmissionForm, submit
from .state import COOKIE, state, writable

__all__ = ["router"]

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
GET = ["GET", "HEAD"]

Page = Annotated[int, Query(ge=1, le=1_000_000)]
Words = Annotated[str, Query(max_length=300)]


def _html(request: Request, make: Callable[[PageContext], str]) -> HTMLResponse:
    """A page of an open board."""
    with state(request).context() as context:
        return HTMLResponse(make(context))


@router.api_route("/", methods=GET)
def front(request: Request) -> HTMLResponse:
    """The front page."""
    return _html(request, lambda context: list_html(context, "")[0])


@router.api_route("/assets/{name}", methods=GET)
def assets(name: str) -> Response:
    """Style sheet and scripts."""
    if name not in ASSETS:
        raise NotOnBoard(f"there is no file {name!r}")
    kind = "text/css" if name.endswith(".css") else "text/javascript"
    headers = {"Cache-Control": "public, max-age=300"}
    return Response(asset(name), media_type=f"{kind}; charset=utf-8", headers=headers)


@router.api_route("/search", methods=GET)
def search(request: Request, q: Words = "") -> HTMLResponse:
    """Search."""
    return _html(
        request,
        lambda c: render(c, "search", search_page(c, q), title="Search", robots=False),
    )


@router.api_route("/boards/{slug}", methods=GET)
def board(
    request: Request, slug: str, page: Page = 1, metric: Words = "", sort: Words = "rank",
    down: Words = "", q: Words = "", kind: Words = "", extra: Words = "", method: Words = "",
    code: Words = "",
) -> HTMLResponse:  # fmt: skip
    """A board, sorted and filtered as asked; what makes no sense is left out."""
    number = int(method) if method.isascii() and method.isdigit() and len(method) < 18 else 0
    query = TableQuery(
        sort if sort in SORTS else "rank", bool(down), q, kind, extra, number, bool(code)
    )
    return _html(
        request, lambda c: board_html(c, slug, metric=metric or None, query=query, page=page)[0]
    )


@router.api_route("/rows/{row}", methods=GET)
def row(request: Request, row: int) -> HTMLResponse:
    """One row."""
    return _html(request, lambda context: row_html(context, row))


@router.api_route("/compare/{across}-{up}", methods=GET)
def compare(request: Request, across: int, up: int) -> HTMLResponse:
    """One board against another."""
    return _html(request, lambda context: compare_html(context, across, up))


_FILLED = ("task", "dataset", "split", "protocol", "metric")


@router.api_route("/submit", methods=GET)
def form(request: Request, sent: Annotated[int | None, Query(ge=1, le=2**62)] = None) -> Response:
    """The form; a board's link fills in what is scored."""
    told = {k: v[:300] for k, v in request.query_params.items() if k in _FILLED}
    return _form(request, sent=sent, values=told)


def _form(request: Request, status: int = 200, **more: Any) -> Response:
    """The form with a token that belongs to the visitor's cookie."""
    at = state(request)
    visitor = at.tokens.visitor(request.cookies.get(COOKIE))
    with at.context() as context:
        data = submit_page(context, token=at.tokens.token(visitor), **more)
        html = render(context, "submit", data, section="submit", title="Submit", robots=False)
    answer = HTMLResponse(html, status_code=status, headers={"Cache-Control": "no-store"})
    if not at.read_only:
        answer.set_cookie(
            COOKIE, visitor, httponly=True, samesite="strict", secure=at.secure, path="/submit"
        )
    return answer


@router.post("/submit")
async def send(request: Request) -> Response:
    """Take a form."""
    at = writable(request)
    sent = await request.form(max_files=0, max_fields=60, max_part_size=128 * 1024)
    token = sent.get("csrf")
    if not isinstance(token, str) or not at.tokens.good(request.cookies.get(COOKIE), token):
        raise HTTPException(
            403, "this form is out of date, or its cookie is missing; open the form again"
        )
    return await run_in_threadpool(_take, request, sent)


def _take(request: Request, sent: FormData) -> Response:
    """Validate and queue; the form again with what is wrong, or the way back to it."""
    values = {k: v for k, v in sent.items() if k in SubmissionForm.model_fields
              and isinstance(v, str)}  # fmt: skip
    texts = {k: v.replace("\r\n", "\n") for k, v in values.items()}
    payload = {k: v for k, v in texts.items() if v.strip()}
    at = state(request)
    try:
        with at.writing() as store:
            done = submit(store, payload, who="web", check_recipe=at.check_recipe)
    except SubmissionError as error:
        return _form(request, 422, values=texts, problems=error.problems)
    except OverflowError:
        problems = {"n": "is too large a number"}
        return _form(request, 422, values=texts, problems=problems)
    except BoardError as error:
        return _form(request, 409, values=texts, problems={"form": error.wrong})
    return RedirectResponse(f"/submit?sent={done.id}", status_code=303)


@router.api_route("/{name}", methods=GET)
def lists(request: Request, name: str, page: Page = 1) -> HTMLResponse:
    """Pages that stand by themselves."""
    if name not in LISTS or not name:
        raise NotOnBoard(f"there is no page {name!r}")
    return _html(request, lambda context: list_html(context, name, page)[0])


@router.api_route("/{kind}/{slug}", methods=GET)
def entity(request: Request, kind: str, slug: str) -> HTMLResponse:
    """A task, a data set, a method, a paper."""
    return _html(request, lambda context: entity_html(context, kind, slug))
