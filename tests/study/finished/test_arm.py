"""An arm of a finished run, found again with and without its data."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from command_line import CommandLine
from preceptor.errors import InputError
from preceptor.files import digest_file
from preceptor.models import load_policy
from preceptor.study import held_out, label_answers, open_arm
from tiny_study import write_study

SHORT = {"epochs": 1, "batch_size": 8, "learning_rate": 0.01}


@pytest.fixture
def run(preceptor: CommandLine, tmp_path: Path, tiny_model_folder: Path) -> Path:
    study = write_study(
        tmp_path / "own",
        tiny_model_folder,
        arms=["base", "base+shots", "sft", "sft+dpo", "tfidf"],
        sft=SHORT,
        dpo=SHORT,
    )
    assert preceptor.run("study", study, "--output-dir", tmp_path / "run").code == 0
    return tmp_path / "run"


def test_it_answers_again_what_it_answered_in_the_study(run: Path) -> None:
    for name in ("base", "sft+dpo"):
        arm = open_arm(run, "urgency", name)
        cases = held_out(arm)
        policy = load_policy(arm.source, arm.folder, dtype=arm.numerics.torch_dtype)
        assert arm.label_rule is not None
        found = label_answers(policy, arm.task, cases.test, arm.numerics, arm.study.max_length, arm.label_rule)
        assert found.texts == [one.text for one in arm.predictions]
        for one, kept in zip(found.probabilities, arm.predictions, strict=True):
            assert kept.scores == pytest.approx(one, abs=1e-4)
        assert [one.id for one in cases.splits.test] == [one.id for one in arm.predictions]


def test_a_run_of_a_version_without_scores_says_that_its_answers_were_written(run: Path) -> None:
    for note in run.glob("cells/*/*/*/*/cell.json"):
        kept = json.loads(note.read_text())
        note.write_text(json.dumps({name: kept[name] for name in ("key", "evaluation_seconds", "cost")}))
    arm = open_arm(run, "urgency", "sft")
    assert (arm.label_rule, arm.form) == (None, None)


def test_an_arm_of_a_version_without_a_format_for_answers_is_asked_in_that_of_the_training(run: Path) -> None:
    study, results = run / "study.yaml", run / "results.json"
    begun = yaml.safe_load(study.read_text())
    begun["numerics"] = {"dtype": "bfloat16", "threads": 1}
    study.write_text(yaml.safe_dump(begun))
    made = json.loads(results.read_text())
    made["made_from"]["study.yaml"] = digest_file(study)
    results.write_text(json.dumps(made))
    assert open_arm(run, "urgency", "sft").numerics.dtype == "bfloat16"


def test_the_model_is_found_without_the_data_and_cases_are_not(run: Path, tmp_path: Path) -> None:
    table = tmp_path / "own" / "cases.csv"
    table.write_text(table.read_text().replace("itchy rash", "rash"))
    arm = open_arm(run, "urgency", "sft", 0)
    assert arm.folder is not None
    assert (arm.folder / "adapter").is_dir()
    with pytest.raises(InputError, match="data changed"):
        held_out(arm)
    table.unlink()
    with pytest.raises(InputError, match=re.escape("cases.csv")):
        held_out(open_arm(run, "urgency", "sft"))


def test_every_unknown_name_is_told_with_those_that_are_known(run: Path) -> None:
    with pytest.raises(InputError) as caught:
        open_arm(run, "urgent", "tfidf", 7)
    said = [(p.where.split(", ")[1], p.what, p.fix) for p in caught.value.problems]
    assert said == [
        ("--task", "this run has no task urgent", "Name one of urgency"),
        ("--arm", "tfidf has no model of its own", "Name one of base, sft, sft+dpo"),
        ("--seed", "this run has no seed 7", "Name one of 0"),
    ]


def test_a_model_that_was_deleted_or_lies_elsewhere_is_named(run: Path) -> None:
    folder = open_arm(run, "urgency", "sft").folder
    assert folder is not None
    results = json.loads((run / "results.json").read_text())
    (run.parent / "elsewhere" / "adapter").mkdir(parents=True)
    for cell in results["cells"]:
        cell["policy"] = "../elsewhere"
    (run / "results.json").write_text(json.dumps(results))
    with pytest.raises(InputError, match="outside of its folder"):
        open_arm(run, "urgency", "sft")
    shutil.rmtree(run.parent / "elsewhere")
    with pytest.raises(InputError, match="no longer there"):
        open_arm(run, "urgency", "sft")
