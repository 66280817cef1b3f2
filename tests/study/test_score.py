"""What a metric's name stands for is found before anything is trained, and no other name stands for one."""

import re
from pathlib import Path
from typing import Any

import pytest

from preceptor.errors import InputError
from preceptor.evidence import find_metric, metric_names
from preceptor.study.results.cells import sample
from preceptor.study.score import case_score, metric_problems
from preceptor.tasks import Example, SecondaryMetric, Task, load_task
from prepared_study import prepare_tiny

OF_LABELS = [name for name in metric_names() if find_metric(name).fits in ("labels", "label_scores")]
WANTED = f"Choose of {', '.join(name for name in OF_LABELS if name != 'sensitivity')}"


def named(task: Task, **changes: Any) -> list[tuple[str, str, str]]:
    """The problems of a task with other metrics: key, what, fix."""
    changed = Task.model_validate(task.model_dump() | changes)
    return [(one.where, one.what, one.fix) for one in metric_problems(changed, str)]


def test_a_metric_that_nobody_knows_is_no_mean_of_right_and_wrong(tmp_path: Path, tiny_tokenizer: Any) -> None:
    _, prepared = prepare_tiny(tmp_path, tiny_tokenizer)
    for text in ("urgent", "cannot be read as any label"):
        for name in ("auc", "mean score"):
            with pytest.raises(ValueError, match=f"metric '{name}'"):
                case_score(prepared.task, text, prepared.splits.test[0], name)


def test_a_study_refuses_it_before_training_and_says_what_fits(tmp_path: Path, tiny_tokenizer: Any) -> None:
    with pytest.raises(InputError) as refused:
        prepare_tiny(tmp_path, tiny_tokenizer, task={"metric": "auc", "also": ["rouge_l", "sensitivity"]})
    unknown, unfit, without = refused.value.problems
    assert re.search(r"urgency\.task\.yaml, line \d+, metric$", unknown.where)
    assert (unknown.what, unknown.fix) == ("there is no metric 'auc'", WANTED)
    assert re.search(r"urgency\.task\.yaml, line \d+, also\.0$", unfit.where)
    assert (unfit.what, unfit.fix) == (
        "'rouge_l' does not fit this answer, it needs answer.kind: text",
        f"Choose of {', '.join(OF_LABELS)}",
    )
    assert (without.what, without.fix) == ("'sensitivity' needs its positive labels", "Write them under also: labels")


def test_what_fits_goes_by_the_answer() -> None:
    labels, text, facts = load_task("triage_urgency"), load_task("as_given"), load_task("summarization")
    assert named(labels) == named(text) == named(facts) == []
    assert named(labels, metric="sensitivity")[0][1] == "'sensitivity' needs its positive labels"
    assert named(text, metric="fact_f1") == [
        ("metric", "'fact_f1' does not fit this answer, it needs answer.parser: elements", "Choose of rouge_l")
    ]
    assert named(facts, metric="accuracy")[0][2] == "Choose of fact_f1, rouge_l"
    assert named(labels, metric="mean_score")[0][0] == "metric", "an answer gives no such score"


def test_a_metric_named_twice_would_count_the_first_phrases_only() -> None:
    also = [{"metric": "unwanted_phrase", "labels": [phrase]} for phrase in ("x", "y")]
    assert named(load_task("as_given"), also=also) == [
        ("also", "'unwanted_phrase' is named more than once", "Name it once, with all its labels or phrases together")
    ]


def test_a_metric_of_phrases_needs_them_and_gets_those_of_the_task() -> None:
    text = load_task("as_given")
    assert named(text, also=[{"metric": "unwanted_phrase"}])[0][1] == "'unwanted_phrase' needs its phrases"
    assert named(text, also=[{"metric": "unwanted_phrase", "labels": [" "]}])[0][1].endswith("needs its phrases")
    assert named(text, metric="unwanted_phrase")[0][0] == "metric"
    also = (SecondaryMetric(metric="unwanted_phrase", labels=("blood test",)),)
    task, example = text.model_copy(update={"secondary_metrics": also}), Example("1", "P", {}, "None.")
    scores = [case_score(task, said, example, "unwanted_phrase") for said in ("Blood test.", "None.", "")]
    assert scores == [1, 0, 0]


def test_every_metric_that_a_task_may_name_scores_a_case(tmp_path: Path, tiny_tokenizer: Any) -> None:
    _, prepared = prepare_tiny(tmp_path, tiny_tokenizer)
    example = prepared.splits.test[0]
    for name in metric_names():
        if name in OF_LABELS:
            assert case_score(prepared.task, example.target, example, name) == 1
        else:
            assert case_score(load_task("summarization"), "", example, name) in (0, 1)


def test_a_sample_knows_the_positive_labels_of_its_metric(tmp_path: Path, tiny_tokenizer: Any) -> None:
    extra = {"metric": "sensitivity", "labels": ["urgent"]}
    _, prepared = prepare_tiny(tmp_path, tiny_tokenizer, task={"also": ["accuracy", extra]})
    texts = ["urgent"] * len(prepared.splits.test)
    positive = prepared.task.labels.index("urgent")
    assert sample(prepared, texts, "sensitivity").positives == (positive,)
    assert sample(prepared, texts, prepared.task.metric).positives == ()
