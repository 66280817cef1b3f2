"""The page of results: every figure from the runs, sources named, nothing of this machine, the same each time."""

import json
import re
import shutil
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import yaml
from benchmarks._paper_section import published_direction
from benchmarks._published import CREDITS, PAPER_ROWS, PaperRow
from benchmarks.results import main, page, read_results, study_section, without_machine_path

from preceptor.errors import InputError
from preceptor.evidence import metric_title
from preceptor.tasks import builtin_tasks
from run_folders import REASON, SECRET, synthetic_run

EXAMPLES = Path(__file__).parents[2] / "examples"


ARMS = ("base", "sft", "sft+dpo")


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory, tiny_source: Any) -> Path:
    folder = tmp_path_factory.mktemp("run") / "quickstart"
    return synthetic_run(folder, tiny_source, dict.fromkeys(builtin_tasks(), 24), ARMS)


@pytest.fixture
def results(quickstart: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((quickstart / "results.json").read_text())
    return content


def on_real_data(results: dict[str, Any], name: str) -> dict[str, Any]:
    """The run as a study of one real set would have left it."""
    task = next(task for task in results["study"]["tasks"] if task["name"] == "triage_urgency")
    renamed = {**task, "name": name, "synthetic": False}
    results["study"] |= {"name": name, "tasks": [renamed]}
    for key in ("cells", "contrasts"):
        results[key] = [each | {"task": name} for each in results[key] if each["task"] == task["name"]]
    return results


def row(text: str, *starts: str) -> list[str]:
    """The cells of the one table row that begins with these cells."""
    rows = [line.strip("| ").split(" | ") for line in text.split("\n") if line.startswith("| ")]
    (found,) = [cells for cells in rows if cells[: len(starts)] == list(starts)]
    return found


def test_every_value_interval_and_cost_of_the_run_is_on_the_page(results: dict[str, Any]) -> None:
    text = page([results], "command")
    for cell in results["cells"]:
        low, high = cell["ci"]
        line = row(text, cell["task"], metric_title(cell["metric"]))
        assert f"{cell['value']:.2f} [{low:.2f}, {high:.2f}]" == line[5 + ARMS.index(cell["arm"])]
        cost = row(text, cell["task"], cell["arm"].replace("sft", "SFT").replace("dpo", "DPO"))
        assert cost[2:4] == [f"{100 * cell['invalid_rate']:.0f}%", f"{cell['cost']['tokens_computed']:,}"]
    assert row(text, "triage_urgency", "SFT+DPO")[4:6] == ["2.7 min", "2.3"]
    assert "sensitivity 0." in row(text, "triage_urgency", "SFT")[6]


def test_majority_counts_and_verdicts_come_from_the_run(results: dict[str, Any]) -> None:
    text = page([results], "command")
    (task,) = [task for task in results["study"]["tasks"] if task["name"] == "text_classification"]
    patients = f"{task['counts']['test']} ({task['counts']['groups_test']} patients)"
    assert row(text, "text_classification", "macro-F1")[2:5] == ["40", patients, f"{task['majority']:.2f}"]
    assert row(text, "summarization", "fact-F1")[4] == "-"
    assert all(
        f"- **{each['verdict']}**: {each['sentence']}" in text
        for each in results["contrasts"]
        if each["family"] == "primary"
    )
    assert all(
        f"- {each['sentence']} **{each['recommendation'].capitalize()}.**" in text for each in results["conclusions"]
    )


def test_the_paper_stands_beside_every_built_in_task_of_its_own(results: dict[str, Any]) -> None:
    assert set(PAPER_ROWS) == set(builtin_tasks()) - {"abbreviations", "long_note", "medication", "specialty"}
    text = page([results], "command")
    assert row(text, "triage_provider", "Llama3-8B (paper)")[2:] == ["F1", ".55", ".58", ".74", "<.001"]
    ours = [cell["value"] for cell in results["cells"] if cell["task"] == "triage_provider"]
    assert row(text, "triage_provider", "**ours**")[3:6] == [f"{value:.2f}" for value in ours]
    assert "Data and models differ" in text
    assert "arXiv 2409.12741" in text


@pytest.mark.parametrize(
    ("p", "sft", "dpo", "direction"),
    [
        (".003", "28%", "36%", "gain"),
        ("<.001", ".81", ".79", "loss"),
        (".55", ".98", ".95", "none shown"),
        (">.99", ".97", ".97", "none shown"),
        ("not given", "not effective", "not effective", "not given"),
    ],
)
def test_the_papers_direction_follows_its_p(p: str, sft: str, dpo: str, direction: str) -> None:
    assert published_direction(PaperRow("model", "F1", ".1", sft, dpo, p)) == direction


def test_directions_stand_side_by_side(results: dict[str, Any]) -> None:
    for contrast in results["contrasts"]:
        if (contrast["task"], contrast["a"], contrast["b"]) == ("triage_provider", "sft+dpo", "sft"):
            contrast |= {"verdict": "worse", "delta": -0.123, "ci": [-0.2, -0.05]}
    lines = [line for line in page([results], "command").split("\n") if line.startswith("| triage_provider | gain")]
    assert lines == [
        "| triage_provider | gain | gain | loss: \N{MINUS SIGN}0.12 [\N{MINUS SIGN}0.20, \N{MINUS SIGN}0.05] | - |"
    ]


def test_synthetic_cases_are_named_so_and_real_ones_credited(results: dict[str, Any]) -> None:
    assert "The cases are synthetic, and no clinician has reviewed them." in page([results], "command")
    text = page([on_real_data(results, "ktas_triage")], "command")
    assert "Moon SH et al., PLOS ONE 2019;14(9):e0216972. CC BY 4.0" in text
    assert "are synthetic" not in text
    assert "Beside the paper" not in text


def test_data_without_a_credit_are_refused(results: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="task our_ward: its data have no credit"):
        page([on_real_data(results, "our_ward")], "command")


def test_every_example_has_a_credit_with_the_licence_its_table_gives() -> None:
    assert set(CREDITS) == {path.name.removesuffix(".task.yaml") for path in EXAMPLES.glob("*.task.yaml")}
    files = [path for path in EXAMPLES.glob("*.yaml") if not path.name.endswith(".task.yaml")]
    tasks = {path.stem: yaml.safe_load(path.read_text())["tasks"][0]["task"] for path in files}
    studies = {name: task.removesuffix(".task.yaml") for name, task in tasks.items() if task.endswith(".yaml")}
    licences = re.findall(r"^\| `(\w+)` .*\| ([^|]+) \|$", (EXAMPLES / "README.md").read_text(), re.MULTILINE)
    real = [(name, licence) for name, licence in licences if name in studies]
    assert len(real) == len(studies)
    for name, licence in real:
        assert CREDITS[studies[name]].endswith(f". {licence}")


def test_a_credit_names_the_publication_that_the_task_file_names() -> None:
    for name, credit in CREDITS.items():
        source = yaml.safe_load((EXAMPLES / f"{name}.task.yaml").read_text())["source"]
        year = re.findall(r"20\d\d[\w():;-]*", credit)[-1]
        assert year.rstrip(".") in source


@pytest.mark.parametrize("control", ["passed", "failed", "not_run", None])
def test_a_study_whose_control_did_not_pass_cannot_speak_of_dpo(results: dict[str, Any], control: str | None) -> None:
    seen = [] if control is None else [{"control": control}]
    text = "\n".join(study_section(results | {"could_have_seen": seen}))
    assert ("cannot speak of DPO" in text) == (control != "passed")
    alone = results["study"] | {"arms": ["base", "sft"]}
    short = results | {
        "study": alone,
        "contrasts": [],
        "cells": [one for one in results["cells"] if "dpo" not in one["arm"]],
    }
    assert "cannot speak of DPO" not in "\n".join(study_section(short))


def test_several_seeds_have_a_row_each(tmp_path: Path, tiny_source: Any) -> None:
    folder = synthetic_run(tmp_path / "seeds", tiny_source, {"triage_urgency": 24}, ARMS, seeds=(0, 1))
    (run,) = read_results([folder])
    text = page([run], "command")
    assert row(text, "triage_urgency, seed 1", "macro-F1") != row(text, "triage_urgency, seed 0", "macro-F1")
    means = [fmean(c["value"] for c in run["cells"] if c["arm"] == arm) for arm in ARMS]
    assert row(text, "triage_urgency", "**ours**, mean of 2 seeds")[3:6] == [f"{value:.2f}" for value in means]


def test_a_missing_arm_value_or_interval_is_a_dash(results: dict[str, Any]) -> None:
    results["study"]["arms"] = ["base"]
    results["cells"] = [
        cell | {"value": None, "ci": [None, None]} for cell in results["cells"] if cell["arm"] == "base"
    ]
    results["contrasts"] = results["conclusions"] = []
    text = page([results], "command")
    assert row(text, "triage_urgency", "macro-F1")[5:] == ["-"]
    assert row(text, "triage_urgency", "**ours**")[3:] == ["-", "-", "-", "-"]


def test_the_page_is_the_same_twice_and_holds_no_case_and_no_path(
    quickstart: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(quickstart, tmp_path / "runs/quickstart")
    arguments = [str(tmp_path / "runs/quickstart"), "--machine", "2 shared cores"]
    assert main(arguments) == 0
    first = (tmp_path / "docs/RESULTS.md").read_text()
    assert main(arguments) == 0
    assert (tmp_path / "docs/RESULTS.md").read_text() == first
    assert "python -m benchmarks.results runs/quickstart --machine '2 shared cores'" in first
    assert str(tmp_path) not in first
    assert SECRET not in first
    assert capsys.readouterr().out.startswith("Wrote docs/RESULTS.md")


def test_paths_elsewhere_keep_their_last_part_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert without_machine_path("/somewhere/else/mine.yaml") == "mine.yaml"
    assert without_machine_path("runs/quickstart") == "runs/quickstart"
    assert without_machine_path("--output") == "--output"


def test_every_unfinished_run_is_named_and_the_exit_code_is_2(
    quickstart: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/results.json").write_text("{")
    output = tmp_path / "page.md"
    assert main([str(quickstart), str(tmp_path / "none"), str(tmp_path / "broken"), "--output", str(output)]) == 2
    told = capsys.readouterr().err
    assert f"{tmp_path}/none: there is no results.json" in told
    assert f"{tmp_path}/broken: there is no results.json" in told
    assert not output.exists()


def test_results_that_lack_an_entry_are_said_to(
    results: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del results["cells"][0]["invalid_rate"]
    (tmp_path / "results.json").write_text(json.dumps(results))
    assert main([str(tmp_path), "--output", str(tmp_path / "page.md")]) == 2
    assert "lacks an entry this page needs: 'invalid_rate'" in capsys.readouterr().err


def test_what_failed_is_shown_as_failed_and_why(tmp_path: Path, tiny_source: Any) -> None:
    folder = synthetic_run(
        tmp_path / "run", tiny_source, {"triage_urgency": 24}, ARMS, failed=[("triage_urgency", "sft+dpo", 0)]
    )
    (found,) = read_results([folder])
    text = page([found], "command")
    assert row(text, "triage_urgency", "macro-F1")[-1] == "failed"
    assert (
        "**not compared**: SFT+DPO and SFT on triage_urgency were not compared: SFT+DPO failed in DPO (seed 0)." in text
    )
    assert f"**failed**: triage_urgency, SFT+DPO, seed 0, in DPO: {REASON}." in text
