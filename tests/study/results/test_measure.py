"""What stands in results.json, computed again from the predictions by other libraries."""

import csv
import itertools
import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score
from statsmodels.stats.multitest import multipletests

from preceptor.report import read_run
from preceptor.study import read_predictions
from study_runs import Run

LABELS = ["urgent", "routine"]
COST = {
    "seconds", "optimizer_steps", "tokens_seen", "tokens_computed", "flops", "evaluation_flops", "peak_memory_bytes",
}  # fmt: skip


class Told:
    """One cell of results.json beside what was answered and what would have been right."""

    def __init__(self, run: Run, cell: dict[str, Any]) -> None:
        with (run.study_file.parent / "cases.csv").open(encoding="utf-8", newline="") as file:
            row_of = {str(number): row for number, row in enumerate(csv.DictReader(file), 2)}
        folder = run.folder / "cells" / cell["task"] / cell["model"].rsplit("/")[-1] / cell["arm"]
        predictions = read_predictions(folder / f"seed-{cell['seed']}")
        self.cell = cell
        self.predicted = [one.answer for one in predictions]
        self.gold = [row_of[one.id]["urgency"] for one in predictions]
        self.patients = [row_of[one.id]["patient"] for one in predictions]

    def macro_f1(self, predicted: list[str] | None = None) -> float:
        return float(f1_score(self.gold, predicted or self.predicted, labels=LABELS, average="macro", zero_division=0))


@pytest.fixture
def told(two_seeds: Run) -> dict[tuple[str, int], Told]:
    return {(cell["arm"], cell["seed"]): Told(two_seeds, cell) for cell in two_seeds.results["cells"]}


def test_results_on_disk_are_those_returned_and_have_the_promised_names(two_seeds: Run) -> None:
    results = json.loads((two_seeds.folder / "results.json").read_text())
    assert results == json.loads(json.dumps(two_seeds.results))
    assert read_run(two_seeds.folder).results.cells  # whose numbers agree with each other, and with the answers
    assert {"study", "versions", "cells", "contrasts"} <= results.keys()
    for cell in results["cells"]:
        assert {"task", "model", "arm", "seed", "metric", "value", "ci", "n", "invalid_rate", "cost"} <= cell.keys()
        assert cell["cost"].keys() == COST
    names = "task model metric family a b delta ci ci_90 p p_adjusted adjustment test interval n patients seeds margin "
    names += "verdict less_than_matters descriptive counts dangerous price_ratio needed sentence"
    assert all(set(names.split()) <= contrast.keys() for contrast in results["contrasts"])
    assert results["study"]["arms"] == [arm["name"] for arm in results["arms"]] == ["base", "sft", "sft+dpo"]
    assert [one["name"] for one in results["metrics"]] == ["macro_f1", "accuracy", "sensitivity"]
    assert all(one["title"] and one["explanation"] for one in [*results["arms"], *results["metrics"]])


def test_every_arm_and_seed_has_a_cell_and_some_answers_are_right_and_some_wrong(told: dict[Any, Told]) -> None:
    assert set(told) == set(itertools.product(["base", "sft", "sft+dpo"], [0, 1]))
    values = {key: one.cell["value"] for key, one in told.items()}
    assert all(values["base", seed] < values["sft", seed] < 1 for seed in (0, 1))
    assert len(set(values.values())) > 2


def test_values_are_those_of_scikit_learn(told: dict[Any, Told]) -> None:
    for one in told.values():
        cell = one.cell
        assert cell["value"] == pytest.approx(one.macro_f1())
        assert cell["also"]["accuracy"] == pytest.approx(accuracy_score(one.gold, one.predicted))
        recall = recall_score(one.gold, one.predicted, labels=["urgent"], average=None, zero_division=0)[0]
        assert cell["also"]["sensitivity"] == pytest.approx(recall)
        assert cell["invalid_rate"] == pytest.approx(one.predicted.count("INVALID") / len(one.gold))
        assert (cell["n"], cell["patients"]) == (len(one.gold), len(set(one.patients)))
        low, high = cell["ci"]
        assert low <= cell["value"] <= high
        columns = [*LABELS, "INVALID"]
        expected = confusion_matrix(one.gold, one.predicted, labels=columns)[:2].tolist()
        assert cell["confusion"] == {"labels": LABELS, "matrix": expected}


def test_the_interval_is_near_that_of_patients_drawn_again(told: dict[Any, Told]) -> None:
    one = told["sft", 0]
    rng = np.random.default_rng(1)
    cases_of = {patient: [i for i, other in enumerate(one.patients) if other == patient] for patient in one.patients}
    values = []
    for _ in range(500):
        drawn = [i for patient in rng.choice(list(cases_of), len(cases_of)) for i in cases_of[patient]]
        gold, predicted = [one.gold[i] for i in drawn], [one.predicted[i] for i in drawn]
        values.append(f1_score(gold, predicted, labels=sorted(set(gold)), average="macro", zero_division=0))
    low, high = one.cell["ci"]
    assert [low, high] == pytest.approx(np.quantile(values, [0.025, 0.975]).tolist(), abs=0.06)


