"""What is written is read back the same; what a format does not hold is exactly what was said."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preceptor.errors import InputError
from preceptor.preferences.interchange import Row, read, write
from preceptor.tasks import Message

# Every character but half surrogate pairs, and often one that some format has to take care of.
_CHARACTERS = st.characters(exclude_categories=["Cs"]) | st.sampled_from("=+-@'\"[]{}_x0\t\r\n\v;,|\ufeff\u2028\0")
TEXTS = st.text(_CHARACTERS, min_size=1, max_size=30) | st.sampled_from(
    ["=1+1", "'=1", "''-x", "- pain", "+1", "@a", "_x000D_", "#N/A", "007", '[{"role": "user", "content": "x"}]', "[]"]
)
SAID = TEXTS.filter(str.strip)
TURNS = st.tuples(st.sampled_from(["system", "user", "assistant"]), TEXTS)
NAMES = st.text("abcdefgh =@-", min_size=1, max_size=8).filter(lambda name: name == name.strip())
JSON = st.recursive(
    TEXTS | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, min_size=1, max_size=3) | st.dictionaries(TEXTS, inner, min_size=1, max_size=3),
    max_leaves=5,
)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    turns = draw(st.lists(TURNS, max_size=3)) if draw(st.booleans()) else []
    return tuple({"role": role, "content": text} for role, text in [*turns, ("user", draw(SAID))])  # type: ignore[misc]


@st.composite
def rows(draw: st.DrawFn, pair: bool | None = None, extra: st.SearchStrategy[Any] = JSON) -> Row:
    two = draw(st.booleans()) if pair is None else pair
    alone = not two or draw(st.booleans())
    return Row(
        draw(SAID),
        draw(TEXTS | st.just("")),
        draw(conversations()),
        draw(SAID) if alone else None,
        draw(SAID) if two else None,
        draw(SAID) if two else None,
        draw(st.dictionaries(NAMES.filter(lambda name: name not in ("id", "group", "label")), extra, max_size=3)),
    )


def round_trip(given_rows: list[Row], ending: str, format: str | None = None) -> tuple[list[Row], dict[str, int]]:
    with TemporaryDirectory() as folder:
        file = Path(folder) / f"rows{ending}"
        lost = write(given_rows, file, format, data_leaves_this_machine=True)
        assert file.stat().st_mode & 0o777 == 0o600
        assert [one.name for one in Path(folder).iterdir()] == [file.name]
        found, lost_in_reading = read(file)
        assert not lost_in_reading
        return found, dict(lost)


MANY = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@MANY
@given(st.lists(rows(pair=True), min_size=1, max_size=4))
def test_a_preference_file_of_trl_loses_nothing(given_rows: list[Row]) -> None:
    assert round_trip(given_rows, ".jsonl") == (given_rows, {})


@MANY
@given(st.lists(rows(pair=False), min_size=1, max_size=4))
def test_a_file_of_prompts_and_completions_loses_nothing(given_rows: list[Row]) -> None:
    assert round_trip(given_rows, ".jsonl") == (given_rows, {})


@MANY
@given(st.lists(rows(), min_size=1, max_size=4))
def test_trl_and_openai_lose_what_they_said(given_rows: list[Row]) -> None:
    """A file of theirs holds pairs or right answers, and OpenAI's neither ids nor patients nor other columns."""
    pairs = any(row.is_pair for row in given_rows)
    held = [row for row in given_rows if row.is_pair or not pairs]
    left_out = {"left out, as a file of pairs cannot hold them": len(given_rows) - len(held)}
    left_out = {name: count for name, count in left_out.items() if count}
    assert round_trip(given_rows, ".jsonl") == (held, left_out)

    said: Counter[str] = Counter(left_out)
    for row in held:
        said.update(["id", *["group"] * bool(row.group), *(f"column `{name}`" for name in row.extra)])
        said.update(["target"] * (pairs and row.target is not None))
    expected = [
        replace(row, id=str(number), group="", target=None if pairs else row.target, extra={})
        for number, row in enumerate(held, 1)
    ]
    assert round_trip(given_rows, ".jsonl", "openai") == (expected, dict(said))


@MANY
@given(st.lists(rows(pair=True), min_size=1, max_size=3))
def test_pairs_with_right_answers_can_be_written_as_right_answers(given_rows: list[Row]) -> None:
    held = [replace(row, chosen=None, rejected=None) for row in given_rows if row.target is not None]
    if not held:
        with pytest.raises(InputError, match="no right answers"):
            round_trip(given_rows, ".jsonl", "trl-sft")
        return
    found, lost = round_trip(given_rows, ".jsonl", "trl-sft")
    assert found == held
    assert lost["chosen"] == lost["rejected"] == len(held)
    assert sum(lost.values()) == 2 * len(held) + len(given_rows) - len(held)


