"""What may be concluded from the entries of results.json, worked out by hand."""

from typing import Any

import pytest

from concluded import ARMS, DPO_WINS, LABELS, ONE_ANSWER, SFT_IS_LEFT, TASK, cell, conclude, contrast, replaced, without
from preceptor.study.results.conclusion_schema import Conclusion
from preceptor.study.results.conclusions import conclusions
from preceptor.study.results.contrast_schema import Contrast, SeedDelta
from preceptor.study.results.task_schema import TaskPart
from preceptor.study.run.failures import Failure


def test_dpo_is_worth_it_when_it_beats_sft_and_longer_sft() -> None:
    found = conclude(DPO_WINS)
    assert found.conclusion == "dpo_worth_it"
    assert found.recommendation == "pilot silently"
    assert found.sentence == (
        "On triage, DPO is worth it: +0.16 macro-F1 [0.03, 0.29] for SFT+DPO over SFT, where 0.05 would matter; "
        "of 120 cases, 9 more answered rightly; 1.2 times the training compute of SFT; "
        "+0.08 macro-F1 [0.02, 0.14] for SFT+DPO over SFT+SFT; "
        "this speaks of the models trained here with 1 seed, not of the method."
    )


def test_without_longer_sft_a_gain_of_dpo_is_not_called_worth_it() -> None:
    found = conclude(without(DPO_WINS, "sft+sft"))
    assert found.conclusion == "unsettled"
    assert "longer training" in found.sentence
    assert "DPO is worth it" not in found.sentence


def test_longer_sft_that_does_as_well_is_enough() -> None:
    narrow = {"ci": (-0.03, 0.03), "ci_90": (-0.025, 0.025)}
    found = conclude(replaced(DPO_WINS, contrast("sft+dpo", "sft+sft", "equivalent", **narrow)))
    assert found.conclusion == "sft_enough"
    assert "SFT trained on for the same compute is enough" in found.sentence


def test_longer_sft_that_cannot_be_told_apart_needs_more_cases() -> None:
    found = conclude(replaced(DPO_WINS, contrast("sft+dpo", "sft+sft", "inconclusive")))
    assert (found.conclusion, found.recommendation) == ("not_enough_cases", "more cases")
    assert "about 410 patients would be needed, and there are 120" in found.sentence


def test_sft_is_enough_when_dpo_adds_less_than_matters() -> None:
    found = conclude(SFT_IS_LEFT)
    assert (found.conclusion, found.recommendation) == ("sft_enough", "pilot silently")
    assert "+0.30 macro-F1 [0.06, 0.54] for SFT over the base model" in found.sentence


def test_better_by_less_than_matters_leaves_sft() -> None:
    little = contrast("sft+dpo", "sft", "better", 0.02, less_than_matters=True, below_margin=True)
    assert conclude(replaced(DPO_WINS, little)).conclusion == "sft_enough"


@pytest.mark.parametrize("verdict", ["inconclusive", "equivalent", "worse"])
def test_sft_is_not_enough_where_it_does_not_beat_the_base_model(verdict: str) -> None:
    over_base = contrast("sft", "base", verdict, -0.2)
    found = conclude(replaced(SFT_IS_LEFT, over_base))
    assert found.conclusion == "unsettled"
    assert found.recommendation == "do not deploy"


def test_sft_alone_is_enough_in_a_study_without_base() -> None:
    assert conclude([contrast("sft+dpo", "sft", "equivalent")]).conclusion == "sft_enough"


def test_the_base_model_is_enough_when_no_training_adds_what_matters() -> None:
    as_good = [contrast("sft", "base", "equivalent"), contrast("sft+dpo", "base", "equivalent")]
    found = conclude([contrast("sft+dpo", "sft", "equivalent"), *as_good])
    assert found.conclusion == "base_enough"
    shown = [contrast("sft", "base+shots", "worse", -0.1), contrast("sft+dpo", "base+shots", "equivalent")]
    found = conclude([*DPO_WINS, *shown])
    assert found.conclusion == "base_enough"
    assert "the base model with examples is enough" in found.sentence


def test_a_base_model_that_cannot_be_read_is_not_enough_whatever_training_adds() -> None:
    contrasts = [contrast("sft+dpo", "sft", "equivalent")]
    contrasts += [contrast("sft", "base", "equivalent"), contrast("sft+dpo", "base", "equivalent")]
    unread = conclude(contrasts, [cell("base", invalid_rate=0.69), cell("sft"), cell("sft+dpo")])
    assert (unread.conclusion, unread.recommendation) == ("unsettled", "do not deploy")
    assert "69% of the answers of the base model could not be read" in unread.sentence
    same = {"labels": LABELS, "matrix": ONE_ANSWER}
    one = conclude(contrasts, [cell("base", confusion=same), cell("sft"), cell("sft+dpo")])
    assert (one.conclusion, one.recommendation) == ("unsettled", "do not deploy")


