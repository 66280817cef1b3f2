"""Snippets around terms, and at random: the note's own characters, whole words, terms of training notes alone."""

import json
import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preceptor.data import (
    Splits,
    can_be_stated,
    made_field_cautions,
    made_field_problems,
    make_as_stated,
    named_answers,
    stated_field,
    with_made_fields,
)
from preceptor.data._named_answers import check_named_answers, named_by_field
from preceptor.data.fields import snippets
from preceptor.data.fields._windows import Words, windows
from preceptor.errors import InputError
from preceptor.tasks import Example, Task, load_task, make_cases
from preceptor.text_pieces import SEPARATOR, join_pieces, pieces_of, without_separator
from snippets_by_hand import snippets_by_hand

TASK = Task.model_validate(
    {
        "name": "smoking", "title": "t", "question": "q", "source": "s", "instruction": "i", "prompt": "{note}",
        "fields": {"note": "what was written", "proof": "what decides"}, "metric": "accuracy", "evidence": "proof",
        "answer": {"kind": "label", "labels": {"yes": "", "no": ""}, "max_new_tokens": 8},
    }
)  # fmt: skip
TERMS = {"snippets": "note", "terms": [r"smok\w*", "tobacco"]}
DRAWN = {"random_snippets": "note", "as_many_as": "cut"}
FILLER = " ".join(f"w{n}" for n in range(60))


def case(number: int, note: str, target: str = "yes", date: str | None = None) -> Example:
    return Example(f"c{number}", f"p{number}", {"note": note, "proof": "x"}, target, date=date)


def made(notes: list[str], entry: dict[str, Any] | None = None, *, train: list[str] | None = None) -> list[list[str]]:
    """The snippets of each held-out note."""
    told = [case(n, note, ("yes", "no")[n % 2]) for n, note in enumerate([*(train or ["smokes tobacco"]), *notes])]
    splits = Splits(told[: -len(notes)], [], told[-len(notes) :])
    found = with_made_fields({"cut": entry or TERMS}, TASK, splits, "task smoking")
    return [pieces_of(one.fields["cut"]) for one in found.test]


def test_joined_pieces_are_parted_again_and_a_plain_text_is_its_only_piece() -> None:
    assert pieces_of(join_pieces(["a b", "c\nd"])) == ["a b", "c\nd"]
    assert pieces_of("a\nb") == ["a\nb"]
    assert pieces_of("") == [""]
    assert pieces_of(f"Aged 5. {SEPARATOR} {SEPARATOR}c") == ["Aged 5. ", "c"]
    assert pieces_of(SEPARATOR) == [""]
    assert without_separator(f"a{SEPARATOR}b") == "a b"


texts = st.lists(
    st.sampled_from(["He", "smokes.", "no", "tobacco", "Smoke-free", "ill.\n", "5.5", "(never)", "x" * 30, SEPARATOR]),
    max_size=120,
).map(" ".join)


@settings(deadline=None, max_examples=60)
@given(texts, st.integers(2, 12), st.integers(1, 6))
def test_trap_6_snippets_are_the_note_s_own_characters_in_its_order(note: str, words: int, most: int) -> None:
    """Trap 6; and trap 5: they begin and end at white space. Trap 8: of any note, the shortest too."""
    (found,) = made([note], TERMS | {"words": words, "most": most})
    whole, at = without_separator(note), 0
    for piece in found:
        start = whole.index(piece, at)
        at = start + len(piece)
        assert whole[start:at] == piece
        assert not whole[:start][-1:].strip(), "it begins with a word"
        assert not whole[at:][:1].strip(), "it ends with a word"
    assert len(found) <= most


@settings(deadline=None, max_examples=60)
@given(texts, st.integers(2, 12), st.integers(1, 6))
def test_each_snippet_holds_a_term_and_windows_do_not_overlap(note: str, words: int, most: int) -> None:
    told = Words.of(without_separator(note))
    make = snippets.fit(
        [case(0, "smokes")], "note", TASK, snippets.Settings(terms=TERMS["terms"], words=words, most=most)
    )
    found = make.spans(told)
    assert all(one[1] <= after[0] for one, after in pairwise(found))
    assert make.has_hit(case(1, note)) == any(map(make._hits, map(told.written, found)))


def test_windows_have_about_so_many_words_on_each_side() -> None:
    (found,) = made([f"{FILLER} smokes {FILLER}"])
    assert found == [" ".join([*FILLER.split()[-20:], "smokes", *FILLER.split()[:20]])]


