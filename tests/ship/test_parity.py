"""The pure comparison, and the short check of a model in this process."""

import io
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from preceptor.models import load_policy
from preceptor.ship import Cause, Parity, answers_of, compare, short_check
from preceptor.ship._cause import Evidence
from preceptor.ship._in_process import replies_as_measured
from preceptor.ship._measured_model import MeasuredModel
from preceptor.ship._other_arms import discriminating_first, evenly_spaced
from preceptor.ship._parity import Answers
from preceptor.ship._replayed import Replayed, scores_gap
from preceptor.study import ArmOfRun, held_out, open_arm
from preceptor.tasks import Example, load_task

INFECTION = load_task("text_classification")
LABEL = "not met"


def asked(measured: str, served: str) -> Replayed:
    return Replayed("c", measured, served, 10, 10)


def test_answers_count_as_the_task_reads_them_and_unreadable_ones_word_for_word() -> None:
    cases = [asked(LABEL, f"{LABEL}."), asked("what?", "what?"), asked("what?", "who?"), asked(LABEL, "what?")]
    parity = compare(INFECTION, cases)
    assert (parity.total, parity.same, parity.same_texts) == (4, 2, 1)
    assert [(one.measured, one.served, one.case.diverges_at) for one in parity.differences] == [
        (LABEL, LABEL, len(LABEL)),
        ("INVALID", "INVALID", 2),
        (LABEL, "INVALID", 0),
    ]
    assert str(parity) == "2 of 4 answers are those of the study, 1 word for word"
    assert "what?" not in repr(parity)


@pytest.mark.parametrize(
    ("kind", "passes_at_1", "passes_below"),
    [
        (None, True, True),
        ("dtype", True, True),
        ("stop token", True, True),
        ("weights", False, True),
        ("template", False, True),
        ("adapter", False, False),
        ("merge", False, False),
        ("arm", False, False),
    ],
)
def test_another_model_fails_though_it_answers_alike(kind: str | None, passes_at_1: bool, passes_below: bool) -> None:
    parity = Parity(10, 10, (), Cause(kind, "", "") if kind else None, 10)  # type: ignore[arg-type]
    assert (parity.passes(), parity.passes(0.9)) == (passes_at_1, passes_below)
    few = Parity(10, 8, (), parity.cause, 8)
    assert not few.passes(0.9)
    assert few.passes(0)


def test_log_probabilities_that_differ_are_a_difference() -> None:
    parity = compare(INFECTION, [asked(LABEL, LABEL)], Evidence(gap=0.7))
    assert (parity.same, parity.passes()) == (1, False)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(), unique=True), st.integers(1, 9))
def test_some_cases_are_taken_evenly(cases: list[int], count: int) -> None:
    taken = evenly_spaced(sorted(cases), count)
    assert len(taken) == min(count, len(cases)) == len(set(taken))
    assert taken == sorted(taken)


@pytest.fixture
def arm(shipped_run: Path) -> ArmOfRun:
    return open_arm(shipped_run, "urgency", "sft")


def test_cases_on_which_arms_differ_come_first(arm: ArmOfRun) -> None:
    count = len(arm.predictions)
    assert discriminating_first(arm, count, count) == list(range(count))
    assert len(discriminating_first(arm, count, 5)) == 5


def test_the_arm_itself_passes_and_another_does_not(arm: ArmOfRun) -> None:
    heard = Console(file=io.StringIO())
    room = arm.task.answer.max_new_tokens
    for folder, kind in ((arm.folder, None), (None, "adapter")):
        policy = load_policy(arm.source, folder, dtype=arm.numerics.torch_dtype)
        told = short_check(arm, answers_of(policy, room), heard)
        texts = short_check(arm, partial(_texts, answers_of(policy, room)), heard)
        for parity in (told, texts):
            assert parity is not None
            assert parity.total == 20
            assert (parity.cause.kind if parity.cause else None) == kind
            assert parity.passes() == (kind is None)
    assert told is not None
    assert told.gap is not None
    assert str(told).endswith("so its own answers were not compared")


def test_scored_labels_are_compared_with_their_probabilities(arm: ArmOfRun) -> None:
    """float32: of the same weights they agree to far more than what is let pass."""
    heard = Console(file=io.StringIO())
    assert arm.numerics.dtype == "float32"
    for folder, kind in ((arm.folder, None), (None, "adapter")):
        policy = load_policy(arm.source, folder, dtype=arm.numerics.torch_dtype)
        parity = short_check(arm, replies_as_measured(arm, policy), heard)
        assert parity is not None
        assert (parity.how, parity.cause.kind if parity.cause else None) == ("scored labels", kind)
        assert parity.passes() == (kind is None)
        assert parity.gap is not None
        assert (parity.gap < 1e-3) == (kind is None)
        assert (parity.same == parity.total == 20) == (kind is None)


def test_labels_that_are_alike_with_other_probabilities_are_a_difference() -> None:
    labels = {LABEL: 0.7, "met": 0.3}
    cases = [
        Replayed("c", LABEL, LABEL, 10, 10, None, labels, {LABEL: share, "met": 1 - share})
        for share in (0.7, 0.68, 0.9)
    ]
    parity = compare(INFECTION, cases, how="scored labels")
    assert (parity.same, parity.same_texts) == (2, 3)
    assert [one.case.probability_gap for one in parity.differences] == [pytest.approx(0.2)]
    assert not parity.passes()


@given(st.lists(st.floats(0, 1), min_size=2, max_size=4), st.lists(st.floats(0, 1), min_size=2, max_size=4))
def test_the_gap_of_probabilities_is_one_of_logarithms(one: list[float], other: list[float]) -> None:
    a, b = (dict(zip("abcd", shares, strict=False)) for shares in (one, other))
    assert scores_gap(a, a) == 0
    assert 0 <= scores_gap(a, b) < 100
    assert scores_gap({"a": 0.5, "b": 0.5}, {"a": 0.5 * math.e**-0.1, "b": 0.5}) == pytest.approx(0.05)


def _texts(answer: Answers, examples: Sequence[Example], prompts: Sequence[list[int]]) -> list[str]:
    return [one if isinstance(one, str) else one.text for one in answer(examples, prompts)]


def test_log_probabilities_are_those_the_engine_gives(arm: ArmOfRun) -> None:
    policy = load_policy(arm.source, arm.folder, dtype=arm.numerics.torch_dtype)
    prompts = held_out(arm).test[:6]
    replies = answers_of(policy, arm.task.answer.max_new_tokens)([], prompts)
    cases = [Replayed("c", one.text, one.text, 1, 1, one.logprobs) for one in replies]
    model = MeasuredModel(arm)
    gap = model.gap(prompts, cases)
    assert gap is not None
    assert gap < 1e-4
    with model.at_strength({"default": 2.0}):
        twice = model.gap(prompts, cases)
        assert twice is not None
        assert twice > 1e-3
    assert model.gap(prompts, cases) == gap


def test_without_the_cases_it_says_that_nothing_was_checked(arm: ArmOfRun, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Path(arm.study.tasks[0].data.path or "")
    file = arm.root.parent / "own" / table.name
    aside = file.rename(file.with_suffix(".away"))
    heard = io.StringIO()
    try:
        assert short_check(arm, lambda *_: pytest.fail("asked"), Console(file=heard, width=500)) is None
    finally:
        aside.rename(file)
    assert "Not checked against the study" in heard.getvalue()
    assert "cases.csv" in heard.getvalue()
