from dataclasses import replace

import pytest

from preceptor.evidence import Comparison, Judgement, metric_title, number, p_text, sentence

GAIN = Comparison(
    delta=0.312, low=0.2, high=0.41, low_90=0.22, high_90=0.4, p=0.0001, test="arms swapped within patients",
    interval="expanded percentile, patients resampled", n=100, patients=100, effective_patients=100, differing=50,
    smallest_class=20, variance=0.3, seed_deltas=(0.312,),
)  # fmt: skip
SMALL = replace(GAIN, delta=-0.004, low=-0.05, high=0.06, low_90=-0.04, high_90=0.05, p=0.7, n=240)
BETTER, UNSETTLED = Judgement("better"), Judgement("inconclusive")


def test_better_names_gain_interval_p_and_patients() -> None:
    said = sentence(
        GAIN, BETTER, task="triage_urgency", metric="macro_f1", a="SFT", b="the base model", p_adjusted=0.0005
    )
    assert said == (
        "SFT is better than the base model on triage_urgency: +0.31 macro-F1 [0.20, 0.41], "
        "adjusted p < .001, n = 100 patients."
    )


def test_inconclusive_names_price_and_cases() -> None:
    said = sentence(
        SMALL, UNSETTLED, task="t", metric="accuracy", a="SFT+DPO", b="SFT", p_adjusted=1.0, price_ratio=2.13
    )
    assert said == (
        "SFT+DPO cannot be told apart from SFT on t: 0.00 accuracy [\N{MINUS SIGN}0.05, 0.06], adjusted p > .999, "
        "n = 240 cases of 100 patients, 2.1 times the training compute."
    )


def test_each_verdict_makes_its_own_claim() -> None:
    def said(comparison: Comparison, judgement: Judgement, p_adjusted: float = 0.5) -> str:
        return (
            sentence(comparison, judgement, task="t", metric="macro_f1", a="SFT+DPO", b="SFT", p_adjusted=p_adjusted)
            .split(": +")[0]
            .split(": 0")[0]
        )

    assert said(GAIN, Judgement("worse")) == "SFT+DPO is worse than SFT on t"
    assert said(SMALL, Judgement("equivalent")) == "SFT+DPO and SFT differ by less than matters on t"
    little = Judgement("better", less_than_matters=True)
    assert said(GAIN, little) == "SFT+DPO is better than SFT on t, but by less than matters"
    at_odds = "SFT+DPO cannot be told apart from SFT on t, interval and adjusted test disagree"
    assert said(GAIN, UNSETTLED) == at_odds
    few = Judgement("inconclusive", descriptive="12 patients, and at least 20 are needed")
    assert said(GAIN, few) == "SFT+DPO cannot be judged against SFT on t (12 patients, and at least 20 are needed)"


def test_no_interval_is_left_out() -> None:
    bare = replace(GAIN, low=None, high=None, patients=1, n=2)
    said = sentence(bare, UNSETTLED, task="t", metric="fact_f1", a="SFT", b="the base model", p_adjusted=1.0)
    assert "+0.31 fact-F1, adjusted" in said


@pytest.mark.parametrize(
    ("p", "text"), [(0.0004, "p < .001"), (0.0321, "p = .032"), (0.05, "p = .050"), (1.0, "p > .999")]
)
def test_p_text(p: float, text: str) -> None:
    assert p_text(p) == text


@pytest.mark.parametrize(
    ("value", "threshold", "shown"),
    [
        (0.02, 0.05, "0.02"),
        (0.0461, 0.05, "0.046"),
        (0.0499, 0.05, "0.0499"),
        (0.0514, 0.05, "0.051"),
        (-0.0999, -0.1, "\N{MINUS SIGN}0.0999"),
        (-0.1004, -0.1, "\N{MINUS SIGN}0.1004"),
        (0.0339, 0.034, "0.03"),
        (0.034, 0.034, "0.034"),
        (0.05, 0.05, "0.05"),
        (0.5, 0.05, "0.50"),
    ],
)
def test_a_number_is_never_rounded_to_a_threshold_nor_across_it(value: float, threshold: float, shown: str) -> None:
    assert number(value, beside=threshold) == shown


def test_numbers_and_titles() -> None:
    assert (number(-0.004), number(-0.126), number(0.5, signed=True)) == ("0.00", "\N{MINUS SIGN}0.13", "+0.50")
    assert (metric_title("rouge_l"), metric_title("accuracy")) == ("ROUGE-L", "accuracy")
