"""Columns whose cells list labels, and columns of labels and texts that hold the same marks and do not."""

import json
import random
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preceptor.data import Row, SetColumn, Table, inspect_table, set_column
from preceptor.data._label_sets import list_of, read_label_set
from preceptor.tasks import Task
from tiny_study import TASK

LABELS = ["asthma", "COPD", "heart failure", "gout", "type 2 diabetes", "anaemia"]
PROBLEMS = ["asthma", "asthma; COPD", "gout", "COPD", "gout; asthma", "asthma; heart failure", "heart failure"]


def table(cells: list[Any], column: str = "problems") -> Table:
    rows = [
        Row(n + 2, {"note": f"Note {n} of a patient who came today.", column: cell}) for n, cell in enumerate(cells)
    ]
    return Table(Path("cases.csv"), ["note", column], rows, "utf-8")


def found(cells: list[Any]) -> SetColumn | None:
    return set_column(table(cells), "problems")


def seen(cells: list[Any]) -> SetColumn:
    sets = found(cells)
    assert sets is not None
    return sets


@pytest.mark.parametrize("written", ["; ", ";", ", ", ",", "|", " | "])
def test_labels_with_a_mark_between_them(written: str) -> None:
    sets = seen([cell.replace("; ", written) for cell in PROBLEMS * 5])
    assert sets.labels == ("asthma", "COPD", "gout", "heart failure")
    assert sets.separator.strip() == written.strip()
    assert (sets.empty, sets.blank_cells, sets.blank_is_none, sets.spelt) == (None, False, False, {})
    assert sets.longest >= len("asthma; heart failure")


def test_spellings_of_a_label_are_one() -> None:
    sets = seen([*PROBLEMS * 5, "Asthma;copd", "heart  failure", "GOUT; heart   failure"])
    assert sets.labels == ("asthma", "COPD", "gout", "heart failure")
    assert sets.spelt == {"heart  failure": "heart failure", "heart   failure": "heart failure"}


def test_a_label_whose_letters_and_marks_are_apart_is_one() -> None:
    cells = [cell.replace("gout", "goutte œdématiée") for cell in PROBLEMS * 4]
    sets = seen([*cells, *(unicodedata.normalize("NFD", cell) for cell in cells)])
    assert sets.labels == ("asthma", "COPD", "goutte œdématiée", "heart failure")
    assert sets.spelt == {}


@given(st.lists(st.text()))
def test_a_list_is_read_in_full_or_not_at_all(parts: list[str]) -> None:
    """As Python writes it; a backslash, which it writes before some letters, is no part of a label. NumPy writes no
    commas, so that Python would read two labels as one long one.
    """
    assert list_of(str(parts)) in ([parts] if "\\" not in str(parts) else [parts, None])
    assert list_of(str(np.array(LABELS[:2]))) is None


def test_what_stands_for_no_label() -> None:
    word, blank = seen([*PROBLEMS * 5, "No finding"]), seen([*PROBLEMS * 5, " "])
    assert (word.empty, word.labels) == ("No finding", blank.labels)
    assert (blank.empty, blank.blank_is_none) == ("none", True)
    both = seen([*PROBLEMS * 5, "None", ""])
    assert (both.empty, both.blank_cells, both.blank_is_none) == ("None", True, False), "nobody looked"
    beside = seen([*PROBLEMS * 5, "normal", "normal", "normal; gout"])
    assert ("normal" in beside.labels, beside.empty) == (True, None)


@pytest.mark.parametrize("written", [list, json.dumps, str], ids=["lists", "JSON", "Python"])
def test_lists(written: Callable[[list[str]], Any]) -> None:
    cells: list[Any] = [cell.split("; ") for cell in PROBLEMS * 5] + [[]]
    sets = seen(list(map(written, cells)))
    assert (sets.labels, sets.separator) == (("asthma", "COPD", "gout", "heart failure"), "; ")
    assert (sets.empty, sets.blank_is_none) == ("none", False)
    other = seen([[one.replace("gout", "gout; acute") for one in cell] for cell in cells])
    assert other.separator == " | ", "no label holds what stands between two"


