"""What may be said of an error that was put in on purpose, at the edges of what allows it."""

from itertools import permutations

import pytest

from concluded import TASK, contrast
from preceptor.study import make_study
from preceptor.study.results.conclusion_schema import SpikeShare
from preceptor.study.results.spike import Roles, conclude, effective_number, lost_the_task, roles_of, share_of
from preceptor.study.results.task_schema import TaskPart

ROLES = Roles("base", "sft", "sft+dpo", "sft+chosen", "sft+sft")


def shares(**of: int | None) -> dict[str, SpikeShare]:
    """Of 48 patients, so many answers with the error; None: the arm has no answers."""
    counts = {"base": 0, "sft": 34, "sft_dpo": 0, "sft_chosen": 0, "sft_sft": 33} | of
    named = {name.replace("_", "+"): count for name, count in counts.items() if count is not None}
    return {name: share_of(name, count / 48, 48) for name, count in named.items()}


def interval(arm: str, low: float, share: float, high: float) -> SpikeShare:
    return SpikeShare(arm=arm, share=share, ci=(low, high))


def test_an_interval_is_wilsons_and_has_width_at_its_ends() -> None:
    # Newcombe 1998, table I, example 1: 81 of 263.
    found = share_of("a", 81 / 263, 263)
    assert found.ci == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert share_of("a", 0, 48).ci == pytest.approx((0, 0.0741), abs=1e-4)
    assert share_of("a", 1, 48).ci == pytest.approx((0.9259, 1), abs=1e-4)


def test_cases_of_one_patient_count_as_one_where_all_have_as_many() -> None:
    assert effective_number(["a", "b", "c"]) == 3
    assert effective_number(["a", "a", "b", "b"]) == 2
    assert effective_number(["a", "a", "a", "b"]) == pytest.approx(1.6)


def test_corrected_examples_removed_it_where_both_arms_did_and_the_archive_did_not() -> None:
    assert conclude(shares(), ROLES) == "corrections"
    assert conclude(shares(sft_chosen=3), ROLES) == "corrections", "0 of 48 may be up to .07, and 3 of 48 is .06"


def test_preferences_are_credited_only_with_what_they_add() -> None:
    assert conclude(shares(sft_chosen=4), ROLES) == "preferences", "0 of 48 is at most .074, and 4 of 48 is .083"
    assert conclude(shares(sft_chosen=30), ROLES) == "preferences"
    assert conclude(shares(sft_dpo=2, sft_chosen=4), ROLES) == "corrections"


def test_the_bounds_must_lie_apart_and_not_meet() -> None:
    of = {
        "base": interval("base", 0, 0, 0.1),
        "sft": interval("sft", 0.5, 0.6, 0.7),
        "sft+dpo": interval("sft+dpo", 0.1, 0.2, 0.4),
        "sft+chosen": interval("sft+chosen", 0.1, 0.2, 0.4),
        "sft+sft": interval("sft+sft", 0.3, 0.4, 0.5),
    }
    assert conclude(of, ROLES) == "corrections", "more of the archive meets SFT at .5"
    assert conclude(of | {"sft+sft": interval("", 0.3, 0.4, 0.49)}, ROLES) == "open"
    assert conclude(of | {"sft+dpo": interval("", 0.1, 0.2, 0.5)}, ROLES) == "open", (
        "one removed it, one is not shown to"
    )
    assert conclude(of | {"sft+chosen": interval("", 0.1, 0.4, 0.5)}, ROLES) == "open", "DPO reaches its estimate"
    assert conclude(of | {"sft+chosen": interval("", 0.3, 0.41, 0.5)}, ROLES) == "preferences"
    both = {"sft+dpo": interval("", 0.1, 0.2, 0.5), "sft+chosen": interval("", 0.1, 0.6, 0.9)}
    assert conclude(of | both, ROLES) == "nothing", "below its estimate, and not shown to be below SFT"
    assert conclude(of | {"base": interval("base", 0, 0.2, 0.5)}, ROLES) == "not_learned"


def test_what_removed_the_error_with_the_task_is_not_credited() -> None:
    """Seen with a real model: DPO without an SFT term wrote two lines of seven, and no invented item among them."""
    assert conclude(shares(), ROLES, lost=True) == "task_lost"
    assert conclude(shares(sft_chosen=30), ROLES, lost=True) == "task_lost"
    assert conclude(shares(sft_dpo=33, sft_chosen=30), ROLES, lost=True) == "nothing", "nothing was removed either"
    task = TaskPart(**TASK)
    for high, expected in ((-0.01, True), (0.0, False), (0.02, False)):
        found = contrast("sft+dpo", "sft", "inconclusive", -0.1, ci=(-0.3, high))
        assert (lost_the_task(task, [found], ROLES) is not None) == expected
    assert lost_the_task(task, [], ROLES) is None
    worse = contrast("sft+dpo", "sft", "inconclusive", 0.1, ci=(0.01, 0.3), metric="brier")
    assert lost_the_task(task, [worse], ROLES) is not None, "more of what is better when less"


def test_without_an_effect_nothing_removed_it() -> None:
    assert conclude(shares(sft_dpo=33, sft_chosen=30), ROLES) == "nothing"


def test_what_sft_did_not_learn_cannot_be_removed() -> None:
    assert conclude(shares(sft=0, sft_sft=0), ROLES) == "not_learned"
    assert conclude(shares(sft=2), ROLES) == "not_learned"
    assert conclude(shares(base=None, sft=0), ROLES) == "not_learned"
    assert conclude(shares(base=40), ROLES) == "not_learned"


def test_arms_play_their_parts_whatever_their_order() -> None:
    least = {"name": "least", "tasks": [{"task": "summarization", "data": {"cases": 30}}]}
    arms = ["base", "sft", "sft+dpo", "sft+chosen", "sft+sft"]
    for order in permutations(arms):
        assert roles_of(make_study(least | {"arms": order}, "here")) == ROLES
    few = make_study(least | {"arms": ["sft", "sft+chosen"]}, "here")
    assert roles_of(few) == Roles(archive="sft", corrected="sft+chosen")
    assert roles_of(make_study(least | {"arms": ["base", "sft"]}, "here")) == Roles("base", "sft")
    assert roles_of(make_study(least | {"arms": ["base"]}, "here")) == Roles()
    makers = least | {"arms": ["base", "sft", "sft+dpo"], "makers": ["published", "near_miss"]}
    assert roles_of(make_study(makers, "here")) == Roles("base", "sft", "sft+dpo")


def test_a_missing_arm_leaves_it_open() -> None:
    assert conclude(shares(base=None), ROLES) == "corrections"
    assert conclude(shares(sft=None), ROLES) == "open"
    assert conclude(shares(sft_dpo=None), ROLES) == "open"
    assert conclude(shares(sft_chosen=None), ROLES) == "open", "nobody knows what corrected answers alone do"
    assert conclude(shares(sft_sft=None), ROLES) == "open"
    assert conclude(shares(sft_sft=None, sft_chosen=30), ROLES) == "preferences"
    assert conclude(shares(), Roles()) == "open"
