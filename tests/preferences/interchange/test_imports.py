"""Files as other tools write them, made by hand after their documentation."""

import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from preceptor.errors import InputError
from preceptor.preferences.interchange import Row, read
from preceptor.preferences.interchange._record import message

ASKED = (message("user", "What colour is the sky?"),)
SYSTEM = (message("system", "Be brief."), *ASKED)
BLUE, GREEN = [message("assistant", "It is blue.")], [message("assistant", "It is green.")]
SECRET = "burning when passing water"


def found(tmp_path: Path, *values: Any, ending: str = ".jsonl", format: str | None = None) -> tuple[list[Row], Any]:
    file = tmp_path / f"file{ending}"
    lines = "\n".join(json.dumps(value) for value in values)
    file.write_text(lines if ending == ".jsonl" else json.dumps(list(values)), encoding="utf-8")
    rows, lost = read(file, format)
    return rows, dict(lost)


def row(number: int = 1, messages: Any = ASKED, **answers: Any) -> Row:
    return Row(str(number), "", messages, **answers)


PAIR = row(chosen="It is blue.", rejected="It is green.")
RIGHT = row(target="It is blue.")
QUESTION = "What colour is the sky?"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ({"prompt": QUESTION, "completion": "It is blue."}, RIGHT),
        ({"prompt": list(ASKED), "completion": BLUE}, RIGHT),
        ({"messages": [*ASKED, *BLUE]}, RIGHT),
        ({"prompt": QUESTION, "chosen": "It is blue.", "rejected": "It is green."}, PAIR),
        ({"prompt": list(ASKED), "chosen": BLUE, "rejected": GREEN}, PAIR),
        ({"prompt": QUESTION, "chosen": [*ASKED, *BLUE], "rejected": [*ASKED, *GREEN]}, PAIR),
        ({"chosen": [*ASKED, *BLUE], "rejected": [*ASKED, *GREEN]}, PAIR),
        ({"prompt": QUESTION, "completion": "It is blue.", "label": True}, RIGHT),
        ({"prompt": QUESTION, "completion": "It is green.", "label": False}, row(rejected="It is green.")),
        ({"prompt": QUESTION, "completion": " blue. ", "score": 0.5}, row(target=" blue. ", extra={"score": 0.5})),
    ],
)
def test_trl(tmp_path: Path, line: dict[str, Any], expected: Row) -> None:
    assert found(tmp_path, line) == ([expected], {})


def test_trl_in_parquet(tmp_path: Path) -> None:
    line = {"prompt": list(ASKED), "chosen": BLUE, "rejected": GREEN}
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([line]), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet")[0] == [PAIR]


def test_trl_says_which_columns_it_did_not_use(tmp_path: Path) -> None:
    line = {"prompt": QUESTION, "messages": [*ASKED, *BLUE], "chosen": BLUE, "rejected": GREEN}
    assert found(tmp_path, line) == ([PAIR], {"column `messages`": 1})


def test_openai(tmp_path: Path) -> None:
    tuned = {"messages": [*SYSTEM, {**BLUE[0], "weight": 1}]}
    assert found(tmp_path, tuned) == ([row(messages=SYSTEM, target="It is blue.")], {"`weight` of a turn": 1})
    developer = {"messages": [SYSTEM[0] | {"role": "developer"}, *SYSTEM[1:], *BLUE]}
    assert found(tmp_path, developer) == ([row(messages=SYSTEM, target="It is blue.")], {})
    asked = {"messages": list(SYSTEM), "tools": [{"type": "function"}], "parallel_tool_calls": True}
    line = {"input": asked, "preferred_output": BLUE, "non_preferred_output": GREEN}
    extra = {"tools": [{"type": "function"}], "parallel_tool_calls": True}
    pair = row(messages=SYSTEM, chosen="It is blue.", rejected="It is green.", extra=extra)
    assert found(tmp_path, line) == ([pair], {})


def test_openai_text_parts_are_text_and_what_is_not_to_be_learned_is_refused(tmp_path: Path) -> None:
    part = [{"type": "text", "text": "It is blue."}]
    assert found(tmp_path, {"messages": [*ASKED, {"role": "assistant", "content": part}]}) == ([RIGHT], {})
    with pytest.raises(InputError, match="weight 0"):
        found(tmp_path, {"messages": [*ASKED, {**BLUE[0], "weight": 0}]})


def test_alpaca(tmp_path: Path) -> None:
    case = {"instruction": "What colour", "input": "is the sky?", "output": "It is blue.", "system": "Be brief."}
    asked = (message("user", "Hello"), message("assistant", "Hi"), message("user", "What colour\nis the sky?"))
    case["history"] = [["Hello", "Hi"]]  # type: ignore[assignment]
    expected = row(messages=(message("system", "Be brief."), *asked), target="It is blue.")
    assert found(tmp_path, case, ending=".json") == ([expected], {})
    bad = {"instruction": QUESTION, "input": "", "output": "It is green.", "kto_tag": False}
    assert found(tmp_path, bad, ending=".json") == ([row(rejected="It is green.")], {})


