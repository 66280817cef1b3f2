"""A rater's pages: the next case, and what they say of it.

Each answer takes a millisecond or two, so the event loop gives them itself: threads, which Python makes wait for each
other up to five, would only slow them down.
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
from preceptor.preferences.labelling._votes import Rater

Who = Callable[[Request], Awaitable[Rater]]
"""Says whose request it is, or refuses it."""


def add_rating(app: FastAPI, store: Store, who: Who) -> None:
    """Add the pages on which a rater judges. After each change the browser is sent to the next case."""

    @app.get("/")
    async def page(rater: Annotated[Rater, Depends(who)]) -> Response:
        if rater.role == "lead":
            return onward("/lead")
        return HTMLResponse(_page(store, rater.name))

    @app.post("/vote")
    async def vote(request: Request, rater: Annotated[Rater, Depends(who)]) -> Response:
        form = read_form(await request.body())
        _record(store, rater.name, form)
        return onward("/")

    @app.post("/undo")
    async def undo(request: Request, rater: Annotated[Rater, Depends(who)]) -> Response:
        form = read_form(await request.body())
        store.undo(rater.name, read_id(form))
        return onward("/")

    @app.post("/again")
    async def again(rater: Annotated[Rater, Depends(who)]) -> Response:
        store.unskip(rater.name)
        return onward("/")


def onward(path: str) -> Response:
    """After a change: the browser loads `path`, so that loading again does not change anything again."""
    return RedirectResponse(path, HTTPStatus.SEE_OTHER)


def _record(store: Store, rater: str, form: Mapping[str, str]) -> None:
    position = read_position(form.get("position", ""))
    item = None if position is None else store.item_at(position)
    if item is None:
        raise FormError("There is no such case in this round. Load the page again.")
    store.record(read_vote(form, item, rater, store.about["seed"]))


def _page(store: Store, rater: str) -> str:
    turn, (judged, skipped) = store.next_item(rater), store.done(rater)
    values: dict[str, Any] = {
        "about": store.about,
        "rater": rater,
        "done": judged,
        "number": judged + skipped + 1,
        "can_undo": judged + skipped > 0,
        "undo_id": secrets.token_hex(16),
    }
    if turn is None:
        spent = sum(vote.seconds for vote in store.votes_of(rater) if vote.choice is not None)
        return fill("done.html.j2", **values, skipped=skipped, spent=spent)
    left = store.left(rater)
    return fill("item.html.j2", **values, **item_values(turn), order=turn.order, left=left, can_skip=True)
