import json
from pathlib import Path

import pytest

from preceptor.data import DataSpec, read_examples
from preceptor.data.readers import (
    hcv_labs,
    ktas_triage,
    medec_ms,
    medical_abstracts,
    mts_dialog_scored,
    mtsamples,
    pubmedqa,
    sepsis2019,
)
from preceptor.data.readers.pubmedqa import LONGEST_REASONING, brief_reasoning
from preceptor.tasks import load_task

KTAS_HEADER = (
    "Group;Sex;Age;Patients number per hour;Arrival mode;Injury;Chief_complain;Mental;Pain;NRS_pain;SBP;DBP;HR;RR;BT;"
    "Saturation;KTAS_RN;Diagnosis in ED;Disposition;KTAS_expert;Error_group;Length of stay_min;KTAS duration_min;"
    "mistriage"
)


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "set.txt"
    path.write_bytes(text.encode(encoding))
    return path


def ktas_rows(folder: Path, *lines: str) -> list[dict[str, str]]:
    return ktas_triage.read(write(folder, "\r\n".join([KTAS_HEADER, *lines]) + "\r\n", "latin-1"))


def test_ktas_codes_become_words_and_odd_numbers_plain(tmp_path: Path) -> None:
    (row,) = ktas_rows(tmp_path, "2;1;71;3;2;2;pain, chest;3;1;#BOÞ!;160;??;84;18;36,6;;9;SECRET;9;4;9;999;5,00;9")
    assert row == {
        "complaint": "pain, chest",
        "sex": "female",
        "arrival": "public ambulance",
        "injury": "yes",
        "mental": "responds to pain",
        "pain": "yes",
        "age": "71",
        "pain_score": "missing",
        "sbp": "160",
        "dbp": "missing",
        "heart_rate": "84",
        "breathing_rate": "18",
        "temperature": "36.6",
        "saturation": "missing",
        "KTAS_expert": "4",
        "KTAS_RN": "9",
    }


def test_ktas_complaint_whose_letters_were_lost_is_missing(tmp_path: Path) -> None:
    (row,) = ktas_rows(tmp_path, "1;2;50;5;3;1;?? ???;1;0;3;120;80;84;18;36.6;98;2;x;1;3;2;86;5,00;1")
    assert row["complaint"] == "missing"


def test_ktas_never_reads_what_is_known_only_after_triage(tmp_path: Path) -> None:
    before, after = ktas_rows(
        tmp_path,
        "1;2;50;5;3;1;fever;1;0;3;120;80;84;18;36.6;98;2;Corneal abrasion;1;3;2;86;5,00;1",
        "2;2;50;5;3;1;fever;1;0;3;120;80;84;18;36.6;98;5;Sepsis;7;3;0;9246;1,00;0",
    )
    assert (before.pop("KTAS_RN"), after.pop("KTAS_RN")) == ("2", "5")
    assert before == after


def test_medec_has_a_row_for_each_wrong_sentence(tmp_path: Path) -> None:
    columns = "Text ID,Text,Sentences,Error Flag,Error Type,Error Sentence ID"
    header = f"{columns},Error Sentence,Corrected Sentence,Corrected Text"
    wrong = 'ms-0,"Fever.\nGive X. ","0 Fever.\n1 Give X.",1,management,1,Give X.,Give Y. ,Fever. Give Y.'
    right = "ms-1,Well.,0 Well.,0,NA,-1,NA,NA,NA"
    assert medec_ms.read(write(tmp_path, f"{header}\n{wrong}\n{right}\n")) == [
        {"id": "ms-0", "kind": "management", "note": "Fever.\nGive X.", "wrong": "Give X.", "right": "Give Y."}
    ]


def test_scored_summaries_give_the_worst_that_has_an_error(tmp_path: Path) -> None:
    said = [("0", "good"), ("1", "fine"), ("0", "bad"), ("1", "fine too")]
    lines = [f"{case},dialogue {case},reference {case},{summary}" for case, summary in said]
    path = write(tmp_path, "\n".join(["ID,Dialogue,Reference Summary,Automatic Summary", *lines]))
    scores = tmp_path / "MTS-Dialog-Manual-Scores4CorrelationStudy.csv"
    scores.write_text("FactualPrecision,FactualF1\n1,0.8\n1,1\n0,0.2\n1,1\n")
    assert mts_dialog_scored.read(path) == [
        {"id": "0", "dialogue": "dialogue 0", "reference": "reference 0", "worst": "bad"},
        {"id": "1", "dialogue": "dialogue 1", "reference": "reference 1", "worst": ""},
    ]
    scores.write_text("FactualPrecision,FactualF1\n1,0.8\n")
    with pytest.raises(ValueError, match="shorter"):
        mts_dialog_scored.read(path)


