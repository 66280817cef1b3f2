"""How the models answer held-out cases: in their own words, or held to the task's labels."""

import re
from collections.abc import Callable, Sequence
from typing import Protocol

from preceptor.engine import Numerics, generate, likeliest, score_answers
from preceptor.models import Policy, encode_answer, stop_tokens
from preceptor.tasks import INVALID, Task


class Keep(Protocol):
    """Called after each batch with the answers' texts by the number of their case.

    label_ties: for how many of them several labels were equally likely, so that chance decided.
    """

    def __call__(self, texts: dict[int, str], label_ties: int = 0) -> None:
        """Keep them."""


Answerer = Callable[[frozenset[int], Keep], None]
"""Answers every held-out case that is not done. Batches are always the same, so that a run that was killed goes on."""

_ROWS = 32


def in_own_words(policy: Policy, prompts: Sequence[list[int]], max_new_tokens: int, *, rows: int = _ROWS) -> Answerer:
    """Greedy text, as every trained arm answers."""

    def answer(done: frozenset[int], keep: Keep) -> None:
        def read(batch: list[int], answers: list[list[int]]) -> None:
            texts = [policy.tokenizer.decode(ids, skip_special_tokens=True) for ids in answers]
            keep(dict(zip(batch, texts, strict=True)))

        generate(
            policy,
            prompts,
            max_new_tokens=max_new_tokens,
            stop=stop_tokens(policy.tokenizer),
            rows=rows,
            done=done,
            on_batch=read,
        )

    return answer


def held_to_labels(
    policy: Policy, task: Task, prompts: Sequence[list[int]], numerics: Numerics, max_length: int, *, rows: int = _ROWS
) -> Answerer:
    """Always one of the task's labels: the answer that the model finds likeliest.

    Where the label ends a line of reasoning, the model reasons in its own words first; only when these end in no
    label is one chosen for it, by how likely each is behind what it wrote.
    """

    def choose(batch: Sequence[int], stems: Sequence[str]) -> tuple[dict[int, str], int]:
        texts = [[stem + label for label in task.labels] for stem in stems]
        candidates = [[encode_answer(policy.tokenizer, text) for text in row] for row in texts]
        scores, _ = score_answers(policy, [prompts[i] for i in batch], candidates, numerics)
        chosen = [likeliest(values, prompts[i]) for i, values in zip(batch, scores, strict=True)]
        answers = {i: row[one.index] for i, row, one in zip(batch, texts, chosen, strict=True)}
        return answers, sum(one.tied for one in chosen)

    def choose_label(done: frozenset[int], keep: Keep) -> None:
        for start in range(0, len(prompts), rows):
            batch = range(start, min(start + rows, len(prompts)))
            if not done.issuperset(batch):
                keep(*choose(batch, [""] * len(batch)))

    def reason_then_choose(done: frozenset[int], keep: Keep) -> None:
        def end_in_label(texts: dict[int, str], label_ties: int = 0) -> None:
            unread = [i for i, text in texts.items() if task.parse(text) == INVALID]
            stems = [_fitting_stem(policy, texts[i], task, max_length - len(prompts[i])) for i in unread]
            chosen, ties = choose(unread, stems) if unread else ({}, 0)
            keep(texts | chosen, label_ties + ties)

        in_own_words(policy, prompts, task.answer.max_new_tokens, rows=rows)(done, end_in_label)

    return reason_then_choose if task.answer.parser == "final_answer" else choose_label


def _stem(text: str, task: Task) -> str:
    """What was written before its last marker, and the marker, so that a label can follow."""
    markers = list(re.finditer(re.escape(task.answer.marker), text, re.IGNORECASE))
    reasoning = (text[: markers[-1].start()] if markers else text).strip()
    return f"{reasoning}\n{task.answer.marker} " if reasoning else f"{task.answer.marker} "


def _fitting_stem(policy: Policy, text: str, task: Task, room: int) -> str:
    """The stem of `text`, shortened at its end until each label fits behind it in `room` tokens."""
    spans = policy.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    kept = len(spans)
    while True:
        stem = _stem(text[: spans[kept - 1][1]] if kept else "", task)
        excess = max(len(encode_answer(policy.tokenizer, stem + label)) for label in task.labels) - room
        if excess <= 0 or not kept:
            return stem
        kept = max(0, kept - excess)
