"""What is wrong with pairs is found; what cannot be learned from is dropped and counted."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preceptor.preferences import Pair, PairReport, filter_pairs
from preceptor.tasks import Example, Task
from preceptor.tasks._task import Answer

TASK = Task(
    name="toy",
    title="Toy",
    question="How urgent?",
    source="none",
    fields={"note": "a note"},
    instruction="Answer.",
    prompt="{note}",
    answer=Answer(kind="text", parser="text", max_new_tokens=8),
    metric="rouge_l",
)


def exact(text: str, example: Example) -> float:
    return float(text.strip(".").lower() == example.target.strip(".").lower())


def case(name: str, target: str = "right", note: str | None = None) -> Example:
    return Example(name, name, {"note": note or name}, target)


def found(*pairs: Pair, examples: Sequence[Example] = ()) -> tuple[list[Pair], PairReport]:
    return filter_pairs(pairs, examples or [case(pair.example_id) for pair in pairs], TASK, exact)


def test_identical_answers_and_rejected_ones_that_are_right_are_dropped_and_counted() -> None:
    good = Pair("a", "right", "wrong", "votes")
    kept, findings = found(good, Pair("b", "so", "so", "votes"), Pair("c", "wrong", "Right.", "judge"))
    assert kept == [good]
    assert (findings.pairs, findings.identical, findings.rejected_right) == (1, 1, 1)
    assert findings.makers == {"votes": 1}


@pytest.mark.parametrize(
    ("chosen", "rejected", "alike"),
    [
        ("No fever.", "no  fever", True),
        ("Fever, cough", "fever cough", True),
        ("take 5 mg", "take 50 mg", False),
        ("take 0.5 mg", "take 5 mg", False),
        ("take .5 mg", "take 5 mg", False),
        ("left leg", "right leg", False),
        ("Hb < 8", "Hb > 8", False),
    ],
)
def test_answers_that_differ_in_dress_alone_are_near_identical(chosen: str, rejected: str, alike: bool) -> None:
    kept, findings = found(Pair("a", chosen, rejected, "published"))
    assert len(kept) == 1
    assert findings.near_identical == alike


def test_pairs_of_one_prompt_that_say_the_reverse_contradict() -> None:
    one, two, three = case("a", note="same"), case("b", "wrong", note="same"), case("c", note="another")
    pairs = [Pair("a", "x", "y", "votes"), Pair("b", "Y", "x.", "votes"), Pair("c", "y", "x", "votes")]
    assert found(*pairs, examples=[one, two, three])[1].contradicting == 2
    assert found(*pairs[::2], examples=[one, two, three])[1].contradicting == 0


def test_length_is_told_of_pairs_that_differ_in_it() -> None:
    longer, shorter, same = ("aaa", "b"), ("c", "ddd"), ("e", "f")
    pairs = [Pair(str(n), *two, "judge") for n, two in enumerate([longer, longer, shorter, same])]
    assert found(*pairs)[1].longer_chosen == pytest.approx(2 / 3)
    assert found(Pair("a", *same, "judge"))[1].longer_chosen is None


@given(st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4), st.sampled_from(["judge", "votes"]))))
def test_every_pair_is_kept_or_counted(answers: list[tuple[str, str, str]]) -> None:
    pairs = [Pair(str(n), *one) for n, one in enumerate(answers)]
    kept, findings = found(*pairs)
    assert len(kept) == findings.pairs == sum(findings.makers.values())
    assert findings.pairs + findings.identical + findings.rejected_right == len(pairs)
    assert max(findings.near_identical, findings.contradicting) <= findings.pairs
    assert "text" not in repr(findings)
