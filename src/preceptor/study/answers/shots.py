"""Few-shot prompting: training cases stand in the prompt as examples, as many of them as fit."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from preceptor.engine import Work, distinct_prefixes, writing_work
from preceptor.files import digest
from preceptor.models import encode, load_tokenizer
from preceptor.study.answers._greedy import greedy_generation
from preceptor.study.answers._scored_labels import RuleCases, rule_cases, rule_key, scored_labels, scored_work
from preceptor.study.cases import Asked, Prepared
from preceptor.study.expected_work import WorkContext, gold_lengths
from preceptor.study.predictions.answer_context import AnswerContext, Answering
from preceptor.study.score import gold_label
from preceptor.tasks import Example, Message, Task
from preceptor.text_pieces import as_lines

title = "Base + examples"
phrase = "the base model with examples"
explanation = "The untouched model with a few training cases in its prompt."
deterministic = False
asks_policy = True
language_model = True


class Settings(BaseModel):
    """How many training cases the model is shown before each held-out case, at most."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int = Field(default=4, ge=1, le=64)


def unsupported_reason(task: Task) -> str | None:
    """It answers every task."""
    return None


def key(context: AnswerContext) -> str:
    """Its answers depend on the policy and on the examples in each prompt; labels also on the cases by which their
    scores become answers.
    """
    prepared, longest = context.task, context.study.max_length
    labels = ["label scores", rule_key(prepared, longest, _drawn(context))] if prepared.task.labels else []
    return digest(["base+shots", context.policy_key, _shots(context).prompts, *labels])


def answer(context: AnswerContext) -> Answering:
    """Labels by their scores, text by greedy generation."""
    shots, task = _shots(context), context.task.task
    note = {"shots": {str(n): prompts for n, prompts in sorted(shots.shown.items())}}
    if task.labels:
        return scored_labels(context, shots.prompts, _cases(context), note)
    answerer = greedy_generation(context.load_policy(), shots.prompts, task.answer.max_new_tokens)
    return Answering(answerer, note=note)


def work(context: WorkContext) -> Work:
    """Labels scored, or text as long as gold's, behind prompts with as many training cases as fit."""
    task, asked = context.task, context.task.test
    prompts = _expected_prompts(context, asked)
    if task.task.labels:
        parts = ([case.prompt for case in part] for part in (task.train, task.validation))
        train, validation = (_expected_prompts(context, part) for part in parts)
        return scored_work(context, prompts, train, validation)
    lengths, longest = gold_lengths(task, len(prompts)), task.task.answer.max_new_tokens
    return writing_work(prompts, lengths, longest, share=context.shares)


def _shots(context: AnswerContext) -> "Shots":
    tokenizer = load_tokenizer(context.source)
    return with_shots(context.task, tokenizer, context.settings.count, context.study.max_length, context.seed)


def _cases(context: AnswerContext) -> RuleCases:
    """Those that give the rule, behind the same examples; a case does not stand among them and behind them at once."""
    prepared, tokenizer, longest = context.task, load_tokenizer(context.source), context.study.max_length
    drawn = _drawn(context)
    train, validation, gold = rule_cases(prepared, tokenizer, longest, drawn)
    return RuleCases(
        behind_shots(prepared.task, drawn, train, tokenizer, longest).prompts,
        behind_shots(prepared.task, drawn, validation, tokenizer, longest).prompts,
        gold,
    )


def _drawn(context: AnswerContext) -> list[Example]:
    return draw_shots(context.task.task, context.task.splits.train, context.settings.count, context.seed)


@dataclass(frozen=True, slots=True)
class Shots:
    """Prompts of cases with examples in them; `shown`: how many prompts have so many examples."""

    prompts: list[list[int]] = field(repr=False)
    shown: Counter[int]


def with_shots(prepared: Prepared, tokenizer: Any, count: int, max_length: int, seed: int) -> Shots:
    """Every held-out case behind the same `count` training cases, or as many of them as fit into `max_length`."""
    drawn = draw_shots(prepared.task, prepared.splits.train, count, seed)
    cases = list(zip(prepared.test, prepared.shown, strict=True))
    return behind_shots(prepared.task, drawn, cases, tokenizer, max_length)


def behind_shots(
    task: Task, drawn: Sequence[Example], cases: Sequence[Asked], tokenizer: Any, max_length: int
) -> Shots:
    """Every case behind the examples drawn, or as many of them as fit; the case is never cut to make room for one."""
    prompts, shown = [], Counter[int]()
    for alone, case in cases:
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
    """The case's chat turns, with each example's question and answer between instruction and question."""
    instruction, question = _parted(task.messages(case))
    turns: list[Message] = list(instruction)
    for shot in shots:
        turns += [*_parted(task.messages(shot))[1], {"role": "assistant", "content": shot.learned}]
    return [{"role": turn["role"], "content": as_lines(turn["content"])} for turn in [*turns, *question]]


def _parted(messages: Sequence[Message]) -> tuple[list[Message], list[Message]]:
    """System turns, and the others."""
    return [m for m in messages if m["role"] == "system"], [m for m in messages if m["role"] != "system"]


def _expected_prompts(context: WorkContext, asked: Sequence[list[int]]) -> list[list[int]]:
    """Token ids that stand in for the prompts: training cases between instruction and question."""
    prepared = context.task
    first, last = min(prepared.test), max(prepared.test)
    instruction = len(first) + len(last) - distinct_prefixes([first, last])
    shots = [case.prompt[instruction:] + case.answer for case in prepared.train[: context.settings.count]]
    prompts = []
    for prompt in asked:
        room = context.study.max_length - prepared.task.answer.max_new_tokens - len(prompt)
        shown = shots
        while shown and sum(map(len, shown)) > room:
            shown = shown[:-1]
        prompts.append(prompt[:instruction] + [token for one in shown for token in one] + prompt[instruction:])
    return prompts
