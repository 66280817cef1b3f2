"""What an arm's name and entry stand for: its stages, what they need, whom it is compared with."""

from typing import Any

from preceptor.study import Study, make_study
from preceptor.study.spec.arms import treatment

LEAST: dict[str, Any] = {"name": "least", "tasks": [{"task": "summarization", "data": {"cases": 30}}]}


def study(**settings: Any) -> Study:
    return make_study(LEAST | settings, "here")


def chain(of: Study, arm: str) -> list[str]:
    """Stage by stage, with the maker of pairs behind `@`."""
    last = of.stage_of(arm)
    return [stage.kind + (f"@{stage.source}" if stage.source else "") for stage in last.required] if last else []


def test_what_a_stage_needs_is_put_before_it_unless_it_stands_there() -> None:
    few = {"few": {"kind": "pairs", "limit": 3}}
    one = study(arms=["base", "sft", "sft+dpo", "sft+few+dpo", "sft+pairs+dpo"], stages=few)
    assert chain(one, "sft+dpo") == chain(one, "sft+few+dpo") == chain(one, "sft+pairs+dpo") == ["sft", "pairs", "dpo"]
    last = one.stage_of("sft+few+dpo")
    assert last is not None
    assert last.after is not None
    assert one.settings_of(last.after, one.tasks[0]).limit == 3


def test_arms_share_the_stages_in_which_they_begin_alike() -> None:
    one = study(arms=["sft", "sft+dpo", {"name": "mine", "stages": ["sft", "dpo"]}, "sft+sft"])
    assert one.stage_of("mine") == one.stage_of("sft+dpo")
    control = one.stage_of("sft+sft")
    assert control is not None
    assert [stage.title for stage in control.required] == ["SFT", "pairs", "DPO", "SFT continued"]
    assert [stage.kind for stage in control.lineage] == ["sft", "sft"]
    assert [stage.kind for stage in control.budget_stages] == ["pairs", "dpo"]
    assert one.arm("sft+sft").control_of == "sft+dpo"


def test_an_arm_of_a_further_maker_differs_in_its_pairs_alone() -> None:
    soft = {"soft": {"kind": "dpo", "beta": 0.7}}
    one = study(arms=["base", "sft", "sft+soft"], stages=soft, makers=["near_miss", "on_policy"])
    assert one.arm_names == ("base", "sft", "sft+soft", "sft+soft@on_policy")
    assert chain(one, "sft+soft@on_policy") == ["sft", "pairs@on_policy", "dpo"]
    betas = [one.settings_of(last, one.tasks[0]).beta for arm in one.arm_names[2:] if (last := one.stage_of(arm))]
    assert betas == [0.7, 0.7]

    named = study(arms=["base", {"name": "mine", "stages": ["sft", "dpo"]}], makers=["near_miss", "on_policy"])
    assert chain(named, "mine@on_policy") == ["sft", "pairs@on_policy", "dpo"]
    assert make_study(named.model_dump(mode="json"), "here").resolved == named.resolved
    longer = study(arms=["base", "sft+dpo+sft"], makers=["near_miss", "on_policy"])
    assert chain(longer, "sft+dpo+sft@on_policy") == ["sft", "pairs@on_policy", "dpo", "sft"]


def test_a_stage_may_come_after_one_with_another_source() -> None:
    then = {"then": {"kind": "sft", "after": "dpo"}}
    one = study(arms=["base", "sft+dpo+then"], stages=then, makers=["near_miss", "on_policy"])
    assert chain(one, "sft+dpo+then@on_policy") == ["sft", "pairs@on_policy", "dpo", "sft"]
    assert make_study(one.model_dump(mode="json"), "here").resolved == one.resolved


def test_a_first_stage_stands_behind_what_it_comes_after() -> None:
    one = study(arms=["sft", "gentle"], stages={"gentle": {"kind": "dpo", "after": "sft"}})
    assert one.arm("gentle").stages == ("sft", "gentle")
    assert chain(one, "gentle") == ["sft", "pairs", "dpo"]
    assert one.arm("gentle").against == ("sft", "majority")


def test_titles_say_what_differs() -> None:
    one = study(arms=["base", "sft", "sft+shots", "sft+dpo", "sft+soft"], stages={"soft": {"kind": "dpo", "beta": 0.7}})
    titles = [arm.title for arm in one.resolved.values()]
    assert titles == ["Base", "SFT", "SFT (shots)", "SFT+DPO", "SFT+soft"]
    assert all(arm.explanation for arm in one.resolved.values())


def test_what_a_study_is_about_follows_from_its_arms() -> None:
    assert study(arms=["base", "sft"]).primary_contrasts == (("sft", "base"),)
    assert study().primary_contrasts == (("sft+dpo", "sft"),)
    both = study(arms=["base", "sft", "sft+dpo", "sft+sft"]).primary_contrasts
    assert both == (("sft+dpo", "sft"), ("sft+dpo", "sft+sft"))
    assert study(arms=["base"]).primary_contrasts == ()


def test_an_arm_with_pairs_of_its_own_is_not_what_the_study_is_about() -> None:
    flipped = {"flipped": {"kind": "pairs", "order": "flipped"}}
    one = study(arms=["base", "sft", "sft+flipped+dpo", "sft+dpo"], stages=flipped)
    about = treatment(one.resolved)
    assert about is not None
    assert about.name == "sft+flipped+dpo", "both train twice, and the first counts"
    two = study(arms=["base", "sft", "sft+dpo", "sft+flipped+dpo"], stages=flipped)
    about = treatment(two.resolved)
    assert about is not None
    assert about.name == "sft+dpo"
