"""A simpler way that beats the study's best language model is the conclusion: at each edge of its conditions."""

from typing import Any

import pytest

from concluded import ARMS, DPO_WINS, SFT_IS_LEFT, TASK, cell, conclude, contrast, replaced
from preceptor.study.results.cell_schema import Cell
from preceptor.study.results.conclusion_schema import Conclusion
from preceptor.study.results.conclusions import conclusions
from preceptor.study.results.contrast_schema import Contrast
from preceptor.study.results.task_schema import TaskPart
from preceptor.study.run.failures import Failure
from preceptor.study.spec.arms import Arm, resolve

BEATEN = contrast("sft+dpo", "tfidf", "worse", -0.18)
VALUES = {"base": 0.1, "sft": 0.25, "sft+dpo": 0.27, "sft+sft": 0.26, "tfidf": 0.45}


def cells(**values: float) -> list[Cell]:
    named = VALUES | {name.replace("_", "+"): value for name, value in values.items()}
    return [cell(arm, value=value, seed=seed) for arm, value in named.items() for seed in range(3)]


def concluded(contrasts: list[Contrast], of: list[Cell] | None = None, **task: Any) -> Conclusion:
    return conclude(contrasts, of or cells(), **task)


@pytest.mark.parametrize("contrasts", [DPO_WINS, SFT_IS_LEFT])
@pytest.mark.parametrize("verdict", ["worse", "inconclusive", "equivalent", "better"])
def test_a_simpler_way_must_be_shown_to_be_better(contrasts: list[Contrast], verdict: str) -> None:
    """Whatever the study says of DPO: that it is worth it, or SFT enough, is no use where TF-IDF does better."""
    found = concluded([*contrasts, contrast("sft+dpo", "tfidf", verdict, -0.18 if verdict == "worse" else 0.18)])
    assert (found.conclusion == "simpler_is_better") == (verdict == "worse")
    assert ("simpler and better" in found.sentence) == (verdict == "worse")


def test_its_sentence_claims_no_more_than_its_contrast_and_answers_the_question_in_numbers() -> None:
    found = concluded([*DPO_WINS, BEATEN])
    assert found.recommendation == "do not deploy"
    assert found.reason == "a simpler way does better: take that, or train until the model beats it"
    assert found.sentence == (
        "On triage, TF-IDF is simpler and better than SFT+DPO, which did best of the models asked about: "
        "\N{MINUS SIGN}0.18 macro-F1 [\N{MINUS SIGN}0.32, \N{MINUS SIGN}0.04] for SFT+DPO against TF-IDF; "
        "+0.16 macro-F1 [0.03, 0.29] for SFT+DPO over SFT; "
        "this speaks of the models trained here with 1 seed, not of the method."
    )


def test_it_must_be_better_than_the_best_and_not_than_another() -> None:
    of_sft = contrast("sft", "tfidf", "worse", -0.18)
    assert concluded([*DPO_WINS, of_sft]).conclusion == "dpo_worth_it", "SFT+DPO did better than SFT"
    assert concluded([*SFT_IS_LEFT, of_sft], cells(sft=0.28)).conclusion == "simpler_is_better"
    assert concluded([*SFT_IS_LEFT, of_sft], cells(sft=0.2699)).conclusion == "sft_enough"


def test_an_untouched_model_that_does_best_must_be_beaten_too() -> None:
    assert concluded([*DPO_WINS, BEATEN], cells(base=0.28)).conclusion != "simpler_is_better"
    untouched = contrast("base", "tfidf", "worse", -0.17)
    found = concluded([*DPO_WINS, BEATEN, untouched], cells(base=0.28))
    assert found.conclusion == "simpler_is_better"
    assert "better than the base model, which did best" in found.sentence


def test_whichever_arm_the_study_put_first() -> None:
    turned = contrast("tfidf", "sft+dpo", "better", 0.18)
    assert concluded([*SFT_IS_LEFT, turned]).conclusion == "simpler_is_better"


def test_the_majority_answer_is_a_simpler_way() -> None:
    found = concluded([*replaced(SFT_IS_LEFT), contrast("sft+dpo", "majority", "worse", -0.2), BEATEN])
    assert "TF-IDF and the majority answer are simpler and better" in found.sentence


