"""Dates and groups of the held-out cases: counted by hand from the predictions."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from sklearn.metrics import f1_score

from preceptor.files import read_jsonl
from run_folders import real_run


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory, tiny_source: Any) -> Path:
    return real_run(tmp_path_factory.mktemp("subgroups") / "run", tiny_source)


def test_each_groups_metric_is_that_of_its_own_cases(run_folder: Path) -> None:
    results = json.loads((run_folder / "results.json").read_text())
    (task,) = results["study"]["tasks"]
    with (run_folder.parent / "own" / "cases.csv").open() as file:
        rows = {str(number): row for number, row in enumerate(csv.DictReader(file), 2)}
    assert [group["value"] for group in task["subgroups"]] == ["F", "M"]
    for group in task["subgroups"]:
        for arm in results["study"]["arms"]:
            values = []
            for cell in (one for one in results["cells"] if one["arm"] == arm):
                answers = [p for p in read_jsonl(run_folder / cell["predictions"]["path"])
                           if rows[p["id"]]["sex"] == group["value"]]  # fmt: skip
                gold = [rows[p["id"]]["urgency"] for p in answers]
                values.append(f1_score(gold, [p["answer"] for p in answers], average="macro", labels=sorted(set(gold))))
                assert group["cases"] == len(answers)
                assert group["patients"] == len({rows[p["id"]]["patient"] for p in answers})
            assert group["values"][arm] == pytest.approx(sum(values) / len(values), abs=1e-9)
    days = sorted(rows[p["id"]]["day"] for p in read_jsonl(run_folder / results["cells"][0]["predictions"]["path"]))
    assert task["dates"] == {"first": days[0], "last": days[-1]}


def test_the_page_tells_dates_and_gaps(run_folder: Path) -> None:
    from html_page import Page
    from preceptor.report import write_report

    page = Page(write_report(run_folder).read_text())
    results = json.loads((run_folder / "results.json").read_text())
    (task,) = results["study"]["tasks"]
    assert f"{task['dates']['first']} to {task['dates']['last']}" in page.text
    values = sorted((group["values"]["sft+dpo"], group["value"]) for group in task["subgroups"])
    assert f"lies between {values[0][0]:.2f} ({values[0][1]}) and {values[1][0]:.2f} ({values[1][1]})" in page.text
    assert "subgroups are described, and too small to be tested" in page.text