def test_arms_that_hardly_differ_are_left_open() -> None:
    same = contrast("sft+dpo", "sft", "inconclusive", delta=0.0, needed=None, differing=3)
    found = conclude(replaced(SFT_IS_LEFT, same))
    assert found.conclusion == "unsettled"
    assert "differ on 3 of 120 patients" in found.sentence


def test_dpo_that_harms_is_called_so() -> None:
    found = conclude(replaced(DPO_WINS, contrast("sft+dpo", "sft", "worse", -0.16)))
    assert (found.conclusion, found.recommendation) == ("dpo_harms", "do not deploy")
    assert "\N{MINUS SIGN}0.16 macro-F1" in found.sentence
    assert "for SFT+DPO against SFT" in found.sentence


def test_not_enough_cases_says_how_many() -> None:
    found = conclude(replaced(SFT_IS_LEFT, contrast("sft+dpo", "sft", "inconclusive")))
    assert (found.conclusion, found.recommendation) == ("not_enough_cases", "more cases")
    assert "not enough cases to tell whether DPO is worth it: about 410 patients" in found.sentence


def test_without_a_margin_nothing_is_called_enough_and_no_number_of_patients_is_named() -> None:
    open_question = contrast("sft+dpo", "sft", "inconclusive", margin=None, needed=None)
    found = conclude(replaced(SFT_IS_LEFT, open_question), margin=None)
    assert found.conclusion == "unsettled"
    assert "no margin was set" in found.sentence


def test_too_few_cases_only_describe() -> None:
    few = contrast("sft+dpo", "sft", "inconclusive", descriptive="12 patients, and at least 20 are needed")
    found = conclude(replaced(DPO_WINS, few))
    assert (found.conclusion, found.recommendation) == ("descriptive", "more cases")
    assert "12 patients" in found.sentence


def test_sft_is_worth_it_in_a_study_without_dpo() -> None:
    alone = [contrast("sft", "base", "better", 0.3)]
    found = conclude([*alone, contrast("sft", "majority", "better", 0.3)])
    assert (found.conclusion, found.recommendation) == ("sft_worth_it", "pilot silently")
    untested = conclude(alone)
    assert (untested.recommendation, untested.reason) == ("do not deploy", "it was compared with no simpler way")


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_a_pilot_needs_three_seeds(seeds: int) -> None:
    cells = [cell(arm, seed=seed) for arm in ("base", "sft", "sft+dpo", "sft+sft") for seed in range(seeds)]
    found = conclude(DPO_WINS, cells)
    assert found.recommendation == ("pilot silently" if seeds == 3 else "more seeds")
    assert found.reason


BELOW = {"below_margin": True}


@pytest.mark.parametrize(
    ("ci", "ci_90", "said"),
    [
        ((-0.12, -0.01), (-0.11, -0.02), "adds nothing that matters and may do harm"),
        ((-0.12, 0.01), (-0.11, -0.001), "how much it takes away stays open"),
        ((-0.06, 0.01), (-0.0501, 0.005), "how much it takes away stays open"),
        ((-0.06, 0.01), (-0.0499, 0.005), "changes less than matters"),
    ],
)
def test_what_adds_too_little_is_told_apart_from_what_may_do_harm(
    ci: tuple[float, float], ci_90: tuple[float, float], said: str
) -> None:
    """At each edge of the wording's conditions; the verdict is open, and the bound alone says less than the margin."""
    question = contrast("sft+dpo", "sft", "inconclusive", -0.03, ci=ci, ci_90=ci_90, **BELOW)
    found = conclude(replaced(SFT_IS_LEFT, question))
    assert found.conclusion == "sft_enough"
    assert said in found.sentence


@pytest.mark.parametrize(("bound", "shown"), [(0.02, "0.02"), (0.0461, "0.046"), (0.0499, "0.0499")])
def test_the_bound_that_carries_less_than_matters_is_the_one_printed(bound: float, shown: str) -> None:
    question = contrast("sft+dpo", "sft", "inconclusive", 0.01, ci=(-0.04, 0.06), ci_90=(-0.03, bound), **BELOW)
    sentence = conclude(replaced(SFT_IS_LEFT, question)).sentence
    assert f"at most {shown} by its one-sided 95% bound, so less than 0.05" in sentence


