"""The untouched model with examples before its eyes: which training cases it is shown, and how many of them fit."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import Any

from preceptor.models import encode
from preceptor.study.cases import Prepared
from preceptor.study.score import gold_label
from preceptor.tasks import Example, Message, Task


@dataclass(frozen=True, slots=True)
class Shots:
    """Prompts of the held-out cases with examples in them; `shown`: how many prompts have so many examples."""

    prompts: list[list[int]] = field(repr=False)
    shown: Counter[int]


def with_shots(prepared: Prepared, tokenizer: Any, count: int, max_length: int, seed: int) -> Shots:
    """Every held-out case behind the same `count` training cases, or as many of them as fit into `max_length`.

    The held-out case itself is what every other arm sees; it is never cut to make room for an example.
    """
    task = prepared.task
    drawn = draw_shots(task, prepared.splits.train, count, seed)
    prompts, shown = [], Counter[int]()
    for alone, case in zip(prepared.test, prepared.shown, strict=True):
        prompt, number = alone, len(drawn)
        while number:
            longer = encode(tokenizer, _behind(task, drawn[:number], case), None).prompt
            if len(longer) + task.answer.max_new_tokens <= max_length:
                prompt = longer
                break
            number -= 1
        prompts.append(prompt)
        shown[number] += 1
    return Shots(prompts, shown)


def draw_shots(task: Task, train: Sequence[Example], count: int, seed: int) -> list[Example]:
    """`count` training cases in random order; for label tasks one of each label, then a second of each, and so on."""
    rng = random.Random(seed)
    order = rng.sample(list(train), len(train))
    by_label: dict[str, list[Example]] = {}
    for one in order:
        by_label.setdefault(gold_label(task, one) if task.labels else "", []).append(one)
    in_turn = chain.from_iterable(zip_longest(*by_label.values()))
    return [one for one in in_turn if one is not None][:count]


def _behind(task: Task, shots: Sequence[Example], case: Example) -> list[dict[str, str]]:
    """The case's chat turns, with each example's question and right answer between instruction and question."""
    instruction, question = _parted(task.messages(case))
    turns: list[Message] = list(instruction)
    for shot in shots:
        turns += [*_parted(task.messages(shot))[1], {"role": "assistant", "content": shot.target}]
    return [{"role": turn["role"], "content": turn["content"]} for turn in [*turns, *question]]


def _parted(messages: Sequence[Message]) -> tuple[list[Message], list[Message]]:
    """System turns, and the others."""
    return [m for m in messages if m["role"] == "system"], [m for m in messages if m["role"] != "system"]
