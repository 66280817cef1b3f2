"""Which requests are the task's own, so that they are answered as the study measured."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preceptor.ship.serving._prompt_reader import is_of_task
from preceptor.tasks import Example, Task
from tiny_study import TASK

TWO = Task.model_validate(
    TASK | {"fields": {"note": "a note", "age": "an age"}, "prompt": "Age {age}. Note: {note}\n{unknown}"}
)
BARE = TWO.model_copy(update={"instruction": ""})
VALUE = st.text(max_size=30)


@given(VALUE, VALUE, st.sampled_from([TWO, BARE]))
def test_every_case_is_the_task_s_whatever_stands_in_its_fields(note: str, age: str, task: Task) -> None:
    turns = task.messages(Example("c", "c", {"note": note, "age": age}, ""))
    assert is_of_task(task, turns)
    assert not is_of_task(task, turns[:-1])
    assert not is_of_task(task, [*turns, {"role": "assistant", "content": "urgent"}])
    assert not is_of_task(task, [*turns[:-1], {"role": "assistant", "content": turns[-1]["content"]}])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Age 3. Note: x",
        "Age 3. Note: x\n",
        "Note: x\n{unknown}",
        " Age 3. Note: x\n{unknown}",
        "Age . Note:\n{unknown}",
    ],
)
def test_another_text_is_not(text: str) -> None:
    assert not is_of_task(BARE, [{"role": "user", "content": text}])


def test_what_overlaps_is_not_filled_in() -> None:
    short = BARE.model_copy(update={"prompt": "ab{note}ab"})
    assert not is_of_task(short, [{"role": "user", "content": "ab"}])
    assert not is_of_task(short, [{"role": "user", "content": "aba"}])
    assert is_of_task(short, [{"role": "user", "content": "abab"}])


def test_another_instruction_or_none_is_another_conversation() -> None:
    turns: Any = TWO.messages(Example("c", "c", {"note": "n", "age": "3"}, ""))
    assert is_of_task(TWO, turns)
    assert not is_of_task(TWO, turns[1:])
    assert not is_of_task(TWO, [{"role": "system", "content": "Answer in verse."}, turns[1]])
    assert not is_of_task(BARE, turns)


def test_a_task_of_chat_turns_takes_any() -> None:
    chat = TWO.model_copy(update={"fields": {}, "prompt": "", "instruction": ""})
    assert is_of_task(chat, [{"role": "user", "content": "Hello"}])