def test_a_gain_counts_where_less_of_the_metric_is_better() -> None:
    question = contrast(
        "sft+dpo", "sft", "inconclusive", 0.03, ci=(0.01, 0.12), ci_90=(0.02, 0.11), metric="brier", **BELOW
    )
    assert "may do harm" in conclude(replaced(SFT_IS_LEFT, question)).sentence


@pytest.mark.parametrize("verdict", ["equivalent", "inconclusive"])
def test_an_sft_that_more_sft_improves_had_not_settled(verdict: str) -> None:
    """`sft+sft` against `sft`, as studies name it: what DPO adds to an SFT that is still learning says nothing."""
    settled = replaced(SFT_IS_LEFT, contrast("sft+dpo", "sft", verdict))
    found = conclude([*settled, contrast("sft+sft", "sft", "better", 0.1)])
    assert (found.conclusion, found.recommendation) == ("sft_not_settled", "do not deploy")
    assert "SFT had not settled" in found.sentence
    assert "SFT is enough" not in found.sentence
    assert "for SFT+SFT over SFT" in found.sentence
    same = conclude([*settled, contrast("sft+sft", "sft", "equivalent")])
    assert same.conclusion == ("sft_enough" if verdict == "equivalent" else "not_enough_cases")


def test_an_sft_that_had_not_settled_does_not_hide_harm_or_worth() -> None:
    more = contrast("sft+sft", "sft", "better", 0.1)
    assert conclude([*replaced(SFT_IS_LEFT, contrast("sft+dpo", "sft", "worse", -0.2)), more]).conclusion == "dpo_harms"
    assert conclude([*DPO_WINS, more]).conclusion == "dpo_worth_it"


@pytest.mark.parametrize(
    ("seen", "conclusion", "said"),
    [
        ({}, "sft_enough", "SFT is enough"),
        ({"control": "not_run"}, "could_not_have_seen", "no control was run"),
        ({"control": "failed"}, "could_not_have_seen", "its control failed"),
        ({"settled": None}, "could_not_have_seen", "that SFT had settled is not shown"),
        ({"smallest_detectable": 0.05}, "sft_enough", "SFT is enough"),
        ({"smallest_detectable": 0.051}, "could_not_have_seen", "one below 0.051 would not have been found"),
        ({"smallest_detectable": None}, "could_not_have_seen", "it cannot be said which"),
        ({"delivered": None}, "could_not_have_seen", "nobody knows whether DPO was delivered"),
        ({"delivered": False, "answers_changed": 0.01}, "dpo_not_delivered", "1% of the held-out answers changed"),
    ],
)
def test_sft_is_enough_only_where_the_study_could_have_seen_a_gain(
    seen: dict[str, Any], conclusion: str, said: str
) -> None:
    found = conclude(SFT_IS_LEFT, seen=seen)
    assert found.conclusion == conclusion
    assert said in found.sentence
    assert ("SFT is enough" in found.sentence) == (conclusion == "sft_enough")


def test_what_was_not_delivered_may_still_be_worth_it_or_do_harm() -> None:
    nothing = {"delivered": False, "control": "not_run", "settled": None}
    assert conclude(DPO_WINS, seen=nothing).conclusion == "dpo_worth_it"
    harm = replaced(SFT_IS_LEFT, contrast("sft+dpo", "sft", "worse", -0.2))
    assert conclude(harm, seen=nothing).conclusion == "dpo_harms"
    still_open = replaced(SFT_IS_LEFT, contrast("sft+dpo", "sft", "inconclusive"))
    assert conclude(still_open, seen=nothing).conclusion == "dpo_not_delivered"
    assert conclude(still_open, seen={"control": "not_run"}).conclusion == "not_enough_cases"


def test_a_simpler_way_is_found_whichever_arm_the_study_put_first() -> None:
    turned = contrast("tfidf", "sft", "better", 0.1)
    found = conclude([*SFT_IS_LEFT, turned])
    assert (found.recommendation, found.reason) == ("do not deploy", "it is not shown to be better than TF-IDF")


def test_a_gain_over_answers_that_cannot_be_read_may_be_the_form_alone() -> None:
    over_base = contrast("sft", "base", "better", 0.3)
    cells = [cell("base", invalid_rate=0.82), cell("sft")]
    found = conclude([over_base], cells)
    assert found.conclusion == "unsettled"
    assert "form of the answer" in found.sentence
    shots = contrast("sft", "base+shots", "better", 0.2)
    assert conclude([over_base, shots], [*cells, cell("base+shots")]).conclusion == "sft_worth_it"
    with_dpo = conclude(SFT_IS_LEFT, [*cells, cell("sft+dpo")])
    assert with_dpo.conclusion == "sft_enough"
    assert "82% of the base model's answers could not be read" in with_dpo.sentence