@pytest.mark.parametrize(
    "cells",
    [
        ["urgent", "routine", "routine"],
        ["pneumonia, viral", "pneumonia, bacterial", "asthma, mild", "asthma, severe", "pneumonia"],
        ["yes", "no", "unknown, to be asked", "yes", "no"],
        ["mild, left", "mild, right", "severe, left", "severe, right"],
        ["mild, left", "mild, right", "severe, left", "severe, right", "none"],
        ["1,5", "2,5", "2", "1", "5", "3"],
        ["Smith, John", "Doe, Jane", "Doe, John", "Smith, Jane"],
        ["Discharge, see the GP", "Admit, telemetry", "Admit, ICU", "Discharge"],
        ["smoking=never; alcohol=none", "smoking=never", "alcohol=none", "alcohol=some"],
        ["Fever, cough.", "Fever.", "Cough.", "Cough, fever."],
        ["['asthma' 'gout']", "['asthma']", "['gout']"],
        ["{'asthma', 'gout'}", "{'asthma'}", "{'gout'}"],
        ["['asthma', nan]", "['asthma', 'gout']", "['gout']"],
        ["asthma"],
        [""],
        [["asthma", "gout"], "asthma; gout", "gout", "asthma"],
        [{"asthma": 1}, {"gout": 1}],
    ],
)
def test_labels_and_texts_that_hold_the_mark_are_no_sets(cells: list[Any]) -> None:
    assert found(cells * 12) is None


def test_a_label_beside_too_few_others_is_no_set() -> None:
    """A case or two of several labels in a hundred may be a slip; parts that hardly come again are a text's."""
    assert found(["asthma", "gout"] * 30 + ["asthma; gout"] * 3) is None
    assert found([f"sign {n}; sign {n + 1}" for n in range(30)] + [f"sign {n}" for n in range(30)]) is None


@given(st.integers(), st.sampled_from([",", ";", "|"]))
def test_free_text_with_marks_is_no_set(seed: int, mark: str) -> None:
    rng = random.Random(seed)
    words = [
        "fever",
        "cough",
        "since",
        "the",
        "day",
        "no",
        "pain",
        "left",
        "chest",
        "was",
        "seen",
        "well",
        "at",
        "home",
    ]

    def clause() -> str:
        return " ".join(rng.choices(words, k=rng.randint(2, 6)))

    assert found([f"{mark} ".join(clause() for _ in range(rng.randint(1, 5))) for _ in range(60)]) is None


@given(st.data())
def test_what_is_proposed_reads_every_set_as_it_was(data: st.DataObject) -> None:
    """Whatever labels, marks, order and repeats: the task that follows has these labels, and each cell its own set."""
    labels = data.draw(st.lists(st.sampled_from(LABELS), min_size=3, unique=True))
    mark, with_empty = data.draw(st.sampled_from([";", ",", "|"])), data.draw(st.booleans())
    more = data.draw(st.lists(st.sets(st.sampled_from(labels)), max_size=12))
    pairs = [{one, other} for one, other in zip(labels, [*labels[1:], labels[0]], strict=True)]
    sets = [*({one} for one in labels * 3), *pairs, *(one for one in more if one or with_empty)]
    spaces = data.draw(st.sampled_from(["", " ", "  "]))
    cells = [f"{spaces}{mark}{spaces}".join(data.draw(st.permutations(sorted(one)))) for one in sets]
    proposed = seen(cells)
    assert {*proposed.labels} == {*labels}
    answer = {
        "kind": "labels",
        "labels": {label: label for label in proposed.labels},
        "separator": proposed.separator,
        "empty": proposed.empty,
        "max_new_tokens": 8,
    }
    task = Task.model_validate(TASK | {"answer": answer, "metric": "jaccard", "also": []})
    mapping = proposed.spelt | ({"": str(proposed.empty)} if proposed.blank_is_none else {})
    for cell, one in zip(cells, sets, strict=True):
        problems: list[Any] = []
        assert task.label_set(read_label_set(cell, mapping, task, problems)) == one
        assert not problems


def test_it_is_guessed_as_the_answer_by_its_name_alone() -> None:
    many = ["; ".join(LABELS[i] for i in range(6) if n >> i & 1) for n in range(1, 64)] * 2
    assert inspect_table(table(many, "diagnoses")).label == "diagnoses"
    assert inspect_table(table(many, "medicines")).label is None


def test_a_text_beside_lists_is_one_label() -> None:
    """As exports to JSON write a single value: rows of several labels would be lost if these were single labels."""
    cells = [parts if len(parts := cell.split("; ")) > 1 else cell for cell in PROBLEMS * 5]
    assert seen(cells).labels == seen(PROBLEMS * 5).labels


@pytest.mark.parametrize("part", [None, ["gout"], {"code": "gout"}])
def test_lists_of_anything_but_texts_and_numbers_are_no_sets(part: Any) -> None:
    lists = [cell.split("; ") for cell in PROBLEMS * 5]
    assert found(lists) is not None
    assert found([[*one, part] if "gout" in one else one for one in lists]) is None
