"""Two runs side by side."""

import json
import shutil
from pathlib import Path

import pytest

from html_page import Page
from preceptor.errors import InputError
from preceptor.evidence import number
from preceptor.report import compare_page, write_comparison
from run_folders import EARLIER


def rewrite(folder: Path, old: str, new: str, name: str = "results.json") -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))


def test_what_two_runs_share_stands_side_by_side(synthetic: Path, real: Path, tmp_path: Path) -> None:
    page = Page(write_comparison(synthetic, synthetic, tmp_path / "both.html").read_text())
    results = json.loads((synthetic / "results.json").read_text())
    for conclusion in results["conclusions"]:
        assert page.text.count(conclusion["sentence"]) == 2
    for cell in results["cells"]:
        assert page.text.count(number(cell["value"])) >= 2
    assert "Settings that differ None." in page.text
    assert "held-out cases are not the same" not in page.text


def test_settings_and_cases_that_differ_are_told(synthetic: Path, tmp_path: Path) -> None:
    other = shutil.copytree(synthetic, tmp_path / "other")
    rewrite(other, "beta: 0.1", "beta: 0.4", "study.yaml")
    sha256 = json.loads((other / "results.json").read_text())["study"]["tasks"][0]["test_sha256"]
    rewrite(other, sha256, "0" * 64)
    text = Page(compare_page(synthetic, other)).text
    assert "dpo.beta 0.1 0.4" in text
    assert text.count("The held-out cases are not the same") == 1


def test_settings_are_paired_by_task_not_by_place(synthetic: Path, tmp_path: Path) -> None:
    other = shutil.copytree(synthetic, tmp_path / "other")
    results = json.loads((other / "results.json").read_text())
    results["study"]["tasks"] = results["study"]["tasks"][1:]
    results["versions"] |= EARLIER
    for name in ("cells", "contrasts", "conclusions", "could_have_seen"):
        results[name] = [each for each in results[name] if each["task"] == "summarization"]
    (other / "results.json").write_text(json.dumps(results))
    study = (other / "study.yaml").read_text()
    first, second = study.index("- task: triage_urgency"), study.index("- task: summarization")
    (other / "study.yaml").write_text(study[:first] + study[second:])
    text = Page(compare_page(synthetic, other)).text
    assert "Settings that differ None." in text
    assert "How urgent is this patient, from 1 to 5? none" in text


def test_runs_without_a_shared_task_are_refused(synthetic: Path, real: Path) -> None:
    with pytest.raises(InputError, match="the two runs share no task: triage_urgency, summarization here, urgency in"):
        compare_page(synthetic, real)


def test_what_is_wrong_with_either_run_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        compare_page(tmp_path / "a", tmp_path / "b")
    assert [problem.where for problem in refused.value.problems] == [
        str(tmp_path / name / "results.json") for name in "ab"
    ]


def test_nothing_is_obeyed_or_loaded(synthetic: Path) -> None:
    rewrite(synthetic, '"question": "', '"question": "<script>alert(1)</script>')
    page = Page(compare_page(synthetic, synthetic))
    assert not page.all("script")
    assert page.text.count("alert(1)") == 2
    assert not page.values("src")
