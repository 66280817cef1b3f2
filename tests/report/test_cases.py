"""The cases behind a paired table."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from html_page import Page
from preceptor.errors import InputError
from preceptor.report import read_run, write_report
from preceptor.report._cases import find_examples, mark_differences, side_by_side
from run_folders import EARLIER


def groups_of(folder: Path, task: int = 0):  # type: ignore[no-untyped-def]
    run = read_run(folder)
    part = run.results.study.tasks[task]
    contrast = run.results.contrasts_of(part.name)[0]
    return contrast, {group.key: group for group in side_by_side(run, part, contrast, find_examples(run, part))}


def test_the_groups_hold_as_many_cases_as_the_paired_table_says(synthetic: Path, real: Path) -> None:
    for folder in (synthetic, real):
        contrast, groups = groups_of(folder)
        assert contrast.counts is not None
        assert {key: group.total for key, group in groups.items()} == contrast.counts.model_dump()


def test_texts_are_grouped_by_which_scored_higher(synthetic: Path) -> None:
    contrast, groups = groups_of(synthetic, task=1)
    assert set(groups) == {"only_a", "only_b", "same"}
    assert sum(group.total for group in groups.values()) == contrast.n
    assert all(case.a_score > case.b_score for case in groups["only_a"].cases)
    assert all(case.a_score < case.b_score for case in groups["only_b"].cases)


def test_each_case_stands_with_its_own_note_and_right_answer(synthetic: Path) -> None:
    _, groups = groups_of(synthetic)
    run = read_run(synthetic)
    examples = find_examples(run, run.results.study.tasks[0])
    for group in groups.values():
        for case in group.cases:
            assert case.gold == examples[case.id].target
            assert dict(case.note) == dict(examples[case.id].fields)


def test_a_long_group_says_how_many_it_leaves_out(synthetic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preceptor.report._cases._MOST_CASES", 2)
    contrast, groups = groups_of(synthetic)
    assert contrast.counts is not None
    assert len(groups["both_right"].cases) == 2
    assert groups["both_right"].total == contrast.counts.both_right
    assert "more are in the predictions of this run" in Page(write_report(synthetic).read_text()).text


def test_data_that_changed_is_not_shown_as_if_it_had_not(real: Path) -> None:
    own = Path(json.loads((real / "results.json").read_text())["command"].split()[-1]).parent
    table = own / "cases.csv"
    before = table.read_text()
    try:
        table.write_text(before.replace("heart rate", "pulse"))
        page = Page(write_report(real, with_text=True).read_text())
    finally:
        table.write_text(before)
    assert "pulse" not in page.text
    assert "heart rate" not in page.text
    assert "The data could not be found again as it was" in page.text


def test_a_task_called_synthetic_opens_no_file(real: Path) -> None:
    results = json.loads((real / "results.json").read_text())
    results["study"]["tasks"][0]["synthetic"] = True
    results["versions"] |= EARLIER
    (real / "results.json").write_text(json.dumps(results))
    assert "heart rate" not in write_report(real).read_text()


def test_predictions_that_were_changed_are_refused(synthetic: Path) -> None:
    file = next(synthetic.glob("cells/triage_urgency/*/sft/*/predictions.jsonl"))
    file.write_text(file.read_text() + "\n")
    with pytest.raises(InputError, match="changed since the results"):
        write_report(synthetic)
    file.unlink()
    with pytest.raises(InputError, match="not in the run folder"):
        write_report(synthetic)


def test_predictions_outside_of_the_run_are_not_read(synthetic: Path) -> None:
    file = next(synthetic.glob("cells/triage_urgency/*/sft/*/predictions.jsonl"))
    outside = synthetic.parent / "elsewhere.jsonl"
    outside.write_bytes(file.read_bytes())
    text = (synthetic / "results.json").read_text()
    path = file.relative_to(synthetic).as_posix()
    (synthetic / "results.json").write_text(text.replace(path, "../elsewhere.jsonl"))
    with pytest.raises(InputError, match="not in the run folder"):
        write_report(synthetic)


def test_differences_are_marked() -> None:
    a, b = mark_differences("penicillin 500 mg\ntwice daily", "penicillin 250 mg\ntwice  daily now")
    assert a == "penicillin <mark>500</mark> mg\ntwice daily"
    assert b == "penicillin <mark>250</mark> mg\ntwice  daily <mark>now</mark>"
    assert mark_differences("same", "same") == ("same", "same")
    assert mark_differences("<b>", "") == (Markup("<mark>&lt;b&gt;</mark>"), "")


@given(st.text(st.sampled_from("ab<&\"' \n"), max_size=30), st.text(st.sampled_from("ab<&\"' \n"), max_size=30))
def test_marking_changes_no_word(a: str, b: str) -> None:
    for text, marked in zip((a, b), mark_differences(a, b), strict=True):
        assert Markup(marked).striptags() == " ".join(text.split())
