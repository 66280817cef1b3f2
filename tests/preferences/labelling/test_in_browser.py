"""The page in Chromium: two raters at once, by keyboard, through a crash; readable by everybody, at every width."""

import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser import WIDE, Opened, OpenPage
from labelling_rounds import make_gold, make_pair
from labelling_server import Server
from preceptor.preferences.labelling import Store, Vote, export

pytestmark = pytest.mark.slow

PHONE = 390
CASES = 20
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> \u202eturned\u202c \x00 " + "long " * 20_000
KEYS = {"1": "left", "2": "right", "3": "tie", "4": "both_bad"}


@pytest.fixture(scope="module")
def round_(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Store]]:
    """A served round of all kinds of items, some of them judged."""
    folder = tmp_path_factory.mktemp("round")
    items = [make_pair(0), make_pair(1, "score", ("quality", "omissions")), make_gold(2), make_gold(3, ())]
    items += [make_pair(4, text=HOSTILE), *(make_pair(n) for n in range(5, 60))]
    store = Store.create(folder / "s.sqlite", items, title="Summaries, round 1", votes_per_item=30, repeat_share=0.1)
    for name, choice in (("ben", "a"), ("cem", "b")):
        store.add_rater(name)
        for item in items[6:26]:
            store.record(Vote(item.id, name, choice if item.id.endswith("7") else "a", seconds=20, note="Dose."))
    with Server(store.path, folder / "log") as server:
        yield server, store


def enter(
    open_page: OpenPage, server: Server, store: Store, name: str, width: int = WIDE, role: Any = "rater"
) -> Opened:
    opened = open_page(f"{server.url}/r/{store.add_rater(name, role)}", width=width)
    opened.page.wait_for_url(f"{server.url}/{'lead' if role == 'lead' else ''}")
    return opened


def said(opened: Opened) -> str:
    return opened.page.inner_text("h1")


def judge(opened: Opened, *keys: str) -> None:
    """Press keys, and wait for the next case."""
    before = said(opened)
    for key in keys:
        opened.page.keyboard.press(key)
    opened.page.wait_for_function("before => document.querySelector('h1').innerText !== before", arg=before)


