"""A rater's way through a round, as a browser without JavaScript takes it."""

import re

from labelling_rounds import make_gold, make_pair


def test_a_rater_judges_undoes_skips_and_ends(make_round) -> None:
    round_ = make_round([make_pair(n) for n in range(3)])
    anna = round_.person("anna")
    assert "0 done, 3 left" in anna.page()
    anna.vote("left", seconds="7.5", note="why", edited="Better.")
    assert "1 done, 2 left" in anna.page()
    (vote,) = round_.store.votes()
    assert vote.choice == vote.order[0]
    assert (vote.note, vote.edited, vote.seconds, vote.rater) == ("why", "Better.", 7.5, "anna")
    anna.client.post("/undo", data={"id": anna.fields()["id"]})
    back = anna.page()
    assert "You took your choice back" in back
    assert ">\nwhy</textarea>" in back
    assert ">\nBetter.</textarea>" in back
    anna.vote("tie")
    anna.vote("skip")
    anna.vote("both_bad")
    end = anna.page()
    assert "You judged 2 cases" in end
    assert "Look again at the 1 case you skipped" in end
    anna.client.post("/again")
    assert "You had skipped this case" in anna.page()


def test_what_stands_left_is_what_the_vote_says(make_round) -> None:
    round_ = make_round([make_pair(n) for n in range(12)])
    anna = round_.person("anna")
    for _ in range(12):
        first = re.search(r"(Asthma|Angina), step", re.sub(r"</?mark>", "", anna.page())).group(1)
        anna.vote("left")
        vote = round_.store.votes()[-1]
        assert vote.choice == {"Asthma": "a", "Angina": "b"}[first]
    assert {vote.order for vote in round_.store.votes()} == {"ab", "ba"}


def test_nothing_on_the_page_says_which_model_wrote_what(make_round) -> None:
    page = make_round([make_pair(0)]).person("anna").page()
    assert "sft" not in page
    assert "base" not in page
    assert "toy/0" not in page


def test_a_repeated_post_is_stored_once_and_a_second_window_is_told(make_round) -> None:
    round_ = make_round([make_pair(n) for n in range(3)])
    anna = round_.person("anna")
    window, other = anna.fields(), anna.fields()
    for _ in range(3):
        assert anna.client.post("/vote", data={**window, "choice": "left"}).status_code == 200
    assert len(round_.store.votes(effective=False)) == 1
    answer = anna.client.post("/vote", data={**other, "choice": "right"})
    assert answer.status_code == 409
    assert "another window" in answer.text
    assert len(round_.store.votes(effective=False)) == 1


def test_a_repeat_of_a_case_that_its_rater_has_not_judged_is_refused(make_round) -> None:
    round_ = make_round([make_pair(n) for n in range(3)])
    anna = round_.person("anna")
    anna.vote("left")
    anna.vote("skip")
    for position in ("2", "3"):  # skipped, and never shown
        sent = {**anna.fields(), "position": position, "repeat": "1", "choice": "left"}
        answer = anna.client.post("/vote", data=sent)
        assert answer.status_code == 409
        assert "Load the page again" in answer.text
    assert [vote.repeat for vote in round_.store.votes(effective=False)] == [False, False]
    sent = {**anna.fields(), "position": "1", "repeat": "1", "choice": "left"}
    assert anna.client.post("/vote", data=sent).status_code == 200


def test_what_names_anothers_vote_is_refused(make_round) -> None:
    round_ = make_round([make_pair(n) for n in range(3)])
    anna, ben, lead = round_.person("anna"), round_.person("ben"), round_.person("lead", "lead")
    theirs, undoing = "a" * 32, "b" * 32
    anna.vote("left", id=theirs)
    anna.client.post("/undo", data={"id": undoing})
    for id in (theirs, undoing):
        assert ben.vote("left", id=id).status_code == 409
        assert ben.client.post("/undo", data={"id": id}).status_code == 409
        assert lead.client.post("/lead/undo", data={"id": id}).status_code == 409
    assert anna.vote("left", id=undoing).status_code == 409
    assert [vote.rater for vote in round_.store.votes(effective=False)] == ["anna"]


def test_gold_shows_no_answers_and_takes_a_label_or_text(make_round) -> None:
    labels = tuple(f"label {n}" for n in range(20))
    round_ = make_round([make_gold(0, labels), make_gold(1, ())])
    anna = round_.person("anna")
    page = anna.page()
    assert "Answer 1" not in page
    keys = re.findall(r'data-key="(.)"', page)
    assert len(keys) == len(set(keys)) == 20 + 1  # and skipping
    anna.vote("19")
    anna.vote("text", answer="Seen.\r\nSent home.")
    assert [vote.choice for vote in round_.store.votes()] == ["label 19", "Seen.\nSent home."]


def test_what_is_missing_or_wrong_is_said_and_nothing_is_stored(make_round) -> None:
    round_ = make_round([make_pair(0, scales=("quality",))])
    anna = round_.person("anna")
    fields = anna.fields()
    for wrong, words in (
        ({"position": "1" * 5000, "choice": "left"}, "no such case"),
        ({"choice": "1" * 5000}, "Choose an answer"),
        ({"choice": "left", "quality-left": "1" * 5000, "quality-right": "1"}, "from 1 to 5"),
        ({"choice": "left"}, "Give quality of both answers"),
        ({"choice": "sft"}, "Choose an answer"),
        ({"position": "99", "choice": "left"}, "no such case"),
        ({"position": "x", "choice": "left"}, "no such case"),
        ({"id": "1", "choice": "skip"}, "Load it again"),
        ({"choice": "skip", "note": "x" * 5001}, "longer than 5,000"),
    ):
        answer = anna.client.post("/vote", data={**fields, **wrong})
        assert answer.status_code == 422
        assert words in answer.text
    assert round_.store.votes(effective=False) == []


def test_a_round_without_items_left_says_so(make_round) -> None:
    round_ = make_round([make_pair(0)], votes_per_item=1)
    round_.person("anna").page()  # it lies before her
    assert "no case for you yet" in round_.person("ben").page()
