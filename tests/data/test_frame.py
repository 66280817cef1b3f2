"""A data frame is read back from its file as any table is, and no message quotes a cell of it."""

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preceptor.data import read_table, write_frame
from preceptor.errors import InputError

SECRET = "burning when passing water"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def read_back(frame: Any, path: Path) -> dict[str, list[str]]:
    write_frame(frame, path)
    table = read_table(path)
    return {name: table.column(name) for name in table.columns}


@given(rows=st.lists(st.tuples(TEXTS, st.none() | TEXTS), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_text_comes_back(rows: list[tuple[str, str | None]], tmp_path: Path) -> None:
    frame = pd.DataFrame(rows, columns=["note", "more"], dtype=object)
    read = read_back(frame, tmp_path / "cases.parquet")
    assert read == {"note": [one for one, _ in rows], "more": [other or "" for _, other in rows]}
    dicts = [{"note": one, "more": other} for one, other in rows]
    assert read_back(dicts, tmp_path / "dicts.parquet") == read


def test_numbers_dates_and_gaps_become_text_as_those_of_other_files_do(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "stay": [3, None, 5],
            "potassium": np.array([4.1, np.nan, 5.0], dtype="float32"),
            "seen": [datetime(2024, 3, 5), None, datetime(2024, 3, 5, 10, 30)],
            "icu": pd.array([True, None, False], dtype="boolean"),
            "ward": pd.Categorical(["A", "B", None]),
            "id": pd.array([12, None, 14], dtype="Int64"),
        },
        index=["p1", "p2", "p3"],
    )
    assert read_back(frame, tmp_path / "cases.parquet") == {
        "stay": ["3", "", "5"],
        "potassium": ["4.1", "", "5"],
        "seen": ["2024-03-05", "", datetime(2024, 3, 5, 10, 30).isoformat()],
        "icu": ["true", "", "false"],
        "ward": ["A", "B", ""],
        "id": ["12", "", "14"],
    }


def test_a_row_need_not_have_every_key(tmp_path: Path) -> None:
    assert read_back([{"a": "1"}, {"b": "2"}], tmp_path / "cases.parquet") == {"a": ["1", ""], "b": ["", "2"]}


def test_the_file_is_closed_to_others(tmp_path: Path) -> None:
    write_frame([{"note": SECRET}], tmp_path / "cases.parquet")
    assert (tmp_path / "cases.parquet").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (
            [{"note": SECRET, "age": 40}, {"note": 7, "age": "old"}],
            ["column `note`: it holds", "column `age`: it holds"],
        ),
        ([{"note": f"{SECRET} \ud800"}], ["column `note`: it holds values of several kinds"]),
        ([{3 * SECRET: 40}, {3 * SECRET: "old"}], ["column a text of 78 characters"]),
        (pd.DataFrame([[SECRET, "b"]], columns=["note", "note"]), ["1 column names stand twice"]),
        (pd.DataFrame({"note": []}), ["it has no rows"]),
        (pd.DataFrame(index=[1, 2]), ["it has no rows"]),
        ([], ["it has no rows"]),
        ([SECRET], ["a pandas DataFrame or a list of dicts was expected, not list"]),
        (SECRET, ["not str"]),
        (pd.Series([SECRET], name="note"), ["not Series"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_no_file_can_hold_is_said_and_not_quoted(frame: Any, said: list[str], tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        write_frame(frame, tmp_path / "cases.parquet")
    assert [what for what in said if what not in str(refused.value)] == []
    assert SECRET not in str(refused.value)
    assert not list(tmp_path.iterdir())
