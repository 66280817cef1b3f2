"""Reports of CodiEsp: who belongs together, which labels a report has, and which texts may be learned without any."""

import csv
from pathlib import Path

import pytest

from preceptor.data import DataSpec, read_examples, read_table, split_by_patient
from preceptor.data.readers import codiesp
from preceptor.errors import InputError
from preceptor.tasks import load_task

TASK = load_task(Path(__file__).parents[2] / "examples" / "codiesp_chapters.task.yaml")
HEADER = ["id", "article", "part", "text_es", "text_en"]
REPORTS = [
    ["S1-1", "S1", "train", "Varón, 37 años.\nFiebre.", "She is 37. He has a fever."],
    ["S1-2", "S1", "train", "Otro caso.", "Another case."],
    ["S1-3", "S1", "background", "Sin códigos.", "Without codes."],
    ["S0-2-1", "S0-2", "train", "Fractura.", "A fracture."],
]
CODES = ["S1-1\tn44.8", "S1-1\tz20.818", "S1-1\tn44", "S1-1\ta23.9", "S1-2\tr52", "S0-2-1\ts72.001a", "S9-1\ti10"]
"""The last is of a report that is not there, as of articles that another part holds."""


def written(folder: Path, reports: list[list[str]] = REPORTS, codes: list[str] | None = CODES) -> Path:
    path = folder / "cases.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([HEADER, *reports])
    if codes is not None:
        (folder / "trainD.tsv").write_text("\n".join(codes) + "\n", encoding="utf-8")
    return path


def test_a_report_has_the_labels_of_its_codes_alone(tmp_path: Path) -> None:
    first, second, _, last = codiesp.read(written(tmp_path))
    assert (first["chapters"], first["common_chapters"]) == ("A; N; Z", "N; Z")
    assert first["categories"] == "A23; N44; Z20"  # two codes of one category, one cut to it
    assert second["chapters"] == second["common_chapters"] == "R"
    assert (last["chapters"], last["common_chapters"]) == ("S", "none")


def test_a_report_without_codes_is_a_text_to_learn_from_and_no_case(tmp_path: Path) -> None:
    first, _, third, _ = codiesp.read(written(tmp_path))
    assert (third["unlabelled_es"], third["unlabelled_en"]) == ("Sin códigos.", "Without codes.")
    assert [third[name] for name in ("text_es", "text_en", "chapters", "common_chapters", "categories")] == [""] * 5
    assert (first["unlabelled_es"], first["unlabelled_en"]) == ("", "")
    data = {"target": "common_chapters", "group": "article", "id": "id", "columns": {"note": "text_en"}}
    spec = DataSpec.model_validate({"path": "cases.csv", "reader": "codiesp", "bad_rows": "leave out", **data})
    read = read_examples(spec, TASK, tmp_path)
    assert [one.id for one in read.examples] == ["S1-1", "S1-2", "S0-2-1"]
    assert [one.target for one in read.examples] == ["N; Z", "R", "none"]
    assert {one.where.rpartition(", ")[2] for one in read.refused} == {"case 3"}


def test_an_article_is_what_stands_before_the_last_part_of_an_id(tmp_path: Path) -> None:
    """Trap of the set: reports of one article stand in several parts of it."""
    rows = codiesp.read(written(tmp_path))
    assert [row["article"] for row in rows] == ["S1", "S1", "S1", "S0-2"]
    wrong = [*REPORTS, ["S7-1", "S8", "train", "Un caso.", "A case."]]
    with pytest.raises(InputError, match=r"cases.csv, report 5: its id is not its article with a number behind it"):
        read_table(written(tmp_path, wrong), "codiesp")


def test_labels_are_one_list_for_both_languages(tmp_path: Path) -> None:
    """P3-6: neither the list nor a report's labels come from a text."""
    assert TASK.set_labels == codiesp.COMMON_CHAPTERS
    swapped = [[*report[:3], report[4], report[3]] for report in REPORTS]
    labels = ("chapters", "common_chapters", "categories")
    plain, other = (codiesp.read(written(tmp_path, reports)) for reports in (REPORTS, swapped))
    assert [[row[name] for name in labels] for row in plain] == [[row[name] for name in labels] for row in other]


def test_nothing_of_sex_is_read(tmp_path: Path) -> None:
    """Trap of the set: its English says he and she of one patient."""
    row = codiesp.read(written(tmp_path))[0]
    assert sorted(row) == [
        "article", "categories", "chapters", "common_chapters", "id", "part",
        "text_en", "text_es", "unlabelled_en", "unlabelled_es",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("codes", "what"),
    [
        (None, "trainD.tsv: no such file"),
        (["S1-1\tn44.8", "S1-1\tfever and chills"], "trainD.tsv, line 2: no ICD-10 code behind an id and a tab"),
        (["S1-1 n44.8"], "trainD.tsv, line 1: no ICD-10 code"),
    ],
)
def test_codes_that_cannot_be_read_are_refused(tmp_path: Path, codes: list[str] | None, what: str) -> None:
    with pytest.raises(InputError) as found:
        read_table(written(tmp_path, codes=codes), "codiesp")
    assert what in str(found.value)
    assert "chills" not in str(found.value)


@pytest.mark.parametrize("text", ["id,article\nS1-1,S1\n", "id,article,part,text_es,text_en\nS1-1,S1\n", 'id\n"S1'])
def test_a_table_that_is_none_of_the_set_is_refused(tmp_path: Path, text: str) -> None:
    path = written(tmp_path)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"cases\.csv"):
        read_table(path, "codiesp")


def test_no_article_crosses_a_split(tmp_path: Path) -> None:
    reports = [[f"S{n // 2}-{n % 2}", f"S{n // 2}", "train", "Un caso.", f"Case {n}."] for n in range(80)]
    path = written(tmp_path, reports, [f"{report[0]}\tr52" for report in reports])
    data = {"path": path.name, "reader": "codiesp", "target": "common_chapters", "group": "article", "id": "id"}
    spec = DataSpec.model_validate(data | {"columns": {"note": "text_en"}})
    splits = split_by_patient(read_examples(spec, TASK, tmp_path).examples, seed=0)
    parts = [{one.group for one in part} for part in (splits.train, splits.validation, splits.test)]
    assert sum(map(len, parts)) == len(set().union(*parts)) == 40
