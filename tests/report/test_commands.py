"""`preceptor report` and `preceptor compare` on finished runs."""

import json
import os
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from command_line import CommandLine
from preceptor import Results
from preceptor.errors import InputError


def test_a_report_is_built_again_with_and_without_text(preceptor: CommandLine, real: Path) -> None:
    built = preceptor.run("report", real)
    assert (built.code, built.shown) == (0, f"Report: {real}/report.html")
    assert "heart rate" not in (real / "report.html").read_text()
    assert preceptor.run("report", real, "--with-text").code == 0
    assert "heart rate" in (real / "report.html").read_text()


def test_two_runs_are_compared(
    preceptor: CommandLine, synthetic: Path, real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    compared = preceptor.run("compare", synthetic, synthetic)
    assert (compared.code, compared.shown) == (0, "Comparison: comparison.html")
    assert (tmp_path / "comparison.html").exists()
    refused = preceptor.run("compare", synthetic, real, "--output", tmp_path / "no.html")
    assert refused.code == 2
    assert "the two runs share no task" in refused.errors
    assert not (tmp_path / "no.html").exists()
    before = (synthetic / "results.json").read_bytes()
    refused = preceptor.run("compare", synthetic, synthetic, "--output", synthetic / "results.json")
    assert (refused.code, (synthetic / "results.json").read_bytes()) == (2, before)
    assert "ends in .html" in refused.errors


def test_results_are_taken_by_the_schema_that_the_command_prints(
    preceptor: CommandLine, synthetic: Path, real: Path
) -> None:
    validator = Draft202012Validator(json.loads(preceptor.run("schema", "results").shown))
    for run in (synthetic, real):
        results = json.loads((run / "results.json").read_text())
        validator.validate(results)
        results["cells"][0]["value"] = "good"
        (error,) = validator.iter_errors(results)
        assert list(error.absolute_path) == ["cells", 0, "value"]


def test_a_program_is_told_what_the_page_compares(
    preceptor: CommandLine, synthetic: Path, real: Path, tmp_path: Path
) -> None:
    results = json.loads((synthetic / "results.json").read_text())
    page = tmp_path / "both.html"
    compared = preceptor.run("compare", synthetic, synthetic, "--output", page, "--json")
    assert (compared.code, compared.errors) == (0, f"Comparison: {page}")
    found = json.loads(compared.shown)
    assert found["a"] == found["b"]
    assert found["a"]["study"] == results["study"]["name"]
    assert [task["task"] for task in found["tasks"]] == [task["name"] for task in results["study"]["tasks"]]
    for task in found["tasks"]:
        assert task["same_cases"] is True
        for arm in task["arms"]:
            cells = [one for one in results["cells"] if (one["task"], one["arm"]) == (task["task"], arm["arm"])]
            assert [one["value"] for one in arm["a"]] == [one["value"] for one in cells]
            assert [one["ci"] for one in arm["b"]] == [one["ci"] for one in cells]
    assert found["settings"] == []
    refused = preceptor.run("compare", synthetic, real, "--output", page, "--json")
    assert (refused.code, refused.shown) == (2, "")
    assert "the two runs share no task" in refused.errors


@pytest.mark.parametrize("content", ['{"study": ', "[" * 200_000])
def test_damaged_results_end_in_words(preceptor: CommandLine, real: Path, content: str) -> None:
    (real / "results.json").write_text(content)
    for words in (["report", real], ["compare", real, real]):
        outcome = preceptor.run(*words)
        assert outcome.code == 2
        assert "this is not JSON" in outcome.errors
        assert "Traceback" not in outcome.errors


def test_a_folder_that_is_closed_is_named(preceptor: CommandLine, synthetic: Path) -> None:
    cells = synthetic / "cells"
    cells.chmod(0)
    try:
        if os.access(cells, os.R_OK | os.X_OK):
            pytest.skip("nothing is closed to root")
        refused = preceptor.run("report", synthetic)
        with pytest.raises(InputError, match="these predictions cannot be read"):
            Results.load(synthetic)
    finally:
        cells.chmod(0o700)
    assert (refused.code, "Traceback" in refused.errors) == (2, False)
    assert "these predictions cannot be read" in refused.errors
