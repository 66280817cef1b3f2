import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preceptor import files

# What JSON can hold: any text that can be written as UTF-8, any finite number.
LONG = "x" * 300
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
ROWS = st.lists(st.dictionaries(TEXTS, VALUES, max_size=4), max_size=5)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@given(rows=ROWS)
def test_rows_come_back_as_they_were_written(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    path = tmp_path_factory.getbasetemp() / "rows.jsonl"
    files.write_jsonl(path, rows)
    assert files.read_jsonl(path) == rows


def test_only_a_line_feed_ends_a_row(tmp_path: Path) -> None:
    rows = [{"text": "a\u2028b\u2029c\x85d\x0be\x1cf\r\ng"}, {"text": "second"}]
    files.write_jsonl(tmp_path / "rows.jsonl", rows)
    assert files.read_jsonl(tmp_path / "rows.jsonl") == rows
    assert "\u2028" in (tmp_path / "rows.jsonl").read_text(encoding="utf-8"), "this row would be cut in two"


def test_a_number_that_is_none_is_refused_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    files.write_json(path, {"value": 1.0})
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(path, {"value": float("nan")})
    assert path.read_text() == '{\n  "value": 1.0\n}\n'


def test_what_is_written_is_its_owners_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        files.write_atomic(tmp_path / "secret", "text")
        files.private_folder(tmp_path / "a" / "b")
        (tmp_path / "open").mkdir(mode=0o777)
        files.private_folder(tmp_path / "open")
    finally:
        os.umask(before)
    assert mode(tmp_path / "secret") == 0o600
    assert mode(tmp_path / "a" / "b") == 0o700
    assert mode(tmp_path / "open") == 0o700


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    files.write_atomic(path, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_atomic(path, "new")
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_a_kill_at_any_moment_of_a_write_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    program = (
        "import sys, pathlib; from preceptor.files import write_atomic\n"
        "for n in range(10**9): write_atomic(pathlib.Path(sys.argv[1]), str(n % 10) * 200_000)"
    )
    for wait in (0.01, 0.013, 0.017):
        with subprocess.Popen([sys.executable, "-c", program, str(path)]) as process:
            while not path.exists() and process.poll() is None:
                pass
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(wait)
            process.send_signal(signal.SIGKILL)
        text = path.read_text()
        assert text == text[0] * 200_000
        path.unlink()


def test_a_folder_is_published_whole_and_replaces_an_older_one(tmp_path: Path) -> None:
    aside, final = tmp_path / ".aside", tmp_path / "adapter"
    for content in ("first", "second"):
        (aside / "deep").mkdir(parents=True)
        (aside / "deep" / "file").write_text(content)
        if content == "second":
            (final / "only in the first").touch()
        files.publish_folder(aside, final)
        assert [path.name for path in sorted(final.rglob("*"))] == ["deep", "file"]
        assert (final / "deep" / "file").read_text() == content
        assert not aside.exists()


@given(value=st.dictionaries(TEXTS, VALUES))
def test_a_digest_names_content_not_order(value: dict[str, Any]) -> None:
    turned = dict(reversed(value.items()))
    assert files.digest(turned) == files.digest(value)
    assert files.digest([value]) != files.digest(value)


def test_digests_of_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert files.digest_file(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files.digest(1) != files.digest("1")


@settings(deadline=None)  # each row waits for the disk
@given(rows=ROWS, cut=st.integers(0, 200))
def test_a_log_that_was_cut_anywhere_goes_on_behind_its_last_whole_line(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Any], cut: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "log.jsonl"
    path.unlink(missing_ok=True)
    log = files.JsonLog(path)
    for row in rows:
        log.append(row)
    assert log.read() == rows
    written = path.read_bytes() if rows else b""
    path.write_bytes(written[:cut])
    whole = log.read()
    assert whole == rows[: len(whole)]
    assert len(whole) >= written[:cut].count(b"\n")
    log.append({"next": 1})
    assert log.read() == [*whole, {"next": 1}]
    assert path.read_bytes().count(b"\n") == len(whole) + 1


def test_a_damaged_line_of_a_log_is_refused_or_skipped(tmp_path: Path) -> None:
    log = files.JsonLog(tmp_path / "log.jsonl")
    assert log.read() == []
    log.path.write_text('{"a": 1}\n' + "[" * 200_000 + '\n"text"\n\n{"a": 2}')
    with pytest.raises(ValueError, match="not a JSON object"):
        log.read()
    assert log.read(skip_damaged=True) == [{"a": 1}, {"a": 2}]
    log.append({"a": 3})
    assert log.read(skip_damaged=True) == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_a_log_is_its_owners_alone(tmp_path: Path) -> None:
    files.JsonLog(tmp_path / "log.jsonl").append({})
    assert mode(tmp_path / "log.jsonl") == 0o600


def test_a_home_that_nobody_has_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert files.expanded("~/cases.csv") == Path("/home/someone/cases.csv")
    assert files.expanded("~nosuchuser0/cases.csv") == Path("~nosuchuser0/cases.csv")
    assert not files.is_file(files.expanded("~nosuchuser0/cases.csv"))


@pytest.mark.parametrize("name", [f"runs/{LONG}", "a\0b"])
def test_what_no_file_system_can_have_is_neither_file_nor_folder(name: str) -> None:
    assert files.why_no_path(name)
    assert not files.is_file(Path(name))
    assert not files.is_folder(Path(name))


@given(st.lists(TEXTS.filter(lambda part: part and "\0" not in part), min_size=1, max_size=3))
def test_any_other_path_may_be(parts: list[str]) -> None:
    whole = "/".join(part.replace("/", "")[:60] for part in parts)
    assert files.why_no_path(whole) is None