def test_a_served_model_is_no_simpler_way() -> None:
    assert concluded([*SFT_IS_LEFT, contrast("sft+dpo", "endpoint", "worse", -0.2)]).conclusion == "sft_enough"


def test_where_less_is_better_the_best_is_the_lowest() -> None:
    worse = contrast("sft", "tfidf", "worse", 0.18, metric="brier")
    found = concluded([*SFT_IS_LEFT, worse], cells(base=0.9), metric="brier")
    assert found.conclusion == "simpler_is_better"
    assert "better than SFT, which did best" in found.sentence


@pytest.mark.parametrize(
    ("over_dpo", "over_sft", "sft", "conclusion"),
    [
        ("worse", "better", 0.25, "simpler_is_better"),
        ("worse", "inconclusive", 0.25, "simpler_is_better"),
        ("inconclusive", "better", 0.25, "sft_not_settled"),
        ("worse", "better", 0.28, "simpler_is_better"),
        ("worse", "inconclusive", 0.28, "sft_enough"),
        ("inconclusive", "better", 0.28, "sft_not_settled"),
    ],
)
def test_more_sft_is_simpler_where_it_beats_dpo_and_whatever_did_best(
    over_dpo: str, over_sft: str, sft: float, conclusion: str
) -> None:
    contrasts = [
        *SFT_IS_LEFT, contrast("sft+dpo", "sft+sft", over_dpo, -0.1), contrast("sft+sft", "sft", over_sft, 0.1),
    ]  # fmt: skip
    found = concluded(contrasts, cells(sft=sft))
    assert found.conclusion == conclusion
    assert ("SFT+SFT is simpler and better" in found.sentence) == (conclusion == "simpler_is_better")
    assert ("SFT had not settled" in found.sentence) == (over_sft == "better")


def test_harm_is_named_beside_it() -> None:
    harm = replaced(SFT_IS_LEFT, contrast("sft+dpo", "sft", "worse", -0.2))
    found = concluded([*harm, contrast("sft", "tfidf", "worse", -0.18)], cells(sft=0.3))
    assert found.conclusion == "simpler_is_better"
    assert "DPO does harm, \N{MINUS SIGN}0.20 macro-F1" in found.sentence


def test_a_classifier_beside_models_that_write_is_a_simpler_way() -> None:
    arms = resolve(("base", "sft", "sft+dpo", Arm(name="classifier", stages=("classify",), against=("sft+dpo",))), {})
    of = [one for one in cells() if one.arm != "sft+sft" and one.arm != "tfidf"] + [cell("classifier", value=0.6)]
    for verdict in ("better", "inconclusive"):
        found = [*SFT_IS_LEFT, contrast("classifier", "sft+dpo", verdict, 0.3)]
        (one,) = conclusions(found, of, [TaskPart(**TASK)], arms)
        assert (one.conclusion == "simpler_is_better") == (verdict == "better")


def test_a_study_of_a_classifier_is_not_told_that_classifiers_are_simpler() -> None:
    arms = resolve((Arm(name="classifier", stages=("classify",)), Arm(name="deep", stages=("clm", "classify"))), {})
    of = [cell("classifier", value=0.6), cell("deep", value=0.5)]
    (one,) = conclusions([contrast("deep", "classifier", "worse", -0.1)], of, [TaskPart(**TASK)], arms)
    assert one.conclusion != "simpler_is_better"


def test_a_study_of_one_stage_hears_it_too() -> None:
    alone = [contrast("sft", "base", "better", 0.3), contrast("sft", "tfidf", "worse", -0.2)]
    of = [one for one in cells() if one.arm in ("base", "sft", "tfidf")]
    found = concluded(alone, of)
    assert found.conclusion == "simpler_is_better"
    assert "+0.30 macro-F1" in found.sentence


def test_what_failed_or_is_only_described_says_nothing() -> None:
    few = contrast("sft+dpo", "sft", "inconclusive", descriptive="12 patients")
    assert concluded([*replaced(SFT_IS_LEFT, few), BEATEN]).conclusion == "descriptive"
    lost = Failure(task="triage", model="tiny", arm="tfidf", seed=0, stage="answers", reason="why", fix="Mend it.")
    of = [one for one in cells() if one.arm != "tfidf"]
    (found,) = conclusions(SFT_IS_LEFT, of, [TaskPart(**TASK)], ARMS, [lost])
    assert found.conclusion != "simpler_is_better"
