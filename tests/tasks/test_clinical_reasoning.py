"""The YEARS rule on hand-checked cases, and what the built-in cases promise."""

import random
import re
from collections import Counter
from dataclasses import replace
from statistics import mean

import pytest

from preceptor.tasks import Example, load_task, make_cases
from preceptor.tasks.cases._years import (
    ANSWERS,
    EXCLUDE,
    IMAGE,
    MEASURE,
    OUTSIDE,
    PER_UNIT,
    Anticoagulant,
    Facts,
    reasoning,
    years_answer,
)
from preceptor.tasks.cases._years_wording import FAMILIES
from preceptor.tasks.cases.clinical_reasoning import draw, draw_facts, pattern

NO_ITEM = Facts(50, "female", False, False, False, 700, "ng/mL", 120)
ONE_ITEM = replace(NO_ITEM, haemoptysis=True)

HAND_CHECKED = {
    "700 without an item": (NO_ITEM, EXCLUDE),
    "700 with haemoptysis": (ONE_ITEM, IMAGE),
    "700 with signs of DVT": (replace(NO_ITEM, leg_signs=True), IMAGE),
    "700 with PE most likely": (replace(NO_ITEM, embolism_likeliest=True), IMAGE),
    "999 without an item": (replace(NO_ITEM, d_dimer=999), EXCLUDE),
    "1000 without an item": (replace(NO_ITEM, d_dimer=1000), IMAGE),
    "499 with an item": (replace(ONE_ITEM, d_dimer=499), EXCLUDE),
    "500 with an item": (replace(ONE_ITEM, d_dimer=500), IMAGE),
    "300 with three items": (
        replace(ONE_ITEM, leg_signs=True, embolism_likeliest=True, d_dimer=300),
        EXCLUDE,
    ),
    "not measured": (replace(ONE_ITEM, d_dimer=None), MEASURE),
    "pregnant": (replace(NO_ITEM, age=30, pregnancy="pregnant"), OUTSIDE),
    "pregnant and not measured": (replace(NO_ITEM, age=30, d_dimer=None, pregnancy="pregnant"), OUTSIDE),
    "not pregnant": (replace(NO_ITEM, age=30, pregnancy="not pregnant"), EXCLUDE),
    "gave birth": (replace(NO_ITEM, age=30, pregnancy="gave birth"), EXCLUDE),
    "treatment dose for a day": (replace(NO_ITEM, anticoagulant=Anticoagulant("apixaban", True, 24)), OUTSIDE),
    "treatment dose for 23 hours": (replace(NO_ITEM, anticoagulant=Anticoagulant("apixaban", True, 23)), EXCLUDE),
    "prophylactic dose for a month": (
        replace(NO_ITEM, anticoagulant=Anticoagulant("enoxaparin", False, 720)),
        EXCLUDE,
    ),
    "17 years": (replace(NO_ITEM, age=17), OUTSIDE),
    "18 years": (replace(NO_ITEM, age=18), EXCLUDE),
    "systolic 89": (replace(NO_ITEM, systolic=89), OUTSIDE),
    "systolic 90": (replace(NO_ITEM, systolic=90), EXCLUDE),
    "two months to live": (replace(NO_ITEM, months_to_live=2), OUTSIDE),
    "six months to live": (replace(NO_ITEM, months_to_live=6), EXCLUDE),
}


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return make_cases("clinical_reasoning", 3000, seed=0)


def _answer(target: str) -> str:
    return target.rpartition("Answer: ")[2]


@pytest.mark.parametrize(("facts", "answer"), HAND_CHECKED.values(), ids=list(HAND_CHECKED))
def test_rule_on_hand_checked_cases(facts: Facts, answer: str) -> None:
    assert years_answer(facts) == answer


