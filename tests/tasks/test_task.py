import pytest

from preceptor.errors import InputError
from preceptor.tasks import Example, Task, builtin_tasks, load_task


def make_task(**changes: object) -> Task:
    parts = {
        "name": "fever",
        "title": "Fever",
        "question": "Is there fever?",
        "source": "A test",
        "fields": {"note": "the note", "age": "years"},
        "instruction": "Say yes or no.",
        "prompt": "Age {age}.\n{note}",
        "answer": {"kind": "label", "labels": {"yes": "38 C or more", "no": "less"}, "max_new_tokens": 4},
        "metric": "macro_f1",
    }
    return Task.model_validate({**parts, **changes})


def test_fields_fill_the_prompt_under_the_instruction() -> None:
    messages = make_task().messages(Example("1", "p", {"note": "hot", "age": "40"}, "yes"))
    assert messages == [
        {"role": "system", "content": "Say yes or no."},
        {"role": "user", "content": "Age 40.\nhot"},
    ]


def test_braces_in_a_value_are_text() -> None:
    messages = make_task().messages(Example("1", "p", {"note": "{age} {x} \\1", "age": "{note}"}, "yes"))
    assert messages[1]["content"] == "Age {note}.\n{age} {x} \\1"


def test_no_instruction_no_system_message() -> None:
    messages = make_task(instruction="").messages(Example("1", "p", {"note": "hot", "age": "40"}, "yes"))
    assert [turn["role"] for turn in messages] == ["user"]


def test_turns_that_the_data_brings_are_used_as_they_are() -> None:
    turns = ({"role": "user", "content": "{note}"}, {"role": "assistant", "content": "a"})
    assert load_task("as_given").messages(Example("1", "p", {}, "yes", prompt=turns)) == list(turns)  # type: ignore[arg-type]


def test_a_missing_field_is_named_and_the_text_is_not_shown() -> None:
    with pytest.raises(InputError) as caught:
        make_task().messages(Example("case-7", "p", {"note": "secret"}, "yes"))
    assert "case-7" in str(caught.value)
    assert "'age'" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_parser_follows_from_the_kind() -> None:
    assert make_task().parse("Yes.") == "yes"
    assert make_task(answer={"kind": "text", "max_new_tokens": 9}).parse(" Yes. ") == "Yes."


def test_facts_are_those_of_the_tasks_elements() -> None:
    answer = {"kind": "text", "parser": "elements", "elements": {"Drug": "with dose"}, "max_new_tokens": 9}
    assert make_task(answer=answer).facts("Drug: Aspirin 75mg OD\nOther: x") == {"drug=aspirin 75 mg once daily"}


def test_also_takes_names_and_sensitivity_with_its_labels() -> None:
    task = make_task(also=["accuracy", {"metric": "sensitivity", "labels": ["yes"]}])
    found = [(extra.metric, extra.labels) for extra in task.secondary_metrics]
    assert found == [("accuracy", ()), ("sensitivity", ("yes",))]


@pytest.mark.parametrize("name", builtin_tasks())
def test_a_label_that_is_said_is_read_as_itself(name: str) -> None:
    task = load_task(name)
    assert [task.parse(task.format_answer(label)) for label in task.labels] == list(task.labels)
