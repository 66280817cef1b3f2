"""The lead's pages: how far the round is, how far raters agree, what is in dispute, a rater's link, the export."""

import secrets
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

from preceptor.preferences.labelling._export import export_text
from preceptor.preferences.labelling._form import read_form, read_id, read_position
from preceptor.preferences.labelling._items import Item
from preceptor.preferences.labelling._pages import fill, item_values
from preceptor.preferences.labelling._progress import look_at_progress
from preceptor.preferences.labelling._rater_agreement import consistency, rater_agreement
from preceptor.preferences.labelling._rating import Who, onward
from preceptor.preferences.labelling._store import Store
from preceptor.preferences.labelling._turns import Turn, order_for
from preceptor.preferences.labelling._votes import Rater


def add_lead_pages(app: FastAPI, store: Store, who: Who) -> None:
    """Add the pages that only a lead may open."""

    async def lead(rater: Annotated[Rater, Depends(who)]) -> Rater:
        if rater.role != "lead":
            raise HTTPException(HTTPStatus.FORBIDDEN, "This page is the lead's.")
        return rater

    @app.get("/lead")
    def overview(rater: Annotated[Rater, Depends(lead)]) -> Response:
        return HTMLResponse(_overview(store, rater.name))

    @app.get("/lead/case/{number}")
    def case(number: str, rater: Annotated[Rater, Depends(lead)]) -> Response:
        position = read_position(number)
        item = None if position is None else store.item_at(position)
        if position is None or item is None:
            raise HTTPException(HTTPStatus.NOT_FOUND, "There is no such case in this round.")
        return HTMLResponse(_case(store, rater.name, position, item))

    @app.post("/lead/rater")
    async def add(request: Request, rater: Annotated[Rater, Depends(lead)]) -> Response:
        name = read_form(await request.body()).get("name", "")
        token = await run_in_threadpool(store.add_rater, name)
        link = f"{request.headers['origin']}/r/{token}"
        return HTMLResponse(_overview(store, rater.name, link_of=name.strip(), link=link))

    @app.get("/lead/export")
    def download(_: Annotated[Rater, Depends(lead)]) -> Response:
        name = f'attachment; filename="{store.path.stem}.jsonl"'
        return Response(export_text(store), media_type="application/jsonl", headers={"content-disposition": name})

    @app.post("/lead/undo")
    async def undo(request: Request, rater: Annotated[Rater, Depends(lead)]) -> Response:
        form = read_form(await request.body())
        await run_in_threadpool(store.undo, rater.name, read_id(form))
        return onward("/lead")


def _overview(store: Store, name: str, *, link_of: str = "", link: str = "") -> str:
    votes = store.votes()
    position = {item.id: at for at, item in enumerate(store.items(), start=1)}
    return fill(
        "lead.html.j2",
        about=store.about,
        rater=name,
        progress=look_at_progress(store),
        agreed=rater_agreement(store.items(), votes),
        consistency={one.rater: one for one in consistency(votes)},
        position=position,
        link_of=link_of,
        link=link,
        undo_id=secrets.token_hex(16),
    )


def _case(store: Store, name: str, position: int, item: Item) -> str:
    """An item with what its raters said of it, in the order in which the lead sees the answers: blind, too."""
    given = [vote for vote in store.votes() if vote.item == item.id and not vote.repeat]
    own = next((vote for vote in given if vote.role == "lead"), None)
    order = order_for(store.about["seed"], name, item.id, False)
    values: dict[str, Any] = item_values(Turn(position, item, order, repeat=False, before=own))
    return fill(
        "settle.html.j2",
        **values,
        about=store.about,
        rater=name,
        order=order,
        given=[vote for vote in given if vote.role == "rater"],
        settled=own,
        can_skip=False,
        done=0,
        number=position,
        can_undo=False,
        undo_id=secrets.token_hex(16),
    )