@pytest.mark.parametrize(("contrasts", "arm"), [(DPO_WINS, "sft+dpo"), (SFT_IS_LEFT, "sft")])
def test_an_arm_with_one_answer_for_all_is_not_recommended(contrasts: list[Contrast], arm: str) -> None:
    confusion = {"labels": LABELS, "matrix": ONE_ANSWER}
    cells = [cell(each, **({"confusion": confusion} if each == arm else {})) for each in ("base", "sft", "sft+dpo")]
    found = conclude(contrasts, [*cells, cell("sft+sft")])
    assert (found.conclusion, found.recommendation) == ("unsettled", "do not deploy")
    assert 'the same answer, "routine"' in found.sentence


def test_a_study_of_one_arm_compares_nothing() -> None:
    (found,) = conclusions([], [cell("base")], [TaskPart(**TASK)], ARMS)
    assert found.conclusion == "unsettled"
    assert found.sentence == (
        "On triage, no arm is compared with the one that lacks its last stage, so no arm is recommended, and each "
        "comparison has a verdict of its own."
    )


def test_warnings_stand_beside_the_conclusion() -> None:
    cells = [
        cell("base", invalid_rate=0.4),
        cell("sft", never_predicted=["soon"], invalid_rate=0.05),
        cell("sft+dpo", length_ratio=1.3),
        cell("sft+sft"),
        cell("tfidf"),
    ]
    seeds = [{"seed": 0, "delta": -0.02}, {"seed": 1, "delta": 0.3}]
    contrasts = [
        *replaced(DPO_WINS, contrast("sft+dpo", "sft", "better", 0.16, seeds=seeds)),
        contrast("sft+dpo", "tfidf", "inconclusive"),
        contrast("sft+dpo", "majority", "better"),
    ]
    found = conclude(contrasts, cells, leakage=["9 held-out cases are nearly those of training."], looks=3)
    assert found.warnings == [
        "9 held-out cases are nearly those of training.",
        "These held-out cases were looked at 3 times: this result is exploratory.",
        "The base model: 40% of the answers could not be read; they count as wrong.",
        'SFT never answered "soon".',
        "SFT+DPO: answers are 1.3 times as long as the right ones.",
        "The seeds disagree on which of SFT+DPO and SFT is better.",
        "SFT+DPO is not shown to be better than TF-IDF.",
    ]
    assert found.recommendation == "do not deploy", "a language model is not shown to be needed"


def test_of_many_labels_that_were_never_answered_the_number_is_told() -> None:
    missed = ["one", "two", "three", "four", "five", "six"]
    cells = [cell("base"), cell("sft", never_predicted=missed), cell("sft+dpo"), cell("sft+sft")]
    found = conclude(DPO_WINS, cells, labels=[*LABELS, *missed])
    assert "SFT never answered 6 of the labels." in found.warnings


def test_an_arm_no_better_than_the_commonest_answer_is_called_so_where_it_is_called_enough() -> None:
    found = conclude([*SFT_IS_LEFT, contrast("sft", "majority", "inconclusive")])
    assert (found.conclusion, found.recommendation) == ("sft_enough", "do not deploy")
    assert "SFT is not shown to be better than the majority answer" in found.sentence


def test_a_missing_class_is_named() -> None:
    confusion = {"labels": LABELS, "matrix": [[30, 5, 5, 0], [0, 0, 0, 0], [3, 4, 33, 0]]}
    found = conclude(SFT_IS_LEFT, [cell(arm, confusion=confusion) for arm in ("base", "sft", "sft+dpo")])
    assert 'No held-out case is "soon", so nothing is known about it.' in found.warnings


@pytest.mark.parametrize(
    ("task", "recommended"), [({"synthetic": True}, "do not deploy"), ({"looks": 2}, "more cases")]
)
def test_a_good_result_alone_does_not_recommend_a_pilot(task: dict[str, Any], recommended: str) -> None:
    found = conclude(DPO_WINS, **task)
    assert (found.conclusion, found.recommendation) == ("dpo_worth_it", recommended)


def test_cases_are_counted_over_all_seeds() -> None:
    """`counts` are of the first seed: a sentence that took them would turn with the order of seeds."""
    seeds = [SeedDelta(seed=seed, delta=0.1) for seed in range(3)]
    said = {
        more: conclude([one.model_copy(update={"seeds": seeds, "more_right": more}) for one in DPO_WINS]).sentence
        for more in (None, 0.0, 6.333, -2.0)
    }
    assert "of 120 cases (mean of 3 seeds), 6.3 more answered rightly" in said[6.333]
    assert "of 120 cases (mean of 3 seeds), 2 fewer answered rightly" in said[-2.0]
    assert "of 120 cases (mean of 3 seeds), as many answered rightly" in said[0.0]
    assert "of 120 cases (seed 0), 9 more answered rightly" in said[None], "results of earlier versions"


