"""Fields made of others: fitted on training cases, blind to answers and to other held-out cases."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preceptor.data._made_fields import made_field_problems, with_made_fields
from preceptor.data._named_answers import named_answers
from preceptor.data._split import Splits
from preceptor.data.fields import field_makers, find_field_maker
from preceptor.errors import InputError
from preceptor.tasks import Example, Task

LABELS = ["Cardiovascular / Pulmonary", "Obstetrics and Gynecology", "Urology"]
TASK = Task.model_validate(
    {
        "name": "specialty", "title": "t", "question": "q", "source": "s", "instruction": "i", "prompt": "{note}",
        "fields": {"note": "what was written", "keywords": "what it is about"}, "metric": "accuracy",
        "answer": {"kind": "label", "labels": dict.fromkeys(LABELS, ""), "max_new_tokens": 8},
    }
)  # fmt: skip
ENTRIES: dict[str, dict[str, Any]] = {
    "extracted": {"keywords_tfidf": "note", "count": 3},
    "bare": {"without_label": "keywords"},
    "drawn": {"random_words": "note", "as_many_as": "keywords"},
    "few": {"random_words": "extracted", "count": 2},
}
WORDS = ["heart", "valve", "bladder", "uterus", "stent", "seen", "urology", "pulmonary", "of", "12"]
texts = st.lists(st.sampled_from(WORDS), min_size=3, max_size=12).map(" ".join)


def case(number: int, note: str, keywords: str = "", target: str = LABELS[0]) -> Example:
    return Example(f"c{number}", f"p{number}", {"note": note, "keywords": keywords}, target)


def splits(train: list[str], test: list[str]) -> Splits:
    told = [case(n, note, f"{LABELS[n % 3]}, {note}", LABELS[n % 3]) for n, note in enumerate([*train, *test])]
    return Splits(told[: len(train)], [], told[len(train) :])


def made(train: list[str], test: list[str], **entries: dict[str, Any]) -> Splits:
    return with_made_fields(entries or ENTRIES, TASK, splits(train, test), "task specialty")


TRAIN = ["heart valve heart seen", "heart valve stent seen", "bladder stent bladder seen", "uterus bladder seen"]


@settings(deadline=None, max_examples=30)
@given(st.lists(texts, min_size=2, max_size=6), st.lists(texts, max_size=4), st.lists(texts, max_size=4))
def test_made_fields_of_training_cases_do_not_change_when_test_cases_do(
    train: list[str], test: list[str], other: list[str]
) -> None:
    """Trap 4: extraction that is fitted on all notes leaks the test set."""
    train = [f"{note} seen" for note in train]
    assert made(train, test).train == made(train, other).train
    together = made(train, test)
    alone = [made(train, [note]).test[0].fields["extracted"] for note in test]
    assert [one.fields["extracted"] for one in together.test] == alone


@settings(deadline=None, max_examples=30)
@given(st.lists(texts, min_size=1, max_size=4), st.sampled_from(LABELS))
def test_made_fields_do_not_depend_on_a_case_s_own_answer(test: list[str], answer: str) -> None:
    cases = splits(TRAIN, test)
    relabelled = Splits(cases.train, [], [replace(one, target=answer) for one in cases.test])
    fields = [
        [dict(one.fields) for one in with_made_fields(ENTRIES, TASK, some, "").test] for some in (cases, relabelled)
    ]
    assert fields[0] == fields[1]


def test_keywords_are_frequent_in_their_text_and_rare_in_training_texts() -> None:
    found = made(TRAIN, ["heart heart bladder seen unheard"], extracted={"keywords_tfidf": "note", "count": 2})
    assert found.test[0].fields["extracted"] == "heart, bladder"
    assert "seen" not in found.test[0].fields["extracted"], "it stands in every training text"
    assert found.train[0].fields["extracted"] == "heart, heart valve"


def test_keywords_hold_no_number_and_only_terms_of_two_training_texts() -> None:
    found = made(TRAIN, ["uterus 12 heart"], extracted={"keywords_tfidf": "note"})
    assert found.test[0].fields["extracted"] == "heart", "`uterus` stands in one training text alone"
    with pytest.raises(InputError, match="no word of note stands in two training cases"):
        made(["heart", "lung"], [], extracted={"keywords_tfidf": "note"})


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("cardiovascular / pulmonary, 2-d m-mode, doppler", "2-d m-mode, doppler"),
        ("doppler, Cardiovascular/Pulmonary, UROLOGY", "doppler"),
        ("pulmonary edema, signs of and on", "edema, signs of and on"),
        ("urology", ""),
        ("Urologyst", "Urologyst"),
    ],
)
def test_the_words_of_all_labels_are_taken_out(written: str, left: str) -> None:
    some = Splits([case(0, "a", written)], [], [])
    found = with_made_fields({"bare": {"without_label": "keywords"}}, TASK, some, "")
    assert found.train[0].fields["bare"] == left
    assert found.train[0].fields["keywords"] == written, "the field it was made of stays"


def test_what_is_left_names_no_answer() -> None:
    """Trap 1: the gain of keywords goes when the label is taken out of them; here the label is gone."""
    some = made(TRAIN, []).train
    assert named_answers(TASK, some, lambda one: one.fields["keywords"]).share == 1
    assert named_answers(TASK, some, lambda one: one.fields["bare"]).share == 0


def test_labels_that_are_words_of_every_text_go_only_as_a_whole() -> None:
    task = TASK.model_copy(
        update={"answer": TASK.answer.model_copy(update={"labels": {"met": "", "not met": "", "no": ""}})}
    )
    some = Splits([case(0, "a", "criterion not met, not febrile, no cough; goal met")], [], [])
    found = with_made_fields({"bare": {"without_label": "keywords"}}, task, some, "")
    assert found.train[0].fields["bare"] == "criterion, not febrile, cough; goal"


def test_random_words_are_as_many_as_asked_and_the_same_each_time() -> None:
    found = made(TRAIN, ["heart valve stent bladder uterus", "heart"])
    for one in found.test:
        drawn, note = one.fields["drawn"].split(), one.fields["note"].split()
        assert sorted(drawn) == sorted({*drawn} & {*note}), "drawn without replacement"
        assert len(drawn) == min(len(note), len(one.fields["keywords"].split()))
    assert found == made(TRAIN, ["heart valve stent bladder uterus", "heart"])
    entry = {"random_words": "note", "count": 2}
    seeds = {made(TRAIN, [], drawn=entry | {"seed": n}).train[0].fields["drawn"] for n in range(8)}
    assert len(seeds) > 1


def test_a_field_may_be_made_of_one_that_stands_before_it() -> None:
    assert {*made(TRAIN, []).train[0].fields} == {"note", "keywords", *ENTRIES}
    backwards = dict(reversed(ENTRIES.items())) | {"note": {"without_label": "keywrods"}}
    with pytest.raises(InputError) as refused:
        with_made_fields(backwards, TASK, splits(TRAIN, []), "task x")
    assert [str(one) for one in refused.value.problems] == [
        "task x, fields.few: there is no field extracted, which stands above it. Fields are `note`, `keywords`",
        "task x, fields.note: the task has a field of this name. Take another name",
        "task x, fields.note: there is no field keywrods. Fields are `note`, `keywords`, `few`, `drawn`, `bare`, "
        "`extracted`",
    ]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({}, "name one maker and the field it reads, as `keywords_tfidf: note`; makers are"),
        ({"count": 3}, "makers are `keywords_tfidf`, `random_snippets`, `random_words`, `snippets`, `without_label`"),
        ({"without_label": "a", "random_words": "b"}, "name one maker"),
        ({"keywords_tfidf": ["note"]}, "keywords_tfidf: name the field it reads"),
        ({"keywords_tfidf": "note", "count": 0}, "count: Input should be greater than 0"),
        ({"keywords_tfidf": "note", "cuont": 3}, "cuont: there is no such setting"),
        ({"random_words": "note"}, "random_words: give exactly one of `count` and `as_many_as`"),
    ],
)
def test_what_is_wrong_with_an_entry_is_said(entry: dict[str, Any], problem: str) -> None:
    assert any(problem in said for said in made_field_problems(entry)), list(made_field_problems(entry))


def test_entries_of_the_docs_are_right_and_every_maker_is_found_by_its_name() -> None:
    assert [*made_field_problems({"keywords_tfidf": "note", "count": 20})] == []
    assert field_makers() == ["keywords_tfidf", "random_snippets", "random_words", "snippets", "without_label"]
    for name in field_makers():
        assert find_field_maker(name).__doc__
    with pytest.raises(KeyError):
        find_field_maker("dreams")
