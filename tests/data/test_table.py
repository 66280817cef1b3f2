import csv
import datetime
import json
import random
import re
from pathlib import Path
from zipfile import ZipFile

import openpyxl
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preceptor.data import read_table
from preceptor.data._text_files import sniff_delimiter
from preceptor.errors import InputError

CSV = 'id,note,label\n1,"two\r\nlines, ""quoted""",NA\n\n2,007,1.50\n'


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(path: Path, reader: str | None = None) -> str:
    with pytest.raises(InputError) as caught:
        read_table(path, reader)
    assert caught.value.exit_code == 2
    assert all(problem.fix and str(path.name) in problem.where for problem in caught.value.problems)
    return str(caught.value)


def test_csv_text_stays_as_it_is_in_the_file(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "a.csv", CSV))
    assert table.columns == ["id", "note", "label"]
    assert [row.cells for row in table.rows] == [
        {"id": "1", "note": 'two\r\nlines, "quoted"', "label": "NA"},
        {"id": "2", "note": "007", "label": "1.50"},
    ]
    assert [row.number for row in table.rows] == [2, 4]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_found_out(tmp_path: Path, delimiter: str) -> None:
    lines = [["id", "temp", "note"], ["1", "38,5", "fever, pain"], ["2", "37.0", "a | b; c"]]
    text = "\n".join(delimiter.join(f'"{cell}"' for cell in line) for line in lines)
    assert [list(row.cells.values()) for row in read_table(write(tmp_path / "a.csv", text)).rows] == lines[1:]


def test_decimal_commas_do_not_look_like_delimiters() -> None:
    assert sniff_delimiter("a;b\n1,5;2,5\n3,5;4,5\n") == ";"


def test_a_single_column_is_a_table(tmp_path: Path) -> None:
    assert read_table(write(tmp_path / "a.csv", "note\nfever\n")).column("note") == ["fever"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "latin-1"])
def test_encoding_is_found_out(tmp_path: Path, encoding: str) -> None:
    text = "id;note\n1;Übelkeit, 38,5 °C, fièvre\n2;kein Befund\n"
    table = read_table(write(tmp_path / "a.csv", text.encode(encoding)))
    assert table.column("note") == ["Übelkeit, 38,5 °C, fièvre", "kein Befund"]
    assert table.columns[0] == "id"


