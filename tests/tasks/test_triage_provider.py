import random
import re
from collections import Counter, defaultdict
from dataclasses import replace
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preceptor.tasks import Example, load_task, make_cases
from preceptor.tasks.cases import _triage_provider_wording as say
from preceptor.tasks.cases._provider import PHARMACY_FIRST, RED_FLAGS, SUSPECTED_CANCER, Facts, Sex, provider
from preceptor.tasks.cases._triage_provider_patterns import (
    EMERGENCIES,
    Pattern,
    all_patterns,
    answer,
    by_provider,
    signs_of,
)
from preceptor.tasks.cases._triage_provider_problems import PROBLEMS
from preceptor.tasks.cases._triage_provider_signs import SIGNS
from preceptor.tasks.cases._wording import Side, on_side
from preceptor.tasks.cases.triage_provider import draw, draw_facts, tell

TASK = "triage_provider"
PHARMACIST, NURSE, GP = "pharmacist", "nurse", "general practitioner"
CANCER, EMERGENCY = "urgent cancer referral", "emergency"


def who(problem: str, age: int, *signs: str, sex: Sex = "F", pregnant: bool = False) -> str:
    return provider(Facts(problem, age, sex, pregnant, frozenset(signs)))


# Worked out by hand from the gateways of the Pharmacy First pathways.
@pytest.mark.parametrize(
    ("problem", "youngest", "oldest"),
    [
        ("cystitis", 16, 64),
        ("sinusitis", 12, None),
        ("sore throat", 5, None),
        ("earache", 1, 17),
        ("infected bite", 1, None),
        ("impetigo", 1, None),
        ("shingles", 18, None),
    ],
)
def test_gateway_ages(problem: str, youngest: int, oldest: int | None) -> None:
    assert who(problem, youngest) == PHARMACIST
    assert who(problem, youngest - 1) == GP
    assert who(problem, oldest or 90) == PHARMACIST
    assert oldest is None or who(problem, oldest + 1) == GP


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        (GP, who("cystitis", 30, sex="M")),
        (GP, who("cystitis", 30, pregnant=True)),
        (GP, who("cystitis", 30, "third urine infection this year")),
        (GP, who("cystitis", 30, "catheter")),
        (GP, who("cystitis", 30, "kidney pain")),
        (EMERGENCY, who("cystitis", 30, "new confusion")),
        (GP, who("shingles", 30, pregnant=True)),
        (PHARMACIST, who("shingles", 30, sex="M")),
        (PHARMACIST, who("sore throat", 16, pregnant=True)),
        (GP, who("sore throat", 15, pregnant=True)),
        (GP, who("sinusitis", 40, "over twelve weeks")),
        (GP, who("sinusitis", 40, "weak immune system")),
        (GP, who("earache", 8, "fourth ear infection this year")),
        (GP, who("impetigo", 8, "large blisters")),
        (EMERGENCY, who("sore throat", 8, "drooling")),
        (EMERGENCY, who("infected bite", 30, "tongue swelling")),
    ],
)
def test_exclusions_of_the_pathways(expected: str, found: str) -> None:
    assert found == expected


# Worked out by hand from the recommendations of NG12.
@pytest.mark.parametrize(
    ("problem", "age"),
    [
        ("blood in urine", 45),
        ("breast lump", 30),
        ("nipple change", 50),
        ("coughing blood", 40),
        ("jaundice", 40),
        ("bleeding after menopause", 55),
    ],
)
def test_referral_ages(problem: str, age: int) -> None:
    assert who(problem, age) == CANCER
    assert who(problem, age - 1) == GP


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        (GP, who("blood in urine", 60, "infection found")),
        (CANCER, who("blood in urine", 60, sex="M")),
        (CANCER, who("trouble swallowing", 35)),
        (EMERGENCY, who("trouble swallowing", 35, "drooling")),
        (CANCER, who("heartburn", 55, "weight loss")),
        (GP, who("heartburn", 54, "weight loss")),
        (GP, who("heartburn", 55)),
        (EMERGENCY, who("coughing blood", 60, "cupfuls of blood")),
        (CANCER, who("mole", 30, "mole grows", "mole itches")),
        (GP, who("mole", 30, "mole grows")),
        (GP, who("mole", 30, "mole wide", "mole oozes")),
        (CANCER, who("mole", 30, "mole wide", "mole oozes", "mole inflamed")),
        (NURSE, who("smear", 30)),
        (GP, who("smear", 30, "bleeding after sex")),
        (NURSE, who("dressing change", 70)),
        (GP, who("dressing change", 70, "wound hot and oozing")),
        (NURSE, who("asthma review", 40)),
        (EMERGENCY, who("asthma review", 40, "fighting for breath")),
        (GP, who("chest ache", 60)),
        (EMERGENCY, who("chest ache", 60, "crushing and sweating")),
        (GP, who("low mood", 30)),
    ],
)
def test_other_rules_by_hand(expected: str, found: str) -> None:
    assert found == expected


