from pathlib import Path

import pytest

from preceptor.data import Guess, Row, Table, inspect_table, looks_like_labels

NOTE = "Patient number {} came in with fever and chills since yesterday."


def table(count: int = 30, **columns: object) -> Table:
    """A table whose columns are made by functions of the row's place."""
    rows = [Row(n + 2, {name: str(make(n)) for name, make in columns.items()}) for n in range(count)]  # type: ignore[operator]
    return Table(Path("cases.csv"), list(columns), rows, "utf-8")


def test_the_plain_case() -> None:
    guess = inspect_table(
        table(
            visit_date=lambda n: f"2024-03-{n % 28 + 1:02}",
            patient_id=lambda n: f"P{n // 2}",
            sex=lambda n: "mf"[n % 2],
            note=lambda n: NOTE.format(n),
            label=lambda n: "urgent" if n % 3 else "routine",
        )
    )
    assert guess == Guess(["note"], "label", "patient_id", "visit_date")


def test_numbers_are_what_the_model_reads_when_there_is_no_prose() -> None:
    guess = inspect_table(
        table(
            row=lambda n: n,
            age=lambda n: 20 + n,
            creatinine=lambda n: 1 + n / 100,
            stage=lambda n: n % 3,
        )
    )
    assert guess == Guess(["age", "creatinine"], "stage", None, None)


def test_a_free_text_answer_is_known_by_its_name() -> None:
    guess = inspect_table(table(text=lambda n: NOTE.format(n), summary=lambda n: f"Fever, case {n} of the day"))
    assert guess == Guess(["text"], "summary", None, None)
    assert not looks_like_labels(table(summary=lambda n: f"Fever, case {n}"), "summary")


@pytest.mark.parametrize("value", ["01.03.2024", "3/1/24", "2024-03-01T08:30:00", "2024-03-01 08:30"])
def test_dates_in_their_usual_forms(value: str) -> None:
    assert inspect_table(table(seen=lambda n: value, note=lambda n: NOTE.format(n))).date == "seen"


def test_an_id_is_a_patient_only_when_it_repeats() -> None:
    assert inspect_table(table(ID=lambda n: n, note=lambda n: NOTE.format(n))).patient is None
    assert inspect_table(table(ID=lambda n: n // 3, note=lambda n: NOTE.format(n))).patient == "ID"


def test_a_group_of_the_trial_is_not_the_patient() -> None:
    assert inspect_table(table(Group=lambda n: n % 2, note=lambda n: NOTE.format(n))).patient is None


def test_empty_columns_are_nothing() -> None:
    assert inspect_table(table(label=lambda n: "", note=lambda n: NOTE.format(n))) == Guess(["note"], None, None, None)


def test_too_many_or_too_long_values_are_no_labels() -> None:
    assert looks_like_labels(table(x=lambda n: n % 5), "x")
    assert not looks_like_labels(table(x=lambda n: n), "x")
    assert not looks_like_labels(table(x=lambda n: NOTE if n % 2 else "short"), "x")
    assert not looks_like_labels(table(x=lambda n: ""), "x")