def test_alpaca_ranking(tmp_path: Path) -> None:
    case = {"instruction": QUESTION, "input": "", "chosen": "It is blue.", "rejected": "It is green."}
    assert found(tmp_path, case, ending=".json") == ([PAIR], {})


def test_sharegpt(tmp_path: Path) -> None:
    talk = [{"from": "human", "value": QUESTION}, {"from": "gpt", "value": "It is blue."}]
    case = {"conversations": talk, "system": "Be brief.", "tools": "[]"}
    expected = row(messages=SYSTEM, target="It is blue.", extra={"tools": "[]"})
    assert found(tmp_path, case, ending=".json") == ([expected], {})
    ranked = {"conversations": talk[:1], "chosen": talk[1], "rejected": {"from": "gpt", "value": "It is green."}}
    assert found(tmp_path, ranked, ending=".json") == ([PAIR], {})


def test_argilla(tmp_path: Path) -> None:
    record = {
        "id": "r1",
        "fields": {"prompt": QUESTION, "response1": "It is green.", "response2": "It is blue."},
        "metadata": {"group": "P7", "ward": "3"},
        "suggestions": {"preference": {"value": ["response1", "response2"], "score": None, "agent": "m"}},
        "responses": {
            "preference": [
                {"value": ["response2", "response1"], "user_id": "u1"},
                {"value": [{"value": "response1", "rank": 1}, {"value": "response2", "rank": 2}], "user_id": "u2"},
                {"value": ["response2", "response1"], "user_id": "u3", "status": "discarded"},
            ],
            "why": [{"value": "the sky", "user_id": "u1"}],
        },
        "vectors": {},
        "_server_id": "x",
    }
    first = Row("r1", "P7", ASKED, None, "It is blue.", "It is green.", {"ward": "3", "rater": "u1", "why": "the sky"})
    second = Row("r1", "P7", ASKED, None, "It is green.", "It is blue.", {"ward": "3", "rater": "u2"})
    lost = {"responses that are drafts or discarded": 1, "suggestions": 1}
    assert found(tmp_path, record, ending=".json") == ([first, second], lost)


def test_argilla_answers_in_words(tmp_path: Path) -> None:
    record = {
        "id": "1",
        "fields": {"text": QUESTION},
        "responses": {"label": [{"value": "It is blue.", "user_id": "u"}]},
    }
    silent = {"id": "2", "fields": {"text": QUESTION}, "responses": {}}
    rows, lost = found(tmp_path, record, silent, ending=".json")
    assert rows == [Row("1", "", ASKED, "It is blue.", extra={"rater": "u"})]
    assert lost == {"records without a submitted response": 1}


