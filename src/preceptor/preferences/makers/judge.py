"""The maker `judge`: a language model behind a server says which of two of the policy's answers is better.

A judge may prefer the first of two answers whatever they say (Zheng et al., Judging LLM-as-a-judge, NeurIPS 2023,
section 3.3), so each pair is asked about in both orders, and a judge that contradicts itself has said nothing. That it
may prefer the longer answer is not mended but counted, in what is found in the pairs.
"""

import re
import time
from collections import Counter
from dataclasses import replace

import httpx2

from preceptor.chat_server import ChatServer, ask, open_client
from preceptor.engine import timed
from preceptor.preferences._judged import Judged, Outcome, pair_name
from preceptor.preferences._request import Request
from preceptor.preferences.makers._answers import differing_answers
from preceptor.preferences.makers._pair import Made, Pair
from preceptor.tasks import Example, Task

_INSTRUCTION = (
    "You are an experienced clinician. Two answers to the same task are shown. Judge which is better for the patient's "
    "care: right, complete, and with nothing made up. Neither its place nor its length makes an answer better. "
    "Reply with one word only: first, second or tie."
)
_ROOM = 512
"""Tokens for a reply: a word is enough, but some models think aloud first."""


def judge(request: Request) -> Made:
    """The better of two different drawn answers to each case against the other, where the judge is of one mind.

    `notes` counts cases without a pair: `alike` answers, `ties`, those where the `order decided`, and `unreadable`
    replies. Raises `InputError` when the server cannot be asked.
    """
    assert request.judge is not None
    assert request.judged is not None
    found, cost = differing_answers(request)
    judged = Judged.open(request.judged)
    pairs, outcomes, seconds = [], Counter[str](), 0.0
    with timed() as asking, open_client(request.judge) as client:
        for example, two in zip(request.examples, found, strict=True):
            if len(two) < 2:
                outcomes["alike"] += 1
                continue
            pair = pair_name(example.id, two)
            if pair not in judged.said:
                started = time.perf_counter()
                outcome = _asked_twice(client, request.judge, request.task, example, (two[0], two[1]))
                judged.add(pair, outcome, time.perf_counter() - started)
            outcome, took = judged.said[pair]
            seconds += took
            outcomes[outcome] += 1
            if outcome in ("first", "second"):
                chosen, rejected = two if outcome == "first" else reversed(two)
                pairs.append(Pair(example.id, chosen, rejected, "judge"))
    notes = {name: outcomes[name] for name in ("alike", "ties", "order decided", "unreadable")}
    return Made(pairs, cost + replace(asking, seconds=seconds), notes)


def _asked_twice(
    client: httpx2.Client, server: ChatServer, task: Task, example: Example, two: tuple[str, str]
) -> Outcome:
    """Which of the two the judge prefers whichever stands first."""
    said = [_asked(client, server, task, example, order) for order in (two, two[::-1])]
    match said:
        case ["first", "second"]:
            return "first"
        case ["second", "first"]:
            return "second"
        case ["tie", "tie"]:
            return "ties"
        case [first, second] if first is None or second is None:
            return "unreadable"
        case _:
            return "order decided"


def _asked(
    client: httpx2.Client, server: ChatServer, task: Task, example: Example, answers: tuple[str, str]
) -> str | None:
    """`first`, `second` or `tie`; None when the reply names none of them, or several."""
    asked = "\n\n".join(turn["content"] for turn in task.messages(example))
    question = (
        f"The task:\n{asked}\n\nFirst answer:\n{answers[0]}\n\nSecond answer:\n{answers[1]}\n\n"
        "Which is better: first, second or tie?"
    )
    messages = [{"role": "system", "content": _INSTRUCTION}, {"role": "user", "content": question}]
    reply = ask(client, server, messages, max_tokens=_ROOM, setting="judge", case=example.id)
    named = set(re.findall(r"\b(first|second|tie)\b", reply.lower()))
    return named.pop() if len(named) == 1 else None