PRIMARY = {("sft+dpo", "sft")}
GATEKEEPING = {("sft", "majority"), ("sft+dpo", "majority")}
SECONDARY = {("sft", "base"), ("sft+dpo", "base")}


def majority(run: Run) -> str:
    """The label that most training cases have."""
    preflight = json.loads((run.folder / "preflight.json").read_text())
    return Counter(preflight["urgency"]["counts"]["train"]["labels"]).most_common(1)[0][0]


def answered(run: Run, told: dict[Any, Told], arm: str, seed: int) -> list[str]:
    """What the arm answered; the majority answers everything alike."""
    return [majority(run)] * len(told["sft", seed].gold) if arm == "majority" else told[arm, seed].predicted


def test_contrasts_are_those_fixed_in_advance(two_seeds: Run, told: dict[Any, Told]) -> None:
    found = two_seeds.results["contrasts"]
    expected = {"primary": PRIMARY, "gatekeeping": GATEKEEPING, "secondary": SECONDARY}
    families = {family: {(o["a"], o["b"]) for o in found if o["family"] == family} for family in expected}
    assert families == expected
    assert len(found) == len(PRIMARY | GATEKEEPING | SECONDARY), "one contrast for all seeds"
    for one in found:
        of_seeds = [
            told[one["a"], seed].macro_f1() - told[one["a"], seed].macro_f1(answered(two_seeds, told, one["b"], seed))
            for seed in (0, 1)
        ]
        assert [each["seed"] for each in one["seeds"]] == [0, 1]
        assert [each["delta"] for each in one["seeds"]] == pytest.approx(of_seeds, abs=1e-9)
        assert one["delta"] == pytest.approx(np.mean(of_seeds), abs=1e-9)
        assert (one["n"], one["patients"]) == (len(told["sft", 0].gold), len(set(told["sft", 0].patients)))
        assert one["sentence"].endswith(".")
    task = two_seeds.results["study"]["tasks"][0]
    expected = told["sft", 0].macro_f1([majority(two_seeds)] * len(told["sft", 0].gold))
    assert task["majority"] == pytest.approx(expected, abs=1e-9)


def test_counts_are_those_of_the_first_seed_and_dangerous_cases_of_all(two_seeds: Run, told: dict[Any, Told]) -> None:
    for one in two_seeds.results["contrasts"]:
        gold = told["sft", 0].gold
        both = [[answered(two_seeds, told, one[arm], seed) for arm in ("a", "b")] for seed in (0, 1)]
        right = Counter((x == g, y == g) for g, x, y in zip(gold, *both[0], strict=True))
        names = {
            "both_right": (True, True),
            "only_a": (True, False),
            "only_b": (False, True),
            "neither": (False, False),
        }
        assert one["counts"] == {name: right[key] for name, key in names.items()}
        urgent = [(x, y) for a, b in both for g, x, y in zip(gold, a, b, strict=True) if g == "urgent"]
        dangerous = one["dangerous"]
        assert {name: dangerous[name] for name in ("labels", "lost", "gained", "seeds", "margin")} == {
            "labels": ["urgent"],
            "lost": sum(x != "urgent" and y == "urgent" for x, y in urgent),
            "gained": sum(x == "urgent" and y != "urgent" for x, y in urgent),
            "seeds": 2,
            "margin": 0.1,
        }
        others = [(x, y) for a, b in both for g, x, y in zip(gold, a, b, strict=True) if g != "urgent"]
        for place, arm in enumerate(("a", "b")):
            caught = np.mean([pair[place] == "urgent" for pair in urgent])
            cleared = np.mean([pair[place] not in ("urgent", "INVALID") for pair in others])
            assert dangerous["sensitivity"][arm] == pytest.approx(caught)
            assert dangerous["specificity"][arm] == pytest.approx(cleared)
        right_more = [sum((x == g) - (y == g) for g, x, y in zip(gold, *pair, strict=True)) for pair in both]
        assert one["more_right"] == pytest.approx(np.mean(right_more))


def test_the_price_of_an_arm_is_its_whole_training_over_the_others(two_seeds: Run, told: dict[Any, Told]) -> None:
    """Evaluations choose a checkpoint and train nothing."""

    def spent(arm: str, seed: int) -> float:
        cost = told[arm, seed].cell["cost"]
        return float(cost["flops"] - cost["evaluation_flops"])

    flops = {arm: sum(spent(arm, seed) for seed in (0, 1)) for arm in ("base", "sft", "sft+dpo")}
    for one in two_seeds.results["contrasts"]:
        if flops.get(one["b"]):
            assert one["price_ratio"] == pytest.approx(flops[one["a"]] / flops[one["b"]])
        else:
            assert one["price_ratio"] is None


