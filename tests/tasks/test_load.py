from pathlib import Path

import pytest

from preceptor.errors import InputError
from preceptor.tasks import builtin_tasks, load_task

GOOD = """\
name: smoke
title: Smoking
question: Does the patient smoke?
source: A test
fields:
  note: The note
instruction: Answer yes, no or 1.
prompt: "{note}"
cut: note
answer:
  kind: label
  labels:
    yes: smokes
    no: does not
    1: once
  max_new_tokens: 4
metric: macro_f1
also: [accuracy]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "task.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        load_task(write(folder, text))
    return [str(problem) for problem in caught.value.problems]


def test_labels_stay_the_words_that_were_written(tmp_path: Path) -> None:
    assert load_task(write(tmp_path, GOOD)).labels == ("yes", "no", "1")


def test_an_empty_cut_is_none(tmp_path: Path) -> None:
    for nothing in ("", " null", " ~"):
        assert load_task(write(tmp_path, GOOD.replace("cut: note", f"cut:{nothing}"))).cut is None


@pytest.mark.parametrize(
    ("good", "bad", "where", "what"),
    [
        ("title: Smoking", "titel: Smoking", "titel", "no such key"),
        ("title: Smoking\n", "", "title", "missing"),
        ('prompt: "{note}"', 'prompt: "{note} {age}"', "prompt", "{age} is not a field"),
        ("cut: note", "cut: notes", "cut", "'notes' is not a field"),
        ("    no: does not", "    no: does not\n    no: never", "line 15", "'no' stands there twice"),
        ("    no: does not", '    no: does not\n    "No ": never', "answer.labels", "'no' differs only"),
        ("    no: does not", '    "": does not', "answer.labels", "empty"),
        ("    no: does not\n    1: once\n", "", "answer.labels", "fewer than two"),
        ("    no: does not", '    ">10": does not', "answer.labels", "no answer can be read as '>10'"),
        ("    no: does not", '    "(none)": does not', "answer.labels", "no answer can be read as '(none)'"),
        ("also: [accuracy]", "also: [accuracy, {metric: accuracy}]", "also", "'accuracy' is named twice"),
        ("  kind: label", "  kind: label\n  parser: regex", "answer.parser", "'regex' reads no label"),
        ("  kind: label", "  kind: text", "answer.labels", "no labels"),
        ("also: [accuracy]", "also: [{metric: sensitivity, labels: [maybe]}]", "also", "'maybe' is not a label"),
        ("also: [accuracy]", "cases: dreams", "cases", "no built-in cases 'dreams'"),
        ("max_new_tokens: 4", "max_new_tokens: many", "answer.max_new_tokens", "integer"),
        ("max_new_tokens: 4", "max_new_tokens: 0", "answer.max_new_tokens", "greater than 0"),
        ("title: Smoking", 'title: "Smo\\aking"', "title", "the control character U+0007"),
        ("    no: does not", '    "no\\u202e": does not', "answer.labels", "the control character U+202E"),
        ("question: Does", "question: [Does", "line", "is not YAML"),
        ("question: Does", "? [a, b]\n: Does", "line 3", "is not YAML"),
    ],
)
def test_a_mistake_is_named_with_file_and_key(tmp_path: Path, good: str, bad: str, where: str, what: str) -> None:
    assert good in GOOD
    found = problems(tmp_path, GOOD.replace(good, bad))
    assert any("task.yaml" in line and where in line and what in line for line in found), found


def test_all_mistakes_are_said_at_once(tmp_path: Path) -> None:
    text = (
        GOOD.replace("title: Smoking\n", "")
        .replace("cut: note", "cut: x")
        .replace("[accuracy]", "[accuracy, accuracy]")
    )
    found = "\n".join(problems(tmp_path, text + "colour: red\n"))
    for where in ("task.yaml, title", "line 8, cut", "line 17, also", "line 18, colour"):
        assert f"{where}: " in found


def test_text_that_is_not_a_mapping_or_not_utf8_is_refused(tmp_path: Path) -> None:
    assert "holds no keys" in problems(tmp_path, "just words")[0]
    (tmp_path / "task.yaml").write_bytes(b"title: \xe9\xff")
    with pytest.raises(InputError, match="not UTF-8"):
        load_task(tmp_path / "task.yaml")


def test_an_unknown_name_lists_the_built_in_tasks() -> None:
    with pytest.raises(InputError, match="numeric_classification"):
        load_task("no_such_task")


def test_the_task_in_the_documentation_loads(tmp_path: Path) -> None:
    documentation = Path(__file__).parents[2] / "docs" / "TASKS.md"
    example = documentation.read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    assert load_task(write(tmp_path, example)).labels == ("current", "former", "never")


@pytest.mark.parametrize("name", [*builtin_tasks(), "as_given"])
def test_every_built_in_task_loads_and_is_named_as_its_file(name: str) -> None:
    assert load_task(name).name == name


def test_the_built_in_tasks_are_the_six_of_the_paper_and_those_of_the_recipes() -> None:
    assert builtin_tasks() == [
        "abbreviations",
        "clinical_reasoning",
        "long_note",
        "medication",
        "numeric_classification",
        "specialty",
        "summarization",
        "text_classification",
        "triage_provider",
        "triage_urgency",
    ]


SETS = GOOD.replace("kind: label", "kind: labels\n  empty: none").replace("also: [accuracy]", "also: []")


def test_a_task_of_several_labels_has_a_canonical_form(tmp_path: Path) -> None:
    task = load_task(write(tmp_path, SETS))
    assert (task.labels, task.set_labels, task.answer.parser) == ((), ("yes", "no", "1"), "labels")
    assert task.parse("1;\nYES") == "yes; 1"
    assert (task.parse("None"), task.parse("perhaps"), task.parse("no; perhaps")) == ("none", "INVALID", "no; perhaps")
    assert "separator" not in task.answer.model_dump()


@pytest.mark.parametrize(
    ("good", "bad", "where", "what"),
    [
        ("    no: does not\n    1: once\n", "", "answer.labels", "fewer than two labels"),
        ("    no: does not", "    no; not: does not", "answer.labels", "no answer can be read as 'no; not'"),
        ("  empty: none", '  separator: ""', "answer.separator", "is empty"),
        ("  empty: none", "  empty: No", "answer.empty", "'No' is a label"),
        ("  empty: none", "  empty: no one; none", "answer.empty", "cannot be read as the empty set"),
        ("  kind: labels", "  kind: label", "answer.empty", "has no meaning here"),
        ("  kind: labels", "  kind: labels\n  parser: label", "answer.parser", "'label' reads no labels"),
    ],
)
def test_what_is_wrong_with_several_labels_is_said(tmp_path: Path, good: str, bad: str, where: str, what: str) -> None:
    found = problems(tmp_path, SETS.replace(good, bad))
    assert any(where in one and what in one for one in found), found
