"""Hospital stays: the gold states exactly the structured facts, and no shortcut through the course earns them."""

import random
import re
from collections.abc import Callable
from dataclasses import replace
from statistics import mean, mode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preceptor.evidence.metrics.fact_f1 import score as fact_f1
from preceptor.tasks import Example, load_task, make_cases
from preceptor.tasks._facts import normalise
from preceptor.tasks.cases._course_wording import VOICES, Voice
from preceptor.tasks.cases._hospital import ALLERGENS, CONDITIONS, DRUGS, STOPPED
from preceptor.tasks.cases.summarization import Medicine, Stay, draw_stay, elements, summary, tell, traps

TASK = load_task("summarization")
TEXTBOOK = next(voice for voice in VOICES if voice.name == "textbook")

STAY = Stay(
    age=74,
    sex="F",
    condition=CONDITIONS[0],
    side="left",
    operated=True,
    medicines=(Medicine("enoxaparin", "40 mg", "daily", old="20 mg"), Medicine("ramipril", "5 mg", "daily")),
    stopped=("naproxen",),
    allergen=None,
    denied="penicillin",
    relatives=None,
    place="home",
    planned=None,
    clinic="fracture clinic",
    weeks=6,
    other_side=True,
)

drawn = st.tuples(st.integers(0, 2**32), st.sampled_from(["train", "test"])).map(
    lambda seeded: draw_stay(random.Random(seeded[0]), seeded[1])
)


@pytest.fixture(scope="module")
def cases() -> list[Example]:
    return make_cases("summarization", 3000, seed=1)


def facts(stay: Stay) -> frozenset[str]:
    return TASK.facts(summary(stay))


def test_a_stay_worked_by_hand() -> None:
    assert summary(STAY) == (
        "Diagnosis: left hip fracture\n"
        "Procedure: left hip hemiarthroplasty\n"
        "Medications: enoxaparin 40 mg daily; ramipril 5 mg daily\n"
        "Stopped: naproxen\n"
        "Allergies: none known\n"
        "Disposition: home\n"
        "Follow-up: fracture clinic in 6 weeks"
    )
    assert facts(STAY) == {
        "diagnosis=left hip fracture",
        "procedure=left hip hemiarthroplasty",
        "medications=enoxaparin 40 mg once daily",
        "medications=ramipril 5 mg once daily",
        "stopped=naproxen",
        "allergies=none",
        "disposition=home",
        "follow-up=fracture clinic in 6 weeks",
    }


@given(drawn)
def test_the_gold_parses_to_exactly_the_structured_facts(stay: Stay) -> None:
    expected = [f"{name.lower()}={normalise(value)}" for name, values in elements(stay).items() for value in values]
    assert facts(stay) == set(expected)
    assert len(expected) == len(set(expected)) == 5 + len(stay.medicines) + max(1, len(stay.stopped))


@pytest.mark.parametrize(
    ("changes", "lost", "won"),
    [
        # A superseded dose counts for nothing ...
        ({"medicines": (replace(STAY.medicines[0], old=None), STAY.medicines[1])}, set(), set()),
        # ... and believing it is one wrong fact.
        (
            {"medicines": (replace(STAY.medicines[0], dose="20 mg"), STAY.medicines[1])},
            {"medications=enoxaparin 40 mg once daily"},
            {"medications=enoxaparin 20 mg once daily"},
        ),
        # Held and restarted is not stopped.
        ({"medicines": (STAY.medicines[0], replace(STAY.medicines[1], held=True))}, set(), set()),
        # A stopped drug leaves the medicines.
        (
            {"medicines": STAY.medicines[:1], "stopped": ("naproxen", "ramipril")},
            {"medications=ramipril 5 mg once daily"},
            {"stopped=ramipril"},
        ),
        # The side is part of diagnosis and procedure.
        (
            {"side": "right"},
            {"diagnosis=left hip fracture", "procedure=left hip hemiarthroplasty"},
            {"diagnosis=right hip fracture", "procedure=right hip hemiarthroplasty"},
        ),
        ({"other_side": False}, set(), set()),
        # A denied allergy, or a relative's, is none; a true one beside it counts.
        ({"denied": None, "relatives": "latex"}, set(), set()),
        ({"allergen": "latex"}, {"allergies=none"}, {"allergies=latex"}),
        # A procedure or a place that was only planned is none.
        ({"operated": False}, {"procedure=left hip hemiarthroplasty"}, {"procedure=none"}),
        ({"planned": "nursing home"}, set(), set()),
    ],
)
def test_a_trap_changes_exactly_its_facts(changes: dict[str, object], lost: set[str], won: set[str]) -> None:
    changed = replace(STAY, **changes)
    assert facts(STAY) - facts(changed) == lost
    assert facts(changed) - facts(STAY) == won