def test_an_encoding_that_is_named_is_used(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id;note\n1;żółtaczka\n".encode("cp1250"))
    assert read_table(path, encoding="cp1250").column("note") == ["żółtaczka"]
    with pytest.raises(InputError, match="no such encoding"):
        read_table(path, encoding="cp9999")
    with pytest.raises(InputError, match="is not utf-8"):
        read_table(path, encoding="utf-8")


def test_a_note_of_a_million_characters_is_one_cell(tmp_path: Path) -> None:
    note = "fever " * 200_000
    assert read_table(write(tmp_path / "a.csv", f'id,note\n1,"{note}"\n')).column("note") == [note]


def test_jsonl_keeps_numbers_as_written_and_line_numbers(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"id": 1.50, "x": null, "y": true, "z": NaN}\n\n{"id": "a\u2028b", "x": [1]}\n')
    table = read_table(path)
    assert [row.number for row in table.rows] == [1, 3]
    assert table.rows[0].cells == {"id": "1.50", "x": "", "y": "true", "z": ""}
    assert table.rows[1].cells == {"id": "a\u2028b", "x": ["1"]}
    assert table.column("x") == ["", ""]


def test_json_list(tmp_path: Path) -> None:
    table = read_table(write(tmp_path / "a.json", json.dumps([{"id": 1}, {"id": 2, "late": "x"}])))
    assert table.columns == ["id", "late"]
    assert table.column("late") == ["", "x"]


def test_xlsx_as_a_person_reads_it(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.create_sheet("Cases")  # the first sheet stays empty
    sheet.append([])
    sheet.append(["id", None, "temp", "seen", "septic"])
    sheet.append([7, None, 38.5, datetime.datetime(2024, 3, 1), True])
    sheet.append([])
    sheet.append(["NA", None, 38.0, datetime.datetime(2024, 3, 1, 8, 30), None])
    book.save(tmp_path / "a.xlsx")
    table = read_table(tmp_path / "a.xlsx")
    assert [row.number for row in table.rows] == [3, 5]
    assert table.rows[0].cells == {"id": "7", "temp": "38.5", "seen": "2024-03-01", "septic": "true"}
    assert table.rows[1].cells == {"id": "NA", "temp": "38", "seen": "2024-03-01T08:30:00", "septic": ""}


@pytest.mark.parametrize("claimed", ['<dimension ref="A1" />', ""], ids=["wrong", "missing"])
def test_xlsx_whose_claimed_size_is_wrong_or_missing(tmp_path: Path, claimed: str) -> None:
    book = openpyxl.Workbook()
    for cells in (["id", "note", "label"], [1], [2, "fever", "yes"]):
        book.active.append(cells)
    book.save(tmp_path / "whole.xlsx")
    with ZipFile(tmp_path / "whole.xlsx") as whole, ZipFile(tmp_path / "a.xlsx", "w") as changed:
        for name in whole.namelist():
            text = whole.read(name)
            if name.endswith("sheet1.xml"):
                text, places = re.subn(rb'<dimension ref="A1:C3" ?/>', claimed.encode(), text)
                assert places == 1
            changed.writestr(name, text)
    assert [row.cells for row in read_table(tmp_path / "a.xlsx").rows] == [
        {"id": "1", "note": "", "label": ""},
        {"id": "2", "note": "fever", "label": "yes"},
    ]


def test_parquet(tmp_path: Path) -> None:
    columns = {
        "id": [1, 2],
        "temp": pyarrow.array([36.6, None], pyarrow.float32()),
        "stage": [1.0, float("nan")],
        "messages": [[{"role": "user", "content": "hi"}], []],
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    rows = [row.cells for row in read_table(tmp_path / "a.parquet").rows]
    assert rows[0] == {"id": "1", "temp": "36.6", "stage": "1", "messages": [{"role": "user", "content": "hi"}]}
    assert rows[1] == {"id": "2", "temp": "", "stage": "", "messages": []}


def test_missing_file_names_the_nearest(tmp_path: Path) -> None:
    write(tmp_path / "cases.csv", CSV)
    assert "no such file. Did you mean `cases.csv`?" in refusal(tmp_path / "case.csv")
    assert "no such file" in refusal(tmp_path / "nowhere" / "case.csv")


def test_folder_instead_of_file(tmp_path: Path) -> None:
    write(tmp_path / "cases.csv", CSV)
    message = refusal(tmp_path)
    assert "this is a folder" in message
    assert "`cases.csv`" in message


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json", "a.xlsx", "a.parquet"])
def test_empty_file(tmp_path: Path, name: str) -> None:
    assert "the file is empty" in refusal(write(tmp_path / name, b""))


@pytest.mark.parametrize(("name", "content"), [("a.csv", "id,note\n"), ("a.json", "[]"), ("a.jsonl", "\n\n")])
def test_no_rows(tmp_path: Path, name: str, content: str) -> None:
    assert "no rows" in refusal(write(tmp_path / name, content))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.csv", "not text in an encoding"),
        ("a.jsonl", "not UTF-8"),
        ("a.json", "not UTF-8"),
        ("a.xlsx", "not an Excel workbook"),
        ("a.parquet", "not a Parquet file"),
        ("a.docx", "a file ending in `.docx` cannot be read"),
    ],
)
def test_binary_rubbish(tmp_path: Path, name: str, words: str) -> None:
    assert words in refusal(write(tmp_path / name, random.Random(0).randbytes(4000)))


def test_jsonl_that_is_latin_1_names_the_row(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", b'{"a": "x"}\n' + '{"a": "fièvre"}\n'.encode("latin-1"))
    assert "a.jsonl, row 2: not UTF-8 (byte 9)" in refusal(path)


def test_broken_json_in_row_7(tmp_path: Path) -> None:
    lines = [json.dumps({"note": "secret words"})] * 9
    lines[6] = '{"note": "secret words'
    lines[8] = '["secret words"]'
    message = refusal(write(tmp_path / "a.jsonl", "\n".join(lines)))
    assert "a.jsonl, row 7: broken JSON at line 1, column" in message
    assert "a.jsonl, row 9: an object was expected, found a list" in message
    assert "secret" not in message


def test_json_lines_called_json(tmp_path: Path) -> None:
    message = refusal(write(tmp_path / "a.json", '{"a": 1}\n{"a": 2}\n'))
    assert "line 2" in message
    assert "rename the file" in message
    assert "found an object" in refusal(write(tmp_path / "b.json", '{"a": {"b": 1}}'))


def test_half_a_character_and_bottomless_json(tmp_path: Path) -> None:
    deep = "[" * 100_000
    message = refusal(write(tmp_path / "a.jsonl", '{"a": "\\ud83d"}\n{"a": "\\ud83d\\ude00"}\n' + deep))
    assert "row 1: half a character" in message
    assert "row 2" not in message
    assert "row 3: nested too deeply" in message


def test_csv_rows_of_the_wrong_width_all_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,note,label\n1,a,b\n2,a, or b,c\n3,a\n")
    message = refusal(path)
    assert "row 3: 4 cells, but the header has 3" in message
    assert "row 4: 2 cells, but the header has 3" in message


def test_csv_with_an_unclosed_quote(tmp_path: Path) -> None:
    assert "row 3: the quotes" in refusal(write(tmp_path / "a.csv", 'id,note\n1,fine\n2,"never closed\n3,x\n'))


def test_twenty_problems_are_shown_and_the_rest_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", "broken\n" * 33)
    with pytest.raises(InputError) as caught:
        read_table(path)
    assert len(caught.value.problems) == 21
    assert "13 more problems" in str(caught.value.problems[-1])


def test_a_doubled_column_name(tmp_path: Path) -> None:
    assert "column names stand twice: `note`" in refusal(write(tmp_path / "a.csv", "note,note\n1,2\n"))


def test_xlsx_without_data(tmp_path: Path) -> None:
    openpyxl.Workbook().save(tmp_path / "a.xlsx")
    assert "no sheet of this workbook holds data" in refusal(tmp_path / "a.xlsx")


def test_unknown_reader(tmp_path: Path) -> None:
    message = refusal(write(tmp_path / "a.csv", CSV), reader="jsnol")
    assert "no reader is called `jsnol`. Did you mean `jsonl`?" in message


def test_repr_shows_no_text(tmp_path: Path) -> None:
    assert "lines" not in repr(read_table(write(tmp_path / "a.csv", CSV)))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"))] * 2), min_size=1))
def test_what_the_csv_module_writes_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows: list[object]) -> None:

    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("one", "two"), *rows])
    assert [tuple(row.cells.values()) for row in read_table(path).rows] == rows


def test_a_known_set_counts_cases_and_refuses_another_file(tmp_path: Path) -> None:
    header = (
        "patient|HR|O2Sat|Temp|SBP|MAP|Resp|Lactate|WBC|Creatinine|Bilirubin_total|Platelets|Age|Gender|SepsisLabel"
    )
    hours = "\n".join("p1|80|97|37|120|80|16||||||60|1|0" for _ in range(8))
    table = read_table(write(tmp_path / "a.psv", f"{header}\n{hours}\n"), reader="sepsis2019")
    assert table.where(table.rows[0]).endswith("a.psv, case 1")
    message = refusal(write(tmp_path / "a.csv", CSV), reader="sepsis2019")
    assert "not the file that reader `sepsis2019` knows" in message
