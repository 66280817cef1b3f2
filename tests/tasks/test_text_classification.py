"""The urinary infection rule on hand-checked cases, and what the built-in cases promise."""

import random
import re
from collections import Counter
from dataclasses import replace
from statistics import mean

import pytest

from preceptor.tasks import Example, load_task, make_cases
from preceptor.tasks.cases._suti import CULTURE, SYMPTOM, WINDOW, Catheter, Facts, Organism, criteria_missed, suti_met
from preceptor.tasks.cases._suti_draw import NEAR_MISSES
from preceptor.tasks.cases._suti_wording import FAMILIES
from preceptor.tasks.cases.text_classification import draw, draw_facts, pattern

E_COLI = Organism("E. coli", 100_000)
CANDIDA = Organism("Candida albicans", 1_000_000, bacterium=False)
DYSURIA = Facts(50, "female", 37.0, None, frozenset({"dysuria"}), frozenset(), (E_COLI,))
FEVER_1A = Facts(80, "male", 38.1, Catheter(3), frozenset(), frozenset(), (E_COLI,))
FEVER_1B = replace(FEVER_1A, age=65, catheter=None)

MET = {
    "dysuria without a catheter": DYSURIA,
    "fever at 80 on catheter day 3": FEVER_1A,
    "fever at 80, catheter removed yesterday": replace(FEVER_1A, catheter=Catheter(3, 1)),
    "fever at 65 without a catheter": FEVER_1B,
    "fever at 65 on catheter day 2": replace(FEVER_1B, catheter=Catheter(2)),
    "dysuria the day after removal": replace(DYSURIA, catheter=Catheter(5, 1)),
    "flank tenderness while catheterised": replace(
        DYSURIA, catheter=Catheter(5), present=frozenset({"flank tenderness"})
    ),
    "two species": replace(DYSURIA, organisms=(E_COLI, Organism("Proteus mirabilis", 10_000))),
    "yeast beside a bacterium": replace(DYSURIA, organisms=(CANDIDA, E_COLI)),
    "culture three days later": replace(DYSURIA, culture_after=3),
    "culture three days earlier": replace(DYSURIA, culture_after=-3),
}
MISSED = {
    "exactly 38.0": (replace(FEVER_1A, temperature=38.0), SYMPTOM),
    "three organisms": (replace(DYSURIA, organisms=(E_COLI,) * 3), CULTURE),
    "yeast alone": (replace(DYSURIA, organisms=(CANDIDA,)), CULTURE),
    "yeast counts, bacterium too few": (replace(DYSURIA, organisms=(CANDIDA, Organism("E. coli", 90_000))), CULTURE),
    "99,999 CFU/mL": (replace(DYSURIA, organisms=(Organism("E. coli", 99_999),)), CULTURE),
    "fever at 80 on catheter day 2": (replace(FEVER_1A, catheter=Catheter(2)), SYMPTOM),
    "fever at 80, catheter out two days": (replace(FEVER_1A, catheter=Catheter(9, 2)), SYMPTOM),
    "dysuria while catheterised": (replace(DYSURIA, catheter=Catheter(5)), SYMPTOM),
    "dysuria on catheter day 1": (replace(DYSURIA, catheter=Catheter(1)), SYMPTOM),
    "fever alone at 66": (replace(FEVER_1B, age=66), SYMPTOM),
    "dysuria denied": (replace(DYSURIA, present=frozenset(), denied=frozenset({"dysuria"})), SYMPTOM),
    "culture four days later": (replace(DYSURIA, culture_after=4), WINDOW),
    "culture four days earlier": (replace(DYSURIA, culture_after=-4), WINDOW),
}


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return make_cases("text_classification", 3000, seed=0)


@pytest.fixture(scope="module")
def drawn() -> list[tuple[Facts, str | None]]:
    rng = random.Random(7)
    return [draw_facts(rng, side) for side in ("train", "test") for _ in range(1000)]