@given(drawn)
def test_no_drug_is_both_taken_and_stopped_nor_forbidden_by_an_allergy(stay: Stay) -> None:
    taken = {medicine.name for medicine in stay.medicines}
    assert not taken & set(stay.stopped)
    assert not (taken | set(stay.stopped)) & set(ALLERGENS)
    assert len({DRUGS[name].group for name in taken}) == len(taken)
    assert stay.allergen != stay.denied or stay.allergen is None


@given(drawn, st.sampled_from(VOICES), st.integers(0, 2**32))
def test_the_course_tells_every_fact_letter_for_letter(stay: Stay, voice: Voice, seed: int) -> None:
    course = tell(stay, voice, random.Random(seed), "train").lower()
    told = [stay.place, stay.clinic, f"in {stay.weeks} w", elements(stay)["Diagnosis"][0], *stay.stopped]
    told += [f"{stay.side} {stay.condition.procedure}" if stay.side else stay.condition.procedure]
    told += [text for one in stay.medicines for text in (one.name, one.dose, one.old or "")]
    told += [allergen for allergen in (stay.allergen, stay.denied, stay.relatives) if allergen]
    assert [text for text in told if text.lower() not in course] == []


def test_of_two_doses_in_two_notes_the_later_note_holds_the_gold() -> None:
    days = []
    for seed in range(100):
        course = tell(STAY, TEXTBOOK, random.Random(seed), "train")
        before = re.search(r"Day (\d).* ?Enoxaparin 20 mg s", course)
        after = re.search(r"Day (\d).* ?Enoxaparin is now 40 mg", course)
        assert bool(before) == bool(after)
        if before and after:
            days.append((int(before[1]), int(after[1])))
    assert len(days) > 20
    assert all(first < last for first, last in days)


def test_three_thousand_distinct_cases_the_same_from_the_same_seed(cases: list[Example]) -> None:
    assert len({case.fields["course"] for case in cases}) == len({case.id for case in cases}) == 3000
    assert make_cases("summarization", 60, seed=5) == make_cases("summarization", 60, seed=5)
    assert make_cases("summarization", 60, seed=5) != make_cases("summarization", 60, seed=6)


def test_no_condition_and_no_patient_crosses_the_split(cases: list[Example]) -> None:
    def of(test: bool, value: Callable[[Example], str]) -> set[str]:
        return {value(case) for case in cases if (case.split == "test") == test}

    def diagnosis(case: Example) -> str:
        return re.sub(r"^Diagnosis: (left |right )?", "", case.target.splitlines()[0])

    assert len(of(True, diagnosis)) >= 6
    assert not of(True, diagnosis) & of(False, diagnosis)
    assert not of(True, lambda case: case.group) & of(False, lambda case: case.group)


def test_every_trap_is_common_on_both_sides() -> None:
    for side in ("train", "test"):
        found = [traps(draw_stay(random.Random(seed), side)) for seed in range(400)]
        for trap in (
            *("superseded dose", "held and restarted", "stopped drug", "other side"),
            *("procedure not done", "negated allergy", "other place planned"),
        ):
            assert mean(trap in one for one in found) > 0.15, (side, trap)


