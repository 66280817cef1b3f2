"""The lead's pages: progress, inter-rater agreement, adjudication of disputes, links and export."""

import secrets
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response

from preceptor.preferences.labelling._assignment import Assignment, order_for
from preceptor.preferences.labelling._export_round import export_text
from preceptor.preferences.labelling._form import read_form, read_id, read_position
from preceptor.preferences.labelling._items import Item
from preceptor.preferences.labelling._pages import fill, item_values
from preceptor.preferences.labelling._progress import round_progress
from preceptor.preferences.labelling._rater_agreement import consistency, rater_agreement
from preceptor.preferences.labelling._rating import Authenticate, redirect
from preceptor.preferences.labelling._store import Store
from preceptor.preferences.labelling._vote import Rater


def add_lead_pages(app: FastAPI, store: Store, authenticate: Authenticate) -> None:
    """Add the pages that are restricted to leads."""

    async def lead(rater: Annotated[Rater, Depends(authenticate)]) -> Rater:
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
        return redirect("/lead")


def _overview(store: Store, name: str, *, link_of: str = "", link: str = "") -> str:
    votes = store.votes()
    position = {item.id: at for at, item in enumerate(store.items(), start=1)}
    return fill(
        "lead.html.j2",
        metadata=store.metadata,
        rater=name,
        progress=round_progress(store),
        agreed=rater_agreement(store.items(), votes),
        consistency={one.rater: one for one in consistency(votes)},
        position=position,
        link_of=link_of,
        link=link,
        undo_id=secrets.token_hex(16),
    )


def _case(store: Store, name: str, position: int, item: Item) -> str:
    """The adjudication page of an item with its raters' votes; the lead is blinded too."""
    item_votes = [vote for vote in store.votes() if vote.item == item.id and not vote.repeat]
    lead_vote = next((vote for vote in item_votes if vote.role == "lead"), None)
    order = order_for(store.metadata["seed"], name, item.id, False)
    values: dict[str, Any] = item_values(Assignment(position, item, order, repeat=False, before=lead_vote))
    return fill(
        "settle.html.j2",
        **values,
        metadata=store.metadata,
        rater=name,
        order=order,
        given=[vote for vote in item_votes if vote.role == "rater"],
        settled=lead_vote,
        can_skip=False,
        done=0,
        number=position,
        can_undo=False,
        undo_id=secrets.token_hex(16),
    )
