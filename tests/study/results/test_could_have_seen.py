"""The box "could this study have seen a difference?": each figure follows from the numbers beside it."""

from collections.abc import Sequence
from typing import Any

import pytest

from concluded import ARMS, SFT_IS_LEFT, TASK, cell, contrast, replaced
from preceptor.study.results.cell_schema import Cell
from preceptor.study.results.conclusion_schema import CouldHaveSeen, SpikeFinding
from preceptor.study.results.contrast_schema import Contrast
from preceptor.study.results.could_have_seen import could_have_seen
from preceptor.study.results.task_evidence import by_task_and_model
from preceptor.study.results.task_schema import TaskPart

DELIVERED = {
    "steps": 32, "dose": 2e-3, "kept_step": 24, "kept_dose": 1.5e-3,
    "eval_pair_accuracy_at_start": 0.5, "eval_pair_accuracy": 0.75,
}  # fmt: skip


def spike(conclusion: str, model: str = "tiny") -> SpikeFinding:
    return SpikeFinding(
        task="spiked",
        model=model,
        shares=[],
        effective_patients=40,
        conclusion=conclusion,  # type: ignore[arg-type]
        learned="",
        held="",
        sentence="",
        scope="",
    )


def box(
    contrasts: list[Contrast], spikes: Sequence[SpikeFinding] = (), delivered: dict[str, Any] | None = None
) -> CouldHaveSeen | None:
    cells: list[Cell] = [cell(arm) for arm in ("base", "sft", "sft+sft")]
    cells += [cell("sft+dpo", seed=seed, delivered=delivered) for seed in range(2)]
    (evidence,) = by_task_and_model(contrasts, cells, [TaskPart(**TASK)], ARMS)
    return could_have_seen(evidence, spikes)


def asked(**changes: Any) -> list[Contrast]:
    return replaced(SFT_IS_LEFT, contrast("sft+dpo", "sft", "equivalent", **changes))


@pytest.mark.parametrize(
    ("spikes", "control"),
    [
        ([], "not_run"),
        ([spike("preferences")], "passed"),
        ([spike("corrections")], "passed"),
        ([spike("preferences"), spike("nothing")], "failed"),
        ([spike("open")], "failed"),
        ([spike("preferences", model="another")], "not_run"),
    ],
)
def test_an_absent_control_is_not_a_passed_one(spikes: list[SpikeFinding], control: str) -> None:
    found = box(asked(), spikes)
    assert found is not None
    assert found.control == control
    assert found.sentence.startswith(f"Control: {control.replace('_', ' ')}")


@pytest.mark.parametrize("conclusion", ["open", "not_learned", "task_lost", "nothing"])
def test_a_control_that_failed_is_not_said_to_show_that_nothing_was_removed(conclusion: str) -> None:
    found = box(asked(), [spike(conclusion)])
    assert found is not None
    assert "did not remove" not in found.sentence


@pytest.mark.parametrize(
    ("changed", "accuracy", "delivered"),
    [
        (0.05, 0.75, True),
        (0.049, 0.75, False),
        (0.3, 0.5, False),
        (0.3, 0.51, True),
        (0.3, None, True),
        (None, 0.9, None),
    ],
)
def test_delivered_is_what_changed_answers_and_ordered_pairs(
    changed: float | None, accuracy: float | None, delivered: bool | None
) -> None:
    found = box(asked(answers_changed=changed), delivered=DELIVERED | {"eval_pair_accuracy": accuracy})
    assert found is not None
    assert found.delivered is delivered
    assert (found.steps, found.dose) == (24, 1.5e-3)
    assert found.pair_accuracy == (None if accuracy is None else (0.5, accuracy))


@pytest.mark.parametrize(
    ("more", "settled"),
    [
        (None, None),
        (("better", False), False),
        (("inconclusive", True), True),
        (("equivalent", True), True),
        (("inconclusive", False), None),
        (("worse", True), True),
    ],
)
def test_sft_had_settled_where_more_of_it_added_less_than_matters(
    more: tuple[str, bool] | None, settled: bool | None
) -> None:
    contrasts = asked()
    if more:
        verdict, below = more
        contrasts = [*contrasts, contrast("sft+sft", "sft", verdict, below_margin=below)]
    found = box(contrasts)
    assert found is not None
    assert found.settled is settled


def test_the_smallest_detectable_difference_follows_from_the_width_alone() -> None:
    found = [box(asked(delta=delta, ci=(delta - 0.05, delta + 0.05))) for delta in (0.0, 0.04)]
    assert [one.smallest_detectable for one in found if one] == pytest.approx([0.0715, 0.0715], abs=1e-4)
    assert found[0] is not None
    assert "A difference of 0.07 would have been found with 80% power (margin 0.05)" in found[0].sentence


def test_answers_that_are_all_the_same_say_nothing_of_what_could_have_been_found() -> None:
    """A stage that kept its start gives an interval without width, which is no certainty."""
    kept = DELIVERED | {"kept_step": 0, "kept_dose": 0.0, "eval_pair_accuracy": 0.5}
    found = box(asked(delta=0.0, ci=(0.0, 0.0), answers_changed=0.0), delivered=kept)
    assert found is not None
    assert (found.delivered, found.smallest_detectable) == (False, None)
    assert "0 steps: the weights it began with did best on validation cases" in found.sentence
    assert "Which difference would have been found cannot be said." in found.sentence


def test_a_study_without_a_further_stage_has_no_box() -> None:
    assert box([contrast("sft", "base", "better", 0.3)]) is None
