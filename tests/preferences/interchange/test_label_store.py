"""Rows out of a real label store."""

from pathlib import Path

import pytest

from preceptor.errors import InputError
from preceptor.preferences.interchange import Row, read
from preceptor.preferences.interchange._record import message
from preceptor.preferences.labelling import Answer, Item, Store, Vote, majority


def item(name: str) -> Item:
    answers = (Answer("good", "sft seed 0"), Answer("bad", "sft seed 0 sample 1"))
    return Item(name, "pair", f"case {name}", "P1", (("note", "cough"),), "Which is better?", answers)


def test_what_most_raters_chose_is_a_pair_and_the_lead_settles(tmp_path: Path) -> None:
    file = tmp_path / "pairs.sqlite"
    items = [item(name) for name in ("both", "split", "settled", "tie", "none", "ideal")]
    store = Store.create(file, items, title="t", repeat_share=0)
    for name in ("ann", "bob"):
        store.add_rater(name)
    store.add_rater("cy", "lead")
    for name, a, b in (("both", "a", "a"), ("split", "a", "b"), ("settled", "a", "b"), ("tie", "tie", "tie")):
        store.record(Vote(name, "ann", a))
        store.record(Vote(name, "bob", b))
    store.record(Vote("settled", "cy", "b", role="lead"))
    store.record(Vote("none", "ann", None))
    store.record(Vote("ideal", "ann", "both_bad", edited="best"))
    store.close()

    rows, lost = read(file)
    asked = (message("user", "cough\n\nWhich is better?"),)
    by_id = {row.id: row for row in rows}
    assert set(by_id) == {"case both", "case settled", "case ideal"}
    sources = {"chosen_source": "sft seed 0", "rejected_source": "sft seed 0 sample 1"}
    expected = Row("case both", "P1", asked, None, "good", "bad", {"origin": "votes", "raters": 2, **sources})
    assert by_id["case both"] == expected
    assert (by_id["case settled"].chosen, by_id["case settled"].rejected) == ("bad", "good")
    assert (by_id["case ideal"].target, by_id["case ideal"].is_pair) == ("best", False)
    assert dict(lost) == {"items in dispute": 1, "items that came out as a tie": 1, "items without a vote": 1}


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.sqlite").write_text("no store")
    with pytest.raises(InputError, match="label store"):
        read(tmp_path / "a.sqlite")


def test_raters_who_disagree_have_no_majority_however_their_votes_come() -> None:
    assert majority(["a", "b"]) is None
    assert majority(choice for choice in "ab") is None
    assert majority(choice for choice in "aab") == "a"
