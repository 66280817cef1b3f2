"""Fields that hold the answer are found, and those that hold its word by chance or in passing are not."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preceptor.data._named_answers import (
    NAMES_THE_ANSWER,
    WORTH_A_CAUTION,
    check_named_answers,
    named_answers,
    named_by_field,
)
from preceptor.tasks import Example, Task

LABELS = ["Cardiovascular / Pulmonary", "Urology", "Neurology", "ENT - Otolaryngology"]


def task_of(labels: list[str]) -> Task:
    answer = {"kind": "label", "labels": dict.fromkeys(labels, ""), "max_new_tokens": 8}
    about = dict.fromkeys(("title", "question", "source", "instruction"), "t")
    fields = {"note": "what was written", "keywords": "what it is about"}
    return Task.model_validate(
        {"name": "specialty", **about, "fields": fields, "prompt": "{note}", "answer": answer, "metric": "accuracy"}
    )


TASK = task_of(LABELS)


def case(number: int, label: str, note: str = "seen in clinic", keywords: str = "a, b") -> Example:
    return Example(f"c{number}", f"p{number}", {"note": note, "keywords": keywords}, label)


def cases(keywords: str = "{label}, fever", note: str = "seen in clinic") -> list[Example]:
    labels = [LABELS[number % 4] for number in range(40)]
    return [case(n, one, note.format(label=one), keywords.format(label=one)) for n, one in enumerate(labels)]


def test_keywords_that_begin_with_the_label_are_found_and_the_note_is_not() -> None:
    """Trap 1: the label stands in the keywords."""
    (found,) = check_named_answers(named_by_field(TASK, cases("{label}, stress test, fever")))
    assert (found.code, found.level, found.where, found.split) == (NAMES_THE_ANSWER, "warning", "train cases", "train")
    assert found.what == "field keywords holds the case's own label in 100% of them, by chance it would be 25%"
    assert "known: after" in found.fix
    assert found.ids == (), "every case of a field is concerned, and none of them is wrong"


@pytest.mark.parametrize(
    "written", ["cardiovascular / pulmonary, 2-d", "Stress. CARDIOVASCULAR/PULMONARY!", "a cardiovascular\npulmonary b"]
)
def test_case_and_punctuation_do_not_hide_a_label(written: str) -> None:
    two = [case(0, LABELS[0], keywords=written), case(1, LABELS[1])]
    assert named_answers(TASK, two, lambda one: one.fields["keywords"]).share == 0.5


@pytest.mark.parametrize("written", ["neurologyst", "pulmonary, cardiovascular", "otolaryngology", ""])
def test_a_part_of_a_label_or_of_a_word_is_no_label(written: str) -> None:
    some = [case(n, label, keywords=written) for n, label in enumerate(LABELS)]
    assert named_answers(TASK, some, lambda one: one.fields["keywords"]).share == 0


def test_a_label_within_another_is_not_meant_by_it() -> None:
    task = task_of(["met", "not met"])
    some = [case(0, "met", keywords="not met"), case(1, "not met", keywords="Not met."), case(2, "met", keywords="met")]
    assert named_answers(task, some, lambda one: one.fields["keywords"]).share == pytest.approx(2 / 3)


def test_a_word_that_stands_in_every_note_names_no_answer() -> None:
    task = task_of(["no", "yes"])
    some = [case(n, "no" if n % 5 else "yes", note="There was no fever, no cough.") for n in range(50)]
    named = named_answers(task, some, lambda one: one.fields["note"])
    assert named.share == named.by_chance == 0.8
    assert list(check_named_answers(named_by_field(task, some))) == []


@pytest.mark.parametrize(("share", "cautioned"), [(0.15, False), (0.2, False), (0.5, True)])
def test_notes_that_name_it_in_passing_are_below_the_bound(share: float, cautioned: bool) -> None:
    """Of MTSamples' notes 8% hold their specialty, by right, and by a looser count 15%."""
    labels = [LABELS[number % 4] for number in range(200)]
    some = [case(n, one, note=f"Sent by {one}." if n < 200 * share else "Seen.") for n, one in enumerate(labels)]
    assert bool(list(check_named_answers(named_by_field(TASK, some)))) is cautioned


def test_the_bound_is_what_is_worth_a_margin_to_a_model_that_is_right_on_four_of_five() -> None:
    right_without, margin = 0.8, 0.05
    assert (1 - right_without) * WORTH_A_CAUTION == pytest.approx(margin)


def test_free_text_has_no_label_and_final_answers_are_read() -> None:
    text = TASK.model_copy(update={"answer": TASK.answer.model_copy(update={"kind": "text", "labels": {}})})
    assert list(check_named_answers(named_by_field(text, cases()))) == []
    final = TASK.model_copy(update={"answer": TASK.answer.model_copy(update={"parser": "final_answer"})})
    reasoned = [replace(one, target=f"It hurts.\nAnswer: {one.target}") for one in cases()]
    assert [one.code for one in check_named_answers(named_by_field(final, reasoned))] == [NAMES_THE_ANSWER]
    assert list(check_named_answers(named_by_field(TASK, []))) == []


@given(
    st.lists(st.tuples(st.sampled_from(LABELS), st.lists(st.sampled_from(LABELS), max_size=3)), min_size=1),
    st.randoms(),
)
def test_what_chance_would_give_is_the_mean_over_all_exchanges_of_labels(
    drawn: list[tuple[str, list[str]]], rng: random.Random
) -> None:
    some = [case(n, label, keywords=", ".join(held)) for n, (label, held) in enumerate(drawn)]
    named = named_answers(TASK, some, lambda one: one.fields["keywords"])
    rotations = [
        [replace(one, target=some[(place + by) % len(some)].target) for place, one in enumerate(some)]
        for by in range(len(some))
    ]
    shares = [named_answers(TASK, rotated, lambda one: one.fields["keywords"]).share for rotated in rotations]
    assert named.by_chance == pytest.approx(sum(shares) / len(shares))
    assert 0 <= named.beyond_chance <= 1
    rng.shuffle(some)
    assert named_answers(TASK, some, lambda one: one.fields["keywords"]).share == named.share
