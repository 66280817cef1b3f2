"""The label store: it only grows, gives each rater their turn, and loses nothing."""

import sqlite3
import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preceptor.errors import InputError
from preceptor.preferences.labelling import AlreadyJudgedError, Answer, Item, Store, Vote, majority
from preceptor.preferences.labelling._assignment import REPEAT_GAP


def pair(number: int) -> Item:
    answers = (Answer(f"yes {number}", "sft seed 0"), Answer(f"no {number}", "base"))
    return Item(f"i{number}", "pair", f"c{number}", f"P{number}", (("note", f"text {number}"),), "Which?", answers)


def gold(number: int) -> Item:
    return Item(f"i{number}", "gold", f"c{number}", f"P{number}", (("note", "text"),), "Which?", labels=("x", "y"))


def new_store(folder: Path, count: int = 6, raters: str = "ab", make=pair, **settings) -> Store:
    store = Store.create(folder / "labels" / "pairs.sqlite", [make(n) for n in range(count)], title="round", **settings)
    for name in raters:
        store.add_rater(name)
    return store


def judge_all(store: Store, rater: str, choice: str = "a") -> list[tuple[str, bool]]:
    seen = []
    while turn := store.next_item(rater):
        store.record(Vote(turn.item.id, rater, choice, turn.order, repeat=turn.repeat))
        seen.append((turn.item.id, turn.repeat))
    return seen


def test_items_come_back_as_they_went_in(tmp_path: Path) -> None:
    items = [pair(0), gold(1), replace(pair(2), kind="score", scales=("quality",), case=(("a\ud800", "\x00<b>"),))]
    path = tmp_path / "s.sqlite"
    Store.create(path, items, title="t").close()
    assert Store.open(path).items() == items


def test_the_file_is_its_owners_alone_and_another_is_never_overwritten(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    store.record(Vote("i0", "a", "a"))
    for file in store.path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(InputError, match="already"):
        new_store(tmp_path)
    assert len(Store.open(store.path).votes()) == 1


@pytest.mark.parametrize("content", [b"", b"not a database, but long enough to be read as the header of one" * 4])
def test_what_is_no_store_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "s.sqlite"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"s\.sqlite: this is not a label store"):
        Store.open(path)
    with pytest.raises(InputError, match="no label store here"):
        Store.open(tmp_path / "none.sqlite")


@pytest.mark.parametrize("change", ["UPDATE votes SET choice = 'b'", "DELETE FROM votes", "DELETE FROM items"])
def test_votes_and_items_cannot_be_changed(tmp_path: Path, change: str) -> None:
    store = new_store(tmp_path)
    store.record(Vote("i0", "a", "a"))
    with pytest.raises(sqlite3.IntegrityError), sqlite3.connect(store.path) as db:
        db.execute(change)


