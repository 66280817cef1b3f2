"""What a patient's visits and the drugs' frequencies give without any model."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from preceptor.data import Splits
from preceptor.engine import Numerics
from preceptor.models import ModelSource
from preceptor.study import load_study
from preceptor.study.answers import copy_last, frequency
from preceptor.study.cases import Prepared, read_task
from preceptor.study.label_sets import set_sample
from preceptor.study.predictions.answer_context import AnswerContext
from preceptor.tasks import Example, load_task


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory, tiny_source: ModelSource) -> AnswerContext:
    file = tmp_path_factory.mktemp("visits") / "study.yaml"
    file.write_text("{name: visits, arms: [copy_last], tasks: [{task: medication, data: {cases: 400, seed: 3}}]}")
    study, base = load_study(str(file))
    cases = read_task(study.tasks[0], study, base)
    prepared = Prepared(cases.entry, cases.task, cases.splits, [], [], [], [])
    return AnswerContext(study, None, prepared, tiny_source, Numerics(dtype="float32", threads=1), 0, None, "")


def answers(way: Any, context: AnswerContext) -> tuple[dict[int, str], dict[str, Any]]:
    texts: dict[int, str] = {}
    answering = way.answer(context)
    answering.answerer(frozenset(), lambda given, **_: texts.update(given))
    return texts, dict(answering.note)


def changed(context: AnswerContext, **parts: list[Example]) -> AnswerContext:
    return replace(context, task=replace(context.task, splits=replace(context.task.splits, **parts)))


def test_a_first_visit_is_given_nothing_and_a_later_one_what_the_visit_before_had(context: AnswerContext) -> None:
    texts, _ = answers(copy_last, context)
    for number, case in enumerate(context.task.splits.test):
        lines = case.fields["visits"].splitlines()
        before = lines[-2].partition("M: ")[2] if len(lines) > 1 else ""
        assert texts[number] == (before or "none")
    assert {"none"} < set(texts.values())


def test_what_is_copied_is_read_as_sets_and_is_no_stranger_to_the_task(context: AnswerContext) -> None:
    texts, _ = answers(copy_last, context)
    cases = context.task.splits.test
    sample = set_sample(context.task.task, np.arange(len(cases)), [one.target for one in cases], [*texts.values()])
    assert sample.invalid_rate == 0
    assert sample.unknown is not None
    assert not sample.unknown.any()


def test_held_out_answers_change_nothing(context: AnswerContext) -> None:
    blind = changed(context, test=[replace(one, target="none") for one in context.task.splits.test])
    for way in (copy_last, frequency):
        assert answers(way, blind) == answers(way, context)
        assert way.key(blind) == way.key(context)


def test_trap_9_frequent_labels_are_given_by_the_threshold_that_validation_cases_choose(context: AnswerContext) -> None:
    texts, note = answers(frequency, context)
    splits = context.task.splits
    shares = {
        label: sum(label in one.target.split("; ") for one in splits.train) / len(splits.train)
        for label in context.task.task.set_labels
    }
    frequent = [label for label, share in shares.items() if share >= note["threshold"]]
    assert set(texts.values()) == {"; ".join(frequent)}
    assert frequent
    other = changed(context, validation=[replace(one, target="none") for one in splits.validation])
    assert answers(frequency, other)[0][0] == "none"


def test_trap_11_a_label_that_training_never_shows_is_never_frequent(context: AnswerContext) -> None:
    train = [replace(one, target="aspirin") for one in context.task.splits.train]
    parts = Splits(train, context.task.splits.validation, context.task.splits.test)
    only = replace(context, task=replace(context.task, splits=parts))
    assert set(answers(frequency, only)[0].values()) <= {"aspirin", "none"}


@pytest.mark.parametrize("name", ["triage_provider", "summarization"])
def test_other_answers_than_sets_are_refused(name: str) -> None:
    for way in (copy_last, frequency):
        assert "several labels" in str(way.unsupported_reason(load_task(name)))


def test_there_must_be_visits_and_a_word_for_nothing() -> None:
    task = load_task("medication")
    assert copy_last.unsupported_reason(task) is None
    answer = task.answer.model_copy(update={"empty": None})
    assert "answer.empty" in str(copy_last.unsupported_reason(task.model_copy(update={"answer": answer})))
    assert "visits" in str(copy_last.unsupported_reason(task.model_copy(update={"fields": {"note": ""}})))
