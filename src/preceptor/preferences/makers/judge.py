"""The maker `judge`: a language model behind a server says which of two of the policy's answers is better.

Judges favour the first of two answers (position bias: Zheng et al., Judging LLM-as-a-judge, NeurIPS 2023, section 3.3),
so each pair is judged in both orders, and contradicting judgements give no pair. Bias towards longer answers is not
corrected but reported, as `longer_chosen` of `PairReport`.
"""

import re
import time
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import Literal

import httpx2

from preceptor.chat_server import ChatServer, ask_in_full, open_client
from preceptor.engine import timed
from preceptor.files import JsonLog, digest
from preceptor.preferences.makers._answers import distinct_answers
from preceptor.preferences.makers._maker import MadePairs, Pair, PairWork, Request, Setting, supports_all
from preceptor.tasks import Example, Task

explanation = "the one of two drawn answers that a judge ({model}), asked in both orders, found worse"
settings: tuple[Setting, ...] = ("samples", "temperature", "judge")
unsupported_reason = supports_all

Outcome = Literal["first", "second", "ties", "order decided", "unreadable"]

_INSTRUCTION = (
    "You are an experienced clinician. Two answers to the same task are shown. Judge which is better for the patient's "
    "care: right, complete, and with nothing made up. Neither its place nor its length makes an answer better. "
    "Reply with one word only: first, second or tie."
)
_MAX_TOKENS = 512
"""Of a reply: a word is enough, but some models reason first."""


def expected_work(task: Task, example: Example, samples: int) -> PairWork:
    """The first two samples mostly differ. The server's latency is unknown."""
    return PairWork(samples=2)


def make(request: Request) -> MadePairs:
    """The better of two distinct samples of each case over the other, where both orders give the same judgement.

    `notes` counts cases without a pair: `alike` answers, `ties`, those where the `order decided`, and `unreadable`
    replies. Raises `InputError` when the server does not answer.
    """
    assert request.judge is not None
    assert request.judgement_log is not None
    sampled, cost = distinct_answers(request)
    log = JsonLog(request.judgement_log)
    known = _judgements(log)
    pairs, outcomes, seconds = [], Counter[str](), 0.0
    with timed() as judging, open_client(request.judge) as client:
        for example, two in zip(request.examples, sampled, strict=True):
            if len(two) < 2:
                outcomes["alike"] += 1
                continue
            pair = digest([example.id, *two])
            if pair not in known:
                started = time.perf_counter()
                outcome = _judge_both_orders(client, request.judge, request.task, example, (two[0], two[1]))
                known[pair] = outcome, time.perf_counter() - started
                log.append({"pair": pair, "outcome": outcome, "seconds": known[pair][1]})
            outcome, took = known[pair]
            seconds += took
            outcomes[outcome] += 1
            if outcome in ("first", "second"):
                chosen, rejected = two if outcome == "first" else reversed(two)
                pairs.append(Pair(example.id, chosen, rejected, "judge"))
    notes = {name: outcomes[name] for name in ("alike", "ties", "order decided", "unreadable")}
    return MadePairs(pairs, cost + replace(judging, seconds=seconds), notes)


def _judgements(log: JsonLog) -> dict[str, tuple[Outcome, float]]:
    """What an interrupted run has judged: digest of a case's id and the two answers -> outcome, and seconds it took.

    The file holds no text. A line that cannot be parsed, such as a torn last one, is skipped.
    """
    known: dict[str, tuple[Outcome, float]] = {}
    for row in log.read(skip_damaged=True):
        with suppress(ValueError, KeyError, TypeError):
            known[str(row["pair"])] = (row["outcome"], float(row["seconds"]))
    return known


def _judge_both_orders(
    client: httpx2.Client, server: ChatServer, task: Task, example: Example, two: tuple[str, str]
) -> Outcome:
    """Which of the two the judge prefers in both orders."""
    match [_judge_once(client, server, task, example, order) for order in (two, two[::-1])]:
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


def _judge_once(
    client: httpx2.Client, server: ChatServer, task: Task, example: Example, answers: tuple[str, str]
) -> str | None:
    """`first`, `second` or `tie`; None when the reply names none of them, or several."""
    prompt = "\n\n".join(turn["content"] for turn in task.messages(example))
    question = (
        f"The task:\n{prompt}\n\nFirst answer:\n{answers[0]}\n\nSecond answer:\n{answers[1]}\n\n"
        "Which is better: first, second or tie?"
    )
    messages = [{"role": "system", "content": _INSTRUCTION}, {"role": "user", "content": question}]
    reply = ask_in_full(client, server, messages, max_tokens=_MAX_TOKENS, setting="judge", case=example.id).text
    named = set(re.findall(r"\b(first|second|tie)\b", reply.lower()))
    return named.pop() if len(named) == 1 else None