def test_a_commit_waits_for_the_disk(tmp_path: Path) -> None:
    db = new_store(tmp_path)._db
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_vote_sent_twice_is_stored_once_and_never_taken_for_another(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    first = store.record(Vote("i0", "a", "a", id="x"))
    assert store.record(Vote("i0", "a", "a", id="x")) == first
    with pytest.raises(AlreadyJudgedError):
        store.record(Vote("i0", "a", "b", id="x"))
    with pytest.raises(AlreadyJudgedError):
        store.record(Vote("i0", "a", "b", id="y"))
    with pytest.raises(ValueError, match="another vote's"):
        store.record(Vote("i0", "b", "a", id="x"))
    assert store.votes(effective=False) == [first]


def test_a_vote_names_what_it_was_given_on(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    vote = store.record(Vote("i0", "a", "a"))
    assert vote.versions == tuple(answer.version for answer in pair(0).answers)
    assert (vote.seq, vote.role) == (1, "rater")
    assert vote.time.endswith("+00:00")


def test_unknown_items_and_raters_are_refused(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    for vote in (Vote("none", "a", "a"), Vote("i0", "none", "a")):
        with pytest.raises(ValueError, match="no such"):
            store.record(vote)


def test_undo_takes_back_one_vote_after_another_and_shows_the_item_again(tmp_path: Path) -> None:
    store = new_store(tmp_path, repeat_share=0)
    for _ in range(3):
        store.record(Vote(store.next_item("a").item.id, "a", "tie", note="why"))
    assert store.undo("a", "u1").item == "i2"
    assert store.undo("a", "u1").item == "i2"  # sent again
    assert store.undo("a").item == "i1"
    turn = store.next_item("a")
    assert (turn.item.id, turn.before.note, turn.before.undone) == ("i1", "why", True)
    store.record(Vote("i1", "a", "b"))
    assert store.next_item("a").item.id == "i2"
    assert [(vote.item, vote.choice) for vote in store.votes()] == [("i0", "tie"), ("i1", "b")]
    assert [vote.undone for vote in store.votes(effective=False)] == [False, True, True, False]


def test_undo_with_nothing_to_undo(tmp_path: Path) -> None:
    assert new_store(tmp_path).undo("a") is None


def test_what_was_skipped_is_left_to_others_until_asked_for(tmp_path: Path) -> None:
    store = new_store(tmp_path, 2, repeat_share=0)
    store.record(Vote("i0", "a", None))
    assert judge_all(store, "a") == [("i1", False)]
    assert judge_all(store, "b") == [("i0", False), ("i1", False)]
    assert "i0" not in [vote.item for vote in store.votes() if vote.rater == "a"]
    store.unskip("a")
    assert judge_all(store, "a") == [("i0", False)]


def test_each_item_goes_to_the_set_number_of_raters_also_while_it_lies_before_one(tmp_path: Path) -> None:
    store = new_store(tmp_path, 3, "abc", votes_per_item=1, repeat_share=0)
    assert [store.next_item(rater).item.id for rater in "abca"] == ["i0", "i1", "i2", "i0"]
    for rater in "cab":
        judge_all(store, rater)
    assert sorted(vote.item for vote in store.votes()) == ["i0", "i1", "i2"]


def test_an_item_that_lies_before_one_rater_too_long_goes_to_another(tmp_path: Path, monkeypatch) -> None:
    store = new_store(tmp_path, 1, votes_per_item=1)
    store.next_item("a")
    assert store.next_item("b") is None
    monkeypatch.setattr("preceptor.preferences.labelling._store.LEASE_SECONDS", -1)
    assert store.next_item("b").item.id == "i0"


def test_a_share_of_items_comes_back_once_and_not_at_once(tmp_path: Path) -> None:
    seen = judge_all(new_store(tmp_path, 20, repeat_share=0.1), "a")
    again = [item for item, repeat in seen if repeat]
    assert len(again) == len(set(again)) == 2
    assert len(seen) == 22
    for item in again:
        assert seen.index((item, True)) - seen.index((item, False)) > REPEAT_GAP


def test_sides_are_drawn_for_each_rater_and_stay_after_a_restart(tmp_path: Path) -> None:
    store = new_store(tmp_path, 40, repeat_share=0)
    orders = {rater: [] for rater in "ab"}
    for rater in "ab":
        while turn := store.next_item(rater):
            assert Store.open(store.path).next_item(rater).order == turn.order
            orders[rater].append(turn.order)
            store.record(Vote(turn.item.id, rater, "a", turn.order))
    assert orders["a"] != orders["b"]
    assert all(10 <= each.count("ab") <= 30 for each in orders.values())


def test_gold_that_two_raters_disagree_on_goes_to_a_third_and_no_further(tmp_path: Path) -> None:
    store = new_store(tmp_path, 2, "abcd", gold, repeat_share=0)
    store.record(Vote("i0", "a", "x"))
    store.record(Vote("i0", "b", "y"))
    store.record(Vote("i1", "a", "x"))
    store.record(Vote("i1", "b", "x"))
    assert judge_all(store, "c", "y") == [("i0", False)]
    assert store.next_item("d") is None


def test_a_rater_has_one_token_of_which_only_the_hash_is_kept(tmp_path: Path) -> None:
    store = new_store(tmp_path)
    first = store.add_rater("anna")
    second = store.add_rater("anna")
    assert (store.authenticate(first), store.authenticate(second).name, store.authenticate("")) == (None, "anna", None)
    store._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert second.encode() not in store.path.read_bytes()
    with pytest.raises(InputError, match="another name"):
        store.add_rater("anna", "lead")
    for name in ("", "x" * 61, "a\nb"):
        with pytest.raises(InputError):
            store.add_rater(name)


def test_two_raters_at_once_over_two_connections_lose_nothing(tmp_path: Path) -> None:
    path = new_store(tmp_path, 40, repeat_share=0).path
    threads = [threading.Thread(target=judge_all, args=(Store.open(path), rater)) for rater in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    votes = Store.open(path).votes()
    assert sorted((vote.rater, vote.item) for vote in votes) == sorted((r, f"i{n}") for r in "ab" for n in range(40))
    assert [vote.seq for vote in votes] == list(range(1, 81))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "tie", None, "undo", "unskip"]), max_size=25))
def test_whatever_a_rater_does_one_vote_stands_an_item(tmp_path_factory, steps) -> None:
    """A model of the store: a stack of what stands."""
    store = new_store(tmp_path_factory.mktemp("s"), 8, "a", repeat_share=0.2)
    stack, rows = [], 0
    for step in steps:
        if step == "undo":
            taken = store.undo("a")
            assert (taken is None) == (not stack)
            rows += bool(stack)
            stack = stack[:-1]
        elif step == "unskip":
            store.unskip("a")
            rows += sum(choice is None for _, choice in stack)
            stack = [one for one in stack if one[1] is not None]
        elif turn := store.next_item("a"):
            assert (turn.item.id, turn.repeat) not in [key for key, _ in stack]
            store.record(Vote(turn.item.id, "a", step, repeat=turn.repeat))
            stack.append(((turn.item.id, turn.repeat), step))
            rows += 1
    assert [((vote.item, vote.repeat), vote.choice) for vote in store.votes_of("a")] == stack
    assert store._db.execute("SELECT count(*) FROM votes").fetchone() == (rows,)


def test_no_text_in_a_repr() -> None:
    vote = Vote("i0", "a", "free text", note="secret", edited="secret")
    shown = repr(pair(0)) + repr(pair(0).answers) + repr(vote)
    assert not any(word in shown for word in ("secret", "text", "yes"))


def test_more_than_half_decide() -> None:
    assert majority(["a", "a", "b"]) == "a"
    assert majority(["a", "b"]) is None
    assert majority(["a", "a", "b", "tie"]) is None
    assert majority([]) is None
