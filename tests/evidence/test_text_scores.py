import pytest

from preceptor.evidence import fact_f1, rouge_l


def test_rouge_l_by_hand() -> None:
    # Lin (2004), section 3.1: the longest common subsequence is "police the gunman", 3 of 4 words on both sides.
    assert rouge_l("police killed the gunman", "police kill the gunman") == pytest.approx(3 / 4)
    assert rouge_l("police killed the gunman", "the gunman kill police") == pytest.approx(2 / 4)


def test_rouge_l_sees_letters_outside_ascii() -> None:
    assert rouge_l("Übelkeit", "Ödem") == 0.0
    assert rouge_l("Übelkeit", "übelkeit") == 1.0


def test_rouge_l_of_an_empty_answer_is_zero() -> None:
    assert rouge_l("one two", "") == 0.0


def test_fact_f1_by_hand() -> None:
    gold = frozenset({"drug=apixaban", "dose=5 mg", "side=left"})
    # Two of three facts present, one of three invented: precision 2/3, recall 2/3.
    assert fact_f1(gold, frozenset({"drug=apixaban", "dose=5 mg", "side=right"})) == pytest.approx(2 / 3)
    assert fact_f1(gold, frozenset()) == 0.0
    assert fact_f1(frozenset(), frozenset({"drug=apixaban"})) == 0.0
    assert fact_f1(frozenset(), frozenset()) == 1.0
