"""Votes become pairs: what most raters chose, what the lead settled, and nothing else."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from label_stores import make_examples, make_task, pair_item, voted
from preceptor.errors import InputError
from preceptor.preferences import Pair, voted_pairs
from preceptor.preferences.labelling import PREFERENCES

TASK = make_task()


def pairs_of(folder: Path, said: dict, count: int = 1, task=TASK, examples=None, **changes):
    cases = make_examples(count)
    store = voted(folder / "s.sqlite", [pair_item(task, case, **changes) for case in cases], said)
    return voted_pairs(store, task, cases if examples is None else examples)


def test_what_both_raters_chose_is_chosen(tmp_path: Path) -> None:
    made = pairs_of(tmp_path, {"x": ["a", "b"], "y": ["a", "b"]}, count=2)
    assert made.pairs == [Pair("c0", "1", "2", "votes"), Pair("c1", "2", "1", "votes")]
    assert made.notes == {}


def test_ties_both_bad_and_disputes_give_no_pair_and_are_counted(tmp_path: Path) -> None:
    made = pairs_of(tmp_path, {"x": ["tie", "both_bad", "a", None], "y": ["tie", "both_bad", "b", None]}, count=4)
    assert made.pairs == []
    assert made.notes == {"ties": 1, "both bad": 1, "in dispute": 1}


def test_two_of_three_decide(tmp_path: Path) -> None:
    assert pairs_of(tmp_path, {"x": ["a"], "y": ["b"], "z": ["b"]}).pairs == [Pair("c0", "2", "1", "votes")]


def test_the_lead_settles_even_against_the_raters(tmp_path: Path) -> None:
    assert pairs_of(tmp_path, {"x": ["a"], "y": ["a"], "lead": ["b"]}).pairs == [Pair("c0", "2", "1", "votes")]


def test_votes_taken_back_and_votes_given_again_do_not_count(tmp_path: Path) -> None:
    from preceptor.preferences.labelling import Store, Vote

    cases = make_examples(1)
    item = pair_item(TASK, cases[0])
    path = voted(tmp_path / "s.sqlite", [item], {"x": ["a"], "y": ["b"]})
    store = Store.open(path)
    store.undo("x")
    store.record(Vote(item.id, "y", "a", repeat=True))
    store.close()
    assert voted_pairs(path, TASK, cases).pairs == [Pair("c0", "2", "1", "votes")]


def test_an_ideal_answer_is_chosen_over_the_worse_one(tmp_path: Path) -> None:
    said = {"x": [{"choice": "a", "edited": " 3 "}], "y": ["a"]}
    assert pairs_of(tmp_path, said).pairs == [Pair("c0", "3", "2", "votes")]


def test_an_ideal_answer_where_both_were_bad_is_chosen_over_both(tmp_path: Path) -> None:
    made = pairs_of(tmp_path, {"x": [{"choice": "both_bad", "edited": "3"}]})
    assert made.pairs == [Pair("c0", "3", "1", "votes"), Pair("c0", "3", "2", "votes")]


def test_an_ideal_answer_that_cannot_be_read_is_not_taken(tmp_path: Path) -> None:
    assert pairs_of(tmp_path, {"x": [{"choice": "a", "edited": "hm"}]}).pairs == [Pair("c0", "1", "2", "votes")]


def test_an_ideal_answer_of_the_outvoted_is_not_taken(tmp_path: Path) -> None:
    said = {"x": ["a"], "y": ["a"], "z": [{"choice": "b", "edited": "3"}]}
    assert pairs_of(tmp_path, said).pairs == [Pair("c0", "1", "2", "votes")]


def test_two_answers_alike_give_no_pair(tmp_path: Path) -> None:
    made = pairs_of(tmp_path, {"x": ["a"]}, b="1")
    assert (made.pairs, made.notes) == ([], {"the same answer": 1})


def test_a_case_that_changed_or_left_the_training_cases_gives_none(tmp_path: Path) -> None:
    cases = make_examples(2)
    changed = [replace(cases[0], fields={**cases[0].fields, "age": "99"})]
    made = pairs_of(tmp_path, {"x": ["a", "a"]}, count=2, examples=changed)
    assert (made.pairs, made.notes) == ([], {"case changed since": 1, "not a training case": 1})


def test_another_tasks_votes_on_the_same_case_are_left_alone(tmp_path: Path) -> None:
    cases = make_examples(1)
    other = make_task(name="toy2")
    items = [pair_item(TASK, cases[0]), pair_item(other, cases[0], a="3")]
    store = voted(tmp_path / "s.sqlite", items, {"x": ["a", "a"]})
    assert voted_pairs(store, other, cases).pairs == [Pair("c0", "3", "2", "votes")]
    assert voted_pairs(store, TASK, cases).notes == {}


def test_a_missing_store_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.sqlite"):
        voted_pairs(tmp_path / "none.sqlite", TASK, make_examples(1))


@given(st.lists(st.lists(st.sampled_from([*PREFERENCES, None]), min_size=4, max_size=4), min_size=1, max_size=3))
@settings(max_examples=8, deadline=None)
def test_every_case_with_a_vote_gives_a_pair_or_is_counted(
    tmp_path_factory: pytest.TempPathFactory, said: list[list[str | None]]
) -> None:
    made = pairs_of(tmp_path_factory.mktemp("s"), {f"r{n}": row for n, row in enumerate(said)}, count=4)
    with_vote = sum(any(row[case] for row in said) for case in range(4))
    assert len(made.pairs) + sum(made.notes.values()) == with_vote
    assert all(pair.chosen != pair.rejected for pair in made.pairs)
