from pathlib import Path

import pytest
from pydantic import ValidationError

from preceptor.data import DataSpec


def test_path_is_relative_to_the_study_and_home_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    base = Path("/studies/one")
    assert DataSpec(path="data/cases.csv").files(base) == {None: base / "data/cases.csv"}
    assert DataSpec(path="/elsewhere/cases.csv").files(base) == {None: Path("/elsewhere/cases.csv")}
    assert DataSpec(path="~/cases.csv").files(base) == {None: Path("/home/someone/cases.csv")}


def test_one_file_a_split() -> None:
    spec = DataSpec(path={"train": "a.csv", "test": "b.csv"})
    assert spec.files(Path("/s")) == {"train": Path("/s/a.csv"), "test": Path("/s/b.csv")}


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ({}, "exactly one of `path`"),
        ({"path": "a.csv", "cases": 10}, "exactly one of `path`"),
        ({"path": {}}, "names no file"),
        ({"cases": 10, "target": "label"}, "`target` has no meaning beside `cases`"),
        ({"path": "a.csv", "seed": 3}, "`seed` has no meaning beside `path`"),
        ({"path": {"train": "a.csv"}, "split": "part"}, "`split` has no meaning"),
        ({"path": {"training": "a.csv"}}, "train"),
        ({"cases": 0}, "greater than 0"),
        ({"path": "a.csv", "colums": {}}, "colums"),
        ({"path": "a.csv", "labels": {True: "met"}}, "put quotes"),
    ],
)
def test_what_cannot_be_meant_is_refused(block: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        DataSpec.model_validate(block)


def test_numbers_in_yaml_are_the_text_they_are_in_the_file() -> None:
    spec = DataSpec.model_validate({"path": "a.csv", "labels": {1: "urgent", 2: 5}, "group": 7})
    assert spec.labels == {"1": "urgent", "2": "5"}
    assert spec.group == "7"


@pytest.mark.parametrize("block", [{"cases": 10, "seed": 4}, {"path": "a.csv", "group": "each row"}])
def test_a_spec_with_every_default_written_out_loads_again(block: dict[str, object]) -> None:
    spec = DataSpec.model_validate(block)
    assert DataSpec.model_validate(spec.model_dump()) == spec