def test_five_seeds_speak_of_the_method() -> None:
    """The seeds that both arms of the comparison have, whatever else was trained."""
    cells = [cell(arm, seed=seed) for arm in ("base", "sft", "sft+dpo", "sft+sft") for seed in range(5)]

    def over(seeds: int) -> list[Contrast]:
        both = [SeedDelta(seed=seed, delta=0.1) for seed in range(seeds)]
        return [one.model_copy(update={"seeds": both}) for one in DPO_WINS]

    assert "models trained here" not in conclude(over(5), cells).sentence
    assert "with 4 seeds" in conclude(over(4), cells).sentence
    of_control = [one if one.b == "sft+sft" else other for one, other in zip(over(4), over(5), strict=True)]
    assert "with 4 seeds" in conclude(of_control, cells).sentence, "one seed of the control failed"


def test_free_text_has_no_counts() -> None:
    texts = [one.model_copy(update={"counts": None}) for one in DPO_WINS]
    cells = [cell(arm, confusion=None) for arm in ("base", "sft", "sft+dpo", "sft+sft")]
    found = conclude(texts, cells, labels=[])
    assert found.conclusion == "dpo_worth_it"
    assert "of 120 cases" not in found.sentence


def failure(arm: str, stage: str, seed: int = 0) -> Failure:
    return Failure(task="triage", model="tiny", arm=arm, seed=seed, stage=stage, reason="why", fix="Mend it.")


def conclude_without(contrasts: list[Contrast], *failed: Failure, answered: str) -> Conclusion:
    """The conclusion of a study in which the arms of `failed` have no answers; `answered` are those that have."""
    (found,) = conclusions(contrasts, [cell(arm) for arm in answered.split()], [TaskPart(**TASK)], ARMS, failed)
    return found


def test_a_question_that_a_failure_took_is_not_answered_by_another_contrast() -> None:
    over_base = contrast("sft", "base", "better", 0.3)
    found = conclude_without([over_base], failure("sft+dpo", "DPO"), answered="base sft")
    assert (found.conclusion, found.recommendation) == ("unsettled", "do not deploy")
    assert found.sentence.startswith(
        "On triage, whether DPO is worth it was not compared: SFT+DPO failed in DPO (seed 0); "
        "+0.30 macro-F1 [0.06, 0.54] for SFT over the base model"
    )
    assert found.warnings[0] == "SFT+DPO failed in DPO (seed 0): nothing is known of it here."


def test_where_no_arm_is_left_that_is_said() -> None:
    found = conclude_without([], failure("base", "answers"), failure("sft", "SFT"), answered="")
    assert (found.conclusion, found.recommendation) == ("unsettled", "do not deploy")
    assert found.sentence == (
        "On triage, whether SFT is worth it was not compared: SFT failed in SFT (seed 0); "
        "the base model failed in answers (seed 0)."
    )


def test_longer_sft_that_failed_is_no_proof_that_dpo_is_worth_it() -> None:
    found = conclude_without(
        without(DPO_WINS, "sft+sft"), failure("sft+sft", "SFT continued"), answered="base sft sft+dpo"
    )
    assert found.conclusion == "unsettled"
    assert "SFT+SFT failed in SFT continued (seed 0), so the gain may be that of longer training" in found.sentence


@pytest.mark.parametrize("arm", ["base", "tfidf"])
def test_what_was_to_be_beaten_and_failed_was_not_beaten(arm: str) -> None:
    found = conclude_without(
        without(SFT_IS_LEFT, arm), failure(arm, "answers"), answered=" ".join({"base", "sft", "sft+dpo"} - {arm})
    )
    assert found.recommendation == "do not deploy"
    assert conclude(SFT_IS_LEFT).recommendation == "pilot silently"


def test_seeds_that_failed_stand_beside_the_conclusion() -> None:
    cells = [cell(arm, seed=seed) for arm in ("base", "sft", "sft+dpo", "sft+sft") for seed in (0, 1)]
    (found,) = conclusions(
        DPO_WINS, cells, [TaskPart(**TASK)], ARMS, [failure("sft+dpo", "DPO", 2), failure("sft+dpo", "DPO", 3)]
    )
    assert found.conclusion == "dpo_worth_it"
    assert found.warnings == ["SFT+DPO failed in DPO (seeds 2, 3): it is compared over the other seeds only."]
