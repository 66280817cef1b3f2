"""Every number of the results, computed again from predictions.jsonl and the cases by other libraries' own code."""

import json
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score, recall_score
from statsmodels.stats.multitest import multipletests

from preceptor.files import read_jsonl
from preceptor.report import read_run
from preceptor.report._cases import find_examples

close = partial(pytest.approx, abs=1e-9, rel=0)


@pytest.fixture(params=["synthetic", "real"])
def run(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue(request.param)


@cache
def right_answers(folder: Path, task: str) -> dict[str, str]:
    """The right answer to each case, from the data."""
    told = read_run(folder)
    part = next(each for each in told.results.study.tasks if each.name == task)
    return {name: told.tasks[task].parse(one.target) for name, one in find_examples(told, part).items()}


def answers(folder: Path, cell: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Right labels, given labels and scores of a cell's cases."""
    rows = read_jsonl(folder / cell["predictions"]["path"])
    right = right_answers(folder, cell["task"])
    return (
        np.array([right[row["id"]] for row in rows]),
        np.array([row["answer"] for row in rows]),
        np.array([row["score"] for row in rows]),
    )


def metric(name: str, part: dict[str, Any], gold: np.ndarray, given: np.ndarray, scores: np.ndarray) -> float:
    if name == "macro_f1":
        return f1_score(gold, given, labels=sorted(set(gold)), average="macro", zero_division=0)
    if name == "accuracy":
        return accuracy_score(gold, given)
    if name == "sensitivity":
        positives = next(extra["labels"] for extra in part["also"] if extra["metric"] == "sensitivity")
        return recall_score(np.isin(gold, positives), np.isin(given, positives))
    return float(np.mean(scores))


def test_values_rates_counts_and_matrices(run: Path) -> None:
    results = json.loads((run / "results.json").read_text())
    parts = {task["name"]: task for task in results["study"]["tasks"]}
    for cell in results["cells"]:
        part = parts[cell["task"]]
        gold, given, scores = answers(run, cell)
        assert cell["n"] == len(gold)
        assert cell["value"] == close(metric(cell["metric"], part, gold, given, scores))
        assert cell["invalid_rate"] == close(np.mean(given == "INVALID"))
        for name, value in cell["also"].items():
            if name != "rouge_l":  # its scores are not kept
                assert value == close(metric(name, part, gold, given, scores))
        if part["labels"]:
            matrix = confusion_matrix(gold, given, labels=[*part["labels"], "INVALID"])
            assert cell["confusion"]["matrix"] == matrix[:-1].tolist()
            missed = [label for label in part["labels"] if label in set(gold) - set(given)]
            assert cell["never_predicted"] == missed


def test_differences_counts_and_prices(run: Path) -> None:
    results = json.loads((run / "results.json").read_text())
    parts = {task["name"]: task for task in results["study"]["tasks"]}
    cells = {(cell["task"], cell["arm"], cell["seed"]): cell for cell in results["cells"]}
    seeds = results["study"]["seeds"]
    for contrast in results["contrasts"]:
        if contrast["b"] == "majority":
            continue
        pairs = [[cells[contrast["task"], contrast[side], seed] for side in "ab"] for seed in seeds]
        deltas = [a["value"] - b["value"] for a, b in pairs]
        assert contrast["delta"] == close(np.mean(deltas))
        assert [seed["delta"] for seed in contrast["seeds"]] == close(deltas)
        costs = [[pair[side]["cost"] for pair in pairs] for side in (0, 1)]
        spent = [sum(cost["flops"] - cost["evaluation_flops"] for cost in some) for some in costs]
        assert contrast["price_ratio"] == (close(spent[0] / spent[1]) if spent[1] else None)
        (gold, a, _), (_, b, _) = (answers(run, cell) for cell in pairs[0])
        if contrast["counts"]:
            both = confusion_matrix(a == gold, b == gold, labels=[True, False])
            names = ("both_right", "only_a", "only_b", "neither")
            assert contrast["counts"] == dict(zip(names, both.ravel().tolist(), strict=True))
        if contrast["dangerous"]:
            bad, table = parts[contrast["task"]]["dangerous"], np.zeros((2, 2), dtype=int)
            for pair in pairs:
                (gold, a, _), (_, b, _) = (answers(run, cell) for cell in pair)
                at_risk = np.isin(gold, bad)
                table += confusion_matrix(np.isin(a, bad)[at_risk], np.isin(b, bad)[at_risk], labels=[True, False])
            assert [contrast["dangerous"][name] for name in ("gained", "lost")] == [table[0, 1], table[1, 0]]
            assert contrast["dangerous"]["seeds"] == len(seeds)


def test_adjusted_p_values(run: Path) -> None:
    contrasts = json.loads((run / "results.json").read_text())["contrasts"]
    primary, gates, others = (
        [c for c in contrasts if c["family"] == family] for family in ("primary", "gatekeeping", "secondary")
    )
    assert primary
    assert gates
    assert others
    questions = {c["task"]: [one for one in primary if one["task"] == c["task"]] for c in primary}
    largest = {task: max(c["p"] for c in own) for task, own in questions.items()}
    for task, own in questions.items():
        within = multipletests([c["p"] for c in own], method="hommel")[1]
        rest = [p for name, p in largest.items() if name != task]
        expected = [multipletests([p, *rest], method="holm")[1][0] for p in within]
        assert [c["p_adjusted"] for c in own] == close(expected)
    holm = multipletests([c["p"] for c in gates], method="holm")[1]
    assert [c["p_adjusted"] for c in gates] == close(list(holm))
    bh = stats.false_discovery_control([c["p"] for c in others])
    assert [c["p_adjusted"] for c in others] == close(list(bh))