def test_the_voices_word_the_same_statements() -> None:
    assert len({frozenset(voice.says) for voice in VOICES}) == 1
    assert len({frozenset(voice.frequency) for voice in VOICES}) == 1


def test_notes_are_out_of_order(cases: list[Example]) -> None:
    days = [[int(day) for day in re.findall(r"(?i)\bd(?:ay )?(\d)\b", case.fields["course"])] for case in cases]
    assert {len(one) for one in days} == {2, 3}
    assert mean(one != sorted(one) for one in days) > 0.4


def test_length_is_what_a_small_model_can_read(cases: list[Example]) -> None:
    assert 60 < mean(len(case.fields["course"].split()) for case in cases) < 110
    assert max(len(case.target.split()) for case in cases) < 60


# Shortcuts. The lead is the beginning of the course, as many words as the gold has.


def lead(case: Example) -> str:
    return " ".join(case.fields["course"].split()[: len(case.target.split())])


def lead_under_the_elements(case: Example) -> str:
    words = lead(case).split()
    size = len(words) // len(TASK.answer.elements) + 1
    return "\n".join(
        f"{name}: {' '.join(words[at * size : (at + 1) * size])}" for at, name in enumerate(TASK.answer.elements)
    )


def first_mention(case: Example) -> str:
    """Knows every name and takes of each fact what is said first; reads no change, no stop and no negation."""
    course = " ".join(case.fields["course"].lower().split())
    condition = next(one for one in CONDITIONS if one.diagnosis.lower() in course)
    side = f"{re.findall(r'left|right', course)[0]} " if condition.site else ""
    doses = {name: re.search(rf"{name}\D{{0,40}}?([\d.]+ m?c?g)\b", course) for name in DRUGS}
    medicines = [f"{name} {hit[1]} {DRUGS[name].frequency}" for name, hit in doses.items() if hit]
    allergen = min((name for name in ALLERGENS if name in course), key=course.index)
    place = re.findall(r"home with carers|nursing home|rehabilitation ward|home", course)[0]
    clinic = next(name for name in condition.clinics if name.lower() in course)
    weeks = re.findall(r"in (\d) w", course)[0]
    return (
        f"Diagnosis: {side}{condition.diagnosis}\nProcedure: {side}{condition.procedure}\n"
        f"Medications: {'; '.join(medicines)}\nStopped: {'; '.join(name for name in STOPPED if name in course)}\n"
        f"Allergies: {allergen}\nDisposition: {place}\nFollow-up: {clinic} in {weeks} weeks"
    )


@pytest.mark.parametrize(("shortcut", "most"), [(lead, 0.02), (lead_under_the_elements, 0.05), (first_mention, 0.75)])
def test_shortcuts_score_low(cases: list[Example], shortcut: Callable[[Example], str], most: float) -> None:
    held_out = [case for case in cases if case.split == "test"]
    assert mean(fact_f1(TASK.facts(case.target), TASK.facts(shortcut(case))) for case in held_out) < most
    assert all(fact_f1(TASK.facts(case.target), TASK.facts(case.target)) == 1 for case in held_out)


def test_one_answer_for_everybody_scores_low(cases: list[Example]) -> None:
    lines = zip(*(case.target.splitlines() for case in cases if case.split == "train"), strict=True)
    commonest = "\n".join(mode(line) for line in lines)
    scores = [fact_f1(TASK.facts(case.target), TASK.facts(commonest)) for case in cases if case.split == "test"]
    assert mean(scores) < 0.35


def test_the_example_of_the_docs() -> None:
    answer = (
        "Diagnosis: left hip fracture\nProcedure: right hip hemiarthroplasty\n"
        "Medications: Enoxaparin 40mg OD; ramipril 2.5 mg daily\nAllergies: none\nDisposition: home\n"
        "Follow-up: fracture clinic in 6 weeks"
    )
    assert fact_f1(facts(STAY), TASK.facts(answer)) == pytest.approx(10 / 15)