def studio(data: dict[str, Any], *results: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": 5, "data": data, "annotations": [{"id": 1, "result": list(results), "completed_by": 10, **more}]}


TWO = {"prompt": QUESTION, "answer1": "It is blue.", "answer2": "It is green."}


def test_label_studio_pairwise(tmp_path: Path) -> None:
    left = {"from_name": "pw", "to_name": "answer1,answer2", "type": "pairwise", "value": {"selected": "left"}}
    right = {"from_name": "pw", "to_name": "txt-1,txt-2", "type": "pairwise", "value": {"selected": "right"}}
    stars = {"from_name": "stars", "to_name": "prompt", "type": "rating", "value": {"rating": 4}}
    skipped = studio(TWO, left, was_cancelled=True) | {"predictions": [{"result": []}]}
    rows, lost = found(tmp_path, studio(TWO, left, stars), studio(TWO, right), skipped, ending=".json")
    assert rows == [
        Row("5", "", ASKED, None, "It is blue.", "It is green.", {"stars": 4, "rater": 10}),
        Row("5", "", ASKED, None, "It is green.", "It is blue.", {"rater": 10}),
    ]
    assert lost == {"annotations that were skipped": 1, "predictions": 1}


def test_label_studio_ranker_texts_and_choices(tmp_path: Path) -> None:
    items = [{"id": name, "title": name, "body": text} for name, text in (("a", "worst"), ("b", "mid"), ("c", "best"))]
    rank = {"from_name": "rank", "to_name": "answers", "type": "ranker", "value": {"ranker": ["c", "b", "a"]}}
    text = {"from_name": "answer", "to_name": "note", "type": "textarea", "value": {"text": ["It is blue."]}}
    choice = {"from_name": "label", "to_name": "note", "type": "choices", "value": {"choices": ["blue"]}}
    rows, lost = found(
        tmp_path,
        studio({"prompt": QUESTION, "items": items}, rank),
        studio({"note": QUESTION, "group": "P7", "ward": "3"}, text),
        studio({"note": QUESTION}, choice),
        ending=".json",
    )
    assert rows == [
        Row("5", "", ASKED, None, "best", "worst", {"rater": 10}),
        Row("5", "P7", ASKED, "It is blue.", extra={"ward": "3", "rater": 10}),
        Row("5", "", ASKED, "blue", extra={"rater": 10}),
    ]
    assert lost == {"ranked answers between the best and the worst": 1}


TOOL = {"role": "tool", "content": SECRET}


@pytest.mark.parametrize(
    ("bad", "named", "format"),
    [
        ({"prompt": SECRET}, "row 2, prompt: there is no answer", "trl"),
        ({"prompt": SECRET, "completion": " "}, "row 2, completion: the answer is empty", "trl"),
        ({"prompt": SECRET, "chosen": SECRET}, "row 2, rejected: the answer is empty", "trl"),
        ({"chosen": SECRET, "rejected": "b"}, "row 2, prompt: there is none", "trl"),
        ({"prompt": [TOOL], "completion": "a"}, "row 2, prompt, turn 1: `role` is none of", "trl"),
        ({"prompt": [{"role": "user"}], "completion": "a"}, "row 2, prompt, turn 1: `content` holds no text", "trl"),
        ({"prompt": 5, "completion": "a"}, "row 2, prompt: neither a text nor a list", "trl"),
        ({"messages": [{"role": "user", "content": SECRET}]}, "row 2, messages", "trl"),
        ({"messages": list(ASKED)}, "row 2, messages", "openai"),
        ({"prompt": SECRET, "completion": "a", "id": [SECRET]}, "row 2, id: a text or a whole number", "trl"),
        ({"text": SECRET}, "row 2, messages: neither `messages` nor `input`", "openai"),
        ({"input": SECRET}, "row 2, input: an object with `messages`", "openai"),
        ({"input": {"messages": list(ASKED)}, "preferred_output": BLUE}, "row 2, non_preferred_output", "openai"),
        ({"instruction": SECRET}, "row 2, output: the answer is empty", "llama-factory"),
        ({"instruction": "a", "output": "b", "history": [[SECRET]]}, "row 2, history, round 1", "llama-factory"),
        (
            {"conversations": [{"from": "observation", "value": SECRET}]},
            "row 2, conversations, turn 1",
            "llama-factory",
        ),
        ({"conversations": [{"from": "human", "value": SECRET}], "chosen": SECRET}, "row 2, chosen", "llama-factory"),
        ({"fields": SECRET, "responses": {}}, "row 2, fields: an object", "argilla"),
        (
            {"fields": {"a": SECRET, "b": SECRET}, "responses": {"q": [{"value": "x"}]}},
            "row 2, fields: several",
            "argilla",
        ),
        ({"fields": {"a": SECRET}, "responses": {"q": [{"value": 3}]}}, "row 2, responses: 0 questions", "argilla"),
        ({"prompt": SECRET, "pw": "left"}, "row 2, data: .*JSON_MIN", "label-studio"),
        (
            studio({"prompt": SECRET}, {"type": "pairwise", "value": {"selected": "left"}}),
            "row 2, annot",
            "label-studio",
        ),
        (studio({"prompt": SECRET}, {"type": "ranker", "value": {"ranker": {"b": []}}}), "buckets", "label-studio"),
    ],
)
def test_a_bad_row_is_named_with_its_field_and_without_its_text(
    tmp_path: Path, bad: dict[str, Any], named: str, format: str
) -> None:
    good = {
        "trl": {"prompt": QUESTION, "completion": "It is blue."},
        "openai": {"messages": [*ASKED, *BLUE]},
        "llama-factory": {"instruction": QUESTION, "output": "It is blue."},
        "argilla": {"fields": {"text": QUESTION}, "responses": {"q": [{"value": "It is blue."}]}},
        "label-studio": studio({"note": "a"}, {"type": "choices", "value": {"choices": ["blue"]}}),
    }[format]
    with pytest.raises(InputError, match=named) as caught:
        found(tmp_path, good, bad, format=format)
    assert SECRET not in str(caught.value)
    assert "row 1," not in str(caught.value)
    assert caught.value.exit_code == 2


def test_every_bad_row_of_a_file_is_told(tmp_path: Path) -> None:
    bad = [{"prompt": SECRET, "chosen": " ", "rejected": ""}, {"prompt": SECRET}]
    with pytest.raises(InputError) as caught:
        found(tmp_path, *bad)
    where = [problem.where.rpartition("file.jsonl, ")[2] for problem in caught.value.problems]
    assert where == ["row 1, chosen", "row 1, rejected", "row 2, prompt"]
    with pytest.raises(InputError, match="80 more problems"):
        found(tmp_path, *[{"prompt": SECRET}] * 100)


def test_a_file_that_is_no_table_is_told_as_any_table_is(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"prompt": \n')
    with pytest.raises(InputError, match="broken JSON"):
        read(tmp_path / "a.jsonl")
    with pytest.raises(InputError, match="no such file"):
        read(tmp_path / "b.jsonl")
    with pytest.raises(InputError, match="no such format"):
        read(tmp_path / "a.jsonl", "word")
