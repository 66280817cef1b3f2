"""What scripts ask of the command line: `--set`, `--json`, exit codes, completion, `python -m preceptor`."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from transformers import LlamaConfig

import preceptor as package
from command_line import CommandLine, Outcome
from preceptor import __version__
from preceptor.cli._completion import studies, studies_or_data
from preceptor.study import builtin_studies, load_study
from tiny_study import write_study


def printed(outcome: Outcome) -> dict[str, Any]:
    """The one object on stdout."""
    value = json.loads(outcome.shown)
    assert isinstance(value, dict)
    return value


# --- --set ---


def test_a_study_with_settings_is_the_study_of_a_file_in_which_they_stand(
    preceptor: CommandLine, tmp_path: Path, tiny_model_folder: Path
) -> None:
    said = ["--set", "arms=[tfidf]", "--set", "tasks.urgency.margin=.05", "--set", "question=Is it so?"]
    study = write_study(tmp_path / "given", tiny_model_folder)
    ran = preceptor.run("study", study, *said, "--output-dir", tmp_path / "run")
    assert ran.code == 0, ran
    stands = write_study(tmp_path / "other", tiny_model_folder, arms=["tfidf"], question="Is it so?")
    settings = yaml.safe_load(stands.read_text())
    settings["tasks"][0]["margin"] = 0.05
    settings["numerics"]["answer_dtype"] = "float32"  # what `auto` is on a CPU
    stands.write_text(yaml.safe_dump(settings, sort_keys=False))
    effective = yaml.safe_load((tmp_path / "run/study.yaml").read_text())
    assert effective == load_study(str(stands))[0].model_dump(mode="json")
    results = json.loads((tmp_path / "run/results.json").read_text())
    assert results["study"]["arms"] == ["tfidf"]
    assert results["study"]["tasks"][0]["margin"] == 0.05
    quoted = "--set 'arms=[tfidf]' --set tasks.urgency.margin=.05 --set 'question=Is it so?'"
    assert results["command"] == f"preceptor study {study} {quoted}"
    report = preceptor.run("report", tmp_path / "run")
    assert report.code == 0, report


def test_check_reads_settings_and_says_them_in_the_command_that_follows(
    preceptor: CommandLine, tmp_path: Path, tiny_model_folder: Path
) -> None:
    study = write_study(tmp_path, tiny_model_folder)
    checked = preceptor.run("check", study, "--set", "max_length=128", "--set", "name=other")
    assert checked.code == 0, checked
    assert f"Ready: preceptor study {study} --set max_length=128 --set name=other" in checked.shown
    refused = preceptor.run("check", study, "--set", "sft.epoch=2", "--set", "max_length=9")
    assert refused.code == 2
    assert "--set sft.epoch: there is no such setting. Check the spelling, or take it out." in refused.errors
    assert "--set max_length: Input should be greater than or equal to 32." in refused.errors
    table = preceptor.run("check", tmp_path / "cases.csv", "--task", "triage_urgency", "--set", "max_length=128")
    assert table.code == 2
    assert "--set: with --task there is no study file" in table.errors


def test_plan_reads_settings(preceptor: CommandLine, tmp_path: Path, tiny_model_folder: Path) -> None:
    machine = ("--memory-gib", "8", "--tflops", "10", "--json")
    study = write_study(tmp_path, tiny_model_folder)
    needs = [
        {
            need["what"]: need["tokens"]
            for need in printed(preceptor.run("plan", study, *more, *machine))["plan"]["needs"]
        }
        for more in ((), ("--set", "sft.epochs=8", "--set", "arms=[base, sft]"))
    ]
    assert needs[1].keys() == {"SFT", "answers of base", "answers of sft"}
    assert needs[1]["SFT"] == 2 * needs[0]["SFT"]
    refused = preceptor.run("plan", study, "--set", "sft.epoch=2", *machine)
    assert (refused.code, refused.shown) == (2, "")
    assert "--set sft.epoch: there is no such setting" in refused.errors


# --- --json ---


def test_check_prints_findings_and_counts(preceptor: CommandLine, tmp_path: Path, tiny_model_folder: Path) -> None:
    study = write_study(tmp_path, tiny_model_folder)
    checked = preceptor.run("check", study, "--json")
    assert checked.code == 0, checked
    found = printed(checked)
    assert (found["study"], found["ready"], found["problems"]) == ("tiny", True, [])
    (task,) = found["tasks"]
    assert task["task"] == "urgency"
    assert (
        task["counts"]["train"]["cases"] + task["counts"]["validation"]["cases"] + task["counts"]["test"]["cases"] == 72
    )
    assert task["counts"]["train"]["labels"].keys() == {"urgent", "routine"}
    assert task["lengths"]["train"]["longest"] > 0
    assert {one["level"] for one in task["findings"]} <= {"warning"}
    assert any("can only repeat" in one["what"] for one in found["warnings"])
    assert "what was read" in checked.errors
    assert "Ready: preceptor study" in checked.errors


def test_check_prints_what_is_fatal_and_ends_as_without(
    preceptor: CommandLine, tmp_path: Path, tiny_model_folder: Path
) -> None:
    study = write_study(tmp_path, tiny_model_folder, max_length=32)
    plain, checked = preceptor.run("check", study), preceptor.run("check", study, "--json")
    found = printed(checked)
    assert (plain.code, checked.code) == (2, 2)
    assert found["ready"] is False
    assert [one["what"] for one in found["problems"]]
    assert "fatal" in {one["level"] for task in found["tasks"] for one in task["findings"]}
    assert plain.errors in checked.errors

    study.write_text(study.read_text().replace("max_length: 32", "max_length: 8"))
    checked = preceptor.run("check", study, "--json")
    assert checked.code == 2
    assert printed(checked) == {
        "study": None,
        "ready": False,
        "problems": [
            {
                "where": f"{study}, line {len(study.read_text().splitlines())}, max_length",
                "what": "Input should be greater than or equal to 32",
                "fix": "Change it.",
            }
        ],
        "warnings": [],
        "tasks": [],
    }
    assert "max_length: Input should be greater than or equal to 32" in checked.errors


def test_check_of_a_table_prints_the_same(preceptor: CommandLine, tmp_path: Path, tiny_model_folder: Path) -> None:
    study = write_study(tmp_path, tiny_model_folder)
    words = ("--task", tmp_path / "urgency.task.yaml", "--target", "urgency", "--group", "patient")
    checked = preceptor.run("check", study.parent / "cases.csv", *words, "--model", tiny_model_folder, "--json")
    assert checked.code == 0, checked
    assert printed(checked)["tasks"][0]["counts"]["test"]["patients"] == 15


def test_plan_prints_its_numbers(preceptor: CommandLine, tmp_path: Path, tiny_model_folder: Path) -> None:
    study = write_study(tmp_path, tiny_model_folder)
    planned = preceptor.run("plan", study, "--devices", "2", "--memory-gib", "8", "--tflops", "10", "--json")
    assert planned.code == 0, planned
    found = printed(planned)
    assert found["fits"] is True
    assert found["machine"] == {"devices": 2, "memory": 8 * 2**30, "tflops": 10.0, "accelerator": True}
    assert found["plan"]["numerics"]["dtype"] == "float32"
    needs = found["plan"]["needs"]
    assert found["peak"] == max(need["peak"] for need in needs) < found["room"]
    assert found["seconds"] == pytest.approx(sum(need["times"] * need["seconds"] for need in needs))
    assert "2 accelerators, 8 GiB each" in planned.errors


def test_plan_prints_what_would_help(preceptor: CommandLine, tmp_path: Path, tiny_model_folder: Path) -> None:
    large = tmp_path / "large"
    large.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(tiny_model_folder / name, large)
    sizes = {"hidden_size": 2048, "intermediate_size": 4096, "num_hidden_layers": 1, "num_attention_heads": 16}
    LlamaConfig(vocab_size=128_000, **sizes).save_pretrained(large)
    small = {"threads": 1, "dtype": "float32", "tokens_per_tree": 256}  # no smaller trees are tried
    study = write_study(tmp_path, large, arms=["base", "sft"], numerics=small)
    found = printed(preceptor.run("plan", study, "--memory-gib", "1", "--tflops", "10", "--json"))
    assert found["fits"] is False
    assert found["peak"] > found["room"]
    assert found["remedies"]


def test_models_prints_the_list(preceptor: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    listed = preceptor.run("models", "--json")
    assert (listed.code, listed.errors) == (0, "")
    known = printed(listed)["models"]
    assert [model["name"] for model in known] == ["smollm2-135m-instruct", "all-minilm-l6-v2", "multilingual-e5-small"]
    for model in known:
        assert (model["fetched"], model["size"]) == (False, 0)
        assert model["location"].startswith(str(tmp_path))
    unknown = preceptor.run("models", "fetsch", "--json")
    assert (unknown.code, unknown.shown) == (2, "")


# --- the rest ---


def test_help_says_how_a_command_may_end(preceptor: CommandLine) -> None:
    shown = preceptor.run("--help").shown
    told = shown[shown.index("Exit codes:") :]
    for code in ("0 done", "1 a fault of ours", "2 put right what you gave", "3 of study:", "130 stopped with Ctrl-C"):
        assert code in told


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("preceptor sch", "schema"), ("preceptor schema re", "results"), ("preceptor study five", "five-tasks")],
)
def test_a_shell_completes_commands(typed: str, offered: str) -> None:
    asked = {"_PRECEPTOR_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    script = "import sys; sys.argv = ['preceptor']; from preceptor.cli import main; main()"
    words = [sys.executable, "-c", script]
    ended = subprocess.run(words, env=os.environ | asked, capture_output=True, text=True, check=True)
    assert ended.stdout.split() == [offered]


def test_studies_and_files_are_proposed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("notes.csv", "notes.study.yaml", "notes.task.yaml", ".hidden.yaml"):
        Path(name).write_text("")
    Path("runs/notes").mkdir(parents=True)
    assert studies("notes") == ["notes.study.yaml"]
    assert studies("") == [*builtin_studies(), "notes.study.yaml", "runs/"]
    assert studies("runs/") == ["runs/notes/"]
    assert studies("nothing/there") == []
    assert studies_or_data("notes.") == ["notes.csv", "notes.study.yaml", "notes.task.yaml"]


def test_python_runs_the_package_as_the_command(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "preceptor", "--version"]
    ended = subprocess.run(words, capture_output=True, text=True, check=True)
    assert ended.stdout == f"{__version__}\n"


def test_its_types_are_for_others_too() -> None:
    assert (Path(package.__file__).parent / "py.typed").is_file()