def test_trap_5_a_negation_in_front_of_the_term_is_inside() -> None:
    """Windows prefer the sentence: its begin and end where they are within half of the width, however it is cut."""
    between = " ".join(f"v{n}" for n in range(26))
    (found,) = made([f"{FILLER}. No evidence of {between} tobacco or {FILLER}"])
    assert found[0].startswith("No evidence of v0")
    short = " ".join(f"v{n}" for n in range(5))
    (found,) = made([f"{FILLER}. Eats well. There is no {short} tobacco. Sleeps {short}. {FILLER}"])
    assert f"There is no {short} tobacco. Sleeps" in found[0]


def test_overlapping_windows_are_merged_and_the_rarest_term_comes_first() -> None:
    gap = " ".join(f"g{n}" for n in range(25))
    (found,) = made([f"{FILLER} smokes {gap} tobacco {FILLER}"])
    assert len(found) == 1
    assert f"smokes {gap} tobacco" in found[0]
    far = f" {FILLER} {FILLER} "
    entry = TERMS | {"most": 2}
    (found,) = made([far.join(["smokes", "smoked", "tobacco"])], entry, train=["smokes", "smokes", "smokes tobacco"])
    assert ["smokes" in found[0], "tobacco" in found[1]] == [True, True], (
        "`tobacco` is rarer, then the first of the note"
    )
    (all_of_them,) = made([far.join(["smokes", "smoked", "tobacco"])])
    assert len(all_of_them) == 3


def test_terms_match_whole_words_case_aside() -> None:
    (found,) = made(["Well, unsmoked ham, and TOBACCO"], {"snippets": "note", "terms": ["tobacco"], "words": 2})
    assert found == ["ham, and TOBACCO"]
    make = snippets.fit([case(0, "a")], "note", TASK, snippets.Settings(terms=("smoke",)))
    assert not make.has_hit(case(1, "unsmoked smokes"))


def test_a_term_of_white_space_alone_ends_no_run() -> None:
    """It ended in an error where it stood behind the last word."""
    assert made(["a b  ", "  ", ""], {"snippets": "note", "terms": [r"\s+"]}) == [["a b"], [""], [""]]


def test_trap_8_a_note_without_a_hit_shows_its_beginning_and_is_counted() -> None:
    """Trap 8: empty and short notes, one snippet, none."""
    found = made([f"{FILLER} {FILLER}", "short", "", " \n", "smokes"], TERMS | {"words": 10})
    assert found[0] == [" ".join(FILLER.split()[:21])]
    assert found[1:] == [["short"], [""], [""], ["smokes"]]
    notes = [case(n, note) for n, note in enumerate(["smokes", "a", "b tobacco", ""])]
    splits = with_made_fields({"cut": TERMS}, TASK, Splits(notes[:2], [], notes[2:]), "task smoking")
    (said,) = map(str, made_field_cautions({"cut": TERMS}, TASK, splits, "task smoking"))
    assert said.startswith("task smoking, fields.cut: 2 of 4 cases have none of its terms, and show their beginning.")


def test_trap_2_terms_are_those_of_training_notes() -> None:
    """Trap 2: terms of all notes would leak; here the test notes' own word is none, and the labels' telling word is."""
    train = [
        f"{FILLER} patient {word} daily" for word in ("smokes", "abstains", "smokes", "abstains") for _ in range(3)
    ]
    notes = [f"{FILLER} {FILLER} unheard {FILLER} {FILLER} smokes {FILLER}"] * 4
    labelled = [case(n, note, "yes" if "smokes" in note else "no") for n, note in enumerate([*train, *notes])]
    splits = Splits(labelled[: len(train)], [], labelled[len(train) :])
    terms = [term for term, _ in snippets.fit(splits.train, "note", TASK, snippets.Settings()).terms]
    assert any(term.search("smokes") for term in terms[:6])
    assert not any(term.search("unheard") for term in terms)
    entry = {"cut": {"snippets": "note"}}
    found = with_made_fields(entry, TASK, splits, "")
    others = with_made_fields(entry, TASK, Splits(splits.train, [], [case(99, "unheard of")]), "")
    assert found.train == others.train


def test_trap_2_snippets_that_hold_the_label_are_found_as_other_fields_are() -> None:
    """Trap 2: a term that is the label makes snippets of it."""
    told = [case(n, f"{FILLER} {FILLER} answer: {label} {FILLER}", label) for n, label in enumerate(["yes", "no"] * 10)]
    entry = {"cut": {"snippets": "note", "terms": ["answer"], "words": 2}}
    found = with_made_fields(entry, TASK, Splits(told, [], []), "")
    assert named_answers(TASK, found.train, lambda one: one.fields["cut"]).share == 1
    named = named_by_field(TASK, found.train)
    assert ["field cut" in one.what for one in check_named_answers({"cut": named["cut"]})] == [True]
    assert "proof" not in named, "which no prompt shows"


