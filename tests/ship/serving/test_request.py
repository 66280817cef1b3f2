import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preceptor.ship.serving._chat_request import ChatRequest, read_request
from preceptor.ship.serving._refused import RefusedError

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from([*ChatRequest.model_fields, "temperature", "tools", "top_p", "nonsense"])


@given(st.binary(max_size=200) | st.dictionaries(names, json_values, max_size=5).map(lambda x: json.dumps(x).encode()))
def test_any_body_is_a_request_or_refused_in_words(body: bytes) -> None:
    try:
        read_request(body)
        refused = None
    except RefusedError as error:
        refused = error
    if refused is not None:
        assert refused.status == 400
        assert refused.message
        json.dumps(refused.body)


@given(st.text(min_size=1))
def test_no_text_is_in_what_is_shown_of_a_request(note: str) -> None:
    body = {"fields": {"note": f"<{note}>"}, "stop": f"<{note}>"}
    assert f"<{note}>" not in repr(read_request(json.dumps(body).encode()))


@pytest.mark.parametrize(
    ("asked", "limit"),
    [({}, 40), ({"max_tokens": 9}, 9), ({"max_tokens": 50}, 40), ({"max_tokens": 9, "max_completion_tokens": 5}, 5)],
)
def test_an_answer_has_the_task_s_max_new_tokens_or_less(asked: dict[str, Any], limit: int) -> None:
    assert read_request(json.dumps(asked | {"fields": {}}).encode()).answer_limit(40) == limit


@pytest.mark.parametrize(
    ("sent", "stop"),
    [
        ({}, []),
        ({"stop": None}, []),
        ({"stop": []}, []),
        ({"stop": "a\n"}, ["a\n"]),
        ({"stop": list("abcd")}, list("abcd")),
    ],
)
def test_stop_strings_are_one_or_up_to_four(sent: dict[str, Any], stop: list[str]) -> None:
    assert read_request(json.dumps(sent | {"fields": {}}).encode()).stop == stop


def test_a_developer_speaks_as_system_and_nulls_are_not_sent() -> None:
    turns = [{"role": "developer", "content": "Be short.", "name": None}, {"role": "user", "content": "Hello"}]
    asked = read_request(json.dumps({"messages": turns, "temperature": None, "tools": None}).encode())
    assert [turn.message["role"] for turn in asked.messages] == ["system", "user"]
