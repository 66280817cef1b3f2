"""A rater's pages: the next case, and the form for a vote.

Requests take one or two milliseconds, so handlers run on the event loop: worker threads would add up to five
milliseconds of latency, Python's switch interval.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from preceptor.preferences.labelling._form import FormError, read_form, read_id, read_position, read_vote
from preceptor.preferences.labelling._pages import fill, item_values
from preceptor.preferences.labelling._store import Store
from preceptor.preferences.labelling._vote import Rater

Authenticate = Callable[[Request], Awaitable[Rater]]
"""Dependency that returns the rater of a request, or responds with 403."""


def add_rating(app: FastAPI, store: Store, authenticate: Authenticate) -> None:
    """Add the routes of the rating pages. Each change redirects to the next case."""

    @app.get("/")
    async def page(rater: Annotated[Rater, Depends(authenticate)]) -> Response:
        if rater.role == "lead":
            return redirect("/lead")
        return HTMLResponse(_page(store, rater.name))

    @app.post("/vote")
    async def vote(request: Request, rater: Annotated[Rater, Depends(authenticate)]) -> Response:
        form = read_form(await request.body())
        _record(store, rater.name, form)
        return redirect("/")

    @app.post("/undo")
    async def undo(request: Request, rater: Annotated[Rater, Depends(authenticate)]) -> Response:
        form = read_form(await request.body())
        store.undo(rater.name, read_id(form))
        return redirect("/")

    @app.post("/again")
    async def again(rater: Annotated[Rater, Depends(authenticate)]) -> Response:
        store.unskip(rater.name)
        return redirect("/")


def redirect(path: str) -> Response:
    """Post/redirect/get: reloading the page does not repeat the change."""
    return RedirectResponse(path, HTTPStatus.SEE_OTHER)


def _record(store: Store, rater: str, form: Mapping[str, str]) -> None:
    position = read_position(form.get("position", ""))
    item = None if position is None else store.item_at(position)
    if item is None:
        raise FormError("There is no such case in this round. Load the page again.")
    store.record(read_vote(form, item, rater, store.metadata["seed"]))


def _page(store: Store, rater: str) -> str:
    turn, (judged, skipped) = store.next_item(rater), store.counts_of(rater)
    values: dict[str, Any] = {
        "metadata": store.metadata,
        "rater": rater,
        "done": judged,
        "number": judged + skipped + 1,
        "can_undo": judged + skipped > 0,
        "undo_id": secrets.token_hex(16),
    }
    if turn is None:
        spent = sum(vote.seconds for vote in store.votes_of(rater) if vote.choice is not None)
        return fill("done.html.j2", **values, skipped=skipped, spent=spent)
    left = store.remaining(rater)
    return fill("item.html.j2", **values, **item_values(turn), order=turn.order, left=left, can_skip=True)
