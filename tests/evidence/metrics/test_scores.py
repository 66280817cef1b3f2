"""ROUGE-L and fact-F1 of one text, and the mean of scores."""

import unicodedata

import numpy as np
import pytest

from preceptor.evidence import Sample, compare, find_metric, judge, value_of
from preceptor.evidence.metrics import fact_f1 as facts
from preceptor.evidence.metrics import rouge_l as words
from preceptor.evidence.metrics import unwanted_phrase

rouge_l, fact_f1, unwanted = words.score, facts.score, unwanted_phrase.score


def test_mean_score() -> None:
    for name in ("mean_score", "fact_f1", "rouge_l"):
        assert value_of(find_metric(name), Sample(np.arange(2), scores=np.array([0.25, 0.75]))) == 0.5


def test_a_metric_of_scores_refuses_labels() -> None:
    with pytest.raises(ValueError, match="needs scores"):
        value_of(find_metric("mean_score"), Sample(np.arange(1), np.zeros(1, int), np.zeros(1, int)))


def test_rouge_l_by_hand() -> None:
    # Lin (2004), section 3.1: the longest common subsequence is "police the gunman", 3 of 4 words on both sides.
    assert rouge_l("police killed the gunman", "police kill the gunman") == pytest.approx(3 / 4)
    assert rouge_l("police killed the gunman", "the gunman kill police") == pytest.approx(2 / 4)


def test_rouge_l_sees_letters_outside_ascii() -> None:
    assert rouge_l("Übelkeit", "Ödem") == 0.0
    assert rouge_l("Übelkeit", "übelkeit") == 1.0


def test_rouge_l_of_an_empty_answer_is_zero() -> None:
    assert rouge_l("one two", "") == 0.0


def test_an_unwanted_phrase_is_found_whatever_its_capitals_and_spaces() -> None:
    phrases = ("blood test in 1 week",)
    assert unwanted("", "Follow-up: clinic; Blood  test\nin 1 week", phrases) == 1
    assert unwanted("", "Follow-up: clinic; blood test in 2 weeks", phrases) == 0
    assert unwanted("", "", phrases) == 0
    assert unwanted("", "See Übung.", ("x", "ÜBUNG")) == 1
    assert unwanted("", unicodedata.normalize("NFD", "See Übung."), ("ÜBUNG",)) == 1


def test_less_of_an_unwanted_phrase_is_better() -> None:
    metric, patients = find_metric("unwanted_phrase"), np.arange(80)
    often, seldom = (Sample(patients, scores=np.repeat([1.0, 0.0], [n, 80 - n])) for n in (60, 5))
    assert value_of(metric, often) == 0.75
    found = compare(metric, [seldom], [often])
    assert judge(found, found.p, better=metric.better).verdict == "better"


def test_fact_f1_by_hand() -> None:
    gold = frozenset({"drug=apixaban", "dose=5 mg", "side=left"})
    # Two of three facts present, one of three invented: precision 2/3, recall 2/3.
    assert fact_f1(gold, frozenset({"drug=apixaban", "dose=5 mg", "side=right"})) == pytest.approx(2 / 3)
    assert fact_f1(gold, frozenset()) == 0.0
    assert fact_f1(frozenset(), frozenset({"drug=apixaban"})) == 0.0
    assert fact_f1(frozenset(), frozenset()) == 1.0
