"""The page's application: who may come in, and how what goes wrong is said."""

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
from preceptor.preferences.labelling._votes import Rater

_STATIC = {
    "icon.svg": "image/svg+xml",
    "lead.js": "text/javascript",
    "page.css": "text/css",
    "page.js": "text/javascript",
}
_NO_LINK = "Open the link that you were given. If that is what you did, ask the lead of this round for a new one."


def create_app(store: Store, *, hosts: Collection[str], secure: bool, body_seconds: float = 60.0) -> Guard:
    """The application of one round, guarded. `hosts` are the `name:port` it answers to; `secure`: it is behind TLS."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    cookie = f"preceptor-{store.about['key']}"  # rounds at other ports of this machine share the browser's cookies

    async def who(request: Request) -> Rater:
        rater = store.who(request.cookies.get(cookie, ""))
        if rater is None:
            raise HTTPException(HTTPStatus.FORBIDDEN, _NO_LINK)
        return rater

    @app.get("/r/{token}")
    async def enter(token: str) -> Response:
        if store.who(token) is None:
            raise HTTPException(HTTPStatus.FORBIDDEN, _NO_LINK)
        # Not an HTTP redirect: a browser that comes from another site's link (webmail) follows that one without the
        # cookie. This page's own refresh takes it along, and leaves the token out of address bar and history.
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

    add_rating(app, store, who)
    add_lead_pages(app, store, who)
    _add_problems(app)
    return Guard(app, hosts, secure=secure, body_seconds=body_seconds)


@cache
def _file(name: str) -> bytes:
    return resources.files("preceptor.preferences.labelling").joinpath("static", name).read_bytes()


def _add_problems(app: FastAPI) -> None:
    def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        known = {HTTPStatus.FORBIDDEN: "This page is not open to you", HTTPStatus.NOT_FOUND: "There is no such page"}
        return _problem(error.status_code, known.get(HTTPStatus(error.status_code), "That did not work"), error.detail)

    def unusable(_: Request, error: Exception) -> Response:
        return _problem(HTTPStatus.UNPROCESSABLE_ENTITY, "Not saved", str(error))

    def judged(_: Request, __: Exception) -> Response:
        text = "Your answer to this case was given already, perhaps in another window. Load the page again to go on."
        return _problem(HTTPStatus.CONFLICT, "Not saved", text)

    def misplaced(_: Request, __: Exception) -> Response:
        text = "This answer belongs to another page than the one before you. Load the page again to go on."
        return _problem(HTTPStatus.CONFLICT, "Not saved", text)

    def not_saved(_: Request, error: Exception) -> Response:
        log.error("not saved: %s (%s)", error, kind_and_place(error.__cause__ or error))  # its words are our own
        return _problem(HTTPStatus.SERVICE_UNAVAILABLE, "Not saved", str(error))

    for kind in (HTTPException, RouteHTTPException):
        app.add_exception_handler(kind, refused)
    for wrong in (FormError, InputError):
        app.add_exception_handler(wrong, unusable)
    app.add_exception_handler(AlreadyJudgedError, judged)
    app.add_exception_handler(MisplacedVoteError, misplaced)
    app.add_exception_handler(NotSavedError, not_saved)


def _problem(status: int, heading: str, text: str) -> Response:
    return HTMLResponse(fill("notice.html.j2", heading=heading, text=text, onward=None), status)
