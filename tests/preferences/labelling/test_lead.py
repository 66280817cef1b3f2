"""The lead's pages: disputes, raters, agreement, export."""

import json

from labelling_rounds import make_gold, make_pair
from preceptor.preferences.labelling import Vote


def disputed(make_round, make=make_pair, said=("a", "b")):
    round_ = make_round([make(n) for n in range(4)], votes_per_item=2)
    for name in ("anna", "ben"):
        round_.store.add_rater(name)
    for n in range(3):
        round_.store.record(Vote(f"toy/{n}", "anna", said[0], seconds=60))
        round_.store.record(
            Vote(f"toy/{n}", "ben", said[1] if n == 1 else said[0], seconds=3600 * 9, note="It <is> so.")
        )
    return round_


def test_the_lead_sees_how_far_the_round_is(make_round) -> None:
    page = disputed(make_round).person("dr lead", "lead").page("/lead")
    assert "6 of 8" in page
    assert "48 min" in page  # a page that lay open over night counts as 15 minutes
    assert "15 min" in page  # two votes left, at the median of the votes so far
    assert 'href="/lead/case/2"' in page
    assert page.count("/lead/case/") == 1
    assert "<td>0.67" in page  # raw agreement


def test_the_lead_settles_a_dispute_and_can_undo_that(make_round) -> None:
    round_ = disputed(make_round)
    lead = round_.person("dr lead", "lead")
    case = lead.page("/lead/case/2")
    assert "<strong>anna</strong>: Answer" in case
    assert "It &lt;is&gt; so." in case
    assert "sft seed" not in case
    assert lead.vote("left", "/lead/case/2").url.path == "/lead"
    vote = round_.store.votes()[-1]
    assert (vote.role, vote.rater, vote.item) == ("lead", "dr lead", "toy/1")
    assert vote.choice == vote.order[0]
    after = lead.page("/lead")
    assert "Nothing to settle now" in after
    assert "1 settled by the lead" in after
    undo = lead.fields("/lead")
    for _ in range(2):  # clicked twice
        lead.client.post("/lead/undo", data=undo)
    assert 'href="/lead/case/2"' in lead.page("/lead")


def test_a_leads_vote_is_none_of_the_raters(make_round) -> None:
    round_ = make_round([make_pair(0)], votes_per_item=1)
    lead = round_.person("lead", "lead")
    assert "Nobody has judged it yet" in lead.page("/lead/case/1")
    lead.vote("tie", "/lead/case/1")
    assert "0 of 1" in lead.page("/lead")
    assert "0 done, 1 left" in round_.person("anna").page()


def test_gold_labels_are_settled_too(make_round) -> None:
    round_ = disputed(make_round, make_gold, ("urgent", "not urgent"))
    lead = round_.person("lead", "lead")
    assert "Label" in lead.page("/lead")
    lead.vote("0", "/lead/case/2")
    assert round_.store.votes()[-1].choice == "urgent"


def test_the_lead_makes_a_link_for_a_rater(make_round) -> None:
    round_ = make_round([make_pair(0)])
    lead = round_.person("lead", "lead")
    page = lead.client.post("/lead/rater", data={"name": " dr. <b> "}).text
    link = page.split('readonly value="')[1].split('"')[0]
    visitor = round_.visitor()
    assert visitor.get(link).status_code == 200
    assert "dr. &lt;b&gt;" in visitor.get("/").text
    assert link not in lead.page("/lead")
    refused = lead.client.post("/lead/rater", data={"name": "lead"})
    assert refused.status_code == 422
    assert "another name" in refused.text


def test_a_case_that_is_not_there(make_round) -> None:
    lead = make_round([make_pair(0)]).person("lead", "lead")
    for path in ("/lead/case/0", "/lead/case/2", "/lead/case/99999999999999999999", f"/lead/case/{'1' * 5000}"):
        assert lead.client.get(path).status_code == 404
    assert lead.client.get("/lead/case/x").status_code == 404
    assert lead.client.get("/lead/case/%D9%A1").status_code == 404  # a digit, but none of ours


def test_the_export_is_the_round(make_round) -> None:
    round_ = disputed(make_round)
    answer = round_.person("lead", "lead").client.get("/lead/export")
    assert answer.headers["content-disposition"] == 'attachment; filename="round.jsonl"'
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert [row["row"] for row in rows] == ["round"] + ["rater"] * 3 + ["item"] * 4 + ["vote"] * 6