@given(
    st.sampled_from(sorted(PROBLEMS)),
    st.integers(0, 95),
    st.sampled_from(["F", "M"]),
    st.sampled_from(sorted(RED_FLAGS)),
)
def test_a_red_flag_is_always_an_emergency(problem: str, age: int, sex: Sex, flag: str) -> None:
    assert who(problem, age, flag, sex=sex) == EMERGENCY


@given(st.sampled_from(sorted(SUSPECTED_CANCER)), st.integers(0, 94))
def test_growing_older_never_ends_a_suspicion(problem: str, age: int) -> None:
    signs = ("weight loss", "mole grows", "mole uneven")
    assert not (who(problem, age, *signs) == CANCER and who(problem, age + 1, *signs) != CANCER)


@pytest.mark.parametrize("pattern", all_patterns(), ids=lambda pattern: pattern.name)
def test_all_patients_of_a_pattern_have_one_answer(pattern: Pattern) -> None:
    rng = random.Random(0)
    for age in {*pattern.ages, *(draw_facts(pattern, rng).age for _ in range(10))}:
        for sex in pattern.sexes:
            assert provider(Facts(pattern.problem, age, sex, pattern.pregnant, pattern.signs)) == answer(pattern)


def one_criterion_away(facts: Facts) -> list[Facts]:
    """The facts with one changed: age, sex, pregnancy, or one sign; a red flag only where the problem has its own."""
    flags = set(EMERGENCIES.get(facts.problem, ())) if facts.problem not in PHARMACY_FIRST else set()
    add = [sign for sign in signs_of(facts.problem) if sign in flags or sign not in RED_FLAGS]
    return [
        *(replace(facts, age=age) for age in range(90)),
        replace(facts, sex="M" if facts.sex == "F" else "F"),
        replace(facts, pregnant=not facts.pregnant),
        *(replace(facts, signs=facts.signs - {sign}) for sign in facts.signs),
        *(replace(facts, signs=facts.signs | {sign}) for sign in add),
    ]


def test_at_least_half_of_those_for_the_general_practitioner_miss_another_answer_by_one_criterion() -> None:
    for side in ("train", "test"):
        rng = random.Random(0)
        patterns = on_side(by_provider()[GP], side)  # type: ignore[arg-type]
        near = [p for p in patterns if any(provider(one) != GP for one in one_criterion_away(draw_facts(p, rng)))]
        assert len(near) > len(patterns) / 2


def test_the_required_near_misses_are_patterns() -> None:
    answers = {pattern.name: answer(pattern) for pattern in all_patterns()}
    ages = {pattern.name: pattern.ages for pattern in all_patterns()}
    assert (answers["cystitis/oldest age"], ages["cystitis/oldest age"]) == (PHARMACIST, (64, 64))
    assert (answers["cystitis/a year too old"], ages["cystitis/a year too old"]) == (GP, (65, 65))
    assert answers["cystitis/man"] == answers["cystitis/pregnant"] == GP
    assert (answers["blood in urine/at the age"], ages["blood in urine/at the age"]) == (CANCER, (45, 45))
    under = "blood in urine/a year under the age"
    assert (answers[under], ages[under]) == (GP, (44, 44))


def test_every_problem_is_met_in_training_with_each_common_answer() -> None:
    train = {(p.problem, to) for to, patterns in by_provider().items() for p in on_side(patterns, "train")}
    for to, patterns in by_provider().items():
        counts = Counter(pattern.problem for pattern in patterns)
        assert all((problem, to) in train for problem, count in counts.items() if count > 1)
    assert {problem for problem, _ in train} == set(PROBLEMS)