@pytest.mark.parametrize("facts", MET.values(), ids=list(MET))
def test_definition_met(facts: Facts) -> None:
    assert suti_met(facts)


@pytest.mark.parametrize(("facts", "criterion"), MISSED.values(), ids=list(MISSED))
def test_definition_missed_by_one_criterion(facts: Facts, criterion: str) -> None:
    assert not suti_met(facts)
    assert criteria_missed(facts) == {criterion}


@pytest.mark.parametrize("name", NEAR_MISSES)
def test_every_near_miss_misses_one_criterion(name: str) -> None:
    rng = random.Random(name)
    assert all(len(criteria_missed(NEAR_MISSES[name](rng))) == 1 for _ in range(300))


def test_most_negatives_are_near_misses_and_every_kind_is_on_both_sides() -> None:
    rng = random.Random(3)
    for side in ("train", "test"):
        negatives = [near for facts, near in (draw_facts(rng, side) for _ in range(800)) if not suti_met(facts)]
        kinds = Counter(near for near in negatives if near)
        assert kinds.total() >= 0.5 * len(negatives)
        assert set(kinds) == set(NEAR_MISSES)


def test_near_miss_is_never_named_on_a_case_that_meets_the_definition(drawn: list[tuple[Facts, str | None]]) -> None:
    assert not any(near for facts, near in drawn if suti_met(facts))


def test_target_is_what_the_rule_says_of_the_same_facts() -> None:
    for seed in range(500):
        facts, _ = draw_facts(random.Random(seed), "train")
        case = draw(random.Random(seed), "train")
        assert case.target == ("met" if suti_met(facts) else "not met")
        assert case.pattern == pattern(facts)


def test_text_tells_the_numbers_the_rule_needs() -> None:
    for seed in range(300):
        facts, _ = draw_facts(random.Random(seed), "test")
        note = draw(random.Random(seed), "test").fields["note"]
        assert str(facts.age) in note
        assert f"{facts.temperature:.1f}" in note
        assert all(organism.name.split()[0] in note for organism in facts.organisms)
        assert facts.catheter is None or re.search(rf"\b{facts.catheter.days}\b", note)


def test_cases_are_distinct_and_reproducible(examples: list[Example]) -> None:
    assert len({example.fields["note"] for example in examples}) == 3000
    assert make_cases("text_classification", 200, seed=4) == make_cases("text_classification", 200, seed=4)
    assert make_cases("text_classification", 50, seed=4) != make_cases("text_classification", 50, seed=5)


def test_the_answer_is_never_a_word_of_the_case(examples: list[Example]) -> None:
    assert not any(re.search(r"\bmet\b", example.fields["note"], re.IGNORECASE) for example in examples)


def test_labels_are_balanced_and_length_tells_nothing(examples: list[Example]) -> None:
    words = {label: [] for label in load_task("text_classification").labels}
    for example in examples:
        words[example.target].append(len(re.findall(r"\w+|[^\w\s]", example.fields["note"])))
    assert 0.45 < len(words["met"]) / len(examples) < 0.55
    assert abs(mean(words["met"]) / mean(words["not met"]) - 1) < 0.1


def test_patterns_and_wordings_are_of_one_side() -> None:
    rng = random.Random(11)
    seen = {side: [draw(rng, side) for _ in range(600)] for side in ("train", "test")}
    for what in ("pattern", "wording"):
        train, test = ({getattr(case, what) for case in seen[side]} for side in ("train", "test"))
        assert train
        assert test
        assert not train & test
    assert {case.wording for side in seen.values() for case in side} == {family.name for family in FAMILIES}


def test_task_file_reads_its_own_answers(examples: list[Example]) -> None:
    task = load_task("text_classification")
    assert all(task.parse(example.target) == example.target for example in examples[:50])
    assert task.messages(examples[0])[1]["content"].startswith(examples[0].fields["note"])
