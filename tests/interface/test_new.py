"""From a data frame to a study: the very files that `preceptor new` writes, and a table beside them."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from command_line import CommandLine
from preceptor import Results, Study, new_study
from preceptor.errors import InputError

SECRET = "burning when passing water"


def frame() -> pd.DataFrame:
    """Visits with a date; the last label is spelt otherwise."""
    n = pd.Series(range(60))
    return pd.DataFrame(
        {
            "patient": "P" + n.floordiv(2).astype(str),
            "day": pd.to_datetime("2024-03-01") + pd.to_timedelta(n, unit="D"),
            "note": SECRET + " for " + n.astype(str) + " days",
            "urgency": ["urgent", "routine"] * 29 + ["urgent", "Routine"],
        }
    )


def said(folder: Path, **changes: Any) -> dict[str, Any]:
    columns = {"text": "note", "target": "urgency", "group": "patient", "date": "day"}
    return {**columns, "folder": folder, **changes}


def files_of(folder: Path) -> list[Path]:
    """All files below a folder."""
    return [one for one in folder.rglob("*") if one.is_file()]


def test_the_files_are_those_of_the_command(tmp_path: Path, preceptor: CommandLine) -> None:
    folder = tmp_path / "triage"
    study = new_study(frame(), **said(folder))
    files = {one.name: one.read_bytes() for one in folder.iterdir() if one.name.endswith(".yaml")}
    assert sorted(files) == ["triage.study.yaml", "triage.task.yaml"]
    words = ("--text", "note", "--target", "urgency", "--group", "patient", "--date", "day", "--output-dir", folder)
    outcome = preceptor.run("new", folder / "triage.parquet", *words, "--overwrite")
    assert outcome.code == 0, outcome.errors
    assert {name: (folder / name).read_bytes() for name in files} == files
    assert study.what == str(folder / "triage.study.yaml")
    (entry,) = study.settings.tasks
    assert entry.data.labels == {"Routine": "routine"}


def test_nobody_else_can_read_the_cases(tmp_path: Path) -> None:
    new_study(frame(), **said(tmp_path / "triage"))
    assert (tmp_path / "triage").stat().st_mode & 0o777 == 0o700
    assert {one.stat().st_mode & 0o777 for one in files_of(tmp_path / "triage")} == {0o600}


def test_a_folder_that_was_there_stays_as_open_as_it_was(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    new_study(frame(), **said(tmp_path, name="triage"))
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "triage.parquet").stat().st_mode & 0o777 == 0o600


def test_settings_go_into_the_study_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "mine").mkdir(parents=True)
    changes = {"model": "models/mine", "arms": ["base", "sft+dpo"], "margin": 0.1, "group": "each row"}
    study = new_study(frame().to_dict("records"), **said(Path("triage"), **changes))
    raw = yaml.safe_load((tmp_path / "triage" / "triage.study.yaml").read_text())
    assert raw["model"] == str(tmp_path / "models" / "mine"), "the study file lies elsewhere than its caller"
    assert raw["arms"] == ["base", "sft+dpo"]
    assert raw["tasks"][0]["margin"] == study.settings.tasks[0].margin == 0.1
    assert raw["tasks"][0]["data"]["group"] == "each row"


def test_what_is_there_is_replaced_only_when_that_is_said(tmp_path: Path) -> None:
    new_study(frame(), **said(tmp_path / "triage"))
    before = {one.name: one.read_bytes() for one in files_of(tmp_path / "triage")}
    with pytest.raises(InputError, match=r"triage\.parquet: this file exists already.*overwrite=True"):
        new_study(frame().head(40), **said(tmp_path / "triage"))
    with pytest.raises(InputError, match="there is no column `who`"):
        new_study(frame().head(40), **said(tmp_path / "triage", group="who", overwrite=True))
    assert {one.name: one.read_bytes() for one in files_of(tmp_path / "triage")} == before
    new_study(frame().head(40), **said(tmp_path / "triage", overwrite=True))
    assert len(pd.read_parquet(tmp_path / "triage" / "triage.parquet")) == 40


def test_every_problem_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        new_study(frame(), **said(tmp_path / "triage", text=["note", "age"], target="level", name="a b"))
    wrong = " ".join(problem.what for problem in refused.value.problems)
    assert all(what in wrong for what in ("no column `age`", "no column `level`", "`a b` cannot be a file name"))
    assert "triage" in str(refused.value)
    assert SECRET not in str(refused.value)
    assert list((tmp_path / "triage").iterdir()) == []


def test_a_place_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write here"):
        new_study(frame(), **said(tmp_path / "file" / "triage"))


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"margin": "0.1"}, "margin: a number was expected, found str"),
        ({"name": "a\0b"}, "name: this is no path: it holds a NUL"),
        ({"name": "x" * 300}, "name: a name in this path is too long"),
        ({"name": "x" * 220}, "name: this name is too long"),
        ({"folder": "a\0b"}, "folder: this is no path"),
        ({"folder": "x" * 300}, "folder: a name in this path is too long"),
    ],
)
def test_what_can_be_no_file_or_number_is_told(tmp_path: Path, changes: dict[str, Any], where: str) -> None:
    with pytest.raises(InputError, match=where):
        new_study(frame(), **said(tmp_path / "triage") | changes)
    assert files_of(tmp_path) == []


@pytest.mark.parametrize("path", ["a\0b", "x" * 300])
def test_so_are_paths_of_studies_and_runs(tmp_path: Path, path: str) -> None:
    study = new_study(frame(), **said(tmp_path / "triage"))
    for call in (Study.load, Results.load, study.run):
        with pytest.raises(InputError):
            call(path)


@pytest.mark.parametrize("wrong", [{"margin": 5}, {"arms": ["no_such"]}])
def test_a_setting_that_is_refused_leaves_no_files_in_the_way(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        new_study(frame(), **said(tmp_path / "triage", **wrong))
    assert new_study(frame(), **said(tmp_path / "triage")).settings.name == "triage"


def test_check_has_nothing_against_the_arms_that_are_proposed(tmp_path: Path, tiny_model_folder: Path) -> None:
    proposed = new_study(frame(), **said(tmp_path / "triage", model=tiny_model_folder))
    named = proposed.set("arms", ["base", "sft", "sft+dpo"])
    repeats = [
        any("DPO can only repeat it" in one.what for one in study.check().warnings) for study in (proposed, named)
    ]
    assert repeats == [False, True]


def test_lists_of_labels_are_proposed_as_several_and_check_has_nothing_against_it(
    tmp_path: Path, tiny_model_folder: Path, preceptor: CommandLine
) -> None:
    has = [["asthma", "gout"], ["gout"], ["asthma"], [], ["COPD"], ["COPD", "asthma"]] * 10
    cases = frame().assign(urgency=pd.Series(has))
    study = new_study(cases, **said(tmp_path / "problems", model=tiny_model_folder))
    checked = study.check()
    assert checked.ready, str(checked)
    assert checked.tasks[0].counts["train"].labels.keys() == {"asthma", "gout", "COPD"}
    assert {one.code for one in checked.tasks[0].findings} == {"few_patients", "empty_set"}
    words = ("--text", "note", "--target", "urgency", "--group", "patient", "--output-dir", tmp_path / "again")
    outcome = preceptor.run("new", tmp_path / "problems" / "problems.parquet", *words)
    assert outcome.code == 0, outcome.errors
    assert "target: urgency (several of 3 labels, `;` between them)" in outcome.shown


def test_what_is_missing_is_asked_for_in_words_of_both_doors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Name the patient's column \(`group`\)") as refused:
        new_study(frame(), **said(tmp_path / "triage", group=""))
    assert "--" not in str(refused.value)