@MANY
@given(st.lists(rows(extra=TEXTS), min_size=1, max_size=4))
def test_xlsx_loses_nothing_of_texts_and_has_no_formula(given_rows: list[Row]) -> None:
    assert round_trip(given_rows, ".xlsx") == (given_rows, {})


@MANY
@given(st.lists(rows(extra=TEXTS), min_size=1, max_size=4))
def test_csv_loses_nothing_of_texts_and_begins_no_formula(given_rows: list[Row]) -> None:
    if "\0" in repr([list(map(str, row.extra.values())) for row in given_rows]) or any(map(_has_nul, given_rows)):
        with pytest.raises(InputError, match="NUL"):
            round_trip(given_rows, ".csv")
        return
    assert round_trip(given_rows, ".csv") == (given_rows, {})


def _has_nul(row: Row) -> bool:
    # A prompt of several turns stands in its cell as JSON, which has no NUL.
    alone = len(row.messages) == 1 and row.messages[0]["content"]
    texts = [row.id, row.group, alone or "", row.target, row.chosen, row.rejected, *row.extra.values()]
    return any("\0" in text for text in texts if text)


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_a_table_says_what_becomes_text_and_which_names_it_cannot_hold(ending: str) -> None:
    row = Row("1", "", ({"role": "user", "content": "q"},), "a", extra={"n": 1.5, "l": ["x"], "a;b": "c", " d": "e"})
    found, lost = round_trip([row], ending)
    assert found == [replace(row, extra={"n": "1.5", "l": '["x"]'})]
    text = "numbers, lists and objects become text"
    assert lost == {f"column `n`: {text}": 1, f"column `l`: {text}": 1, "column 'a;b'": 1, "column ' d'": 1}


ASKED: tuple[Message, ...] = ({"role": "user", "content": "=SUM(A1)"},)
DANGEROUS = [Row(str(at), "p", ASKED, text, extra={"=note": text}) for at, text in enumerate(["=1", "+1", "-1", "@x"])]


def test_nothing_in_a_csv_file_begins_as_a_formula_does(tmp_path: Path) -> None:
    write(DANGEROUS, tmp_path / "a.csv")
    cells = [
        cell.strip('"') for line in (tmp_path / "a.csv").read_text("utf-8-sig").split() for cell in line.split(",")
    ]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]
    assert "'=1" in cells


def test_every_cell_of_an_xlsx_file_is_typed_as_text(tmp_path: Path) -> None:
    write(DANGEROUS, tmp_path / "a.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx").active
    cells = [cell for line in sheet.iter_rows() for cell in line]
    assert {cell.data_type for cell in cells} == {"s"}
    assert all(cell.quotePrefix for cell in cells)
    assert sheet["C2"].value == "=SUM(A1)"


def test_a_text_too_long_for_excel_is_refused_and_named(tmp_path: Path) -> None:
    long = Row("case 7", "", ASKED, "fever " * 10_000)
    with pytest.raises(InputError) as caught:
        write([DANGEROUS[0], long], tmp_path / "a.xlsx")
    assert "row 2 (id case 7), completion" in str(caught.value)
    assert "fever" not in str(caught.value)
    assert not list(tmp_path.iterdir())
    assert not write([long], tmp_path / "a.csv")


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    for name in ("a.csv", "a.xlsx", "a.jsonl"):
        (tmp_path / name).write_text("mine")
        with pytest.raises(InputError, match="something already"):
            write(DANGEROUS, tmp_path / name)
        assert (tmp_path / name).read_text() == "mine"
        write(DANGEROUS, tmp_path / name, overwrite=True)
        assert read(tmp_path / name)[0] == DANGEROUS


@pytest.mark.parametrize("format", ["openai", "openai-sft", "openai-dpo"])
def test_what_is_made_to_be_uploaded_has_to_be_allowed(tmp_path: Path, format: str) -> None:
    with pytest.raises(InputError, match="--data-leaves-this-machine"):
        write(DANGEROUS, tmp_path / "a.jsonl", format)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    for name, format, what in [
        ("a.docx", None, "does not say which format"),
        ("a.jsonl", "argilla", "no format `argilla`"),
        ("a.csv", "trl", "ends in .jsonl"),
        ("a.jsonl", "trl-dpo", "no pairs"),
    ]:
        with pytest.raises(InputError, match=what):
            write(DANGEROUS, tmp_path / name, format)


def test_the_libraries_of_the_other_side_read_the_files(tmp_path: Path) -> None:
    pairs = [replace(row, chosen="a", rejected="b") for row in DANGEROUS]
    write(pairs, tmp_path / "dpo.jsonl")
    write(DANGEROUS, tmp_path / "sft.jsonl")
    from trl import is_conversational
    from trl.data_utils import maybe_convert_to_chatml

    for name in ("dpo.jsonl", "sft.jsonl"):
        for line in (tmp_path / name).read_text().splitlines():
            example = json.loads(line)
            assert is_conversational(example)
            assert maybe_convert_to_chatml(example) == example
