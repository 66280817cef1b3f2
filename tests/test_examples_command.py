"""`preceptor examples`: those of the checkout, also where there is none, and copied whole."""

from pathlib import Path

import pytest

from command_line import CommandLine
from preceptor.study import load_study
from preceptor.tasks import load_task

EXAMPLES = Path(__file__).parents[1] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.yaml") if not path.stem.endswith(".task"))


def test_they_are_listed(preceptor: CommandLine) -> None:
    listed = preceptor.run("examples")
    assert listed.code == 0
    assert all(name in listed.shown for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_copy_can_be_read_where_it_is(
    name: str, preceptor: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    copied = preceptor.run("examples", name)
    assert copied.code == 0, copied
    study, folder = load_study(f"{name}.yaml")
    for entry in study.tasks:
        load_task(folder / entry.task if entry.task.endswith(".yaml") else entry.task)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: (EXAMPLES / path.name).read_bytes() for path in tmp_path.iterdir()
    }
    assert ("`path:`" in copied.shown) == any(entry.data.path is not None for entry in study.tasks)
    again = preceptor.run("examples", name)
    assert again.code == 2
    assert again.errors.count("there is already a file") == len(list(tmp_path.iterdir()))


def test_one_that_there_is_not_is_told(preceptor: CommandLine) -> None:
    told = preceptor.run("examples", "no_such")
    assert told.code == 2
    assert "ktas_triage" in told.errors


def test_where_nothing_can_be_written(preceptor: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/proc")  # where not even root can
    told = preceptor.run("examples", "savage2024")
    assert (told.code, "it cannot be written here" in told.errors) == (2, True)
