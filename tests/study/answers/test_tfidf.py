"""The baseline without a language model: it learns from training cases, and validation cases choose."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from preceptor.study.answers import tfidf
from preceptor.study.answers.tfidf import case_text, learn, learn_numbers, learn_words, tfidf_answerer
from preceptor.study.score import labels_merit
from preceptor.tasks import load_task
from prepared_study import prepare_tiny

TRIAGE = load_task("triage_provider")


def test_labels_are_said_so_that_they_are_read(tmp_path: Path, tiny_tokenizer: Any) -> None:
    _, prepared = prepare_tiny(tmp_path, tiny_tokenizer)
    answer = prepared.task.answer.model_copy(update={"parser": "final_answer"})
    task = prepared.task.model_copy(update={"answer": answer})
    told: dict[int, str] = {}
    always = {"urgent": 0.7, "routine": 0.3}
    answerer = tfidf_answerer(
        lambda texts: (["urgent"] * len(texts), [always] * len(texts)), replace(prepared, task=task)
    )
    answerer(frozenset(), lambda texts, **_: told.update(texts))
    assert {task.parse(text) for text in told.values()} == {"urgent"}


def test_words_and_word_pairs_are_learnt() -> None:
    texts = ["chest pain at rest", "ear wax", "severe chest pain", "itchy rash and ear wax"] * 4
    labels = ["urgent", "routine"] * 8
    predict = learn_words(texts, labels)
    labels, scores = predict(["chest pain", "ear wax again"])
    assert labels == ["urgent", "routine"] == [max(one, key=lambda label: one[label]) for one in scores]
    assert [sum(one.values()) for one in scores] == pytest.approx([1, 1])


def test_numbers_with_one_digit_and_decimals_are_words() -> None:
    texts = [f"potassium {value}" for value in ("4.2", "7.1")] * 10 + [f"stage {n}" for n in (1, 3)] * 10
    labels = ["routine", "urgent"] * 20
    assert learn_words(texts, labels)(["potassium 7.1", "stage 1"])[0] == ["urgent", "routine"]


def test_boosted_trees_find_a_threshold_that_words_cannot() -> None:
    texts = [f"potassium {3 + n / 20:.2f}" for n in range(80)]
    labels = ["urgent" if n > 45 else "routine" for n in range(80)]
    asked, gold = [f"potassium {3.011 + n / 20:.3f}" for n in range(80)], labels
    numbers, words = learn_numbers(texts, labels)(asked), learn_words(texts, labels)(asked)
    assert labels_merit(TRIAGE, gold, *numbers) > 0.95 > labels_merit(TRIAGE, gold, *words)
    assert learn_numbers(texts, labels)(["no number at all"])[0][0] in ("urgent", "routine")


def test_validation_cases_choose_and_test_cases_do_not(tmp_path: Path, tiny_tokenizer: Any, monkeypatch: Any) -> None:
    _, one = prepare_tiny(tmp_path, tiny_tokenizer)
    looked_at: list[str] = []
    text_of = case_text

    def watched(task: Any, case: Any) -> str:
        looked_at.append(case.id)
        return text_of(task, case)

    monkeypatch.setattr(tfidf, "case_text", watched)
    predict = learn(one)
    assert not {case.id for case in one.splits.test} & set(looked_at)
    assert {case.id for case in one.splits.validation} <= set(looked_at)
    kept: dict[int, str] = {}

    def keep(texts: dict[int, str], label_ties: int = 0, scores: Any = None) -> None:
        kept.update(texts)
        given.update(scores)

    given: dict[int, Any] = {}
    tfidf_answerer(predict, one)(frozenset({0}), keep)
    assert sorted(kept) == sorted(given) == list(range(1, len(one.test)))
    assert all(set(each) == set(one.task.labels) for each in given.values())
    assert sum(kept[i] == one.splits.test[i].target for i in kept) > 0.9 * len(kept)


def test_the_strength_that_validation_likes_best_is_taken(
    tmp_path: Path, tiny_tokenizer: Any, monkeypatch: Any
) -> None:
    _, one = prepare_tiny(tmp_path, tiny_tokenizer)
    good = [case.target for case in one.splits.validation]

    def words(texts: object, labels: object, strength: float) -> Any:
        return lambda asked: (good[: len(asked)] if strength == 10.0 else ["routine"] * len(asked), [{}] * len(asked))

    monkeypatch.setattr(tfidf, "learn_words", words)
    monkeypatch.setattr(tfidf, "learn_numbers", lambda *_: lambda asked: (["routine"] * len(asked), [{}] * len(asked)))
    assert learn(one)([""] * len(good))[0] == good


def test_what_is_learnt_from_is_what_a_model_is_asked(tmp_path: Path, tiny_tokenizer: Any) -> None:
    _, one = prepare_tiny(tmp_path, tiny_tokenizer)
    case = one.splits.train[0]
    assert case_text(one.task, case) == case.fields["note"]