def test_two_raters_judge_at_once_through_a_kill_9_and_every_vote_is_there_once(
    open_page: OpenPage, tmp_path: Path
) -> None:
    items = [make_pair(n) for n in range(CASES)]
    store = Store.create(tmp_path / "s.sqlite", items, title="Round", repeat_share=0)
    acknowledged: dict[str, dict[int, str]] = {"anna": {}, "ben": {}}
    with Server(store.path, tmp_path / "log") as server:
        pages = {name: enter(open_page, server, store, name).page for name in acknowledged}
        for turn in range(CASES):
            key = list(KEYS)[turn % len(KEYS)]
            before = {}
            if turn == 7:
                server.kill()  # before the votes
            for name, page in pages.items():
                before[name] = int(page.input_value("[name=position]"))
                page.keyboard.press(key)
            if turn == 7:
                pages["anna"].wait_for_function("() => document.body.innerText.includes('Not saved yet')")
                server.start()
            if turn == 13:
                server.kill()  # with both votes on their way, or just arrived
                server.start()
            for name, page in pages.items():
                page.wait_for_function(
                    "at => document.querySelector('[name=position]')?.value !== at", arg=str(before[name])
                )
                acknowledged[name][before[name]] = KEYS[key]
        for page in pages.values():
            assert "That was the last case" in page.inner_text("main")
    export(store, tmp_path / "round.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "round.jsonl").read_text().splitlines()]
    votes = [row for row in rows if row["row"] == "vote"]
    assert len(votes) == 2 * CASES
    position = {item.id: at for at, item in enumerate(items, start=1)}
    for name, given in acknowledged.items():
        found = {position[row["item"]]: as_shown(row) for row in votes if row["rater"] == name}
        assert found == given


def test_a_choice_that_cannot_be_kept_is_not_gone_on_from_until_it_can(open_page: OpenPage, tmp_path: Path) -> None:
    store = Store.create(tmp_path / "s.sqlite", [make_pair(n) for n in range(3)], title="Round")
    away = tmp_path / "away.sqlite"
    with Server(store.path, tmp_path / "log") as server:
        page = enter(open_page, server, store, "anna").page
        store.path.rename(away)
        page.keyboard.press("1")
        page.wait_for_function("() => document.body.innerText.includes('was deleted, moved or replaced')")
        assert page.input_value("[name=position]") == "1"
        away.rename(store.path)
        page.wait_for_function("() => document.querySelector('[name=position]')?.value !== '1'")
    assert len(store.votes(effective=False)) == 1


def as_shown(row: dict[str, Any]) -> str:
    """The button that was pressed for this choice."""
    return {row["order"][0]: "left", row["order"][1]: "right"}.get(row["choice"], row["choice"])


@pytest.mark.parametrize("width", [WIDE, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_silent_fits_and_can_be_read_by_all(
    open_page: OpenPage, round_: tuple[Server, Store], width: int, scheme: str
) -> None:
    server, store = round_
    name = f"reader {width} {scheme}"
    opened = enter(open_page, server, store, name, width)
    opened.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    for keys in (["1"], ["4", "0", "5", "2", "3"], ["2"]):  # a pair, scores, a label
        opened.unfold()
        assert opened.faults() == []
        opened.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = false)")
        judge(opened, *keys)
    opened.page.fill("#answer", "Seen and sent home.")
    assert opened.faults() == []
    opened.page.keyboard.press("Control+Enter")
    opened.page.wait_for_function("() => document.querySelector('#text-left')")
    assert opened.faults() == []  # the hostile one
    assert HOSTILE.split(" \u202e")[0] in opened.page.inner_text(".case")
    lead = enter(open_page, server, store, f"lead {width} {scheme}", width, "lead")
    lead.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    for path in ("/lead", "/lead/case/8"):
        lead.page.goto(server.url + path)
        lead.unfold()
        assert lead.faults() == []
    assert opened.problems == lead.problems == []
    scores = [vote for vote in store.votes() if vote.rater == name and vote.scores]
    assert {points for answer in scores[0].scores.values() for points in answer.values()} == {4, 0, 5, 2}


def test_a_rater_writes_undoes_skips_and_hides_differences_without_a_mouse(
    open_page: OpenPage, round_: tuple[Server, Store]
) -> None:
    server, store = round_
    opened = enter(open_page, server, store, "dora")
    page, press = opened.page, opened.page.keyboard.press
    assert page.locator("mark").count() > 0
    shade = "getComputedStyle(document.querySelector('mark')).textDecorationLine"
    assert page.evaluate(shade) == "underline"
    press("d")
    assert page.evaluate(shade) == "none"
    press("n")
    page.keyboard.type("12 is no choice here")
    press("Escape")
    press("e")
    page.keyboard.type("Asthma.")
    press("Escape")
    judge(opened, "2")
    vote = store.votes()[-1]
    assert (vote.note, vote.edited, vote.choice) == ("12 is no choice here", "Asthma.", vote.order[1])
    assert vote.seconds > 0
    assert page.evaluate("document.activeElement.tagName") == "H1"
    assert "Saved" in page.inner_text("#status")
    judge(opened, "u")
    assert page.input_value("#edited") == "Asthma."
    assert "You took your choice back" in page.inner_text("main")
    judge(opened, "s")
    assert store.votes(effective=False)[-1].choice is None
    here = said(opened)
    press("?")
    page.uncheck("#keys")
    press("1")
    page.wait_for_timeout(300)
    assert said(opened) == here
    assert opened.problems == []


def test_enter_in_a_field_of_points_gives_no_vote(open_page: OpenPage, round_: tuple[Server, Store]) -> None:
    server, store = round_
    opened = enter(open_page, server, store, "emil")
    judge(opened, "1")
    given = len(store.votes(effective=False))
    opened.page.fill("#omissions-left", "12")
    opened.page.press("#omissions-left", "Enter")
    opened.page.click("text=Answer 1 is better")  # the browser asks for the points that are missing
    opened.page.wait_for_timeout(300)
    assert len(store.votes(effective=False)) == given
    assert "Case 2 " in said(opened)


def test_a_link_in_webmail_opens_the_cases_and_leaves_no_token_in_sight(
    open_page: OpenPage, round_: tuple[Server, Store]
) -> None:
    server, store = round_
    token = store.add_rater("fay")
    mail = f'<a href="{server.url}/r/{token}">Your cases</a>'
    opened = open_page(f"data:text/html,{urllib.parse.quote(mail)}")
    opened.page.click("a")
    opened.page.wait_for_url(f"{server.url}/")
    assert "Case 1" in said(opened)
    assert opened.page.evaluate("document.cookie + document.referrer").find(token) == -1


def test_it_works_without_scripts(open_page: OpenPage, round_: tuple[Server, Store]) -> None:
    server, store = round_
    opened = enter(open_page, server, store, "gil")
    opened.page.route("**/*.js", lambda route: route.abort())
    opened.page.reload()
    opened.page.click("text=Answer 1 is better")
    opened.page.wait_for_url(f"{server.url}/")
    assert [vote.item for vote in store.votes() if vote.rater == "gil"] == ["toy/0"]
