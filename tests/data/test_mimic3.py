"""Stays of MIMIC-III: their order, what of a stay is told, and what is asked."""

import random
import re
from pathlib import Path

import pytest

from preceptor.data import DataSpec, read_examples, read_table
from preceptor.data.readers import mimic3
from preceptor.errors import InputError
from preceptor.tasks import load_task

TASK = load_task(Path(__file__).parents[2] / "examples" / "medication.task.yaml")
STAYS = {"90": ("1", "2150-03-01"), "10": ("1", "2151-05-02"), "50": ("1", "2149-01-09"), "70": ("2", "2160-01-01")}
"""Number of a stay -> its patient and the day of its first prescription: the last number is not the last stay."""
DRUGS = {"90": "Aspirin EC", "10": "Warfarin", "50": "*NF* Furosemide", "70": "Oxycodone-Acetaminophen"}


def tables(folder: Path, *, stays: dict[str, tuple[str, str]] = STAYS, seed: int | None = None) -> Path:
    """The tables of these stays, their rows in any order."""
    drugs = [("HADM_ID", "SUBJECT_ID", "STARTDATE", "DRUG_TYPE", "DRUG")]
    for number, (patient, day) in stays.items():
        drugs += [
            (number, patient, f"{day} 00:00:00", "MAIN", DRUGS.get(number, "Senna")),
            (number, patient, "2199-01-01 00:00:00", "MAIN", "Miconazole Powder 2%"),
            (number, patient, "2100-01-01 00:00:00", "BASE", "NS"),
        ]
    codes = [("HADM_ID", "SEQ_NUM", "ICD9_CODE")]
    diagnoses = [*codes, *((number, "2", f"{number}b") for number in stays), *((n, "1", f"{n}a") for n in stays)]
    titles = [("ICD9_CODE", "SHORT_TITLE"), *((f"{number}a", f"Illness of {number}") for number in stays)]
    written = {
        "PRESCRIPTIONS": drugs,
        "DIAGNOSES_ICD": diagnoses,
        "PROCEDURES_ICD": [*codes, ("90", "1", "3605")],
        "D_ICD_DIAGNOSES": titles,
        "D_ICD_PROCEDURES": [("ICD9_CODE", "SHORT_TITLE"), ("3605", "Stent")],
    }
    for name, (head, *rows) in written.items():
        if seed is not None:
            random.Random(seed).shuffle(rows)
        (folder / f"{name}.csv").write_text("\n".join(",".join(row) for row in (head, *rows)) + "\n")
    return folder / "PRESCRIPTIONS.csv"


def test_trap_2_stays_are_in_the_order_of_their_dates_whatever_the_order_of_the_rows(tmp_path: Path) -> None:
    rows = mimic3.read(tables(tmp_path))
    first, second = rows
    assert first["history"].splitlines() == [
        "Visit 1: diagnoses Illness of 50, 50b; procedures none; drugs furosemide.",
        "Visit 2: diagnoses Illness of 90, 90b; procedures Stent; drugs aspirin.",
    ]
    assert first["present"] == "Visit 3: diagnoses Illness of 10, 10b; procedures none; drugs ?."
    assert first["visits"] == "D: 50a; 50b | M: furosemide\nD: 90a; 90b | P: 3605 | M: aspirin\nD: 10a; 10b"
    assert (first["drugs"], first["date"], first["visit"], first["other_drugs"]) == (
        "warfarin",
        "2151-05-02",
        "later",
        "1",
    )
    assert (second["history"], second["visit"]) == ("No earlier visit.", "first")
    assert second["drugs"] == "acetaminophen; oxycodone"
    for seed in range(5):
        assert mimic3.read(tables(tmp_path, seed=seed)) == rows


def test_trap_2_stays_of_one_day_are_refused_by_the_patient_s_number(tmp_path: Path) -> None:
    same = {**STAYS, "91": ("1", "2150-03-01"), "71": ("2", "2160-01-01")}
    with pytest.raises(InputError) as caught:
        mimic3.read(tables(tmp_path, stays=same))
    assert [re.search(r"patient (\d)", one.what)[1] for one in caught.value.problems] == ["1", "2"]  # type: ignore[index]


def test_a_table_that_is_missing_is_named(tmp_path: Path) -> None:
    path = tables(tmp_path)
    (tmp_path / "D_ICD_PROCEDURES.csv").unlink()
    spec = DataSpec(path=str(path), reader="mimic3", target="drugs", group="patient")
    with pytest.raises(InputError, match=r"D_ICD_PROCEDURES\.csv: no such file"):
        read_examples(spec, TASK, tmp_path)


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("PRESCRIPTIONS", "90,1,2150-03-01 00:00:00,MAIN", "line 14: there is no DRUG in it"),
        ("PRESCRIPTIONS", '90,1,2150-03-01 00:00:00,MAIN,"Senna', "it cannot be read as CSV"),
        ("DIAGNOSES_ICD", "90", "line 10: there is no SEQ_NUM, ICD9_CODE in it"),
        ("D_ICD_DIAGNOSES", "90a", "line 6: there is no SHORT_TITLE in it"),
    ],
)
def test_a_row_that_was_cut_is_named_with_its_table(tmp_path: Path, name: str, more: str, said: str) -> None:
    path = tables(tmp_path)
    with (tmp_path / f"{name}.csv").open("a") as file:
        file.write(f"{more}\n")
    with pytest.raises(InputError) as caught:
        read_table(path, "mimic3")
    (problem,) = caught.value.problems
    assert f"{name}.csv" in problem.where
    assert said in str(problem)


def test_a_code_that_stands_twice_is_one_and_none_is_no_code(tmp_path: Path) -> None:
    path = tables(tmp_path)
    plain = mimic3.read(path)
    with (tmp_path / "PROCEDURES_ICD.csv").open("a") as file:
        file.write("90,2,3605\n90,3,\n")
    path.write_text(f"\ufeff{path.read_text()}", encoding="utf-8")
    assert mimic3.read(path) == plain


def test_three_earlier_stays_are_told_and_all_are_in_codes(tmp_path: Path) -> None:
    many = {str(n): ("1", f"21{60 - n}-01-01") for n in range(10, 22)}
    (row,) = mimic3.read(tables(tmp_path, stays=many))
    assert [line.split(":")[0] for line in row["history"].splitlines()] == ["Visit 9", "Visit 10", "Visit 11"]
    assert len(row["visits"].splitlines()) == 12


def test_every_substance_is_a_label_of_the_example() -> None:
    assert TASK.set_labels == mimic3.SUBSTANCES


@pytest.mark.parametrize("named", [("Piperacillin-Tazobactam Na", "piperacillin"), ("Metoprolol XL", "metoprolol")])
def test_a_drug_is_known_by_its_substance(tmp_path: Path, named: tuple[str, str]) -> None:
    name, substance = named
    path = tables(tmp_path, stays={"70": ("2", "2160-01-01")})
    path.write_text(path.read_text().replace("Oxycodone-Acetaminophen", name))
    assert mimic3.read(path)[0]["drugs"] == substance
