"""The user's table of pairs that interact: by name, whatever the order, and what of it is not known."""

import json
from pathlib import Path

import pytest

from command_line import CommandLine
from preceptor.errors import InputError
from preceptor.study.interactions import read_interactions
from preceptor.tasks import load_task

TASK = load_task("medication")
STUDY = """
name: visits
arms: [copy_last, frequency]
model: {model}
tasks:
  - task: medication
    data: {{cases: 80, seed: 5, subgroups: [visit]}}
    interactions: pairs.csv
max_length: 1024
numerics: {{dtype: float32, threads: 1}}
"""
PAIRS = "\ufeffone,other,why\nRamipril,spironolactone,x\n apixaban ,aspirin,y\naspirin,Apixaban,\nwarfarin,aspirin,\n"


def table(folder: Path, text: str = PAIRS) -> Path:
    (folder / "pairs.csv").write_text(text, encoding="utf-8")
    return folder / "pairs.csv"


def test_trap_10_pairs_are_of_names_and_names_that_the_task_lacks_are_counted(tmp_path: Path) -> None:
    found = read_interactions(table(tmp_path), TASK)
    assert found.pairs == (("apixaban", "aspirin"), ("ramipril", "spironolactone"))
    assert found.unknown == ("warfarin",)
    assert set(found.not_in_it) == set(TASK.set_labels) - {"apixaban", "aspirin", "ramipril", "spironolactone"}
    matrix = found.matrix
    assert matrix.sum() == 4
    assert (matrix == matrix.T).all()


def test_trap_10_the_same_table_means_the_same_drugs_in_a_task_of_another_order(tmp_path: Path) -> None:
    turned = dict(reversed(TASK.answer.labels.items()))
    other = TASK.model_copy(update={"answer": TASK.answer.model_copy(update={"labels": turned})})
    ours, theirs = (read_interactions(table(tmp_path), one) for one in (TASK, other))
    assert {frozenset(pair) for pair in ours.pairs} == {frozenset(pair) for pair in theirs.pairs}
    assert theirs.matrix[::-1, ::-1].tolist() == ours.matrix.tolist()


@pytest.mark.parametrize(
    ("text", "task", "said"),
    [
        ("drug\naspirin\n", "medication", "no two columns"),
        ("a,b\nwarfarin,digoxin\naspirin,aspirin\n", "medication", "no row is of two"),
        (PAIRS, "triage_provider", "one label"),
    ],
)
def test_a_table_that_says_nothing_is_refused(tmp_path: Path, text: str, task: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_interactions(table(tmp_path, text), load_task(task))


def test_traps_15_and_18_the_prescribed_sets_own_rate_stands_beside_each_arm_s(
    preceptor: CommandLine, tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the table's number of pairs, on the page as in `results.json`; trap 16: first visits have their own row."""
    monkeypatch.chdir(tmp_path)
    table(tmp_path)
    Path("study.yaml").write_text(STUDY.format(model=tiny_model_folder))
    ran = preceptor.run("study", "study.yaml")
    assert ran.code == 0, ran
    (task,) = json.loads(Path("runs/visits/results.json").read_text())["study"]["tasks"]
    found = task["interactions"]
    assert (found["pairs"], found["unknown_names"]) == (2, ["warfarin"])
    assert set(found["arms"]) == {"copy_last", "frequency"}
    assert 0 < found["right_answers"]["value"] < 0.2
    assert found["right_answers"]["ci"][0] <= found["right_answers"]["value"] <= found["right_answers"]["ci"][1]
    assert {one["value"] for one in task["subgroups"]} == {"first", "later"}
    page = Path("runs/visits/report.html").read_text()
    assert "table of 2 pairs" in page
    assert "the right answers" in page
    assert "1 of the table's names are no label" in page or "1 of the table&#39;s names are no label" in page


def test_a_subgroup_that_built_in_cases_lack_is_refused(
    preceptor: CommandLine, tiny_model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table(tmp_path)
    Path("study.yaml").write_text(STUDY.format(model=tiny_model_folder).replace("[visit]", "[religion]"))
    checked = preceptor.run("check", "study.yaml")
    assert checked.code == 2
    assert "no subgroup" in checked.errors
