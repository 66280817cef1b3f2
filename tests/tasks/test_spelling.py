"""Spellings that are one label: letters with marks as one code point (NFC) or several (NFD), capitals, spaces."""

import unicodedata
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from preceptor.errors import InputError
from preceptor.tasks import load_task, plain
from preceptor.tasks._label_sets import parse_label_set
from preceptor.tasks._parse import parse_final_answer, parse_label
from tiny_study import TASK

LABELS = ("fièvre", "pas de fièvre", "Œdème")


def apart(text: str) -> str:
    return unicodedata.normalize("NFD", text)


@given(st.text())
def test_canonically_equal_texts_are_one_label(text: str) -> None:
    assert plain(apart(text)) == plain(unicodedata.normalize("NFC", text)) == plain(text)


@pytest.mark.parametrize("label", LABELS)
def test_an_answer_is_read_in_either_form(label: str) -> None:
    assert parse_label(apart(label), LABELS) == label
    assert parse_final_answer(apart(f"Réponse : {label}"), LABELS, "Réponse :") == label
    assert parse_label_set(apart(f"{label}; autre"), LABELS, "; ", None) == {label, "autre"}
    assert parse_label_set(apart("Aucune étiquette"), LABELS, "; ", "aucune étiquette") == frozenset()


def write(folder: Path, labels: list[str]) -> Path:
    answer = TASK["answer"] | {"labels": dict.fromkeys(labels, "what it means")}
    path = folder / "fever.task.yaml"
    path.write_text(yaml.safe_dump(TASK | {"answer": answer, "also": []}, allow_unicode=True), encoding="utf-8")
    return path


def test_a_task_file_is_read_in_one_form(tmp_path: Path) -> None:
    assert load_task(write(tmp_path, [apart(label) for label in sorted(LABELS)])).labels == tuple(sorted(LABELS))


def test_a_label_in_both_forms_stands_there_twice(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'fièvre' stands there twice"):
        load_task(write(tmp_path, ["fièvre", apart("fièvre"), "Œdème"]))