def test_trap_4_a_note_of_a_stack_that_is_later_than_the_case_is_refused() -> None:
    """Trap 4: what was written after the decision cannot be read before it."""
    stack = "2024-03-01 smokes\n2024-03-05 tobacco"
    entry = {"cut": TERMS | {"dated": r"^(\d{4}-\d{2}-\d{2})"}}
    right = Splits([case(0, stack, date="2024-03-05")], [], [])
    assert with_made_fields(entry, TASK, right, "").train[0].fields["cut"] == stack
    wrong = [
        case(1, stack, date="2024-03-04"),
        case(2, stack),
        case(3, "2024-13-45 smokes", date="2024-03-04"),
        case(4, "04.03.2024 smokes", date="2024-03-04"),
    ]
    with pytest.raises(InputError) as refused:
        with_made_fields(entry, TASK, Splits([], wrong[:1], wrong[1:]), "")
    assert [str(one).split(". ")[0] for one in refused.value.problems] == [
        "case c1: a note in note is later than the case's own date",
        "case c2: it has no date to hold those of its notes against",
        "case c3: `dated` finds what is no ISO date",
        "case c4: `dated` finds no date in note",
    ]
    assert not any("smokes" in str(one) for one in refused.value.problems)


def test_a_group_that_takes_no_part_is_no_date() -> None:
    entry = {"cut": TERMS | {"dated": r"^(\d{4}-\d{2}-\d{2})?"}}
    with pytest.raises(InputError, match="`dated` finds what is no ISO date"):
        with_made_fields(entry, TASK, Splits([case(0, "smokes", date="2024-03-05")], [], []), "")


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ({"drawn": {"random_snippets": "note", "as_many_as": "note"}}, "note is not made of snippets. Make one"),
        (
            {"cut": TERMS, "few": {"random_words": "cut", "count": 3}, "drawn": DRAWN | {"as_many_as": "few"}},
            "few is not made of snippets. Name one that is: `cut`",
        ),
        ({"drawn": DRAWN, "cut": TERMS}, "there is no field cut, which stands above it"),
        ({"drawn": DRAWN | {"as_many_as": "drawn"}}, "there is no field drawn, which stands above it"),
        ({"cut": {"snippets": "drawn"}, "drawn": DRAWN}, "there is no field drawn, which stands above it"),
    ],
)
def test_fields_that_cannot_be_made_of_each_other_are_refused(entries: dict[str, Any], problem: str) -> None:
    with pytest.raises(InputError, match=re.escape(problem)):
        with_made_fields(entries, TASK, Splits([case(0, "smokes")], [], []), "")


def test_made_fields_read_no_evidence() -> None:
    with pytest.raises(InputError, match="proof holds what the right answer rests on"):
        with_made_fields({"cut": {"snippets": "proof"}}, TASK, Splits([case(0, "a")], [], []), "")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"terms": ["("]}, "'(' is no regular expression"),
        ({"terms": [r"\w*"]}, "is found in every place"),
        ({"terms": ["(?i)dose"]}, "global flags not at the start"),
        ({"terms": ["a{99999999999}"]}, "the repetition number is too large"),
        ({"dated": "(a{99999999999})"}, "the repetition number is too large"),
        ({"terms": ["(" * 2000 + "a" + ")" * 2000]}, "...' is no regular expression"),
        ({"words": 1}, "words: "),
        ({"most": 0}, "most: "),
        ({"dated": r"^\d+"}, "it needs one group"),
    ],
)
def test_what_is_wrong_with_settings_is_said(settings: dict[str, Any], problem: str) -> None:
    said = list(made_field_problems({"snippets": "note"} | settings))
    assert any(problem in one for one in said), said


def test_terms_are_found_for_labels_alone_and_in_two_notes_at_least() -> None:
    text = TASK.model_copy(update={"answer": TASK.answer.model_copy(update={"kind": "text", "labels": {}})})
    with pytest.raises(InputError, match="an answer is no label"):
        snippets.fit([case(0, "a")], "note", text, snippets.Settings())
    with pytest.raises(InputError, match="no word of note stands in two training cases"):
        snippets.fit([case(0, "aa"), case(1, "bb")], "note", TASK, snippets.Settings())


