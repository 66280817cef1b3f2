import json
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from preceptor.data import DataSpec, Read, read_examples
from preceptor.data._invalid_rows import InvalidRow
from preceptor.errors import InputError
from preceptor.tasks import Task, builtin_tasks, load_task

TASK = """
name: fever
title: Fever
question: Fever or not?
source: a test
fields: {note: the note, age: the age}
instruction: Say yes or no.
prompt: "{note} {age}"
answer:
  kind: label
  labels: {"yes": fever, "no": none}
  parser: PARSER
  max_new_tokens: 4
metric: macro_f1
"""
ROWS = [
    {"note": "38.5 C", "age": 40, "label": "yes", "patient": "a"},
    {"note": "36.5 C", "age": 41, "label": " no ", "patient": "b"},
    {"note": "39.5 C", "age": 42, "label": "yes", "patient": "a"},
]


@pytest.fixture
def task(tmp_path: Path) -> Task:
    (tmp_path / "fever.yaml").write_text(TASK.replace("PARSER", "label"))
    return load_task(tmp_path / "fever.yaml")


@pytest.fixture
def read(tmp_path: Path, task: Task) -> Callable[..., Read]:
    """Write rows to cases.jsonl and read them as the task's examples."""

    def write_and_read(rows: list[Any], *, of: Task = task, **spec: Any) -> Read:
        (tmp_path / "cases.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return read_examples(DataSpec(**{"path": "cases.jsonl", "group": "patient", **spec}), of, tmp_path)

    return write_and_read


def changed(row: int, **cells: Any) -> list[dict[str, Any]]:
    return [{**one, **(cells if place == row else {})} for place, one in enumerate(ROWS, 1)]


def message(read: Callable[..., Read], rows: list[Any], **spec: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(rows, **spec)
    assert caught.value.exit_code == 2
    assert all("cases.jsonl" in problem.where and problem.fix for problem in caught.value.problems)
    assert not re.search(r"\d C\b", str(caught.value)), "a note slipped out"
    return str(caught.value)


def test_fields_target_group_and_row_numbers(read: Callable[..., Read]) -> None:
    got = read(ROWS)
    assert [(one.id, one.group, one.target) for one in got.examples] == [
        ("1", "a", "yes"),
        ("2", "b", "no"),
        ("3", "a", "yes"),
    ]
    assert got.examples[0].fields == {"note": "38.5 C", "age": "40"}
    assert got.refused == []
    assert list(got.encodings.values()) == ["utf-8"]


def test_dates_and_subgroups_stand_beside_the_case_and_not_in_it(read: Callable[..., Read]) -> None:
    days = ["2024-03-05", "", "2024-03-07T08:30:00"]
    rows = [{**row, "day": day, "sex": sex} for row, day, sex in zip(ROWS, days, ["f", " ", "m"], strict=True)]
    got = read(rows, date="day", subgroups=["sex"])
    assert [one.date for one in got.examples] == ["2024-03-05", None, "2024-03-07"]
    assert [one.metadata for one in got.examples] == [{"sex": "f"}, {"sex": "not given"}, {"sex": "m"}]
    assert all(one.fields.keys() == {"note", "age"} for one in got.examples)
    assert got.sha256 != read(rows).sha256


def test_a_date_that_is_none_and_columns_that_are_not_there_are_named(read: Callable[..., Read]) -> None:
    said = message(read, changed(2, day="05/03/24"), date="day", subgroups=["sex"])
    assert "`subgroups`" in said
    rows = [{**row, "day": "05/03/24"} for row in ROWS]
    said = message(read, rows, date="day")
    assert "row 2: column `day` (`date`) holds no date that can be read" in said
    assert "05/03/24" not in said


def test_columns_of_other_names_and_labels_of_other_values(read: Callable[..., Read]) -> None:
    rows = [{"nr": "x", "Text": "38.5 C", "Age": 40, "fever": 1}, {"nr": "y", "Text": "36 C", "Age": 4, "fever": "no"}]
    columns = {"note": "Text", "age": "Age"}
    got = read(rows, columns=columns, target="fever", labels={1: "yes"}, id="nr", group="each row")
    assert [(one.id, one.group, one.target) for one in got.examples] == [("x", "x", "yes"), ("y", "y", "no")]


def test_what_parts_the_pieces_of_a_text_is_read_as_a_space(read: Callable[..., Read]) -> None:
    """So no text of a case can write an encoder's first token into the middle of its prompt."""
    (one,) = read([ROWS[0] | {"note": "38.5\x1eC"}]).examples
    assert one.fields["note"] == "38.5 C"
    turns = [{"role": "user", "content": "a\x1eb"}, {"role": "assistant", "content": "yes"}]
    (chat,) = read([{"messages": turns, "patient": "a"}], of=load_task("as_given")).examples
    assert chat.prompt == ({"role": "user", "content": "a b"},)


def test_evidence_may_be_missing_from_a_case(task: Task, read: Callable[..., Read]) -> None:
    of = task.model_copy(update={"fields": task.fields | {"proof": "p"}, "evidence": "proof"})
    found = read([ROWS[0] | {"proof": "38.5"}, ROWS[1] | {"proof": " "}], of=of).examples
    assert [one.fields["proof"].strip() for one in found] == ["38.5", ""]


@pytest.mark.parametrize("ending", ["csv", "xlsx", "parquet"])
def test_other_formats_give_the_same_examples(
    tmp_path: Path, task: Task, read: Callable[..., Read], ending: str
) -> None:
    import pandas

    frame = pandas.DataFrame(ROWS)
    path = tmp_path / f"cases.{ending}"
    {"csv": frame.to_csv, "xlsx": frame.to_excel, "parquet": frame.to_parquet}[ending](path, index=False)
    got = read_examples(DataSpec(path=path.name, group="patient"), task, tmp_path)
    assert [(one.group, dict(one.fields), one.target) for one in got.examples] == [
        (one.group, dict(one.fields), one.target) for one in read(ROWS).examples
    ]


def test_own_splits_by_column_and_by_file(tmp_path: Path, task: Task, read: Callable[..., Read]) -> None:
    rows = [{**row, "part": part} for row, part in zip(ROWS, ["train", "Dev", "test"], strict=True)]
    assert [one.split for one in read(rows, split="part").examples] == ["train", "validation", "test"]
    for name in ("one", "two"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(ROWS[0]))
    spec = DataSpec(path={"train": "one.jsonl", "test": "two.jsonl"}, group="each row")
    got = read_examples(spec, task, tmp_path).examples
    assert [(one.id, one.group, one.split) for one in got] == [
        ("train-1", "train-1", "train"),
        ("test-1", "test-1", "test"),
    ]
    assert "row 2: split `later` is not known" in message(
        read, [{**rows[0]}, {**rows[1], "part": "later"}], split="part"
    )


def test_missing_columns_name_those_there_and_the_nearest(read: Callable[..., Read]) -> None:
    rows = [{"Note": "38 C", "age": 1, "fevers": "yes"}]
    said = message(read, rows, target="fever", columns={"agee": "age"})
    assert "there is no column `note` (`note`). Did you mean `Note`? Columns are `Note`, `age`, `fevers`" in said
    assert "there is no column `fever` (`target`). Did you mean `fevers`?" in said
    assert "there is no column `patient` (`group`). Without a patient column say `group: each row`" in said
    assert "the task has no field `agee`. Did you mean `age`?" in said


def test_a_rejected_answer_stands_beside_the_right_one_where_it_is_another(read: Callable[..., Read]) -> None:
    rows = [{**row, "nurse": nurse} for row, nurse in zip(ROWS, ["nope", "", " yes "], strict=True)]
    got = read(rows, rejected="nurse", labels={"nope": "no"})
    assert [one.rejected for one in got.examples] == ["no", None, None]
    assert got.sha256 != read(rows).sha256
    assert "there is no column `nurse` (`rejected`)" in message(read, ROWS, rejected="nurse")
    said = message(read, [{**row, "nurse": "38 C, so fever"} for row in ROWS], rejected="nurse")
    assert "row 1: `rejected`: " in said


def test_finished_turns_may_have_their_rejected_answer_in_a_column_too(read: Callable[..., Read]) -> None:
    rows = [{"prompt": "Fever?", "completion": "Yes.", "worse": "No."}]
    got = read(rows, of=load_task("as_given"), group="each row", rejected="worse")
    assert (got.examples[0].target, got.examples[0].rejected) == ("Yes.", "No.")


def test_without_a_word_on_patients_it_stops(read: Callable[..., Read]) -> None:
    assert "Say `group: <column>`; without a patient column say `group: each row`" in message(read, ROWS, group=None)


def test_no_target_column(read: Callable[..., Read]) -> None:
    rows = [{key: value for key, value in ROWS[0].items() if key != "label"}]
    assert "none of the columns `target`, `label`, `completion` is there" in message(read, rows)


def test_label_outside_the_list(read: Callable[..., Read]) -> None:
    said = message(read, changed(2, label="nos"))
    assert "row 2: label `nos` is not one of the task's. Did you mean `no`? Labels are `yes`, `no`" in said


def test_a_long_or_broken_label_is_not_repeated(read: Callable[..., Read]) -> None:
    assert "label a text of 46 characters" in message(read, changed(1, label="a private word " * 3 + "!"))
    assert "private" not in message(read, changed(1, label="private\nword"))


def test_cells_of_a_wrong_column_are_not_repeated(read: Callable[..., Read]) -> None:
    rows = [{**row, "reason": "chest pain, sweating"} for row in ROWS]
    for spec in ({"target": "reason"}, {"split": "reason"}):
        said = message(read, rows, **spec)
        assert "a text of 20 characters is not" in said
        assert "pain" not in said
    assert "split `validatoin set` is not known" in message(read, changed(1, part="validatoin set"), split="part")


def test_every_row_problem_at_once(read: Callable[..., Read]) -> None:
    rows = [
        {**ROWS[0], "label": ""},
        {**ROWS[1], "note": "  "},
        {**ROWS[2], "patient": None},
        {**ROWS[0], "note": ["38 C"]},
    ]
    said = message(read, rows)
    assert "row 1: the answer is empty. Fill it" in said
    assert "row 2: column `note` (field `note`) is empty. Fill it, or say `empty: not given`" in said
    assert "row 3: column `patient` (`group`) is empty" in said
    assert "row 4: column `note` holds a list or object" in said


def test_more_than_twenty_problems_are_counted(read: Callable[..., Read]) -> None:
    assert "10 more problems" in message(read, [{**ROWS[0], "label": ""}] * 30)


def test_bad_rows_can_be_left_out_and_are_told(read: Callable[..., Read]) -> None:
    got = read([*changed(2, label=""), {**ROWS[0], "label": "maybe"}], bad_rows="leave out")
    assert [one.id for one in got.examples] == ["1", "3"]
    assert [problem.where.split(", ")[-1] for problem in got.refused] == ["row 2", "row 4"]
    assert "row 1: the answer is empty" in message(read, [{**ROWS[0], "label": ""}], bad_rows="leave out")


def test_empty_fields_can_be_given_words(read: Callable[..., Read]) -> None:
    got = read(changed(1, age=None), empty="not measured")
    assert got.examples[0].fields["age"] == "not measured"


def test_an_id_that_stands_twice(read: Callable[..., Read]) -> None:
    rows = [{**row, "id": name} for row, name in zip(ROWS, ["p1", "p2", "p1"], strict=True)]
    said = message(read, rows, id="id")
    assert "row 3: id `p1` stands already in" in said
    assert "row 1. Give every case an id of its own" in said


def test_problems_of_all_files_at_once(tmp_path: Path, task: Task) -> None:
    (tmp_path / "one.jsonl").write_text("{")
    (tmp_path / "two.jsonl").write_text(json.dumps({**ROWS[0], "label": ""}))
    spec = DataSpec(path={"train": "one.jsonl", "validation": "two.jsonl", "test": "gone.jsonl"}, group="patient")
    with pytest.raises(InputError) as caught:
        read_examples(spec, task, tmp_path)
    assert [Path(problem.where.split(",")[0]).name for problem in caught.value.problems] == [
        "one.jsonl",
        "gone.jsonl",
        "two.jsonl",
    ]


def test_reasoned_answers_must_end_in_a_label(tmp_path: Path, read: Callable[..., Read]) -> None:
    (tmp_path / "reasoned.yaml").write_text(TASK.replace("PARSER", "final_answer"))
    reasoned = load_task(tmp_path / "reasoned.yaml")
    good, other, bare = (
        {**ROWS[0], "label": label} for label in ("It is hot.\nAnswer: yes", "It is hot.\nAnswer: perhaps", "no")
    )
    assert read([good], of=reasoned).examples[0].target.endswith("yes")
    said = message(read, [good, other, bare], of=reasoned)
    assert "row 1" not in said
    assert "row 2: the answer, a text of 26 characters, does not end with `Answer:` and one of the task's" in said
    assert "row 3: the answer, `no`, does not end" in said
    assert "End each answer with `Answer: <label>`, or set parser: label" in said


def test_the_hash_names_the_content(read: Callable[..., Read]) -> None:
    same, other = read(ROWS).sha256, read(changed(3, note="37 C")).sha256
    assert len(same) == 64
    assert read(ROWS).sha256 == same
    assert other != same
    assert read(ROWS, columns={"age": "patient"}).sha256 != same


def test_repr_shows_no_text(read: Callable[..., Read]) -> None:
    assert "38.5" not in repr(read(ROWS))


def test_built_in_cases(tmp_path: Path) -> None:
    task = load_task(builtin_tasks()[0])
    got = read_examples(DataSpec(cases=30, seed=1), task, tmp_path)
    assert len(got.examples) == 30
    assert {one.split for one in got.examples} <= {"train", "validation", "test"}
    assert read_examples(DataSpec(cases=30, seed=1), task, tmp_path).sha256 == got.sha256
    assert read_examples(DataSpec(cases=30, seed=2), task, tmp_path).sha256 != got.sha256


USER, GOOD, BAD = (
    {"role": "user", "content": "Fever?"},
    {"role": "assistant", "content": "Yes."},
    {"role": "assistant", "content": "No."},
)
SYSTEM = {"role": "system", "content": "Be brief."}


@pytest.mark.parametrize(
    ("row", "turns", "rejected"),
    [
        ({"messages": [SYSTEM, USER, BAD, USER, GOOD]}, (SYSTEM, USER, BAD, USER), None),
        ({"messages": json.dumps([USER, GOOD])}, (USER,), None),
        ({"messages": [USER, GOOD, USER]}, (USER,), None),
        ({"prompt": "Fever?", "completion": "Yes."}, (USER,), None),
        ({"prompt": [SYSTEM, USER], "completion": [GOOD]}, (SYSTEM, USER), None),
        ({"prompt": "Fever?", "chosen": "Yes.", "rejected": "No."}, (USER,), "No."),
        ({"prompt": [USER], "chosen": [GOOD], "rejected": [BAD]}, (USER,), "No."),
        ({"prompt": "Fever?", "chosen": [USER, GOOD], "rejected": [USER, BAD]}, (USER,), "No."),
        ({"chosen": [SYSTEM, USER, GOOD], "rejected": [SYSTEM, USER, BAD]}, (SYSTEM, USER), "No."),
    ],
)
def test_the_usual_columns_as_they_are(
    read: Callable[..., Read], row: dict[str, Any], turns: tuple[Any, ...], rejected: str | None
) -> None:
    (example,) = read([row], of=load_task("as_given"), group="each row").examples
    assert example.prompt == turns
    assert example.target == "Yes."
    assert example.rejected == rejected


def test_pairs_and_right_answers_may_stand_in_one_file(read: Callable[..., Read]) -> None:
    pair = {"prompt": [USER], "chosen": [GOOD], "rejected": [BAD]}
    rows = [{"prompt": [USER], "completion": [BAD]}, pair, {"messages": [SYSTEM, USER, GOOD]}]
    examples = read(rows, of=load_task("as_given"), group="each row").examples
    assert [(one.target, one.rejected) for one in examples] == [("No.", None), ("Yes.", "No."), ("Yes.", None)]
    assert [one.prompt for one in examples] == [(USER,), (USER,), (SYSTEM, USER)]
    with pytest.raises(InputError, match="row 2: `rejected` is empty"):
        read([pair, pair | {"rejected": ""}, *rows], of=load_task("as_given"), group="each row")


def test_chat_columns_of_other_names(read: Callable[..., Read]) -> None:
    rows = [{"question": "Fever?", "reply": "Yes."}]
    got = read(rows, of=load_task("as_given"), group="each row", columns={"prompt": "question"}, target="reply")
    assert got.examples[0].target == "Yes."


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"messages": [USER]}, "row 1: `messages` holds no assistant turn"),
        ({"messages": [GOOD]}, "row 1: there is no user turn"),
        ({"messages": "hello"}, "row 1: `messages` holds no assistant turn"),
        ({"messages": {"role": "user"}}, "row 1: `messages` holds neither a text nor a list"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "row 1: turn 1 of `messages` has no `content` text"),
        ({"messages": [USER, {"role": "tool", "content": "x"}]}, "row 1: turn 2 of `messages` has a role"),
        ({"messages": [USER, {"role": "assistant", "content": " "}]}, "row 1: the answer is empty"),
        ({"prompt": "Fever?", "completion": ""}, "row 1: the answer is empty"),
        ({"prompt": " ", "completion": "Yes."}, "row 1: there is no user turn"),
        ({"prompt": "Fever?", "chosen": "No.", "rejected": "No. "}, "row 1: `chosen` and `rejected` are the same"),
        ({"prompt": "Fever?", "chosen": "No.", "rejected": ""}, "row 1: `rejected` is empty"),
        ({"chosen": [USER, GOOD], "rejected": [SYSTEM, USER, BAD]}, "`rejected` are not those of the prompt"),
        ({"chosen": "Yes.", "rejected": "No."}, "row 1: there is no user turn"),
        ({"prompt": "Fever?", "chosen": [USER], "rejected": [BAD]}, "`chosen` does not end with an assistant turn"),
        ({"question": "Fever?"}, "no chat turns were found"),
    ],
)
def test_broken_turns_are_told(read: Callable[..., Read], row: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        read([row], of=load_task("as_given"), group="each row")
    assert words in str(caught.value)
    assert "Fever" not in str(caught.value)


@pytest.fixture
def several(tmp_path: Path) -> Task:
    kind = TASK.replace("kind: label\n", "kind: labels\n").replace("parser: PARSER", "empty: none")
    (tmp_path / "several.yaml").write_text(kind.replace("macro_f1", "jaccard"))
    return load_task(tmp_path / "several.yaml")


def note(target: Any) -> dict[str, Any]:
    return {"note": "38.5 C", "age": 40, "label": target, "patient": "a"}


def test_several_labels_come_from_text_or_list_and_have_one_form(read: Callable[..., Read], several: Task) -> None:
    cells = ["no; YES", ["no", "yes", "no"], '["no"]', [], "none", "J", "j;yes", "['no', 'yes']", "[]"]
    found = read([note(cell) for cell in cells], of=several, labels={"J": "yes; no", "j": "no"})
    targets = ["yes; no", "yes; no", "no", "none", "none", "yes; no", "yes; no", "yes; no", "none"]
    assert [one.target for one in found.examples] == targets


def test_cells_without_labels_or_with_unknown_ones_are_refused(read: Callable[..., Read], several: Task) -> None:
    """LEADER trap 11: a label that the task does not list is named, never dropped in silence."""
    cells = ["yes; perhap", "", " ; ", "yes", ["yes", {"a": "b"}], "['yes' 'no']"]
    found = read([note(cell) for cell in cells], of=several, bad_rows="leave out")
    assert [one.target for one in found.examples] == ["yes"]
    said = [(one.number, one.wrong.code) for one in found.refused]
    assert said == [
        (1, "unknown_label"),
        (2, "no_answer"),
        (3, "no_answer"),
        (5, "unknown_label"),
        (6, "unknown_label"),
    ]
    assert "`perhap`" in found.refused[0].what
    without = several.model_copy(update={"answer": several.answer.model_copy(update={"empty": None})})
    assert [one.wrong.code for one in read([note("yes"), note([])], of=without, bad_rows="leave out").refused] == [
        "no_label"
    ]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_label_whose_letters_and_marks_are_apart_is_the_tasks(
    tmp_path: Path, read: Callable[..., Read], form: Literal["NFC", "NFD"]
) -> None:
    """Files from macOS and PDFs have them so; an answer of free text stays as it was."""
    cells = [unicodedata.normalize(form, cell) for cell in ("fièvre", "néant", "fièvre; néant")]
    rows, mapping = [note(cell) for cell in cells], {unicodedata.normalize(form, "Fébrile"): "fièvre"}
    text = TASK.replace('{"yes": fever, "no": none}', "{fièvre: fever, néant: none}").replace("PARSER", "label")
    several_text = text.replace(": label\n", ": labels\n").replace("macro_f1", "jaccard")
    for name, yaml in (("one", text), ("several", several_text)):
        (tmp_path / f"{name}.yaml").write_text(yaml)
    one, several = (load_task(tmp_path / f"{name}.yaml") for name in ("one", "several"))
    assert [case.target for case in read(rows[:2], of=one).examples] == ["fièvre", "néant"]
    assert [case.target for case in read(rows, of=several).examples] == ["fièvre", "néant", "fièvre; néant"]
    for task in (one, several):
        other = note(unicodedata.normalize("NFC", "Fébrile"))
        assert read([other], of=task, labels=mapping).examples[0].target == "fièvre"
    chat = {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": cells[0]}]}
    assert read([chat], of=load_task("as_given"), group="each row").examples[0].target == cells[0]


def test_a_value_that_is_mapped_in_both_forms_is_refused() -> None:
    values = {unicodedata.normalize(form, "Fébrile"): label for form, label in (("NFC", "yes"), ("NFD", "no"))}
    with pytest.raises(ValidationError, match="stands there twice"):
        DataSpec(path="cases.csv", labels=values)


@pytest.mark.parametrize(
    ("cell", "code", "words"),
    [
        ("yes; None", "none_beside_labels", "`none`, stands beside labels. Write the labels, or this word alone"),
        ("yes|no", "other_separator", "`|` between them, and the task's separator is `; `. Set `answer.separator`"),
        ("yes, NO", "other_separator", 'Set `answer.separator` to "," in the task'),
        ("yes, perhaps", "unknown_label", "is not one of the task's"),
        ("nothing", "unknown_label", "map others with `labels:` in the study"),
    ],
)
def test_a_cell_that_is_no_set_of_labels_is_told_why(
    read: Callable[..., Read], several: Task, cell: str, code: str, words: str
) -> None:
    with pytest.raises(InputError) as caught:
        read([note(cell)], of=several)
    (problem,) = caught.value.problems
    assert isinstance(problem, InvalidRow)
    assert problem.wrong.code == code
    assert words in str(problem)
    assert "answer.empty" not in str(problem)


def test_a_word_for_no_label_that_the_task_lacks_is_asked_for(read: Callable[..., Read], several: Task) -> None:
    without = several.model_copy(update={"answer": several.answer.model_copy(update={"empty": None})})
    assert "name it as `answer.empty` in the task" in message(read, [note("none")], of=without)
    assert "answer.empty" not in message(read, [note("none; yes")], of=without)
