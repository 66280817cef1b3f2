"""The arm `endpoint` against a small server on this machine."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

import chat_stub
from chat_stub import Server
from preceptor import chat_server
from preceptor.chat_server import ChatServer, find_server
from preceptor.errors import InputError
from preceptor.study import make_study
from preceptor.study.answers.endpoint import endpoint_answerer
from preceptor.study.cases import Prepared
from prepared_study import prepare_tiny
from study_runs import run

SECRET = "chest pain"


def triage(request: dict[str, Any]) -> str:
    return "urgent" if SECRET in request["messages"][-1]["content"] else "routine"


serving = partial(chat_stub.serving, triage)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_server, "_PAUSES", (0.0, 0.0))


@pytest.fixture
def prepared(tmp_path: Path, tiny_tokenizer: Any) -> Prepared:
    return prepare_tiny(tmp_path, tiny_tokenizer, patients=60)[1]


def answers(server: Server, prepared: Prepared, done: frozenset[int] = frozenset()) -> dict[int, str]:
    kept: dict[int, str] = {}
    endpoint_answerer(server.settings, prepared)(done, kept.update)
    return kept


def test_each_case_is_asked_once_as_other_arms_see_it_and_without_chance(prepared: Prepared) -> None:
    with serving() as server:
        kept = answers(server, prepared, done=frozenset({1}))
    assert sorted(kept) == [i for i in range(len(prepared.test)) if i != 1]
    assert len(server.asked) == len(kept)
    first = server.asked[0]
    assert first["messages"] == prepared.task.messages(prepared.splits.test[0])
    assert (first["model"], first["temperature"], first["max_tokens"]) == ("big", 0, 6)
    assert kept[0] == ("urgent" if SECRET in prepared.splits.test[0].fields["note"] else "routine")


def test_a_case_that_is_too_long_is_cut_as_for_every_other_arm(tmp_path: Path, tiny_tokenizer: Any) -> None:
    _, one = prepare_tiny(tmp_path, tiny_tokenizer, patients=60, max_length=40)
    with serving() as server:
        answers(server, one)
    for request, prompt in zip(server.asked, one.test, strict=True):
        said = request["messages"][-1]["content"]
        assert "[...]" in said
        assert said in tiny_tokenizer.decode(prompt)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(prepared: Prepared, status: int) -> None:
    with serving((status, SECRET), (status, SECRET)) as server:
        kept = answers(server, prepared)
    assert len(kept) == len(prepared.test)
    assert len(server.asked) == len(kept) + 2


@pytest.mark.parametrize(
    ("replies", "told"),
    [
        ([(503, SECRET)] * 9, "could not be asked (status 503)"),
        ([(400, SECRET)], "could not be asked (status 400)"),
        ([(302, "http://127.0.0.1:9/elsewhere")], "could not be asked (status 302)"),
        ([(200, SECRET)], "is no chat completion"),
        ([(200, "[]")], "is no chat completion"),
        ([(200, '{"choices": [{"message": {"content": 3}}]}')], "is no chat completion"),
    ],
)
def test_what_fails_is_told_without_a_word_of_the_case(
    prepared: Prepared, replies: list[tuple[int, str]], told: str
) -> None:
    with serving(*replies) as server, pytest.raises(InputError) as caught:
        answers(server, prepared)
    message = str(caught.value)
    assert told in message
    assert f"case {prepared.splits.test[0].id}" in message
    assert str(server.server_address[1]) in message
    assert SECRET not in message + repr(caught.value.__cause__)


def test_a_model_that_says_nothing_gives_no_label(prepared: Prepared) -> None:
    with serving((200, '{"choices": [{"message": {"content": null}}]}')) as server:
        assert answers(server, prepared)[0] == ""


def test_a_proxy_of_the_environment_is_not_used(prepared: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with serving() as server:
        assert find_server(server.settings, "endpoint") == []
        assert len(answers(server, prepared)) == len(prepared.test)


def test_a_server_that_is_not_there_or_lacks_the_model_is_found_out() -> None:
    with serving(models=["small", "big"]) as server:
        assert find_server(server.settings, "endpoint") == []
    (problem,) = find_server(server.settings, "endpoint")
    assert "no server answers (the connection was refused)" in str(problem)
    with serving(models=["small"]) as server:
        (problem,) = find_server(server.settings, "endpoint")
    assert "knows no model big. Set `endpoint.model` to one of small" in str(problem)
    with serving(models=None) as server:
        assert find_server(server.settings, "endpoint") == [], "not every server lists its models"


@pytest.mark.parametrize(
    ("endpoint", "told"),
    [
        ({"url": "http://gpu7.example:8000/v1"}, "allow_host: gpu7.example"),
        ({"url": "http://gpu7.example/v1", "allow_host": "gpu8.example"}, "is on another machine, gpu7.example"),
        ({"url": "http://127.0.0.1.gpu7.example/v1"}, "is on another machine"),
        ({"url": "http://127.0.0.1@gpu7.example/v1"}, "holds a user or a password"),
        ({"url": "file:///etc/passwd"}, "must look like http://127.0.0.1:8080/v1"),
        ({"url": "http://127.0.0.1:port/v1"}, "cannot be read"),
    ],
)
def test_no_case_leaves_the_machine_unless_the_host_is_allowed(endpoint: dict[str, str], told: str) -> None:
    study = {"name": "one", "tasks": [{"task": "triage_provider", "data": {"cases": 30}}]}
    with pytest.raises(InputError) as caught:
        make_study({**study, "endpoint": {"model": "big", **endpoint}}, "here")
    assert told in str(caught.value)


@pytest.mark.parametrize("url", ["http://localhost:1/v1", "http://[::1]:1/v1", "https://127.0.0.1/v1", "http://A.b/v1"])
def test_this_machine_and_an_allowed_host_may_be_asked(url: str) -> None:
    assert ChatServer(url=url, model="big", allow_host="a.b").url == url


def test_a_study_with_an_endpoint_finds_it_before_training_and_compares_it(
    tmp_path: Path, tiny_model_folder: Path
) -> None:
    arms: dict[str, Any] = {"arms": ["sft", "endpoint"], "sft": {"epochs": 1}, "seeds": [0, 1]}
    with serving(models=["big"]) as server:
        endpoint = server.settings.model_dump()
        done = run(tmp_path, tiny_model_folder, tmp_path / "run", endpoint=endpoint, **arms)
        cells = {cell["seed"]: cell for cell in done.results["cells"] if cell["arm"] == "endpoint"}
        assert cells[0]["value"] == cells[1]["value"] > 0.5
        assert cells[0]["cost"]["flops"] == 0
        assert len(server.asked) == cells[0]["n"], "both seeds have the same answers"
        assert ("sft", "endpoint") in {(one["a"], one["b"]) for one in done.results["contrasts"]}
    with pytest.raises(InputError, match="no server answers"):
        run(tmp_path, tiny_model_folder, tmp_path / "later", endpoint=endpoint, **arms)
    assert not (tmp_path / "later" / "stages").exists()
