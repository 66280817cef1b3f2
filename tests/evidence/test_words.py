from dataclasses import replace

import pytest

from preceptor.evidence import Comparison, arm_title, metric_title, number, p_text, sentence

GAIN = Comparison(0.312, 0.2, 0.41, 0.22, 0.4, 0.0001, "arms swapped within patients", 100, 100)
SMALL = Comparison(-0.004, -0.05, 0.06, -0.04, 0.05, 0.7, "exact McNemar", 240, 100)


def test_better_names_gain_interval_p_and_patients() -> None:
    said = sentence(GAIN, "better", task="triage_urgency", metric="macro_f1", a="sft", b="base", p_adjusted=0.0005)
    assert said == (
        "SFT is worth it on triage_urgency: +0.31 macro-F1 [0.20, 0.41] over the base model, "
        "adjusted p < .001, n = 100 patients."
    )


def test_inconclusive_names_the_added_stage_its_price_and_the_cases() -> None:
    said = sentence(
        SMALL, "inconclusive", task="t", metric="accuracy", a="sft+dpo", b="sft", p_adjusted=1.0, price_ratio=2.13
    )
    assert said == (
        "DPO cannot be told apart from SFT on t: 0.00 accuracy [\N{MINUS SIGN}0.05, 0.06], adjusted p > .999, "
        "n = 240 cases of 100 patients, 2.1 times the training compute."
    )


def test_each_verdict_makes_its_own_claim() -> None:
    def said(comparison: Comparison, verdict, p_adjusted: float = 0.5) -> str:
        return sentence(
            comparison, verdict, task="t", metric="macro_f1", a="sft+dpo", b="sft", p_adjusted=p_adjusted
        ).split(":")[0]

    assert said(GAIN, "worse") == "DPO does harm on t"
    assert said(SMALL, "equivalent") == "SFT is enough on t"
    assert said(GAIN, "inconclusive") == "DPO cannot be told apart from SFT on t, interval and adjusted test disagree"
    few = replace(GAIN, n=12, patients=12)
    assert said(few, "inconclusive") == "DPO cannot be judged against SFT on t, at least 20 patients are needed"


def test_an_arm_that_is_no_continuation_keeps_its_whole_name() -> None:
    said = sentence(GAIN, "better", task="t", metric="macro_f1", a="sft+dpo", b="base", p_adjusted=0.01)
    assert said.startswith("SFT+DPO is worth it on t")


def test_no_interval_is_left_out() -> None:
    bare = replace(GAIN, low=None, high=None, patients=1, n=2)
    said = sentence(bare, "inconclusive", task="t", metric="fact_f1", a="sft", b="base", p_adjusted=1.0)
    assert "+0.31 fact-F1, adjusted" in said


@pytest.mark.parametrize(
    ("p", "text"), [(0.0004, "p < .001"), (0.0321, "p = .032"), (0.05, "p = .050"), (1.0, "p > .999")]
)
def test_p_text(p: float, text: str) -> None:
    assert p_text(p) == text


def test_numbers_and_titles() -> None:
    assert (number(-0.004), number(-0.126), number(0.5, signed=True)) == ("0.00", "\N{MINUS SIGN}0.13", "+0.50")
    assert (metric_title("rouge_l"), metric_title("accuracy")) == ("ROUGE-L", "accuracy")
    assert (arm_title("base"), arm_title("sft+dpo")) == ("the base model", "SFT+DPO")
