"""Long notes with one deciding sentence: where it stands, what stands beside it, and that no prompt shows it alone."""

import re
from collections import Counter
from pathlib import Path

import pytest

from preceptor.data import named_answers
from preceptor.errors import InputError
from preceptor.preferences.labelling._items import case_fields
from preceptor.study.answers.tfidf import learn_words
from preceptor.tasks import Example, load_task, make_cases, task_file
from preceptor.tasks.cases._long_note_smoking import DECIDING, OF_OTHERS
from preceptor.tasks.cases._long_note_wording import COURSE, HISTORY, PLAN
from preceptor.tasks.cases.long_note import FIRST_TOKENS

TASK = load_task("long_note")
OF_SMOKING = re.compile(r"smok|tobacco|cigarette", re.IGNORECASE)


@pytest.fixture(scope="module")
def cases() -> list[Example]:
    return make_cases("long_note", 500, seed=2)


def test_notes_have_1200_to_2000_words(cases: list[Example]) -> None:
    words = [len(one.fields["note"].split()) for one in cases]
    assert min(words) >= 1200
    assert max(words) <= 2000


def test_the_evidence_is_the_note_s_own_characters_and_stands_there_once(cases: list[Example]) -> None:
    assert all(one.fields["note"].count(one.fields["evidence"]) == 1 for one in cases)


def test_it_stands_behind_token_512_in_seven_of_ten_notes(cases: list[Example]) -> None:
    before = [len(one.fields["note"].partition(one.fields["evidence"])[0].split()) for one in cases]
    behind = [words >= FIRST_TOKENS for words in before]
    assert 0.64 < sum(behind) / len(cases) < 0.76
    assert all(words < 300 for words, late in zip(before, behind, strict=True) if not late)


def test_five_sentences_beside_it_speak_of_smoking_whatever_the_label(cases: list[Example]) -> None:
    """Family history and negations: the words alone say nothing."""
    for one in cases:
        rest = re.split(r"(?<=[.:])\s", one.fields["note"].replace(one.fields["evidence"], ""))
        assert sum(bool(OF_SMOKING.search(sentence)) for sentence in rest) >= 5, one.id


def test_nothing_but_those_sentences_speaks_of_smoking() -> None:
    for table in (HISTORY, COURSE, PLAN):
        assert not any(OF_SMOKING.search(one) for side in table.values() for one in side)
    assert all(OF_SMOKING.search(one) for sides in DECIDING.values() for side in sides.values() for one in side)
    assert all(OF_SMOKING.search(one) for side in OF_OTHERS.values() for one in side)


def test_no_field_holds_the_label_s_own_words(cases: list[Example]) -> None:
    for name in TASK.fields:
        assert not named_answers(TASK, cases, lambda one, name=name: one.fields[name]).is_much  # type: ignore[misc]


def test_labels_are_about_equally_frequent(cases: list[Example]) -> None:
    counts = Counter(one.target for one in cases)
    assert set(counts) == set(TASK.labels)
    assert min(counts.values()) > 0.7 * len(cases) / 4


@pytest.mark.slow
def test_word_counts_of_the_whole_note_do_not_solve_it_and_those_of_the_evidence_nearly_do(
    cases: list[Example],
) -> None:
    parts = [[one for one in cases if one.split == split][:120] for split in ("train", "test")]
    right = {}
    for name in TASK.fields:
        train, test = ([one.fields[name] for one in part] for part in parts)
        told, _ = learn_words(train, [one.target for one in parts[0]])(test)
        right[name] = sum(answer == one.target for answer, one in zip(told, parts[1], strict=True)) / len(test)
    assert right["note"] < 0.6 < right["evidence"]


def test_no_prompt_shows_the_evidence_and_no_rater_sees_it(cases: list[Example], tmp_path: Path) -> None:
    one = cases[0]
    marked = Example(one.id, one.group, {**one.fields, "evidence": "MARK"}, one.target)
    assert not any("MARK" in turn["content"] for turn in TASK.messages(marked))
    assert [name for name, _ in case_fields(TASK, marked)] == ["note"]
    shown = task_file("long_note").read_text(encoding="utf-8").replace('"{note}"', '"{note} {evidence}"')
    (tmp_path / "task.yaml").write_text(shown, encoding="utf-8")
    with pytest.raises(InputError, match="the prompt shows it"):
        load_task(tmp_path / "task.yaml")
    (tmp_path / "task.yaml").write_text(shown.replace("evidence: evidence", "evidence: proof"), encoding="utf-8")
    with pytest.raises(InputError, match=r"'proof' is not a field\. Add it to `fields`, or name one of"):
        load_task(tmp_path / "task.yaml")