def test_p_values_are_those_of_arms_swapped_by_hand_in_all_seeds_together(
    two_seeds: Run, told: dict[Any, Told]
) -> None:
    (contrast,) = [one for one in two_seeds.results["contrasts"] if (one["a"], one["b"]) == ("sft", "majority")]
    b = [majority(two_seeds)] * len(told["sft", 0].gold)
    patients = sorted(set(told["sft", 0].patients))
    rng = np.random.default_rng(2)
    as_large = 0
    for _ in range(400):
        swapped = {patient for patient, turn in zip(patients, rng.random(len(patients)) < 0.5, strict=True) if turn}
        deltas = []
        for a in (told["sft", 0], told["sft", 1]):
            first = [y if p in swapped else x for p, x, y in zip(a.patients, a.predicted, b, strict=True)]
            second = [x if p in swapped else y for p, x, y in zip(a.patients, a.predicted, b, strict=True)]
            deltas.append(a.macro_f1(first) - a.macro_f1(second))
        as_large += abs(np.mean(deltas)) >= abs(contrast["delta"]) - 1e-9
    assert contrast["p"] == pytest.approx(as_large / 400, abs=0.06)


def test_p_values_are_adjusted_by_family_and_verdicts_follow(two_seeds: Run) -> None:
    found = two_seeds.results["contrasts"]
    families = (("primary", "holm", "closed"), ("gatekeeping", "holm", "holm"), ("secondary", "fdr_bh", "bh"))
    for family, method, name in families:  # of one primary contrast there is nothing to adjust
        members = [one for one in found if one["family"] == family]
        adjusted = multipletests([one["p"] for one in members], method=method)[1]
        assert [one["p_adjusted"] for one in members] == pytest.approx(adjusted.tolist(), abs=1e-9)
        assert {one["adjustment"] for one in members} == {name}
    for one in found:
        low, high = one["ci"]
        assert low <= one["ci_90"][0] <= one["ci_90"][1] <= high
        shown = one["p_adjusted"] < 0.05 and not low <= 0 <= high
        expected = ("better" if one["delta"] > 0 else "worse") if shown else "inconclusive"
        assert one["verdict"] == (expected if one["descriptive"] is None else "inconclusive")
    verdicts = {(one["a"], one["b"]): one["verdict"] for one in found}
    assert verdicts["sft", "base"] == "better", "a study without any difference would check nothing"


def test_every_task_has_one_conclusion_that_never_says_more_than_its_contrasts(two_seeds: Run) -> None:
    (found,) = two_seeds.results["conclusions"]
    assert found.keys() == {"task", "model", "conclusion", "sentence", "recommendation", "reason", "warnings"}
    assert found["conclusion"] in {"unsettled", "dpo_harms"}, "there is no margin, and no SFT for the same compute"
    assert found["recommendation"] in {"do not deploy", "more cases"}
    assert "2 seeds" in found["sentence"]


def test_labels_never_predicted_and_lengths(told: dict[Any, Told]) -> None:
    for one in told.values():
        assert one.cell["never_predicted"] == [la for la in LABELS if la in one.gold and la not in one.predicted]
        assert one.cell["length_ratio"] is None


def test_the_untouched_model_answers_once_for_all_seeds(two_seeds: Run) -> None:
    first, second = (two_seeds.folder / f"cells/urgency/tiny/base/seed-{seed}" for seed in (0, 1))
    for name in ("predictions.jsonl", "cell.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    assert {kind: len(keys) for kind, keys in two_seeds.stages().items()} == {"sft": 2, "pairs": 2, "dpo": 2}


def test_the_cost_of_an_arm_is_that_of_its_stages(two_seeds: Run, told: dict[Any, Told]) -> None:
    ledgers = [json.loads(path.read_text()) for path in two_seeds.folder.glob("stages/*/ledger.json")]
    for name in ("optimizer_steps", "tokens_seen", "tokens_computed", "flops", "seconds"):
        in_stages = sum(ledger["cost"][name] for ledger in ledgers)
        in_arms = sum(told["sft+dpo", seed].cell["cost"][name] for seed in (0, 1))
        assert in_arms == pytest.approx(in_stages)
        assert told["base", 0].cell["cost"][name] == 0
    assert all(one.cell["evaluation_seconds"] > 0 for one in told.values())


def test_a_run_is_its_owners_alone_and_no_case_stands_outside_predictions_and_pairs(two_seeds: Run) -> None:
    assert two_seeds.folder.stat().st_mode & 0o777 == 0o700
    for path in two_seeds.folder.rglob("*"):
        if path.is_file() and path.suffix in {".json", ".yaml"}:
            assert "heart rate" not in path.read_text()