def test_hcv_missing_values_are_said_to_be_missing(tmp_path: Path) -> None:
    header = "Age,Sex,ALB,ALP,ALT,AST,BIL,CHE,CHOL,CREA,GGT,PROT,Category"
    (row,) = hcv_labs.read(write(tmp_path, f"{header}\n41,f,NA,52.5,7.7,22.1,7.5,6.93,NA,106,12.1,69,3=Cirrhosis\n"))
    assert (row["age"], row["sex"]) == ("41", "female")
    assert (row["alb"], row["alp"], row["chol"], row["crea"]) == ("missing", "52.5", "missing", "106")
    assert row["Category"] == "3=Cirrhosis"
    assert len(row) == 13


SIGNS = ["HR", "O2Sat", "Temp", "SBP", "MAP", "Resp", "Lactate", "WBC", "Creatinine", "Bilirubin_total", "Platelets"]
SEPSIS_HEADER = ["patient", *SIGNS, "Age", "Gender", "ICULOS", "SepsisLabel"]


def sepsis_stay(patient: str, labels: list[int]) -> list[str]:
    """In hour h the heart rate is 100 + h; temperature is measured in even hours, lactate (h / 10) in the third."""
    lines = []
    for hour, label in enumerate(labels, start=1):
        signs = dict.fromkeys(SIGNS, "")
        signs |= {
            "HR": str(100 + hour),
            "Temp": "37.25" if hour % 2 == 0 else "",
            "Lactate": "1.5" if hour == 3 else "",
        }
        lines.append("|".join([patient, *signs.values(), "83.14", "1", str(hour), str(label)]))
    return lines


def sepsis_rows(folder: Path, *stays: list[str]) -> list[dict[str, str]]:
    return sepsis2019.read(
        write(folder, "\n".join(["|".join(SEPSIS_HEADER), *(line for stay in stays for line in stay)]))
    )


def test_sepsis_shows_the_six_hours_before_the_first_positive_one(tmp_path: Path) -> None:
    (row,) = sepsis_rows(tmp_path, sepsis_stay("p1", [0] * 8 + [1] * 4))
    assert row == {
        "patient": "p1",
        "age": "83",
        "sex": "male",
        "hours": "HR 103 104 105 106 107 108\nTemp - 37.2 - 37.2 - 37.2\nLactate 1.5",
        "sepsis": "yes",
    }


def test_sepsis_from_the_first_hour_has_nothing_to_show(tmp_path: Path) -> None:
    (row,) = sepsis_rows(tmp_path, sepsis_stay("p1", [1, 1, 1]))
    assert row["hours"] == "Nothing measured yet: first hour of the stay."
    assert row["sepsis"] == "yes"


def test_sepsis_draws_one_hour_for_each_other_patient_whoever_stands_beside(tmp_path: Path) -> None:
    stays = [sepsis_stay(f"p{number}", [0] * 40) for number in range(30)]
    rows = sepsis_rows(tmp_path, *stays)
    assert sepsis_rows(tmp_path, *reversed(stays)) == rows[::-1]
    assert {row["sepsis"] for row in rows} == {"no"}
    assert len({row["hours"] for row in rows}) > 10
    assert all(len(row["hours"].split("\n")[0].split()) <= 7 for row in rows if row["hours"].startswith("HR"))


def test_pubmedqa_reasons_in_a_sentence_and_then_answers(tmp_path: Path) -> None:
    paper = {
        "QUESTION": "Does it help?",
        "CONTEXTS": ["Nobody knows.", "It was tried."],
        "LABELS": ["BACKGROUND", "METHODS"],
        "LONG_ANSWER": "It helped (p < 0.05, i.e. clearly). More work is needed.",
        "final_decision": "yes",
    }
    assert pubmedqa.read(write(tmp_path, json.dumps({"123": paper}))) == [
        {
            "pmid": "123",
            "question": "Does it help?",
            "abstract": "BACKGROUND: Nobody knows.\nMETHODS: It was tried.",
            "answer": "It helped (p < 0.05, i.e. clearly).\nAnswer: yes",
        }
    ]