@settings(deadline=None, max_examples=40)
@given(texts, st.integers(2, 8))
def test_random_snippets_are_as_many_of_as_many_words_and_do_not_overlap(note: str, words: int) -> None:
    entries = {"cut": TERMS | {"words": words}, "drawn": {"random_snippets": "note", "as_many_as": "cut"}}
    splits = Splits([case(0, note)], [], [])
    (one,) = with_made_fields(entries, TASK, splits, "").train
    drawn, cut = pieces_of(one.fields["drawn"]), pieces_of(one.fields["cut"])
    assert sorted(len(piece.split()) for piece in drawn) == sorted(len(piece.split()) for piece in cut)
    at = 0
    for piece in drawn:
        at = without_separator(note).index(piece, at) + len(piece)
    assert with_made_fields(entries, TASK, splits, "").train == [one]


def test_random_snippets_go_by_the_seed_and_need_no_longer_note_than_there_is() -> None:
    note = f"{FILLER} smokes {FILLER}"
    entries = {"cut": TERMS, "drawn": {"random_snippets": "note", "as_many_as": "cut"}}
    seen = set()
    for seed in range(5):
        entries["drawn"] = {"random_snippets": "note", "as_many_as": "cut", "seed": seed}
        seen.add(with_made_fields(entries, TASK, Splits([case(0, note)], [], []), "").train[0].fields["drawn"])
    assert len(seen) > 1
    other = {"cut": TERMS, "drawn": {"random_snippets": "proof2", "as_many_as": "cut"}}
    task = TASK.model_copy(update={"fields": TASK.fields | {"proof2": "short"}})
    short = replace(case(0, note), fields={"note": note, "proof": "x", "proof2": "two words"})
    assert with_made_fields(other, task, Splits([short], [], []), "").train[0].fields["drawn"] == "two words"


def test_long_notes_have_their_evidence_in_a_snippet_and_at_a_quarter_of_the_words() -> None:
    task, cases = load_task("long_note"), make_cases("long_note", 40, seed=2)
    entry = {"cut": {"snippets": "note", "terms": [r"smok\w*", "tobacco", r"cigarettes?"]}}
    found = with_made_fields(entry, task, Splits(cases, [], []), "").train
    held = [sum(one.fields["evidence"] in piece for piece in pieces_of(one.fields["cut"])) for one in found]
    assert held == [1] * len(cases)
    assert (
        sum(len(one.fields["cut"].split()) for one in found) < sum(len(one.fields["note"].split()) for one in found) / 4
    )


def test_hits_within_a_window_take_no_place() -> None:
    words = Words.of("a b c d e f g h i j k l m n o p q r s t")
    assert windows(words, [(4, 5), (6, 7), (36, 37)], 3, 2) == [(0, 6), (15, 20)]


@settings(deadline=None, max_examples=100)
@given(texts, st.integers(2, 12), st.integers(1, 6))
def test_what_it_states_makes_the_same_also_by_hand(note: str, words: int, most: int) -> None:
    train = [case(0, "smokes"), case(1, "smokes tobacco"), case(2, "smoke")]
    entry = TERMS | {"terms": [r"smok\w*", "tobacco", "ill", "no"], "words": words, "most": most}
    stated = json.loads(json.dumps(stated_field(entry, TASK, train)))
    assert stated["terms"][0] == ["(?<!\\w)(?:ill)(?!\\w)", "(?<!\\w)(?:no)(?!\\w)"], "which no training note has"
    make = snippets.fit(train, "note", TASK, snippets.Settings(terms=entry["terms"], words=words, most=most))
    held = case(3, note)
    assert make_as_stated(stated)(held) == make(held)
    assert pieces_of(make(held)) == (snippets_by_hand(without_separator(note), stated) or [""])


def test_terms_of_training_notes_are_stated_and_how_many_have_each_is_not() -> None:
    """On built-in notes of some thousand words."""
    task, cases = load_task("long_note"), make_cases("long_note", 40, 2)
    stated = stated_field({"snippets": "note"}, task, cases[:20])
    assert sum(map(len, stated["terms"])) == 30
    assert {*stated} == {"maker", "of", "terms", "words", "most", "how"}
    make = snippets.fit(cases[:20], "note", task, snippets.Settings())
    for one in cases[20:]:
        assert make_as_stated(stated)(one) == make(one)
        assert pieces_of(make(one)) == snippets_by_hand(one.fields["note"], stated)


def test_what_a_maker_cannot_say_and_what_is_made_of_a_made_field_cannot_be_stated() -> None:
    assert can_be_stated(TERMS, TASK)
    assert not can_be_stated({"random_words": "note", "count": 3}, TASK)
    assert not can_be_stated({"snippets": "shorter", "terms": ["ill"]}, TASK)
