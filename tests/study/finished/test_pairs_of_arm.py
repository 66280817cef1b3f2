"""An arm's pairs with their prompts, out of a finished run."""

from pathlib import Path

import pytest

from command_line import CommandLine
from preceptor.errors import InputError
from preceptor.files import read_jsonl
from preceptor.preferences.interchange import read
from preceptor.study import rows_of_arm
from tiny_study import write_study

SHORT = {"epochs": 1, "batch_size": 8, "learning_rate": 0.01}


def test_a_run_folder_gives_the_pairs_an_arm_was_trained_on(
    preceptor: CommandLine, tmp_path: Path, tiny_model_folder: Path
) -> None:
    study = write_study(tmp_path / "own", tiny_model_folder, sft=SHORT, dpo={**SHORT, "learning_rate": 0.001})
    run = tmp_path / "run"
    assert preceptor.run("study", study, "--output-dir", run).code == 0
    before = sorted(path for path in run.rglob("*"))

    out = tmp_path / "pairs.jsonl"
    done = preceptor.run("convert", run, out, "--task", "urgency", "--arm", "sft+dpo")
    assert (done.code, done.errors) == (0, "")
    rows, lost = read(out)
    assert not lost
    (file,) = run.glob("stages/*/pairs.jsonl")
    kept = read_jsonl(file)
    assert [(row.id, row.chosen, row.rejected) for row in rows] == [(k["id"], k["chosen"], k["rejected"]) for k in kept]
    assert {row.extra["part"] for row in rows} == {"train", "validation"}
    assert all(row.group.startswith("P") and row.messages[-1]["content"].startswith("Visit") for row in rows)
    assert rows[0].messages[0] == {"role": "system", "content": "Answer urgent or routine."}
    assert sorted(path for path in run.rglob("*")) == before

    with pytest.raises(InputError) as caught:
        rows_of_arm(run, "urgent", "sft", 7)
    assert [problem.where.split(", ")[1] for problem in caught.value.problems] == ["--task", "--arm", "--seed"]
    assert str(run) in str(caught.value)