def test_reasoning_names_the_steps() -> None:
    assert reasoning(replace(ONE_ITEM, unit="mg/L")) == (
        "Applies: yes\nItems: haemoptysis; cut-off 500\nD-dimer: 700, not below 500\nAnswer: CT angiography"
    )
    assert reasoning(replace(NO_ITEM, d_dimer=None)) == (
        "Applies: yes\nItems: none; cut-off 1000\nD-dimer: not measured\nAnswer: D-dimer"
    )
    assert reasoning(replace(NO_ITEM, age=17)) == "Applies: no, under 18\nAnswer: rule does not apply"


def test_target_is_what_the_rule_says_of_the_same_facts() -> None:
    task = load_task("clinical_reasoning")
    for seed in range(500):
        facts = draw_facts(random.Random(seed), "train")
        case = draw(random.Random(seed), "train")
        assert case.target == reasoning(facts)
        assert task.parse(case.target) == years_answer(facts)
        assert case.pattern == pattern(facts)


def test_text_tells_the_numbers_the_rule_needs() -> None:
    for seed in range(500):
        facts = draw_facts(random.Random(seed), "test")
        note = draw(random.Random(seed), "test").fields["note"]
        assert str(facts.age) in note
        assert str(facts.systolic) in note
        values = re.findall(r"D-dimer[^.\d]*(\d+(?:\.\d+)?) (ng/mL|µg/L|µg/mL|mg/L)", note)
        told = [round(float(value) * PER_UNIT[unit]) for value, unit in values]
        assert told == ([] if facts.d_dimer is None else [facts.d_dimer])


def test_near_misses_are_there_on_both_sides() -> None:
    rng = random.Random(5)
    for side in ("train", "test"):
        applies = [facts for facts in (draw_facts(rng, side) for _ in range(800)) if years_answer(facts) != OUTSIDE]
        drugs = [facts.anticoagulant for facts in applies if facts.anticoagulant]
        measured = [facts for facts in applies if facts.d_dimer is not None]
        assert sum(500 <= facts.d_dimer < 1000 for facts in measured) > 0.4 * len(measured)
        assert {facts.unit for facts in measured} == set(PER_UNIT)
        assert {drug.therapeutic for drug in drugs} == {True, False}
        assert {"not pregnant", "gave birth"} <= {facts.pregnancy for facts in applies}
        assert any(facts.age == 18 for facts in applies)
        assert any(facts.systolic < 95 for facts in applies)


def test_cases_are_distinct_and_reproducible(examples: list[Example]) -> None:
    assert len({example.fields["note"] for example in examples}) == 3000
    assert make_cases("clinical_reasoning", 200, seed=4) == make_cases("clinical_reasoning", 200, seed=4)
    assert make_cases("clinical_reasoning", 50, seed=4) != make_cases("clinical_reasoning", 50, seed=5)


def test_the_answer_is_never_in_the_case(examples: list[Example]) -> None:
    """But for the test itself, which every case names, measured or not."""
    for example in examples:
        note = example.fields["note"].casefold()
        assert "exclu" not in note
        assert "angiogra" not in note
        assert "ctpa" not in note
        assert "apply" not in note
        assert note.count("d-dimer") == 1


def test_answers_are_balanced_and_length_tells_nothing(examples: list[Example]) -> None:
    words = {answer: [] for answer in ANSWERS}
    for example in examples:
        words[_answer(example.target)].append(len(re.findall(r"\w+|[^\w\s]", example.fields["note"])))
    shares = {answer: len(lengths) / len(examples) for answer, lengths in words.items()}
    assert min(shares.values()) > 0.2
    assert max(shares.values()) < 0.3
    means = [mean(lengths) for lengths in words.values()]
    assert max(means) / min(means) < 1.1


def test_patterns_and_wordings_are_of_one_side() -> None:
    rng = random.Random(11)
    seen = {side: [draw(rng, side) for _ in range(600)] for side in ("train", "test")}
    for what in ("pattern", "wording"):
        train, test = ({getattr(case, what) for case in seen[side]} for side in ("train", "test"))
        assert train
        assert test
        assert not train & test
    assert {case.wording for side in seen.values() for case in side} == {family.name for family in FAMILIES}
    assert len(Counter(_answer(case.target) for case in seen["test"])) == len(ANSWERS)
