"""Who gets in, what goes out, and what a hostile case or request can do: nothing."""

import asyncio
import html
import logging
import re
from urllib.parse import urlencode

import pytest

from labelling_rounds import HOST, ORIGIN, make_pair
from preceptor.preferences.labelling import Store
from preceptor.web.requests import LARGEST_BODY

PAGES = ("/", "/lead", "/lead/export", "/lead/case/1")
POSTS = ("/vote", "/undo", "/again", "/lead/rater", "/lead/undo")


@pytest.fixture
def round_(make_round):
    return make_round([make_pair(n) for n in range(3)])


def test_without_a_link_or_with_a_wrong_one_nothing_opens(round_) -> None:
    for cookie in (None, "", "x", "a" * 43):
        visitor = round_.visitor()
        if cookie is not None:
            visitor.cookies.set(f"preceptor-{round_.store.metadata['key']}", cookie)
        for path in PAGES:
            assert visitor.get(path).status_code == 403
        for path in POSTS:
            assert visitor.post(path, data={}).status_code == 403
    wrong = round_.visitor().get("/r/" + "a" * 43)
    assert wrong.status_code == 403
    assert "set-cookie" not in wrong.headers


def test_a_link_sets_a_cookie_that_scripts_and_other_sites_do_not_get_and_leaves_the_address_bar(round_) -> None:
    token = round_.store.add_rater("anna")
    answer = round_.visitor().get(f"/r/{token}")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/" in cookie
    assert "Max-Age" not in cookie
    assert "Secure" not in cookie
    assert '<meta http-equiv="refresh" content="0; url=/">' in answer.text
    assert token not in answer.text
    assert answer.headers["referrer-policy"] == "no-referrer"


def test_behind_tls_the_cookie_is_sent_over_tls_only(make_round) -> None:
    round_ = make_round([make_pair(0)], secure=True)
    assert "Secure" in round_.visitor().get(f"/r/{round_.store.add_rater('anna')}").headers["set-cookie"]


def test_a_new_link_ends_the_old_one(round_) -> None:
    anna = round_.person("anna")
    round_.store.add_rater("anna")
    assert anna.client.get("/").status_code == 403


def test_a_rater_opens_none_of_the_leads_pages(round_) -> None:
    anna = round_.person("anna")
    for path in PAGES[1:]:
        assert anna.client.get(path).status_code == 403
    for path in POSTS[3:]:
        assert anna.client.post(path, data={"name": "x"}).status_code == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1", "127.0.0.1:80", "", f"{HOST}.evil.example"]
)
def test_a_request_under_another_name_is_refused(round_, host: str) -> None:
    anna = round_.person("anna")
    assert anna.client.get("/", headers={"host": host}).status_code == 421
    assert anna.client.get("/", headers={"host": "LOCALHOST:8765"}).status_code in (200, 403)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:9999", f"https://{HOST}", ""])
def test_what_another_page_posts_is_refused(round_, origin: str) -> None:
    anna = round_.person("anna")
    fields = anna.fields()
    answer = anna.client.post("/vote", data={**fields, "choice": "left"}, headers={"origin": origin})
    assert answer.status_code == 403
    del anna.client.headers["origin"]
    assert anna.client.post("/vote", data={**fields, "choice": "left"}).status_code == 403
    assert round_.store.votes(effective=False) == []


@pytest.mark.parametrize("path", ["/", "/r/x", "/static/page.js", "/static/none", "/none", "/lead"])
def test_every_answer_forbids_scripts_frames_guessing_and_keeping(round_, path: str) -> None:
    for client in (round_.visitor(), round_.person("anna").client):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["x-frame-options"] == "DENY"


def test_pages_hold_no_script_and_no_style_of_their_own(round_) -> None:
    for page in (round_.person("anna").page(), round_.person("lead", "lead").page("/lead")):
        assert re.findall(r"<script(?! src=)|<style|\son\w+=|\sstyle=|javascript:", page) == []
        assert set(re.findall(r'(?:src|href)="([^"]*)"', page)) <= {
            "/static/icon.svg", "/static/page.css", "/static/page.js", "/static/lead.js", "#main", "/lead/export",
        }  # fmt: skip


def test_no_documentation_of_the_interface_is_served(round_) -> None:
    for path in ("/docs", "/redoc", "/openapi.json"):
        assert round_.person("anna").client.get(path).status_code == 404


