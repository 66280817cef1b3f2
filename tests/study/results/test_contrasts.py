"""Contrasts between arms whose answers are written by hand, held against other libraries."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import pytest
from scipy import stats

from preceptor.data import DataSpec, Splits
from preceptor.engine import Cost
from preceptor.evidence import benjamini_hochberg, holm
from preceptor.study import Prediction, TaskEntry
from preceptor.study.cases import Prepared
from preceptor.study.results.cells import Cell
from preceptor.study.results.conclusions import conclusions
from preceptor.study.results.contrast_schema import Contrast, NotCompared, Paired
from preceptor.study.results.contrasts import contrasts, not_compared
from preceptor.study.results.measure import measure
from preceptor.study.results.task_schema import Counts, TaskPart
from preceptor.study.run.failures import Failure
from preceptor.study.spec.arms import resolve
from preceptor.tasks import Example, Task, load_task

LABELS = ("urgent", "soon", "routine")
ARMS = resolve(("base", "base+shots", "sft", "sft+dpo", "sft+sft", "tfidf", "endpoint"), {})
PRIMARY = [("sft+dpo", "sft")]


def prepared(
    gold: Sequence[str], patients: Sequence[str] | None = None, metric: str = "accuracy", name: str = "triage"
) -> Prepared:
    """A label task whose held-out cases have these right answers; one case a patient unless said otherwise."""
    task = Task.model_validate(
        {
            "name": name, "title": "t", "question": "q", "source": "s", "fields": {"note": "n"}, "instruction": "i",
            "prompt": "{note}", "metric": metric, "also": [{"metric": "sensitivity", "labels": ["urgent"]}],
            "answer": {"kind": "label", "labels": dict.fromkeys(LABELS, "x"), "max_new_tokens": 4},
        }
    )  # fmt: skip
    groups = patients or [f"p{n}" for n in range(len(gold))]
    test = [
        Example(f"c{n}", group, {"note": "n"}, one) for n, (one, group) in enumerate(zip(gold, groups, strict=True))
    ]
    train = [Example("t0", "t", {"note": "n"}, "routine")]
    return told(task, Splits(train, [], test))


def told(task: Task, splits: Splits) -> Prepared:
    entry = TaskEntry(task=task.name, data=DataSpec(cases=10))
    return Prepared(entry, task, splits, train=[], validation=[], test=[], shown=[])


def cell(case: Prepared, arm: str, answers: Sequence[str], seed: int = 0, flops: float = 0.0) -> Cell:
    rows = [
        Prediction(e.id, text, case.task.parse(text), 0.0) for e, text in zip(case.splits.test, answers, strict=True)
    ]
    cost = Cost(flops=flops)
    return Cell(case, "tiny", arm, seed, rows, cost, 0.0, "predictions.jsonl", "", {}, seedless=arm == "base")


def mistaken(gold: Sequence[str], at: Sequence[int], answer: str = "no label at all") -> list[str]:
    return [answer if n in set(at) else one for n, one in enumerate(gold)]


Row = TypeVar("Row", Contrast, NotCompared)


def only(found: list[Row], a: str, b: str) -> Row:
    (one,) = [each for each in found if (each.a, each.b) == (a, b)]
    return one


GOLD = list(LABELS) * 40


def test_one_case_a_patient_is_mcnemar_and_tango_and_unreadable_answers_are_misses() -> None:
    case = prepared(GOLD)
    sft = cell(case, "sft", mistaken(GOLD, range(40)), flops=2.0)
    dpo = cell(case, "sft+dpo", mistaken(GOLD, range(30, 52)), flops=3.0)
    found = only(contrasts([sft, dpo], ARMS, PRIMARY, {"triage": 0.05}), "sft+dpo", "sft")
    assert found.counts == Paired(both_right=68, only_a=30, only_b=12, neither=10)
    assert found.delta == pytest.approx(18 / 120, abs=1e-9)
    assert found.p == pytest.approx(stats.binomtest(12, 42).pvalue, abs=1e-9)
    assert (found.test, found.interval) == ("exact McNemar", "Tango's score interval")
    assert (found.family, found.adjustment, found.p_adjusted) == ("primary", "closed", found.p)
    assert (found.verdict, found.less_than_matters, found.differing) == ("better", False, 42)
    assert found.price_ratio == 1.5
    urgent = [n for n, one in enumerate(GOLD) if one == "urgent"]
    lost = sum(n in range(40, 52) for n in urgent)
    gained = sum(n < 30 for n in urgent)
    assert found.dangerous is not None
    assert (found.dangerous.labels, found.dangerous.lost, found.dangerous.gained) == (["urgent"], lost, gained)


def test_the_margin_decides_between_equivalent_and_not_enough_cases() -> None:
    case = prepared(GOLD * 5)
    sft = cell(case, "sft", mistaken(GOLD * 5, range(20)))
    dpo = cell(case, "sft+dpo", mistaken(GOLD * 5, range(10, 30)))
    wide = only(contrasts([sft, dpo], ARMS, PRIMARY, {"triage": 0.05}), "sft+dpo", "sft")
    assert (wide.verdict, wide.below_margin, wide.needed) == ("equivalent", True, None)
    narrow = only(contrasts([sft, dpo], ARMS, PRIMARY, {"triage": 0.01}), "sft+dpo", "sft")
    assert (narrow.verdict, narrow.below_margin) == ("inconclusive", False)
    assert narrow.needed > 8.5 * (20 / 600) / 0.01**2
    none = only(contrasts([sft, dpo], ARMS, PRIMARY, {"triage": None}), "sft+dpo", "sft")
    assert (none.verdict, none.needed) == ("inconclusive", None)


def test_two_seeds_of_one_arm_are_not_told_apart() -> None:
    """An A/A study: the two arms differ as two seeds do."""
    rng = np.random.default_rng(4)
    case = prepared(GOLD, metric="macro_f1")
    arms = {(arm, seed): rng.choice(120, 36, replace=False) for arm in ("sft", "sft+dpo") for seed in (0, 1)}
    cells = [cell(case, arm, mistaken(GOLD, at, "routine"), seed) for (arm, seed), at in arms.items()]
    found = contrasts(cells, ARMS, PRIMARY, {"triage": 0.05})
    one = only(found, "sft+dpo", "sft")
    assert one.verdict == "inconclusive"
    assert [each.seed for each in one.seeds] == [0, 1]
    assert one.delta == pytest.approx(np.mean([each.delta for each in one.seeds]))


def test_an_arm_without_seeds_is_compared_with_each() -> None:
    case = prepared(GOLD)
    base = cell(case, "base", mistaken(GOLD, range(60)))
    tuned = [cell(case, "sft", mistaken(GOLD, range(wrong)), seed) for seed, wrong in ((3, 10), (5, 20))]
    found = only(contrasts([base, *tuned], ARMS, [("sft", "base")], {}), "sft", "base")
    assert [one.seed for one in found.seeds] == [3, 5]
    assert [one.delta for one in found.seeds] == pytest.approx([50 / 120, 40 / 120])
    assert found.counts.only_a == 50, "the paired table is that of the first seed"
    assert found.more_right == 45, "and what a sentence counts is the mean over seeds"
    assert found.price_ratio is None, "the base model cost nothing"


def test_primary_contrasts_are_those_named_and_come_first() -> None:
    case = prepared(GOLD)
    cells = [cell(case, arm, mistaken(GOLD, range(n))) for n, arm in ((50, "base"), (20, "sft"), (18, "sft+dpo"))]
    found = contrasts(cells, ARMS, [("sft", "base")], {})
    assert [(one.a, one.b) for one in found if one.family == "primary"] == [("sft", "base")]
    assert found[0].family == "primary"
    assert only(found, "sft+dpo", "sft").adjustment == "bh"


def test_two_patients_are_described_and_no_more() -> None:
    case = prepared(["urgent", "routine"])
    cells = [cell(case, "sft", ["routine", "urgent"]), cell(case, "sft+dpo", ["urgent", "routine"])]
    found = contrasts(cells, ARMS, PRIMARY, {"triage": 0.05})
    assert only(found, "sft+dpo", "sft").descriptive
    assert {one.verdict for one in found} == {"inconclusive"}
    counts = Counts(train=1, validation=0, test=2, groups_test=2)
    task = TaskPart(name="triage", title="t", metric="accuracy", labels=list(LABELS), looks=1, counts=counts)
    (said,) = conclusions(found, [measure(case, one) for one in cells], [task], ARMS)
    assert (said.conclusion, said.recommendation) == ("descriptive", "more cases")


def test_one_patient_with_half_the_notes_is_described_and_no_more() -> None:
    case = prepared(GOLD, patients=["one"] * 60 + [f"p{n}" for n in range(60)])
    cells = [cell(case, "sft", mistaken(GOLD, range(60))), cell(case, "sft+dpo", GOLD)]
    found = only(contrasts(cells, ARMS, PRIMARY, {"triage": 0.05}), "sft+dpo", "sft")
    assert found.patients == 61
    assert "hold most cases" in found.descriptive


def test_a_class_that_no_held_out_case_has_is_not_averaged_in() -> None:
    gold = ["urgent", "routine"] * 30
    case = prepared(gold, metric="macro_f1")
    cells = [cell(case, "sft", mistaken(gold, range(30))), cell(case, "sft+dpo", gold)]
    found = only(contrasts(cells, ARMS, PRIMARY, {}), "sft+dpo", "sft")
    assert found.descriptive is None
    assert found.delta == pytest.approx(1 - 2 / 3), "each class: half found, and nothing else taken for it"
    assert measure(case, cells[1]).value == 1.0
    assert measure(case, cells[1]).never_predicted == []
    assert measure(case, cell(case, "sft", ["routine"] * 60)).never_predicted == ["urgent"]


def test_text_has_lengths_and_neither_counts_nor_classes() -> None:
    task = load_task("summarization")
    gold = [f"age={n}" for n in range(30)]
    case = told(task, Splits([], [], [Example(f"c{n}", f"p{n}", {}, one) for n, one in enumerate(gold)]))
    sft, dpo = cell(case, "sft", gold), cell(case, "sft+dpo", [2 * one for one in gold])
    assert (measure(case, sft).length_ratio, measure(case, dpo).length_ratio) == (1.0, 2.0)
    assert measure(case, sft).never_predicted == []
    found = contrasts([sft, dpo], ARMS, PRIMARY, {})
    assert [(one.a, one.b) for one in found] == [("sft+dpo", "sft")]
    assert (found[0].counts, found[0].dangerous) == (None, None)


def failure(arm: str, seed: int = 0, stage: str = "DPO") -> Failure:
    return Failure(task="triage", model="tiny", arm=arm, seed=seed, stage=stage, reason="why", fix="Mend it.")


def test_seeds_that_one_arm_lost_are_left_out_and_never_paired_with_others() -> None:
    case = prepared(GOLD)
    sft = [cell(case, "sft", mistaken(GOLD, range(wrong)), seed) for seed, wrong in ((0, 40), (1, 60), (2, 50))]
    dpo = [cell(case, "sft+dpo", mistaken(GOLD, range(wrong)), seed) for seed, wrong in ((1, 20), (2, 30))]
    found = only(contrasts([*sft, *dpo], ARMS, PRIMARY, {}, [failure("sft+dpo", 0)]), "sft+dpo", "sft")
    assert [one.seed for one in found.seeds] == [1, 2]
    assert [one.delta for one in found.seeds] == pytest.approx([40 / 120, 20 / 120])
    assert found.counts.only_a == 40, "counts are those of the first seed that both have"
    assert found.sentence.endswith("Only seeds 1, 2: SFT+DPO failed in DPO (seed 0).")


def test_arms_without_a_seed_in_common_are_not_compared() -> None:
    case = prepared(GOLD)
    cells = [cell(case, "sft", GOLD, 0), cell(case, "sft+dpo", GOLD, 1)]
    failed = [failure("sft", 1, "SFT"), failure("sft+dpo", 0)]
    assert ("sft+dpo", "sft") not in {(one.a, one.b) for one in contrasts(cells, ARMS, PRIMARY, {}, failed)}
    lost = only(not_compared(cells, ARMS, PRIMARY, failed), "sft+dpo", "sft")
    assert lost.family == "primary"
    assert lost.sentence == (
        "SFT+DPO and SFT on triage were not compared: SFT+DPO failed in DPO (seed 0); SFT failed in SFT (seed 1)."
    )


def test_a_contrast_that_a_failure_took_still_counts_in_the_adjustment() -> None:
    case = prepared(GOLD)
    primary = [("sft", "base"), ("sft+dpo", "sft")]
    cells = [cell(case, "base", mistaken(GOLD, range(40))), cell(case, "sft", mistaken(GOLD, range(26)))]
    alone = only(contrasts(cells, ARMS, primary, {}), "sft", "base")
    beside = only(contrasts(cells, ARMS, primary, {}, [failure("sft+dpo")]), "sft", "base")
    assert alone.p_adjusted == alone.p
    assert beside.p == alone.p
    assert beside.p_adjusted == pytest.approx(2 * alone.p)
    lost = {(one.a, one.b): one.family for one in not_compared(cells, ARMS, primary, [failure("sft+dpo")])}
    assert lost == {
        ("sft+dpo", "sft"): "primary",
        ("sft+dpo", "base"): "secondary",
        ("sft+dpo", "majority"): "gatekeeping",
    }


def test_a_question_asks_of_the_others_only_their_larger_p() -> None:
    """Two tasks of two primary contrasts each: closed testing over tasks, worked out from the p alone."""
    primary = [("sft+dpo", "sft"), ("sft+dpo", "sft+sft")]
    wrong = {"triage": {"sft": 34, "sft+sft": 28}, "urgency": {"sft": 36, "sft+sft": 27}}
    cells = [
        cell(case, arm, mistaken(GOLD, range(count)))
        for task, counts in wrong.items()
        for case in [prepared(GOLD, name=task)]
        for arm, count in {"sft+dpo": 20, **counts}.items()
    ]
    found = {(one.task, one.b): one for one in contrasts(cells, ARMS, primary, {}) if one.family == "primary"}
    first, second = ([found[task, b] for b in ("sft", "sft+sft")] for task in wrong)
    largest = [max(one.p for one in question) for question in (first, second)]
    for question, other in ((first, largest[1]), (second, largest[0])):
        small, large = question
        own = min(2 * small.p, large.p)
        assert small.p_adjusted == pytest.approx(max(own, 2 * min(own, other)))
        assert large.p_adjusted == pytest.approx(max(large.p, 2 * min(large.p, other)))
    both = [max(one.p_adjusted for one in question) for question in (first, second)]
    assert both == pytest.approx(holm(largest)), "what is claimed of a task as a whole is Holm over tasks"


def test_simpler_ways_are_a_family_that_certain_wins_do_not_loosen() -> None:
    case = prepared(GOLD)
    wrong = {"base": 110, "base+shots": 100, "sft": 20, "sft+dpo": 20, "tfidf": 29, "endpoint": 60}
    cells = [cell(case, arm, mistaken(GOLD, range(count))) for arm, count in wrong.items()]
    found = contrasts(cells, ARMS, PRIMARY, {})
    gates = [one for one in found if one.family == "gatekeeping"]
    assert {(one.a, one.b) for one in gates} == {(a, b) for a in ("sft", "sft+dpo") for b in ("tfidf", "majority")}
    assert {one.adjustment for one in gates} == {"holm"}
    assert [one.p_adjusted for one in gates] == pytest.approx(holm([one.p for one in gates]))
    others = [one for one in found if one.family == "secondary"]
    assert [one.p_adjusted for one in others] == pytest.approx(benjamini_hochberg([one.p for one in others]))


def test_dangerous_cases_are_shares_of_all_seeds_with_specificity_beside_them() -> None:
    case = prepared(GOLD)
    sft = [cell(case, "sft", mistaken(GOLD, (0, 3)), seed) for seed in (0, 1)]
    everything = [cell(case, "sft+dpo", answers, seed) for seed, answers in enumerate([["urgent"] * 120, GOLD])]
    found = only(contrasts([*sft, *everything], ARMS, PRIMARY, {}), "sft+dpo", "sft").dangerous
    assert found is not None
    assert found.sensitivity is not None
    assert found.specificity is not None
    assert (found.sensitivity.a, found.sensitivity.b) == (1.0, 38 / 40)
    assert (found.specificity.a, found.specificity.b) == (0.5, 1.0), "everything is called urgent with one of two seeds"
    assert (found.sensitivity.cases, found.specificity.cases, found.margin) == (40, 80, 0.1)
    turned = only(contrasts([*sft, *everything[::-1]], ARMS, PRIMARY, {}), "sft+dpo", "sft").dangerous
    assert turned == found, "the order of seeds decides nothing"
    unread = [cell(case, "sft+dpo", ["no label at all"] * 120)]
    found = only(contrasts([sft[0], *unread], ARMS, PRIMARY, {}), "sft+dpo", "sft").dangerous
    assert found is not None
    assert found.specificity is not None
    assert found.specificity.a == 0.0, "what cannot be read clears no case"


def test_what_the_study_has_not_is_no_contrast_that_failed() -> None:
    case = prepared(GOLD)
    cells = [cell(case, "base", GOLD), cell(case, "sft", GOLD)]
    assert not_compared(cells, ARMS, PRIMARY, []) == []
