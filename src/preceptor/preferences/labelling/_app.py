"""The application of the labelling page: authentication, routes and error pages."""

from collections.abc import Collection
from functools import cache
from http import HTTPStatus
from importlib import resources

from fastapi import FastAPI, Request
from fastapi.exceptions import HTTPException as RouteHTTPException
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from preceptor.errors import InputError, kind_and_place
from preceptor.preferences.labelling._file import NotSavedError
from preceptor.preferences.labelling._form import FormError
from preceptor.preferences.labelling._guard import Guard, log
from preceptor.preferences.labelling._lead_pages import add_lead_pages
from preceptor.preferences.labelling._pages import fill
from preceptor.preferences.labelling._rating import add_rating
from preceptor.preferences.labelling._store import AlreadyJudgedError, MisplacedVoteError, Store
from preceptor.preferences.labelling._vote import Rater

_STATIC = {
    "icon.svg": "image/svg+xml",
    "lead.js": "text/javascript",
    "page.css": "text/css",
    "page.js": "text/javascript",
}
_NO_LINK = "Open the link that you were given. If that is what you did, ask the lead of this round for a new one."

_CONFLICTS: dict[type[Exception], str] = {
    AlreadyJudgedError: "Your answer to this case was given already, perhaps in another window.",
    MisplacedVoteError: "This answer belongs to another page than the one before you.",
}


def create_app(store: Store, *, hosts: Collection[str], secure: bool, body_seconds: float = 60.0) -> Guard:
    """The ASGI application of one round behind its guard. hosts: accepted `Host` headers; secure: it is behind TLS."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    cookie = f"preceptor-{store.metadata['key']}"  # browsers share cookies between ports of one host

    async def authenticate(request: Request) -> Rater:
        rater = store.authenticate(request.cookies.get(cookie, ""))
        if rater is None:
            raise HTTPException(HTTPStatus.FORBIDDEN, _NO_LINK)
        return rater

    @app.get("/r/{token}")
    async def enter(token: str) -> Response:
        if store.authenticate(token) is None:
            raise HTTPException(HTTPStatus.FORBIDDEN, _NO_LINK)
        # Not an HTTP redirect: after a cross-site link (webmail) browsers follow it without the SameSite cookie.
        # This page's own refresh sends it, and keeps the token out of address bar and history.
        page = fill("notice.html.j2", heading="One moment", text="Your cases are being opened.", onward="/")
        response = HTMLResponse(page, headers={"referrer-policy": "no-referrer"})
        response.set_cookie(cookie, token, secure=secure, httponly=True, samesite="strict")  # until the browser closes
        return response

    @app.post("/leave")
    async def leave() -> Response:
        page = fill("notice.html.j2", heading="You have left", text="Your link opens the round again.", onward=None)
        response = HTMLResponse(page)
        response.delete_cookie(cookie, secure=secure, httponly=True, samesite="strict")
        return response

    @app.get("/static/{name}")
    async def static(name: str) -> Response:
        if name not in _STATIC:
            raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such page.")
        return Response(_file(name), media_type=_STATIC[name])

    add_rating(app, store, authenticate)
    add_lead_pages(app, store, authenticate)
    _add_exception_handlers(app)
    return Guard(app, hosts, secure=secure, body_seconds=body_seconds)


@cache
def _file(name: str) -> bytes:
    return resources.files("preceptor.preferences.labelling").joinpath("static", name).read_bytes()


def _add_exception_handlers(app: FastAPI) -> None:
    def http_error(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        titles = {HTTPStatus.FORBIDDEN: "This page is not open to you", HTTPStatus.NOT_FOUND: "There is no such page"}
        title = titles.get(HTTPStatus(error.status_code), "That did not work")
        return _error_page(error.status_code, title, error.detail)

    def invalid_form(_: Request, error: Exception) -> Response:
        return _error_page(HTTPStatus.UNPROCESSABLE_ENTITY, "Not saved", str(error))

    def conflict(_: Request, error: Exception) -> Response:
        return _error_page(HTTPStatus.CONFLICT, "Not saved", f"{_CONFLICTS[type(error)]} Load the page again to go on.")

    def not_saved(_: Request, error: Exception) -> Response:
        log.error("not saved: %s (%s)", error, kind_and_place(error.__cause__ or error))  # our own message
        return _error_page(HTTPStatus.SERVICE_UNAVAILABLE, "Not saved", str(error))

    for error_type in (HTTPException, RouteHTTPException):
        app.add_exception_handler(error_type, http_error)
    for wrong in (FormError, InputError):
        app.add_exception_handler(wrong, invalid_form)
    for refused in _CONFLICTS:
        app.add_exception_handler(refused, conflict)
    app.add_exception_handler(NotSavedError, not_saved)


def _error_page(status: int, heading: str, text: str) -> Response:
    return HTMLResponse(fill("notice.html.j2", heading=heading, text=text, onward=None), status)
