"""Near misses change exactly one fact, and only a fact."""

import random
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from preceptor.preferences.makers._one_fact import NearMiss, change_one_fact
from preceptor.tasks import load_task, make_cases

SUMMARY = """Diagnosis: left hip fracture
Procedure: left hip hemiarthroplasty
Medications: apixaban 2.5 mg twice daily; bisoprolol 5 mg once daily
Stopped: ramipril
Allergies: none known
Follow-up: fracture clinic in 6 weeks"""

REASONING = """No haemoptysis and no signs of deep vein thrombosis.
She is not pregnant and takes no anticoagulant.
D-dimer 620 ng/mL is below 1000 ng/mL.
Answer: exclude"""

FRAGMENTS = [
    *["left", "right", "no fever", "Not pregnant", "denies pain", "40 mg", "0.05", "2.", "B12", "warfarin", "Aspirin"],
    *[
        "none known",
        "120/80",
        "5-10",
        "left the ward",
        "is well",
        "Answer: 3",
        "\n",
        "\u017fad",
        "é",
        "twice daily",
        ";",
    ],
]
pieces = st.sampled_from(FRAGMENTS)
clinical_text = st.lists(st.one_of(pieces, st.text(max_size=5)), max_size=12).map(" ".join)


def near_miss(text: str, rng: random.Random) -> str | None:
    changed = change_one_fact(text, rng)
    return changed.text if changed else None


def tokens(text: str) -> list[str]:
    return re.findall(r"\w+(?:\.\d+)?|[^\w\s]", text)


def changed_span(gold: str, wrong: str) -> tuple[list[str], list[str]]:
    """What is left of both texts without the tokens they share at the beginning and at the end."""
    a, b = tokens(gold), tokens(wrong)
    while a and b and a[0] == b[0]:
        a, b = a[1:], b[1:]
    while a and b and a[-1] == b[-1]:
        a, b = a[:-1], b[:-1]
    return a, b


@given(clinical_text, st.integers(0, 2**32))
def test_one_short_span_differs_and_a_seed_decides_which(text: str, seed: int) -> None:
    wrong = near_miss(text, random.Random(seed))
    assume(wrong is not None)
    assert wrong is not None
    assert wrong != text
    assert wrong == near_miss(text, random.Random(seed))
    before, after = changed_span(text, wrong)
    # At most four words ("no known drug allergies") give way to at most three ("co-amoxiclav").
    assert len(before) <= 4
    assert len(after) <= 3


@given(clinical_text, st.integers(0, 2**32))
def test_what_follows_the_answer_marker_stays(text: str, seed: int) -> None:
    tail = "\nAnswer: no 5 mg of left warfarin"
    wrong = near_miss(text + tail, random.Random(seed))
    assert wrong is None or wrong.endswith(tail)


@pytest.mark.parametrize("seed", range(40))
def test_a_summary_keeps_its_lines_and_loses_one(seed: int) -> None:
    wrong = near_miss(SUMMARY, random.Random(seed))
    assert wrong is not None
    differing = [gold for gold, other in zip(SUMMARY.splitlines(), wrong.splitlines(), strict=True) if gold != other]
    assert len(differing) == 1


def test_a_built_in_summary_loses_exactly_one_fact() -> None:
    task = load_task("summarization")
    for seed, case in enumerate(make_cases("summarization", 200, seed=3)):
        wrong = near_miss(case.target, random.Random(seed))
        assert wrong is not None
        assert len(task.facts(case.target) - task.facts(wrong)) == 1
        assert len(task.facts(wrong) - task.facts(case.target)) <= 1


def test_every_kind_of_fact_is_changed_sometimes() -> None:
    kinds = {change.kind for seed in range(60) if (change := change_one_fact(SUMMARY, random.Random(seed)))}
    assert kinds == {"number", "side", "negation", "drug"}


@pytest.mark.parametrize(
    ("gold", "wrong", "kind"),
    [
        ("furosemid 40mg", {"furosemid 80mg", "furosemid 20mg", "furosemid 60mg"}, "number"),
        ("review in 6 weeks", {"review in 5 weeks", "review in 7 weeks"}, "number"),
        ("creatinine 1.4", {"creatinine 2.8", "creatinine 0.7", "creatinine 2.4"}, "number"),
        ("taken twice daily", {"taken once daily"}, "number"),
        ("Left-sided effusion", {"Right-sided effusion"}, "side"),
        ("No fever", {"Fever"}, "negation"),
        ("Rule applies: yes", {"Rule applies: no"}, "negation"),
        ("She is not pregnant", {"She is pregnant"}, "negation"),
        ("The wound is clean", {"The wound is not clean"}, "negation"),
        ("denies chest pain", {"reports chest pain"}, "negation"),
        ("clopidogrel stopped", {"aspirin stopped", "ticagrelor stopped", "prasugrel stopped"}, "drug"),
    ],
)
def test_what_each_kind_looks_like(gold: str, wrong: set[str], kind: str) -> None:
    changes = [change_one_fact(gold, random.Random(seed)) for seed in range(40)]
    assert {change.text for change in changes if change} == wrong
    assert {change.kind for change in changes if change} == {kind}


@pytest.mark.parametrize(
    "text",
    [
        "", "Feeling better.", "He left the ward", "all right", "vitamin B12", "BP 120/80", "seen 12:30", "5-10",
        "2024-01-02", "1,000", "1. Rest. 2.  Eat", "not only rest", "no longer tired", "Answer: 3",
        "reasoning\nAnswer: no",
    ],
)  # fmt: skip
def test_nothing_to_change_gives_none(text: str) -> None:
    assert all(near_miss(text, random.Random(seed)) is None for seed in range(10))


def test_reasoning_changes_before_its_answer() -> None:
    for seed in range(40):
        wrong = near_miss(REASONING, random.Random(seed))
        assert wrong is not None
        assert wrong != REASONING
        assert wrong.endswith("\nAnswer: exclude")


def test_the_text_stays_out_of_the_repr() -> None:
    assert "Smith" not in repr(NearMiss("Smith, left knee", "side"))
