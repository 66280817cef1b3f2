"""A table without a header: its first case is taken for no name of a column, and is repeated nowhere."""

import csv
from pathlib import Path

import pytest

from command_line import CommandLine
from preceptor.data import describe_columns, has_header, read_table
from tiny_study import write_study, write_table

PATIENT = "Anna Meier"


def table(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def headless(tmp_path: Path) -> Path:
    """The tiny table without its first row; its first patient stands there by name."""
    with write_table(tmp_path / "cases.csv").open(newline="") as file:
        _, *rows = csv.reader(file)
    rows[0].append(PATIENT)
    with (tmp_path / "cases.csv").open("w", newline="") as file:
        csv.writer(file).writerows([row if len(row) > 5 else [*row, "Bo Yak"] for row in rows])
    return tmp_path / "cases.csv"


def words_of(path: Path) -> list[str]:
    with path.open(newline="") as file:
        return [word for word in next(csv.reader(file)) if len(word) > 1]  # one letter may be that of a column


def test_a_missing_column_of_it_is_told_by_letters(headless: Path, preceptor: CommandLine) -> None:
    study = write_study(headless.parent, Path("nowhere"))
    checked = preceptor.run("check", study)
    assert checked.code == 2
    assert "there is no column `note` (`note`)" in checked.errors
    assert "The first row does not look like column names" in checked.errors
    assert "columns are A to F" in checked.errors
    assert [word for word in words_of(headless) if word in checked.errors + checked.shown] == []


def test_new_asks_and_shows_nothing_of_it(headless: Path, preceptor: CommandLine) -> None:
    for words in ([], ["--text", "note", "--target", "urgency", "--group", "patient"]):
        new = preceptor.run("new", headless, "--output-dir", headless.parent, *words)
        assert new.code == 2
        assert "the first row does not look like column names (columns A to F)" in new.errors
        assert [word for word in words_of(headless) if word in new.errors + new.shown] == []
    assert not list(headless.parent.glob("*.yaml"))


@pytest.mark.parametrize(
    "rows",
    [
        ["P-0001,Chest pain,urgent", "P-0002,Ear wax,routine"],
        ["7,Anna,2024-03-05", "8,Bo,2024-03-06"],
        ["a,Anna,routine", "b,Bo,routine", "c,Cy,routine"],
        [f"1,{'Comes with chest pain since yesterday and '}{'is pale'}", "2,Ear wax"],
    ],
)
def test_what_is_no_header(tmp_path: Path, rows: list[str]) -> None:
    found = read_table(table(tmp_path / "a.csv", *rows))
    assert not has_header(found)
    assert "Columns are `" not in describe_columns(found)
    assert not any(name in describe_columns(found) for name in found.columns if len(name) > 1)


@pytest.mark.parametrize(
    "rows",
    [
        ["patient,note,urgency,day", "P1,Ear wax,routine,2024-03-05", "P2,Rash,routine,2024-03-06"],
        ["patient,2020,2021", "P1,3,4", "P2,5,6"],
        ["icd10,note", "I10,Dizzy", "J45,Coughs"],
        ["q1,q2", "4,5", "3,2"],
        [f"id,{'Please describe the complaint in your own words'},label", "1,Ear wax,no"],
        ["note", "Ear wax"],
        ["label,note", "yes,fever", "no,"],
        ["label,note", "yes,fever", "label,note", "no,rash", "label,note", "no,pain"],
    ],
)
def test_what_is_one(tmp_path: Path, rows: list[str]) -> None:
    found = read_table(table(tmp_path / "a.csv", *rows))
    assert has_header(found)
    assert describe_columns(found).startswith("Columns are ")


def test_names_that_stand_twice_are_not_repeated_where_they_may_be_a_case(
    tmp_path: Path, preceptor: CommandLine
) -> None:
    twice = table(tmp_path / "a.csv", f"P001,{PATIENT},{PATIENT}", "P002,Bo,Bo")
    said = preceptor.run("new", twice).errors
    assert "the first row holds no column names" in said
    assert PATIENT not in said