TAGS = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> {{ 7*7 }} </textarea></p>&amp;"
HOSTILE = f"{TAGS} \x00\x1b[2J\x08 \u202eevil\u202c \u2067\u05d0 \ud800 \r\n" + "long " * 20_000


def test_hostile_text_stands_on_the_page_as_text(make_round) -> None:
    item = make_pair(0, text=HOSTILE)
    answers = tuple(type(one)(HOSTILE + str(n), one.source) for n, one in enumerate(item.answers))
    hostile = type(item)(
        item.id, "score", "<b>", "<i>", ((HOSTILE[:90], HOSTILE),), HOSTILE[:90], answers, scales=('q"><script>',)
    )
    round_ = make_round(
        [hostile, type(item)("g", "gold", "c", "p", (), "?", labels=(HOSTILE[:60], "no"))], title=HOSTILE[:50]
    )
    anna = round_.person("anna <b>")
    page = anna.page()
    assert page.count("<script") == 1  # our own
    assert "<img" not in page
    assert "<b>" not in page
    assert re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]", page) is None
    text = html.unescape(re.sub(r"</?mark>", "", page))
    assert text.count(f"{TAGS} ␀␛[2J␈ [RLO]evil[PDF]") >= 3
    assert text.count("long " * 20_000) == 3
    given = {'q"><script>-left': "3", 'q"><script>-right': "3"}
    assert anna.vote("tie", note=HOSTILE[:4000].replace("\ud800", ""), **given).status_code == 200
    assert "<img" not in anna.page()
    lead = round_.person("lead", "lead")
    for path in ("/lead", "/lead/case/1", "/lead/case/2"):
        assert "<img" not in lead.page(path)
        assert "<b>" not in lead.page(path)


def test_bodies_are_limited_whatever_their_headers_say(round_) -> None:
    anna = round_.person("anna")
    big = b"note=" + b"x" * LARGEST_BODY
    assert anna.client.post("/vote", content=big).status_code == 413
    assert anna.client.post("/vote", content=iter([big[:1000], big])).status_code == 413
    small = iter([b"note=" + b"x" * 1000])
    assert anna.client.post("/vote", content=small).status_code == 422


def test_half_a_form_becomes_no_vote(round_) -> None:
    anna = round_.person("anna")
    body = urlencode({**anna.fields(), "choice": "left", "note": "one two"}).encode()[:-4]
    cookie = "; ".join(f"{name}={value}" for name, value in anna.client.cookies.items())
    headers = {"host": HOST, "origin": ORIGIN, "cookie": cookie, "content-length": "999"}
    scope = {"type": "http", "method": "POST", "path": "/vote", "query_string": b"", "http_version": "1.1"}
    scope |= {"headers": [(name.encode(), value.encode()) for name, value in headers.items()]}
    messages = [{"type": "http.disconnect"}, {"type": "http.request", "body": body, "more_body": True}]
    sent = []

    async def receive() -> dict:
        return messages.pop()

    async def send(message: dict) -> None:
        sent.append(message)

    asyncio.run(round_.app(scope, receive, send))
    assert sent == []
    assert round_.store.votes(effective=False) == []


def test_whoever_leaves_is_out(round_) -> None:
    anna = round_.person("anna")
    assert "You have left" in anna.client.post("/leave").text
    assert anna.client.get("/").status_code == 403


def test_a_fault_of_ours_says_nothing_of_the_case_to_browser_or_log(round_, monkeypatch, caplog) -> None:
    anna = round_.person("anna")
    fields = anna.fields()

    def fail(*_: object) -> None:
        raise RuntimeError("He has asthma.")

    monkeypatch.setattr(Store, "record", fail)
    with caplog.at_level(logging.DEBUG):
        answer = anna.client.post("/vote", data={**fields, "choice": "left", "note": "secret"})
    assert answer.status_code == 500
    assert "asthma" not in answer.text
    assert "RuntimeError" in caplog.text
    assert "asthma" not in caplog.text
    assert "secret" not in caplog.text


def test_two_rounds_on_one_machine_keep_their_raters_apart(round_, tmp_path) -> None:
    other = Store.create(tmp_path / "other.sqlite", [make_pair(0)], title="Other")
    assert other.metadata["key"] != round_.store.metadata["key"]
    assert ORIGIN.endswith(HOST)
