"""The baseline of texts: the answer of the nearest training case, whatever stands in the held-out answers."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from preceptor.data import Splits
from preceptor.study import load_study
from preceptor.study.answers import nearest
from preceptor.study.answers.nearest import nearest_answers
from preceptor.study.cases import Prepared, read_task
from preceptor.tasks import Example, load_task


@pytest.fixture(scope="module")
def summaries() -> Prepared:
    study, base = load_study("quickstart")
    (entry,) = study.tasks
    cases = read_task(entry.model_copy(update={"data": entry.data.model_copy(update={"spike": None})}), study, base)
    return Prepared(entry, cases.task, cases.splits, [], [], [], [])


def test_a_case_that_is_known_is_given_its_own_answer(summaries: Prepared) -> None:
    splits = summaries.splits
    same = replace(summaries, splits=Splits(splits.train, splits.validation, splits.train))
    assert nearest_answers(same) == [one.target for one in splits.train]


def test_answers_are_those_of_training_cases_and_held_out_answers_change_nothing(summaries: Prepared) -> None:
    found = nearest_answers(summaries)
    assert set(found) <= {one.target for one in summaries.splits.train}
    assert len(set(found)) > 10
    blind = [replace(one, target="") for one in summaries.splits.test]
    hidden = replace(summaries, splits=Splits(summaries.splits.train, summaries.splits.validation, blind))
    assert nearest_answers(hidden) == found


def test_it_gives_what_the_archive_taught(summaries: Prepared) -> None:
    def with_archive(change: Callable[[Example], Example]) -> list[str]:
        train = [change(one) for one in summaries.splits.train]
        return nearest_answers(replace(summaries, splits=replace(summaries.splits, train=train)))

    assert set(with_archive(lambda one: replace(one, archive="copied"))) == {"copied"}


def test_labels_have_tfidf() -> None:
    assert nearest.unsupported_reason(load_task("triage_provider")) == "it gives texts only; tfidf gives labels"
    assert nearest.unsupported_reason(load_task("summarization")) is None
