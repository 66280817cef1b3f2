"""A judge is believed only where it says the same in both orders, and asked only where that is allowed."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from chat_stub import serving
from preceptor import chat_server
from preceptor.chat_server import ChatServer
from preceptor.engine import Cost, Numerics
from preceptor.errors import InputError
from preceptor.models import AdapterSettings, ModelSource, Policy, new_policy
from preceptor.preferences import MadePairs, Request
from preceptor.preferences.makers import judge
from preceptor.tasks import Example, Task
from preceptor.tasks._task import Answer

TASK = Task(
    name="toy",
    title="Toy",
    question="What is said?",
    source="none",
    fields={"note": "a note"},
    instruction="Sum it up.",
    prompt="{note}",
    answer=Answer(kind="text", parser="text", max_new_tokens=8),
    metric="rouge_l",
)
EXAMPLES = [Example(f"case-{n}", f"patient-{n}", {"note": f"note {n}"}, "fine") for n in range(6)]
ANSWERS = [["long and winding", "", "short", "other"], ["short", "long and winding"]] * 3
ANSWERS[-1] = ["same", "same"]


@pytest.fixture(scope="module")
def policy(tiny_source: ModelSource) -> Policy:
    return new_policy(tiny_source, AdapterSettings(rank=4, alpha=8), seed=0, dtype=torch.float32)


@pytest.fixture(autouse=True)
def answers_of_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    two = [list(dict.fromkeys(filter(None, answers)))[:2] for answers in ANSWERS]
    monkeypatch.setattr(judge, "distinct_answers", lambda request: (two, Cost()))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "judged.jsonl"


def judged(policy: Policy, file: Path, say: Callable[[str, str], str]) -> tuple[MadePairs, Sequence[dict[str, Any]]]:
    """What comes of a judge that hears both answers; and everything it was asked."""

    def reply(request: dict[str, Any]) -> str:
        text = request["messages"][-1]["content"]
        first, _, second = text.partition("First answer:\n")[2].partition("\n\nSecond answer:\n")
        return say(first, second.partition("\n\nWhich is better")[0])

    with serving(reply) as server:
        request = Request(
            TASK,
            EXAMPLES,
            [[1]] * 6,
            lambda text, _: 0.0,
            policy,
            Numerics(threads=1),
            0,
            judge=server.settings,
            judgement_log=file,
        )
        return judge.make(request), server.asked


def by_length(first: str, second: str) -> str:
    return "First." if len(first) > len(second) else "The second"


def test_a_steadfast_judge_makes_pairs_of_what_it_prefers(policy: Policy, file: Path) -> None:
    made, asked = judged(policy, file, by_length)
    assert [(p.example_id, p.chosen, p.rejected, p.origin) for p in made.pairs] == [
        (f"case-{n}", "long and winding", "short", "judge") for n in range(5)
    ]
    assert made.notes == {"alike": 1, "ties": 0, "order decided": 0, "unreadable": 0}
    assert len(asked) == 10, "each pair in both orders"
    assert all(one["temperature"] == 0 for one in asked)
    assert all("Sum it up." in one["messages"][-1]["content"] for one in asked)


@pytest.mark.parametrize("place", ["first", "second"])
def test_a_judge_that_goes_by_the_place_makes_ties_only(place: str, policy: Policy, file: Path) -> None:
    made, _ = judged(policy, file, lambda first, second: place)
    assert made.pairs == []
    assert made.notes == {"alike": 1, "ties": 0, "order decided": 5, "unreadable": 0}


@pytest.mark.parametrize(
    ("reply", "noted"),
    [
        ("tie", "ties"),
        ("", "unreadable"),
        ("I cannot say", "unreadable"),
        ("The first is better than the second", "unreadable"),
    ],
)
def test_what_is_no_preference_makes_no_pair_and_is_counted(reply: str, noted: str, policy: Policy, file: Path) -> None:
    made, _ = judged(policy, file, lambda first, second: reply)
    assert made.pairs == []
    assert made.notes[noted] == 5


def test_a_run_that_was_stopped_asks_nothing_twice(policy: Policy, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_server, "_PAUSES", ())
    heard = 0

    def dies(first: str, second: str) -> str:
        nonlocal heard
        heard += 1
        if heard > 5:
            raise ConnectionAbortedError  # the judge's server dies in the middle of the third pair
        return by_length(first, second)

    with pytest.raises(InputError, match="judge"):
        judged(policy, file, dies)
    with file.open("ab") as torn:
        torn.write(b'{"pair": "half a li')
    made, asked = judged(policy, file, by_length)
    assert len(asked) == 10 - 4, "two pairs had been judged in both orders"
    assert [pair.example_id for pair in made.pairs] == [f"case-{n}" for n in range(5)]
    again, asked = judged(policy, file, by_length)
    assert (again.pairs, again.notes, asked) == (made.pairs, made.notes, [])
    assert again.cost.seconds == made.cost.seconds > 0
    assert "winding" not in file.read_text(), "answers are named, not written down"
    assert len([json.loads(line) for line in file.read_text().splitlines()]) == 5


def test_a_judge_on_another_machine_is_refused_unless_that_host_is_allowed() -> None:
    with pytest.raises(ValueError, match="on another machine, gpu7"):
        ChatServer(url="http://gpu7.example/v1", model="big")
    assert ChatServer(url="http://gpu7.example/v1", model="big", allow_host="gpu7.example").model == "big"
