"""What failed stands on every page that would show it, and is never a silent absence."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from html_page import Page
from preceptor.report import model_card, read_run, show_results, write_cards, write_comparison, write_report
from preceptor.report._looks import arm_label
from preceptor.report._numbers import NONE
from run_folders import EARLIER, FIX, REASON, synthetic_run

TASK, TEXT = "triage_urgency", "summarization"
FAILED = [(TASK, "sft+dpo", 1), *((TASK, "sft+sft", seed) for seed in (0, 1)), *((TEXT, "sft+dpo", n) for n in (0, 1))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_source: Any) -> Path:
    root = tmp_path_factory.mktemp("failed") / "run"
    return synthetic_run(root, tiny_source, seeds=(0, 1), failed=FAILED)


@pytest.fixture(scope="module")
def results(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return read


@pytest.fixture(scope="module")
def text(folder: Path) -> str:
    return Page(write_report(folder).read_text()).text


def test_what_failed_why_and_what_to_do_stand_before_what_was_found(text: str, results: dict[str, Any]) -> None:
    there = len(results["cells"])
    assert f"5 of {5 + there} results are missing." in text
    part = text[text.index(" results are missing.") : text.index(" At a glance ")]
    assert part.count(REASON) == part.count(FIX) == 5
    titles = {task["name"]: task["title"] for task in results["study"]["tasks"]}
    for task, arm, seed in FAILED:
        assert f"{titles[task]} {arm.upper()} {seed} DPO {REASON}" in part


def test_the_tables_of_arms_differences_and_pairs_show_it(text: str, results: dict[str, Any]) -> None:
    assert text.count(f"SFT+SFT in DPO 0 failed {NONE} ") == 1
    assert text.count(f"SFT+DPO in DPO 1 failed {NONE} ") == 2, "one a task"
    primary = [one for one in results["not_compared"] if one["family"] == "primary"]
    assert [(one["task"], one["a"], one["b"]) for one in primary] == [
        (TASK, "sft+dpo", "sft+sft"),
        (TEXT, "sft+dpo", "sft"),
        (TEXT, "sft+dpo", "sft+sft"),
    ]
    for one in primary:
        assert f"Not compared: {one['sentence']}" in text
        assert f"failed {one['sentence']}" in text
    assert text.count("seed 0 only") >= 2, "in the table of primary contrasts, and in the task's own"
    assert "was answered by every arm but those that failed" in text


def test_figures_limits_and_methods_say_it(text: str) -> None:
    assert "SFT+SFT, 0 failed" in text
    assert "These failed and have no result: SFT+DPO on " in text
    assert "Planned and failed, so without a result: SFT+DPO on " in text


def test_an_arm_that_a_task_goes_without_is_named_with_the_reason(
    folder: Path, text: str, results: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    ((task, arm, reason),) = [tuple(one.values()) for one in results["left_out"]]
    assert (task, arm) == (TEXT, "tfidf")
    read = read_run(folder)
    title, phrase = (
        next(one.title for one in read.results.study.tasks if one.name == TEXT),
        read.results.arm(arm).phrase,
    )
    part = text[text.index(" What was left out ") : text.index(" At a glance ")]
    assert f"{title} {arm_label(read.results, arm)} {reason}" in part
    assert f"Left out: {phrase} of {title} ({reason})." in text
    assert "was answered by every arm but those that failed or that were left out" in text
    show_results(read.results, Console())
    assert f"{phrase} is left out of {TEXT}: {reason}." in " ".join(capsys.readouterr().out.split())


def test_a_reason_is_shown_and_not_obeyed(folder: Path) -> None:
    html = write_report(folder).read_text()
    assert "<b>the loss</b>" not in html
    assert "&lt;b&gt;the loss&lt;/b&gt;" in html


def test_every_model_that_there_is_has_its_card_which_says_what_failed(folder: Path) -> None:
    assert len(write_cards(folder)) == 1 + 2 + 2 + 2, "SFT+DPO with one seed, SFT with two, SFT and SFT+SFT of the text"
    card = model_card(read_run(folder), TASK, "sft+dpo")
    assert f"| 1 | failed in DPO | {NONE} | {NONE} | {NONE} |" in card
    assert "SFT+DPO and SFT+SFT on triage\\_urgency were not compared: SFT+DPO failed in DPO (seed 1); SFT+SFT " in card


def test_a_comparison_tells_what_failed_from_what_was_not_run(folder: Path, tmp_path: Path, synthetic: Path) -> None:
    page = Page(write_comparison(folder, synthetic, tmp_path / "page.html").read_text()).text
    assert "failed seed 0, in DPO failed seed 1, in DPO" in page
    assert "not run" not in page


def test_results_of_versions_that_knew_no_failures_are_read(
    folder: Path, tmp_path: Path, results: dict[str, Any]
) -> None:
    older = {name: value for name, value in results.items() if name not in ("failed", "left_out", "not_compared")}
    older["versions"] = older["versions"] | EARLIER
    copy = Path(shutil.copytree(folder, tmp_path / "older"))
    (copy / "results.json").write_text(json.dumps(older))
    page = Page(write_report(copy).read_text()).text
    assert "What failed" not in page
    assert "What was left out" not in page


def test_an_arm_that_is_none_of_the_study_is_refused(tmp_path: Path, results: dict[str, Any]) -> None:
    strange = [results["failed"][0] | {"arm": "sft+magic"}]
    (tmp_path / "results.json").write_text(json.dumps(results | {"failed": strange}))
    with pytest.raises(Exception, match="an arm that the study does not have"):
        write_report(tmp_path)
