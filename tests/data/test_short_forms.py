"""Tables of short forms: the shipped one, a user's, and what is wrong with one."""

from collections import Counter
from pathlib import Path

import pytest

from preceptor.data import read_short_forms
from preceptor.errors import InputError


def test_the_shipped_table_has_ambiguous_short_forms_and_each_long_form_once() -> None:
    forms = read_short_forms()
    senses = Counter(forms.short_of.values())
    assert forms.left_out == 0
    assert len(senses) >= 60
    assert len(forms.short_of) >= 150
    assert min(senses.values()) >= 2
    assert len({long.casefold() for long in forms.short_of}) == len(forms.short_of)


def table(folder: Path, *rows: str, header: str = "short,long") -> Path:
    file = folder / "forms.csv"
    file.write_text("\n".join([header, *rows]) + "\n")
    return file


def test_a_long_form_of_several_short_forms_is_left_out_and_counted(tmp_path: Path) -> None:
    file = table(tmp_path, "MI,myocardial infarction", "AMI,Myocardial  infarction", "RA,room air", "RA,right atrium")
    forms = read_short_forms(file)
    assert forms.left_out == 1
    assert forms.short_of == {"right atrium": "RA", "room air": "RA"}


def test_a_pair_that_stands_twice_is_one(tmp_path: Path) -> None:
    forms = read_short_forms(table(tmp_path, "RA,room air", "RA,room air", "RA,right atrium"))
    assert forms.left_out == 0
    assert len(forms.short_of) == 2


def test_a_long_form_in_two_spellings_of_case_is_one_and_not_left_out(tmp_path: Path) -> None:
    forms = read_short_forms(table(tmp_path, "RA,room air", "RA,Room Air", "RA,right atrium", "ra,rent arrears"))
    assert forms.left_out == 0
    assert forms.short_of == {"Room Air": "RA", "right atrium": "RA", "rent arrears": "ra"}


def test_cells_that_are_no_text_are_refused_by_their_row(tmp_path: Path) -> None:
    file = tmp_path / "forms.jsonl"
    file.write_text(
        '{"short": ["RA"], "long": "room air"}\n{"short": "RA", "long": {"a": 1}}\n{"short": 1, "long": 2}\n'
    )
    with pytest.raises(InputError) as found:
        read_short_forms(file)
    assert [str(one).removeprefix(f"{file}, ") for one in found.value.problems] == [
        "row 1: a form is a list or an object. Write each as a text.",
        "row 2: a form is a list or an object. Write each as a text.",
    ]


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as found:
        read_short_forms(table(tmp_path, "RA,", ",room air", "ra,RA", "RA,right atrium", "RA,!?"))
    assert [one.what for one in found.value.problems] == [
        "long is empty",
        "short is empty",
        "short and long form are the same",
        "long has no word",
    ]


@pytest.mark.parametrize(
    ("rows", "header", "what"),
    [
        (["RA,room air"], "abbreviation,meaning", "there is no column short, long; it has `abbreviation`, `meaning`"),
        (["RA,room air"], f"short,{'She is well. ' * 9}", "it has `short`, a text of 116 characters"),
        (["RA,room air", "MI,myocardial infarction"], "short,long", "no short form has two long forms"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(tmp_path: Path, rows: list[str], header: str, what: str) -> None:
    with pytest.raises(InputError, match=what):
        read_short_forms(table(tmp_path, *rows, header=header))