def test_long_reasoning_is_shortened() -> None:
    words = brief_reasoning("word " * 100).split()
    assert len(words) == LONGEST_REASONING + 1
    assert words[-1] == "..."


@pytest.mark.parametrize("reader", [hcv_labs, ktas_triage, medical_abstracts, mtsamples, sepsis2019, pubmedqa])
def test_another_file_is_not_taken_for_the_set(reader: object, tmp_path: Path) -> None:
    with pytest.raises((KeyError, ValueError)):
        reader.read(write(tmp_path, "a,b\n1,2\n"))  # type: ignore[attr-defined]


MTSAMPLES_HEADER = "note_id,description,medical_specialty,sample_name,transcription,keywords"


def mtsamples_rows(folder: Path, *lines: str) -> list[dict[str, str]]:
    return mtsamples.read(write(folder, "\n".join([MTSAMPLES_HEADER, *lines]) + "\n"))


def test_a_text_of_mtsamples_is_one_case_however_many_headings_it_stands_under(tmp_path: Path) -> None:
    """Trap 2: rows of one text would land on both sides of a split."""
    rows = mtsamples_rows(
        tmp_path,
        '1,d, Urology,n,"PLAN:,  Rest.","urology, stent,"',
        '2,d, Surgery,n,"PLAN:, Rest. ","surgery, stent,"',
        '3,d, Neurology,n,Seen.,"neurology, tremor"',
        '4,d, Orthopedic,n,Seen.,"orthopedic, tremor"',
        '5,d, Surgery,n,Cut.,"surgery, scar"',
    )
    assert [(row["id"], row["specialty"]) for row in rows] == [
        ("1", "Urology"), ("3", "Neurology; Orthopedic"), ("5", "Surgery"),
    ]  # fmt: skip
    assert rows[0]["keywords"] == "urology, stent", "those of the heading that is a specialty"


def test_mtsamples_without_one_specialty_of_the_task_or_keywords_are_left_out_and_counted(tmp_path: Path) -> None:
    """Trap 5: kinds of document are no specialty; what is dropped is counted; arms are compared on the same cases."""
    lines = ['1,d,Urology,n,A.,"urology, a"', '2,d,Surgery,n,B.,"surgery, b"', "3,d,Urology,n,C.,"]
    write(tmp_path, "\n".join([MTSAMPLES_HEADER, *lines]))
    about = {"reader": "mtsamples", "target": "specialty", "group": "id", "id": "id", "bad_rows": "leave out"}
    task = load_task(Path(__file__).parents[2] / "examples" / "specialty.task.yaml")
    found = read_examples(DataSpec(path="set.txt", **about), task, tmp_path)
    assert [one.id for one in found.examples] == ["1"]
    assert len(found.refused) == 2
    assert "Surgery" not in task.labels


def test_every_other_abstract_is_for_learning_without_labels(tmp_path: Path) -> None:
    lines = [
        "row,condition_label,medical_abstract",
        *(f"{n},{1 + n % 5},About  {n}." for n in range(200)),
        "9,2,About 4.",
    ]
    rows = medical_abstracts.read(write(tmp_path, "\n".join(lines) + "\n"))
    assert len(rows) == 200
    assert [bool(one["unlabelled"]) for one in rows[:4]] == [False, True, False, True]
    assert rows[1] == {"id": "2", "abstract": "", "unlabelled": "About 1.", "condition": "", "part": ""}
    assert rows[4]["condition"] == "digestive system diseases; general pathological conditions"
    assert rows[0] == {"id": "1", "abstract": "About 0.", "unlabelled": "", "condition": "neoplasms", "part": "train"}
    assert {one["part"] for one in rows if one["abstract"]} == {"train", "validation", "test"}
    assert not {one["part"] for one in rows if one["unlabelled"]} - {""}


def test_mtsamples_are_cleaned_alike_in_note_and_keywords(tmp_path: Path) -> None:
    """Trap 7: the same cleaning for every view."""
    raw = "HISTORY:,  Well.,PLAN: ,1.  Rest, then go.,2. Stop;,"
    (row,) = mtsamples_rows(tmp_path, f'1,d,Urology,n,"{raw}","{raw}"')
    assert row["note"] == row["keywords"] == "HISTORY: Well. PLAN: 1. Rest, then go. 2. Stop;"
