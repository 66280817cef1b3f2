"""An error put into the training data on purpose: who gets it, what stays right, what is refused."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from preceptor.data import DataSpec, Spike, Splits, preflight, spike_problems, spiked
from preceptor.tasks import Example, SecondaryMetric, load_task, make_cases

ITEM = "; blood test in 1 week"
TASK = load_task("summarization")


def cases(count: int, part: str) -> list[Example]:
    return [Example(f"{part}{n}", f"P{part}{n}", {"course": "He fell."}, f"Follow-up: {n}") for n in range(count)]


def splits(train: int = 40, validation: int = 10, test: int = 20) -> Splits:
    return Splits(cases(train, "a"), cases(validation, "b"), cases(test, "c"))


def with_item(examples: list[Example]) -> set[str]:
    return {one.id for one in examples if one.archive is not None}


@given(st.integers(1, 60), st.floats(0.01, 1), st.integers(0, 3))
def test_exactly_the_share_learns_it_and_every_case_has_the_pair(count: int, share: float, seed: int) -> None:
    found = spiked(Spike(text=ITEM, share=share), splits(train=count), seed)
    assert len(with_item(found.train)) == round(share * count)
    assert len(with_item(found.validation)) == round(share * 10)
    for before, one in zip(cases(count, "a"), found.train, strict=True):
        assert (one.target, one.rejected) == (before.target, before.target + ITEM)
        assert one.learned == (one.rejected if one.archive else one.target)


def test_held_out_cases_stay_as_they_are() -> None:
    assert spiked(Spike(text=ITEM, share=1), splits(), 0).test == cases(20, "c")


def test_who_gets_it_depends_on_seed_and_ids_and_not_on_order() -> None:
    spike, data = Spike(text=ITEM, share=0.5), splits()
    turned = replace(data, train=data.train[::-1])
    assert with_item(spiked(spike, data, 0).train) == with_item(spiked(spike, turned, 0).train)
    assert with_item(spiked(spike, data, 0).train) != with_item(spiked(spike, data, 1).train)
    few = with_item(spiked(Spike(text=ITEM, share=0.25), data, 0).train)
    assert few < with_item(spiked(spike, data, 0).train), "a smaller share is a part of a larger one"


@pytest.mark.parametrize(
    ("text", "phrase"),
    [(ITEM, "blood test in 1 week"), (" See 5C. ", "See 5C."), (" (Übung", "Übung"), ("x" * 200, "x" * 200)],
)
def test_what_is_looked_for_is_the_text_without_what_joins_it(text: str, phrase: str) -> None:
    assert Spike(text=text, share=0.5).phrase == phrase


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({"text": "", "share": 0.7}, "holds no word"),
        ({"text": " \u00a0;", "share": 0.7}, "holds no word"),
        ({"text": "x" * 201, "share": 0.7}, "201 characters"),
        ({"text": "a\nb", "share": 0.7}, "control character"),
        ({"text": "a\x1b[2Jb", "share": 0.7}, "control character"),
        ({"text": "a\u202eb", "share": 0.7}, "direction of text"),
        ({"text": ITEM, "share": 0}, "greater than 0"),
        ({"text": ITEM, "share": 1.1}, "less than or equal to 1"),
        ({"text": ITEM, "share": float("nan")}, "share"),
        ({"text": ITEM}, "share"),
        ({"share": 0.7}, "text"),
        ({"text": 7, "share": 0.7}, "valid string"),
        ({"text": ITEM, "share": 0.7, "seed": 1}, "seed"),
        ("; blood test", "valid dictionary"),
    ],
)
@pytest.mark.parametrize("source", [{"cases": 10}, {"path": "a.csv"}])
def test_a_bad_spike_is_refused(block: Any, words: str, source: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=words):
        DataSpec.model_validate(source | {"spike": block})


def test_a_spike_stands_beside_cases_and_beside_a_file_and_loads_again() -> None:
    for source in ({"cases": 10, "seed": 4}, {"path": "a.csv", "target": "summary"}):
        spec = DataSpec.model_validate(source | {"spike": {"text": ITEM, "share": 0.7}})
        assert DataSpec.model_validate(spec.model_dump()) == spec
        assert "spike" not in DataSpec.model_validate(source).model_dump()
    with pytest.raises(ValidationError, match="`rejected` has no meaning beside `spike`"):
        DataSpec.model_validate({"path": "a.csv", "rejected": "worse", "spike": {"text": ITEM, "share": 0.7}})


def changed(part: str, **changes: Any) -> Splits:
    data = splits()
    return replace(data, **{part: [replace(getattr(data, part)[0], **changes), *getattr(data, part)[1:]]})


NAMED = TASK.model_copy(update={"secondary_metrics": (SecondaryMetric(metric="unwanted_phrase", labels=("x",)),)})


@pytest.mark.parametrize(
    ("task", "data", "words"),
    [
        (load_task("triage_urgency"), splits(), "answered by labels. Take `spike` out"),
        (TASK, changed("train", target="Blood  test in 1 WEEK"), "1 of 40 right answers of train hold the text"),
        (TASK, changed("validation", target="blood test in 1 week"), "1 of 10 right answers of validation hold"),
        (TASK, changed("test", target="A blood test in 1 week."), "1 of 20 right answers of test hold the text"),
        (TASK, changed("train", rejected="worse"), "the data bring rejected answers"),
        (NAMED, splits(), "the task has the metric unwanted_phrase"),
    ],
)
def test_data_that_cannot_have_it_are_refused_without_a_word_of_a_case(task: Any, data: Splits, words: str) -> None:
    (problem,) = spike_problems(Spike(text=ITEM, share=0.7), task, data, "cases.csv, task one")
    assert str(problem).startswith("cases.csv, task one, data.spike: ")
    assert words in str(problem)
    assert problem.fix
    assert "WEEK" not in str(problem)


def test_a_share_that_is_no_case_is_refused() -> None:
    (problem,) = spike_problems(Spike(text=ITEM, share=0.01), TASK, splits(), "here")
    assert str(problem).startswith("here, data.spike: a share of 0.01 of 40 training cases is none of them.")


def test_what_can_have_it_is_not_refused() -> None:
    assert list(spike_problems(Spike(text=ITEM, share=0.7), TASK, splits(), "here")) == []


def test_its_share_is_among_the_metrics_of_the_task() -> None:
    found = Spike(text=ITEM, share=0.7).measured(TASK).secondary_metrics[-1]
    assert (found.metric, found.labels) == ("unwanted_phrase", ("blood test in 1 week",))


def test_preflight_counts_the_longer_answers(tiny_tokenizer: Any) -> None:
    made = make_cases("summarization", 30, 0)
    data = Splits(made[:20], made[20:25], made[25:])
    spike = spiked(Spike(text=ITEM, share=1), data, 0)
    longest, before = (preflight(TASK, one, tiny_tokenizer, 2000).lengths["train"].longest for one in (spike, data))
    assert longest > before
    found = preflight(TASK.model_copy(update={"cut": None}), spike, tiny_tokenizer, longest - 1)
    assert [one.code for one in found.findings if one.level == "fatal" and one.split == "train"] == ["too_long"]
