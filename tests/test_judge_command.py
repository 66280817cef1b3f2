"""`preceptor judge`: the same as `compare_predictions`, on the command line."""

import json
from pathlib import Path

import pytest

from command_line import CommandLine
from preceptor.comparison import compare_predictions
from prediction_files import label_rows, score_rows, write_rows


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "sft.jsonl", label_rows(0.9, seed=1))
    write_rows(tmp_path / "base.jsonl", label_rows(0.6, seed=2))
    return tmp_path


def test_it_prints_what_python_returns(preceptor: CommandLine, here: Path) -> None:
    words = ("judge", "sft.jsonl", "base.jsonl", "--metric", "accuracy", "--group", "patient", "--margin", "0.05")
    found = compare_predictions("sft.jsonl", "base.jsonl", metric="accuracy", group="patient", margin=0.05)
    shown = preceptor.run(*words)
    assert (shown.code, shown.shown) == (0, " ".join(str(found).split()))
    numbers = json.loads(preceptor.run(*words, "--json").shown)
    assert (numbers["delta"], numbers["ci"], numbers["verdict"]) == (found.delta, list(found.ci), found.verdict)
    assert numbers["a"][0]["value"] == found.a[0].value


def test_seeds_stand_with_commas_between_them(preceptor: CommandLine, here: Path) -> None:
    for name, mean in (("a", 0.7), ("b", 0.6)):
        for seed in (1, 2):
            write_rows(here / f"{name}{seed}.jsonl", score_rows(mean, seed=seed))
    words = ("a1.jsonl,a2.jsonl", "b1.jsonl,b2.jsonl", "--metric", "mean_score", "--group", "each row")
    shown = preceptor.run("judge", *words)
    assert shown.code == 0, shown
    assert "a, seed 1" in shown.shown
    assert "b, seed 2" in shown.shown


def test_what_is_wrong_is_told_with_exit_code_2(preceptor: CommandLine, here: Path) -> None:
    shown = preceptor.run("judge", "sft.jsonl", "nothing.csv", "--metric", "acuracy")
    assert shown.code == 2
    for words in ("nothing.csv: no such file", "Did you mean `accuracy`?", "without a patient column say `each row`"):
        assert words in shown.errors
    assert preceptor.run("judge", "sft.jsonl", "base.jsonl").code == 2


@pytest.mark.parametrize(("said", "meant"), [("acc", "accuracy"), ("macro-f1", "macro_f1"), ("Auroc", "auroc")])
def test_the_metric_that_is_meant_is_named(preceptor: CommandLine, here: Path, said: str, meant: str) -> None:
    shown = preceptor.run("judge", "sft.jsonl", "base.jsonl", "--metric", said, "--group", "patient")
    assert (shown.code, f"Did you mean `{meant}`?" in shown.errors) == (2, True), shown.errors