def test_every_problem_and_sign_can_be_said() -> None:
    assert {pattern.problem for pattern in all_patterns()} == set(PROBLEMS)
    assert {sign for pattern in all_patterns() for sign in pattern.signs} <= set(SIGNS)
    assert {sign for problem in PROBLEMS for sign in signs_of(problem)} <= set(SIGNS)


@pytest.fixture(scope="module")
def cases() -> list[Example]:
    return make_cases(TASK, 3000, 0)


def test_three_thousand_distinct_cases_of_the_task(cases: list[Example]) -> None:
    task = load_task(TASK)
    assert len({case.fields["message"].casefold() for case in cases}) == 3000
    assert {case.target for case in cases} == set(task.labels)
    assert task.messages(cases[0])[-1]["content"] == cases[0].fields["message"]


def test_the_same_seed_gives_the_same_cases() -> None:
    assert make_cases(TASK, 60, 7) == make_cases(TASK, 60, 7)
    assert make_cases(TASK, 60, 7) != make_cases(TASK, 60, 8)


def test_every_answer_has_its_share(cases: list[Example]) -> None:
    for split in ("train", "validation", "test"):
        answers = Counter(case.target for case in cases if case.split == split)
        assert min(answers.values()) >= 0.14 * answers.total()
        assert len(answers) == 5


@pytest.mark.parametrize("side", ["train", "test"])
def test_the_target_is_what_the_rule_says(side: Side) -> None:
    rng = random.Random(0)
    for pattern in all_patterns():
        facts = draw_facts(pattern, rng)
        assert tell(pattern, facts, rng, side).target == provider(facts)


def test_patterns_and_wording_families_are_of_one_side() -> None:
    rng = random.Random(0)
    drawn = {side: [draw(rng, side) for _ in range(1500)] for side in ("train", "test")}  # type: ignore[arg-type]
    for what in ("pattern", "wording"):
        train, test = ({getattr(case, what) for case in drawn[side]} for side in ("train", "test"))
        assert train.isdisjoint(test)


def test_banks_share_no_phrase() -> None:
    for said in PROBLEMS.values():
        assert set(said.train).isdisjoint(said.test)
    for sign in SIGNS.values():
        assert {sign.train, sign.denied_train}.isdisjoint((sign.test, sign.denied_test))
    for name in ("TONE", "BACKGROUND", "LAYOUTS", "PREGNANT", "NOT_PREGNANT", "SELF", "ANOTHER"):
        bank = getattr(say, name)
        assert set(bank["train"]).isdisjoint(bank["test"])


def test_the_message_never_holds_an_answer(cases: list[Example]) -> None:
    words = r"pharmac|nurs|practi[ct]|doctor|\bGP\b|urgent|cancer|refer|emergenc|ambulance|999|A&E"
    for case in cases:
        assert not re.search(words, case.fields["message"], re.IGNORECASE)


def test_age_and_sex_can_be_read(cases: list[Example]) -> None:
    for case in cases:
        assert re.search(
            r"\b(woman|man|female|male|daughter|son|wife|husband|sister|brother)\b", case.fields["message"], re.I
        )
        assert re.search(r"\d", case.fields["message"])


def test_length_does_not_tell_the_answer(cases: list[Example]) -> None:
    lengths = defaultdict(list)
    for case in cases:
        lengths[case.target].append(len(case.fields["message"]))
    means = [mean(values) for values in lengths.values()]
    assert max(means) < 1.1 * min(means)


def test_tone_does_not_tell_the_answer(cases: list[Example]) -> None:
    toned: dict[str, Counter[str]] = defaultdict(Counter)
    for case in (case for case in cases if case.split == "train"):
        toned[case.target].update(tone for tone in say.TONE["train"] if tone[:6] in case.fields["message"])
    for tone in say.TONE["train"]:
        shares = [counts[tone] / counts.total() for counts in toned.values()]
        assert max(shares) - min(shares) < 0.1


def test_messages_are_compact(cases: list[Example]) -> None:
    # A piece is a word, a digit or a mark, close to what the embedded model's tokenizer makes of plain words.
    pieces = [len(re.findall(r"\d|[A-Za-z']+|[^\w\s]", case.fields["message"])) for case in cases]
    assert min(pieces) >= 20
    assert max(pieces) <= 90
