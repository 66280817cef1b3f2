"""Every look at a test set is counted, across folders; the same predictions again are none."""

import json
from pathlib import Path

import pytest

from preceptor.errors import InputError
from preceptor.study.run.test_set_ledger import ledger_file, ordinal, record_use


def test_looks_at_one_test_set_are_counted_whatever_study_made_them() -> None:
    assert record_use("set", "a", "first study") == 1
    assert record_use("set", "b", "another") == 2
    assert record_use("other set", "a", "first study") == 1
    assert record_use("set", "c", "third") == 3
    assert record_use("set", "b", "renamed") == 2, "the same predictions again"
    lines = [json.loads(line) for line in ledger_file().read_text().splitlines()]
    assert [line["study"] for line in lines] == ["first study", "another", "first study", "third"]
    assert all(set(line) == {"test_sha256", "predictions_sha256", "time", "study"} for line in lines)


def test_the_ledger_is_private_and_where_the_user_keeps_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    record_use("set", "a", "study")
    file = tmp_path / "data" / "preceptor" / "looks.jsonl"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("XDG_DATA_HOME", "not/absolute")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert ledger_file() == tmp_path / "home" / ".local" / "share" / "preceptor" / "looks.jsonl"


def test_a_line_torn_by_a_crash_costs_no_other() -> None:
    record_use("set", "a", "study")
    with ledger_file().open("a") as ledger:
        ledger.write('{"test_sha256": "set", "predi')
    assert record_use("set", "b", "study") == 2
    assert record_use("set", "c", "study") == 3
    with ledger_file().open("a") as ledger:
        ledger.write("[" * 200_000 + "\n")
    assert record_use("set", "a", "study") == 1


def test_a_ledger_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match=r"looks\.jsonl: looks at test sets are noted here.*XDG_DATA_HOME"):
        ledger_file()


def test_numbers_in_words() -> None:
    assert [ordinal(n) for n in (1, 3, 10, 11, 12, 21, 22, 33, 101, 111)] == [
        "first", "third", "tenth", "11th", "12th", "21st", "22nd", "33rd", "101st", "111th",
    ]  # fmt: skip
